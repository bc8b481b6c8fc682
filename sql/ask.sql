-- Items that are asked before all others, as somebody wants an answer.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text, ambiguous boolean);
INSERT INTO ticket SELECT * FROM tickets(300);
INSERT INTO ticket VALUES (3001, NULL, NULL, false);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body', options => '{"queue_size": 20, "seed_batch": 30}');
CREATE VIEW top AS SELECT rank, item, reason, leased_by IS NOT NULL AS leased FROM hl_queue WHERE project = 'tickets' AND rank <= 3;

-- One that is in the queue anyway, and one that is not: first come, first asked.
SELECT item AS inside FROM hl_queue WHERE rank = 5 \gset
SELECT min(id)::text AS outside FROM ticket WHERE id::text NOT IN (SELECT item FROM hl_ranking CROSS JOIN unnest(items) i(item)) AND body IS NOT NULL \gset
SELECT hl_ask('tickets', :'outside'), hl_ask('tickets', :inside);
SELECT rank, CASE item WHEN :'outside' THEN 'outside' WHEN :'inside' THEN 'inside' END AS item, reason FROM top ORDER BY rank;
SELECT count(*) AS once FROM hl_queue WHERE item = :'inside';
SELECT count(*) = count(DISTINCT item) AS distinct_items, count(*) AS n FROM hl_queue;
-- asking again changes nothing
SELECT hl_ask('tickets', :inside);
SELECT count(*) AS asked, count(asked_by) AS by_somebody, count(answered_at) AS answered FROM hl_asked;
SELECT queued FROM hl_projects;

-- Handed out first, each to one person.
SELECT item = :'outside' AS outside, input = (SELECT body FROM ticket WHERE id = :outside) AS text, reason FROM hl_next('tickets', 1, 'ann');
SELECT item = :'inside' AS inside, reason FROM hl_next('tickets', 1, 'bob');
SELECT rank, leased, reason FROM top WHERE rank <= 2 ORDER BY rank;
SELECT reason, count(*) FROM hl_next('tickets', 3, 'carol') GROUP BY reason;
-- a lease that runs out makes it free again
UPDATE hl_lease SET lease_until = now() - interval '1 second' WHERE item = :'outside';
SELECT item = :'outside' AS outside, reason FROM hl_next('tickets', 1, 'bob');
-- who has skipped it is not given it again, others are
SELECT hl_skip('tickets', :outside, 'no idea', 'bob');
SELECT reason FROM hl_next('tickets', 1, 'bob');
SELECT item = :'outside' AS outside, reason FROM hl_next('tickets', 1, 'dora');
-- one that is answered leaves the queue; taken back it is asked again
SELECT hl_label('tickets', :outside, 'billing', 'dora') IS NOT NULL AS labelled;
SELECT count(*) FROM hl_queue WHERE item = :'outside';
SELECT hl_ask('tickets', :outside) AS labelled_already;
SELECT hl_undo('tickets', :outside, 'dora');
SELECT item = :'outside' AS outside, reason FROM top WHERE rank = 1;
SELECT hl_label('tickets', :outside, 'billing', 'dora') IS NOT NULL AS labelled;
-- a refresh keeps what is asked, and notes what is answered; also that can be taken back
SELECT hl_refresh('tickets') IS NOT NULL AS refreshed;
SELECT item = :'outside' AS outside, answered_at IS NOT NULL AS answered FROM hl_asked ORDER BY asked_at;
SELECT item = :'inside' AS inside, reason FROM top WHERE rank = 1;
SELECT hl_undo('tickets', :outside, 'dora');
SELECT item = :'outside' AS outside, reason FROM top WHERE rank = 1;
UPDATE hl_lease SET lease_until = NULL, annotator = NULL;
SELECT item = :'outside' AS outside, reason FROM hl_next('tickets', 1, 'eve');

-- Settled it is not asked, nor when a refresh has noted that; taken back it is asked again.
SELECT hl_ask('tickets', 32), hl_settle('tickets', 32, 'billing') > 0 AS settled, hl_refresh('tickets') IS NOT NULL AS refreshed;
SELECT answered_at IS NOT NULL AS answered FROM hl_asked WHERE item = '32';
SELECT hl_ask('tickets', 32) AS settled_already;
SELECT hl_unsettle('tickets', 32);
SELECT reason FROM hl_queue WHERE item = '32';
-- not where people have answered it as well
SELECT hl_settle('tickets', 32, 'billing') > 0 AS settled, hl_label('tickets', 32, 'delivery', 'dora') IS NOT NULL AS labelled, hl_refresh('tickets') IS NOT NULL AS refreshed;
SELECT hl_unsettle('tickets', 32), hl_refresh('tickets') IS NOT NULL AS refreshed;
SELECT answered_at IS NOT NULL AS answered FROM hl_asked WHERE item = '32';
SELECT count(*) FROM hl_queue WHERE item = '32';
-- nor does it matter how a label goes: with its class, here also of one that is settled
SELECT hl_ask('tickets', 44), hl_settle('tickets', 44, 'odd') > 0 AS settled, hl_label('tickets', 32, 'odd', 'dora') IS NOT NULL AS labelled, hl_refresh('tickets') IS NOT NULL AS refreshed;
SELECT count(*) FROM hl_queue WHERE item IN ('32', '44');
SELECT hl_remove_class('tickets', 'odd');
SELECT item, reason FROM hl_queue WHERE item IN ('32', '44') ORDER BY item;
SELECT hl_label('tickets', id, 'billing', 'dora') IS NOT NULL AS labelled FROM unnest('{32,44}'::int[]) id;

