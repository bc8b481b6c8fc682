-- Option "targets": which rows are asked, and are to be got right.
SET client_min_messages = warning;
SET humanloop.annotator = 'boss';

CREATE TABLE ticket AS SELECT id, body, topic, CASE WHEN id % 2 = 0 THEN 'Wales' ELSE 'Kent' END AS region,
	timestamptz '2026-01-01' + id * interval '1 hour' AS created, 'item ' || id AS item FROM tickets(300);
ALTER TABLE ticket ADD PRIMARY KEY (id);
CREATE SCHEMA crm;
CREATE TABLE crm.vip AS SELECT i AS id FROM generate_series(10, 300, 10) i;

-- ----------------------------------------------------------------------
-- What is a condition
-- ----------------------------------------------------------------------

CREATE TABLE attempt (n serial, condition text);
INSERT INTO attempt (condition) VALUES
	(''), ('   '), ('-- nothing'), ('true; DROP TABLE ticket'), ('true) OR (true'), ('true) UNION SELECT ''1'', NULL, NULL FROM ticket s WHERE (true'),
	('true, true'), ('true AS x'), ('true FROM ticket'), ('true WHERE true'), ('true GROUP BY true'), ('true ORDER BY 1'), ('true LIMIT 1'), ('DISTINCT true'), ('*'), ('true /*'), ('true FOR UPDATE'),
	('id'), ('''abc'''), ('count(*) > 1'), ('row_number() OVER () = 1'), ('generate_series(1, 2) = 1'), ('unnest(ARRAY[true])'), ('regoin = ''Wales'''), ('s.nothing'), ('i.item = ''1'''),
	('EXISTS (SELECT FROM vip WHERE vip.id = s.id)'), ('nothing(id)'), ('$1 IS NULL'), ('id = ANY ($1)'), ('(WITH gone AS (DELETE FROM crm.vip RETURNING id) SELECT count(*) > 0 FROM gone)');
CREATE TABLE hint AS SELECT E'\n  HINT: Give one boolean expression over the columns of the source, like "created >= now() - interval ''1 year''"; other relations, and functions, by their schemas.' AS hint;
CREATE FUNCTION refused(statement text) RETURNS text LANGUAGE sql AS $$ SELECT replace(error_of(statement), (SELECT hint FROM hint), '') $$;
SELECT error_of($$SELECT hl_create_project('bad', 'ticket', 'body', options => '{"targets": "0"}')$$);
SELECT condition, refused(format($$SELECT hl_create_project('bad', 'ticket', 'body', options => %L)$$, jsonb_build_object('targets', condition))) FROM attempt ORDER BY n;
SELECT o, error_of(format($$SELECT hl_create_project('bad', 'ticket', 'body', options => %L)$$, o)) FROM unnest(ARRAY['{"targets": true}', '{"targets": 1}', '{"targets": ["true"]}', '{"target": "true"}']) o;
SELECT error_of($$SELECT * FROM hl_simulate('ticket', 'body', 'topic', options => '{"targets": "true"}')$$);
-- an error that a row raises
SELECT error_of($$SELECT hl_create_project('bad', 'ticket', 'body', options => '{"targets": "1 / (id - 5) > 0"}')$$);
SELECT count(*) FROM hl_projects;

-- ----------------------------------------------------------------------
-- What is asked
-- ----------------------------------------------------------------------

CREATE VIEW asked AS SELECT q.project, count(*), count(*) FILTER (WHERE t.region <> 'Wales') AS elsewhere, count(*) FILTER (WHERE q.reason = 'audit') > 0 AS audit
	FROM hl_queue q JOIN ticket t ON t.id = q.item::int GROUP BY 1;
-- all that is stored of a queue: head, rest, spare rows, targets
CREATE VIEW stored AS SELECT r.part, count(*) > 0 AS some, count(*) FILTER (WHERE t.region <> 'Wales') AS elsewhere
	FROM hl_ranking r CROSS JOIN LATERAL unnest(r.items) i JOIN ticket t ON t.id = i::int WHERE r.project_id = (SELECT id FROM hl_project WHERE name = 'desk') GROUP BY 1 ORDER BY 1;

