-- A source that was altered so that it can be one no longer: its project says
-- so, everything else goes on, and there is a way back.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, known text);
INSERT INTO ticket SELECT id, body, CASE WHEN id <= 30 THEN topic END FROM tickets(60);
CREATE TABLE other (id int PRIMARY KEY, body text);
INSERT INTO other SELECT id, body FROM tickets(20);
SELECT project FROM hl_create_project('other', 'other', 'body');
SELECT project FROM hl_create_project('tickets', 'ticket', 'body', label => 'known');
SELECT model FROM hl_train('tickets');
CREATE FUNCTION look() RETURNS text LANGUAGE sql AS $$
	SELECT format('broken: %s; others: %s; labels: %s; queue of others: %s',
		(SELECT state <> 'ready' AND last_error IS NOT NULL FROM hl_projects WHERE project = 'tickets'),
		(SELECT last_error IS NULL FROM hl_projects WHERE project = 'other'),
		(SELECT count(*) > 0 FROM hl_labels), (SELECT count(*) > 0 FROM hl_queue WHERE project = 'other'))
$$;
-- training fails with a reason, and no error is an internal one
CREATE FUNCTION complaints() RETURNS text LANGUAGE sql AS $$
	SELECT format('training fails: %s, internal errors: %s', error_of('SELECT hl_train(''tickets'')') !~ '^(XX|no error)',
		(SELECT count(*) FROM unnest(ARRAY['hl_train(''tickets'')', 'hl_refresh(''tickets'')', 'hl_next(''tickets'')',
			'hl_label(''tickets'', 31, ''billing'')', 'hl_predict(''tickets'')']) s WHERE error_of('SELECT ' || s) ~ '^XX'))
$$;

-- The key gets a type that keys cannot have.
DROP VIEW hl_queue_tickets;
ALTER TABLE ticket ALTER id TYPE numeric;
SELECT look();
SELECT complaints();
SELECT label FROM hl_predict('tickets', 'where is the parcel');
ALTER TABLE ticket ALTER id TYPE bigint;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT model FROM hl_train('tickets');
SELECT state FROM hl_projects WHERE project = 'tickets';

-- The input gets one that inputs cannot have.
DROP VIEW hl_queue_tickets;
ALTER TABLE ticket RENAME body TO text;
ALTER TABLE ticket ALTER text TYPE jsonb USING to_jsonb(text);
SELECT look();
SELECT complaints();
SELECT label FROM hl_predict('tickets', 'where is the parcel');
ALTER TABLE ticket ALTER text TYPE text USING text #>> '{}';
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT state FROM hl_projects WHERE project = 'tickets';

-- Its columns are dropped, the label's first, and come back by name.
ALTER TABLE ticket DROP known;
SELECT look();
SELECT complaints();
ALTER TABLE ticket ADD known text;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT count(*) AS labels FROM hl_labels WHERE annotator = 'source';
UPDATE ticket SET known = t.topic FROM tickets(60) t WHERE t.id = ticket.id AND t.id <= 40;
SELECT labels FROM hl_train('tickets');
SELECT left(error_of($$ALTER TABLE ticket DROP text$$), 5) AS refused;
ALTER TABLE ticket DROP text CASCADE;
SELECT look();
SELECT complaints();
SELECT label FROM hl_predict('tickets', 'where is the parcel');
ALTER TABLE ticket ADD text text;
UPDATE ticket SET text = t.body FROM tickets(60) t WHERE t.id = ticket.id;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT state, input FROM hl_projects WHERE project = 'tickets';
SELECT count(*) > 0 AS queued FROM hl_queue_tickets;

-- The table of that name is suddenly another kind of thing.
DROP TABLE ticket CASCADE;
CREATE SEQUENCE ticket;
SELECT look();
SELECT complaints();
DROP SEQUENCE ticket;
CREATE TYPE ticket AS (id int, text text, known text);
SELECT look();
SELECT complaints();
SELECT last_error FROM hl_projects WHERE project = 'tickets';
DROP TYPE ticket;
CREATE TABLE ticket (something int);
SELECT look();
SELECT complaints();
-- a temporary one of that name is nobody's source
DROP TABLE ticket;
CREATE TEMP TABLE ticket AS SELECT id, body AS text, NULL::text AS known FROM tickets(60);
SELECT look();
SELECT complaints();
DROP TABLE ticket;

-- A broken project can be dropped.
SELECT hl_drop_project('tickets');
SELECT project, state FROM hl_projects;
SELECT hl_drop_project('other');
SELECT count(hl_drop_project(project)::text) FROM hl_projects;
DROP TABLE other;
DROP FUNCTION look, complaints;

