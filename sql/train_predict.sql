-- Training and prediction on text: meaning, uncertainty, bad input, versions.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text, ambiguous boolean);
INSERT INTO ticket SELECT * FROM tickets(420);
INSERT INTO ticket (id, body) VALUES (1001, NULL), (1002, ''), (1003, '  '), (1004, '🙈🙉🙊');
SELECT project, items FROM hl_create_project('tickets', 'ticket', 'body');

-- Before the first model: errors that say what to do; measures are empty.
\pset format unaligned
\pset tuples_only on
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_predict('tickets', 'hello')$$, $$SELECT hl_predict('tickets')$$, $$SELECT hl_probabilities('tickets', 'hello')$$,
	$$SELECT hl_uncertainty('tickets', 'hello')$$, $$SELECT hl_embed('tickets', 'hello')$$,
	$$SELECT hl_predict('tickets', NULL)$$,
	$$SELECT hl_train('tickets')$$]) s;
SELECT hl_label('tickets', 1, 'delivery') IS NOT NULL;
SELECT error_of($$SELECT hl_train('tickets')$$);
SELECT hl_label_many('tickets', '{4,7}', '{delivery,delivery}');
SELECT error_of($$SELECT hl_train('tickets')$$);
\pset format aligned
\pset tuples_only off
SELECT (SELECT count(*) FROM hl_metrics('tickets')) AS metrics, (SELECT count(*) FROM hl_confusion('tickets')) AS confusion,
	(SELECT count(*) FROM hl_learning_curve('tickets')) AS curve, (SELECT state FROM hl_projects) AS state;
-- labels of rows without input do not teach
SELECT hl_label_many('tickets', '{1001}', '{billing}');
SELECT error_of($$SELECT hl_train('tickets')$$) ~ 'one class only' AS one_class;
SELECT hl_undo('tickets', 1001);

-- The least that can be learned from: one label of each of two classes.
SELECT hl_label('tickets', 2, 'billing') IS NOT NULL AS labelled;
SELECT model, deployed, encoder, classes, labels, accuracy BETWEEN 0 AND 1 AS accuracy,
	accuracy_low <= accuracy AND accuracy <= accuracy_high AS interval, log_loss > 0 AS log_loss, calibration_error BETWEEN 0 AND 1 AS calibration, seconds > 0 AS seconds
FROM hl_train('tickets');
SELECT label IN ('billing', 'delivery') AS label, confidence BETWEEN 0.5 AND 1 AS confidence FROM hl_predict('tickets', 'I was charged twice');
-- a class with one label among others with many
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60 AND topic <> 'returns' AND NOT ambiguous;
SELECT hl_label('tickets', 3, 'returns') IS NOT NULL AS labelled;
SELECT model, classes, labels, accuracy BETWEEN 0 AND 1 AS accuracy FROM hl_train('tickets');

-- With half of the tickets labelled, ambiguous ones among them, it knows.
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 210;
CREATE TEMP TABLE trained AS SELECT * FROM hl_train('tickets');
SELECT model, deployed, encoder, classes, labels, accuracy > 0.8 AS accurate, accuracy_low > 0.7 AS low, accuracy_high <= 1 AS high,
	accuracy_low <= accuracy AND accuracy <= accuracy_high AS interval,
	log_loss BETWEEN 0.01 AND 0.7 AS log_loss, calibration_error BETWEEN 0 AND 0.25 AS calibration FROM trained;
SELECT text, label, confidence > 0.6 AS confident, decision, model, revision
FROM (VALUES ('where is the parcel with my new hat'), ('I was charged twice for a coat'), ('how can I return this'),
	('WHERE IS THE PARCEL'), ('tracking shows no movement, I am still waiting for shipment'), ('please take back the chair')) t(text),
	hl_predict('tickets', t.text);
-- on the tickets it has not seen, it is nearly always right
SELECT count(*) FILTER (WHERE p.label = t.topic) > 0.97 * count(*) AS right FROM ticket t, hl_predict('tickets', t.body) p
WHERE t.id BETWEEN 211 AND 420 AND NOT t.ambiguous;

