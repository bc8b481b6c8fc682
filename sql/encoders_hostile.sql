-- Who reads what when an encoder is imported, and what else they may have put
-- there; then what somebody has written to the tables.
SET client_min_messages = warning;

SELECT make_shape('bert', 30, 70);
INSERT INTO good VALUES ('model.safetensors', 0, safetensors(header()::text)), ('vocab.txt', 0, E'[PAD]\\012[UNK]\\012[CLS]\\012[SEP]\\012the\\012cat\\012'),
	('config.json', 0, '{"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 30, "max_position_embeddings": 70}');
CREATE ROLE regress_hl_eve;
GRANT CREATE ON SCHEMA public TO regress_hl_eve;

-- ---------------------------------------------------------------------------
-- The rows of a table or view are read as the caller reads them
-- ---------------------------------------------------------------------------

SET ROLE regress_hl_eve;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'good')$$);
RESET ROLE;
GRANT SELECT (file, part) ON good TO regress_hl_eve;
SET ROLE regress_hl_eve;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'good')$$);
RESET ROLE;
GRANT SELECT ON good TO regress_hl_eve;
-- Rows that she may not see are not there.
ALTER TABLE good ENABLE ROW LEVEL SECURITY;
CREATE POLICY hers ON good TO regress_hl_eve USING (file <> 'vocab.txt');
SET ROLE regress_hl_eve;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'good')$$);
RESET ROLE;
ALTER TABLE good DISABLE ROW LEVEL SECURITY;

-- Her functions run as whoever imports, with his search_path, and not as the extension.
SET ROLE regress_hl_eve;
CREATE TABLE seen (who text, path text);
GRANT INSERT ON seen TO PUBLIC;
CREATE FUNCTION seen(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.seen VALUES (current_user, current_setting('search_path'));
	RETURN name;
END
$$;
CREATE VIEW watched AS SELECT seen(file) AS file, part, data FROM good;
GRANT SELECT ON watched TO PUBLIC;
-- An operator that would be taken for another, if the caller's path decided.
CREATE FUNCTION never(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'she was here'; END $$;
RESET ROLE;
CREATE SCHEMA regress_hl_eve AUTHORIZATION regress_hl_eve;
SET ROLE regress_hl_eve;
CREATE OPERATOR regress_hl_eve.= (LEFTARG = text, RIGHTARG = text, FUNCTION = never);
RESET ROLE;
SET search_path = regress_hl_eve, pg_catalog, public;
SELECT encoder, dims FROM hl_import_encoder('watched', 'transformer', staging => 'watched');
RESET search_path;
SELECT DISTINCT who = current_user AS caller, path FROM seen;
SELECT hl_drop_encoder('watched');
-- In a function that runs as its owner it is his rights, and his encoder.
CREATE FUNCTION lent() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT encoder FROM hl_import_encoder('lent', 'transformer', staging => 'good') $$;
REVOKE SELECT ON good FROM regress_hl_eve;
SET ROLE regress_hl_eve;
SELECT lent();
SELECT count(*) FROM hl_encoders;
RESET ROLE;
SELECT owner = current_user AS ours FROM hl_encoders WHERE encoder = 'lent';
SELECT hl_drop_encoder('lent');
GRANT SELECT ON good TO regress_hl_eve;

-- ---------------------------------------------------------------------------
-- Views that are not twice the same
-- ---------------------------------------------------------------------------

SET ROLE regress_hl_eve;
-- Another takes its place while it is read: bytes that are none.
CREATE FUNCTION swap(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF to_regclass('swapped') IS NULL THEN
		ALTER VIEW changing RENAME TO swapped;
		CREATE VIEW changing AS SELECT 'config.json'::text AS file, 0 AS part, 1234567 AS data;
	END IF;
	RETURN name;
END
$$;
CREATE VIEW changing AS SELECT swap(file) AS file, part, data FROM good;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'changing')$$);
CREATE OR REPLACE FUNCTION swap(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	DROP VIEW changing;
	RETURN name;
END
$$;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'changing')$$);
CREATE OR REPLACE FUNCTION swap(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	ALTER VIEW changing RENAME TO swapped;
	RETURN name;
END
$$;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'changing')$$);
-- Longer each time.
CREATE SEQUENCE times;
CREATE VIEW growing AS SELECT 'config.json'::text AS file, 0 AS part, convert_to(repeat(' ', nextval('times')::int), 'UTF8') AS data;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'growing')$$);
-- The name is taken meanwhile.
CREATE FUNCTION twice(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM hl_encoders WHERE encoder = 'twin') THEN
		PERFORM hl_import_encoder('twin', 'transformer', staging => 'good');
	END IF;
	RETURN name;
