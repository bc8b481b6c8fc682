-- The extension in a schema of its own, what it brings, and how it goes.
-- What the tests show must not depend on what the background worker has done
-- meanwhile; test/t/ has its tests.
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET humanloop.enabled = off', current_database()); END $$;
\c -
CREATE SCHEMA "My Loop";
CREATE EXTENSION humanloop SCHEMA "My Loop";
SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'humanloop';

-- Every relation, type and function is prefixed and in that schema.
SELECT pg_describe_object(classid, objid, objsubid) AS stray
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'humanloop')
	AND pg_describe_object(classid, objid, objsubid) !~ '(^|[ ."])_?hl_';
SELECT c.relname AS elsewhere FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname ~ '^hl_' AND n.nspname <> 'My Loop' AND n.nspname !~ '^pg_toast';

-- Tables and sequences are nobody's business; the views check for themselves.
SELECT c.relkind, count(*) > 0 AS "some",
	bool_or(a.grantee = 0) IS TRUE AS granted_to_public
FROM pg_class c LEFT JOIN LATERAL aclexplode(c.relacl) a ON true
WHERE c.relnamespace = '"My Loop"'::regnamespace AND c.relkind IN ('r', 'S', 'v')
GROUP BY 1 ORDER BY 1;
SELECT relname, string_agg(DISTINCT a.privilege_type, ', ' ORDER BY a.privilege_type) AS public_may
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE c.relnamespace = '"My Loop"'::regnamespace AND a.grantee = 0 GROUP BY 1 ORDER BY 1;
-- whoever may read them reads through a barrier
SELECT relname FROM pg_class WHERE relnamespace = '"My Loop"'::regnamespace AND relkind = 'v'
	AND coalesce(array_to_string(reloptions, ','), '') !~ 'security_barrier=true';

-- No function runs with the rights of its owner; those in SQL pin their path.
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = '"My Loop"'::regnamespace
	AND (p.prosecdef OR (l.lanname <> 'c' AND coalesce(array_to_string(p.proconfig, ','), '') !~ 'search_path=pg_catalog'));

-- The functions that answer are as the planner needs them.
SELECT proname, count(*), bool_and(provolatile = 's') AS stable, bool_and(proparallel = 's') AS parallel_safe,
	bool_or(proisstrict) AS strict, bool_and(procost > 100) AS costly
FROM pg_proc WHERE pronamespace = '"My Loop"'::regnamespace
	AND proname IN ('hl_predict', 'hl_probabilities', 'hl_uncertainty', 'hl_embed')
GROUP BY 1 ORDER BY 1;

-- What people said and models are dumped, with their sequences; what can be
-- made again (and OIDs, which mean nothing elsewhere) is not.
SELECT c.relname, c.relkind, c.oid = ANY (e.extconfig) AS dumped
FROM pg_class c, pg_extension e
WHERE c.relnamespace = '"My Loop"'::regnamespace AND c.relkind IN ('r', 'S') AND e.extname = 'humanloop'
ORDER BY c.relkind DESC, c.relname COLLATE "C";

-- It works where nothing is on the search_path, and does not change it.
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note SELECT i, CASE i % 2 WHEN 0 THEN 'red apple ' ELSE 'blue sky ' END || i FROM generate_series(1, 40) i;
SET search_path = '';
SELECT project, items, labels, classes, encoder FROM "My Loop".hl_create_project('notes', 'public.note', 'body');
SELECT count(*) FROM "My Loop".hl_next('notes', 3);
SELECT "My Loop".hl_label_many('notes', array_agg(id::text), array_agg(CASE id % 2 WHEN 0 THEN 'fruit' ELSE 'air' END))
FROM public.note WHERE id <= 20;
SELECT model, classes, labels FROM "My Loop".hl_train('notes');
SELECT label FROM "My Loop".hl_predict('notes', 'a red apple');
SELECT count(*) FROM "My Loop".hl_predict('notes');
SELECT count(*) > 0 AS queued FROM "My Loop".hl_queue;
SELECT count(*) > 0 AS queued FROM public.hl_queue_notes;
INSERT INTO "My Loop".hl_labels (project, item, label) VALUES ('notes', '30', 'fruit') RETURNING item, label, annotator;
SELECT "My Loop".hl_refresh('notes');
SELECT project, source, state FROM "My Loop".hl_projects;
SHOW search_path;

