-- What is left of rows that are gone, and of projects that were dropped.
SET client_min_messages = warning;

-- Where an item is still named; a block that has room for more rows than it has
-- is one that somebody has forgotten to write again.
CREATE FUNCTION traces(item text) RETURNS TABLE (trace text) LANGUAGE sql AS $$
	SELECT 'block' FROM hl_feature_block WHERE $1 = ANY (items)
	UNION SELECT part FROM hl_ranking WHERE $1 = ANY (items)
	UNION SELECT 'lease' FROM hl_lease l WHERE l.item = $1
	UNION SELECT 'asked' FROM hl_asked a WHERE a.item = $1
	UNION SELECT 'change' FROM hl_change WHERE $1 = ANY (items)
	UNION SELECT 'history' FROM hl_answer a WHERE a.item = $1
	UNION SELECT 'label' FROM hl_current_answer a WHERE a.item = $1
	UNION SELECT 'vote' FROM hl_rule_vote v WHERE v.item = $1
	UNION SELECT 'model label' FROM hl_model_label WHERE $1 = ANY (items)
	UNION SELECT 'litter' FROM hl_feature_block b JOIN hl_encoder e ON e.id = encoder_id
		WHERE live_rows <> cardinality(items) OR live_rows * 8 <> octet_length(hashes) OR live_rows * dims * 4 <> octet_length(dense)
	ORDER BY 1
$$;
-- Is a vector anywhere in the stored bytes?  By its first number, as it is there.
CREATE FUNCTION stored(v real[]) RETURNS boolean LANGUAGE sql AS $$
	SELECT coalesce(bool_or(position((SELECT string_agg(set_byte('\x00', 0, get_byte(float4send(v[1]), i)), '' ORDER BY i DESC) FROM generate_series(0, 3) i) IN dense) > 0), false) FROM hl_feature_block
$$;

-- Vectors, of which one can say where they are.
CREATE TABLE place (id int PRIMARY KEY, v real[], kind text);
INSERT INTO place SELECT i, ARRAY[x, sqrt(1 - x * x)], i % 2 FROM generate_series(1, 1200) i, LATERAL (SELECT ((0.001 + i / 1300.0) * CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END)::real AS x) x;
UPDATE place SET v = ARRAY[0.6, 0.8] WHERE id = 6;
UPDATE place SET v = ARRAY[0.28, 0.96] WHERE id = 8;
UPDATE place SET v = ARRAY[0.96, 0.28] WHERE id = 10;
SELECT project FROM hl_create_project('places', 'place', 'v', options => '{"queue_size": 100}');
SELECT hl_add_rule('places', 'few', 'id BETWEEN 6 AND 12', '0');
SELECT hl_refresh('places');
SELECT hl_label_many('places', array_agg(id::text), array_agg(kind)) FROM place WHERE id <= 40;
SELECT model FROM hl_train('places');
SELECT stored('{0.6,0.8}'), stored('{0.28,0.96}'), stored('{0.96,0.28}'), stored('{0.123,0}');
SELECT array_agg(trace) AS traces FROM traces('6');
-- deleted, changed, set to NULL, called something else
DELETE FROM place WHERE id = 6;
UPDATE place SET v = '{-1,0}' WHERE id = 8;
UPDATE place SET v = NULL WHERE id = 10;
UPDATE place SET id = 5012 WHERE id = 12;
SELECT hl_refresh('places');
SELECT stored('{0.6,0.8}'), stored('{0.28,0.96}'), stored('{0.96,0.28}'), stored('{-1,0}') AS new_one;
SELECT i AS item, array_agg(trace) AS traces FROM unnest('{6,8,10,12,5012}'::text[]) i, traces(i) GROUP BY i ORDER BY i::int;
-- keys and labels are what is kept
SELECT item, label FROM hl_labels WHERE item IN ('6', '10', '12') ORDER BY item;
SELECT hl_undo('places', i) FROM unnest(ARRAY[6, 10, 12]) i;
SELECT count(*) FROM hl_labels WHERE item IN ('6', '10', '12');
SELECT item, action, label FROM hl_label_history WHERE item = '6' ORDER BY id;
-- rows all over the place, in a queue that is used
CREATE TABLE asked AS SELECT item FROM hl_next('places', 20, 'ann');
INSERT INTO asked SELECT DISTINCT ON (part, n) item FROM hl_ranking, unnest(items) WITH ORDINALITY u(item, n) WHERE n <= 10;
DELETE FROM place USING asked WHERE id::text = item;
SELECT hl_refresh('places') > 20 AS gone;
SELECT count(*) AS traces FROM asked, traces(item);
SELECT count(*) FROM hl_queue JOIN asked USING (item);
-- a row that is back is a row as any
INSERT INTO place SELECT item::int, '{0.6,0.8}' FROM asked LIMIT 1;
SELECT hl_refresh('places') AS back;
SELECT stored('{0.6,0.8}');
-- hl_train does the same
DELETE FROM place WHERE v = '{0.6,0.8}' OR id % 10 = 0;
SELECT model FROM hl_train('places');
SELECT stored('{0.6,0.8}'), count(*) AS litter FROM traces('');
-- most of the rows, so that blocks become one
DELETE FROM place WHERE id % 10 <> 1;
SELECT hl_refresh('places') > 0 AS gone;
SELECT count(*) AS litter FROM traces('');
SELECT sum(live_rows) = (SELECT count(*) FROM place) AS rows, count(*) FROM hl_feature_block;
-- what an earlier version has left is cleared as well, though nothing has changed
UPDATE hl_feature_block SET hashes = overlay(hashes PLACING '\x0000000000000000' FROM 1 FOR 8), live_rows = live_rows - 1 WHERE live_rows > 100;
DELETE FROM place WHERE id::text = (SELECT items[1] FROM hl_feature_block WHERE live_rows >= 100 ORDER BY block LIMIT 1);
SELECT count(*) AS litter FROM traces('');
SELECT hl_refresh('places') AS changed;
SELECT count(*) AS litter FROM traces('');
SELECT count(*) = (SELECT count(*) FROM place) AS all_predicted FROM hl_predict('places');
TRUNCATE place;
SELECT hl_refresh('places') > 0 AS gone;
SELECT (SELECT count(*) FROM hl_feature_block) AS blocks, (SELECT coalesce(sum(cardinality(items)), 0) FROM hl_ranking) AS ranked, (SELECT count(*) FROM hl_lease) AS leases;
SELECT hl_drop_project('places');
DROP TABLE place, asked;

