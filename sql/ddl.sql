-- What ALTER and DROP on the source do, and how one goes on.  (ddl_recorded has
-- what that takes of the objects of 0.2.0.)
SET client_min_messages = warning;
CREATE SCHEMA desk;
CREATE SCHEMA archive;
CREATE TABLE original AS SELECT id, body, topic, NULL::text AS known FROM tickets(150);
CREATE TABLE desk.ticket (id int PRIMARY KEY, body text, topic text, known text);
INSERT INTO desk.ticket SELECT * FROM original;
CREATE FUNCTION start(project text, source regclass) RETURNS int LANGUAGE sql AS $$
	SELECT hl_create_project(project, source, 'body', label => 'known');
	SELECT hl_label_many(project, array_agg(id::text), array_agg(topic)) FROM original WHERE id <= 60;
	SELECT model FROM hl_train(project);
$$;
SELECT start('tickets', 'desk.ticket');
-- Everything that reads the source works: labels, questions, view, training.
CREATE FUNCTION all_works(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	next_item text;
BEGIN
	SELECT item INTO STRICT next_item FROM hl_next(name, 1, 'ann');
	PERFORM hl_label(name, next_item, 'billing');
	PERFORM hl_undo(name, next_item);
	PERFORM hl_refresh(name);
	PERFORM hl_train(name);
	RETURN (SELECT source || '.' || input || ' by ' || key || ', labels ' || label || ': ' || state || ', ' || (SELECT count(*) FROM hl_predict(name)) || ' rows'
		FROM hl_projects WHERE project = name);
END $$;
CREATE FUNCTION view_of(name text) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s, key %s', c.oid::regclass, format_type(atttypid, atttypmod))
	FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attnum = 1 WHERE relname = 'hl_queue_' || name
$$;
SELECT all_works('tickets');

-- Renames and moves are followed, with the view's columns and the item names.
ALTER TABLE desk.ticket RENAME TO request;
SELECT all_works('tickets');
ALTER TABLE desk.request RENAME body TO message;
ALTER TABLE desk.request RENAME id TO number;
ALTER TABLE desk.request RENAME known TO verdict;
SELECT all_works('tickets');
SELECT count(*) > 0 AS queued FROM desk.hl_queue_tickets;
-- other columns come and go; one of the old name is not taken for ours
ALTER TABLE desk.request ADD extra int, DROP topic;
ALTER TABLE desk.request ADD body text DEFAULT 'wrong';
SELECT all_works('tickets');
SELECT count(*) FROM hl_next('tickets', 5, 'bob') WHERE input = 'wrong';

-- The names are recorded at once, so that a dump has them.
CREATE FUNCTION recorded() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', source_schema, source_name, input_column, key_column, label_column, 'view in', view_schema, 'of', CASE WHEN owner = current_user THEN 'me' ELSE owner END), '; ') FROM hl_project
$$;
SELECT recorded();
ALTER TABLE desk.request RENAME message TO letter;
ALTER TABLE desk.request RENAME TO inquiry;
CREATE SCHEMA drawer;
ALTER TABLE desk.inquiry SET SCHEMA drawer;
SELECT recorded();
ALTER TABLE drawer.inquiry SET SCHEMA desk;
ALTER TABLE desk.inquiry RENAME TO request;
ALTER TABLE desk.request RENAME letter TO message;
DROP SCHEMA drawer;
SELECT recorded();
SELECT all_works('tickets');

-- Another type takes the view along, see ddl_types; whoever drops it himself
-- before and refreshes afterwards has it, too.
DROP VIEW desk.hl_queue_tickets;
ALTER TABLE desk.request ALTER number TYPE bigint, ALTER message TYPE varchar(300);
SELECT view_of('tickets');
BEGIN;
DROP VIEW desk.hl_queue_tickets;
ALTER TABLE desk.request ALTER number TYPE text;
SELECT hl_refresh('tickets');
COMMIT;
SELECT all_works('tickets');
SELECT view_of('tickets');
SELECT label FROM hl_labels WHERE item = '1';
-- rights on the view come back with it
CREATE ROLE regress_hl_ann;
SELECT hl_grant('tickets', 'regress_hl_ann', 'annotate');
SELECT has_table_privilege('regress_hl_ann', 'desk.hl_queue_tickets', 'SELECT') AS may;
DROP VIEW desk.hl_queue_tickets;
SELECT hl_refresh('tickets');
SELECT has_table_privilege('regress_hl_ann', 'desk.hl_queue_tickets', 'SELECT') AS may;
SELECT hl_revoke('tickets', 'regress_hl_ann', 'annotate');
REVOKE ALL ON desk.hl_queue_tickets FROM regress_hl_ann;
DROP ROLE regress_hl_ann;

-- The source moves to another schema, schemas are renamed.
ALTER TABLE desk.request SET SCHEMA archive;
SELECT all_works('tickets');
ALTER SCHEMA archive RENAME TO "The Archive";
ALTER SCHEMA desk RENAME TO office;
SELECT all_works('tickets');
SELECT count(*) > 0 AS queued FROM office.hl_queue_tickets;
-- a view that is made anew stands beside its source
DROP VIEW office.hl_queue_tickets;
DROP SCHEMA office;
SELECT all_works('tickets');
SELECT view_of('tickets');

SELECT hl_drop_project('tickets');
DROP SCHEMA "The Archive" CASCADE;

-- The source is dropped: clear errors, a state, and answers from the model.
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text, known text);
INSERT INTO ticket SELECT * FROM original;
SELECT start('tickets', 'ticket');
SELECT left(error_of($$DROP TABLE ticket$$), 5) AS refused;
DROP TABLE ticket CASCADE;
\pset format unaligned
\pset tuples_only on
SELECT error_of(s) FROM unnest(ARRAY[$$SELECT hl_train('tickets')$$, $$SELECT hl_refresh('tickets')$$, $$SELECT hl_next('tickets')$$, $$SELECT hl_label('tickets', 1, 'billing')$$,
	$$SELECT hl_skip('tickets', 1)$$, $$SELECT hl_predict('tickets')$$]) s;