-- Somebody's own functions, operators and tables in front do not get in.
CREATE SCHEMA evil;
CREATE FUNCTION evil.wrong(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.wrong);
CREATE FUNCTION evil.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS $$ SELECT 'evil' $$;
CREATE TABLE evil.hl_project (id int);
SET search_path = evil, pg_catalog;
SELECT "My Loop".hl_label('notes', 31, 'air') > 0 AS labelled;
SELECT item, label FROM "My Loop".hl_labels WHERE item OPERATOR(pg_catalog.=) '31';
SELECT count(*) FROM "My Loop".hl_next('notes', 2);
SELECT label FROM "My Loop".hl_predict('notes', 'a red apple');
SELECT count(*) FROM "My Loop".hl_next('nobody');
RESET search_path;
DROP SCHEMA evil CASCADE;

-- The queue's view belongs to the user: DROP EXTENSION says so.
DROP EXTENSION humanloop;
\set VERBOSITY terse
DROP EXTENSION humanloop CASCADE;
\set VERBOSITY default
SELECT count(*) FROM pg_class WHERE relname ~ '^hl_';

-- Installed anew, in another schema and in this very session, it knows
-- nothing of what was: also not the models this session had loaded.
CREATE EXTENSION humanloop;
SELECT count(*) FROM hl_projects;
INSERT INTO note SELECT i, CASE i % 2 WHEN 0 THEN 'buy shares ' ELSE 'play chess ' END || i FROM generate_series(101, 140) i;
DELETE FROM note WHERE id < 100;
SELECT project FROM hl_create_project('money', 'note', 'body', options => '{"dimensions": 16}');
SELECT hl_label_many('money', array_agg(id::text), array_agg(CASE id % 2 WHEN 0 THEN 'market' ELSE 'game' END))
FROM note WHERE id <= 120;
SELECT model, classes, labels FROM hl_train('money');
SELECT label FROM hl_predict('money', 'buy more shares');
SELECT label FROM hl_predict('money', 'a game of chess to play');
SELECT hl_drop_project('money');
DROP EXTENSION humanloop;

-- A schema in which everybody may create draws a warning, with the way out.
CREATE SCHEMA everybody;
GRANT CREATE ON SCHEMA everybody TO PUBLIC;
CREATE EXTENSION humanloop SCHEMA everybody;
SELECT project FROM everybody.hl_create_project('notes', 'note', 'body');
SELECT everybody.hl_drop_project('notes');
REVOKE CREATE ON SCHEMA everybody FROM PUBLIC;
SELECT project FROM everybody.hl_create_project('notes', 'note', 'body');
SELECT everybody.hl_drop_project('notes');
DROP EXTENSION humanloop;
DROP SCHEMA everybody;
DROP SCHEMA "My Loop";

-- The extension's own schema is renamed under a session that has used it.
CREATE SCHEMA before;
CREATE EXTENSION humanloop SCHEMA before;
SELECT project FROM before.hl_create_project('notes', 'note', 'body');
SELECT before.hl_label('notes', 101, 'game') > 0 AS labelled;
ALTER SCHEMA before RENAME TO "After";
SELECT "After".hl_label('notes', 102, 'market') > 0 AS labelled;
INSERT INTO "After".hl_labels (project, item, label) VALUES ('notes', '103', 'game') RETURNING item, label;
UPDATE "After".hl_labels SET item = '105' WHERE item = '103' RETURNING item, label;
DELETE FROM "After".hl_labels WHERE item = '105';
SELECT "After".hl_label_many('notes', array_agg(id::text), array_agg(CASE id % 2 WHEN 0 THEN 'market' ELSE 'game' END))
FROM note WHERE id <= 120;
SELECT model, labels FROM "After".hl_train('notes');
SELECT label FROM "After".hl_predict('notes', 'a game of chess to play');
SELECT "After".hl_drop_project('notes');
DROP EXTENSION humanloop;
DROP SCHEMA "After";

