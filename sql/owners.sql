-- Owners of project and source that change, part, are renamed and go.
SET client_min_messages = warning;
CREATE ROLE regress_hl_desk;
CREATE ROLE regress_hl_boss;
CREATE ROLE regress_hl_ann;
CREATE ROLE regress_hl_eve;
CREATE SCHEMA desk;
GRANT ALL ON SCHEMA desk TO PUBLIC;
SET ROLE regress_hl_desk;
CREATE TABLE desk.ticket (id int PRIMARY KEY, body text, topic text);
INSERT INTO desk.ticket SELECT id, body, CASE WHEN id <= 60 THEN topic END FROM tickets(90);
SELECT project FROM hl_create_project('tickets', 'desk.ticket', 'body', label => 'topic');
SELECT hl_grant('tickets', 'regress_hl_ann', 'annotate');
SELECT model FROM hl_train('tickets');
RESET ROLE;

-- Who can do what, and who reads the source?  t: may, f: permission denied
CREATE FUNCTION may(who name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text := replace(who, 'regress_hl_', '') || ':';
	call text;
	state text;
BEGIN
	FOREACH call IN ARRAY ARRAY['hl_refresh(''tickets'')', 'hl_predict(''tickets'', ''x'')', 'hl_predict(''tickets'')', 'hl_next(''tickets'', 1)', 'hl_label(''tickets'', 61, ''billing'')', 'desk.hl_queue_tickets',
		'hl_drop_project(''tickets'')']
	LOOP
		EXECUTE 'SET LOCAL ROLE ' || quote_ident(who);
		state := left(error_of('DO $d$ BEGIN PERFORM count(*) FROM ' || call || '; RAISE SQLSTATE ''YES00''; END $d$'), 5);
		result := result || CASE state WHEN 'YES00' THEN ' t' WHEN '42501' THEN ' f' ELSE ' ' || state END;
	END LOOP;
	RESET ROLE;
	RETURN result;
END $$;
CREATE FUNCTION rights() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT may(rolname) FROM pg_roles WHERE rolname IN ('regress_hl_desk', 'regress_hl_boss', 'regress_hl_ann', 'regress_hl_eve') ORDER BY rolname
$$;
CREATE FUNCTION recorded(OUT owner text, OUT owner_role text, OUT source_owner text) LANGUAGE sql AS $$
	SELECT p.owner, h.owner_role::text, h.source_owner::text FROM hl_projects p JOIN hl_project h ON name = project
$$;
SELECT rights();

-- The source is somebody else's: read as him, and the project is not.
ALTER TABLE desk.ticket OWNER TO regress_hl_boss;
SELECT * FROM recorded();
SELECT rights();
SET ROLE regress_hl_boss;
CREATE POLICY p ON desk.ticket USING (false);
ALTER TABLE desk.ticket ENABLE ROW LEVEL SECURITY;
-- its own owner sees all
INSERT INTO desk.ticket SELECT id, body, topic FROM tickets(93) WHERE id > 90;
SET ROLE regress_hl_desk;
SELECT hl_refresh('tickets');
SELECT count(*) FROM hl_labels WHERE annotator = 'source';
RESET ROLE;
SELECT error_of('SET LOCAL ROLE regress_hl_desk; SELECT count(*) FROM hl_predict(''tickets'')');
SELECT error_of('SET LOCAL ROLE regress_hl_desk; SELECT count(*) FROM desk.ticket');
-- who owns the table may not drop what stands on it, unless it is his
SELECT left(error_of('SET LOCAL ROLE regress_hl_boss; SELECT hl_drop_project(''tickets'')'), 5);
ALTER VIEW desk.hl_queue_tickets OWNER TO regress_hl_boss;
SELECT * FROM recorded();
SELECT rights();
SELECT viewowner FROM pg_views WHERE viewname = 'hl_queue_tickets';
SELECT has_table_privilege('regress_hl_ann', 'desk.hl_queue_tickets', 'SELECT') AS still_granted;

-- The project is somebody else's, and the source is not.
ALTER TABLE desk.ticket DISABLE ROW LEVEL SECURITY;
ALTER TABLE desk.ticket OWNER TO regress_hl_desk;
SELECT * FROM recorded();
SELECT rights();
SET ROLE regress_hl_boss;
SELECT hl_grant('tickets', 'regress_hl_eve', 'annotate');
SET ROLE regress_hl_eve;
SELECT left(error_of('SELECT count(*) FROM desk.hl_queue_tickets'), 5) AS without_the_source;
RESET ROLE;
-- the view is made again as its own
DROP VIEW desk.hl_queue_tickets;
SET ROLE regress_hl_boss;
SELECT hl_refresh('tickets');
RESET ROLE;
SELECT viewowner FROM pg_views WHERE viewname = 'hl_queue_tickets';
SELECT has_table_privilege('regress_hl_ann', 'desk.hl_queue_tickets', 'SELECT') AS ann, has_table_privilege('regress_hl_eve', 'desk.hl_queue_tickets', 'SELECT') AS eve;

-- A source that is gone is his whose it was, not anybody's that the project's
-- owner could read.
DROP TABLE desk.ticket CASCADE;
SET ROLE regress_hl_eve;
CREATE TABLE desk.ticket AS SELECT * FROM tickets(30);
RESET ROLE;
SELECT owner, state, last_error FROM hl_projects;
GRANT regress_hl_eve TO regress_hl_boss;
SELECT owner, state, last_error FROM hl_projects;
REVOKE regress_hl_eve FROM regress_hl_boss;
SELECT owner, state FROM hl_projects;
ALTER TABLE desk.ticket OWNER TO regress_hl_desk;
SELECT owner, state FROM hl_projects;
SELECT hl_refresh('tickets');
SELECT * FROM recorded();

-- It is the last owner's, who may have become that meanwhile.
ALTER TABLE desk.ticket OWNER TO regress_hl_eve;
DROP TABLE desk.ticket CASCADE;
SET ROLE regress_hl_desk;
CREATE TABLE desk.ticket AS SELECT * FROM tickets(30);
RESET ROLE;
SELECT owner, state, last_error FROM hl_projects;
ALTER TABLE desk.ticket OWNER TO regress_hl_eve;
SELECT hl_refresh('tickets');
SELECT * FROM recorded();
ALTER TABLE desk.ticket OWNER TO regress_hl_desk;
SELECT * FROM recorded();
-- likewise for the project
ALTER VIEW desk.hl_queue_tickets OWNER TO regress_hl_eve;
DROP VIEW desk.hl_queue_tickets;
SELECT * FROM recorded();
SELECT hl_refresh('tickets');
REASSIGN OWNED BY regress_hl_eve TO regress_hl_boss;
SELECT hl_refresh('tickets');
DROP VIEW desk.hl_queue_tickets;
SELECT * FROM recorded();
SELECT hl_refresh('tickets');

-- REASSIGN OWNED hands both over, and DROP ROLE is refused as long as there is
-- something.
REASSIGN OWNED BY regress_hl_desk, regress_hl_boss TO regress_hl_boss;
SELECT * FROM recorded();
SELECT left(error_of('DROP ROLE regress_hl_boss'), 5) AS owner, left(error_of('DROP ROLE regress_hl_ann'), 5) AS annotator;
REASSIGN OWNED BY regress_hl_boss TO regress_hl_desk;
SELECT * FROM recorded();
SELECT rights();

-- Renamed, with another under the old name
ALTER ROLE regress_hl_desk RENAME TO regress_hl_office;
CREATE ROLE regress_hl_desk;
SELECT * FROM recorded();
SELECT rights();
SELECT hl_refresh('tickets');
SELECT owner FROM hl_project;
-- also while there is no view that says whose it is
DROP VIEW desk.hl_queue_tickets;
ALTER ROLE regress_hl_office RENAME TO regress_hl_bureau;
SELECT * FROM recorded();
SELECT rights();
SET ROLE regress_hl_desk;
CREATE VIEW desk.hl_queue_tickets AS SELECT 1 AS x;
RESET ROLE;
SELECT * FROM recorded();
DROP VIEW desk.hl_queue_tickets;
SELECT hl_refresh('tickets');
SELECT viewowner FROM pg_views WHERE viewname = 'hl_queue_tickets';

-- DROP OWNED takes away what was granted, and leaves answers.
SET ROLE regress_hl_ann;
SELECT hl_label('tickets', 20, 'billing') > 0 AS labelled;
RESET ROLE;
SELECT * FROM hl_privileges('tickets');
DROP OWNED BY regress_hl_ann;
SELECT * FROM hl_privileges('tickets');
SELECT has_table_privilege('regress_hl_ann', 'desk.hl_queue_tickets', 'SELECT') AS view;
SELECT label FROM hl_labels WHERE annotator = 'regress_hl_ann';
DROP ROLE regress_hl_ann;
CREATE ROLE regress_hl_ann;
SELECT may('regress_hl_ann');
-- nothing keeps a role that may only predict, and none gets its rights
SELECT hl_grant('tickets', 'regress_hl_ann', 'predict');
DROP ROLE regress_hl_ann;
CREATE ROLE regress_hl_ann;
SELECT * FROM hl_privileges('tickets');
SELECT count(*) FROM hl_privilege;
SELECT hl_refresh('tickets');
SELECT role, privilege FROM hl_privilege;
-- of an owner: the queue view, and the source
BEGIN;
DROP OWNED BY regress_hl_bureau CASCADE;
SELECT owner, state, labelled FROM hl_projects;
DROP ROLE regress_hl_bureau;
SELECT owner, state, labelled FROM hl_projects;
SELECT rights();
-- somebody under his name is somebody else
CREATE ROLE regress_hl_bureau;
SELECT may('regress_hl_bureau');
GRANT ALL ON SCHEMA desk TO regress_hl_bureau;
SET ROLE regress_hl_bureau;
CREATE TABLE desk.ticket AS SELECT * FROM tickets(30);
CREATE VIEW desk.hl_queue_tickets AS SELECT 1 AS x;
RESET ROLE;
SELECT owner, state, last_error FROM hl_projects;
SELECT may('regress_hl_bureau');
-- and a superuser can put an end to it
SELECT hl_drop_project('tickets');
ROLLBACK;

-- The owner's role goes while there is no view: the source's owner has it next.
ALTER TABLE desk.ticket OWNER TO regress_hl_desk;
DROP VIEW desk.hl_queue_tickets;
DROP OWNED BY regress_hl_bureau;
DROP ROLE regress_hl_bureau;
SELECT owner, state FROM hl_projects;
SELECT hl_refresh('tickets');
SELECT * FROM recorded();
SELECT rights();

-- A superuser's project over a table of somebody else's
RESET ROLE;
ALTER VIEW desk.hl_queue_tickets OWNER TO CURRENT_USER;
DROP TABLE desk.ticket CASCADE;
SET ROLE regress_hl_eve;
CREATE TABLE desk.ticket AS SELECT * FROM tickets(30);
RESET ROLE;
SELECT state, last_error FROM hl_projects;
ALTER TABLE desk.ticket OWNER TO regress_hl_desk;
SELECT state FROM hl_projects;
SELECT hl_drop_project('tickets');
DROP FUNCTION may, rights, recorded;
DROP SCHEMA desk CASCADE;
DROP ROLE regress_hl_desk, regress_hl_boss, regress_hl_ann, regress_hl_eve;
