-- Projects over vectors: which arguments are read, which are refused.
SET client_min_messages = warning;
-- three clusters around the axes, a little noise that repeats
CREATE FUNCTION point(i int) RETURNS real[] LANGUAGE sql AS $$
	SELECT array_agg((CASE WHEN d = i % 3 THEN 1 ELSE 0 END + 0.1 * sin(i * (d + 1)))::real ORDER BY d) FROM generate_series(0, 3) d
$$;
CREATE TABLE place (id int PRIMARY KEY, v real[]);
INSERT INTO place SELECT i, point(i) FROM generate_series(1, 150) i;
SELECT project, items, encoder FROM hl_create_project('places', 'place', 'v');
-- a seed batch shows all clusters early
SELECT count(DISTINCT item::int % 3) AS clusters FROM hl_queue WHERE rank <= 6;
SELECT hl_label_many('places', array_agg(id::text), array_agg('c' || id % 3)) FROM place WHERE id <= 60;
SELECT model, encoder, classes, labels, accuracy > 0.95 AS accurate FROM hl_train('places');
SELECT count(*), count(*) FILTER (WHERE label = 'c' || item::int % 3) AS right FROM hl_predict('places');
SELECT count(*) FILTER (WHERE abs(a.confidence - p.confidence) < 1e-4 AND a.label = p.label) AS same
FROM place t JOIN hl_predict('places') a ON a.item::int = t.id, hl_predict('places', t.v) p;

-- The same numbers in any clothes give the same answer.
CREATE DOMAIN embedding AS real[] CHECK (cardinality(VALUE) = 4);
CREATE FUNCTION answer(hl_prediction) RETURNS text LANGUAGE sql AS $$ SELECT $1.label || ' ' || round($1.confidence::numeric, 4) $$;
SELECT n, answer(p) = answer(hl_predict('places', '{1,0,0,0}'::real[])) AS same FROM (VALUES
	(1, hl_predict('places', ARRAY[1, 0, 0, 0])), (2, hl_predict('places', '{1,0,0,0}'::float8[])), (3, hl_predict('places', '{1,0,0,0}'::numeric[])),
	(4, hl_predict('places', '{1,0,0,0}'::bigint[])), (5, hl_predict('places', '{1,0,0,0}'::smallint[])), (6, hl_predict('places', '[1,0,0,0]')),
	(7, hl_predict('places', '{1,0,0,0}')), (8, hl_predict('places', E' [1.0, 0e0,\t-0 , +0] ')), (9, hl_predict('places', '{1,0,0,0}'::embedding)),
	(10, hl_predict('places', '[5:8]={1,0,0,0}'::real[])), (11, hl_predict('places', '{7,0,0,0}'::real[]))) v(n, p) ORDER BY n;
SELECT label FROM hl_predict('places', point(1));
SELECT count(*), round(sum(probability)::numeric, 4) AS sum FROM hl_probabilities('places', ARRAY[0, 1, 0, 0]);
SELECT abs(total - aleatoric - epistemic) < 1e-6 AS adds_up FROM hl_uncertainty('places', ARRAY[0, 1, 0, 0]);
SELECT array_length(hl_embed('places', '[0,1,0,0]'), 1) AS dims, (hl_embed('places', '[0,3,0,0]'))[2] AS unit;
PREPARE driver AS SELECT label FROM hl_predict('places', $1);
EXECUTE driver('[0,1,0,0]');
DEALLOCATE driver;
-- far from every class
SELECT a.epistemic > 2 * b.epistemic AS far_is_epistemic FROM hl_predict('places', ARRAY[0, 0, 0, -1]) a, hl_predict('places', ARRAY[0, 1, 0, 0]) b;
-- the prior's answer where there is nothing
SELECT answer(hl_predict('places', NULL::real[])) = answer(hl_predict('places', NULL::text)) AS null_array, answer(hl_predict('places', ARRAY[0, 0, 0, 0])) = answer(hl_predict('places', NULL)) AS zero;

-- Tiny and huge numbers are numbers.
SELECT label FROM hl_predict('places', '{1e-38,0,0,0}'::real[]);
SELECT label FROM hl_predict('places', '{3e38,3e37,0,0}'::real[]);
SELECT label FROM hl_predict('places', '{1e-44,0,0,0}'::real[]);

\pset format unaligned
\pset tuples_only on
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_predict('places', ARRAY[1, 0, 0])$$,
	$$SELECT hl_predict('places', ARRAY[1, 0, 0, 0, 0])$$,
	$$SELECT hl_predict('places', '{}'::real[])$$,
	$$SELECT hl_predict('places', '[]')$$,
	$$SELECT hl_predict('places', '')$$,
	$$SELECT hl_predict('places', 'hello')$$,
	$$SELECT hl_predict('places', '[1,0,0,x]')$$,
	$$SELECT hl_predict('places', '[1,0,0,0')$$,
	$$SELECT hl_predict('places', '[[1,0],[0,0]]')$$,
	$$SELECT hl_predict('places', '{NaN,0,0,0}'::real[])$$,
	$$SELECT hl_predict('places', '[NaN,0,0,0]')$$,
	$$SELECT hl_predict('places', '{1,NULL,0,0}'::real[])$$,
	$$SELECT hl_predict('places', '{1,Infinity,0,0}'::real[])$$,
	$$SELECT hl_predict('places', '{1,-Infinity,0,0}'::float8[])$$,
	$$SELECT hl_predict('places', '{1,NaN,0,0}'::numeric[])$$,
	$$SELECT hl_predict('places', '{1e300,0,0,0}'::float8[])$$,
	$$SELECT hl_predict('places', '{{1,0},{0,0}}'::real[])$$,
	$$SELECT hl_predict('places', '{a,b,c,d}'::text[])$$,
	$$SELECT hl_predict('places', '{t,f,f,f}'::boolean[])$$,
	$$SELECT hl_probabilities('places', ARRAY[1, 0, 0])$$,
	$$SELECT hl_uncertainty('places', '{NaN,0,0,0}'::real[])$$,
	$$SELECT hl_embed('places', '[1,2]')$$]) s;
