-- Sources with functions of their owner, who wants to be somebody else: an
-- ordinary role has written them, the superuser and others call ours.
SET client_min_messages = warning;
CREATE ROLE regress_hl_alice;
CREATE ROLE regress_hl_bob;
CREATE ROLE regress_hl_carol;
CREATE SCHEMA alice AUTHORIZATION regress_hl_alice;
GRANT USAGE ON SCHEMA alice TO PUBLIC;
SET ROLE regress_hl_alice;
CREATE TABLE alice.seen (who name, path text, place text);
CREATE TABLE alice.result (n serial, what text, sqlstate text, message text);
CREATE TABLE alice.mode (mode text);
INSERT INTO alice.mode VALUES ('look');
GRANT INSERT ON alice.seen TO PUBLIC;
GRANT SELECT ON alice.mode TO PUBLIC;
CREATE TABLE alice.late (id int);
CREATE FUNCTION alice.at_commit() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO alice.seen VALUES (current_user, current_setting('search_path'), 'commit'); RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON alice.late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION alice.at_commit();
CREATE FUNCTION alice.try(what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	state text := '00000';
	message text := '';
BEGIN
	BEGIN EXECUTE what; EXCEPTION WHEN OTHERS THEN state := SQLSTATE; message := SQLERRM; END;
	INSERT INTO alice.result (what, sqlstate, message) VALUES (what, state, message);
END $$;
-- says where it is and, in mode attack, tries what it can, once
CREATE FUNCTION alice.look(place text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	INSERT INTO alice.seen VALUES (current_user, current_setting('search_path'), place);
	IF (SELECT mode FROM alice.mode) <> 'attack' OR current_user <> 'regress_hl_alice' THEN
		RETURN;
	END IF;
	IF NOT EXISTS (SELECT FROM alice.result) THEN
		PERFORM alice.try(what) FROM unnest(ARRAY[
			'SET ROLE regress_hl_bob', 'SET LOCAL ROLE postgres', 'RESET ROLE', 'SET SESSION AUTHORIZATION DEFAULT', 'SELECT set_config(''role'', ''none'', false)', 'ALTER ROLE regress_hl_alice SUPERUSER', 'GRANT regress_hl_bob TO regress_hl_alice',
			'CREATE TEMP TABLE t (id int)', 'CREATE TEMP VIEW t AS SELECT 1', 'CREATE TYPE pg_temp.t AS (id int)', 'INSERT INTO alice.late VALUES (1)', 'LISTEN humanloop', 'PREPARE p AS SELECT 1', 'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
			'COPY (SELECT 1) TO PROGRAM ''true''', 'COMMIT', 'SELECT rolname FROM pg_authid', 'UPDATE public.hl_privilege SET role = ''regress_hl_alice''', 'INSERT INTO public.hl_labels (project, item, label) VALUES (''hers'', ''1'', ''x'')',
			'SELECT public.hl_drop_project(''hers'')', 'SELECT public.hl_train(''hers'')', 'SELECT public.hl_label(''hers'', 1, ''x'')', 'SELECT * FROM public.hl_next(''hers'')', 'SELECT public.hl_refresh(''hers'')', 'SELECT public.hl_grant(''hers'', ''regress_hl_alice'', ''manage'')', 'SELECT public.hl_pause(''hers'')',
			'DROP TABLE alice.raw CASCADE', 'DROP SCHEMA alice CASCADE', 'ALTER TABLE alice.raw RENAME TO other', 'DROP EXTENSION humanloop CASCADE', 'SET search_path = alice', 'SET client_min_messages = error', 'SET humanloop.annotator = ''mallory''', 'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'DEALLOCATE ALL', 'CLOSE ALL', 'UNLISTEN *', 'DISCARD TEMP', 'DISCARD ALL', 'RESET ALL', 'SAVEPOINT s', 'LOCK TABLE public.hl_labels', 'SET LOCAL statement_timeout = 1', 'SET LOCAL humanloop.work_mem = ''1MB''', 'SET TRANSACTION READ ONLY']) what;
	END IF;
END $$;
-- says that it is immutable, so that everything takes it
CREATE FUNCTION alice.peek(anyelement, place text) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM alice.look(place); RETURN $1; END$$;
CREATE FUNCTION alice.always(int, place text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM alice.look(place); RETURN true; END$$;

-- A table that has it wherever PostgreSQL takes a function, the partition key
-- and a cast included; a view over it; and a table of a type of hers.
CREATE DOMAIN alice.body AS text CHECK (alice.peek(length(value), 'domain') >= 0);
CREATE TABLE alice.raw (
	id int PRIMARY KEY,
	body alice.body CHECK (alice.peek(length(body), 'check') > 0),
	label text,
	team text DEFAULT alice.peek('none'::text, 'default'),
	size int GENERATED ALWAYS AS (alice.peek(length(body::text), 'generated')) STORED);
CREATE INDEX ON alice.raw ((alice.peek(id, 'index')));
CREATE UNIQUE INDEX ON alice.raw (id) WHERE alice.always(1, 'predicate');
CREATE STATISTICS alice.stat ON (alice.peek(id, 'statistics')), size FROM alice.raw;
ALTER TABLE alice.raw ENABLE ROW LEVEL SECURITY;
ALTER TABLE alice.raw FORCE ROW LEVEL SECURITY;
CREATE POLICY everything ON alice.raw USING (alice.peek(id, 'policy') > 0);
CREATE TABLE alice.parts (id int, body text, CONSTRAINT small CHECK (alice.always(id, 'check of parts'))) PARTITION BY RANGE ((id + alice.peek(0, 'partition key')));
CREATE TABLE alice.part PARTITION OF alice.parts FOR VALUES FROM (0) TO (50);
CREATE TYPE alice.vector AS (x real, y real);
CREATE FUNCTION alice.to_array(alice.vector) RETURNS real[] LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM alice.look('cast'); RETURN ARRAY[$1.x, $1.y]; END$$;
CREATE CAST (alice.vector AS real[]) WITH FUNCTION alice.to_array(alice.vector);
CREATE TYPE alice.sort AS (name text);
CREATE FUNCTION alice.to_text(alice.sort) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM alice.look('cast of label'); RETURN $1.name; END$$;
CREATE CAST (alice.sort AS text) WITH FUNCTION alice.to_text(alice.sort);
CREATE TABLE alice.points (id int PRIMARY KEY, place alice.vector, sort alice.sort);
INSERT INTO alice.raw (id, body) SELECT id, body FROM tickets(60);
INSERT INTO alice.parts SELECT id, body FROM tickets(40);
INSERT INTO alice.points SELECT i, ROW(i % 5, i % 7)::alice.vector, CASE WHEN i <= 20 THEN ROW('sort ' || i % 2)::alice.sort END FROM generate_series(1, 30) i;
CREATE VIEW alice.shown AS SELECT id, body::text AS body FROM alice.raw WHERE alice.peek(id, 'view') > 0;
GRANT SELECT ON alice.raw, alice.shown, alice.parts, alice.points TO regress_hl_bob, regress_hl_carol;
RESET ROLE;
TRUNCATE alice.seen;

-- All that a superuser may do with a project, one after the other.
SET constraint_exclusion = on;
SELECT project, items FROM hl_create_project('hers', 'alice.raw', 'body', label => 'label');
SELECT project, items FROM hl_create_project('shown', 'alice.shown', 'body', 'id');
SELECT project, items FROM hl_create_project('parts', 'alice.parts', 'body', 'id');
SELECT project, items FROM hl_create_project('points', 'alice.points', 'place', label => 'sort');
SELECT count(hl_label(p, id, topic)) FROM tickets(20), unnest('{hers,shown,parts}'::text[]) p;
SELECT hl_skip('hers', 30), hl_undo('hers', 30);
SELECT p, (SELECT model FROM hl_train(p)), hl_refresh(p) FROM unnest('{hers,shown,parts,points}'::text[]) p;
SELECT p, (SELECT count(*) FROM hl_next(p, 100)) > 0 AS next, (SELECT count(*) FROM hl_predict(p)) AS predicted, hl_grant(p, 'regress_hl_bob', 'manage'), hl_grant(p, 'regress_hl_carol', 'annotate'), hl_grant(p, 'regress_hl_alice', 'manage') FROM unnest('{hers,shown,parts,points}'::text[]) p;
INSERT INTO hl_labels (project, item, label) SELECT p, 35, 'billing' FROM unnest('{hers,shown,parts}'::text[]) p;
SELECT count(*) FROM hl_projects;
SELECT count(*) > 0 AS queued FROM hl_queue;
ALTER TABLE alice.raw RENAME COLUMN label TO said;
SET ROLE regress_hl_alice;
ALTER TABLE alice.parts DETACH PARTITION alice.part;
ALTER TABLE alice.parts ATTACH PARTITION alice.part FOR VALUES FROM (0) TO (50);
RESET ROLE;
DROP VIEW alice.hl_queue_hers;
SELECT hl_refresh('hers');
SELECT count(*) > 0 AS all_as FROM alice.seen;
-- In a view or policy, in a predicate, in a cast: wherever, it was she and with
-- our search_path.
SELECT place, string_agg(DISTINCT who || ' ' || path, ', ') FROM alice.seen WHERE path LIKE 'pg_catalog%' GROUP BY place ORDER BY place;
SELECT DISTINCT who FROM alice.seen;

-- Whoever else calls: reading for the model is hers, and rows that are shown are
-- read by who is shown them.  So is the owner of a project that is not hers.
ALTER VIEW alice.hl_queue_shown OWNER TO regress_hl_bob;
TRUNCATE alice.seen;
SET ROLE regress_hl_bob;
SELECT owner FROM hl_projects WHERE project = 'shown';
SELECT (SELECT model FROM hl_train('shown')), hl_refresh('shown'), hl_label('shown', 36, 'billing') > 0, hl_grant('shown', 'regress_hl_carol', 'predict');
SET ROLE regress_hl_carol;
SELECT hl_label('shown', 37, 'billing') > 0, hl_skip('shown', 38);
RESET ROLE;
SELECT DISTINCT who FROM alice.seen;
TRUNCATE alice.seen;
UPDATE hl_lease SET annotator = NULL, lease_until = NULL WHERE lease_until < 'infinity';
SET ROLE regress_hl_carol;
SELECT count(*) > 0 AS next FROM hl_next('shown', 100);
SELECT count(*) AS predicted FROM hl_predict('shown');
RESET ROLE;
SELECT DISTINCT who, path FROM alice.seen;

-- What it tries while a superuser trains: nothing that lasts, nothing as him.
UPDATE alice.mode SET mode = 'attack';
BEGIN;
CREATE FUNCTION pg_temp.session() RETURNS text LANGUAGE sql AS $$SELECT concat_ws(' ', current_user = session_user, current_setting('role'), current_setting('search_path'), current_setting('client_min_messages'), current_setting('humanloop.annotator'), current_setting('default_transaction_isolation'),
	(SELECT string_agg(name, ',') FROM pg_prepared_statements WHERE name <> 's'), (SELECT string_agg(name, ',') FROM pg_cursors WHERE name !~ '<'), current_setting('transaction_read_only'), current_setting('statement_timeout'), current_setting('humanloop.work_mem'), (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()))$$;
SELECT pg_temp.session();
PREPARE mine AS SELECT 1;
DECLARE mine CURSOR FOR SELECT 1;
LISTEN mine;
SELECT model FROM hl_train('hers');
SELECT pg_temp.session();
COMMIT;
SELECT pg_listening_channels();
UNLISTEN mine;
DEALLOCATE mine;
SELECT what, sqlstate FROM alice.result ORDER BY n;
SELECT who, place FROM alice.seen WHERE place = 'commit';
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_hl_alice';
-- and as the caller who is shown rows: the same, for he is restricted, too
TRUNCATE alice.result;
SET ROLE regress_hl_alice;
SELECT count(*) AS predicted FROM hl_predict('hers');
RESET ROLE;
SELECT count(*) FILTER (WHERE sqlstate = '42501') AS refused, count(*) FILTER (WHERE sqlstate = '55006') AS in_use FROM alice.result;
UPDATE alice.mode SET mode = 'look';

-- A function that calls itself by way of the project over it.
SET ROLE regress_hl_alice;
CREATE TABLE alice.deep (id int PRIMARY KEY, body text);
INSERT INTO alice.deep SELECT id, body FROM tickets(20);
CREATE VIEW alice.deeper AS SELECT id, body FROM alice.deep;
SELECT project FROM hl_create_project('deep', 'alice.deeper', 'body', 'id');
CREATE FUNCTION alice.again() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM public.hl_predict('deep'); RETURN true; END$$;
CREATE OR REPLACE VIEW alice.deeper AS SELECT id, body FROM alice.deep WHERE id > 1 OR alice.again();
SELECT left(error_of($$SELECT hl_label('deep', 1, 'x')$$), 5) AS without_model;
CREATE OR REPLACE VIEW alice.deeper AS SELECT id, body FROM alice.deep;
SELECT count(hl_label('deep', id, 'class ' || id % 2)) FROM alice.deep;
SELECT model FROM hl_train('deep');
CREATE OR REPLACE VIEW alice.deeper AS SELECT id, body FROM alice.deep WHERE id > 1 OR alice.again();
SELECT left(error_of($$SELECT count(*) FROM hl_predict('deep')$$), 5) AS endless;
-- one that drops what is being read, by way of the function's own schema
CREATE FUNCTION alice.gone() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM public.hl_drop_project('deep'); RETURN true; EXCEPTION WHEN object_in_use THEN RETURN true; END$$;
CREATE OR REPLACE VIEW alice.deeper AS SELECT id, body FROM alice.deep WHERE alice.gone();
SELECT model FROM hl_train('deep');
SELECT hl_label('deep', 1, 'x') > 0 AS labelled, (SELECT count(*) FROM hl_predict('deep')) AS predicted;
SELECT hl_drop_project('deep');
RESET ROLE;
SELECT count(hl_drop_project(p)) FROM unnest('{hers,shown,parts,points}'::text[]) p;
SELECT count(*) AS orphans FROM (SELECT project_id FROM hl_answer UNION ALL SELECT project_id FROM hl_model UNION ALL SELECT project_id FROM hl_change UNION ALL SELECT project_id FROM hl_encoder) x WHERE project_id NOT IN (SELECT id FROM hl_project);
DROP SCHEMA alice CASCADE;
DROP ROLE regress_hl_alice, regress_hl_bob, regress_hl_carol;
