-- Sources whose rows say nothing: no row has a part of a word in common with
-- another, or all are the same, or every vector is zero.  They are told apart
-- from a queue that is answered, and what is learned is how frequent the
-- classes are.
SET client_min_messages = warning;
CREATE TABLE sign (id int PRIMARY KEY, body text);
INSERT INTO sign SELECT i, repeat(chr(20000 + i), 3) FROM generate_series(1, 100) i;
CREATE TABLE zero (id int PRIMARY KEY, body real[]);
INSERT INTO zero SELECT i, '{0,0,0}' FROM generate_series(1, 100) i;
SELECT hint FROM hl_create_project('signs', 'sign', 'body');
SELECT hint FROM hl_create_project('zeros', 'zero', 'body');
CREATE TABLE same AS SELECT id, 'no reply'::text AS body FROM sign;
ALTER TABLE same ADD PRIMARY KEY (id);
BEGIN;
SELECT hint FROM hl_create_project('sames', 'same', 'body');
SELECT hl_label_many('sames', array_agg(id::text), array_agg('class ' || id % 2)) FROM same WHERE id <= 20;
SELECT model FROM hl_train('sames');
ROLLBACK;
-- one word is enough
UPDATE same SET body = 'reply' WHERE id <= 3;
SELECT left(hint, 20) AS hint FROM hl_create_project('sames', 'same', 'body');
SELECT hl_drop_project('sames');
DROP TABLE same;
SELECT project, items, labelled, queued, state, queue_empty_because FROM hl_projects ORDER BY project;
SELECT count(*) FROM hl_next('signs', 20);
-- hl_refresh reads all of it, and finds nothing either
SELECT hl_refresh('signs'), hl_refresh('zeros');
SELECT project, items, labelled, queued, state, queue_empty_because FROM hl_projects ORDER BY project;

-- They can be labelled nonetheless: two of three are "common".
SELECT hl_label_many('signs', array_agg(id::text), array_agg(CASE WHEN id % 3 = 0 THEN 'rare' ELSE 'common' END)) FROM sign WHERE id <= 60;
SELECT hl_label_many('zeros', array_agg(id::text), array_agg(CASE WHEN id % 3 = 0 THEN 'rare' ELSE 'common' END)) FROM zero WHERE id <= 60;
SELECT model, classes, labels, round(accuracy::numeric, 2) AS accuracy, round(log_loss::numeric, 3) AS log_loss FROM hl_train('signs');
SELECT model, classes, labels, round(accuracy::numeric, 2) AS accuracy, round(log_loss::numeric, 3) AS log_loss FROM hl_train('zeros');
SELECT label, round(probability::numeric, 2) AS probability FROM hl_probabilities('signs', 'where is the parcel');
SELECT label, round(probability::numeric, 2) AS probability FROM hl_probabilities('zeros', '{1,0,0}'::real[]);
SELECT label, round(confidence::numeric, 2) AS confidence, count(*) FROM hl_predict('signs') GROUP BY 1, 2;
SELECT label, round(confidence::numeric, 2) AS confidence, count(*) FROM hl_predict('zeros') GROUP BY 1, 2;
SELECT project, items, labelled, queued, state, queue_empty_because FROM hl_projects ORDER BY project;
-- where all are labelled, that is why
SELECT hl_label_many('signs', array_agg(id::text), array_agg('common'::text)) FROM sign WHERE id > 60;
SELECT labelled, queue_empty_because FROM hl_projects WHERE project = 'signs';

-- Rows that do say something are asked when they have been read.
-- The encoder, to which all is new, is fitted anew before the source has doubled.
INSERT INTO sign SELECT 100 + i, 'please take back the lamp' FROM generate_series(1, 20) i;
SELECT hl_refresh('signs');
SELECT model FROM hl_train('signs');
SELECT items, queued, queue_empty_because FROM hl_projects WHERE project = 'signs';
SELECT count(*), min(item::int) AS first FROM hl_next('signs', 20);
SELECT hl_drop_project('signs'), hl_drop_project('zeros');
DROP TABLE sign, zero;
