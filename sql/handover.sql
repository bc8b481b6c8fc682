-- When the machine may answer alone; sets of labels; rows that are asked by themselves.
SET client_min_messages = warning;
CREATE TABLE spot (id int PRIMARY KEY, v real[], truth text);
CREATE FUNCTION spots(first int, last int) RETURNS SETOF spot LANGUAGE sql AS $$
	SELECT i, ARRAY[(i % 3 = 0)::int + 0.6 * sin(i), (i % 3 = 1)::int + 0.6 * sin(2.7 * i), (i % 3 = 2)::int + 0.6 * sin(3.3 * i), 0.2]::real[], 'c' || i % 3 FROM generate_series(first, last) i $$;
INSERT INTO spot SELECT * FROM spots(1, 900);
CREATE FUNCTION answer(n int) RETURNS int LANGUAGE sql AS $$
	SELECT hl_label_many('spots', array_agg(q.item), array_agg(s.truth)) FROM (SELECT * FROM hl_queue WHERE project = 'spots' ORDER BY rank LIMIT n) q JOIN spot s ON s.id = q.item::int $$;
SELECT project FROM hl_create_project('spots', 'spot', 'v', acquisition => 'random', options => '{"seed_batch": 900, "queue_size": 900}');

-- Nothing is promised: no decision.
SELECT target_error, threshold, model, explanation FROM hl_handover('spots');
SELECT answer(30);
SELECT labels FROM hl_train('spots');
SELECT target_error, threshold, share, audited, model, explanation FROM hl_handover('spots');
SELECT count(*), count(decision) AS decided FROM hl_predict('spots');
SELECT decision IS NULL AS undecided FROM hl_predict('spots', ARRAY[1, 0, 0, 0.2]);

-- Options that can be changed, and what is wrong with others.
SELECT hl_set_option('spots', 'target_error', '0.05');
SELECT options->'target_error' AS target_error FROM hl_project;
SELECT hl_set_option('spots', 'train_growth', '2'), hl_set_option('spots', 'train_growth', NULL);
SELECT options ? 'train_growth' AS stored FROM hl_project;
\pset format unaligned
\pset tuples_only on
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_set_option('spots', 'target_error', '0.6')$$, $$SELECT hl_set_option('spots', 'target_error', '-1')$$, $$SELECT hl_set_option('spots', 'target_error', '"low"')$$,
	$$SELECT hl_set_option('spots', 'ask_uncertain', '1')$$, $$SELECT hl_set_option('spots', 'error', '0.1')$$, $$SELECT hl_set_option('spots', 'random_seed', '7')$$,
	$$SELECT hl_set_option('spots', 'targets', '"true"')$$, $$SELECT hl_set_option('spots', NULL, '1')$$, $$SELECT hl_set_option('nobody', 'audit', '1')$$,
	$$SELECT hl_handover('nobody')$$, $$SELECT hl_handover(NULL)$$]) s;
\pset format aligned
\pset tuples_only off

-- Too few answers of the audit: everything is for people, and it says how many more.
SELECT target_error, threshold, share, error, audited, automated, more BETWEEN 29 AND 200 AS more, explanation LIKE 'too few%are needed' AS explained FROM hl_handover('spots');
SELECT decision, count(*) FROM hl_predict('spots') GROUP BY decision;

-- Enough: at or above the threshold.
SELECT answer(270);
SELECT audited FROM hl_train('spots');
SELECT target_error, threshold BETWEEN 0.3 AND 1 AS threshold, share BETWEEN 0.3 AND 1 AS share, error_low <= error AND error <= error_high AND error_high <= target_error AS within, audited, automated = round(share * audited) AS automated,
	wrong = round(error * automated) AS wrong, more, model, explanation LIKE '%at most 0.05 of the answers%' AS explained FROM hl_handover('spots');
-- An alarm of hl_drift leaves that as it is, or, where somebody wants so, takes it back until there is another model.
BEGIN;
INSERT INTO hl_drift_finding (project_id, measure, model, class, recent, reference, low, high, p_value, level, n, alarmed_at)
	SELECT project_id, 'features', model, -1, 1, 0, 1, 1, 0, 0.01, 500, now() FROM hl_serving WHERE project_id = (SELECT id FROM hl_project WHERE name = 'spots');
