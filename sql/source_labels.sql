-- Labels that the source has itself are annotator "source": read with the
-- table, kept in step with it, never written back.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, known text);
INSERT INTO ticket SELECT id, body, CASE WHEN id <= 90 THEN topic WHEN id <= 92 THEN '' END FROM tickets(200);
SELECT project, items, hint FROM hl_create_project('tickets', 'ticket', 'body', label => 'known');
SELECT model, labels, classes FROM hl_train('tickets');
SELECT annotator, count(*) FROM hl_labels GROUP BY annotator;
SELECT labelled, label FROM hl_projects;
-- what the source has answered is not asked
SELECT min(item::int) > 90 AS only_unknown FROM hl_queue;

-- Nothing said twice: what is the same stays as it is.
SELECT hl_refresh('tickets');
SELECT count(*) FROM hl_label_history;
-- added, changed, removed, with the row or without
UPDATE ticket SET known = 'other' WHERE id IN (1, 2);
UPDATE ticket SET known = NULL WHERE id = 3;
UPDATE ticket SET known = 'billing' WHERE id = 150;
DELETE FROM ticket WHERE id = 4;
SELECT hl_refresh('tickets') AS changed_rows;
SELECT item, action, label FROM (SELECT * FROM hl_label_history ORDER BY id DESC LIMIT 5) h ORDER BY item::int;
SELECT count(*), count(*) FILTER (WHERE label = 'other') AS other FROM hl_labels;
SELECT count(*) FROM hl_queue WHERE item = '150';
SELECT count(*) FROM hl_queue WHERE item = '3';
SELECT labels, classes FROM hl_train('tickets');

-- A person may say something else; with one vote each the later counts.
SELECT hl_label('tickets', 5, 'other') IS NOT NULL AS labelled;
SELECT item, label, annotator = 'source' AS source FROM hl_labels WHERE item = '5' ORDER BY id;
SELECT labels FROM hl_train('tickets');
SELECT sum(n) FROM hl_confusion('tickets') WHERE truth = 'other';
-- the source's word is changed in the source only
\pset format unaligned
\pset tuples_only on
SELECT error_of($$UPDATE hl_labels SET label = 'x' WHERE annotator = 'source' AND item = '6'$$);
SELECT error_of($$DELETE FROM hl_labels WHERE annotator = 'source' AND item = '6'$$);
SELECT error_of($$INSERT INTO hl_labels (project, item, label, annotator) VALUES ('tickets', '6', 'x', 'source')$$);
SELECT error_of($$SELECT hl_undo('tickets', 6, 'source')$$);
SELECT error_of($$SELECT hl_skip('tickets', 6, NULL, 'source')$$);
SELECT error_of($$SELECT hl_label_many('tickets', '{6}', '{x}', 'source')$$);
\pset format aligned
\pset tuples_only off
SELECT known FROM ticket WHERE id IN (5, 6) ORDER BY id;
SELECT hl_drop_project('tickets');

-- In a closed list a foreign word is an error that says which; the model and
-- the labels that were there stay.
SELECT project FROM hl_create_project('tickets', 'ticket', 'body', label => 'known', classes => '{returns,delivery,billing}');
SELECT error_of($$SELECT hl_train('tickets')$$);
UPDATE ticket SET known = NULL WHERE known = 'other';
SELECT model, classes FROM hl_train('tickets');
UPDATE ticket SET known = 'spam' WHERE id = 7;
SELECT error_of($$SELECT hl_refresh('tickets')$$);
SELECT label FROM hl_labels WHERE item = '7';
SELECT model FROM hl_predict('tickets', 'where is my parcel');
-- a column of another type is read as text
SELECT hl_drop_project('tickets');
ALTER TABLE ticket ADD urgent boolean;
UPDATE ticket SET urgent = body ~ 'urgent' WHERE id % 3 > 0;
SELECT project FROM hl_create_project('urgency', 'ticket', 'body', label => 'urgent');
SELECT classes FROM hl_train('urgency');
SELECT label FROM hl_predict('urgency', 'please hurry, it is urgent');
SELECT hl_drop_project('urgency');
DROP TABLE ticket;
