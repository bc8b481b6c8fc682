-- How good the model is, and how it became so.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
INSERT INTO ticket SELECT id, body, topic FROM tickets(300);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
SELECT (SELECT count(*) FROM hl_metrics('tickets')) + (SELECT count(*) FROM hl_confusion('tickets')) + (SELECT count(*) FROM hl_learning_curve('tickets')) AS nothing_yet;
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 30;
SELECT model FROM hl_train('tickets');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 210;
CREATE TEMP TABLE trained AS SELECT * FROM hl_train('tickets');

SELECT metric, class, value BETWEEN 0 AND 1 OR metric = 'log_loss' AS value, low <= value AND value <= high AS in_interval, (low IS NULL) = (high IS NULL) AS both, n, estimate
FROM hl_metrics('tickets') WHERE metric NOT IN ('precision', 'recall') ORDER BY metric;
SELECT metric, class, value > 0.7 AS value, low > 0.5 AND low <= value AND value <= high AND high <= 1 AS in_interval, estimate
FROM hl_metrics('tickets') WHERE metric IN ('precision', 'recall') ORDER BY metric, class;
-- the same numbers wherever they are shown
SELECT t.accuracy = m.value AND t.accuracy_low = m.low AND t.accuracy_high = m.high AS metrics, t.accuracy = p.accuracy AND t.accuracy_low = p.accuracy_low AS projects,
	t.accuracy = c.accuracy AND t.accuracy_low = c.low AS curve, t.log_loss = l.value AS log_loss, t.calibration_error = e.value AS calibration
FROM trained t, hl_projects p, hl_metrics('tickets') m, hl_metrics('tickets') l, hl_metrics('tickets') e, hl_learning_curve('tickets') c
WHERE m.metric = 'accuracy' AND l.metric = 'log_loss' AND e.metric = 'calibration_error' AND c.model = t.model;
-- the confusion is of all labels; its diagonal is the accuracy, its rows the truth
SELECT sum(n) AS labels, abs(sum(n) FILTER (WHERE truth = predicted)::float8 / sum(n) - (SELECT accuracy FROM trained)) < 1e-9 AS diagonal, min(n) > 0 AS no_zeros FROM hl_confusion('tickets');
SELECT truth, sum(n) = (SELECT count(*) FROM ticket WHERE id <= 210 AND topic = truth) AS as_labelled FROM hl_confusion('tickets') GROUP BY truth ORDER BY truth;
SELECT m.class, abs(m.value - (SELECT sum(n) FILTER (WHERE truth = predicted)::float8 / sum(n) FROM hl_confusion('tickets') WHERE truth = m.class)) < 1e-9 AS recall
FROM hl_metrics('tickets') m WHERE metric = 'recall' ORDER BY class;
SELECT m.class, abs(m.value - (SELECT sum(n) FILTER (WHERE truth = predicted)::float8 / sum(n) FROM hl_confusion('tickets') WHERE predicted = m.class)) < 1e-9 AS precision
FROM hl_metrics('tickets') m WHERE metric = 'precision' ORDER BY class;
-- cross-validation is honest: on labels drawn by lot it finds nothing
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(substr('abc', 1 + ('x' || left(md5('lot' || id), 4))::bit(16)::int % 3, 1))) FROM ticket WHERE id <= 210;
SELECT accuracy BETWEEN 0.2 AND 0.5 AS chance, log_loss > 0.9 AS log_loss, calibration_error < 0.2 AS honest FROM hl_train('tickets');
SELECT avg(confidence) < 0.6 AS modest FROM hl_predict('tickets') WHERE item::int > 210;
-- the curve has a row a model, in order
SELECT model, labels, accuracy BETWEEN low AND high AS in_interval, trained_at <= clock_timestamp() AS dated FROM hl_learning_curve('tickets');
SELECT model, accuracy > 0.9 AS good FROM hl_learning_curve('tickets');

-- An interval is honest with few labels, too: right by chance is not certain.
SELECT project FROM hl_create_project('few', 'ticket', 'body');
SELECT hl_label_many('few', '{1,2,4,5}', '{delivery,billing,delivery,billing}');
SELECT accuracy_low < 0.8 AS low, accuracy_high - accuracy_low > 0.3 AS wide FROM hl_train('few');
SELECT count(hl_drop_project(project)::text) FROM hl_projects;
DROP TABLE ticket;