SELECT count(*) FILTER (WHERE decision = 'auto') > 0 AS auto, count(*) FILTER (WHERE decision = 'human') > 0 AS human FROM hl_predict('spots');
SELECT hl_set_option('spots', 'drift_withdraws', 'true');
SELECT count(*) FILTER (WHERE decision = 'auto') AS auto, count(*) FILTER (WHERE decision = 'human') > 0 AS human FROM hl_predict('spots');
SELECT threshold, share > 0 AS share, error_high <= target_error AS within, more, explanation FROM hl_handover('spots');
SELECT hl_set_option('spots', 'drift', 'false');
SELECT threshold IS NOT NULL AS promised FROM hl_handover('spots');
SELECT hl_set_option('spots', 'drift', 'true');
SELECT threshold IS NOT NULL AS promised FROM hl_handover('spots');
SELECT audited > 0 AS audited FROM hl_train('spots');
SELECT threshold IS NOT NULL AS promised FROM hl_handover('spots');
SELECT count(*) FILTER (WHERE decision = 'auto') > 0 AS auto FROM hl_predict('spots');
ROLLBACK;
SELECT count(*) > 300 AS many, avg((p.label <> s.truth)::int) <= 0.05 AS holds FROM hl_predict('spots') p JOIN spot s ON s.id = p.item::int WHERE decision = 'auto';
SELECT bool_and((p.confidence >= h.threshold) = (p.decision = 'auto')) AS by_confidence, count(DISTINCT decision) FROM hl_predict('spots') p, hl_handover('spots') h;
-- one by one the same
SELECT count(*) FROM hl_predict('spots') p JOIN spot s ON s.id = p.item::int CROSS JOIN LATERAL hl_predict('spots', s.v) o WHERE o.decision IS DISTINCT FROM p.decision;
-- rows that say nothing are for people, however common a class is
SELECT decision FROM hl_predict('spots', ARRAY[0, 0, 0, 0]::real[]);
SELECT decision FROM hl_predict('spots', NULL::real[]);
-- a stricter promise at once has another threshold; one that cannot be kept has none
SELECT threshold AS before FROM hl_handover('spots') \gset
SELECT hl_set_option('spots', 'target_error', '0.02');
SELECT threshold > :before OR threshold IS NULL AS stricter FROM hl_handover('spots');
SELECT hl_set_option('spots', 'target_error', '0.001');
SELECT threshold, error_high, more > 2000 AS more FROM hl_handover('spots');
SELECT decision, count(*) FROM hl_predict('spots') GROUP BY decision;
SELECT hl_set_option('spots', 'target_error', NULL);
SELECT count(decision) FROM hl_predict('spots');
SELECT hl_set_option('spots', 'target_error', '0.05');
SELECT threshold = :before AS as_before FROM hl_handover('spots');
-- another model has a threshold of its own, also one from before
SELECT model - 1 AS first FROM hl_handover('spots') \gset
SELECT hl_deploy('spots', :first);
SELECT threshold, audited FROM hl_handover('spots');
SELECT decision, count(*) FROM hl_predict('spots') GROUP BY decision;
SELECT hl_deploy('spots', :first + 1);
SELECT threshold = :before AS as_before FROM hl_handover('spots');

-- Classes that change: a merged one is not surer for it, a renamed one is what it was.
CREATE TABLE decided AS SELECT item, label, decision FROM hl_predict('spots');
SELECT hl_rename_class('spots', 'c2', 'third') > 0 AS renamed;
SELECT count(*) FROM hl_predict('spots') p JOIN decided d USING (item) WHERE p.decision <> d.decision;
SELECT hl_merge_classes('spots', '{c1}', 'c0') > 0 AS merged;
SELECT count(*) FILTER (WHERE p.decision = 'auto' AND d.decision = 'human') AS more, count(*) FILTER (WHERE p.decision = 'auto') > 300 AS many FROM hl_predict('spots') p JOIN decided d USING (item);
SELECT hl_remove_class('spots', 'third') > 0 AS removed;
SELECT count(*) FROM hl_predict('spots') p JOIN decided d USING (item) WHERE p.decision = 'auto' AND d.label = 'c2';
SELECT hl_drop_project('spots');

