-- What more labels would bring, and when they bring nothing any more.
SET client_min_messages = warning;
SET extra_float_digits = 0;
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
INSERT INTO ticket SELECT id, body, topic FROM tickets(420);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');

-- Before there is a curve.
SELECT error_of($$SELECT hl_forecast('tickets')$$);
SELECT criterion, value, threshold, met, explanation FROM hl_stop('tickets');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 21;
SELECT model FROM hl_train('tickets');
SELECT error_of($$SELECT hl_forecast('tickets')$$);
-- the same labels once more are no second point, and no proof of stability
SELECT model FROM hl_train('tickets');
SELECT error_of($$SELECT hl_forecast('tickets')$$);
SELECT agreement FROM hl_model ORDER BY model;
SELECT criterion, value, met, explanation FROM hl_stop('tickets');

-- With one: from what is there on, with an interval that holds it.
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60;
SELECT labels FROM hl_train('tickets');
SELECT what, labels, more, more_low, more_high, low < accuracy AND accuracy < high AS inside, accuracy >= lag(accuracy) OVER (ORDER BY labels) AS rising, estimate, n, models FROM hl_forecast('tickets');
SELECT f.low < m.accuracy AND m.accuracy < f.high AS holds_the_last FROM hl_forecast('tickets') f, hl_model m WHERE f.more = 0 AND m.model = 3;
SELECT labels - more AS present, more >= 0 AS more, more_low <= more AND more <= more_high AS inside, accuracy, low, high FROM hl_forecast('tickets', 0.99) WHERE what = 'target' AND more_high IS NOT NULL
UNION ALL SELECT 60, true, true, 0.99, NULL, NULL FROM hl_forecast('tickets', 0.99) WHERE what = 'target' AND more_high IS NULL;
-- reached long ago; never
SELECT labels, more, more_low, more_high, accuracy FROM hl_forecast('tickets', 0.3) WHERE what = 'target';
SELECT labels, more, more_low, more_high, accuracy FROM hl_forecast('tickets', 1) WHERE what = 'target';
SELECT agreement > 0.5 AND agreement <= 1 AS agreement FROM hl_model WHERE model = 3;
SELECT criterion, value IS NOT NULL AS known, threshold, met = (CASE criterion WHEN 'gain' THEN value < threshold ELSE value >= threshold END) AS as_it_says FROM hl_stop('tickets') WHERE criterion <> 'stop';
SELECT s.met = bool_and(c.met) AS all_of_them FROM hl_stop('tickets') s, hl_stop('tickets') c WHERE s.criterion = 'stop' AND c.criterion <> 'stop' GROUP BY s.met;

-- By hand: a curve that has flattened, and models that agree.
BEGIN;
UPDATE hl_model SET accuracy = 0.9, agreement = 0.995;
INSERT INTO hl_model (project_id, model, encoder_id, encoder, classes, labels, folds, prior_precision, scale, refined, accuracy, accuracy_low, accuracy_high, log_loss, calibration_error, confusion, deployed, trained_by, seconds, reason, agreement)
	SELECT project_id, 10 + i, encoder_id, encoder, classes, 100 * i, folds, prior_precision, scale, refined, 0.9, accuracy_low, accuracy_high, log_loss, calibration_error, confusion, true, trained_by, seconds, reason, 0.995 FROM hl_model, generate_series(1, 20) i WHERE model = 3;
SELECT criterion, round(value::numeric, 3) AS value, threshold, met, explanation FROM hl_stop('tickets');
SELECT criterion, met FROM hl_stop('tickets', 0.0001);
UPDATE hl_model SET agreement = 0.98 WHERE model = 29;
SELECT criterion, round(value::numeric, 3) AS value, met FROM hl_stop('tickets');
-- the last tenth of the labels counts
UPDATE hl_model SET agreement = CASE WHEN model = 28 THEN 0.98 ELSE 0.995 END;
SELECT criterion, round(value::numeric, 3) AS value, met FROM hl_stop('tickets');
UPDATE hl_model SET agreement = NULL WHERE model = 30;
SELECT criterion, value, met, explanation FROM hl_stop('tickets') WHERE criterion = 'stability';
-- labels that were taken back are to be given again
INSERT INTO hl_model (project_id, model, encoder_id, encoder, classes, labels, folds, prior_precision, scale, refined, accuracy, accuracy_low, accuracy_high, log_loss, calibration_error, confusion, deployed, trained_by, seconds, reason)
	SELECT project_id, 31, encoder_id, encoder, classes, 450, folds, prior_precision, scale, refined, 0.9, accuracy_low, accuracy_high, log_loss, calibration_error, confusion, true, trained_by, seconds, reason FROM hl_model WHERE model = 3;
