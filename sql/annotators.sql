-- Who has answered how much, how well, and how quickly.
SET client_min_messages = warning;
CREATE TABLE desk AS SELECT * FROM tickets(120);
ALTER TABLE desk ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('desk', 'desk', 'body', options => '{"answers": 3, "audit": 0}');
SELECT hl_pause('desk');
SELECT count(*) FROM hl_annotators('desk');
SELECT count(*) FROM hl_annotator_confusion('desk');
SELECT hl_gold('desk', 1, 'returns');
SELECT count(*) FROM hl_annotators('desk');
SELECT count(*) FROM hl_annotator_confusion('desk');
SELECT hl_drop_gold('desk', 1);
-- alone: nothing says how good she is
SELECT count(hl_label('desk', id, topic, 'ann')) FROM desk WHERE id <= 60;
SELECT * FROM hl_annotators('desk');
-- two who are right, one who takes billing for returns every time, one who guesses
SELECT count(hl_label('desk', id, topic, 'bob')) FROM desk WHERE id <= 60;
SELECT count(hl_label('desk', id, CASE topic WHEN 'billing' THEN 'returns' ELSE topic END, 'cid')) FROM desk WHERE id <= 60;
SELECT count(hl_label('desk', id, (ARRAY['billing', 'delivery', 'returns'])[1 + id * id % 7 % 3], 'dan')) FROM desk WHERE id <= 60;
SELECT hl_skip('desk', 100, annotator => 'dan'), hl_skip('desk', 101, annotator => 'dan');
SELECT annotator, answers, skips, round(agreement::numeric, 2) AS agreement, accuracy_low < accuracy AND accuracy < accuracy_high AS interval, accuracy > 0.9 AS good, accuracy < 0.6 AS bad, gold_answers, gold_hits, median_seconds FROM hl_annotators('desk');
SELECT truth, said, round(answers::numeric) AS answers, probability > 0.8 AS mostly, low < probability AND probability < high AS interval FROM hl_annotator_confusion('desk', 'cid') ORDER BY 1, 2;
SELECT annotator, round(sum(answers)) AS answers FROM hl_annotator_confusion('desk') GROUP BY 1 ORDER BY 1;
-- a model says what it was trained with
SELECT hl_settle('desk', 1, topic) > 0 AS settled FROM desk WHERE id = 1;
SELECT model FROM hl_train('desk');
SELECT p -> 'annotators' AS annotators, (p ->> 'least_accuracy')::float8 < 0.6 AS one_is_bad, (p ->> 'most_accuracy')::float8 > 0.9 AS one_is_good,
	p -> 'certain' AS certain, p -> 'repeated' AS repeated, (p ->> 'entropy')::float8 < 0.01 AS no_doubt
FROM hl_models('desk'), LATERAL (SELECT figures -> 'people' AS p) f;
SELECT count(hl_undo('desk', item, annotator)) FROM hl_labels WHERE annotator <> 'ann';
SELECT model, (SELECT figures FROM hl_models('desk') m WHERE m.model = t.model) AS figures FROM hl_train('desk') t;
-- gold decides between two who differ
SELECT hl_drop_project('desk');
SELECT project FROM hl_create_project('desk', 'desk', 'body', options => '{"audit": 0, "gold": 0}');
SELECT hl_pause('desk');
SELECT count(hl_label('desk', id, topic, 'ann')), count(hl_label('desk', id, CASE topic WHEN 'billing' THEN 'returns' WHEN 'returns' THEN 'delivery' ELSE 'billing' END, 'eve')) FROM desk WHERE id <= 40;
SELECT model FROM hl_train('desk');
SELECT (figures -> 'people' ->> 'entropy')::float8 > 0.3 AS doubt FROM hl_models('desk');
SELECT count(hl_gold('desk', id, topic)) FROM desk WHERE id <= 12;
SELECT annotator, round(agreement::numeric, 2) AS agreement, accuracy > 0.8 AS good, accuracy < 0.3 AS bad, gold_answers, gold_hits FROM hl_annotators('desk');
-- with gold alone, too
SELECT count(hl_undo('desk', id, 'eve')) FROM desk WHERE id <= 40;
SELECT annotator, answers, agreement, accuracy > 0.8 AS good, gold_answers, gold_hits FROM hl_annotators('desk');
-- what a session remembers is of these answers only, and with no room for it they are the same
CREATE TABLE seen AS SELECT * FROM hl_annotators('desk');
SELECT count(*) FROM (SELECT * FROM hl_annotators('desk') EXCEPT TABLE seen) s;
BEGIN;
SELECT count(hl_label('desk', id, 'billing', 'ann')) FROM desk WHERE id <= 12;
SELECT count(*) FROM (SELECT * FROM hl_annotators('desk') EXCEPT TABLE seen) s;
ROLLBACK;
SELECT count(*) FROM (SELECT * FROM hl_annotators('desk') EXCEPT TABLE seen) s;
BEGIN;
SET LOCAL humanloop.cache_size = 0;
SELECT hl_gold('desk', 13, 'returns');
SELECT count(*) FROM (SELECT * FROM hl_annotators('desk') EXCEPT TABLE seen) s;
ROLLBACK;
SELECT count(*) FROM (SELECT * FROM hl_annotators('desk') EXCEPT TABLE seen) s;
DROP TABLE seen;
-- seconds from lease to answer
SELECT count(hl_label('desk', item, 'returns', 'fay')) FROM hl_next('desk', 3, 'fay');
UPDATE hl_answer SET leased_at = answered_at - (ARRAY['5 s', '7 s', '60 s'])[1 + id % 3]::interval WHERE annotator = 'fay';
SELECT annotator, median_seconds FROM hl_annotators('desk');

-- Who manages sees all; others themselves, and not how often they have met gold.
CREATE ROLE regress_hl_ann;
CREATE ROLE regress_hl_boss;
GRANT SELECT ON desk TO regress_hl_ann, regress_hl_boss;
SELECT hl_grant('desk', 'regress_hl_ann', 'annotate'), hl_grant('desk', 'regress_hl_boss', 'manage');
SELECT hl_label('desk', 1, 'delivery', 'regress_hl_ann') > 0;
SET ROLE regress_hl_ann;
SELECT annotator, answers, agreement, gold_answers, gold_hits FROM hl_annotators('desk');
SELECT truth, said FROM hl_annotator_confusion('desk');
SELECT error_of($$SELECT hl_annotator_confusion('desk', 'ann')$$);
SELECT error_of($$SELECT hl_golds('desk')$$), error_of($$SELECT hl_gold('desk', 50, 'returns')$$), error_of($$SELECT hl_drop_gold('desk', 1)$$);
SET ROLE regress_hl_boss;
SELECT annotator, gold_answers FROM hl_annotators('desk') ORDER BY 1;
RESET ROLE;
SELECT hl_drop_project('desk');
DROP TABLE desk;
DROP ROLE regress_hl_ann;
DROP ROLE regress_hl_boss;
