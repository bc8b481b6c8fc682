-- What is asked next: seed batch, ranking, leases, skips, refill.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text, ambiguous boolean);
INSERT INTO ticket SELECT * FROM tickets(420);
-- a fourth topic, and one text a hundred times over
INSERT INTO ticket SELECT 1000 + i, 'opening hours of your shop on day ' || i, 'hours', false FROM generate_series(1, 60) i;
INSERT INTO ticket SELECT 2000 + i, 'out of office: I am on holiday until monday', 'auto-reply', false FROM generate_series(1, 100) i;
INSERT INTO ticket VALUES (3001, NULL), (3002, ''), (3003, ' ');
CREATE FUNCTION near_duplicates(project_name text, head int) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM hl_queue WHERE project = project_name AND rank <= head AND item::int BETWEEN 2001 AND 2100
$$;
SELECT project FROM hl_create_project('tickets', 'ticket', 'body', options => '{"queue_size": 50, "seed_batch": 40}');

-- The seed batch: no scores, in order, every topic early, no near-duplicates.
SELECT count(*), min(rank), max(rank), count(DISTINCT item) AS items, min(reason) AS reason, max(reason) AS reason, count(score) + count(epistemic) + count(label) + count(confidence) + count(model) AS scores FROM hl_queue;
SELECT count(DISTINCT topic) AS topics FROM hl_queue q JOIN ticket t ON t.id::text = q.item WHERE rank <= 12;
SELECT near_duplicates('tickets', 12) <= 2 AS few_duplicates, near_duplicates('tickets', 40) <= 6 AS few_among_forty;
SELECT count(*) FROM hl_queue WHERE item::int > 3000;
-- the project's own view has the same rows in the source's own types
SELECT count(*) AS same FROM hl_queue q JOIN hl_queue_tickets v ON v.id = q.item::int AND v.rank = q.rank AND v.body = (SELECT body FROM ticket t WHERE t.id = v.id);

-- hl_next hands out in order of rank and shows the text.
SELECT count(*), bool_and(q.input = t.body) AS text, bool_and(q.reason = 'seed') AS seed, bool_and(q.label IS NULL) AS no_suggestion,
	bool_and(q.lease_until BETWEEN clock_timestamp() + interval '9 minutes' AND clock_timestamp() + interval '11 minutes') AS ten_minutes,
	array_agg(q.item::int ORDER BY n) = (SELECT array_agg(item::int ORDER BY rank) FROM hl_queue WHERE rank <= 3) AS in_order
FROM hl_next('tickets', 3) WITH ORDINALITY q(item, input, label, confidence, epistemic, reason, lease_until, n) JOIN ticket t ON t.id::text = q.item;
-- leased items stay in sight, with who and until when
SELECT rank, leased_by = current_user AS mine, lease_until > now() AS running FROM hl_queue WHERE rank <= 4 ORDER BY rank;
SELECT rank, leased_by = current_user AS mine FROM hl_queue_tickets WHERE rank <= 4 ORDER BY rank;
-- another annotator gets others; so does the same one
SELECT min(q.rank), max(q.rank), count(*) FROM hl_next('tickets', 3, 'ann') n JOIN hl_queue q USING (item);
SELECT min(q.rank), max(q.rank), count(*) FROM hl_next('tickets') n JOIN hl_queue q USING (item);
SELECT CASE leased_by WHEN 'ann' THEN 'ann' WHEN current_user THEN 'me' END AS by, count(*) FROM hl_queue GROUP BY 1 ORDER BY 1;
-- an item that is answered leaves at once, whoever had it
BEGIN;
SELECT item AS first FROM hl_queue WHERE rank = 1 \gset
SELECT hl_label('tickets', :first, 'billing') IS NOT NULL AS labelled;
SELECT count(*) AS still_there FROM hl_queue WHERE item = :'first';
SELECT count(*) AS still_there FROM hl_queue_tickets WHERE id = :first;
SELECT count(*) AS handed_out FROM hl_next('tickets', 100, 'bob') WHERE item = :'first';
ROLLBACK;
SELECT count(*) AS back FROM hl_queue WHERE item = :'first';
-- a lease that has run out frees itself
SELECT item AS short FROM hl_next('tickets', 1, 'ann', '1 second') \gset
SELECT count(*) AS leased FROM hl_queue WHERE item = :'short' AND leased_by = 'ann';
SELECT pg_sleep(1.1);
SELECT count(*) AS leased FROM hl_queue WHERE item = :'short' AND leased_by IS NOT NULL;
SELECT item = :'short' AS same FROM hl_next('tickets', 1, 'bob');