\pset format aligned
\pset tuples_only off
SELECT label FROM hl_predict('places', ARRAY[1, 0, 0, 0]);

-- Bad vectors in the source neither stop a training nor a prediction of all.
INSERT INTO place VALUES (901, NULL), (902, '{}'), (903, '{1,0}'), (904, '{NaN,0,0,0}'), (905, '{1,NULL,0,0}'), (906, '{0,Infinity,0,0}'), (907, '{0,0,0,0}');
SELECT model, labels FROM hl_train('places');
SELECT hl_label('places', 903, 'c1') IS NOT NULL AS labelled;
SELECT model, labels FROM hl_train('places');
SELECT count(*) AS rows, count(DISTINCT round(confidence::numeric, 4)) FILTER (WHERE item::int > 900) AS prior FROM hl_predict('places');
SELECT count(*) FROM hl_queue WHERE item::int > 900;
-- nor does one that is no vector at all
INSERT INTO place VALUES (908, '{{1,0},{0,0}}');
SELECT error_of($$SELECT hl_train('places')$$), error_of($$SELECT count(*) FROM hl_predict('places')$$);
DELETE FROM place WHERE id = 908;
SELECT hl_drop_project('places');
-- not even as the first row, or all of them
DELETE FROM place WHERE id < 900;
SELECT error_of($$SELECT hl_create_project('places', 'place', 'v')$$) AS created;
SELECT count(*) <= 7 AS queued FROM hl_queue;
SELECT error_of($$SELECT hl_train('places')$$) ~ '^55000' AS nothing_to_train;
SELECT count(hl_drop_project(project)::text) <= 1 AS dropped FROM hl_projects;
DELETE FROM place WHERE id > 900;
INSERT INTO place SELECT i, NULL FROM generate_series(1, 5) i;
SELECT project, hint IS NOT NULL AS hint FROM hl_create_project('places', 'place', 'v');
SELECT error_of($$SELECT hl_refresh('places')$$);
UPDATE place SET v = '{}' WHERE id = 1;
SELECT error_of($$SELECT hl_refresh('places')$$) ~ '^(no error|55000)' AS clear;
UPDATE place SET v = point(id);
SELECT hl_refresh('places');
SELECT count(*) FROM hl_next('places', 5);
SELECT hl_drop_project('places');

-- Columns of other types that cast to real[].
CREATE TABLE plane (id int PRIMARY KEY, d float8[], n numeric[], i int[], e embedding, t text[], b boolean[]);
INSERT INTO plane SELECT g, point(g), point(g)::float8[]::numeric[], ARRAY(SELECT (x * 100)::int FROM unnest(point(g)) x), point(g), point(g)::text[] FROM generate_series(1, 90) g;
CREATE FUNCTION try(input text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hits int;
BEGIN
	PERFORM hl_create_project('plane', 'plane', input);
	PERFORM hl_label_many('plane', array_agg(id::text), array_agg('c' || id % 3)) FROM plane WHERE id <= 45;
	PERFORM hl_train('plane');
	SELECT count(*) INTO hits FROM hl_predict('plane') WHERE label = 'c' || item::int % 3;
	PERFORM hl_drop_project('plane');
	RETURN hits;
END $$;
SELECT input, try(input) FROM unnest('{d,n,i,e,t}'::text[]) input;
UPDATE plane SET t = '{one,two}' WHERE id = 7;
SELECT error_of($$SELECT try('t')$$);
SELECT error_of($$SELECT try('b')$$);

-- Long vectors, up to a limit.
CREATE TABLE long (id int PRIMARY KEY, v real[]);
INSERT INTO long SELECT i, array_fill((i % 2)::real, ARRAY[1024]) || ARRAY[1, 1 - i % 2]::real[] FROM generate_series(1, 12) i;
SELECT project FROM hl_create_project('long', 'long', 'v');
SELECT hl_label_many('long', '{1,2,3,4}', '{odd,even,odd,even}');
SELECT model FROM hl_train('long');
SELECT count(*) FILTER (WHERE label = CASE item::int % 2 WHEN 1 THEN 'odd' ELSE 'even' END) AS right FROM hl_predict('long');
SELECT hl_drop_project('long');
UPDATE long SET v = array_fill(1::real, ARRAY[20000]);
SELECT error_of($$SELECT hl_create_project('long', 'long', 'v')$$) ~ '^(no error|54000)' AS at_creation;
SELECT error_of($$SELECT hl_train('long')$$) ~ '^(54000|42704)' AS at_training;
SELECT count(hl_drop_project(project)::text) <= 1 AS dropped FROM hl_projects;

DROP TABLE place, plane, long;
DROP FUNCTION point(int), answer, try;
DROP DOMAIN embedding;
