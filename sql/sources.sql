-- Every kind of relation and key that may be a source.
SET client_min_messages = warning;

-- Goes the whole way with a project over a source of two classes, items
-- 1..60 (as the key has them), and says what came out.
CREATE FUNCTION go_round(source regclass, key text, input text DEFAULT 'body')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	items text[];
	asked text[];
	right_labels int;
	in_view int;
	trained hl_training;
BEGIN
	PERFORM hl_create_project('tour', source, input, key);
	EXECUTE format('SELECT array_agg(%I::text ORDER BY %I) FROM %s', key, key, source) INTO items;
	PERFORM hl_label_many('tour', items[:20],
		(SELECT array_agg(CASE WHEN q.body ~ 'rain' THEN 'weather' ELSE 'sport' END ORDER BY n)
		 FROM unnest(items[:20]) WITH ORDINALITY u(item, n), LATERAL go_text(source, key, input, item) q(body)));
	trained := hl_train('tour');
	asked := ARRAY(SELECT item FROM hl_next('tour', 5));
	SELECT count(*) INTO right_labels FROM hl_predict('tour') p, LATERAL go_text(source, key, input, p.item) q(body)
		WHERE p.label = CASE WHEN q.body ~ 'rain' THEN 'weather' ELSE 'sport' END;
	EXECUTE format('SELECT count(*) FROM %I.hl_queue_tour',
		(SELECT nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE pg_class.oid = source)) INTO in_view;
	PERFORM hl_drop_project('tour');
	RETURN format('%s rows, trained on %s, %s predicted right, asked %s of them, %s in the view',
		cardinality(items), trained.labels, right_labels,
		(SELECT count(*) FROM unnest(asked) a WHERE a = ANY (items[21:])), in_view);
END
$$;
CREATE FUNCTION go_text(source regclass, key text, input text, item text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE body text;
BEGIN
	EXECUTE format('SELECT %I FROM %s WHERE %I::text = $1', input, source, key) INTO body USING item;
	RETURN body;
END
$$;
CREATE TABLE base (i int PRIMARY KEY, body text);
INSERT INTO base SELECT i, CASE i % 2 WHEN 0 THEN 'heavy rain and wind in region ' ELSE 'the team won the match in stadium ' END || i
FROM generate_series(1, 60) i;

-- key types
CREATE TABLE keyed (s smallint UNIQUE NOT NULL, b bigint UNIQUE NOT NULL, u uuid UNIQUE NOT NULL, t text UNIQUE NOT NULL,
	v varchar(20) UNIQUE NOT NULL, n varchar(20), body text);
CREATE DOMAIN order_no AS int CHECK (VALUE > 0);
ALTER TABLE keyed ADD d order_no;
INSERT INTO keyed SELECT i - 30, 9000000000 + i, md5(i::text)::uuid, 'it''s "' || i || '", \ %s', 'K-' || i, 'k' || i, body, i FROM base;
SELECT k, go_round('keyed', k) FROM unnest('{s,b,u,t,v,n,d}'::text[]) k;
-- a row without a name that one could say is nothing to ask
INSERT INTO keyed (s, b, u, t, v, d, body) VALUES (100, 100, md5('none')::uuid, '', 'none', 100, 'heavy rain and wind');
SELECT project, items FROM hl_create_project('unnamed', 'keyed', 'body', 't');
SELECT count(*), count(*) FILTER (WHERE item = '') AS unnamed FROM hl_next('unnamed', 100);
SELECT error_of($$SELECT hl_label('unnamed', '', 'weather')$$);
SELECT hl_drop_project('unnamed');
DELETE FROM keyed WHERE t = '';

-- views, materialized, partitioned and foreign tables, row security off
CREATE VIEW seen AS SELECT i, upper(body) AS big, body FROM base;
SELECT go_round('seen', 'i');
CREATE MATERIALIZED VIEW kept AS SELECT i, body FROM base;
SELECT go_round('kept', 'i');
CREATE TABLE parted (i int, part int, body text, PRIMARY KEY (i, part)) PARTITION BY LIST (part);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES IN (0);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1) PARTITION BY RANGE (i);
CREATE TABLE parted_1a (body text, part int NOT NULL, gone int, i int NOT NULL);
ALTER TABLE parted_1a DROP gone;
ALTER TABLE parted_1 ATTACH PARTITION parted_1a FOR VALUES FROM (0) TO (30);
CREATE TABLE parted_1b PARTITION OF parted_1 DEFAULT;
INSERT INTO parted SELECT i, i / 3 % 2, body FROM base;
SELECT go_round('parted', 'i');
CREATE TABLE parent (i int PRIMARY KEY, body text);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent SELECT * FROM base WHERE i <= 30;
INSERT INTO child SELECT * FROM base WHERE i > 30;
SELECT go_round('parent', 'i');
CREATE UNLOGGED TABLE quick AS SELECT * FROM base;
SELECT go_round('quick', 'i');
CREATE EXTENSION file_fdw;
CREATE SERVER file FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE outside (i int, body text) SERVER file
	OPTIONS (program 'for i in $(seq 60); do if [ $((i % 2)) = 0 ]; then echo "$i,heavy rain in $i"; else echo "$i,match won in $i"; fi; done', format 'csv');
SELECT go_round('outside', 'i');
DROP EXTENSION file_fdw CASCADE;
-- a wide table, read and written while it is; dropped columns before ours
CREATE TABLE dented (x int, y int, i int PRIMARY KEY, z int, body text);
ALTER TABLE dented DROP x, DROP z;
INSERT INTO dented SELECT 0, i, body FROM base;
SELECT go_round('dented', 'i');

