-- Several answers to an item.
SET client_min_messages = warning;
CREATE TABLE desk AS SELECT * FROM tickets(60);
ALTER TABLE desk ADD PRIMARY KEY (id);
SELECT error_of(format($$SELECT hl_create_project('desk', 'desk', 'body', options => '{"answers": %s}')$$, n)) FROM unnest('{0,101,1.5,true,"\"two\""}'::text[]) n;
SELECT project, items FROM hl_create_project('desk', 'desk', 'body', options => '{"answers": 2, "audit": 0}');
SELECT hl_pause('desk');
SELECT item AS first FROM hl_queue WHERE project = 'desk' AND rank = 1 \gset

-- Two may have an item at a time, and one has it once.
SELECT item = :'first' AS first, reason, label IS NULL AS no_suggestion FROM hl_next('desk', annotator => 'ann');
SELECT item = :'first' AS first FROM hl_next('desk', annotator => 'ann');
SELECT item = :'first' AS first FROM hl_next('desk', annotator => 'bob');
SELECT item = :'first' AS first FROM hl_next('desk', annotator => 'cid');
SELECT rank, leased_by, lease_until > now() AS leased FROM hl_queue WHERE project = 'desk' AND rank <= 3;

-- It stays in the queue until it has both answers, and leaves in the same transaction.
SELECT hl_label('desk', :'first', 'returns', 'ann') > 0;
SELECT rank, leased_by FROM hl_queue WHERE item = :'first';
SELECT item = :'first' AS first FROM hl_next('desk', annotator => 'cid');
BEGIN;
SELECT hl_label('desk', :'first', 'billing', 'bob') > 0;
SELECT count(*) FROM hl_queue WHERE item = :'first';
ROLLBACK;
SELECT rank, leased_by FROM hl_queue WHERE item = :'first';
-- a lease that has run out is free
UPDATE hl_lease SET until = ARRAY(SELECT u - interval '1 hour' FROM unnest(until) u), lease_until = lease_until - interval '1 hour' WHERE item = :'first';
SELECT leased_by FROM hl_queue WHERE item = :'first';
SELECT item = :'first' AS first FROM hl_next('desk', annotator => 'cid');
SELECT leased_by FROM hl_queue WHERE item = :'first';
-- whoever skips it gives it back, and is not asked again
SELECT hl_skip('desk', :'first', annotator => 'cid');
SELECT leased_by FROM hl_queue WHERE item = :'first';
SELECT item = :'first' AS first FROM hl_next('desk', annotator => 'cid');
-- nor is who has answered, in the whole queue
SELECT count(*) > 50 AS many, count(*) FILTER (WHERE item = :'first') AS first FROM hl_next('desk', 100, 'ann');
-- no lease is needed to answer
SELECT hl_label('desk', :'first', 'billing', 'bob') > 0;
SELECT count(*) FROM hl_queue WHERE item = :'first';
SELECT queued FROM hl_projects WHERE project = 'desk';
-- what is taken back is asked again
SELECT hl_undo('desk', :'first', 'bob');
SELECT count(*) FROM hl_queue WHERE item = :'first';
SELECT item = :'first' AS first FROM hl_next('desk', annotator => 'dan');
SELECT hl_undo('desk', :'first', 'ann'), hl_undo('desk', :'first', 'cid');
SELECT item = :'first' AS first FROM hl_next('desk', annotator => 'cid');

-- When it was handed out is kept with the answer.
SELECT action, annotator, leased_at < answered_at AS leased FROM hl_answer WHERE item = :'first' ORDER BY id;

-- What has been begun is asked before anything new, disputes first; without a suggestion.
SELECT count(hl_label('desk', id::text, topic, 'ann')) FROM desk WHERE id BETWEEN 21 AND 50;
SELECT hl_label('desk', '30', 'returns', 'bob') > 0, hl_label('desk', '31', 'returns', 'bob') > 0;
SELECT hl_refresh('desk');
SELECT model IS NOT NULL AS model FROM hl_train('desk');
SELECT count(*), count(*) FILTER (WHERE rank <= 28) AS first, count(*) FILTER (WHERE label IS NOT NULL) AS suggestions FROM hl_queue WHERE project = 'desk' AND reason = 'repeat';
SELECT item, reason, label, confidence FROM hl_next('desk', annotator => 'bob');
SELECT count(*) AS answered_himself FROM hl_next('desk', 100, 'ann') n JOIN hl_labels l ON l.item = n.item AND l.annotator = 'ann';