SELECT labels, more, n, models FROM hl_forecast('tickets') ORDER BY labels LIMIT 2;
DELETE FROM hl_model WHERE model = 31;
-- the audit's sample comes first where there is enough of it
UPDATE hl_model SET audited = labels / 10, audit_accuracy = 0.95 - 2 / sqrt(labels);
SELECT what, labels, more, round(accuracy::numeric, 1) AS accuracy, estimate, n, models FROM hl_forecast('tickets');
UPDATE hl_model SET audited = labels / 50;
SELECT DISTINCT estimate, n, models FROM hl_forecast('tickets');
-- what was before classes were merged was another problem; a new name is none
UPDATE hl_model SET class_names = '{a,b,c}' WHERE model < 20;
SELECT DISTINCT models FROM hl_forecast('tickets');
UPDATE hl_model SET class_names = '{a,b,b}' WHERE model < 15;
UPDATE hl_model SET class_names = '{a,"",b}' WHERE model = 15;
SELECT DISTINCT models FROM hl_forecast('tickets');
ROLLBACK;
-- a true curve of 0.95 - 2 / sqrt(n) is found again, and the 2500 labels that 0.91 takes
BEGIN;
DELETE FROM hl_model WHERE model < 3;
INSERT INTO hl_model (project_id, model, encoder_id, encoder, classes, labels, folds, prior_precision, scale, refined, accuracy, accuracy_low, accuracy_high, log_loss, calibration_error, confusion, deployed, trained_by, seconds, reason)
	SELECT project_id, 10 + i, encoder_id, encoder, classes, 50 * i, folds, prior_precision, scale, refined, 0.95 - 2 / sqrt(50 * i), accuracy_low, accuracy_high, log_loss, calibration_error, confusion, true, trained_by, seconds, reason FROM hl_model, generate_series(1, 20) i WHERE model = 3;
UPDATE hl_model SET accuracy = 0.95 - 2 / sqrt(labels);
SELECT labels, low < 0.95 - 2 / sqrt(labels) AND 0.95 - 2 / sqrt(labels) < high AS holds, high - low < 0.1 AS narrow, abs(accuracy - 0.95 + 2 / sqrt(labels)) < 0.015 AS near FROM hl_forecast('tickets');
SELECT more_low < 1500 AND 1500 < coalesce(more_high, 1e9) AS holds, more BETWEEN 500 AND 4500 AS near FROM hl_forecast('tickets', 0.95 - 2 / sqrt(2500)) WHERE what = 'target';
SELECT labels, more, more_low, more_high FROM hl_forecast('tickets', 0.85) WHERE what = 'target';
ROLLBACK;

-- What cannot be.
SELECT error_of($$SELECT hl_forecast('tickets', 0)$$);
SELECT error_of($$SELECT hl_forecast('tickets', 'NaN')$$);
SELECT error_of($$SELECT hl_forecast(NULL)$$);
SELECT error_of($$SELECT hl_forecast('nothing')$$);
SELECT error_of($$SELECT hl_stop('tickets', 0)$$);
SELECT error_of($$SELECT hl_stop('tickets', NULL)$$);
-- a model that is damaged is replaced all the same
UPDATE hl_model_part SET data = '\xdead' WHERE model = (SELECT model FROM hl_serving);
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 90;
\connect -
SET client_min_messages = warning;
SELECT deployed FROM hl_train('tickets');
SELECT agreement IS NULL AS not_known FROM hl_model ORDER BY model DESC LIMIT 1;
SELECT hl_drop_project('tickets');

-- The agreement is Cohen's kappa over all rows that nobody has labelled, where
-- these are no more than the sample; whatever classes are called.
CREATE VIEW few AS SELECT * FROM ticket WHERE id <= 200;
SELECT project FROM hl_create_project('few', 'few', 'body', 'id');
SELECT hl_label_many('few', array_agg(id::text), array_agg(topic)) FROM few WHERE id <= 24;
SELECT model FROM hl_train('few');
CREATE TABLE first AS SELECT item, label FROM hl_predict('few');
SELECT hl_label_many('few', array_agg(id::text), array_agg(topic)) FROM few WHERE id <= 48;
SELECT model FROM hl_train('few');
CREATE VIEW pairs AS SELECT f.label AS a, s.label AS b FROM first f JOIN hl_predict('few') s USING (item) WHERE f.item::int > 48;
WITH observed AS (SELECT count(*) AS n, avg((a = b)::int) AS po FROM pairs),
	expected AS (SELECT sum(x.n * y.n) / (SELECT n * n FROM observed) AS pe FROM (SELECT a, count(*) AS n FROM pairs GROUP BY a) x JOIN (SELECT b, count(*) AS n FROM pairs GROUP BY b) y ON a = b)
SELECT n, po < 1 AS differ, abs((po - pe) / (1 - pe) - agreement) < 1e-9 AS kappa FROM observed, expected, hl_model WHERE model = 2;
SELECT hl_rename_class('few', 'billing', 'bills') > 0 AS renamed;
SELECT deployed FROM hl_train('few');
SELECT agreement FROM hl_model WHERE model = 3;
SELECT hl_drop_project('few');
DROP VIEW pairs, few;
DROP TABLE first, ticket;