-- Bad arguments.
\pset format unaligned
\pset tuples_only on
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_next('tickets', 0)$$, $$SELECT hl_next('tickets', -1)$$, $$SELECT hl_next('tickets', 1000000000)$$, $$SELECT hl_next('tickets', 2147483647)$$,
	$$SELECT hl_next('tickets', lease => '-1 minute')$$, $$SELECT hl_next('tickets', lease => '0')$$, $$SELECT hl_next('tickets', lease => NULL)$$,
	$$SELECT hl_next('tickets', lease => '1 day -25 hours')$$, $$SELECT hl_next('tickets', lease => '1000 years')$$, $$SELECT hl_next('tickets', lease => '294000 years')$$,
	$$SELECT hl_next('tickets', 1, '')$$, $$SELECT hl_next('tickets', 1, 'source')$$]) s;
\pset format aligned
\pset tuples_only off
SELECT count(*) FROM hl_next('tickets', NULL, 'carol');
-- more than there is: what there is, each once, and then nothing
SELECT count(*) = count(DISTINCT item) AS once, count(*) > 20 AS "all" FROM hl_next('tickets', 10000, 'carol');
SELECT count(*) FROM hl_next('tickets', 10000, 'dora');
SELECT queued > 0 AS leased_ones_count_as_queued, queue_empty_because FROM hl_projects;

-- After training: ranked, with scores, epistemic; labelled items are gone.
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 90;
SELECT model, labels, classes FROM hl_train('tickets');
SELECT count(*), min(rank), max(rank), count(DISTINCT item) AS items, min(reason) AS reason, max(reason) AS reason,
	count(*) FILTER (WHERE score IS NULL OR epistemic IS NULL OR aleatoric IS NULL OR label IS NULL OR confidence IS NULL OR model <> 1 OR revision <> 0) AS without_scores FROM hl_queue;
SELECT count(*) AS answered FROM hl_queue q JOIN hl_labels l USING (project, item);
SELECT count(*) AS blank FROM hl_queue WHERE item::int > 3000;
SELECT bool_and(abs(q.epistemic - p.epistemic) < 1e-4 AND abs(q.confidence - p.confidence) < 1e-4 AND q.label = p.label) AS as_predicted
FROM hl_queue q JOIN hl_predict('tickets') p USING (item);
-- it asks about what it has never seen: the fourth topic and the auto-replies,
-- but those only once or twice
SELECT count(*) >= 1 AS new_topics_first FROM hl_queue q JOIN ticket t ON t.id::text = q.item WHERE rank <= 10 AND topic IN ('hours', 'auto-reply');
SELECT near_duplicates('tickets', 10) <= 2 AS few_duplicates, near_duplicates('tickets', 50) <= 10 AS few_among_fifty;
SELECT bool_and(q.confidence IS NOT NULL AND q.label IS NOT NULL AND q.epistemic >= 0 AND q.reason IS NOT NULL) AS scored FROM hl_next('tickets', 3, 'erin') q;

-- A skip: not offered to this annotator again, but to others; undo takes it back.
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 120;
SELECT model FROM hl_train('tickets');
UPDATE hl_lease SET annotator = NULL, lease_until = NULL WHERE lease_until < 'infinity'; -- all leases have run out
SELECT item AS hard FROM hl_next('tickets', 1, 'ann') \gset
SELECT hl_skip('tickets', :hard, 'unreadable', 'ann');
SELECT count(*) AS in_queue, count(leased_by) AS leased FROM hl_queue WHERE item = :'hard';
SELECT count(*) AS offered FROM hl_next('tickets', 10000, 'ann') WHERE item = :'hard';
UPDATE hl_lease SET annotator = NULL, lease_until = NULL WHERE lease_until < 'infinity';
SELECT item = :'hard' AS offered_to_another FROM hl_next('tickets', 1, 'bob');
SELECT hl_undo('tickets', :hard, 'ann');
UPDATE hl_lease SET annotator = NULL, lease_until = NULL WHERE lease_until < 'infinity';
SELECT item = :'hard' AS offered_again FROM hl_next('tickets', 1, 'ann');
-- a label taken back returns the item, too
SELECT hl_label('tickets', :hard, 'billing', 'ann') IS NOT NULL AS labelled;
SELECT count(*) AS in_queue FROM hl_queue WHERE item = :'hard';
SELECT hl_undo('tickets', :hard, 'ann');
SELECT count(*) AS in_queue, count(leased_by) AS leased FROM hl_queue WHERE item = :'hard';
SELECT item = :'hard' AS offered_again FROM hl_next('tickets', 1, 'bob');
-- of two labels, taking back one does not
SELECT hl_label('tickets', :hard, 'billing', 'ann') IS NOT NULL AS labelled, hl_label('tickets', :hard, 'returns', 'bob') IS NOT NULL AS labelled;
SELECT hl_undo('tickets', :hard, 'ann');
SELECT count(*) AS in_queue FROM hl_queue WHERE item = :'hard';
SELECT count(*) AS offered FROM hl_next('tickets', 10000, 'carol') WHERE item = :'hard';
SELECT hl_undo('tickets', :hard, 'bob');
-- a skip or undo of an item somebody else works on is not his lease's end
UPDATE hl_lease SET annotator = NULL, lease_until = NULL WHERE lease_until < 'infinity';
SELECT item AS his FROM hl_next('tickets', 1, 'bob') \gset
SELECT hl_skip('tickets', :his, NULL, 'ann');
SELECT leased_by FROM hl_queue WHERE item = :'his';
SELECT hl_undo('tickets', :his, 'ann');
SELECT leased_by FROM hl_queue WHERE item = :'his';
SELECT count(*) AS offered FROM hl_next('tickets', 10000, 'carol') WHERE item = :'his';