-- What a reviewer has settled needs no other answer, of nobody.
SELECT count(*) FROM hl_queue WHERE project = 'desk' AND item IN ('30', '33', '34');
SELECT hl_settle('desk', 33, 'returns') > 0;
SELECT count(*) FROM hl_queue WHERE project = 'desk' AND item = '33';
SELECT (SELECT queued FROM hl_projects WHERE project = 'desk') = (SELECT count(*) FROM hl_queue WHERE project = 'desk') AS counted;
SELECT count(*) AS of_34, count(*) FILTER (WHERE item = '33') AS of_33 FROM hl_next('desk', 100, 'eve') WHERE item IN ('33', '34');
SELECT hl_refresh('desk');
SELECT item FROM hl_repeat WHERE item = '33';
SELECT hl_unsettle('desk', 33);
SELECT hl_refresh('desk');
SELECT reason, leased_by FROM hl_queue WHERE project = 'desk' AND item = '33';
SELECT item FROM hl_next('desk', 100, 'eve') WHERE item = '33';

-- Three of each: two that say the same are not enough, two that do not are a dispute.
CREATE TABLE three AS SELECT id, body FROM desk;
ALTER TABLE three ADD PRIMARY KEY (id);
SELECT project, items FROM hl_create_project('three', 'three', 'body', options => '{"answers": 3, "audit": 0}');
SELECT hl_pause('three');
SELECT hl_label_many('three', '{1,2,3}', '{returns,returns,returns}', 'ann'), hl_label_many('three', '{2,3}', '{returns,billing}', 'bob'), hl_refresh('three');
SELECT rank, item, reason FROM hl_queue WHERE project = 'three' AND rank <= 4 AND reason <> 'seed' ORDER BY rank;
SELECT item, reason FROM hl_next('three', 2, 'bob');
-- rows that are gone are not asked again
DELETE FROM three WHERE id = 3;
SELECT hl_refresh('three');
SELECT rank, item, reason FROM hl_queue WHERE project = 'three' AND rank <= 4 AND reason <> 'seed' ORDER BY rank;
SELECT hl_label('three', '2', 'returns', 'cid') > 0;
SELECT rank, item, reason FROM hl_queue WHERE project = 'three' AND rank <= 4 AND reason <> 'seed' ORDER BY rank;
SELECT hl_remove_class('three', 'returns');
SELECT hl_refresh('three');
SELECT count(*) FROM hl_queue WHERE project = 'three' AND reason <> 'seed';

-- Another number of answers, while people are at work.  From one to three:
CREATE TABLE turned AS SELECT id, body FROM desk;
ALTER TABLE turned ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('turned', 'turned', 'body', options => '{"audit": 0, "gold": 0}');
SELECT hl_pause('turned');
SELECT item AS held FROM hl_next('turned', 1, 'ann') \gset
SELECT hl_label_many('turned', '{1,2}', '{returns,billing}', 'ann'), hl_label('turned', 2, 'delivery', 'bob') > 0 AS more;
SELECT count(*) FROM hl_queue WHERE project = 'turned' AND item IN ('1', '2');
SELECT hl_set_option('turned', 'answers', '3');
-- what has fewer is asked again, before anything new, and whoever had an item still has it
SELECT rank, item, reason, leased_by FROM hl_queue WHERE project = 'turned' AND (rank <= 2 OR item = :'held') ORDER BY rank;
SELECT item = :'held' AS held FROM hl_next('turned', 1, 'ann');
SELECT item, reason FROM hl_next('turned', 2, 'cid') ORDER BY item;
SELECT item = :'held' AS held FROM hl_next('turned', 1, 'bob') n WHERE item NOT IN ('1', '2');
SELECT item FROM hl_next('turned', 1, 'bob');
SELECT item, leased_by FROM hl_queue WHERE project = 'turned' AND item IN ('1', '2', :'held') ORDER BY rank;
-- back to one: what has an answer leaves, and of several who have an item it is with one
SELECT hl_set_option('turned', 'answers', NULL);
SELECT count(*) FROM hl_queue WHERE project = 'turned' AND item IN ('1', '2');
SELECT count(*) FROM hl_repeat r JOIN hl_project p ON p.id = r.project_id WHERE p.name = 'turned';
SELECT item = :'held' AS held, leased_by FROM hl_queue WHERE project = 'turned' AND item = :'held';
SELECT count(*) FILTER (WHERE item = :'held') AS held, count(*) FILTER (WHERE item IN ('1', '2')) AS answered FROM hl_next('turned', 100, 'dan');
SELECT count(*) FROM hl_lease l JOIN hl_project p ON p.id = l.project_id WHERE p.name = 'turned' AND holders <> '{}';
SELECT hl_label('turned', :'held', 'billing', 'bob') > 0 AS labelled;
-- as many as it takes, and how many at most
SELECT hl_set_option('turned', 'answers', '"adaptive"'), hl_set_option('turned', 'most_answers', '2');
SELECT count(*) FROM hl_queue WHERE project = 'turned' AND reason <> 'seed';
SELECT error_of(format($$SELECT hl_set_option('turned', 'answers', '%s')$$, v)) FROM unnest('{0,101,1.5,true,"\"two\""}'::text[]) v;
SELECT hl_drop_project('turned');
DROP TABLE turned;

