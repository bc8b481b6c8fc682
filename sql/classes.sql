-- Classes change: one appears by being used, and they are renamed, merged, removed.
SET client_min_messages = warning;
SET humanloop.annotator = 'boss';

CREATE TABLE ticket AS SELECT id, body, topic FROM tickets(90);
ALTER TABLE ticket ADD PRIMARY KEY (id);
SELECT hint IS NOT NULL AS declared FROM hl_create_project('desk', 'ticket', 'body');

-- What is said now, and by whom; and the rewritten part of the history.
CREATE VIEW said AS SELECT label, annotator, count(*) FROM hl_labels WHERE project = 'desk' GROUP BY 1, 2 ORDER BY 1, 2;
CREATE VIEW rewritten AS SELECT action, label, annotator, reason, count(*) FROM hl_label_history
	WHERE project = 'desk' AND reason IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY min(id);
-- The classes a model answers with, of all rows; and of one.
CREATE VIEW answered AS SELECT label, count(*) > 0 AS answered FROM hl_predict('desk') GROUP BY 1 ORDER BY 1;
CREATE VIEW shares AS SELECT label, probability FROM hl_probabilities('desk', 'where is the parcel with the lamp') ORDER BY label;

-- ----------------------------------------------------------------------
-- A class appears by being used
-- ----------------------------------------------------------------------

SELECT hl_label_many('desk', array_agg(id::text), array_agg(topic), 'ann') FROM ticket WHERE id <= 45;
SELECT model, classes, labels FROM hl_train('desk');
-- the first label of a new one, between two trainings: the model goes on with what it knows
SELECT hl_label('desk', 46, 'praise', 'bob') > 0 AS labelled;
SELECT * FROM answered;
SELECT hl_refresh('desk') >= 0 AS refreshed;
SELECT model, classes, labels FROM hl_train('desk');
SELECT count(*) = 4 AND abs(sum(probability) - 1) < 1e-5 AS four FROM shares;
SELECT truth, sum(n) FROM hl_confusion('desk') GROUP BY 1 ORDER BY 1;
-- its only label is taken back
SELECT hl_undo('desk', 46, 'bob');
SELECT model, classes, labels FROM hl_train('desk');
-- every class has one label
SELECT hl_create_project('few', 'ticket', 'body') IS NOT NULL AS declared;
SELECT hl_label_many('few', '{1,2,3}', '{a,b,c}');
SELECT model, classes, labels FROM hl_train('few');
-- and of one that the model has learned all are taken back
SELECT hl_undo('few', 3);
SELECT hl_refresh('few') >= 0 AS refreshed;
SELECT model, classes, labels FROM hl_train('few');
SELECT hl_undo('few', 2);
SELECT error_of($$SELECT hl_train('few')$$);
SELECT hl_drop_project('few');

-- ----------------------------------------------------------------------
-- Renamed
-- ----------------------------------------------------------------------