END
$$;
CREATE VIEW twin AS SELECT twice(file) AS file, part, data FROM good;
SELECT error_of($$SELECT hl_import_encoder('twin', 'transformer', staging => 'twin')$$);
SELECT count(*) FROM hl_encoders;
-- Too much of everything.
CREATE VIEW names AS SELECT 'file' || i AS file, 0 AS part, ''::bytea AS data FROM generate_series(1, 100000) i;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'names')$$);
CREATE VIEW endless AS WITH RECURSIVE r AS (SELECT 0 AS i UNION ALL SELECT 1 FROM r) SELECT 'word 0.1 0.2'::text AS line FROM r;
\set VERBOSITY terse
SET statement_timeout = '300ms';
SELECT hl_import_encoder('x', 'word_vectors', staging => 'endless');
RESET statement_timeout;
\set VERBOSITY default
-- A file of digits and commas, whose tree is many times as long.
CREATE VIEW digits AS SELECT file, part, CASE file WHEN 'config.json' THEN convert_to('[' || repeat('0,', 1000000) || '0]', 'UTF8') ELSE data END AS data FROM good;
SET humanloop.work_mem = '1MB';
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'digits')$$);
SET humanloop.work_mem = '60MB';
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'digits')$$);
SET humanloop.work_mem = '123MB';
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'digits')$$);
CREATE VIEW blanks AS SELECT file, part, CASE file WHEN 'vocab.txt' THEN convert_to(repeat(E'\n', 5000000), 'UTF8') ELSE data END AS data FROM good;
SET humanloop.work_mem = '100MB';
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'blanks')$$);
RESET humanloop.work_mem;
-- What is no table of files.
SELECT error_of(format('SELECT hl_import_encoder(%L, %L, staging => %L)', 'x', 'transformer', relation)) FROM unnest(ARRAY['times', 'pg_class_oid_index', 'pg_authid', '0', '4294967295']) relation;
CREATE VIEW strange AS SELECT 1 AS file, 'x' AS part, ''::bytea AS data;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'strange')$$);
CREATE VIEW nothing AS SELECT NULL::text AS file, NULL::int AS part, NULL::bytea AS data;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'nothing')$$);
DROP VIEW watched, changing, growing, twin, names, endless, digits, blanks, strange, nothing;
RESET ROLE;

-- ---------------------------------------------------------------------------
-- Large objects
-- ---------------------------------------------------------------------------

SELECT jsonb_object_agg(file, lo_from_bytea(0, data)::oid::int8) AS objects FROM good \gset
SELECT encoder FROM hl_import_encoder('lent', 'transformer', large_objects => :'objects');
-- Nothing is left open, whatever the end was.
BEGIN;
SAVEPOINT s;
SELECT encoder FROM hl_import_encoder('other', 'transformer', large_objects => :'objects');
ROLLBACK TO s;
SELECT encoder FROM hl_import_encoder('other', 'transformer', large_objects => :'objects');
COMMIT;
SELECT error_of(format('SELECT hl_import_encoder(%L, %L, large_objects => %L)', 'x', 'transformer', :'objects'::jsonb || jsonb_build_object('config.json', :'objects'::jsonb -> 'vocab.txt')));
SELECT length(lo_get((:'objects'::jsonb ->> 'vocab.txt')::oid));
SELECT hl_embed('lent', 'the cat') = hl_embed('other', 'the cat') AS same;
SELECT hl_drop_encoder('lent'), hl_drop_encoder('other');
-- Those of somebody else.
SET ROLE regress_hl_eve;
SELECT error_of(format('SELECT hl_import_encoder(%L, %L, large_objects => %L)', 'x', 'transformer', :'objects')) ~ '^42501 permission denied for large object' AS denied;
RESET ROLE;
SELECT error_of(format('SELECT hl_import_encoder(%L, %L, large_objects => %L)', 'x', 'transformer', objects)) FROM unnest(ARRAY['{}', '[]', '1', '{"a": {}}', '{"a": -1}', '{"a": 4294967296}', '{"a": 1e30}', '{"a": 1.5}', '{"a": null}', '{"a": 0}']) objects;
SELECT count(lo_unlink(value::oid)) FROM jsonb_each_text(:'objects');

