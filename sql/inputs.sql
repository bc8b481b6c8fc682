-- Projects with several inputs: texts and vectors side by side.
SET client_min_messages = warning;
-- The topic is in the body, the region in the vector; the subject says little.
CREATE TABLE mail (id int PRIMARY KEY, subject text, body text, place real[], class text);
INSERT INTO mail SELECT id, CASE WHEN id % 5 = 0 THEN 'urgent' ELSE 'hello' END, body, ARRAY[id / 12 % 2, 1 - id / 12 % 2, 0.2 * sin(id), 0.2 * cos(id * id)]::real[],
	topic || CASE id / 12 % 2 WHEN 1 THEN ' north' ELSE ' south' END FROM tickets(240);

-- ----------------------------------------------------------------------
-- Declaring
-- ----------------------------------------------------------------------

SELECT project, items, encoder FROM hl_create_project('mails', 'mail', ARRAY['subject', 'body', 'place']);
SELECT input_column, more_inputs, input_attnum, more_attnums FROM hl_project JOIN hl_project_local ON project_id = id;
SELECT project, input, key, state FROM hl_projects;
-- a single one is a project as any other, and an unknown literal is a name
SELECT project, encoder FROM hl_create_project('one', 'mail', ARRAY['body']);
SELECT project, encoder FROM hl_create_project('literal', 'mail', 'body');
SELECT name, input_column, more_inputs, more_attnums FROM hl_project JOIN hl_project_local ON project_id = id WHERE name <> 'mails' ORDER BY name;
SELECT hl_drop_project('one'), hl_drop_project('literal');
-- named arguments and all others
SELECT project, labels, classes FROM hl_create_project(name => 'named', source => 'mail', input => '{body,subject}'::text[], key => 'id', label => 'class', classes => '{a,b}', encoder => 'text', acquisition => 'margin', options => '{"batch": 5}');
SELECT hl_drop_project('named');
\pset format unaligned
\pset tuples_only on
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_create_project('p', 'mail', '{}'::text[])$$,
	$$SELECT hl_create_project('p', 'mail', NULL::text[])$$,
	$$SELECT hl_create_project('p', 'mail', ARRAY['body', NULL])$$,
	$$SELECT hl_create_project('p', 'mail', ARRAY['body', 'subject', 'body'])$$,
	$$SELECT hl_create_project('p', 'mail', ARRAY['body', 'nowhere'])$$,
	$$SELECT hl_create_project('p', 'mail', ARRAY['body', ''])$$,
	$$SELECT hl_create_project('p', 'mail', ARRAY['body', 'ctid'])$$,
	$$SELECT hl_create_project('p', 'mail', ARRAY['body', 'id'])$$,
	$$SELECT hl_create_project('p', 'mail', '{a,b,c,d,e,f,g,h,i}'::text[])$$,
	$$SELECT hl_create_project('p', 'mail', '{body,subject}')$$,
	$$SELECT hl_create_project('p', 'mail', ARRAY['body', 'subject'], encoder => 'vector')$$]) s;
\pset format aligned
\pset tuples_only off
-- as many as may be, one after the other in the memory that there is for one
CREATE TABLE wide AS SELECT id, body AS a, body AS b, body AS c, body AS d, body AS e, body AS f, body AS g, body AS h FROM mail;
SELECT project, items, encoder FROM hl_create_project('wide', 'wide', '{a,b,c,d,e,f,g,h}'::text[], key => 'id', options => '{"dimensions": 16}');
SELECT hl_label_many('wide', array_agg(id::text), array_agg(class)) FROM mail WHERE id <= 40;
SELECT model, labels, accuracy > 0.3 AS learned FROM hl_train('wide');
SELECT cardinality(hl_embed('wide', '{x,x,x,x,x,x,x,x}'::text[]));
SELECT hl_drop_project('wide');
DROP TABLE wide;

-- ----------------------------------------------------------------------
-- Questions
-- ----------------------------------------------------------------------

SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'hl_queue_mails'::regclass AND attnum BETWEEN 1 AND 5 ORDER BY attnum;
SELECT count(*) AS questions, count(DISTINCT class) AS classes FROM hl_queue_mails q JOIN mail USING (id) WHERE q.rank <= 20;
-- texts are shown, one below the other
SELECT n.input = m.subject || E'\n' || m.body AS shown, n.reason FROM hl_next('mails', 1) n JOIN mail m ON n.item = m.id::text;
-- vectors only where there is no text; a name that is taken twice in the view
CREATE TABLE point (input text PRIMARY KEY, rank real[], source_rank float8[]);
INSERT INTO point SELECT i, ARRAY[i % 2, 1]::real[], ARRAY[i % 3, 1, 0.5]::float8[] FROM generate_series(1, 30) i;
SELECT project, encoder FROM hl_create_project('points', 'point', ARRAY['source_rank', 'rank', 'input']);
SELECT attname FROM pg_attribute WHERE attrelid = 'hl_queue_points'::regclass AND attnum BETWEEN 1 AND 5 ORDER BY attnum;
SELECT hl_drop_project('points');
SELECT project, encoder FROM hl_create_project('points', 'point', ARRAY['source_rank', 'rank']);
SELECT n.input = source_rank::text || E'\n' || rank::text AS shown FROM hl_next('points', 1) n JOIN point p ON n.item = p.input;
SELECT hl_drop_project('points');

-- ----------------------------------------------------------------------
-- Learning and predicting
-- ----------------------------------------------------------------------

SELECT hl_label_many('mails', array_agg(id::text), array_agg(class)) FROM mail WHERE id <= 100;
SELECT model, encoder, classes, labels, accuracy > 0.8 AS accurate FROM hl_train('mails');
-- each alone knows a part of it
CREATE FUNCTION accuracy_with(input text[]) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	accuracy float8;
BEGIN
	PERFORM hl_create_project('alone', 'mail', input), hl_label_many('alone', array_agg(id::text), array_agg(class)) FROM mail WHERE id <= 100;
	PERFORM hl_train('alone');
	SELECT avg((label = class)::int) INTO accuracy FROM hl_predict('alone') JOIN mail ON item = id::text WHERE id > 100;
	PERFORM hl_drop_project('alone');
	RETURN accuracy;
END $$;
SELECT accuracy_with('{body,place}') > 0.85 AS both, accuracy_with('{body}') BETWEEN 0.3 AND 0.7 AS body, accuracy_with('{place}') BETWEEN 0.2 AND 0.6 AS place, accuracy_with('{subject}') < 0.4 AS subject;
SELECT avg((label = class)::int) > 0.85 AS right FROM hl_predict('mails') JOIN mail ON item = id::text WHERE id > 100;
-- one by one the answers are those for all
SELECT count(*), count(*) FILTER (WHERE a.label = b.label AND abs(a.confidence - b.confidence) < 1e-4 AND abs(a.epistemic - b.epistemic) < 1e-4) AS same
FROM mail JOIN hl_predict('mails') a ON a.item = id::text, hl_predict('mails', ARRAY[subject, body, place::text]) b;
SELECT label FROM hl_predict('mails', ARRAY['hello', 'please take back the lamp', '[1,0,0,0]']);
SELECT label FROM hl_predict('mails', ARRAY['hello', 'please take back the lamp', '{0,1,0,0}']::varchar[]);
SELECT count(*), round(sum(probability)::numeric, 4) AS sum FROM hl_probabilities('mails', ARRAY['hello', 'please take back the lamp', '{0,1,0,0}']);
SELECT abs(total - aleatoric - epistemic) < 1e-6 AS adds_up FROM hl_uncertainty('mails', ARRAY['hello', 'please take back the lamp', '{0,1,0,0}']);
-- what is missing makes it less sure
SELECT label LIKE 'returns%' AS topic, confidence < 0.99 AND epistemic > 0.1 AS unsure FROM hl_predict('mails', ARRAY[NULL, 'please take back the lamp', NULL]);
SELECT label LIKE '% south' AS region FROM hl_predict('mails', ARRAY[NULL, NULL, '{0,1,0,0}']);
SELECT (hl_predict('mails', NULL)).confidence = (hl_predict('mails', ARRAY[NULL, NULL, NULL])).confidence AS nothing, (hl_predict('mails', NULL::int[])).confidence = (hl_predict('mails', '{NULL,NULL,NULL}'::text[])).confidence AS likewise;
SELECT hl_embed('mails', ARRAY[NULL, NULL, NULL]) IS NULL AS nothing, (SELECT round(sum(x * x)::numeric, 4) FROM unnest(hl_embed('mails', ARRAY['hello', 'please take back the lamp', '{0,1,0,0}'])) x) AS whole,
	(SELECT round(sum(x * x)::numeric, 4) FROM unnest(hl_embed('mails', ARRAY[NULL, NULL, '{0,7,0,0}'])) x) AS third;