-- Cat and ann do not agree on the fourth: cat has come last, and that counts.
SELECT topic FROM ticket WHERE id = 4;
SELECT hl_label('desk', 4, 'billing', 'cat') > 0 AS labelled;
CREATE TABLE before AS SELECT * FROM hl_labels WHERE project = 'desk';
CREATE TABLE history_before AS SELECT * FROM hl_label_history WHERE project = 'desk';
CREATE TABLE shares_before AS SELECT * FROM shares;
SELECT * FROM said;
SELECT hl_rename_class('desk', 'delivery', 'shipping');
SELECT * FROM said;
-- by the name of whoever has said it; when and under which id he has is as it was
SELECT * FROM rewritten;
SELECT count(*) AS different FROM before b FULL JOIN hl_labels l USING (id)
WHERE l.project = 'desk' AND (b.item, b.annotator, b.labelled_at, CASE b.label WHEN 'delivery' THEN 'shipping' ELSE b.label END) IS DISTINCT FROM (l.item, l.annotator, l.labelled_at, l.label);
SELECT count(*) AS lost FROM (TABLE history_before EXCEPT SELECT * FROM hl_label_history) h;
-- the model answers in the new name with what it said before
SELECT * FROM answered;
SELECT count(*) AS different FROM shares s FULL JOIN shares_before b ON s.label = CASE b.label WHEN 'delivery' THEN 'shipping' ELSE b.label END
WHERE s.probability IS DISTINCT FROM b.probability;
SELECT DISTINCT label FROM hl_queue WHERE project = 'desk' ORDER BY 1;
SELECT count(*) > 0 AS asked, bool_or(label = 'delivery') AS old_name FROM hl_next('desk', 40, 'dan');
-- what was measured keeps the names of its time
SELECT DISTINCT truth FROM hl_confusion('desk') ORDER BY 1;
SELECT class FROM hl_metrics('desk') WHERE metric = 'recall' AND estimate = 'cross-validation' ORDER BY 1;
-- and the next training has the new ones
SELECT model, deployed, classes, labels FROM hl_train('desk');
SELECT DISTINCT truth FROM hl_confusion('desk') ORDER BY 1;
SELECT truth FROM hl_confusion('desk') WHERE truth = predicted ORDER BY 1;
SELECT count(*) AS disputed FROM hl_model_label m CROSS JOIN LATERAL unnest(items, labels) l(item, label) JOIN hl_model USING (project_id, model)
WHERE model = 4 AND l.item = '4' AND classes[l.label + 1] = 'billing';
-- a model that is deployed again answers in the names of today
SELECT hl_deploy('desk', 1);
SELECT * FROM answered;
SELECT hl_deploy('desk', 4);
-- there and back: a name that was given up is free
BEGIN;
SELECT hl_rename_class('desk', 'shipping', 'x'), hl_rename_class('desk', 'returns', 'shipping'), hl_rename_class('desk', 'x', 'returns');
SELECT * FROM said;
SELECT classes, labels FROM hl_train('desk');
ROLLBACK;
SELECT * FROM said;
-- in one transaction with answers and a training
BEGIN;
SELECT hl_label('desk', 50, 'shipping') > 0 AS labelled;
SELECT hl_rename_class('desk', 'shipping', 'delivery');
SELECT hl_label('desk', 51, 'shipping') > 0 AS labelled;
SELECT * FROM said;
SELECT classes, labels FROM hl_train('desk');
SELECT * FROM answered;
ROLLBACK;
SELECT * FROM answered;

-- ----------------------------------------------------------------------
-- Merged
-- ----------------------------------------------------------------------

DELETE FROM shares_before;
INSERT INTO shares_before SELECT * FROM shares;
-- also of a model that only its figures are left of
UPDATE hl_model SET stored = false WHERE model = 2;
SELECT hl_merge_classes('desk', '{billing,returns,billing}', 'money');
SELECT model, stored, class_names FROM hl_model ORDER BY model;
SELECT * FROM said;
SELECT action, label, annotator, reason, count FROM rewritten WHERE label = 'money';
-- one name, with the probability of both; until the next training, too
SELECT * FROM answered;
SELECT label, abs(probability - CASE label WHEN 'money' THEN (SELECT sum(probability) FROM shares_before WHERE label <> 'shipping')
	ELSE (SELECT probability FROM shares_before WHERE label = 'shipping') END) < 1e-5 AS same FROM shares;
SELECT count(*) AS different FROM ticket CROSS JOIN LATERAL hl_predict('desk', body) p CROSS JOIN LATERAL (SELECT label, probability FROM hl_probabilities('desk', body) LIMIT 1) b
WHERE p.label <> b.label OR abs(p.confidence - b.probability) > 1e-6;
SELECT count(*) AS different FROM ticket JOIN hl_predict('desk') a ON a.item = id::text CROSS JOIN LATERAL hl_predict('desk', body) p
WHERE p.label <> a.label OR abs(p.confidence - a.confidence) > 1e-6;
SELECT model, deployed, classes, labels FROM hl_train('desk');
SELECT * FROM answered;
-- into one that is there
BEGIN;
SELECT hl_merge_classes('desk', '{shipping}', 'money');
SELECT * FROM said;
SELECT DISTINCT label, confidence FROM hl_predict('desk');
SELECT error_of($$SELECT hl_train('desk')$$);
ROLLBACK;

-- ----------------------------------------------------------------------
-- Removed
-- ----------------------------------------------------------------------