SELECT project, source, owner, state, queue_empty_because, last_error FROM hl_projects;
\pset format aligned
\pset tuples_only off
SELECT label FROM hl_predict('tickets', 'where is the parcel');
SELECT count(*) > 0 AS metrics FROM hl_metrics('tickets');
SELECT count(*) AS labels FROM hl_labels;
-- a table of that name is back: everything as before, labels and models too
CREATE TABLE ticket (known text, id int PRIMARY KEY, body text);
INSERT INTO ticket SELECT known, id, body FROM original;
SELECT hl_undo('tickets', 1);
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT all_works('tickets');
SELECT view_of('tickets');
SELECT count(*) AS labels FROM hl_labels;
-- of other types: the labels hold, and the next model is of vectors
DROP TABLE ticket CASCADE;
CREATE TABLE ticket (id text PRIMARY KEY, known text, body real[]);
INSERT INTO ticket SELECT id, known, ARRAY[(topic = 'returns')::int, (topic = 'delivery')::int, (topic = 'billing')::int, 0.1 * sin(id)] FROM original;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT all_works('tickets');
SELECT view_of('tickets');
SELECT encoder, labels FROM hl_models('tickets') ORDER BY model DESC LIMIT 1;
-- a view, a materialized view, a partitioned table
DROP TABLE ticket CASCADE;
CREATE VIEW ticket AS SELECT id, body, NULL AS known FROM original;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT all_works('tickets');
SELECT error_of($$DROP VIEW ticket$$);
BEGIN;
DROP VIEW ticket CASCADE;
CREATE VIEW ticket AS SELECT upper(known) AS known, id::bigint, left(body, 100)::varchar(100) AS body FROM original;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
COMMIT;
SELECT all_works('tickets');
-- columns at the end of a view do no harm; no others can be changed
CREATE OR REPLACE VIEW ticket AS SELECT upper(known) AS known, id::bigint, left(body, 100)::varchar(100) AS body, topic FROM original WHERE id <= 140;
SELECT left(error_of($$CREATE OR REPLACE VIEW ticket AS SELECT upper(known) AS known, id, body, topic FROM original$$), 5) AS refused;
SELECT hl_refresh('tickets') AS gone;
DROP VIEW ticket CASCADE;
CREATE MATERIALIZED VIEW ticket AS SELECT id, body, known FROM original;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT all_works('tickets');
BEGIN;
DROP MATERIALIZED VIEW ticket CASCADE;
CREATE MATERIALIZED VIEW ticket AS SELECT known, body, id::text FROM original WHERE id <= 140;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
COMMIT;
SELECT all_works('tickets');
DROP MATERIALIZED VIEW ticket CASCADE;
CREATE EXTENSION postgres_fdw;
SELECT current_setting('port') AS port, split_part(current_setting('unix_socket_directories'), ',', 1) AS host \gset
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname :'DBNAME', host :'host', port :'port');
CREATE USER MAPPING FOR CURRENT_USER SERVER loop;
CREATE FOREIGN TABLE ticket (known text, id int, body text) SERVER loop OPTIONS (table_name 'original');
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT all_works('tickets');
SELECT count(*) > 0 AS queued FROM hl_queue_tickets;
DROP FOREIGN TABLE ticket CASCADE;
DROP EXTENSION postgres_fdw CASCADE;
CREATE TABLE ticket (id int, body text, known text) PARTITION BY RANGE (id);
CREATE TABLE ticket_low PARTITION OF ticket FOR VALUES FROM (0) TO (100);
CREATE TABLE ticket_other PARTITION OF ticket DEFAULT;
INSERT INTO ticket SELECT id, body, known FROM original;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT all_works('tickets');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgfoid = 'hl_source_changed'::regproc;
-- or the project is dropped without its source
DROP TABLE ticket CASCADE;
SELECT hl_drop_project('tickets');
SELECT count(*) FROM hl_projects;

