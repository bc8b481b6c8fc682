-- Gold items: labels that are known, and who is measured by them.
SET client_min_messages = warning;
CREATE TABLE desk AS SELECT * FROM tickets(90);
ALTER TABLE desk ADD PRIMARY KEY (id);
SELECT project, items FROM hl_create_project('desk', 'desk', 'body', options => '{"gold": 1, "audit": 0}');
SELECT hl_pause('desk');
SELECT error_of($$SELECT hl_create_project('none', 'desk', 'body', options => '{"gold": 2}')$$);
SELECT error_of(format('SELECT hl_gold(''desk'', %s)', arguments)) FROM unnest(ARRAY['1000, ''returns''', '1, NULL', '1, '' ''', 'NULL::text, ''returns''']) arguments;
SELECT error_of($$SELECT hl_drop_gold('desk', 1)$$);

-- An item that is marked leaves the queue, and is labelled.
SELECT count(hl_gold('desk', id, topic)) FROM desk WHERE id <= 3;
SELECT hl_gold('desk', '3', 'billing');
SELECT item, label, marked_by = current_user AS by_me, answers, hits FROM hl_golds('desk');
SELECT count(*), count(*) FILTER (WHERE item::int <= 3) AS gold FROM hl_queue WHERE project = 'desk';

-- hl_next mixes them in, here each time, as long as there are any; nobody sees one twice.
SELECT item::int <= 3 AS gold, reason, label, input = body AS its_input, lease_until > now() AS leased FROM hl_next('desk', annotator => 'ann') n JOIN desk d ON d.id = n.item::int;
SELECT count(*), count(*) FILTER (WHERE item::int <= 3) AS gold, count(DISTINCT reason) FROM hl_next('desk', 10, 'ann');
SELECT count(*), count(*) FILTER (WHERE item::int <= 3) AS gold FROM hl_next('desk', 10, 'ann');
-- what was not handed out in their place is free
SELECT count(*) FROM hl_queue WHERE project = 'desk' AND leased_by = 'ann';
-- nor who has answered or skipped it without being asked
SELECT hl_label('desk', 1, 'returns', 'bob') > 0, hl_skip('desk', 2, annotator => 'bob');
SELECT item FROM hl_next('desk', 10, 'bob') WHERE item::int <= 3;
-- nor who has taken it back
SELECT hl_undo('desk', 1, 'bob');
SELECT count(*) FROM hl_next('desk', 10, 'bob') WHERE item::int <= 3;
-- when it was shown is kept with the first answer
SELECT hl_label('desk', 1, 'delivery', 'ann') > 0;
SELECT hl_label('desk', 1, 'returns', 'ann') > 0;
SELECT label, leased_at < answered_at AS leased FROM hl_answer WHERE annotator = 'ann' ORDER BY id;

-- A gold label is the item's label, whatever others say.
SELECT count(hl_label('desk', 2, 'delivery', who)) FROM unnest('{cid,dan,eve,fay}'::text[]) who;
SELECT item, label, answers, hits FROM hl_golds('desk');
SELECT count(hl_label('desk', id, topic, 'ann')) FROM desk WHERE id BETWEEN 10 AND 60;
SELECT labels FROM hl_train('desk');
SELECT items[i] AS item, m.classes[1 + l.labels[i]] AS label FROM hl_model_label l JOIN hl_model m USING (project_id, model), generate_subscripts(items, 1) i WHERE items[i]::int <= 3 ORDER BY 1;
-- the suggestion is what the model says that has not seen its label
SELECT item::int <= 3 AS gold, reason, label = (SELECT m.classes[1 + l.predicted[array_position(l.items, n.item)]] FROM hl_model_label l JOIN hl_model m USING (project_id, model)) AS out_of_fold, epistemic IS NOT NULL AS scored FROM hl_next('desk', annotator => 'gus') n;

-- Classes.
SELECT hl_rename_class('desk', 'billing', 'bills') > 0;
SELECT item, label FROM hl_golds('desk');
SELECT hl_gold('desk', 4, 'unheard of');
SELECT hl_rename_class('desk', 'unheard of', 'heard of');
SELECT item, label FROM hl_golds('desk');
SELECT hl_remove_class('desk', 'heard of');
SELECT item, label FROM hl_golds('desk');

-- A reviewer who settles it has seen it last.
SELECT labelled - (SELECT count(DISTINCT item) FROM hl_labels WHERE project = 'desk') AS gold_alone FROM hl_projects WHERE project = 'desk';
SELECT item, label FROM hl_golds('desk') WHERE item = '2';
CREATE VIEW taken AS SELECT m.model, m.classes[1 + l.labels[i]] AS label FROM hl_model_label l JOIN hl_model m USING (project_id, model), array_position(l.items, '2') i;
SELECT hl_settle('desk', 2, 'returns') > 0, hl_train('desk') IS NOT NULL;
SELECT label FROM taken ORDER BY model DESC LIMIT 1;
SELECT hl_unsettle('desk', 2), hl_train('desk') IS NOT NULL;
SELECT label FROM taken ORDER BY model DESC LIMIT 1;
DROP VIEW taken;

-- Taken back, it is a question like others.
SELECT hl_drop_gold('desk', 3);
SELECT hl_refresh('desk');
SELECT item, label FROM hl_golds('desk');
SELECT count(*) FILTER (WHERE item = '3') AS back, count(*) FILTER (WHERE item = '4') AS removed FROM hl_queue WHERE project = 'desk';

-- Never, with the option 0.
SELECT project FROM hl_create_project('never', 'desk', 'body', options => '{"gold": 0}');
SELECT count(hl_gold('never', id, topic)) FROM desk WHERE id <= 3;
SELECT count(*) FILTER (WHERE item::int <= 3) AS gold FROM hl_next('never', 1000);
SELECT count(*) FROM hl_next('never', 1000);

-- Nothing stays of a project.
SELECT hl_drop_project(p) FROM unnest('{desk,never}'::text[]) p;
SELECT (SELECT count(*) FROM hl_gold_label), (SELECT count(*) FROM hl_gold_shown);
DROP TABLE desk;