-- What the source says is complete.
CREATE TABLE said AS SELECT id, body, CASE WHEN id <= 20 THEN topic END AS topic FROM desk;
ALTER TABLE said ADD PRIMARY KEY (id);
SELECT project, labels FROM hl_create_project('said', 'said', 'body', label => 'topic', options => '{"answers": 2}');
SELECT hl_refresh('said');
SELECT count(*) FROM hl_queue q JOIN said s ON s.id = q.item::int WHERE project = 'said' AND s.topic IS NOT NULL;

-- As many as it takes: first one each; then what is more doubtful than new items are.
CREATE TABLE many AS SELECT * FROM tickets(420) WHERE NOT ambiguous AND (id <= 300 OR topic = 'delivery');
ALTER TABLE many ADD PRIMARY KEY (id);
SELECT error_of($$SELECT hl_create_project('many', 'many', 'body', options => '{"answers": "adaptive", "most_answers": 1}')$$);
SELECT project FROM hl_create_project('many', 'many', 'body', options => '{"answers": "adaptive", "most_answers": 3, "audit": 0}');
SELECT hl_pause('many');
-- what nobody has answered is what the model knows best; ann is right; cid guesses every fourth time
SELECT count(hl_label('many', id::text, topic, 'ann')) FROM many WHERE id <= 150;
SELECT count(hl_label('many', id::text, CASE WHEN ('x' || left(md5(id::text), 4))::bit(16)::int % 4 = 0 THEN (ARRAY['billing', 'delivery', 'returns'])[1 + ('x' || right(md5(id::text), 4))::bit(16)::int % 3] ELSE topic END, 'cid')) FROM many WHERE id BETWEEN 101 AND 300;
SELECT count(*) AS answered FROM hl_queue q JOIN hl_labels l USING (project, item) WHERE project = 'many';
CREATE VIEW asked AS SELECT r.* FROM hl_repeat r JOIN hl_project p ON p.id = r.project_id WHERE p.name = 'many';
SELECT model FROM hl_train('many');
-- those that are wrong are asked again rather than those that are right
CREATE VIEW answered AS SELECT item, count(*) AS n, count(DISTINCT label) AS kinds, bool_or(label <> topic) AS wrong FROM hl_labels l JOIN many m ON m.id = l.item::int WHERE project = 'many' GROUP BY item;
SELECT count(*) >= 5 AS some, count(*) < 100 AS few, bool_and(wanted = n + 1) AS one_more, bool_and((reason = 'dispute') = (kinds > 1)) AS reasons FROM asked JOIN answered USING (item);
SELECT avg((r.item IS NOT NULL)::int) FILTER (WHERE wrong) > 3 * avg((r.item IS NOT NULL)::int) FILTER (WHERE NOT wrong) AS rather FROM answered LEFT JOIN asked r USING (item);
SELECT bool_and(rank <= n) AS first FROM (SELECT rank, reason, count(*) FILTER (WHERE reason IN ('dispute', 'repeat')) OVER () AS n FROM hl_queue WHERE project = 'many') q WHERE reason IN ('dispute', 'repeat');
-- a third answer settles it: nobody is asked for a fourth
SELECT count(hl_label('many', item, topic, 'dan')) >= 5 AS answered FROM hl_next('many', 400, 'dan') JOIN many ON id = item::int WHERE reason IN ('dispute', 'repeat');
SELECT count(*) FROM hl_queue WHERE project = 'many' AND reason IN ('dispute', 'repeat');
SELECT model FROM hl_train('many');
SELECT count(*) FROM asked r WHERE (SELECT count(*) FROM hl_labels l WHERE l.project = 'many' AND l.item = r.item) >= 3;