\pset format unaligned
\pset tuples_only on
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_predict('mails', 'please take back the lamp')$$,
	$$SELECT hl_predict('mails', '{a,b,"{0,1,0,0}"}')$$,
	$$SELECT hl_predict('mails', '{0,1,0,0}'::real[])$$,
	$$SELECT hl_predict('mails', ARRAY['please take back the lamp'])$$,
	$$SELECT hl_predict('mails', '{}'::text[])$$,
	$$SELECT hl_predict('mails', '{{a,b,c}}'::text[])$$,
	$$SELECT hl_predict('mails', ARRAY['a', 'b', '[1,0]'])$$,
	$$SELECT hl_predict('mails', ARRAY['a', 'b', '[1,0,0,NULL]'])$$,
	$$SELECT hl_predict('mails', ARRAY['a', 'b', 'c'])$$,
	$$SELECT hl_probabilities('mails', 'x')$$,
	$$SELECT hl_uncertainty('mails', ARRAY[1])$$,
	$$SELECT hl_embed('mails', 'x')$$,
	$$SELECT hl_embed('mails', ARRAY['x'])$$]) s;
\pset format aligned
\pset tuples_only off
-- hl_embed of vectors takes arrays, too
SELECT project FROM hl_create_project('places', 'mail', 'place');
SELECT hl_label_many('places', array_agg(id::text), array_agg(class)) FROM mail WHERE id <= 20;
SELECT model FROM hl_train('places');
SELECT hl_embed('places', ARRAY[0, 3, 0, 4]), hl_embed('places', '[0,3,0,4]') = hl_embed('places', '{0,3,0,4}'::float8[]) AS same;
SELECT error_of($$SELECT hl_embed('places', ARRAY['a'])$$);
SELECT hl_drop_project('places');

-- ----------------------------------------------------------------------
-- Rows that are not whole
-- ----------------------------------------------------------------------

INSERT INTO mail VALUES
	(901, NULL, NULL, NULL), (902, NULL, 'please take back the lamp', NULL), (903, NULL, NULL, '{0,1,0,0}'), (904, '', '', '{}'), (905, NULL, 'please take back the lamp', '{1,0}'),
	(906, NULL, NULL, '{1,0,0}'), (907, NULL, NULL, '{NaN,0,0,0}'), (908, 'hello', U&'\4E2D\6587', '{0,0,0,0}'), (909, NULL, NULL, '{{1,0},{0,0}}');
SELECT hl_refresh('mails');
SELECT items, labelled FROM hl_projects;
SELECT * FROM hl_unencoded('mails') ORDER BY item;
SELECT item, label LIKE 'returns%' AS topic FROM hl_predict('mails') WHERE item IN ('902', '905') ORDER BY item;
SELECT count(DISTINCT confidence) AS prior FROM hl_predict('mails') WHERE item IN ('901', '904', '906', '907', '909');
-- they can be learned as far as they go
SELECT hl_label('mails', 902, 'returns south') > 0, hl_label('mails', 906, 'returns south') > 0;
SELECT labels FROM hl_train('mails');
DELETE FROM mail WHERE id > 900;
-- before there is an encoder, vectors are held against the length that most have
SELECT project FROM hl_create_project('early', 'mail', ARRAY['body', 'place']);
UPDATE mail SET place = '{1,0}' WHERE id = 3;
SELECT * FROM hl_unencoded('early');
UPDATE mail SET place = '{1,0,0,0}' WHERE id = 3;
SELECT hl_drop_project('early');