-- Whoever asks is not told what is gold: it is handed out, to nobody twice, until somebody has answered.
-- none besides, by lot
SELECT hl_set_option('tickets', 'gold', '0');
SELECT hl_gold('tickets', 41, 'billing'), hl_ask('tickets', 41) AS asked;
SELECT reason FROM hl_queue WHERE item = '41';
SELECT item, reason FROM hl_next('tickets', 3, 'gina') WHERE item = '41';
SELECT annotator FROM hl_gold_shown WHERE item = '41';
SELECT count(*) FROM hl_next('tickets', 3, 'hans') WHERE item = '41';
UPDATE hl_lease SET lease_until = NULL, annotator = NULL;
SELECT count(*) FROM hl_next('tickets', 5, 'gina') WHERE item = '41';
SELECT count(*) FROM hl_next('tickets', 5, 'hans') WHERE item = '41';
SELECT hl_label('tickets', 41, 'billing', 'hans') IS NOT NULL AS labelled;
SELECT count(*) FROM hl_queue WHERE item = '41';
SELECT hl_drop_gold('tickets', 41);
UPDATE hl_lease SET lease_until = NULL, annotator = NULL;

-- A row that is deleted is not asked any more.
DELETE FROM ticket WHERE id = :outside;
SELECT count(*) FILTER (WHERE item = :'outside') AS gone, bool_or(item = :'inside') AS inside FROM hl_next('tickets', 2, 'frank');
SELECT hl_refresh('tickets') IS NOT NULL AS refreshed;
SELECT count(*) AS asked FROM hl_asked WHERE item = :'outside';
SELECT count(*) AS queued FROM hl_queue WHERE item = :'outside';

-- What cannot be asked, and keys of other types.
\pset format unaligned
\pset tuples_only on
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_ask('tickets', 4711)$$, $$SELECT hl_ask('tickets', 'x')$$, $$SELECT hl_ask('tickets', NULL::text)$$,
	$$SELECT hl_ask('tickets', 3001)$$, $$SELECT hl_ask('nobody', 1)$$, $$SELECT hl_ask(NULL, 1)$$]) s;
SELECT hl_set_targets('tickets', 'topic = ''billing''');
SELECT min(id) AS shipping FROM ticket WHERE topic <> 'billing' \gset
SELECT error_of(format('SELECT hl_ask(''tickets'', %s)', :shipping)) LIKE '%targets%';
SELECT count(*) FROM hl_asked a JOIN ticket t ON t.id::text = a.item WHERE t.topic <> 'billing';
\pset format aligned
\pset tuples_only off
CREATE TABLE letter (id uuid PRIMARY KEY, body text);
INSERT INTO letter SELECT md5(i::text)::uuid, 'letter number ' || i || ' about something' FROM generate_series(1, 60) i;
SELECT project FROM hl_create_project('letters', 'letter', 'body', options => '{"seed_batch": 5}');
SELECT hl_ask('letters', md5('7')::uuid), hl_ask('letters', upper(md5('8')));
SELECT rank, item = md5('7')::uuid::text AS seven, item = md5('8')::uuid::text AS eight FROM hl_queue WHERE project = 'letters' AND rank <= 2 ORDER BY rank;
SELECT hl_drop_project('letters');

-- Where two answers are wanted, the second person is asked as well, and then nobody.
SELECT project FROM hl_create_project('letters', 'letter', 'body', options => '{"answers": 2}');
SELECT hl_ask('letters', md5('7')::uuid);
SELECT item = md5('7')::uuid::text AS seven, reason FROM hl_next('letters', 1, 'ann');
SELECT item = md5('7')::uuid::text AS seven, reason FROM hl_next('letters', 1, 'bob');
SELECT item = md5('7')::uuid::text AS seven FROM hl_next('letters', 1, 'carl');
SELECT rank, reason, leased_by FROM hl_queue WHERE project = 'letters' AND item = md5('7')::uuid::text;
SELECT hl_label('letters', md5('7')::uuid, 'a', 'ann') IS NOT NULL AS labelled;
SELECT rank, reason FROM hl_queue WHERE project = 'letters' AND item = md5('7')::uuid::text;
SELECT hl_label('letters', md5('7')::uuid, 'b', 'bob') IS NOT NULL AS labelled;
SELECT count(*) FROM hl_queue WHERE project = 'letters' AND item = md5('7')::uuid::text;
SELECT hl_drop_project('letters');
SELECT count(*) FROM hl_asked a WHERE NOT EXISTS (SELECT 1 FROM hl_project p WHERE p.id = a.project_id);
SELECT hl_drop_project('tickets');
DROP VIEW top;
DROP TABLE ticket, letter;
