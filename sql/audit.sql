-- The audit: one question in ten is the next row of an order that was fixed by lot.
SET client_min_messages = warning;
CREATE TABLE spot (id int PRIMARY KEY, v real[], truth text);
INSERT INTO spot SELECT i, ARRAY[(i % 3 = 0)::int + 0.3 * sin(i), (i % 3 = 1)::int + 0.3 * sin(2 * i), (i % 3 = 2)::int + 0.3 * sin(3 * i), 0.2], 'c' || i % 3 FROM generate_series(1, 300) i;
CREATE FUNCTION audits(project text) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(q.rank::text, ' ' ORDER BY q.rank) FROM hl_queue q WHERE q.project = audits.project AND q.reason = 'audit' AND q.rank <= 50 $$;
CREATE FUNCTION answer(project text, n int, annotator text DEFAULT NULL) RETURNS int LANGUAGE sql AS $$
	SELECT hl_label_many(answer.project, array_agg(q.item ORDER BY q.rank), array_agg(s.truth ORDER BY q.rank), annotator)
	FROM (SELECT * FROM hl_queue q WHERE q.project = answer.project ORDER BY rank LIMIT n) q JOIN spot s ON s.id = q.item::int $$;

-- the option
SELECT o, error_of(format($$SELECT hl_create_project('bad', 'spot', 'v', options => %L)$$, o)) FROM unnest(ARRAY['{"audit": -0.1}', '{"audit": 1.01}', '{"audit": "half"}', '{"audit": true}']) o;
SELECT project FROM hl_create_project('spots', 'spot', 'v');
-- its places, already in the seed batch
SELECT audits('spots');
SELECT count(*), count(DISTINCT item) AS items, count(*) FILTER (WHERE reason = 'audit') AS audit, count(*) FILTER (WHERE reason = 'seed') AS seed FROM hl_queue;
SELECT rank, reason FROM hl_next('spots', 20) WITH ORDINALITY n(item, input, label, confidence, epistemic, reason, lease_until, rank) WHERE reason = 'audit';
SELECT answer('spots', 45);
SELECT labels, audited >= 4 AS audited, audit_low <= audit_accuracy AND audit_accuracy <= audit_high AS in_interval FROM hl_train('spots');
-- places go by the answers there are, so that whoever asks for one question at a time comes to them, too
SELECT audits('spots');
SELECT count(*), count(DISTINCT item) AS items, bool_and(score IS NOT NULL AND epistemic IS NOT NULL AND label IS NOT NULL) AS scored FROM hl_queue;
-- the ones that follow in the order: the same that a project without a model would ask
CREATE FUNCTION in_order(project text) RETURNS text[] LANGUAGE sql AS $$ SELECT array_agg(q.item ORDER BY q.rank) FROM hl_queue q WHERE q.project = in_order.project $$;
SELECT project FROM hl_create_project('by_lot', 'spot', 'v', acquisition => 'random', options => '{"seed_batch": 300}');
CREATE TABLE lot AS SELECT item, rank AS place FROM hl_queue WHERE project = 'by_lot';
SELECT count(*), min(reason) AS reason, max(reason) AS reason FROM lot JOIN hl_queue USING (item) WHERE project = 'by_lot';
CREATE VIEW open AS SELECT l.* FROM lot l WHERE NOT EXISTS (SELECT FROM hl_current_answer c WHERE c.item = l.item AND c.project_id = (SELECT id FROM hl_project WHERE name = 'spots'));
SELECT array_agg(item ORDER BY rank) FILTER (WHERE reason = 'audit') = (SELECT array_agg(item ORDER BY place) FROM (SELECT * FROM open ORDER BY place LIMIT 3) o) AS next_in_line
FROM hl_queue WHERE project = 'spots' AND rank <= 25 AND NOT EXISTS (SELECT FROM hl_queue b WHERE b.project = 'spots' AND b.rank <= 25 AND b.reason <> 'audit' AND b.item IN (SELECT item FROM open ORDER BY place LIMIT 3));
-- the sample: what is labelled before the first row that is not
CREATE FUNCTION sampled(project text) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(i.item ORDER BY i.item) FROM hl_project p JOIN hl_serving v ON v.project_id = p.id JOIN hl_model_label m ON m.project_id = p.id AND m.model = v.model CROSS JOIN unnest(m.items, m.audited) i(item, audited)
	WHERE p.name = sampled.project AND i.audited $$;
SELECT sampled('spots') = array_agg(item ORDER BY item) AS prefix, count(*) > 4 AS some_for_nothing FROM lot WHERE place < (SELECT min(place) FROM open);