SELECT hl_label_many('desk', '{60,61,62}', '{noise,noise,noise}', 'ann');
-- an item that somebody else has labelled otherwise stays answered
SELECT hl_label('desk', 62, 'money', 'bob') > 0 AS labelled;
SELECT model, classes FROM hl_train('desk');
CREATE TABLE chances AS SELECT * FROM shares;
SELECT hl_remove_class('desk', 'noise');
SELECT * FROM said;
SELECT action, label, annotator, reason, count FROM rewritten WHERE action = 'undo';
SELECT * FROM answered;
SELECT label, abs(s.probability - c.probability / (SELECT sum(probability) FROM chances WHERE label <> 'noise')) < 1e-5 AS same FROM shares s JOIN chances c USING (label) ORDER BY 1;
SELECT bool_or(label = 'noise') AS suggested FROM hl_queue WHERE project = 'desk';
-- its items are asked again, and 62 is not
SELECT hl_refresh('desk') >= 0 AS refreshed;
SELECT item FROM hl_next('desk', 90, 'eve') WHERE item IN ('60', '61', '62') ORDER BY 1;
SELECT model, deployed, classes FROM hl_train('desk');
-- fewer than two are left
SELECT hl_remove_class('desk', 'shipping') > 0 AS removed;
SELECT DISTINCT label, confidence FROM hl_predict('desk');
SELECT error_of($$SELECT hl_train('desk')$$);
SELECT hl_remove_class('desk', 'money') > 0 AS removed;
SELECT DISTINCT label, confidence, epistemic IS NOT NULL AS epistemic FROM hl_predict('desk');
SELECT label, confidence FROM hl_predict('desk', 'parcel');
SELECT count(*) FROM hl_probabilities('desk', 'parcel');
SELECT hl_refresh('desk') >= 0 AS refreshed;
SELECT count(*) > 0 AS asked, count(label) AS suggested FROM hl_next('desk', 5, 'eve');
SELECT error_of($$SELECT hl_train('desk')$$);
SELECT error_of($$SELECT hl_remove_class('desk', 'money')$$);
-- and begins anew
SELECT hl_label_many('desk', array_agg(id::text), array_agg(topic), 'ann') FROM ticket WHERE id <= 45;
SELECT deployed, classes, labels FROM hl_train('desk');
SELECT * FROM answered;

-- ----------------------------------------------------------------------
-- What is wrong
-- ----------------------------------------------------------------------

SELECT error_of($$SELECT hl_rename_class('desk', 'noise', 'x')$$);
SELECT error_of($$SELECT hl_rename_class('desk', 'billing', 'billing')$$);
SELECT error_of($$SELECT hl_rename_class('desk', 'billing', 'returns')$$);
SELECT error_of($$SELECT hl_rename_class('desk', 'billing', E' \t')$$);
SELECT error_of($$SELECT hl_rename_class('desk', '', 'x')$$);
SELECT error_of($$SELECT hl_rename_class('desk', 'billing', NULL)$$);
SELECT error_of($$SELECT hl_rename_class(NULL, 'billing', 'x')$$);
SELECT error_of($$SELECT hl_rename_class('nothing', 'billing', 'x')$$);
SELECT error_of($$SELECT hl_merge_classes('desk', '{billing,returns}', 'returns')$$);
SELECT error_of($$SELECT hl_merge_classes('desk', '{billing,noise}', 'returns')$$);
SELECT error_of($$SELECT hl_merge_classes('desk', '{}', 'returns')$$);
SELECT error_of($$SELECT hl_merge_classes('desk', '{billing,NULL}', 'returns')$$);
SELECT error_of($$SELECT hl_merge_classes('desk', '{billing,""}', 'returns')$$);
SELECT error_of($$SELECT hl_merge_classes('desk', NULL, 'returns')$$);
SELECT error_of($$SELECT hl_merge_classes('desk', '{billing}', ' ')$$);
SELECT error_of($$SELECT hl_remove_class('desk', 'noise')$$);
SELECT error_of($$SELECT hl_remove_class('desk', ' ')$$);
BEGIN READ ONLY;
SELECT error_of($$SELECT hl_remove_class('desk', 'billing')$$);
ROLLBACK;
SELECT * FROM said;
SELECT hl_drop_project('desk');

-- ----------------------------------------------------------------------
-- A closed list follows
-- ----------------------------------------------------------------------

