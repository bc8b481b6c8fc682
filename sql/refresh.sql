-- Rows that come, change and go after the project was declared.
SET client_min_messages = warning;
-- a thousand rows are a matter of milliseconds; a minute is a bug
SET statement_timeout = '60s';
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
INSERT INTO ticket SELECT id, body, topic FROM tickets(420);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
-- Where the features of an item are; a copy that is made anew is in another block.
CREATE FUNCTION stored() RETURNS TABLE (item text, place bigint) LANGUAGE sql AS $$
	SELECT items[n], block FROM hl_feature_block, generate_subscripts(items, 1) n
	WHERE substr(hashes, 8 * n - 7, 8) <> '\x0000000000000000'
$$;

-- Before the first model: takes up everything, and renews the seed batch.
SELECT hl_refresh('tickets');
SELECT hl_refresh('tickets') AS again;
SELECT items, queued > 0 AS queued, model FROM hl_projects;
SELECT min(reason) AS reason, max(reason) AS reason FROM hl_queue;
INSERT INTO ticket SELECT 1000 + i, 'opening hours of your shop on day ' || i, 'hours' FROM generate_series(1, 100) i;
SELECT hl_refresh('tickets');
SELECT count(*) > 0 AS new_rows_in_seed FROM hl_queue WHERE item::int > 1000;
DELETE FROM ticket WHERE id > 1000;
SELECT hl_refresh('tickets');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 150;
SELECT hl_refresh('tickets');
SELECT count(*) AS labelled FROM hl_queue WHERE item::int <= 150;
SELECT model FROM hl_train('tickets');
SELECT count(*), count(DISTINCT item) FROM stored();

-- Training again encodes nothing again.
CREATE TEMP TABLE before AS SELECT ctid::text AS place, xmin::text AS writer, block FROM hl_feature_block;
SELECT model FROM hl_train('tickets');
SELECT hl_refresh('tickets');
SELECT count(*) FROM (SELECT ctid::text, xmin::text, block FROM hl_feature_block EXCEPT SELECT * FROM before) new;

-- Inserted, updated and deleted rows; the others stay where they are.
CREATE TEMP TABLE stored_before AS SELECT * FROM stored();
INSERT INTO ticket SELECT 2000 + i, 'opening hours of your shop on day ' || i, 'hours' FROM generate_series(1, 20) i;
UPDATE ticket SET body = 'opening hours of your shop ' || id WHERE id BETWEEN 401 AND 405;
UPDATE ticket SET topic = topic WHERE id BETWEEN 300 AND 320; -- written, but the same
UPDATE ticket SET body = body WHERE id BETWEEN 300 AND 320;
UPDATE ticket SET body = NULL WHERE id IN (406, 407);
UPDATE ticket SET id = 3408 WHERE id = 408;
DELETE FROM ticket WHERE id IN (411, 412, 413);
SELECT hl_refresh('tickets') AS changed, 20 + 5 + 2 + 2 + 3 AS expected;
SELECT hl_refresh('tickets') AS changed;
SELECT items FROM hl_projects;
SELECT count(*) AS rows, count(DISTINCT item) AS items, bool_or(item IN ('406', '407', '408', '411', '412', '413')) AS gone_ones FROM stored();
-- one block may be rewritten to mark what is gone, or half-empty ones merged; the rest keeps its place
SELECT count(*) FILTER (WHERE s.place = b.place) AS in_place, count(*) FILTER (WHERE s.place <> b.place) AS moved FROM stored() s JOIN stored_before b USING (item);
SELECT count(*) FILTER (WHERE item::int BETWEEN 2001 AND 2020) > 0 AS new_rows, count(*) FILTER (WHERE item IN ('406', '407', '408', '411', '412', '413')) AS gone_rows FROM hl_queue;
SELECT model FROM hl_train('tickets');
SELECT count(*) FILTER (WHERE item::int BETWEEN 2001 AND 2020) > 0 AS new_rows, count(*) FILTER (WHERE item IN ('406', '407', '408', '411', '412', '413')) AS gone_rows FROM hl_queue;
-- labels of rows that are gone rest; when the row is back they count again
SELECT labels FROM hl_train('tickets');
DELETE FROM ticket WHERE id <= 10;
SELECT labels FROM hl_train('tickets');
INSERT INTO ticket SELECT id, body, topic FROM tickets(10);
SELECT labels FROM hl_train('tickets');

