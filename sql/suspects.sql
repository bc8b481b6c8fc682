-- Labels that are probably wrong, why a label, why a question.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text, ambiguous boolean);
INSERT INTO ticket SELECT * FROM tickets(420) WHERE NOT ambiguous;
SELECT project, items FROM hl_create_project('tickets', 'ticket', 'body');
\pset format unaligned
\pset tuples_only on
-- Before there is a model, and what cannot be asked.
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_suspects('tickets')$$, $$SELECT hl_explain('tickets', 'hello')$$, $$SELECT hl_suspects('tickets', NULL)$$,
	$$SELECT hl_suspects('tickets', 1.5)$$, $$SELECT hl_suspects('tickets', 'NaN')$$, $$SELECT hl_suspects('tickets', 0.1, -1)$$,
	$$SELECT hl_suspects('tickets', neighbours => 101)$$, $$SELECT hl_suspects(NULL)$$, $$SELECT hl_suspects('nowhere')$$,
	$$SELECT hl_explain('tickets', 'hello', -1)$$, $$SELECT hl_explain('tickets', 'hello', NULL)$$, $$SELECT hl_explain('tickets', ARRAY[1, 2])$$,
	$$SELECT hl_explain_question('tickets', NULL)$$, $$SELECT hl_explain_question('nowhere', '1')$$]) s;
\pset format aligned
\pset tuples_only off
-- a question of the seed batch has a reason and no more
SELECT kind, feature, weight FROM hl_queue_entries('tickets') q, hl_explain_question('tickets', q.item) WHERE q.rank = 1;
SELECT count(*) FROM hl_explain_question('tickets', 'none');

-- Some labels are wrong.
CREATE TABLE flipped AS SELECT id, topic AS truth, CASE topic WHEN 'billing' THEN 'returns' WHEN 'returns' THEN 'delivery' ELSE 'billing' END AS label
	FROM ticket WHERE id <= 350 ORDER BY md5(id::text) LIMIT 15;
SELECT count(*) FROM flipped;
SELECT hl_label_many('tickets', array_agg(t.id::text), array_agg(coalesce(f.label, t.topic))) FROM ticket t LEFT JOIN flipped f USING (id) WHERE t.id <= 350;
SELECT deployed FROM hl_train('tickets');
CREATE VIEW suspect AS SELECT s.*, f.id IS NOT NULL AS flipped, f.truth
	FROM hl_suspects('tickets', 0.05) WITH ORDINALITY s(item, label, suggested, probability, neighbours, similarity, place)
	JOIN ticket t ON t.id = s.item::int LEFT JOIN flipped f ON f.id = t.id;
-- all of them are found, with what they were, and nothing else
SELECT count(*) FILTER (WHERE flipped) = (SELECT count(*) FROM flipped) AS found, bool_and(suggested = truth) FILTER (WHERE flipped) AS suggests_truth,
	count(*) FILTER (WHERE NOT flipped) AS others,
	min(probability) >= 0.05 AND max(probability) <= 1 AS probability, array_agg(item ORDER BY place) = array_agg(item ORDER BY probability DESC, item) AS ordered
FROM suspect;
-- neighbours have the label that is suggested, the nearest first, and not the item itself
SELECT count(*) = sum(cardinality(s.neighbours)) / 3 AS three, bool_and(cardinality(s.neighbours) = cardinality(s.similarity)) AS both,
	bool_and(s.item <> ALL (s.neighbours)) AS others,
	bool_and((SELECT bool_and(l.label = s.suggested) FROM unnest(s.neighbours) n JOIN hl_labels l ON l.project = 'tickets' AND l.item = n)) AS agree,
	bool_and(s.similarity[1] >= s.similarity[2] AND s.similarity[2] >= s.similarity[3]) AS ordered, bool_and(s.similarity[1] BETWEEN 0.3 AND 1) AS similar
