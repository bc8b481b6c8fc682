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
REVOKE CREATE ON SCHEMA public FROM hostile_alice, hostile_mallory;
DROP ROLE hostile_alice, hostile_mallory;
