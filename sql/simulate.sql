-- The learning of a labelled relation again.
-- a busy machine says how far it is
SET client_min_messages = warning;
SET extra_float_digits = 0;
CREATE TABLE ticket_log (id int PRIMARY KEY, body text, topic text, part text);
INSERT INTO ticket_log SELECT id, body, topic, CASE WHEN id % 4 = 0 THEN 'test' ELSE 'train' END FROM tickets(420);

-- A round for the first labels and each batch, of each run of each strategy.
CREATE TABLE simulation AS SELECT s.* FROM hl_simulate('ticket_log', 'body', 'topic', '{epig,random}', seed => 6, batch => 5, rounds => 4, runs => 3) s;
SELECT strategy, run, array_agg(labels ORDER BY labels), min(accuracy) >= 0 AND max(accuracy) <= 1 AS shares, max(classes) AS classes FROM simulation GROUP BY 1, 2 ORDER BY 1, 2;
-- Runs are paired, and differ from one another.
SELECT labels, count(DISTINCT (accuracy, classes)) FROM simulation WHERE labels = 6 GROUP BY labels, run ORDER BY run;
SELECT count(DISTINCT accuracy) > 1 AS differ FROM simulation WHERE labels = 6;
-- One row in five is held out: 84.
SELECT DISTINCT round((accuracy * 84)::numeric, 6) = round(accuracy * 84) AS of_84 FROM simulation;
SELECT avg(accuracy) > 0.7 AS learned FROM simulation WHERE labels = 26;
-- The same call, the same rows; another seed, others.
CREATE VIEW again AS SELECT s.* FROM hl_simulate('ticket_log', 'body', 'topic', '{epig,random}', seed => 6, batch => 5, rounds => 4, runs => 3) s;
SELECT count(*) FROM (TABLE simulation EXCEPT ALL TABLE again) d;
SELECT count(*) > 0 AS others FROM (SELECT s.* FROM hl_simulate('ticket_log', 'body', 'topic', '{epig,random}', 6, 5, 4, 3, random_seed => 1) s EXCEPT TABLE simulation) d;
-- Also when the rows lie in another order.
CREATE TABLE ticket_log_backwards AS SELECT * FROM ticket_log ORDER BY id DESC;
SELECT count(*) FROM (TABLE simulation EXCEPT ALL SELECT s.* FROM hl_simulate('ticket_log_backwards', 'body', 'topic', '{epig,random}', 6, 5, 4, 3) s) d;
-- A strategy does not depend on those beside it.
SELECT count(*) FROM (SELECT * FROM simulation WHERE strategy = 'random' EXCEPT ALL SELECT s.* FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', 6, 5, 4, 3) s) d;
-- All of them.
SELECT strategy, count(*) FROM hl_simulate('ticket_log', 'body', 'topic', '{random,entropy,margin,bald,epig}', rounds => 1, runs => 1) GROUP BY 1 ORDER BY 1;
-- Until nothing is left to ask about.
SELECT labels, classes FROM hl_simulate('ticket_log', 'body', 'topic', '{margin}', seed => 300, batch => 20, runs => 1);
SELECT labels FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', seed => 1000, runs => 1);
SELECT labels FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', rounds => 0, runs => 1);
-- One label at first: the answer is what there is.
SELECT labels, round(accuracy::numeric, 1) AS accuracy, classes FROM hl_simulate('ticket_log', 'body', 'topic', '{epig}', seed => 1, rounds => 1, runs => 1);

-- A given split, the same for all runs: 105 rows.
SELECT DISTINCT round((accuracy * 105)::numeric, 6) = round(accuracy * 105) AS of_105 FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', rounds => 2, split => 'part');
SET client_min_messages = notice;
UPDATE ticket_log SET part = CASE id % 3 WHEN 0 THEN 'dev' ELSE NULL END WHERE id > 400;
UPDATE ticket_log SET body = NULL WHERE id = 1;
UPDATE ticket_log SET topic = CASE id WHEN 2 THEN NULL ELSE ' ' END WHERE id IN (2, 3);
SELECT count(*) FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', rounds => 2, runs => 1, split => 'part');
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', split => 'topic')$$);
CREATE VIEW trained AS SELECT * FROM ticket_log WHERE part = 'train';
SELECT error_of($$SELECT hl_simulate('trained', 'body', 'topic', split => 'part')$$);

-- Sources of all kinds, labels of any type.
SELECT count(*) FROM hl_simulate('trained', 'body', 'topic', '{epig}', rounds => 2, runs => 1);
CREATE TEMP TABLE scratch AS SELECT body::varchar, id % 2 = 0 AS even, ARRAY[id % 2, id % 3 - 1, 0.1]::real[] AS place, ARRAY[id % 2, id % 3 - 1, 0.1] AS exact FROM ticket_log;
SELECT count(*) FROM hl_simulate('scratch', 'body', 'even', '{epig}', rounds => 2, runs => 1);
SELECT max(accuracy) FROM hl_simulate('scratch', 'place', 'even', '{epig}', rounds => 2, runs => 1);
SELECT max(accuracy) FROM hl_simulate('scratch', 'exact', 'even', '{epig}', rounds => 2, runs => 1, encoder => 'vector');
UPDATE scratch SET place = CASE WHEN ctid = (SELECT min(ctid) FROM scratch) THEN '{1,NaN,2}' ELSE '{}' END::real[] WHERE ctid IN (SELECT ctid FROM scratch ORDER BY ctid LIMIT 3);
SELECT count(*) FROM hl_simulate('scratch', 'place', 'even', '{epig}', rounds => 2, runs => 1);
-- A sample of many rows.
SELECT count(*), max(labels) FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', rounds => 20, runs => 1, options => '{"rows": 100}');
SELECT count(*) FROM hl_simulate('ticket_log', 'body', 'topic', '{margin}', rounds => 2, runs => 1, options => '{"seeds": "typical", "dimensions": 20, "refine": false, "folds": 3, "prior_precision": 0.1, "vocabulary": null, "sample_rows": 200}');
SELECT count(*) FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', rounds => 2, runs => 1, options => NULL);

-- It needs no project, and leaves all as it was.
SELECT (SELECT count(*) FROM hl_projects) AS projects, (SELECT count(*) FROM hl_labels) AS labels, (SELECT count(*) FROM hl_feature_block) AS features;
BEGIN READ ONLY;
SELECT count(*) FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', rounds => 2, runs => 1);
COMMIT;

-- What cannot be.
SELECT error_of($$SELECT hl_simulate(NULL, 'body', 'topic')$$);
SELECT error_of($$SELECT hl_simulate(0, 'body', 'topic')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log_pkey', 'id', 'id')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'bodi', 'topic')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topik')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', split => 'no"such')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'id', 'topic')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', NULL)$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', encoder => 'vector')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', '{best}')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', '{}')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', '{epig,NULL}')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', '{epig,epig}')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', seed => 0)$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', batch => 1001)$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', rounds => -1)$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', runs => NULL)$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', random_seed => NULL)$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', options => '{"queue_size": 10}')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', options => '{"dimensions": 0}')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', options => '{"seeds": "good"}')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', options => '{"rows": 1.5}')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', options => '{"rows": {"a": 1}}')$$);
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', options => '[]')$$);
CREATE VIEW nothing AS SELECT * FROM ticket_log WHERE false;
SELECT error_of($$SELECT hl_simulate('nothing', 'body', 'topic')$$);
CREATE VIEW single AS SELECT * FROM ticket_log WHERE topic = 'billing';
SELECT error_of($$SELECT hl_simulate('single', 'body', 'topic')$$);
-- rows that say nothing are not asked, and an accuracy without a label is none
CREATE VIEW blank AS SELECT '' AS body, topic FROM ticket_log;
SELECT error_of($$SELECT hl_simulate('blank', 'body', 'topic')$$);
-- nor is a class that only rows have which cannot be encoded
CREATE VIEW broken AS SELECT CASE WHEN id % 2 = 0 THEN '{1,2}' ELSE '{NaN,2}' END::real[] AS place, id % 2 AS odd FROM ticket_log;
SELECT error_of($$SELECT hl_simulate('broken', 'place', 'odd')$$);
CREATE VIEW dividing AS SELECT id, body, (id / (id - 7))::text AS topic FROM ticket_log;
SELECT error_of($$SELECT hl_simulate('dividing', 'body', 'topic')$$);
-- memory
SET humanloop.work_mem = '4MB';
SELECT left(error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic', seed => 300)$$), 35);
RESET humanloop.work_mem;

-- ----------------------------------------------------------------------
-- Rights: those of whoever asks
-- ----------------------------------------------------------------------

CREATE ROLE regress_hl_analyst;
CREATE ROLE regress_hl_writer;
GRANT SELECT (id, body, part) ON ticket_log TO regress_hl_analyst;
SET ROLE regress_hl_analyst;
SELECT error_of($$SELECT hl_simulate('ticket_log', 'body', 'topic')$$);
SELECT error_of($$SELECT hl_simulate('hl_project', 'name', 'name')$$);
RESET ROLE;
GRANT SELECT (topic) ON ticket_log TO regress_hl_analyst;
SET ROLE regress_hl_analyst;
SELECT count(*) FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', rounds => 2, runs => 1);
RESET ROLE;
-- Row-level security: he sees 104 rows, the owner all.
ALTER TABLE ticket_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY quarter ON ticket_log TO regress_hl_analyst USING (id % 4 = 0);
SET ROLE regress_hl_analyst;
SELECT max(labels) FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', seed => 500, rounds => 0, runs => 1);
RESET ROLE;
SELECT max(labels) FROM hl_simulate('ticket_log', 'body', 'topic', '{random}', seed => 500, rounds => 0, runs => 1);
-- What a view runs, it runs as the caller; a superuser reads as its owner.
CREATE SCHEMA lair AUTHORIZATION regress_hl_writer;
SET ROLE regress_hl_writer;
CREATE TABLE lair.seen (who text, restricted text);
CREATE FUNCTION lair.look(text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'read as %', current_user;
	EXECUTE 'CREATE TEMP TABLE left_behind (a int)';
	RETURN $1;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN $1;
END $$;
CREATE VIEW lair.trap AS SELECT lair.look(CASE i % 2 WHEN 0 THEN 'one' ELSE 'other' END) AS body, (i % 2)::text AS kind FROM generate_series(1, 4) i;
GRANT USAGE ON SCHEMA lair TO regress_hl_analyst;
GRANT SELECT ON lair.trap TO regress_hl_analyst;
RESET ROLE;
SELECT count(*) FROM hl_simulate('lair.trap', 'body', 'kind', '{random}', rounds => 0, runs => 1);
SET ROLE regress_hl_analyst;
SELECT count(*) FROM hl_simulate('lair.trap', 'body', 'kind', '{random}', rounds => 0, runs => 1);
RESET ROLE;
SELECT to_regclass('left_behind'), current_user = session_user AS myself, current_setting('search_path');

-- ----------------------------------------------------------------------
-- Labels needed
-- ----------------------------------------------------------------------

SELECT strategy, labels > 6 AS labels, low <= labels AND labels <= high AS inside, saving IS NOT NULL AS saving, runs
FROM hl_labels_needed(ARRAY(SELECT ROW(s.*)::hl_simulation FROM simulation s), 0.6);
-- by hand: 15 labels, and 35 at random
SELECT n.* FROM hl_labels_needed(ARRAY(SELECT ROW(strategy, run, labels, accuracy, 3)::hl_simulation FROM (VALUES
	('fast', 1, 10, 0.5), ('fast', 1, 20, 0.7), ('fast', 2, 10, 0.5), ('fast', 2, 20, 0.7),
	('never', 1, 10, 0.5), ('never', 2, 10, 0.5),
	('random', 1, 10, 0.1), ('random', 1, 50, 0.9), ('random', 2, 10, 0.1), ('random', 2, 50, 0.9)) v(strategy, run, labels, accuracy)), 0.6) n;
SELECT n.* FROM hl_labels_needed(ARRAY[ROW('epig', 1, 10, 0.7, 3)::hl_simulation], 0.6) n;
SELECT * FROM hl_labels_needed('{}', 0.6);
SELECT error_of($$SELECT hl_labels_needed(NULL, 0.5)$$);
SELECT error_of($$SELECT hl_labels_needed('{}', NULL)$$);
SELECT error_of($$SELECT hl_labels_needed('{}', 80)$$);
SELECT error_of($$SELECT hl_labels_needed(ARRAY[NULL::hl_simulation], 0.5)$$);
SELECT error_of($$SELECT hl_labels_needed(ARRAY[ROW('epig', 1, NULL, 0.7, 3)::hl_simulation], 0.5)$$);
SELECT error_of($$SELECT hl_labels_needed(ARRAY[ROW('epig', 1, 0, 0.7, 3)::hl_simulation], 0.5)$$);

DROP VIEW again, trained, nothing, single, blank, broken, dividing;
DROP TABLE simulation, ticket_log_backwards, scratch, ticket_log;
DROP SCHEMA lair CASCADE;
DROP ROLE regress_hl_analyst, regress_hl_writer;
