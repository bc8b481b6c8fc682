-- What an ordinary role may try against somebody else's project, and sources
-- that come back to us while they are read.
\set VERBOSITY sqlstate
CREATE TABLE hostile_a (id int PRIMARY KEY, body text);
CREATE TABLE hostile_b (id int PRIMARY KEY, body text);
INSERT INTO hostile_a SELECT g, 'text ' || g FROM generate_series(1, 5) g;
INSERT INTO hostile_b SELECT g, 'text ' || g FROM generate_series(1, 5) g;
-- a view whose function labels in another project: the statement that looks
-- up the item is running while another of its kind is prepared
SELECT FROM hl_create_project('inner', 'hostile_b', 'body');
CREATE FUNCTION hostile_label() RETURNS boolean LANGUAGE plpgsql VOLATILE AS
	$$BEGIN PERFORM hl_label('inner', 1, 'x'); RETURN true; END$$;
ALTER FUNCTION hostile_label() SET search_path = public;
CREATE VIEW hostile_view AS SELECT id, body FROM hostile_a WHERE id > 0 AND hostile_label();
SELECT FROM hl_create_project('outer', 'hostile_view', 'body', key => 'id');
SELECT hl_label('outer', 3, 'a') > 0 AS labelled;
SELECT item, label FROM hl_labels WHERE project = 'outer';
-- whoever creates a relation of the view's name does not become the owner
CREATE ROLE hostile_alice;
CREATE ROLE hostile_mallory;
GRANT CREATE ON SCHEMA public TO hostile_alice, hostile_mallory;
SET ROLE hostile_alice;
CREATE TABLE hostile_c (id int PRIMARY KEY, body text);
INSERT INTO hostile_c VALUES (1, 'one'), (2, 'two');
SELECT FROM hl_create_project('hers', 'hostile_c', 'body');
DROP VIEW hl_queue_hers;
SET ROLE hostile_mallory;
CREATE VIEW hl_queue_hers AS SELECT 1 AS mine;
SELECT hl_train('hers');
SELECT hl_grant('hers', 'hostile_mallory', 'manage');
SELECT hl_drop_project('hers');
SET ROLE hostile_alice;
SELECT hl_label('hers', 1, 'x') > 0 AS still_hers;
-- nor is a table of the source's name taken for it
DROP TABLE hostile_c CASCADE;
SET ROLE hostile_mallory;
CREATE TABLE hostile_c (id int PRIMARY KEY, body text);
SET ROLE hostile_alice;
SELECT state, owner, last_error FROM hl_projects WHERE project = 'hers';
SELECT hl_label('hers', 1, 'x');
SELECT hl_drop_project('hers');
RESET ROLE;
SELECT to_regclass('public.hl_queue_hers') IS NOT NULL AS hers_dropped_only_hers;
DROP VIEW hl_queue_hers;
DROP TABLE hostile_c;
SELECT hl_drop_project('outer');
SELECT hl_drop_project('inner');
DROP VIEW hostile_view;
DROP FUNCTION hostile_label();
DROP TABLE hostile_a, hostile_b;
-- Notes of changes, which make the worker read: none that is forged.  A trigger
-- with our function, without and with arguments that say whose; with ours as a
-- plain function; one of the name ours has, on a table that is dropped.
\set VERBOSITY default
SET ROLE hostile_alice;
CREATE TABLE hostile_d (id int PRIMARY KEY, body text);
INSERT INTO hostile_d SELECT g, 'text ' || g FROM generate_series(1, 5) g;
SELECT FROM hl_create_project('noted', 'hostile_d', 'body');
RESET ROLE;
DELETE FROM hl_change;
SELECT id AS noted FROM hl_project WHERE name = 'noted' \gset
CREATE FUNCTION run(what text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE what; END';
SET ROLE hostile_mallory;
CREATE TABLE hostile_e (id int PRIMARY KEY, body text);
CREATE VIEW hostile_v AS SELECT 1 AS id;
CREATE FUNCTION hostile_nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT left(error_of(format('CREATE TRIGGER a AFTER INSERT ON hostile_e REFERENCING NEW TABLE AS humanloop_new FOR EACH STATEMENT EXECUTE FUNCTION hl_source_changed(%s)', args)), 43) FROM unnest(ARRAY['', format('%L, %L, %L', :noted, 'id', 'body')]) args;
SELECT left(error_of('CREATE EVENT TRIGGER a ON sql_drop EXECUTE FUNCTION hl_source_dropped()'), 5), left(error_of('SELECT hl_source_changed()'), 5), left(error_of('SELECT hl_source_dropped()'), 5),
	left(error_of('ALTER EVENT TRIGGER hl_source_altered DISABLE'), 5), left(error_of('DROP EVENT TRIGGER hl_source_dropped'), 5), left(error_of(format('DROP TRIGGER humanloop_%s_insert ON hostile_d', :noted)), 5), left(error_of('ALTER TABLE hostile_d DISABLE TRIGGER ALL'), 5),
	left(error_of('CREATE TRIGGER a INSTEAD OF INSERT ON hl_labels FOR EACH ROW EXECUTE FUNCTION hostile_nothing()'), 5), left(error_of('CREATE RULE a AS ON DELETE TO hl_labels DO INSTEAD NOTHING'), 5), left(error_of('CREATE TRIGGER a INSTEAD OF INSERT ON hostile_v FOR EACH ROW EXECUTE FUNCTION hl_labels_write()'), 5);
SELECT count(run(format('CREATE TRIGGER humanloop_%s_%s AFTER INSERT ON hostile_e FOR EACH STATEMENT EXECUTE FUNCTION hostile_nothing()', :noted, suffix))) FROM unnest('{insert,x}'::text[]) suffix;
INSERT INTO hostile_e VALUES (1, 'one');
DROP TABLE hostile_e;
RESET ROLE;
SELECT count(*) AS forged FROM hl_change;
-- a table of his own whose name means another when the statement is done
CREATE SCHEMA hostile_own AUTHORIZATION hostile_mallory;
SET ROLE hostile_mallory;
CREATE TABLE hostile_own.hostile_d (id int);
INSERT INTO hostile_own.hostile_d VALUES (1);
CREATE FUNCTION hostile_own.elsewhere(int) RETURNS bigint LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('search_path', 'public', false); RETURN $1; END$$;
SET search_path = hostile_own, public;
ALTER TABLE hostile_d ALTER id TYPE bigint USING elsewhere(id);
SELECT 'hostile_d'::regclass, current_setting('search_path');
RESET search_path;
DROP SCHEMA hostile_own CASCADE;
RESET ROLE;
SELECT count(*) AS forged FROM hl_change;
-- its owner's, whatever he calls them and where they are
SET ROLE hostile_alice;
CREATE TABLE hostile_child () INHERITS (hostile_d);
SELECT run(format('ALTER TRIGGER humanloop_%s_insert ON hostile_child RENAME TO "o''ne %%s"', :noted));
INSERT INTO hostile_child VALUES (11, 'eleven');
RESET ROLE;
SELECT kind, items FROM hl_change WHERE project_id = :noted;
DELETE FROM hl_change;
SET ROLE hostile_alice;
SELECT count(run(format('DROP TRIGGER humanloop_%s_%s ON hostile_child', :noted, event))) FROM unnest('{update,delete,truncate}'::text[]) event;
DROP TABLE hostile_child;
RESET ROLE;
SELECT kind, items FROM hl_change WHERE project_id = :noted;
SELECT replace(pg_get_triggerdef(t.oid), format('_%s_', :noted), '_N_') ~ 'hl_source_changed' AS plain, tgenabled FROM pg_trigger t WHERE tgrelid = 'hostile_d'::regclass ORDER BY tgname;

-- The queue's view: only its owner changes it, and it is no way to anybody.
SET ROLE hostile_mallory;
SELECT left(error_of(what), 5) AS refused, what FROM unnest(ARRAY['ALTER VIEW hl_queue_noted OWNER TO hostile_mallory', 'ALTER VIEW hl_queue_noted RENAME TO other', 'ALTER VIEW hl_queue_noted SET SCHEMA pg_temp', 'DROP VIEW hl_queue_noted', 'CREATE OR REPLACE VIEW hl_queue_noted AS SELECT 1',
	'CREATE RULE r AS ON INSERT TO hl_queue_noted DO INSTEAD NOTHING', 'GRANT SELECT ON hl_queue_noted TO hostile_mallory', 'LOCK TABLE hl_queue_noted', 'SELECT * FROM hl_queue_noted', 'COMMENT ON VIEW hl_queue_noted IS NULL']) what;
-- a grant of the view alone shows nothing
SET ROLE hostile_alice;
GRANT SELECT ON hl_queue_noted, hostile_d TO hostile_mallory;
SET ROLE hostile_mallory;
SELECT error_of('SELECT * FROM hl_queue_noted');
-- its owner may put something else in its place: that is hers, and no one's but hers
SET ROLE hostile_alice;
CREATE FUNCTION hostile_who() RETURNS name LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''as %'', current_user; RETURN current_user; END';
DROP VIEW hl_queue_noted;
CREATE VIEW hl_queue_noted AS SELECT hostile_who();
CREATE FUNCTION hostile_instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''as %'', current_user; RETURN NULL; END';
CREATE TRIGGER a INSTEAD OF INSERT ON hl_queue_noted FOR EACH ROW EXECUTE FUNCTION hostile_instead();
CREATE RULE r AS ON DELETE TO hl_queue_noted DO INSTEAD SELECT hostile_who();
RESET ROLE;
SELECT hl_grant('noted', 'hostile_mallory', 'annotate'), hl_revoke('noted', 'hostile_mallory', 'annotate'), hl_refresh('noted');
SELECT hl_label('noted', 1, 'a') > 0 AS labelled, (SELECT owner FROM hl_projects WHERE project = 'noted');
SELECT hl_drop_project('noted');
SELECT to_regclass('hl_queue_noted') IS NULL AS dropped;
DROP FUNCTION hostile_who(), hostile_instead(), hostile_nothing(), run(text);
DROP VIEW hostile_v;
DROP TABLE hostile_d;
REVOKE CREATE ON SCHEMA public FROM hostile_alice, hostile_mallory;
DROP ROLE hostile_alice, hostile_mallory;