-- A lease on a row that is gone goes as well, whoever has it; one on a row that
-- is only ranked no more stays.
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
INSERT INTO ticket SELECT id, body, topic FROM tickets(300);
CREATE ROLE regress_hl_reader;
SELECT project FROM hl_create_project('tickets', 'ticket', 'body', label => 'topic', options => '{"seed_batch": 10}');
UPDATE ticket SET topic = NULL WHERE id > 100;
SELECT hl_refresh('tickets');
SELECT item AS gone FROM hl_next('tickets', 1, 'ann') \gset
SELECT min(id) AS unranked FROM ticket WHERE id > 100 AND id::text NOT IN (SELECT item FROM hl_lease) \gset
INSERT INTO hl_lease SELECT id, :'unranked', 'ann', now(), now() + interval '1 hour' FROM hl_project;
DELETE FROM ticket WHERE id = :gone;
SELECT hl_refresh('tickets');
SELECT array_agg(trace) AS traces FROM traces(:'gone');
SELECT 'lease' IN (SELECT trace FROM traces(:'unranked')) AS still_leased;
DELETE FROM ticket WHERE id = :unranked;
SELECT hl_refresh('tickets');
SELECT array_agg(trace) AS traces FROM traces(:'unranked');

-- What the source says while somebody else manages the project is not told to
-- him, also where it is asked for a leased row that is gone.
SET client_min_messages = error;
CREATE FUNCTION tell(body text) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0001 AS $$BEGIN RAISE WARNING 'a row: %', body; RETURN true; END$$;
CREATE TABLE letter (id int, body text);
INSERT INTO letter SELECT id, body FROM tickets(30);
CREATE VIEW telling AS SELECT id, body FROM letter WHERE tell(body);
CREATE ROLE regress_hl_manager;
SELECT project FROM hl_create_project('telling', 'telling', 'body', key => 'id');
SELECT hl_grant('telling', 'regress_hl_manager', 'manage');
SELECT item AS leased FROM hl_next('telling', 1, 'ann') \gset
DELETE FROM letter WHERE id = :leased;
SET client_min_messages = warning;
SET ROLE regress_hl_manager;
SELECT hl_refresh('telling');
RESET ROLE;
SET client_min_messages = error;
SELECT hl_drop_project('telling');
DROP TABLE letter CASCADE;
DROP ROLE regress_hl_manager;
DROP FUNCTION tell;
SET client_min_messages = warning;