SELECT items, hint FROM hl_create_project('desk', 'ticket', 'body', options => '{"targets": "region = ''Wales'' -- only those", "seed_batch": 40}');
SELECT targets FROM hl_projects;
SELECT * FROM asked;
SELECT * FROM stored;
SELECT count(*), count(*) FILTER (WHERE item::int % 2 = 1) AS elsewhere FROM hl_next('desk', 30);
-- labels of others teach, too
SELECT hl_label_many('desk', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60;
SELECT labels, classes, audited > 0 AS audited FROM hl_train('desk');
SELECT * FROM asked;
SELECT * FROM stored;
SELECT count(*), count(*) FILTER (WHERE item::int % 2 = 1) AS elsewhere FROM hl_next('desk', 200);
SELECT count(*) AS predicted FROM hl_predict('desk');
-- the audit's sample is one of these rows
CREATE VIEW audited AS SELECT t.region, count(*) FROM hl_project p JOIN hl_serving v ON v.project_id = p.id JOIN hl_model_label m ON m.project_id = p.id AND m.model = v.model CROSS JOIN unnest(m.items, m.audited) i(item, audited) JOIN ticket t ON t.id = i.item::int
	WHERE p.name = 'desk' AND i.audited GROUP BY 1;
SELECT region FROM audited;
SELECT sum(count) = (SELECT audited FROM hl_projects) AS all FROM audited;
-- all of them are answered: the others, which nobody asks, do not end the sample
SELECT hl_label_many('desk', array_agg(id::text), array_agg(topic)) FROM ticket WHERE region = 'Wales';
SELECT labels, audited FROM hl_train('desk');
SELECT queued, queue_empty_because FROM hl_projects;
SELECT count(*) FROM hl_next('desk', 5);

-- ----------------------------------------------------------------------
-- Another condition
-- ----------------------------------------------------------------------

SELECT condition, refused(format('SELECT hl_set_targets(%L, %L)', 'desk', condition)) FROM attempt WHERE condition IN ('', 'true) OR (true', 'regoin = ''Wales''', 'id', 'count(*) > 1') ORDER BY n;
SELECT error_of($$SELECT hl_set_targets('none', 'true')$$), error_of($$SELECT hl_set_targets(NULL, 'true')$$);
SELECT targets FROM hl_projects;
-- other tables; columns with and without alias, and one that is called as ours are
SELECT hl_set_targets('desk', 'EXISTS (SELECT FROM crm.vip v WHERE v.id = s.id) OR item = ''item 201'' OR s.id = 203');
SELECT kind FROM hl_change WHERE kind = 'pool';
SELECT targets FROM hl_projects;
SELECT hl_refresh('desk');
SELECT item FROM hl_queue ORDER BY item;
DELETE FROM crm.vip;
INSERT INTO crm.vip VALUES (91), (93), (4);
SELECT hl_refresh('desk');
SELECT item FROM hl_queue ORDER BY item;
-- what does not satisfy it any more goes at once
SELECT hl_set_targets('desk', 'created > timestamptz ''2026-01-01'' + 4 * interval ''1 day''');
SELECT item FROM hl_queue ORDER BY item;
SELECT hl_refresh('desk');
SELECT count(*) > 10 AS some, min(item::int) > 96 AS late FROM hl_queue;
UPDATE ticket SET created = timestamptz '2026-01-01' WHERE id < 200;
SELECT hl_refresh('desk');
SELECT count(*) > 10 AS some, min(item::int) >= 200 AS late FROM hl_queue;
-- nothing satisfies it
SELECT hl_set_targets('desk', 'false');
SELECT count(*) FROM hl_queue;
SELECT hl_refresh('desk');
SELECT queued, queue_empty_because FROM hl_projects;
-- all do
SELECT hl_set_targets('desk', NULL);
SELECT targets IS NULL AS none, options FROM hl_projects JOIN hl_project p ON p.name = project;
SELECT hl_refresh('desk');
SELECT count(*), count(*) FILTER (WHERE t.region = 'Kent') AS kent FROM hl_queue q JOIN ticket t ON t.id = q.item::int;

-- ----------------------------------------------------------------------
-- Before there is a model
-- ----------------------------------------------------------------------

SELECT items, hint FROM hl_create_project('early', 'ticket', 'body', options => '{"targets": "id > 1000"}');
SELECT queued, queue_empty_because FROM hl_projects WHERE project = 'early';
SELECT hl_set_targets('early', 'id > 290');
SELECT item FROM hl_queue WHERE project = 'early' ORDER BY item;
SELECT hl_set_targets('early', 'id < 4');
SELECT item FROM hl_queue WHERE project = 'early' ORDER BY item;
SELECT hl_refresh('early') > 0 AS encoded;
SELECT hl_set_targets('early', 'id IN (7, 9)');
SELECT item FROM hl_queue WHERE project = 'early' ORDER BY item;
SELECT hl_set_targets('early', NULL);
SELECT count(*) FROM hl_queue WHERE project = 'early';
-- the batch is of rows that are not answered, also when there are no features
SELECT project FROM hl_create_project('fresh', 'ticket', 'body', options => '{"seed_batch": 5, "audit": 0}');
SELECT hl_label_many('fresh', array_agg(q.item), array_agg(t.topic)) FROM hl_queue q JOIN ticket t ON t.id = q.item::int WHERE q.project = 'fresh';
SELECT hl_set_targets('fresh', 'true');
SELECT count(*) FROM hl_queue WHERE project = 'fresh';
SELECT hl_drop_project('fresh');
-- null is no condition: what no project reads is not noted
CREATE TABLE plain AS SELECT id, body, 0 AS other FROM ticket;
ALTER TABLE plain ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('plain', 'plain', 'body', options => '{"targets": null}');
UPDATE plain SET other = 1;
SELECT count(*) FROM hl_change WHERE project_id = (SELECT id FROM hl_project WHERE name = 'plain');
SELECT hl_set_targets('plain', 'other > 0');
DELETE FROM hl_change WHERE project_id = (SELECT id FROM hl_project WHERE name = 'plain');
UPDATE plain SET other = 2;
SELECT kind FROM hl_change WHERE project_id = (SELECT id FROM hl_project WHERE name = 'plain');
SELECT hl_drop_project('plain');
DROP TABLE plain;
-- the same with few rows in a large source, which is read in part otherwise
CREATE TABLE large AS SELECT i AS id, body || i AS body FROM generate_series(1, 100) i, tickets(420);
ALTER TABLE large ADD COLUMN n serial PRIMARY KEY;
ANALYZE large;
SELECT hint IS NOT NULL AS declared FROM hl_create_project('large', 'large', 'body', options => '{"targets": "n IN (5, 41999)"}');
SELECT item FROM hl_queue WHERE project = 'large' ORDER BY item;

-- ----------------------------------------------------------------------
-- A column that it uses
-- ----------------------------------------------------------------------

SELECT hl_set_targets('desk', 'region = ''Kent''');
ALTER TABLE ticket RENAME region TO county;
SELECT error_of($$SELECT hl_refresh('desk')$$);
SELECT error_of($$SELECT hl_train('desk')$$);
-- labelling, asking and predicting go on
SELECT hl_label('desk', 299, 'billing') > 0 AS labelled, (SELECT count(*) FROM hl_next('desk')) AS asked, (SELECT count(*) FROM hl_predict('desk')) AS predicted;
SELECT hl_set_targets('desk', 'county = ''Kent''');
SELECT hl_refresh('desk');
ALTER TABLE ticket DROP county CASCADE;
SELECT error_of($$SELECT hl_refresh('desk')$$);
SELECT hl_set_targets('desk', NULL);
SELECT hl_refresh('desk');

-- ----------------------------------------------------------------------
-- As whom it runs, and who may give one
-- ----------------------------------------------------------------------

CREATE ROLE regress_hl_owner;
CREATE ROLE regress_hl_other;
CREATE ROLE regress_hl_member IN ROLE regress_hl_owner;
CREATE SCHEMA theirs AUTHORIZATION regress_hl_owner;
GRANT USAGE ON SCHEMA theirs TO PUBLIC;
CREATE TABLE ran (who name, "session" name, path text);
GRANT INSERT, SELECT ON ran TO PUBLIC;
GRANT USAGE ON SCHEMA public TO PUBLIC;
SET ROLE regress_hl_owner;
CREATE TABLE theirs.note (id int PRIMARY KEY, body text, fine boolean DEFAULT true);
INSERT INTO theirs.note SELECT id, body FROM tickets(60);
CREATE FUNCTION theirs.told(fine boolean) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	INSERT INTO public.ran VALUES (current_user, session_user, current_setting('search_path'));
	RETURN fine;
END $$;
CREATE FUNCTION theirs.grab() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	-- back to who has begun
	RESET ROLE;
	RETURN true;
END $$;
SELECT hint IS NOT NULL AS declared FROM hl_create_project('notes', 'theirs.note', 'body', options => '{"targets": "theirs.told(fine)"}');
SELECT hl_grant('notes', 'regress_hl_other', 'manage');
SELECT hl_label_many('notes', array_agg(id::text), array_agg(topic)) FROM tickets(20);
SELECT labels FROM hl_train('notes');
SELECT error_of($$SELECT hl_set_targets('notes', 'theirs.grab()')$$);
RESET ROLE;
-- a superuser who refreshes, trains, sets
SELECT hl_refresh('notes'), (SELECT labels FROM hl_train('notes'));
SELECT hl_set_targets('notes', 'theirs.told(s.fine) AND true');
SELECT count(*) > 100 AS often, array_agg(DISTINCT who), array_agg(DISTINCT path) FROM ran;
SELECT error_of($$SELECT hl_set_targets('notes', 'theirs.grab()')$$);
-- manage does not do; a member of the owner does; who has the project but not the source does not
SET ROLE regress_hl_other;
SELECT error_of($$SELECT hl_set_targets('notes', 'true')$$);
SELECT targets FROM hl_projects WHERE project = 'notes';
SET ROLE regress_hl_member;
SELECT hl_set_targets('notes', 'fine');
RESET ROLE;
ALTER VIEW theirs.hl_queue_notes OWNER TO regress_hl_other;
SET ROLE regress_hl_other;
SELECT error_of($$SELECT hl_set_targets('notes', 'true')$$);
SET ROLE regress_hl_owner;
SELECT error_of($$SELECT hl_set_targets('notes', 'true')$$);
RESET ROLE;
-- what a row says is not told to who may not read it; what is wrong with the condition is
SELECT hl_set_targets('notes', 'CASE WHEN fine THEN true ELSE body::int = 1 END');
UPDATE theirs.note SET fine = false WHERE id = 33;
SET ROLE regress_hl_other;
SELECT error_of($$SELECT hl_refresh('notes')$$);
RESET ROLE;
ALTER TABLE theirs.note RENAME fine TO good;
SET ROLE regress_hl_other;
SELECT error_of($$SELECT hl_refresh('notes')$$);
RESET ROLE;

-- Memory is what the setting says.
SELECT hl_set_targets('large', 'n > 0');
SELECT hl_refresh('large');
SET humanloop.work_mem = '1MB';
SELECT error_of($$SELECT hl_refresh('large')$$);
RESET humanloop.work_mem;

SELECT hl_drop_project(project) FROM hl_projects ORDER BY project;
DROP OWNED BY regress_hl_owner, regress_hl_other, regress_hl_member CASCADE;
REVOKE ALL ON SCHEMA public FROM regress_hl_owner;
DROP ROLE regress_hl_member, regress_hl_owner, regress_hl_other;
DROP FUNCTION refused;
DROP TABLE ticket, large, attempt, hint, ran CASCADE;
DROP SCHEMA crm CASCADE;