-- ---------------------------------------------------------------------------
-- What somebody shares is tried by others, but cannot hinder them
-- ---------------------------------------------------------------------------

CREATE TABLE request AS SELECT id, body, topic FROM tickets(100);
ALTER TABLE request ADD PRIMARY KEY (id);
SET ROLE regress_hl_eve;
-- The one with what the project has would be too wide, the other takes too much memory.
CREATE VIEW wide AS SELECT word || repeat(' 0.1', 16383) || ' ' || i AS line FROM unnest('{parcel,invoice}'::text[]) WITH ORDINALITY u(word, i);
CREATE VIEW large AS SELECT word || repeat(' 0.1', 15000) || ' ' || i AS line FROM unnest('{parcel,invoice}'::text[]) WITH ORDINALITY u(word, i);
SELECT encoder, dims FROM hl_import_encoder('wide', 'word_vectors', staging => 'wide');
SELECT encoder, dims FROM hl_import_encoder('large', 'word_vectors', staging => 'large');
SELECT hl_share_encoder('wide'), hl_share_encoder('large');
RESET ROLE;
SELECT encoder FROM hl_import_encoder('small', 'transformer', staging => 'good');
SELECT encoder FROM hl_create_project('requests', 'request', 'body');
SELECT hl_label_many('requests', array_agg(id::text), array_agg(topic)) FROM request WHERE id <= 40;
SET humanloop.work_mem = '500MB';
SELECT model, deployed FROM hl_train('requests');
RESET humanloop.work_mem;
SELECT tried ->> 'encoder' AS tried FROM hl_models('requests'), jsonb_array_elements(figures -> 'encoders') tried;
SELECT error_of($$SELECT hl_set_encoder('requests', 'text+wide')$$), error_of($$SELECT hl_train('requests')$$);
-- A name that is that of a project, too: to whom the project is something, it is the project.
SET ROLE regress_hl_eve;
SELECT encoder FROM hl_import_encoder('requests', 'transformer', staging => 'good');
SELECT cardinality(hl_embed('requests', 'the cat'));
RESET ROLE;
SELECT cardinality(hl_embed('requests', 'the cat')) > 8 AS of_project;
SELECT hl_drop_project('requests');
SELECT cardinality(hl_embed('requests', 'the cat'));
SET ROLE regress_hl_eve;
SELECT hl_drop_encoder('wide'), hl_drop_encoder('large'), hl_drop_encoder('requests');
DROP VIEW wide, large;
RESET ROLE;
SELECT hl_drop_encoder('small');

-- ---------------------------------------------------------------------------
-- Rows that are not as they were written
-- ---------------------------------------------------------------------------

SELECT encoder FROM hl_import_encoder('small', 'transformer', staging => 'good');
SELECT encoder FROM hl_import_encoder('other', 'transformer', staging => 'good');
SELECT encoder FROM hl_create_project('requests', 'request', 'body', encoder => 'text+small');
SELECT hl_label_many('requests', array_agg(id::text), array_agg(topic)) FROM request WHERE id <= 40;
SELECT encoder, deployed FROM hl_train('requests');

