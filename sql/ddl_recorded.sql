-- What is recorded of a source at once, by the event triggers, so that a dump has
-- it and nobody can put a table of his own in the place of one that is gone.
SET client_min_messages = warning;
CREATE SCHEMA desk;
CREATE TABLE original AS SELECT id, body, topic, NULL::text AS known FROM tickets(60);
CREATE TABLE desk.inquiry (id int PRIMARY KEY, letter text, verdict text);
INSERT INTO desk.inquiry SELECT id, body, known FROM original;
SELECT project FROM hl_create_project('tickets', 'desk.inquiry', 'letter', label => 'verdict');
CREATE FUNCTION recorded() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', source_schema, source_name, input_column, key_column, label_column, 'view in', view_schema, 'of', CASE WHEN owner = current_user THEN 'me' ELSE owner END), '; ') FROM hl_project
$$;

-- Schemas, and where the view is
CREATE SCHEMA drawer;
ALTER TABLE desk.inquiry SET SCHEMA drawer;
SELECT recorded();
ALTER VIEW desk.hl_queue_tickets SET SCHEMA drawer;
SELECT recorded();
ALTER SCHEMA drawer RENAME TO chest;
SELECT recorded();
BEGIN;
ALTER SCHEMA chest RENAME TO trunk;
SELECT recorded();
ROLLBACK;
SELECT recorded();
ALTER TABLE chest.inquiry RENAME letter TO body;
ALTER TABLE chest.inquiry RENAME verdict TO known;
ALTER TABLE chest.inquiry RENAME TO ticket;
ALTER TABLE chest.ticket SET SCHEMA public;
ALTER VIEW chest.hl_queue_tickets SET SCHEMA public;
DROP SCHEMA chest, desk;
SELECT recorded();

-- The owner: a table of somebody else is none of ours
CREATE ROLE regress_hl_other;
CREATE ROLE regress_hl_owner;
ALTER VIEW hl_queue_tickets OWNER TO regress_hl_owner;
DROP TABLE ticket CASCADE;
CREATE TABLE ticket (id int PRIMARY KEY, body text, known text);
ALTER TABLE ticket OWNER TO regress_hl_other;
SELECT owner, state, last_error FROM hl_projects;
ALTER TABLE ticket OWNER TO regress_hl_owner;
SELECT owner, state, last_error FROM hl_projects;

DROP TABLE ticket CASCADE;
SELECT hl_drop_project('tickets');
SELECT count(*) FROM hl_projects;
DROP ROLE regress_hl_other, regress_hl_owner;
DROP FUNCTION recorded;
DROP TABLE original;