-- Probabilities: of all classes, summing to one, in order, the first is the answer.
SELECT t.id, count(*) AS classes, abs(sum(probability) - 1) < 1e-5 AS one, array_agg(label) = array_agg(label ORDER BY probability DESC) AS ordered,
	bool_and(probability BETWEEN 0 AND 1) AS valid,
	(array_agg(label))[1] = (hl_predict('tickets', t.body)).label AS same_label, abs(max(probability) - (hl_predict('tickets', t.body)).confidence) < 1e-6 AS same_confidence
FROM ticket t, hl_probabilities('tickets', t.body) WHERE t.id IN (7, 8, 9, 1001, 1002, 1003) GROUP BY t.id ORDER BY t.id;

-- Uncertainty: parts add up, bounded by the logarithm of the classes.
SELECT count(*), bool_and(abs(u.total - u.aleatoric - u.epistemic) < 1e-6) AS adds_up, bool_and(u.epistemic >= 0 AND u.aleatoric >= 0) AS positive, bool_and(total <= ln(3) + 1e-6) AS bounded,
	bool_and(abs(u.epistemic - p.epistemic) < 1e-6 AND abs(u.aleatoric - p.aleatoric) < 1e-6) AS same_as_predict
FROM ticket t, hl_uncertainty('tickets', t.body) u, hl_predict('tickets', t.body) p;
CREATE TEMP TABLE scored AS SELECT t.*, p.label, p.confidence, p.epistemic, p.aleatoric FROM ticket t, hl_predict('tickets', t.body) p;
-- what people disagree about is aleatoric
SELECT avg(aleatoric) FILTER (WHERE ambiguous) > 1.3 * avg(aleatoric) FILTER (WHERE NOT ambiguous) AS ambiguous_is_aleatoric FROM scored WHERE id > 210;
-- what nobody has ever seen is epistemic: other words, other script, nothing
SELECT text, p.epistemic > (SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY epistemic) FROM scored WHERE NOT ambiguous) AS more_epistemic,
	p.confidence < (SELECT avg(confidence) FROM scored WHERE NOT ambiguous) AS less_confident
FROM (VALUES ('the gearbox whirs oddly uphill'), ('Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich'), ('量子力学'), ('xkqz wjvv ptgh'), (''), (NULL)) v(text), hl_predict('tickets', v.text) p;

-- NULL, empty, blank, unknown: the prior's answer, the same for all of them.
SELECT count(DISTINCT round(p.confidence::numeric, 5)) AS answers, bool_and(p.label IS NOT NULL) AS labelled
FROM (VALUES (NULL), (''), (' '), (E'\t\n\r'), ('量'), ('???')) v(text), hl_predict('tickets', v.text) p;
SELECT (hl_predict('tickets', NULL)).label IS NOT NULL AS null_literal, hl_embed('tickets', NULL) IS NULL AS null_embedded;
SELECT count(*) FROM hl_probabilities('tickets', NULL);

-- Long and odd texts are read to the end.
SELECT label FROM hl_predict('tickets', repeat('where is the parcel with the shoes ', 300000));
SELECT label FROM hl_predict('tickets', repeat('x', 10000000) || ' I was charged twice for the invoice');
SELECT label IS NOT NULL AS answered FROM hl_predict('tickets', repeat('好', 1000000));
SELECT label IS NOT NULL AS answered FROM hl_predict('tickets', repeat('👨‍👩‍👧‍👦', 10000));
SELECT label IS NOT NULL AS answered FROM hl_predict('tickets', repeat(E'e\u0301\u0302\u0303', 10000));
SELECT count(*), bool_and(label IS NOT NULL) AS answered FROM generate_series(1, 2000) i, hl_predict('tickets', chr(i)) p;