-- Skipped rows are passed.
SELECT item AS first FROM open ORDER BY place LIMIT 1 \gset
SELECT hl_skip('spots', :'first');
SELECT count(*) = 0 AS not_again FROM hl_next('spots', 5) WHERE item = :'first';
SELECT hl_refresh('spots');
INSERT INTO spot VALUES (301, '{1,0,0,0.2}', 'c0');
SELECT hl_refresh('spots');
SELECT count(*) AS asked_by_the_audit FROM hl_queue WHERE project = 'spots' AND item = :'first' AND reason = 'audit';
SELECT answer('spots', 40);
SELECT audited FROM hl_train('spots') \gset
SELECT :audited > 4 AND :'first' <> ALL (sampled('spots')) AND (SELECT count(*) FROM lot WHERE place <= (SELECT place FROM lot WHERE item = :'first')) < :audited AS order_is_not_blocked;

-- The same figures wherever they are shown.
SELECT m.n = p.audited AND m.value = p.audit_accuracy AND m.low = p.audit_low AND m.high = p.audit_high AS projects, m.n = c.audited AND m.value = c.audit_accuracy AND m.low = c.audit_low AND m.high = c.audit_high AS curve
FROM hl_metrics('spots') m, hl_projects p, hl_learning_curve('spots') c WHERE m.metric = 'accuracy' AND m.estimate = 'audit' AND p.project = 'spots' AND c.model = p.model;
SELECT metric, estimate, n = :audited AS sample, n = (SELECT labelled FROM hl_projects WHERE project = 'spots') AS all, low <= value AND value <= high AS in_interval FROM hl_metrics('spots') WHERE class IS NULL ORDER BY 1, 2;
SELECT estimate, metric, sum(n) = CASE estimate WHEN 'audit' THEN :audited ELSE (SELECT labelled FROM hl_projects WHERE project = 'spots') END AS adds_up FROM hl_metrics('spots') WHERE class IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2;
SELECT estimate, sum(n) = CASE estimate WHEN 'audit' THEN :audited ELSE (SELECT labelled FROM hl_projects WHERE project = 'spots') END AS adds_up, count(*) = max(bin) AND count(*) = least(15, greatest(1, sum(n) / 10)) AS bins,
	max(n) - min(n) <= 1 AS equal, bool_and(confidence_low <= confidence AND confidence <= confidence_high AND low <= accuracy AND accuracy <= high) AS in_order,
	abs(sum(n * accuracy) / sum(n) - max(m.value)) < 1e-9 AS accuracy, estimate <> 'audit' OR abs(sum(n * abs(confidence - accuracy)) / sum(n) - max(e.value)) < 1e-9 AS calibration_error
FROM hl_reliability('spots') r JOIN (SELECT estimate, value FROM hl_metrics('spots') WHERE metric = 'accuracy') m USING (estimate) JOIN (SELECT estimate, value FROM hl_metrics('spots') WHERE metric = 'calibration_error') e USING (estimate) GROUP BY estimate ORDER BY estimate;

-- Rows that have come since are asked when it is their turn, which may be at once.
-- Until then the sample of before does, as long as not much of it is lacking.
CREATE TABLE before AS SELECT sampled('spots') AS items;
INSERT INTO spot SELECT i, ARRAY[(i % 3 = 0)::int + 0.3 * sin(i), (i % 3 = 1)::int + 0.3 * sin(2 * i), (i % 3 = 2)::int + 0.3 * sin(3 * i), 0.2], 'c' || i % 3 FROM generate_series(302, 306) i;
SELECT audited >= :audited AS not_lost FROM hl_train('spots');
SELECT (SELECT items FROM before) <@ sampled('spots') AS kept;
-- one that says nothing of most of the source does not do
INSERT INTO spot SELECT i, ARRAY[(i % 3 = 0)::int + 0.3 * sin(i), (i % 3 = 1)::int + 0.3 * sin(2 * i), (i % 3 = 2)::int + 0.3 * sin(3 * i), 0.2], 'c' || i % 3 FROM generate_series(307, 1500) i;
SELECT audited < :audited AS of_what_is_there_now FROM hl_train('spots');
DELETE FROM spot WHERE id > 300;
SELECT hl_refresh('spots') > 1000 AS gone;