FROM suspect s;
-- they are the nearest by what hl_embed says, too
WITH v AS MATERIALIZED (SELECT id::text AS item, hl_embed('tickets', body) AS vector FROM ticket WHERE id <= 350)
SELECT bool_and(abs(s.similarity[1] - (SELECT max(product) FROM (SELECT (SELECT sum(x * y) FROM unnest(v.vector, o.vector) u(x, y)) AS product
	FROM v o JOIN hl_labels l ON l.project = 'tickets' AND l.item = o.item AND l.label = s.suggested WHERE o.item <> s.item) p)) < 1e-4) AS nearest
FROM suspect s JOIN v USING (item) WHERE s.place <= 4;
-- all labels, and how many are wrong: the sum
SELECT count(*), sum(probability) BETWEEN 6 AND 20 AS expected, bool_and(suggested <> label) AS another FROM hl_suspects('tickets', 0, 0);
SELECT count(*) AS neighbours FROM hl_suspects('tickets', 0.5, 0) WHERE neighbours <> '{}';

-- Nor what somebody has looked at, and says that it is right.
BEGIN;
CREATE TEMP TABLE sure AS SELECT item, label FROM hl_suspects('tickets', 0.1, 0) ORDER BY probability DESC LIMIT 2;
SELECT hl_settle('tickets', item, label) > 0 AS settled FROM sure ORDER BY item LIMIT 1;
SELECT hl_gold('tickets', item, label) FROM sure ORDER BY item OFFSET 1;
SELECT count(*) AS still_there FROM hl_suspects('tickets', 0.1, 0) JOIN sure USING (item);
ROLLBACK;

-- What is corrected, taken back or gone is no suspect any more.
CREATE TABLE before AS SELECT item, place, suggested FROM suspect WHERE flipped ORDER BY place LIMIT 3;
SELECT hl_label('tickets', item, suggested) IS NOT NULL AS corrected FROM before ORDER BY place LIMIT 1;
SELECT hl_undo('tickets', item) FROM before ORDER BY place OFFSET 1 LIMIT 1;
DELETE FROM ticket WHERE id = (SELECT item::int FROM before ORDER BY place OFFSET 2);
SELECT count(*) AS still_there FROM hl_suspects('tickets', 0.05) s JOIN before USING (item);
SELECT true AS refreshed FROM hl_refresh('tickets');
SELECT count(*) AS still_there FROM hl_suspects('tickets', 0.05) s JOIN before USING (item);
SELECT count(*) AS neighbour_of FROM suspect s JOIN before b ON b.item = ANY (s.neighbours) WHERE b.suggested <> s.suggested OR b.place <> 1;

-- Classes under other names; of those that are one now nothing can be mistaken.
CREATE FUNCTION suspected(OUT "from" text, OUT "to" text, OUT n bigint) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT label, suggested, count(*) FROM hl_suspects('tickets', 0) GROUP BY 1, 2 ORDER BY 1, 2$$;
BEGIN;
CREATE TEMP TABLE was AS SELECT * FROM suspected();
SELECT hl_rename_class('tickets', 'billing', 'money') > 0 AS renamed;
SELECT count(*) AS different FROM suspected() s FULL JOIN (SELECT replace("from", 'billing', 'money') AS "from", replace("to", 'billing', 'money') AS "to", n FROM was) w USING ("from", "to") WHERE s.n IS DISTINCT FROM w.n;
SELECT hl_merge_classes('tickets', '{money}', 'returns') > 0 AS merged;
SELECT "from", "to", n > 0 AS some FROM suspected();
-- two classes are left, and the explanation is of these
SELECT array_agg(label ORDER BY label) AS classes, abs(sum(weight) - 1) < 1e-5 AS one FROM hl_explain('tickets', 'I was charged twice for a phone') WHERE kind IN ('label', 'runner-up');
SELECT abs((SELECT sum(weight) FROM hl_explain('tickets', 'I was charged twice for a phone') WHERE kind IN ('n-gram', 'other n-grams', 'constant'))
	- ln(max(probability) / min(probability))) < 1e-3 AS sum FROM hl_probabilities('tickets', 'I was charged twice for a phone');
SELECT hl_remove_class('tickets', 'delivery') > 0 AS removed;
SELECT count(*) AS suspects FROM hl_suspects('tickets', 0);
-- nothing to compare with
SELECT kind, label, weight FROM hl_explain('tickets', 'I was charged twice for a phone', 0);
ROLLBACK;