-- hl_drop_project leaves nothing behind: in any table that there is.
CREATE FUNCTION left_of(project int, encoders bigint[]) RETURNS TABLE (relation text, rows bigint) LANGUAGE plpgsql AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT c.oid::regclass AS name, bool_or(attname = 'project_id') AS of_project, bool_or(attname = 'encoder_id') AS of_encoder
		FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
		JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass AND relkind = 'r'
		JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0
		WHERE extname = 'humanloop' GROUP BY c.oid ORDER BY c.oid::regclass::text COLLATE "C"
	LOOP
		relation := t.name;
		IF t.of_project THEN
			EXECUTE format('SELECT count(*) FROM %s WHERE project_id = $1', t.name) INTO rows USING project;
		ELSIF t.of_encoder THEN
			EXECUTE format('SELECT count(*) FROM %s WHERE encoder_id = ANY ($1)', t.name) INTO rows USING encoders;
		ELSE
			EXECUTE format('SELECT count(*) FROM %s WHERE id = $1', t.name) INTO rows USING project;
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT hl_label_many('tickets', array_agg(id::text), array_agg('other'::text), 'bob') FROM ticket WHERE id BETWEEN 200 AND 250;
SELECT hl_skip('tickets', 260, 'no idea', 'bob');
SELECT hl_grant('tickets', 'regress_hl_reader', 'annotate');
SELECT labels FROM hl_train('tickets');
INSERT INTO ticket SELECT id + 1000, body FROM tickets(400);
SELECT model FROM hl_train('tickets');
SELECT hl_add_rule('tickets', 'parcels', 'body ~ ''parcel''', 'delivery');
-- a model that is not taken leaves no rows encoded: with the one before they are again
SELECT hl_refresh('tickets');
SELECT count(*) > 0 AS asked FROM hl_next('tickets', 5, 'bob');
SELECT id AS project FROM hl_project \gset
SELECT array_agg(id) AS encoders FROM hl_encoder WHERE project_id = :project \gset
-- what only the worker writes
INSERT INTO hl_run (project_id, kind, pid) VALUES (:project, 'train', 0);
INSERT INTO hl_change VALUES (:project, 'rows', '{1}');
INSERT INTO hl_revision VALUES (:project, 1, 1, 0, '');
INSERT INTO hl_asked VALUES (:project, '1');
-- what reviewers and others have said beside answering
INSERT INTO hl_settlement (project_id, item, action, label, reviewer) VALUES (:project, '1', 'settle', 'returns', 'rita');
INSERT INTO hl_item_comment (project_id, item, annotator, comment) VALUES (:project, '1', 'rita', 'odd');
INSERT INTO hl_item_flag (project_id, item, annotator) VALUES (:project, '1', 'rita');
-- gold, and an item that needs another answer
INSERT INTO hl_gold_label (project_id, item, label, marked_by) VALUES (:project, '2', 'returns', 'rita');
INSERT INTO hl_gold_shown (project_id, item, annotator) VALUES (:project, '2', 'bob');
INSERT INTO hl_repeat (project_id, item, wanted, reason, worth, since) VALUES (:project, '3', 2, 'repeat', 1, 1);
SELECT relation FROM left_of(:project, :'encoders') WHERE rows = 0;
-- a session that has the model in memory and statements prepared
PREPARE predict AS SELECT label IS NOT NULL AS answered FROM hl_predict('tickets', 'where is the parcel');
EXECUTE predict;
PREPARE ask AS SELECT count(*) FROM hl_next('tickets', 1, 'eve');
EXECUTE ask;
SELECT hl_drop_project('tickets');
SELECT * FROM left_of(:project, :'encoders') WHERE rows > 0;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'ticket'::regclass;
SELECT to_regclass('hl_queue_tickets') AS view;
SELECT count(*) AS locks FROM pg_locks WHERE locktype = 'object';
SELECT count(*) AS shown FROM (SELECT project FROM hl_projects UNION ALL SELECT project FROM hl_queue UNION ALL SELECT project FROM hl_labels UNION ALL SELECT project FROM hl_label_history UNION ALL SELECT project FROM hl_runs) s;
DROP ROLE regress_hl_reader;
SELECT error_of(s) FROM unnest('{EXECUTE predict,EXECUTE ask}'::text[]) s;
-- nor does a project of the same name know anything of it
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
SELECT left(error_of(s), 50) FROM unnest('{EXECUTE predict}'::text[]) s;
EXECUTE ask;
SELECT count(*) FROM hl_labels;
SELECT count(*) FROM hl_models('tickets');
SELECT hl_drop_project('tickets');
DEALLOCATE predict;
DEALLOCATE ask;
-- without its source, too; and rolled back it is all there
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg('c' || id % 2)) FROM ticket WHERE id BETWEEN 200 AND 250;
SELECT labels FROM hl_train('tickets');
SELECT id AS project FROM hl_project \gset
SELECT array_agg(id) AS encoders FROM hl_encoder WHERE project_id = :project \gset
CREATE TABLE rows_before AS SELECT * FROM left_of(:project, :'encoders');
BEGIN;
SELECT hl_drop_project('tickets');
ROLLBACK;
SELECT count(*) FROM (SELECT * FROM left_of(:project, :'encoders') EXCEPT SELECT * FROM rows_before) r;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'ticket'::regclass AND NOT tgisinternal;
-- what was made from its rows stays as long as the project waits for them
DROP TABLE ticket CASCADE;
SELECT count(*) > 0 AS features FROM hl_feature_block WHERE project_id = :project;
SELECT hl_drop_project('tickets');
SELECT * FROM left_of(:project, :'encoders') WHERE rows > 0;
DROP TABLE rows_before;
DROP FUNCTION traces, stored, left_of;