-- Everything is labelled: it is all in the sample, whoever said it.
SELECT hl_label_many('spots', array_agg(id::text), array_agg(truth), 'somebody else') FROM spot;
SELECT labels, audited, audit_accuracy = accuracy AS same FROM hl_train('spots');
SELECT count(*) FROM hl_queue WHERE project = 'spots';
-- an answer is taken back: that row is missing, and the others do for it
SELECT hl_undo('spots', :'first', 'somebody else');
SELECT labels, audited FROM hl_train('spots');
SELECT hl_drop_project('spots');

-- Labels of the source are as good as any, if they are by lot or all there are.
CREATE TABLE known AS SELECT id, v, CASE WHEN id % 3 = 0 OR id < 150 THEN truth END AS truth FROM spot;
ALTER TABLE known ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('known', 'known', 'v', label => 'truth');
SELECT labels, audited < 60 AS not_all_of_them, audited = (SELECT count(*) FROM lot WHERE place < (SELECT min(place) FROM lot JOIN known k ON k.id = item::int WHERE k.truth IS NULL)) AS prefix FROM hl_train('known');
UPDATE known SET truth = spot.truth FROM spot WHERE spot.id = known.id;
SELECT labels, audited FROM hl_train('known');
SELECT hl_drop_project('known');

-- none, and nothing else
SELECT project FROM hl_create_project('none', 'spot', 'v', options => '{"audit": 0}');
SELECT count(*) FILTER (WHERE reason = 'audit') FROM hl_queue WHERE project = 'none';
SELECT answer('none', 30);
SELECT model FROM hl_train('none');
SELECT count(*) FILTER (WHERE reason = 'audit') AS audit, count(*) > 100 AS others FROM hl_queue WHERE project = 'none';
SELECT project FROM hl_create_project('nothing_else', 'spot', 'v', options => '{"audit": 1, "seed_batch": 30}');
SELECT count(*), count(*) FILTER (WHERE reason = 'audit') AS audit FROM hl_queue WHERE project = 'nothing_else';
SELECT in_order('nothing_else') = (SELECT array_agg(item ORDER BY place) FROM lot WHERE place <= 30) AS by_lot;
SELECT answer('nothing_else', 30);
SELECT labels, audited FROM hl_train('nothing_else');
SELECT (SELECT array_agg(item ORDER BY rank) FROM hl_queue WHERE project = 'nothing_else' AND reason = 'audit') = (SELECT array_agg(item ORDER BY place) FROM lot WHERE place > 30) AS by_lot;
-- as does "random", whose queue goes on with a model as it was
SELECT answer('by_lot', 30);
SELECT labels, audited FROM hl_train('by_lot');
SELECT in_order('by_lot') = (SELECT array_agg(item ORDER BY place) FROM lot WHERE place > 30) AS by_lot, (SELECT DISTINCT reason FROM hl_queue WHERE project = 'by_lot') AS reason;
-- another seed, another order
SELECT project FROM hl_create_project('other', 'spot', 'v', acquisition => 'random', options => '{"seed_batch": 300, "random_seed": 1}');
SELECT in_order('other') <> (SELECT array_agg(item ORDER BY place) FROM lot) AND in_order('other') @> (SELECT array_agg(item) FROM lot) AS another_order;

-- A model of a version that kept less: what there is.
UPDATE hl_model_label SET predicted = NULL, confidence = NULL, audited = NULL;
UPDATE hl_model SET audited = NULL, audit_accuracy = NULL, audit_low = NULL, audit_high = NULL;
SELECT metric, estimate, low IS NULL AS no_interval FROM hl_metrics('by_lot') WHERE class IS NULL ORDER BY metric;
SELECT count(*) FROM hl_reliability('by_lot');
SELECT audited IS NULL AND audit_accuracy IS NULL AS unknown, accuracy IS NOT NULL AS plain FROM hl_projects WHERE project = 'by_lot';
SELECT audited FROM hl_train('by_lot');
-- damage is an error
UPDATE hl_model_label SET audited = audited[2:] WHERE audited IS NOT NULL;
SELECT error_of('SELECT hl_metrics(''by_lot'')'), error_of('SELECT hl_reliability(''by_lot'')');
UPDATE hl_model_label SET audited = array_append(audited, true), predicted = array_fill(7, ARRAY[cardinality(items)]) WHERE audited IS NOT NULL;
SELECT error_of('SELECT hl_metrics(''by_lot'')'), error_of('SELECT hl_reliability(''by_lot'')');
SELECT error_of('SELECT hl_reliability(NULL)'), error_of('SELECT hl_reliability(''nothing'')');
SELECT count(hl_drop_project(project)::text) FROM hl_projects;
DROP VIEW open;
DROP TABLE spot, known, lot, before;
DROP FUNCTION audits, answer, in_order, sampled;
