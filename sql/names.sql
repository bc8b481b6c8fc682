-- Names and options made of what breaks programs: quotes, backslashes, percent
-- signs, Unicode, reserved words, 63 bytes, nested junk.
SET client_min_messages = warning;
CREATE ROLE "regress_hl_o'Neil \ ""x"" %s";
CREATE ROLE "regress_hl_名前のある役割の名前のある役割の名";
CREATE ROLE "current_user";
GRANT "regress_hl_名前のある役割の名前のある役割の名" TO "regress_hl_o'Neil \ ""x"" %s";
CREATE SCHEMA "select; --$$'\" AUTHORIZATION "regress_hl_o'Neil \ ""x"" %s";
GRANT USAGE ON SCHEMA "select; --$$'\" TO PUBLIC;

-- Each of the names as that of a table and of its columns, with a trigger's and
-- a view's work to do; strings as the standard has them and as they were before.
CREATE FUNCTION walk(name name, n int) RETURNS text LANGUAGE plpgsql AS $walk$
DECLARE
	qualified text := format('%I.%I', 'select; --$$''\', name);
	project text := 'named_' || n;
	result text;
BEGIN
	EXECUTE format('CREATE TABLE %s (%I int PRIMARY KEY, %I text, %I text)', qualified, name, left(name, -1) || '8', left(name, -1) || '9');
	EXECUTE format('INSERT INTO %s SELECT id, body, CASE WHEN id < 30 THEN topic END FROM tickets(40)', qualified);
	PERFORM hl_create_project(project, qualified::regclass, left(name, -1) || '8', label => left(name, -1) || '9', options => '{"queue_size": 20}');
	PERFORM hl_train(project), hl_grant(project, r::regrole, 'annotate') FROM unnest('{"\"regress_hl_o''Neil \\ \"\"x\"\" %s\"", "regress_hl_名前のある役割の名前のある役割の名", "\"current_user\""}'::text[]) r;
	EXECUTE format('INSERT INTO %s VALUES (50, ''a late parcel'')', qualified);
	EXECUTE format('UPDATE %s SET %I = ''a late invoice'' WHERE %I = 50', qualified, left(name, -1) || '8', name);
	SELECT string_agg(kind || items::text, ' ' ORDER BY kind) INTO result FROM hl_change c JOIN hl_project p ON p.id = c.project_id WHERE p.name = 'named_' || n AND kind IN ('rows', 'inserted');
	EXECUTE format('SELECT concat_ws('' '', %L, (SELECT count(*) FROM hl_predict(%L)), (SELECT count(*) FROM hl_privileges(%L)), (SELECT count(*) FROM %I.%I), (SELECT count(*) FROM hl_next(%L, 2)), hl_refresh(%L))', result, project, project, 'select; --$$''\', 'hl_queue_' || project, project, project) INTO result;
	RETURN result || CASE WHEN (SELECT h.source = qualified AND h.key = walk.name AND h.last_error IS NULL FROM hl_projects h WHERE h.project = 'named_' || n) THEN ' named' ELSE ' NOT NAMED' END;
END $walk$;
CREATE TABLE odd (n serial, name name);
INSERT INTO odd (name) VALUES ('"'), (''''), ('\'), ('%s%n%'), ('a.b'), ('$1'), ('@hl_x'), ('user'), ('rank'), (E'a\nb'), ('É ß İ'), ('名' || repeat('前', 20)), (repeat('x', 63)), ('hl_project'), ('; DROP TABLE odd; --'), ('humanloop_1_insert');
SELECT n, walk(name, n) FROM odd ORDER BY n;
SELECT count(hl_drop_project(project)) FROM hl_projects;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgname ~ 'humanloop';
DROP SCHEMA "select; --$$'\" CASCADE;
CREATE SCHEMA "select; --$$'\";
GRANT USAGE ON SCHEMA "select; --$$'\" TO PUBLIC;
SET standard_conforming_strings = off;
SET backslash_quote = on;
SET escape_string_warning = off;
SET quote_all_identifiers = on;
SELECT n, walk(name, n) FROM odd WHERE name ~ '[''"\\\\%]' ORDER BY n;
RESET standard_conforming_strings;
RESET backslash_quote;
RESET escape_string_warning;
RESET quote_all_identifiers;
-- a role that is called so labels, is shown, and is renamed
SET ROLE "regress_hl_o'Neil \ ""x"" %s";
SELECT left(error_of($$SELECT count(*) FROM hl_next('named_1')$$), 5) AS no_rights, error_of($$SELECT hl_label('named_1', 40, 'a''b\c%s"d')$$);
SELECT annotator, label FROM hl_labels WHERE project = 'named_1' AND annotator <> 'source';
SELECT error_of($$SELECT count(*) FROM hl_next('named_1')$$);
RESET ROLE;
ALTER ROLE "regress_hl_o'Neil \ ""x"" %s" RENAME TO "regress_hl_""";
SELECT role FROM hl_privileges('named_1') ORDER BY role COLLATE "C";
SELECT count(hl_drop_project(project)) FROM hl_projects;

-- Names of projects: nothing but what needs no quotes.
CREATE TABLE plain (id int PRIMARY KEY, body text);
INSERT INTO plain SELECT id, body FROM tickets(30);
SELECT name, left(error_of(format('SELECT hl_create_project(%L, ''plain'', ''body'')', name)), 5) AS error FROM unnest(ARRAY['', ' ', 'A', '1a', 'a-b', 'a b', 'a''b', 'a"b', 'a\b', 'a%s', 'é', E'a\nb', 'a;b', repeat('a', 51), repeat('a', 50), repeat('a', 63), repeat('名', 21), 'ａ', U&'a\200Bb', U&'\0430', '_', 'select', 'hl_project', '__proto__']) WITH ORDINALITY u(name, n) ORDER BY n;
SELECT left(split_part(error_of(format('SELECT hl_label(%L, 1, ''x'')', name)), E'\n', 1), 70) AS error FROM unnest(ARRAY['%s%n', 'a''; DROP TABLE plain; --', repeat('a', 100000), E'\\']) WITH ORDINALITY u(name, n) ORDER BY n;

-- Options: nested, huge, repeated, of another type.
SELECT left(options, 40) AS options, left(split_part(error_of(format('SELECT hl_create_project(''junk'', ''plain'', ''body'', options => %L); SELECT hl_drop_project(''junk'')', options)), E'\n', 1), 80) AS error FROM unnest(ARRAY[
	'[]', '"x"', 'null', '1', '[{"queue_size": 1}]', '{"queue_size": {"queue_size": 5}}', '{"queue_size": [5]}', '{"queue_size": "5"}', '{"queue_size": true}', '{"queue_size": 1e400}', '{"queue_size": -1e400}', '{"queue_size": 1e100000}', '{"queue_size": 5.5}', '{"queue_size": 1e-400}',
	'{"queue_size": 0, "queue_size": 5}', '{"queue_size": 5, "queue_size": 0}', '{"queue_size": ' || repeat('9', 100000) || '}', '{"": 1}', '{"Queue_size": 5}', '{"queue_size ": 5}', '{"queue_size%s%n": 5}', '{"' || repeat('x', 100000) || '": 1}', '{"\"; DROP TABLE plain; --": 1}', '{"refine": "true"}', '{"refine": 1}', '{"refine": {}}',
	'{"folds": null, "random_seed": 9007199254740993}', '{"random_seed": 9007199254740992, "prior_precision": 0.0000001, "folds": 2}', '{"queue_size":' || repeat('[', 1000) || repeat(']', 1000) || '}', '{"queue_size":' || repeat('{"a":', 1000) || '1' || repeat('}', 1000) || '}', repeat('[', 100000)]) WITH ORDINALITY u(options, n) ORDER BY n;
-- and the other arguments
SELECT argument, split_part(error_of(format('SELECT hl_create_project(''junk'', ''plain'', ''body'', %s); SELECT hl_drop_project(''junk'')', argument)), E'\n', 1) AS error FROM unnest(ARRAY[$$classes => '{}'$$, $$classes => '{{a,b},{c,d}}'$$, $$classes => '{a,NULL}'$$, $$classes => ARRAY['a', ' ']$$, $$classes => '{a,a}'$$, $$encoder => '%s'$$, $$encoder => 'vector'$$, $$acquisition => ''$$, $$acquisition => E'epig\n'$$, $$key => '%s'$$, $$key => ''$$,
	$$key => 'ctid'$$, $$label => 'tableoid'$$, $$key => 'body'$$]) argument;

-- What is no source: the system's own, ours, what is no table, what is temporary.
CREATE TEMP TABLE passing (id int PRIMARY KEY, body text);
CREATE SEQUENCE counter;
CREATE TYPE pair AS (id int, body text);
SELECT source, split_part(error_of(format('SELECT hl_create_project(''junk'', %L, %L, %L)', source, input, key)), E'\n', 1) AS error FROM (VALUES ('pg_class', 'relname', 'oid'), ('pg_catalog.pg_description', 'description', 'objoid'), ('pg_settings', 'setting', 'name'), ('pg_authid', 'rolpassword', 'oid'), ('hl_answer', 'label', 'id'), ('hl_model_part', 'data', 'part'), ('hl_projects', 'state', 'project'), ('hl_labels', 'label', 'item'),
	('hl_visible_labels', 'label', 'item'), ('hl_prediction', 'label', 'label'), ('pair', 'body', 'id'), ('counter', 'last_value', 'last_value'), ('hl_answer_id_seq', 'last_value', 'last_value'), ('plain_pkey', 'id', 'id'), ('passing', 'body', 'id'), ('pg_temp.passing', 'body', 'id'), ('0', 'body', 'id')) v(source, input, key);
SELECT left(error_of(format('SELECT hl_create_project(''junk'', %L::regclass, ''chunk_data'', ''chunk_id'')', reltoastrelid)), 5) AS toast FROM pg_class WHERE oid = 'plain'::regclass;
SELECT error_of('SELECT hl_create_project(''junk'', 4294967295::regclass, ''body'')');
SELECT count(hl_drop_project(project)) FROM hl_projects;
DROP TABLE plain, passing, odd;
DROP SEQUENCE counter;
DROP TYPE pair;
DROP SCHEMA "select; --$$'\" CASCADE;
DROP FUNCTION walk;
DROP ROLE "regress_hl_""", "regress_hl_名前のある役割の名前のある役割の名", "current_user";