-- What the functions say about it, each to its own: nobody crashes.
CREATE FUNCTION after(change text) RETURNS TABLE (statement text, says text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE change;
	FOREACH statement IN ARRAY ARRAY['SELECT * FROM hl_encoders', $q$SELECT hl_embed('small', 'the cat')$q$, $q$SELECT hl_embed('requests', 'the cat')$q$, $q$SELECT * FROM hl_predict('requests')$q$,
			$q$SELECT hl_refresh('requests')$q$, $q$SELECT hl_train('requests')$q$, $q$SELECT hl_set_encoder('requests', 'text')$q$, $q$SELECT hl_train('requests')$q$, $q$SELECT hl_share_encoder('small')$q$, $q$SELECT hl_drop_encoder('small')$q$] LOOP
		says := split_part(error_of(statement), E'\n', 1);
		IF says <> 'no error' THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;
-- Encoders that were loaded stay loaded: in a session of its own, and taken back.
\c -
BEGIN; SELECT * FROM after('UPDATE hl_encoder SET kind = NULL, owner = NULL, dims = -1, sparse_dims = -1, uses = NULL, source_rows = -1'); ROLLBACK;
\c -
BEGIN; SELECT * FROM after($$UPDATE hl_encoder SET uses = '{NULL,-1,99999}', dims = 2147483647, sparse_dims = 2147483647 WHERE project_id IS NOT NULL$$); ROLLBACK;
\c -
BEGIN; SELECT * FROM after($$UPDATE hl_encoder SET name = name || '+' || name, kind = 'text'$$); ROLLBACK;
\c -
BEGIN; SELECT * FROM after($$UPDATE hl_encoder SET project_id = NULL, name = 'was_' || id WHERE project_id IS NOT NULL$$); ROLLBACK;
\c -
BEGIN; SELECT * FROM after($$UPDATE hl_encoder SET project_id = (SELECT id FROM hl_project) WHERE name = 'small'$$); ROLLBACK;
\c -
BEGIN; SELECT * FROM after($$DELETE FROM hl_encoder_part WHERE encoder_id = (SELECT id FROM hl_encoder WHERE name = 'small')$$); ROLLBACK;
\c -
BEGIN; SELECT * FROM after($$DELETE FROM hl_encoder WHERE name = 'small'$$); ROLLBACK;
\c -
BEGIN; SELECT * FROM after($$UPDATE hl_encoder_part SET data = overlay(data PLACING '\xff' FROM 100)$$); ROLLBACK;
-- A reference to what refers itself; to itself; to an encoder of another width.
CREATE FUNCTION exchange(one text, other text) RETURNS void LANGUAGE sql AS $$
	DELETE FROM hl_encoder_part WHERE encoder_id = (SELECT max(id) FROM hl_encoder WHERE name = one);
	INSERT INTO hl_encoder_part SELECT o.id, p.part, p.data FROM hl_encoder_part p, (SELECT max(id) AS id FROM hl_encoder WHERE name = one) o WHERE p.encoder_id = (SELECT max(id) FROM hl_encoder WHERE name = other);
$$;
\c -
BEGIN; SELECT * FROM after($$SELECT exchange('small', 'text+small')$$); ROLLBACK;
\c -
BEGIN; SELECT * FROM after($$DELETE FROM hl_encoder WHERE name = 'other'; UPDATE hl_encoder SET name = 'other', project_id = NULL WHERE name = 'text+small'$$); SELECT split_part(error_of($$SELECT hl_embed('other', 'the cat')$$), E'\n', 1); ROLLBACK;
\c -
SELECT make_shape('bert', 30, 70, width => 16);
UPDATE good SET data = safetensors(header()::text) WHERE file = 'model.safetensors';
UPDATE good SET data = convert_to(replace(convert_from(data, 'UTF8'), '"hidden_size": 8', '"hidden_size": 16'), 'UTF8') WHERE file = 'config.json';
SELECT encoder, dims FROM hl_import_encoder('wide', 'transformer', staging => 'good');
BEGIN; SELECT * FROM after($$SELECT exchange('small', 'wide')$$); ROLLBACK;
\c -
SET client_min_messages = warning;
SELECT count(*) FROM after('SELECT 1');

SELECT hl_drop_project('requests');
SELECT hl_drop_encoder(encoder) FROM hl_encoders;
SELECT count(*) AS left_over FROM hl_encoder_part;
DROP TABLE request, seen;
DROP SCHEMA regress_hl_eve CASCADE;
DROP FUNCTION lent, after, exchange;
TRUNCATE good, bad;
REVOKE ALL ON good FROM regress_hl_eve;
REVOKE CREATE ON SCHEMA public FROM regress_hl_eve;
DROP OWNED BY regress_hl_eve;
DROP ROLE regress_hl_eve;