-- Embedding: a unit vector, the same for the same text.
SELECT abs(sqrt(sum(x * x)) - 1) < 1e-3 AS unit, count(*) > 10 AS dims FROM unnest(hl_embed('tickets', 'where is the parcel')) x;
SELECT hl_embed('tickets', 'where is the parcel') = hl_embed('tickets', 'where is the parcel') AS repeatable,
	hl_embed('tickets', 'where is the parcel') = hl_embed('tickets', 'WHERE  IS   THE PARCEL') AS folded,
	hl_embed('tickets', 'where is the parcel') = hl_embed('tickets', 'I was charged twice') AS equal_to_another;

-- All rows at once: one row an item, also those without text; the same
-- answers as one by one, also for rows that have changed since the training.
CREATE FUNCTION compare_all() RETURNS TABLE (rows bigint, same bigint, labels_differ bigint) LANGUAGE sql AS $$
	SELECT count(*), count(*) FILTER (WHERE abs(a.confidence - p.confidence) < 1e-4 AND abs(a.epistemic - p.epistemic) < 1e-4 AND abs(a.aleatoric - p.aleatoric) < 1e-4
			AND (a.model, a.revision) = (p.model, p.revision) AND a.decision IS NULL),
		count(*) FILTER (WHERE a.label <> p.label AND p.confidence > 0.51)
	FROM ticket t FULL JOIN hl_predict('tickets') a ON a.item = t.id::text CROSS JOIN LATERAL hl_predict('tickets', t.body) p
$$;
SELECT * FROM compare_all();
UPDATE ticket SET body = 'where is the parcel now' WHERE id = 3;
UPDATE ticket SET body = NULL WHERE id = 5;
DELETE FROM ticket WHERE id = 6;
INSERT INTO ticket VALUES (2001, 'I was charged twice, again');
UPDATE ticket SET id = 3000 + id WHERE id BETWEEN 400 AND 420;
SELECT * FROM compare_all();
SELECT item, label FROM hl_predict('tickets') WHERE item IN ('3', '6', '2001') ORDER BY item;
SELECT hl_refresh('tickets') > 0 AS refreshed;
SELECT * FROM compare_all();

-- Repeatable: the same from call to call.
SELECT count(*) FROM (SELECT * FROM hl_predict('tickets') EXCEPT SELECT * FROM hl_predict('tickets')) d;

-- Versions are kept; the newest answers; a training that is rolled back never was.
SELECT model, deployed FROM hl_train('tickets');
SELECT model FROM hl_predict('tickets', 'parcel');
SELECT model, labels FROM hl_learning_curve('tickets');
BEGIN;
SELECT hl_label_many('tickets', array_agg(id::text), array_agg('misc'::text)) FROM ticket WHERE id BETWEEN 220 AND 260;
SELECT model, classes FROM hl_train('tickets'); -- sees what is not committed
SELECT label, model FROM hl_predict('tickets', (SELECT body FROM ticket WHERE id = 221));
SAVEPOINT s;
SELECT hl_label_many('tickets', array_agg(id::text), array_agg('junk'::text)) FROM ticket WHERE id BETWEEN 220 AND 260;
SELECT model, classes FROM hl_train('tickets');
SELECT count(*) FROM hl_probabilities('tickets', 'parcel') WHERE label = 'junk';
ROLLBACK TO s;
SELECT model FROM hl_predict('tickets', 'parcel');
SELECT count(*) FROM hl_probabilities('tickets', 'parcel') WHERE label = 'junk';
ROLLBACK;
SELECT model FROM hl_predict('tickets', 'parcel');
SELECT count(*) FROM hl_probabilities('tickets', 'parcel');
-- also where PL/pgSQL keeps an expression from one call to the next
CREATE FUNCTION models_seen() RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
	seen bigint[];
BEGIN
	FOR i IN 1..3 LOOP
		BEGIN
			IF i = 2 THEN
				PERFORM hl_train('tickets');
			END IF;
			seen := seen || (hl_predict('tickets', 'parcel')).model::bigint;
			IF i = 2 THEN
				RAISE EXCEPTION 'taken back';
			END IF;
		EXCEPTION WHEN raise_exception THEN
			seen := seen || 0::bigint;
		END;
	END LOOP;
	RETURN seen;