-- An input that is filled later, and one whose vectors get longer
CREATE TABLE late AS SELECT id, body, NULL::real[] AS place, class FROM mail;
SELECT project, encoder FROM hl_create_project('late', 'late', ARRAY['body', 'place'], key => 'id');
SELECT hl_label_many('late', array_agg(id::text), array_agg(class)) FROM late WHERE id <= 60;
SELECT model, accuracy < 0.8 AS poor FROM hl_train('late');
SELECT count(*), min(reason), max(reason) FROM hl_unencoded('late');
UPDATE late SET place = m.place FROM mail m WHERE m.id = late.id AND m.id > 5;
SELECT model, accuracy > 0.7 AS better FROM hl_train('late');
SELECT count(*), min(reason), max(reason) FROM hl_unencoded('late');
UPDATE late SET place = place || 0.5::real WHERE id > 10;
SELECT model FROM hl_train('late');
SELECT reason, count(*) FROM hl_unencoded('late') GROUP BY 1 ORDER BY 1;
UPDATE late SET place = NULL;
SELECT hl_refresh('late');
SELECT reason, count(*) FROM hl_unencoded('late') GROUP BY 1 ORDER BY 1;
SELECT hl_drop_project('late');
-- where nothing but vectors are inputs, there must be some
ALTER TABLE late ADD vector real[];
SELECT project FROM hl_create_project('late', 'late', ARRAY['place', 'vector'], key => 'id');
SELECT error_of($$SELECT hl_refresh('late')$$);
UPDATE late SET vector = ARRAY[id % 2, 1];
SELECT hl_refresh('late');
SELECT count(*) FROM hl_next('late', 5);
SELECT hl_drop_project('late');
DROP TABLE late;

-- ----------------------------------------------------------------------
-- What a statement changes
-- ----------------------------------------------------------------------

SELECT hl_refresh('mails') >= 0 AS settled;
CREATE FUNCTION noted() RETURNS text LANGUAGE sql AS $$
	WITH noted AS (DELETE FROM hl_change RETURNING kind, items)
	SELECT coalesce(string_agg(concat_ws(' ', kind, items::text), ', ' ORDER BY items), 'nothing') FROM noted