-- TRUNCATE and fill anew: everything is new.
CREATE TABLE kept AS SELECT * FROM ticket;
TRUNCATE ticket;
SELECT hl_refresh('tickets') = (SELECT count(*) FROM kept WHERE body IS NOT NULL) AS all_gone;
SELECT items, queued, queue_empty_because FROM hl_projects;
SELECT count(*) FROM hl_predict('tickets');
SELECT label FROM hl_predict('tickets', 'where is the parcel');
SELECT error_of($$SELECT hl_train('tickets')$$);
INSERT INTO ticket SELECT * FROM kept;
SELECT hl_refresh('tickets') = (SELECT count(*) FROM kept WHERE body IS NOT NULL) AS all_back;
SELECT labels FROM hl_train('tickets');
SELECT bool_and((p.label, p.confidence) = (a.label, a.confidence) OR abs(p.confidence - a.confidence) < 1e-4) AS same FROM ticket t, hl_predict('tickets', t.body) p, hl_predict('tickets') a WHERE a.item = t.id::text;

-- The encoder is fitted anew when the source has outgrown it: new words count.
SELECT encoder_id AS encoder FROM hl_serving \gset
INSERT INTO ticket SELECT 10000 + i, 'zebra giraffe elephant ' || i, 'zoo' FROM generate_series(1, 300) i;
SELECT model FROM hl_train('tickets');
SELECT encoder_id = :encoder AS same_encoder FROM hl_serving;
INSERT INTO ticket SELECT 20000 + i, 'lion tiger panther ' || i, 'zoo' FROM generate_series(1, 400) i;
-- a refresh leaves it to the training, and the queue as it is
SELECT hl_refresh('tickets');
SELECT encoder_id = :encoder AS same_encoder FROM hl_serving;
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id BETWEEN 10001 AND 10020;
SELECT model, classes FROM hl_train('tickets') \gset
SELECT encoder_id = :encoder AS same_encoder, (SELECT count(DISTINCT encoder_id) FROM hl_feature_block) AS encoders_with_features FROM hl_serving;
SELECT label, model = :model AS newest FROM hl_predict('tickets', 'giraffe');
SELECT count(*) FILTER (WHERE label = 'zoo') > 290 AS known FROM hl_predict('tickets') WHERE item::int BETWEEN 10001 AND 10300;
SELECT count(*) = (SELECT count(*) FROM ticket WHERE body IS NOT NULL) AS complete FROM stored();
SELECT hl_refresh('tickets');
-- many small changes do not leave many small blocks
DO $$
BEGIN
	FOR i IN 1..15 LOOP
		INSERT INTO ticket VALUES (30000 + i, 'lion and zebra ' || i);
		PERFORM hl_refresh('tickets');
	END LOOP;
END $$;
SELECT count(*) < 8 AS few_blocks FROM hl_feature_block;
SELECT count(*) = (SELECT count(*) FROM ticket WHERE body IS NOT NULL) AS complete, count(*) = count(DISTINCT item) AS once FROM stored();
-- a refresh that is rolled back has not happened
BEGIN;
INSERT INTO ticket VALUES (40000, 'tiger');
SELECT hl_refresh('tickets');
ROLLBACK;
SELECT hl_refresh('tickets');
SELECT count(*) FROM stored() WHERE item = '40000';
SELECT hl_drop_project('tickets');

-- Through a view: a key that is there twice is an error, nothing is half-done.
CREATE TABLE more (id int, body text);
CREATE VIEW both_tables AS SELECT id, body FROM kept UNION ALL SELECT * FROM more;
SELECT project FROM hl_create_project('viewed', 'both_tables', 'body', 'id');
SELECT hl_label_many('viewed', array_agg(id::text), array_agg(topic)) FROM kept WHERE id <= 60;
SELECT model FROM hl_train('viewed');
INSERT INTO more VALUES (5001, 'a new one'), (60, 'the sixtieth again');
SELECT error_of($$SELECT hl_refresh('viewed')$$);
SELECT error_of($$SELECT hl_train('viewed')$$);
SELECT left(error_of($$SELECT hl_label('viewed', 60, 'billing')$$), 5);
SELECT hl_label('viewed', 61, 'billing') IS NOT NULL AS others_can_be_labelled;
SELECT count(*) FROM stored() WHERE item = '5001';
SELECT count(*) > 0 AS still_answers FROM hl_predict('viewed');
-- rows without a key are no items
UPDATE more SET id = NULL WHERE id = 60;
SELECT hl_refresh('viewed');
SELECT items = (SELECT count(body) FROM kept) + 1 AS items FROM hl_projects;
-- a materialized view brings its changes when it is refreshed
SELECT hl_drop_project('viewed');
CREATE MATERIALIZED VIEW snapshot AS SELECT * FROM both_tables WHERE id IS NOT NULL;
SELECT project FROM hl_create_project('kept', 'snapshot', 'body', 'id');
SELECT hl_refresh('kept') > 0 AS all_rows;
INSERT INTO more VALUES (5002, 'another one');
SELECT hl_refresh('kept');
REFRESH MATERIALIZED VIEW snapshot;
SELECT hl_refresh('kept');
SELECT hl_drop_project('kept');
DROP TABLE ticket, kept, more CASCADE;
DROP FUNCTION stored;