-- Sets of labels.
SELECT project FROM hl_create_project('spots', 'spot', 'v', acquisition => 'random', options => '{"seed_batch": 900, "queue_size": 900}');
SELECT answer(60);
SELECT labels FROM hl_train('spots');
-- too few of the audit, so all labelled ones: here they are the same
SELECT DISTINCT estimate FROM hl_prediction_set('spots', ARRAY[1, 0, 0, 0.2]);
SELECT answer(240);
SELECT labels FROM hl_train('spots');
SELECT DISTINCT estimate FROM hl_prediction_set('spots', ARRAY[1, 0, 0, 0.2]);
CREATE FUNCTION covered(coverage float8, OUT covered numeric, OUT size numeric) LANGUAGE sql AS $$
	SELECT avg(c), avg(n) FROM spots(1001, 1600) s CROSS JOIN LATERAL (SELECT coalesce(bool_or(p.label = s.truth), false)::int AS c, count(*) AS n FROM hl_prediction_set('spots', s.v, covered.coverage) p) x $$;
SELECT c, abs(covered - c) < 0.06 AS near, size <= 3 AS few FROM unnest('{0.6,0.8,0.9,0.95}'::float8[]) c, covered(c);
-- most likely first, with the probabilities of the model; larger sets contain smaller ones
SELECT count(*) FROM spots(1001, 1100) s CROSS JOIN LATERAL hl_prediction_set('spots', s.v, 0.95) WITH ORDINALITY p(label, probability, estimate, n)
	JOIN LATERAL hl_probabilities('spots', s.v) WITH ORDINALITY q(label, probability, n) USING (label) WHERE p.n <> q.n OR p.probability <> q.probability;
SELECT count(*) FROM spots(1001, 1100) s CROSS JOIN LATERAL hl_prediction_set('spots', s.v, 0.8) p WHERE p.label NOT IN (SELECT label FROM hl_prediction_set('spots', s.v, 0.95));
-- all of them, where nothing is known of the row, or too little to say it so surely
SELECT count(*) FROM hl_prediction_set('spots', ARRAY[0, 0, 0, 0]::real[]);
SELECT count(*) FROM hl_prediction_set('spots', ARRAY[1, 0, 0, 0.2], 0.9999);
\pset format unaligned
\pset tuples_only on
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_prediction_set('spots', ARRAY[1, 0, 0, 0.2], 0)$$, $$SELECT hl_prediction_set('spots', ARRAY[1, 0, 0, 0.2], 1)$$, $$SELECT hl_prediction_set('spots', ARRAY[1, 0, 0, 0.2], 'NaN')$$,
	$$SELECT hl_prediction_set('spots', ARRAY[1, 0, 0, 0.2], NULL)$$, $$SELECT hl_prediction_set('spots', ARRAY[1, 0])$$, $$SELECT hl_prediction_set('nobody', 'x')$$]) s;
\pset format aligned
\pset tuples_only off
SELECT count(*) > 0 AS as_text FROM hl_prediction_set('spots', '[1,0,0,0.2]');

-- With enough labels they are of a second model, that has not seen a quarter of them.
CREATE TABLE place AS SELECT * FROM spots(1, 1300);
ALTER TABLE place ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('places', 'place', 'v', label => 'truth');
SELECT labels FROM hl_train('places');
SELECT model, held_out IS NOT NULL AS second FROM hl_model_label WHERE project_id = (SELECT id FROM hl_project WHERE name = 'places');
CREATE VIEW set_of AS SELECT s.id, s.truth, c AS coverage, p.* FROM spots(2001, 2600) s, unnest('{0.6,0.8,0.9,0.95}'::float8[]) c
	CROSS JOIN LATERAL hl_prediction_set('places', s.v, c) WITH ORDINALITY p(label, probability, estimate, n);
