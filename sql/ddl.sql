-- What ALTER and DROP on the source do, and how one goes on.
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

-- The view stands in the way of another type; its comment says how to go on.
SELECT left(error_of($$ALTER TABLE desk.request ALTER number TYPE bigint$$), 5) AS refused;
SELECT obj_description('desk.hl_queue_tickets'::regclass);
DROP VIEW desk.hl_queue_tickets;
ALTER TABLE desk.request ALTER number TYPE bigint, ALTER message TYPE varchar(300);
SELECT count(*) > 0 AS queued FROM hl_queue;
SELECT all_works('tickets');
SELECT view_of('tickets');
-- so an ORM's migration has a way: drop, alter, refresh, all in one transaction
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
-- or the project is dropped without its source
DROP TABLE ticket CASCADE;
SELECT hl_drop_project('tickets');
SELECT count(*) FROM hl_projects;

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
DROP FUNCTION all_works, view_of, start;
DROP TABLE original;