-- A new table is loaded and takes the name: the project stays with the old one,
-- as everything else that refers to it does.
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text, known text);
INSERT INTO ticket SELECT * FROM original;
SELECT start('tickets', 'ticket');
CREATE TABLE ticket_new (id int PRIMARY KEY, body text, topic text, known text);
INSERT INTO ticket_new SELECT id + 1000, body, topic, known FROM original WHERE id > 60;
INSERT INTO ticket_new SELECT * FROM original WHERE id <= 60;
BEGIN;
ALTER TABLE ticket RENAME TO ticket_old;
ALTER TABLE ticket_new RENAME TO ticket;
COMMIT;
SELECT source, state FROM hl_projects;
SELECT recorded();
SELECT all_works('tickets');
SELECT error_of($$DROP TABLE ticket_old$$);
-- to have it take the new one, that gets the old one's name for a moment
BEGIN;
DROP TABLE IF EXISTS ticket_old CASCADE;
ALTER TABLE ticket RENAME TO ticket_old;
SELECT hl_refresh('tickets') > 0 AS refreshed;
ALTER TABLE ticket_old RENAME TO ticket;
COMMIT;
SELECT all_works('tickets');
SELECT view_of('tickets');
SELECT recorded();
-- also if the old one is gone already
CREATE TABLE ticket_new (id int PRIMARY KEY, body text, topic text, known text);
INSERT INTO ticket_new SELECT * FROM original WHERE id <= 140;
BEGIN;
ALTER TABLE ticket RENAME TO ticket_old;
ALTER TABLE ticket_new RENAME TO ticket;
DROP TABLE ticket_old CASCADE;
COMMIT;
SELECT source, state, last_error FROM hl_projects;
BEGIN;
DROP TABLE IF EXISTS ticket_old CASCADE;
ALTER TABLE ticket RENAME TO ticket_old;
SELECT hl_refresh('tickets') > 0 AS refreshed;
ALTER TABLE ticket_old RENAME TO ticket;
COMMIT;
SELECT all_works('tickets');
SELECT count(*) AS labels FROM hl_labels;
-- the way to have it follow the name: drop first, then rename
CREATE TABLE ticket_new (id int PRIMARY KEY, body text, topic text, known text);
INSERT INTO ticket_new SELECT * FROM original;
BEGIN;
DROP TABLE ticket CASCADE;
ALTER TABLE ticket_new RENAME TO ticket;
SELECT hl_refresh('tickets') > 0 AS refreshed;
COMMIT;
SELECT all_works('tickets');
SELECT count(*) AS labels FROM hl_labels;
SELECT hl_drop_project('tickets');
DROP TABLE ticket;

-- Vectors are answered without the source, too.
CREATE TABLE place (id int PRIMARY KEY, v real[]);
INSERT INTO place SELECT i, ARRAY[i % 2, 1 - i % 2, 0.1 * sin(i)] FROM generate_series(1, 40) i;
SELECT project FROM hl_create_project('places', 'place', 'v');
SELECT hl_label_many('places', array_agg(id::text), array_agg('c' || id % 2)) FROM place WHERE id <= 20;
SELECT model FROM hl_train('places');
DROP TABLE place CASCADE;
SELECT label FROM hl_predict('places', ARRAY[1, 0, 0]);
SELECT label FROM hl_predict('places', '[1, 0, 0]');
SELECT hl_drop_project('places');
DROP FUNCTION all_works, view_of, start, recorded;
DROP TABLE original;