-- Types of the input.
CREATE DOMAIN prose AS varchar(200) CHECK (VALUE <> 'forbidden');
CREATE TABLE worded (i int PRIMARY KEY, v varchar(99), d prose, c char(60), g text GENERATED ALWAYS AS (lower(w)) STORED, w text);
INSERT INTO worded (i, v, d, c, w) SELECT i, body, body, body, body FROM base;
SELECT k, go_round('worded', 'i', k) FROM unnest('{v,d,c,g}'::text[]) k;

-- Names that want quoting, or that the queue's view has itself.
CREATE SCHEMA "My ""quoted"" Schema";
CREATE TABLE "My ""quoted"" Schema"."it's a; table" ("the Key!" int PRIMARY KEY, "select" text, "%s" int);
INSERT INTO "My ""quoted"" Schema"."it's a; table" SELECT * FROM base;
SELECT go_round('"My ""quoted"" Schema"."it''s a; table"', 'the Key!', 'select');
SELECT project FROM hl_create_project('quoted', '"My ""quoted"" Schema"."it''s a; table"', 'select');
SELECT "the Key!" > 0 AS key, "select" <> '' AS input, rank FROM "My ""quoted"" Schema".hl_queue_quoted ORDER BY rank LIMIT 1;
SELECT source, input, key FROM hl_projects;
SELECT hl_drop_project('quoted');

-- In the view the key comes first, then the input; colliding names change.
CREATE FUNCTION view_columns(project text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = ('hl_queue_' || project)::regclass AND attnum > 0
$$;
SELECT project FROM hl_create_project('plain', 'keyed', 'body', 'u');
SELECT view_columns('plain');
SELECT obj_description('hl_queue_plain'::regclass) ~ 'hl_refresh' AS explained, reloptions
FROM pg_class WHERE oid = 'hl_queue_plain'::regclass;
CREATE TABLE clash (rank int PRIMARY KEY, score text, reason text UNIQUE NOT NULL, source_rank text, input text UNIQUE NOT NULL, suggestion text);
INSERT INTO clash SELECT i, body, body || '.', body, body, body FROM base;
SELECT project FROM hl_create_project('one', 'clash', 'score');
SELECT view_columns('one');
SELECT project FROM hl_create_project('two', 'clash', 'reason', 'reason');
SELECT view_columns('two');
SELECT project FROM hl_create_project('three', 'clash', 'input', 'input');
SELECT view_columns('three');
SELECT project FROM hl_create_project('four', 'clash', 'suggestion', 'input');
SELECT view_columns('four');
SELECT project FROM hl_create_project('five', 'clash', 'source_rank', 'rank');
SELECT view_columns('five');
SELECT project, count(*) > 0 AS queued FROM hl_queue GROUP BY project ORDER BY project;
SELECT hl_label('three', 'heavy rain and wind in region 2', 'wet') > 0 AS labelled;
SELECT count(*) FROM hl_queue_three WHERE input = 'heavy rain and wind in region 2';
SELECT count(hl_drop_project(project)::text) FROM hl_projects;

-- A key that does not fit into an index is no item, and in nobody's way.
CREATE TABLE longish (k text NOT NULL, body text);
INSERT INTO longish SELECT body, body FROM base;
SELECT project, items = (SELECT count(*) FROM base) AS items FROM hl_create_project('longish', 'longish', 'body', 'k');
INSERT INTO longish SELECT string_agg(md5(i::text), ''), 'heavy rain and wind in region 200' FROM generate_series(1, 100) i;
INSERT INTO longish SELECT left(k, 2600), body FROM longish WHERE length(k) > 2600;
SELECT hl_refresh('longish') = (SELECT count(*) + 1 FROM base) AS refreshed;
SELECT items - (SELECT count(*) FROM base) AS one_more FROM hl_projects;
SELECT error_of($$SELECT hl_label('longish', (SELECT k FROM longish WHERE length(k) > 2600), 'x')$$);
SELECT hl_label('longish', (SELECT k FROM longish WHERE length(k) = 2600), 'x') > 0 AS labelled;
SELECT hl_drop_project('longish');

-- Nothing in the source, or nothing but NULL and empty text.
CREATE TABLE empty (id int PRIMARY KEY, body text);
SELECT project, items, hint FROM hl_create_project('empty', 'empty', 'body');
SELECT items, queued, state, queue_empty_because FROM hl_projects;
SELECT * FROM hl_next('empty');
SELECT error_of($$SELECT hl_train('empty')$$);
SELECT hl_refresh('empty');
INSERT INTO empty VALUES (1, NULL), (2, ''), (3, '   '), (4, NULL), (5, '🎉🎉'), (6, E'\t\n');
SELECT hl_refresh('empty') IS NOT NULL AS refreshed;
SELECT items FROM hl_projects;
SELECT count(*) FROM hl_next('empty', 10) WHERE item::int IN (1, 2, 3, 4, 6);
-- even so there is a model, which answers with the prior
SELECT hl_label_many('empty', '{1,2,3,4}', '{a,b,a,a}');
SELECT labels, classes FROM hl_train('empty');
SELECT label FROM hl_predict('empty', 'hello');
SELECT count(*) FROM hl_predict('empty');
SELECT hl_drop_project('empty');

DROP TABLE base, keyed, parted, parent, quick, dented, worded, clash, longish, empty CASCADE;
DROP SCHEMA "My ""quoted"" Schema" CASCADE;
DROP FUNCTION go_round, go_text, view_columns;
DROP DOMAIN order_no, prose;