-- When the head is answered the queue fills up from the scores that are there.
UPDATE hl_lease SET annotator = NULL, lease_until = NULL WHERE lease_until < 'infinity';
CREATE TEMP TABLE head AS SELECT item FROM hl_queue;
SELECT hl_label_many('tickets', array_agg(item), array_agg('billing'::text)) FROM head;
SELECT count(*), count(*) FILTER (WHERE item IN (SELECT item FROM head)) AS answered, min(rank), max(rank) FROM hl_queue;
SELECT count(*) FROM hl_next('tickets', 20);
-- and says why when there is nothing left
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(coalesce(topic, 'none'))) FROM ticket;
SELECT count(*) FROM hl_queue;
SELECT queued, queue_empty_because FROM hl_projects;
SELECT * FROM hl_next('tickets', 5);

-- Rows that have left the source, or lost their text, are not handed out.
DELETE FROM hl_labels WHERE item::int > 150;
SELECT model FROM hl_train('tickets');
SELECT item AS gone FROM hl_queue ORDER BY rank LIMIT 1 \gset
DELETE FROM ticket WHERE id = :gone;
SELECT count(*) AS gone, count(*) FILTER (WHERE input IS NULL) AS without_text FROM hl_next('tickets', 30) WHERE item = :'gone';
SELECT hl_refresh('tickets');
SELECT count(*) FROM hl_queue WHERE item = :'gone';
SELECT hl_drop_project('tickets');

-- Every acquisition function fills the queue in its own order.
CREATE FUNCTION try(acquisition text) RETURNS TABLE (queued bigint, scored boolean, ordered boolean, measure boolean) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM hl_create_project('a_' || acquisition, 'ticket', 'body', acquisition => acquisition, options => '{"queue_size": 60, "audit": 0}');
	PERFORM hl_label_many('a_' || acquisition, array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 90;
	PERFORM hl_train('a_' || acquisition);
	RETURN QUERY SELECT count(*), bool_and(q.score IS NOT NULL), array_agg(score ORDER BY rank) = array_agg(score ORDER BY score DESC),
		CASE acquisition WHEN 'bald' THEN bool_and(abs(score - epistemic) < 1e-5)
			WHEN 'entropy' THEN bool_and(abs(score - epistemic - aleatoric) < 1e-4)
			WHEN 'margin' THEN bool_and(score BETWEEN -1 AND 0)
			WHEN 'random' THEN bool_and(score BETWEEN 0 AND 1) END
		FROM hl_queue q WHERE q.project = 'a_' || acquisition;
END $$;
SELECT a, t.* FROM unnest('{bald,entropy,margin,random}'::text[]) a, try(a) t;
SELECT queued, scored FROM try('epig');
-- the highest bald score of the pool is on top
SELECT abs((SELECT epistemic FROM hl_queue WHERE project = 'a_bald' AND rank = 1) - max(p.epistemic)) < 1e-4 AS top
FROM hl_predict('a_bald') p WHERE NOT EXISTS (SELECT FROM hl_labels l WHERE l.project = 'a_bald' AND l.item = p.item) AND p.item::int < 3000;
-- they differ
SELECT count(DISTINCT items) AS orders FROM (SELECT project, array_agg(item ORDER BY rank) AS items FROM hl_queue WHERE rank <= 20 GROUP BY project) q;
-- the same data and seed, the same queue; another seed, another one
SELECT array_agg(item ORDER BY rank) AS items FROM hl_queue WHERE project = 'a_random' AND rank <= 20 \gset
SELECT hl_drop_project('a_random');
SELECT queued FROM try('random');
SELECT array_agg(item ORDER BY rank) = :'items'::text[] AS same FROM hl_queue WHERE project = 'a_random' AND rank <= 20;
SELECT count(hl_drop_project(project)::text) FROM hl_projects;
SELECT project FROM hl_create_project('seeded', 'ticket', 'body', acquisition => 'random', options => '{"random_seed": 7, "queue_size": 60}');
SELECT hl_label_many('seeded', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 90;
SELECT model FROM hl_train('seeded');
SELECT array_agg(item ORDER BY rank) = :'items'::text[] AS same FROM hl_queue WHERE rank <= 20;
SELECT hl_drop_project('seeded');
DROP TABLE ticket;
DROP FUNCTION try, near_duplicates;