$$;
SELECT noted() IS NOT NULL AS noted;
UPDATE mail SET class = upper(class) WHERE id = 1;
SELECT noted();
UPDATE mail SET subject = 'urgent' WHERE id = 1;
SELECT noted();
UPDATE mail SET body = 'x' || body WHERE id = 2;
SELECT noted();
UPDATE mail SET place = '{1,0,0,0}' WHERE id = 3;
SELECT noted();
INSERT INTO mail VALUES (300, 'a', 'b', NULL);
SELECT noted();
SELECT hl_refresh('mails') AS changed;
UPDATE mail SET subject = body, body = subject WHERE id = 300;
SELECT hl_refresh('mails') AS swapped;
DELETE FROM mail WHERE id = 300;
SELECT hl_refresh('mails') AS gone;
CREATE FUNCTION arguments(project text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(replace(encode(tgargs, 'escape'), '\000', '|'), '^\d+', 'id') FROM pg_trigger t JOIN hl_project p ON p.name = project WHERE tgrelid = 'mail'::regclass AND tgname = 'humanloop_' || p.id || '_update'
$$;
SELECT arguments('mails');
-- with a label column
SELECT project FROM hl_create_project('labelled', 'mail', ARRAY['subject', 'place'], label => 'class');
SELECT arguments('labelled');
SELECT hl_refresh('labelled'), hl_refresh('mails');
SELECT noted() IS NOT NULL AS noted;
UPDATE mail SET class = lower(class) WHERE id = 1;
SELECT noted();
UPDATE mail SET body = body || '.' WHERE id = 1;
SELECT noted();
UPDATE mail SET place = '{0,1,0,0}' WHERE id = 1;
SELECT noted();
SELECT model > 0 AS trained FROM hl_train('labelled');
SELECT hl_drop_project('labelled');

-- ----------------------------------------------------------------------
-- Columns that change their names and types, and go
-- ----------------------------------------------------------------------

CREATE FUNCTION stand() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM hl_refresh('mails');
	RETURN concat_ws(', ', (SELECT input || ' ' || state FROM hl_projects WHERE project = 'mails'), (SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = to_regclass('hl_queue_mails') AND attnum BETWEEN 1 AND 4),
		arguments('mails'),
		'right: ' || (SELECT avg((label = lower(class))::int) > 0.8 FROM hl_predict('mails') JOIN mail ON item = id::text), 'questions: ' || (SELECT count(*) > 0 FROM hl_queue_mails));
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END $$;
SELECT stand();
ALTER TABLE mail RENAME body TO message;
ALTER TABLE mail RENAME place TO "Place, now";
SELECT input_column, more_inputs FROM hl_project;
SELECT stand();
-- names that change places
BEGIN;
ALTER TABLE mail RENAME subject TO x;
ALTER TABLE mail RENAME message TO subject;
ALTER TABLE mail RENAME x TO message;
COMMIT;
SELECT stand();
ALTER TABLE mail RENAME message TO x;
ALTER TABLE mail RENAME subject TO body;
ALTER TABLE mail RENAME x TO subject;
ALTER TABLE mail RENAME "Place, now" TO place;
SELECT stand();
ALTER TABLE mail ALTER subject TYPE varchar(300), ALTER place TYPE float8[], ALTER id TYPE bigint;
SELECT stand();
SELECT error_of($$ALTER TABLE mail ALTER place TYPE int USING 1$$);
SELECT error_of($$ALTER TABLE mail ALTER place TYPE text$$);
-- a text that becomes a vector is for another encoder
SELECT error_of($$SELECT count(*) FROM hl_predict('mails')$$);
SELECT model > 0 AS trained FROM hl_train('mails');
ALTER TABLE mail ALTER place TYPE real[] USING place::real[];
SELECT error_of($$SELECT count(*) FROM hl_predict('mails')$$);
SELECT model > 0 AS trained FROM hl_train('mails');
SELECT stand();
-- a column that is dropped, and comes back
SELECT error_of($$ALTER TABLE mail DROP body$$);
CREATE TABLE kept AS SELECT id, body FROM mail;
ALTER TABLE mail DROP body CASCADE;
SELECT stand();
SELECT project, input, state, queue_empty_because FROM hl_projects;
-- not by a name that another input has got
ALTER TABLE mail RENAME subject TO body;
SELECT project, input, state, queue_empty_because FROM hl_projects;
ALTER TABLE mail RENAME body TO subject;
ALTER TABLE mail ADD body text;
UPDATE mail SET body = kept.body FROM kept WHERE kept.id = mail.id;
SELECT stand();
DROP TABLE kept;

-- Partitions
CREATE TABLE part (id int PRIMARY KEY, body text, place real[]) PARTITION BY RANGE (id);
CREATE TABLE part_one PARTITION OF part FOR VALUES FROM (0) TO (100);
INSERT INTO part SELECT id, body, place FROM mail WHERE id < 100;
SELECT project, items FROM hl_create_project('parts', 'part', ARRAY['body', 'place']);
SELECT hl_refresh('parts');
CREATE TABLE part_two PARTITION OF part FOR VALUES FROM (100) TO (200);
SELECT tgrelid::regclass, tgname ~ '_update$' AS update FROM pg_trigger WHERE tgrelid IN ('part'::regclass, 'part_one'::regclass, 'part_two'::regclass) AND tgname ~ '_update$' ORDER BY 1;
SELECT noted() IS NOT NULL AS noted;
UPDATE part_one SET place = '{0,0,1,0}' WHERE id = 7;
SELECT noted();
SELECT hl_refresh('parts') AS changed;
SELECT hl_drop_project('parts');
DROP TABLE part;

-- ----------------------------------------------------------------------
-- Who may see them
-- ----------------------------------------------------------------------

CREATE ROLE regress_hl_annotator;
SELECT hl_grant('mails', 'regress_hl_annotator', 'annotate'), hl_grant('mails', 'regress_hl_annotator', 'predict');
GRANT SELECT (id, subject, body) ON mail TO regress_hl_annotator;
SET ROLE regress_hl_annotator;
SELECT error_of($$SELECT hl_next('mails')$$);
SELECT left(error_of($$SELECT * FROM hl_predict('mails')$$), 5), left(error_of($$SELECT * FROM hl_unencoded('mails')$$), 5), left(error_of($$SELECT * FROM hl_queue_mails$$), 5);
RESET ROLE;
GRANT SELECT (place) ON mail TO regress_hl_annotator;
SET ROLE regress_hl_annotator;
SELECT count(*) FROM hl_next('mails', 2);
SELECT count(*) > 0 AS all_rows FROM hl_predict('mails');
SELECT count(*) > 0 AS questions FROM hl_queue_mails;
SELECT input FROM hl_projects;
RESET ROLE;
-- who may not read a column has its label predicted all the same
REVOKE SELECT (id, subject, body, place) ON mail FROM regress_hl_annotator;
SET ROLE regress_hl_annotator;
SELECT label IS NOT NULL AS answer FROM hl_predict('mails', ARRAY['hello', 'please take back', NULL]);
RESET ROLE;

-- ----------------------------------------------------------------------
-- Other ways to read it
-- ----------------------------------------------------------------------

-- a view, with a condition for questions that speaks of an input
CREATE VIEW shown AS SELECT id, subject, body, place FROM mail;
SELECT project, items FROM hl_create_project('shown', 'shown', ARRAY['subject', 'body', 'place'], key => 'id', options => '{"targets": "place[1] > 0.5"}');
SELECT count(*) > 0 AS queued, bool_and(place[1] > 0.5) AS as_asked FROM hl_queue_shown;
SELECT hl_label_many('shown', array_agg(id::text), array_agg(class)) FROM mail WHERE id <= 40;
SELECT model FROM hl_train('shown');
SELECT count(*) > 0 AS queued, bool_and(place[1] > 0.5) AS as_asked FROM hl_queue_shown;
SELECT hl_drop_project('shown');
DROP VIEW shown;

SELECT strategy, max(labels) AS labels, max(accuracy) > 0.8 AS learned, max(classes) AS classes FROM hl_simulate('mail', ARRAY['body', 'place'], 'class', '{epig,random}', rounds => 6, runs => 1) GROUP BY 1 ORDER BY 1;
SELECT s = o AS as_with_one FROM (SELECT array_agg(x) FROM hl_simulate('mail', ARRAY['body'], 'class', '{random}', rounds => 2, runs => 1) x) a(s), (SELECT array_agg(x) FROM hl_simulate('mail', 'body', 'class', '{random}', rounds => 2, runs => 1) x) b(o);
SELECT error_of($$SELECT hl_simulate('mail', ARRAY['body', 'body'], 'class')$$), error_of($$SELECT hl_simulate('mail', NULL::text[], 'class')$$), error_of($$SELECT hl_simulate('mail', ARRAY['body', 'id'], 'class')$$);

-- A declaration that somebody has damaged
UPDATE hl_project SET more_inputs = '{body,NULL}';
SELECT project, state, queue_empty_because FROM hl_projects;
SELECT error_of($$SELECT hl_refresh('mails')$$);
UPDATE hl_project SET more_inputs = '{}';
SELECT error_of($$SELECT hl_refresh('mails')$$);
UPDATE hl_project SET more_inputs = '{body,place}';
UPDATE hl_project_local SET more_attnums = '{2}';
SELECT stand();
SELECT hl_drop_project('mails');

DROP FUNCTION accuracy_with, noted, arguments, stand;
DROP TABLE mail, point;
DROP ROLE regress_hl_annotator;