-- Several answers: two who say the same are believed, against a model that is
-- no surer than before; who is alone, and contradicts the model, is suspected.
BEGIN;
CREATE TEMP TABLE judged AS SELECT s.* FROM hl_suspects('tickets', 0) s JOIN flipped f ON f.id = item::int ORDER BY probability DESC LIMIT 6;
SELECT hl_label_many('tickets', array_agg(t.id::text), array_agg(t.topic), a) FROM ticket t, unnest('{berta,carl}'::text[]) a WHERE t.id <= 350 AND t.id::text NOT IN (SELECT item FROM judged) GROUP BY a;
SELECT hl_label_many('tickets', array_agg(item), array_agg(label), 'berta') FROM (SELECT * FROM judged ORDER BY item::int LIMIT 3) j;
SELECT labels > 0 AS trained FROM hl_train('tickets');
SELECT count(*) FILTER (WHERE place <= 3 AND item IN (SELECT item FROM judged ORDER BY item::int OFFSET 3)) AS alone_first,
	bool_and(probability < 0.5) FILTER (WHERE item NOT IN (SELECT item FROM judged)) AS others_believed, count(*) AS all
FROM hl_suspects('tickets', 0) WITH ORDINALITY s(item, label, suggested, probability, neighbours, similarity, place);
ROLLBACK;

-- Why: the parts sum to the log odds of label and runner-up.
CREATE FUNCTION odds(project text, said text) RETURNS float8 LANGUAGE sql AS
	$$SELECT ln(max(weight) FILTER (WHERE kind = 'label') / max(weight) FILTER (WHERE kind = 'runner-up')) FROM hl_explain(project, said, 0)$$;
SELECT n, abs(sum(weight) FILTER (WHERE kind IN ('n-gram', 'other n-grams', 'constant')) - odds('tickets', 'My card was debited for the shoes, please help')) < 1e-5 AS sum,
	count(*) FILTER (WHERE kind = 'n-gram') AS ngrams, count(*) FILTER (WHERE kind = 'neighbour') AS neighbours,
	bool_or(kind = 'other n-grams') AS others, count(*) FILTER (WHERE kind = 'constant') AS constant
FROM unnest('{0,3,100}'::int[]) n, hl_explain('tickets', 'My card was debited for the shoes, please help', n) GROUP BY n ORDER BY n;
SELECT kind, feature, label, weight > 0 AS positive, input FROM hl_explain('tickets', 'My card was debited for the shoes, please help', 3) WHERE kind IN ('label', 'n-gram');
SELECT array_agg(kind) = '{label,runner-up,n-gram,n-gram,n-gram,other n-grams,constant,neighbour,neighbour,neighbour}' AS kinds FROM hl_explain('tickets', 'My card was debited for the shoes, please help', 3);
-- strongest first; each speaks for the class that is beside it
SELECT bool_and(abs(weight) <= before) AS ordered, bool_and((weight < 0) = (label <> (hl_predict('tickets', 'My card was debited for the shoes, please help')).label)) AS sides
FROM (SELECT *, lag(abs(weight), 1, 1e9) OVER () AS before FROM hl_explain('tickets', 'My card was debited for the shoes, please help', 100) WHERE kind = 'n-gram') e;
-- without the strongest word for it the label is less probable, every time
SELECT count(*), count(*) FILTER (WHERE p.probability < e.confidence) AS lowered
FROM ticket t CROSS JOIN LATERAL (SELECT max(x.label) FILTER (WHERE x.kind = 'label') AS label, max(x.weight) FILTER (WHERE x.kind = 'label') AS confidence,
		(array_agg(x.feature ORDER BY x.weight DESC) FILTER (WHERE x.kind = 'n-gram' AND x.feature !~ ' '))[1] AS word FROM hl_explain('tickets', t.body, 100) x) e
	CROSS JOIN LATERAL hl_probabilities('tickets', regexp_replace(t.body, '\m' || e.word || '\M', '', 'gi')) p