-- Whoever is right how often: five people who are right in nine to six of ten cases, and
-- one who guesses.  What people say of an item is then more often right than an answer is.
CREATE TABLE dear AS SELECT * FROM tickets(350) WHERE NOT ambiguous;
ALTER TABLE dear ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('dear', 'dear', 'body', options => '{"answers": "adaptive", "audit": 0}');
SELECT hl_pause('dear');
DO $$
DECLARE
	who int;
	asked text;
	lot float8;
BEGIN
	FOR n IN 1 .. 400 LOOP
		who := n % 6;
		SELECT item INTO asked FROM hl_next('dear', annotator => 'p' || who);
		lot := ('x' || left(md5(asked || ' ' || who), 6))::bit(24)::int / 16777216.0;
		PERFORM hl_label('dear', asked, CASE WHEN lot < ('{0.33,0.9,0.85,0.8,0.7,0.6}'::float8[])[1 + who] THEN topic
			ELSE (array_remove('{billing,delivery,returns}', topic))[1 + (lot * 1000)::int % 2] END, 'p' || who) FROM dear WHERE id = asked::int;
		IF n % 80 = 0 THEN
			PERFORM hl_train('dear');
		END IF;
	END LOOP;
END $$;
SELECT count(*) BETWEEN 120 AND 240 AS items, avg((n > 1)::int) BETWEEN 0.4 AND 0.95 AS again FROM (SELECT count(*) AS n FROM hl_labels WHERE project = 'dear' GROUP BY item) s;
SELECT avg((m.classes[u.label + 1] = d.topic)::int) > 0.05 + (SELECT avg((l.label = d.topic)::int) FROM hl_labels l JOIN dear d ON d.id = l.item::int WHERE project = 'dear') AS labels
	FROM hl_project p JOIN hl_model m ON m.project_id = p.id JOIN hl_model_label l USING (project_id, model), unnest(l.items, l.labels) u(item, label) JOIN dear d ON d.id = u.item::int
	WHERE p.name = 'dear' AND m.model = (SELECT max(model) FROM hl_models('dear'));
SELECT avg((p.label = d.topic)::int) > 0.9 AS model FROM hl_predict('dear') p JOIN dear d ON d.id = p.item::int;

-- A model that is refused says what is asked again all the same: the one that serves knows
-- nothing of the answers since.
SELECT count(hl_label('dear', id::text, 'billing', 'late')) AS more FROM (SELECT id FROM dear WHERE id::text NOT IN (SELECT item FROM hl_labels WHERE project = 'dear') ORDER BY id LIMIT 30) d;
SELECT max(model) AS served FROM hl_models('dear') \gset
UPDATE hl_model_label SET losses = array_fill(-9::real, ARRAY[cardinality(losses)]) WHERE project_id = (SELECT id FROM hl_project WHERE name = 'dear') AND model = :served;
SELECT deployed FROM hl_train('dear');
SELECT count(*) > 0 AS asked FROM hl_repeat r JOIN hl_project p ON p.id = r.project_id AND p.name = 'dear'
	WHERE item NOT IN (SELECT unnest(items) FROM hl_model_label l WHERE l.project_id = p.id AND l.model = :served);

-- Nothing stays of a project.
SELECT hl_drop_project(p) FROM unnest('{desk,three,said,many,dear}'::text[]) p;
SELECT count(*) FROM hl_repeat;
DROP VIEW asked, answered;
DROP TABLE desk, three, said, many, dear;