SELECT hl_create_project('closed', 'ticket', 'body', classes => '{returns,delivery,billing,other}') IS NOT NULL AS declared;
SELECT hl_label_many('closed', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 45;
-- one that has no labels yet is a class as well
SELECT hl_rename_class('closed', 'other', 'complaint');
SELECT hl_rename_class('closed', 'delivery', 'shipping') > 0 AS renamed;
SELECT classes FROM hl_project;
SELECT error_of($$SELECT hl_label('closed', 50, 'delivery')$$);
SELECT error_of($$SELECT hl_rename_class('closed', 'billing', 'complaint')$$);
SELECT hl_merge_classes('closed', '{billing,returns}', 'money') > 0 AS merged;
SELECT classes FROM hl_project;
SELECT hl_merge_classes('closed', '{complaint}', 'shipping');
SELECT classes FROM hl_project;
SELECT hl_label('closed', 50, 'money') > 0 AS labelled;
SELECT classes, labels FROM hl_train('closed');
SELECT hl_remove_class('closed', 'shipping') > 0 AS removed;
SELECT classes FROM hl_project;
SELECT error_of($$SELECT hl_remove_class('closed', 'money')$$);
SELECT hl_drop_project('closed');

-- ----------------------------------------------------------------------
-- Labels of the source are the source's
-- ----------------------------------------------------------------------

CREATE TABLE "Mail" ("Id" int PRIMARY KEY, body text, "Topic" text);
INSERT INTO "Mail" SELECT id, body, CASE WHEN id <= 30 THEN topic WHEN id <= 33 THEN 'it''s odd' END FROM ticket;
SELECT hl_create_project('mail', '"Mail"', 'body', label => 'Topic', classes => '{returns,delivery,billing,it''s odd}') IS NOT NULL AS declared;
SELECT hl_refresh('mail') >= 0 AS refreshed;
SELECT hl_label('mail', 40, 'delivery') > 0 AS labelled;
SELECT error_of($$SELECT hl_rename_class('mail', 'delivery', 'shipping')$$);
SELECT error_of($$SELECT hl_merge_classes('mail', '{it''s odd,delivery}', 'other')$$);
SELECT error_of($$SELECT hl_remove_class('mail', 'it''s odd')$$);
SELECT label, annotator, count(*) FROM hl_labels GROUP BY 1, 2 ORDER BY 1, 2;
SELECT classes FROM hl_project;
-- the way that the hint shows
BEGIN;
UPDATE public."Mail" SET "Topic" = 'shipping' WHERE "Topic" = 'delivery';
SELECT hl_rename_class('mail', 'delivery', 'shipping');
COMMIT;
BEGIN;
UPDATE public."Mail" SET "Topic" = NULL WHERE "Topic" = 'it''s odd';
SELECT hl_remove_class('mail', 'it''s odd');
COMMIT;
SELECT label, annotator, count(*) FROM hl_labels GROUP BY 1, 2 ORDER BY 1, 2;
SELECT hl_refresh('mail');
SELECT label, annotator, count(*) FROM hl_labels GROUP BY 1, 2 ORDER BY 1, 2;
SELECT classes FROM hl_project;
SELECT classes, labels FROM hl_train('mail');
SELECT hl_drop_project('mail');
DROP TABLE "Mail";

-- ----------------------------------------------------------------------
-- Many labels, and nobody has analyzed anything
-- ----------------------------------------------------------------------

CREATE TABLE line (id int PRIMARY KEY, body text);
INSERT INTO line SELECT i, 'line ' || i FROM generate_series(1, 40000) i;
SELECT items FROM hl_create_project('many', 'line', 'body');
SELECT hl_label_many('many', array_agg(id::text), array_agg('class ' || id % 3)) FROM line;
SET statement_timeout = '60s';
SELECT hl_rename_class('many', 'class 1', 'one');
SELECT hl_merge_classes('many', '{class 0,class 2}', 'two');
SELECT hl_remove_class('many', 'two');
RESET statement_timeout;
SELECT label, count(*) FROM hl_labels GROUP BY 1;
SELECT action, label, reason, count(*) FROM hl_label_history GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT hl_drop_project('many');

DROP TABLE ticket, line, before, history_before, shares_before, chances CASCADE;
DROP VIEW said, rewritten, answered, shares;