WHERE t.id BETWEEN 351 AND 420 AND p.label = e.label;
-- neighbours are labelled items, as near as they are said to be, and of the same text at 1
SELECT count(*), bool_and(l.label = e.label) AS labels, bool_and(abs(e.weight - (SELECT sum(x * y) FROM unnest(hl_embed('tickets', t.body), hl_embed('tickets', 'where is the parcel with a phone')) u(x, y))) < 1e-4) AS similar
FROM hl_explain('tickets', 'where is the parcel with a phone', 10) e JOIN ticket t ON t.id = e.feature::int JOIN hl_labels l ON l.project = 'tickets' AND l.item = e.feature WHERE e.kind = 'neighbour';
SELECT e.feature = t.id::text AS itself, abs(e.weight - 1) < 1e-5 AS one FROM ticket t, hl_explain('tickets', t.body, 1) e WHERE t.id = 8 AND e.kind = 'neighbour';
-- a text that says nothing
SELECT kind, feature, label IS NOT NULL AS label, weight BETWEEN 0 AND 1 AS weight FROM hl_explain('tickets', '🙈🙉');
SELECT kind, label IS NOT NULL AS label FROM hl_explain('tickets', NULL::text);

-- Why this question.
CREATE TABLE asked AS SELECT q.item, q.reason, q.score, q.epistemic AS queued_epistemic, q.aleatoric AS queued_aleatoric, e.* FROM hl_queue_entries('tickets') q, hl_explain_question('tickets', q.item, 3) e WHERE q.rank <= 5;
SELECT kind, count(*), bool_and(CASE kind WHEN 'reason' THEN feature = reason AND weight = score WHEN 'epistemic' THEN weight = queued_epistemic WHEN 'aleatoric' THEN weight = queued_aleatoric
	WHEN 'class' THEN feature IS NULL AND weight BETWEEN 0 AND 1 WHEN 'neighbour' THEN weight BETWEEN 0 AND 1 AND feature <> item END) AS right
FROM asked GROUP BY kind ORDER BY kind;
SELECT bool_and(abs(s - 1) < 1e-5) AS one, bool_and(first = p.label) AS predicted FROM (SELECT item, sum(weight) AS s, (array_agg(label ORDER BY weight DESC))[1] AS first FROM asked WHERE kind = 'class' GROUP BY item) a
	JOIN ticket t ON t.id = a.item::int, hl_predict('tickets', t.body) p;

-- Vectors; texts and vectors side by side.
CREATE TABLE point (id int PRIMARY KEY, place real[], name text);
INSERT INTO point SELECT i, ARRAY[sin(i), cos(i % 3 * 2), i % 3, 0.3], 'the ' || (ARRAY['red', 'green', 'blue'])[1 + i % 3] || ' thing' FROM generate_series(1, 90) i;
SELECT project FROM hl_create_project('points', 'point', 'place');
SELECT project FROM hl_create_project('both', 'point', ARRAY['name', 'place'], options => '{"shares": {"text": 0.5, "vector": 0.5}}');
SELECT hl_label_many(p, array_agg(id::text), array_agg('at ' || id % 3)) FROM point, unnest('{points,both}'::text[]) p WHERE id <= 60 GROUP BY p;
SELECT deployed FROM hl_train('points');
SELECT deployed FROM hl_train('both');
SELECT kind, feature IS NOT NULL AS feature, label, input FROM hl_explain('points', ARRAY[0.1, 1, 0, 0.3], 2);
SELECT abs(sum(weight) FILTER (WHERE kind IN ('vector', 'constant')) - ln(max(weight) FILTER (WHERE kind = 'label') / max(weight) FILTER (WHERE kind = 'runner-up'))) < 1e-4 AS sum FROM hl_explain('points', ARRAY[0.1, 1, 0, 0.3], 0);
SELECT kind, input, count(*) FROM hl_explain('both', ARRAY['the red thing', '{0.1,1,0,0.3}'], 2) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT abs(sum(weight) FILTER (WHERE kind IN ('n-gram', 'other n-grams', 'vector', 'constant')) - ln(max(weight) FILTER (WHERE kind = 'label') / max(weight) FILTER (WHERE kind = 'runner-up'))) < 1e-4 AS sum FROM hl_explain('both', ARRAY['the red thing', '{0.1,1,0,0.3}'], 2);
SELECT count(*) > 0 AS some, bool_and(weight BETWEEN -1 AND 1) AS similar FROM hl_explain('both', ARRAY['the red thing', NULL], 2) WHERE kind = 'neighbour';
SELECT count(*), bool_and(cardinality(neighbours) = 3) AS neighbours FROM hl_suspects('points', 0);
SELECT count(*), bool_and(similarity[1] BETWEEN -1 AND 1) AS similar FROM hl_suspects('both', 0);