SELECT coverage, abs(count(*) FILTER (WHERE label = truth) / 600.0 - coverage) < 0.06 AS near, count(*) / 600.0 <= 2 AS few, min(estimate) AS estimate FROM set_of GROUP BY coverage ORDER BY coverage;
-- most likely first, by that model; larger sets contain smaller ones
SELECT count(*) FROM set_of a JOIN set_of b USING (id, coverage) WHERE a.n < b.n AND a.probability < b.probability;
SELECT count(*) FROM set_of a WHERE coverage = 0.8 AND NOT EXISTS (SELECT FROM set_of b WHERE b.id = a.id AND b.coverage = 0.95 AND b.label = a.label AND b.probability = a.probability);
-- too little for that coverage, with rows that are held out as with all
SELECT count(*) FROM hl_prediction_set('places', ARRAY[1, 0, 0, 0.2], 0.999);
SELECT count(*) FROM hl_prediction_set('places', ARRAY[1, 0, 0, 0.2], 0.9999);
-- classes are called what they are now
BEGIN;
UPDATE place SET truth = CASE truth WHEN 'c2' THEN 'third' ELSE 'c0' END;
SELECT hl_rename_class('places', 'c2', 'third') > 0 AS renamed, hl_merge_classes('places', '{c1}', 'c0') > 0 AS merged;
SELECT count(*) FILTER (WHERE label NOT IN ('c0', 'third')) AS gone, count(*) FILTER (WHERE label = 'c0') > 300 AS both, count(*) FILTER (WHERE label = 'third') > 100 AS third FROM set_of WHERE coverage = 0.8;
ROLLBACK;
-- who does not want it has the limits of the cross-validation
BEGIN;
SELECT hl_set_option('places', 'prediction_sets', 'false');
SELECT labels FROM hl_train('places');
SELECT count(*) AS models, count(held_out) AS second FROM hl_model_label WHERE project_id = (SELECT id FROM hl_project WHERE name = 'places');
SELECT count(*) FILTER (WHERE label = truth) / 600.0 > 0.7 AS near FROM set_of WHERE coverage = 0.8;
ROLLBACK;
-- without a sample of the source; what is stored may be damaged, or gone
UPDATE place SET truth = NULL WHERE id % 13 = 0;
SELECT labels FROM hl_train('places');
\pset format unaligned
\pset tuples_only on
BEGIN;
UPDATE hl_model_label SET held_out = '\x00' WHERE held_out IS NOT NULL;
SELECT error_of($$SELECT hl_prediction_set('places', ARRAY[1, 0, 0, 0.2])$$);
UPDATE hl_model_label SET held_out = NULL;
SELECT DISTINCT estimate FROM set_of WHERE coverage = 0.8;
ROLLBACK;
\pset format aligned
\pset tuples_only off
SELECT DISTINCT estimate FROM set_of WHERE coverage = 0.8;
DROP VIEW set_of;
SELECT hl_drop_project('places');
DROP TABLE place;

-- Rows that come and are not decided are asked by themselves, where the option says so.
SELECT hl_set_option('spots', 'target_error', '0.05');
SELECT hl_set_option('spots', 'ask_uncertain', 'true');
INSERT INTO spot SELECT * FROM spots(2001, 2030);
SELECT hl_refresh('spots') AS changed;
SELECT count(*) > 0 AS some, count(*) < 30 AS not_all, count(asked_by) AS by_somebody FROM hl_asked;
SELECT count(*) AS otherwise FROM hl_predict('spots') p WHERE item::int > 2000 AND (decision = 'human') <> (item IN (SELECT item FROM hl_asked));
SELECT bool_and(reason = 'hand-over') AS first FROM hl_queue WHERE rank <= (SELECT count(*) FROM hl_asked);
-- not those that were there before, nor without the option
SELECT hl_refresh('spots') AS changed;
SELECT hl_set_option('spots', 'ask_uncertain', 'false');
INSERT INTO spot SELECT * FROM spots(2031, 2090);
SELECT hl_refresh('spots') AS changed;
SELECT count(*) FROM hl_asked WHERE item::int > 2030;
SELECT hl_drop_project('spots');
DROP TABLE spot, decided CASCADE;
DROP FUNCTION answer, covered;