END $$;
SELECT models_seen();
DROP FUNCTION models_seen;
SELECT count(*) FROM hl_learning_curve('tickets');
SELECT model, classes FROM hl_train('tickets');
SELECT model, count(*) FROM hl_predict('tickets') GROUP BY model;

-- Prepared statements, functions, cursors: one model from the first row to the
-- last, and the new one in the next statement.
PREPARE ask(text) AS SELECT model, label FROM hl_predict('tickets', $1);
EXECUTE ask('where is the parcel');
CREATE FUNCTION ask(t text) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (hl_predict('tickets', t)).model; END $$;
SELECT ask('parcel');
BEGIN;
DECLARE answers CURSOR FOR SELECT p.model FROM ticket t, hl_predict('tickets', t.body) p;
FETCH 1 FROM answers;
SELECT model FROM hl_train('tickets');
FETCH 1 FROM answers;
SELECT ask('parcel');
EXECUTE ask('where is the parcel');
COMMIT;
DO $$
DECLARE
	models int[] := '{}';
BEGIN
	FOR i IN 1..3 LOOP
		models := models || (hl_predict('tickets', 'parcel')).model;
		PERFORM hl_train('tickets');
	END LOOP;
	RAISE INFO 'models %', models;
END $$;
EXECUTE ask('where is the parcel');
SELECT ask('parcel');
-- the project may change from row to row
SELECT project FROM hl_create_project('other', 'ticket', 'body');
SELECT hl_label_many('other', '{1,2,4,5,7,8}', '{p,q,p,q,p,q}');
SELECT model FROM hl_train('other');
SELECT v.project, p.model > 1 AS old, p.label IN ('p', 'q') AS other_classes
FROM (VALUES (1, 'tickets'), (2, 'other'), (3, 'tickets')) v(n, project), hl_predict(v.project, 'parcel') p ORDER BY n;
SELECT hl_drop_project('other');

-- In parallel workers the answers are the same.
CREATE TABLE serial_answers AS SELECT t.id, p.label, p.confidence, p.epistemic, p.model FROM ticket t, hl_predict('tickets', t.body) p;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
SELECT count(*) > 0 AS parallel FROM plan_of($$SELECT t.id, p.label FROM ticket t, hl_predict('tickets', t.body) p$$) l WHERE l ~ 'Gather';
CREATE TABLE parallel_answers AS SELECT t.id, p.label, p.confidence, p.epistemic, p.model FROM ticket t, hl_predict('tickets', t.body) p;
SELECT count(*) FROM parallel_answers;
SELECT count(*) FROM (SELECT * FROM parallel_answers EXCEPT SELECT * FROM serial_answers) d;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- Under pressure: no cache, little memory.
SET humanloop.cache_size = 0;
SELECT model = (SELECT max(model) FROM hl_learning_curve('tickets')) AS newest, label FROM hl_predict('tickets', 'where is the parcel');
SELECT count(*) FROM (SELECT t.id, p.label, p.confidence, p.epistemic, p.model FROM ticket t, hl_predict('tickets', t.body) p EXCEPT SELECT * FROM serial_answers) d;
RESET humanloop.cache_size;
SET humanloop.work_mem = '1MB';
SELECT left(e, 5), e ~ 'It needs \d+ MB and humanloop.work_mem is 1 MB' AS how_much, e ~ 'HINT: SET humanloop.work_mem' AS way_out FROM error_of($$SELECT hl_train('tickets')$$) e;
RESET humanloop.work_mem;
SELECT model > 0 AS still FROM hl_predict('tickets', 'parcel');

-- A vector is not a text.
SELECT error_of($$SELECT hl_predict('tickets', '{1,2}'::real[])$$);
SELECT hl_drop_project('tickets');
SELECT error_of($$EXECUTE ask('where is the parcel')$$);
DEALLOCATE ask;
DROP FUNCTION ask, compare_all, plan_of;
DROP TABLE ticket, serial_answers, parallel_answers;