-- Encoders of which nothing is a sum: each word is left out, and the odds compared.
CREATE TABLE vectors (line text);
INSERT INTO vectors SELECT w || ' ' || CASE i % 3 WHEN 0 THEN '1 0.1 0' WHEN 1 THEN '0 1 0.1' ELSE '0.1 0 1' END || ' 0.' || i
	FROM unnest('{return,parcel,charged,back,courier,invoice,please,where,card}'::text[]) WITH ORDINALITY u(w, n), LATERAL (SELECT n - 1) i(i);
SELECT encoder FROM hl_import_encoder('small', 'word_vectors', staging => 'vectors');
SELECT project FROM hl_create_project('worded', 'ticket', 'body', encoder => 'small');
SELECT hl_label_many('worded', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 200;
SELECT deployed FROM hl_train('worded');
SELECT array_agg(DISTINCT kind ORDER BY kind) AS kinds, array_agg(feature ORDER BY feature) FILTER (WHERE kind = 'word') AS words FROM hl_explain('worded', 'Where is the parcel, the courier?', 10);
SELECT e.feature, abs(e.weight - (odds('worded', 'where parcel charged') - (SELECT ln(max(probability) FILTER (WHERE label = o.label) / max(probability) FILTER (WHERE label = o.second)) FROM hl_probabilities('worded', replace('where parcel charged', e.feature, ''))))) < 1e-5 AS difference
FROM (SELECT max(label) FILTER (WHERE kind = 'label') AS label, max(label) FILTER (WHERE kind = 'runner-up') AS second FROM hl_explain('worded', 'where parcel charged', 0)) o,
	hl_explain('worded', 'where parcel charged', 10) e WHERE e.kind = 'word' ORDER BY 1;
-- of a long text some words at a time, 64 times at most; scripts without spaces character by character
SELECT count(*), max(length(feature)) FROM hl_explain('worded', repeat('where is my parcel ', 60), 100) WHERE kind = 'word';
SELECT count(*) FROM hl_explain('worded', '漢字 parcel', 100) WHERE kind = 'word';
SELECT count(*) FROM hl_explain('worded', '', 100) WHERE kind = 'word';
SELECT hl_drop_project('worded'), hl_drop_encoder('small');

-- In groups, where memory is short, the same.
CREATE TABLE whole AS SELECT * FROM hl_suspects('tickets', 0);
SET humanloop.work_mem = '1MB';
SELECT count(*) AS different FROM (SELECT * FROM whole EXCEPT SELECT * FROM hl_suspects('tickets', 0)) d;
RESET humanloop.work_mem;

-- A model of an earlier version was not asked; damage is told.
\pset format unaligned
\pset tuples_only on
BEGIN;
UPDATE hl_model_label SET suggested = array_fill(99, ARRAY[cardinality(items)]) WHERE project_id = (SELECT id FROM hl_project WHERE name = 'tickets');
SELECT error_of($$SELECT hl_suspects('tickets')$$);
UPDATE hl_model_label SET wrong = wrong[2:] WHERE project_id = (SELECT id FROM hl_project WHERE name = 'tickets');
SELECT left(error_of($$SELECT hl_suspects('tickets')$$), 5);
UPDATE hl_model_label SET wrong = NULL, suggested = NULL;
SELECT error_of($$SELECT hl_suspects('tickets')$$);
ROLLBACK;
\pset format aligned
\pset tuples_only off
SELECT hl_drop_project(p) FROM unnest('{tickets,points,both}'::text[]) p;
DROP TABLE ticket, flipped, before, point, asked, whole CASCADE;