-- What is given away by default is not given away of ours, be it installed or
-- updated; in a schema of a name that breaks programs.
CREATE SCHEMA "A %s é (1);";
CREATE ROLE regress_hl_app;
CREATE ROLE "regress_hl ""app"" %I";
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_hl_app WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, "regress_hl ""app"" %I";
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC, regress_hl_app;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO regress_hl_app;
CREATE TABLE given_away (id int);
SELECT count(*) AS roles FROM pg_class, aclexplode(relacl) a WHERE oid = 'given_away'::regclass AND a.grantee <> relowner AND privilege_type = 'INSERT';
CREATE FUNCTION given() RETURNS TABLE (kind text, name text, grantee text, privileges text) LANGUAGE sql AS $$
	SELECT o.kind, o.name, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END, string_agg(privilege_type, ', ' ORDER BY privilege_type)
	FROM (SELECT c.relkind::text, CASE relkind WHEN 'v' THEN relname ELSE 'any' END, relowner, relacl FROM pg_class c WHERE relnamespace = '"A %s é (1);"'::regnamespace
		UNION ALL SELECT 'trigger', proname, proowner, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc WHERE pronamespace = '"A %s é (1);"'::regnamespace AND prorettype::regtype::text ~ 'trigger'
		UNION ALL SELECT 'column', attname, 0::oid, attacl FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = '"A %s é (1);"'::regnamespace) o(kind, name, owner, acl), aclexplode(acl) a
	WHERE a.grantee <> owner GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
$$;
CREATE EXTENSION humanloop SCHEMA "A %s é (1);";
SELECT * FROM given();
-- it works there, and a view that has been given away shows nothing to strangers
SELECT project FROM "A %s é (1);".hl_create_project('notes', 'note', 'body');
SELECT "A %s é (1);".hl_label_many('notes', array_agg(id::text), array_agg(CASE id % 2 WHEN 0 THEN 'market' ELSE 'game' END)) FROM note;
SELECT model, labels FROM "A %s é (1);".hl_train('notes');
SELECT label FROM "A %s é (1);".hl_predict('notes', 'a game of chess to play');
INSERT INTO "A %s é (1);".hl_labels (project, item, label, annotator) VALUES ('notes', '101', 'game', 'ann') RETURNING label;
GRANT USAGE ON SCHEMA "A %s é (1);" TO regress_hl_app;
GRANT SELECT ON note TO regress_hl_app;
SET ROLE regress_hl_app;
SELECT count(*) FROM hl_queue_notes;
SELECT count(*) FROM "A %s é (1);".hl_projects;
RESET ROLE;
SELECT "A %s é (1);".hl_drop_project('notes');
DROP EXTENSION humanloop;
CREATE EXTENSION humanloop SCHEMA "A %s é (1);" VERSION '0.1.0';
SELECT count(*) > 0 AS as_it_was FROM given() WHERE kind = 'r';
ALTER EXTENSION humanloop UPDATE;
SELECT * FROM given();
DROP EXTENSION humanloop;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC, regress_hl_app, "regress_hl ""app"" %I" CASCADE;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM PUBLIC, regress_hl_app;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM regress_hl_app;
-- where functions are not for PUBLIC, they are for those who are granted them
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC;
CREATE EXTENSION humanloop SCHEMA "A %s é (1);";
SET ROLE regress_hl_app;
SELECT count(*) FROM "A %s é (1);".hl_projects;
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA "A %s é (1);" TO regress_hl_app;
ALTER TABLE note OWNER TO regress_hl_app;
GRANT CREATE ON SCHEMA public TO regress_hl_app;
SET ROLE regress_hl_app;
SELECT project FROM "A %s é (1);".hl_create_project('notes', 'note', 'body');
SELECT "A %s é (1);".hl_label_many('notes', array_agg(id::text), array_agg(CASE id % 2 WHEN 0 THEN 'market' ELSE 'game' END)) FROM note WHERE id <= 120;
SELECT model FROM "A %s é (1);".hl_train('notes');
INSERT INTO note VALUES (141, 'play chess');
INSERT INTO "A %s é (1);".hl_labels (project, item, label) VALUES ('notes', '121', 'game') RETURNING label;
SELECT count(*) > 0 AS queued FROM hl_queue_notes;
SELECT state FROM "A %s é (1);".hl_projects;
SELECT "A %s é (1);".hl_drop_project('notes');
RESET ROLE;
DELETE FROM note WHERE id = 141;
ALTER TABLE note OWNER TO CURRENT_USER;
REVOKE CREATE ON SCHEMA public FROM regress_hl_app;
DROP EXTENSION humanloop;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
DROP TABLE given_away;
DROP FUNCTION given;
DROP SCHEMA "A %s é (1);";
REVOKE ALL ON note FROM regress_hl_app;
DROP ROLE regress_hl_app, "regress_hl ""app"" %I";

-- Settings: known ones have types, unknown ones are errors once it is loaded.
LOAD 'humanloop';
SELECT name, setting, unit, vartype, context FROM pg_settings WHERE name LIKE 'humanloop.%' ORDER BY name;
SET humanloop.work_mem = '1kB';
SET humanloop.cache_size = -1;
SET humanloop.learning_rate = 1;
DROP TABLE note;