-- The key promises nothing any more.
CREATE TABLE ticket (id int PRIMARY KEY, body text);
INSERT INTO ticket SELECT id, body FROM tickets(60);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(t.topic)) FROM tickets(30) t;
SELECT model FROM hl_train('tickets');
SELECT item AS asked FROM hl_queue ORDER BY rank LIMIT 1 \gset
CREATE FUNCTION each_call() RETURNS TABLE (call text, outcome text) LANGUAGE sql AS $$
	SELECT s, error_of('SELECT ' || s) FROM unnest(ARRAY['hl_refresh(''tickets'')', 'hl_train(''tickets'')', 'count(*) FROM hl_next(''tickets'', 100)',
		'hl_label(''tickets'', 1, ''billing'')', 'hl_label(''tickets'', 2, ''billing'')', 'count(*) FROM hl_predict(''tickets'')']) s
$$;
-- a key that is there twice: no refresh and no training until it is not, no
-- label for that item; others go on
ALTER TABLE ticket DROP CONSTRAINT ticket_pkey, ALTER id DROP NOT NULL;
INSERT INTO ticket SELECT id, body FROM tickets(1);
INSERT INTO ticket SELECT :asked, 'the same key again';
SELECT call, split_part(outcome, E'\n', 1) AS outcome FROM each_call();
SELECT state, last_error FROM hl_projects;
SELECT label FROM hl_predict('tickets', 'where is the parcel');
SELECT count(*) AS labels FROM hl_labels;
-- through a view it is the same
DELETE FROM ticket WHERE ctid = (SELECT max(ctid) FROM ticket WHERE id = 1);
DELETE FROM ticket WHERE body = 'the same key again';
SELECT hl_drop_project('tickets');
CREATE TABLE extra (id int);
INSERT INTO extra SELECT generate_series(1, 60);
CREATE VIEW seen AS SELECT t.id, t.body FROM ticket t JOIN extra e ON e.id = t.id;
SELECT project FROM hl_create_project('tickets', 'seen', 'body', 'id');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(t.topic)) FROM tickets(30) t;
SELECT model FROM hl_train('tickets');
INSERT INTO extra VALUES (1);
SELECT call, split_part(outcome, E'\n', 1) AS outcome FROM each_call();
DELETE FROM extra WHERE ctid = (SELECT max(ctid) FROM extra WHERE id = 1);
-- a key that is NULL: such a row is no item
UPDATE ticket SET id = NULL WHERE id = 1;
INSERT INTO extra VALUES (NULL);
CREATE OR REPLACE VIEW seen AS SELECT t.id, t.body FROM ticket t LEFT JOIN extra e ON e.id = t.id;
SELECT call, split_part(outcome, E'\n', 1) AS outcome FROM each_call();
SELECT items FROM hl_projects;
SELECT count(*), count(item) FROM hl_predict('tickets');
SELECT hl_drop_project('tickets');
DROP FUNCTION each_call;
DROP TABLE ticket, extra CASCADE;

-- The server of a foreign table is gone, and comes back.
CREATE EXTENSION postgres_fdw;
CREATE TABLE near (id int PRIMARY KEY, body text);
INSERT INTO near SELECT id, body FROM tickets(60);
SELECT current_setting('port') AS port, split_part(current_setting('unix_socket_directories'), ',', 1) AS host \gset
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname :'DBNAME', host :'host', port :'port');
CREATE USER MAPPING FOR CURRENT_USER SERVER loop;
CREATE FOREIGN TABLE far (id int, body text) SERVER loop OPTIONS (table_name 'near');
SELECT project FROM hl_create_project('far', 'far', 'body', 'id');
SELECT hl_label_many('far', array_agg(id::text), array_agg(t.topic)) FROM tickets(30) t;
SELECT model FROM hl_train('far');
ALTER SERVER loop OPTIONS (SET port '1');
SELECT left(error_of('SELECT ' || s), 5) FROM unnest(ARRAY['hl_refresh(''far'')', 'hl_train(''far'')', 'hl_next(''far'')', 'hl_label(''far'', 31, ''billing'')', 'hl_predict(''far'')']) s;
SELECT state FROM hl_projects;
SELECT label FROM hl_predict('far', 'where is the parcel');
SELECT count(*) > 0 AS queued FROM hl_queue;
SELECT count(*) AS labels FROM hl_labels;
ALTER SERVER loop OPTIONS (SET port :'port');
INSERT INTO near SELECT id, body FROM tickets(70) WHERE id > 60;
SELECT hl_refresh('far') AS new_rows;
SELECT left(error_of('SELECT ' || s), 8) FROM unnest(ARRAY['hl_train(''far'')', 'hl_next(''far'')', 'hl_label(''far'', 31, ''billing'')', 'hl_predict(''far'')']) s;
-- with the table it is as with any
SET client_min_messages = error;
DROP SERVER loop CASCADE;
SET client_min_messages = warning;
SELECT state, last_error FROM hl_projects;
SELECT hl_drop_project('far');
DROP EXTENSION postgres_fdw;
DROP TABLE near;
