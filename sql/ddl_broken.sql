-- A source that was altered so that it can be one no longer: its project says
-- so, everything else goes on, and there is a way back.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, known text);
INSERT INTO ticket SELECT id, body, CASE WHEN id <= 30 THEN topic END FROM tickets(60);
CREATE TABLE other (id int PRIMARY KEY, body text);
INSERT INTO other SELECT id, body FROM tickets(20);
SELECT project FROM hl_create_project('other', 'other', 'body');
SELECT project FROM hl_create_project('tickets', 'ticket', 'body', label => 'known');
SELECT model FROM hl_train('tickets');
CREATE FUNCTION look() RETURNS text LANGUAGE sql AS $$
	SELECT format('broken: %s; others: %s; labels: %s; queue of others: %s',
		(SELECT state <> 'ready' AND last_error IS NOT NULL FROM hl_projects WHERE project = 'tickets'),
		(SELECT last_error IS NULL FROM hl_projects WHERE project = 'other'),
		(SELECT count(*) > 0 FROM hl_labels), (SELECT count(*) > 0 FROM hl_queue WHERE project = 'other'))
$$;
-- training fails with a reason, and no error is an internal one
CREATE FUNCTION complaints() RETURNS text LANGUAGE sql AS $$
	SELECT format('training fails: %s, internal errors: %s', error_of('SELECT hl_train(''tickets'')') !~ '^(XX|no error)',
		(SELECT count(*) FROM unnest(ARRAY['hl_train(''tickets'')', 'hl_refresh(''tickets'')', 'hl_next(''tickets'')',
			'hl_label(''tickets'', 31, ''billing'')', 'hl_predict(''tickets'')']) s WHERE error_of('SELECT ' || s) ~ '^XX'))
$$;

-- The key gets a type that keys cannot have.
DROP VIEW hl_queue_tickets;
ALTER TABLE ticket ALTER id TYPE numeric;
SELECT look();
SELECT complaints();
SELECT label FROM hl_predict('tickets', 'where is the parcel');
ALTER TABLE ticket ALTER id TYPE bigint;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT model FROM hl_train('tickets');
SELECT state FROM hl_projects WHERE project = 'tickets';

-- The input gets one that inputs cannot have.
DROP VIEW hl_queue_tickets;
ALTER TABLE ticket RENAME body TO text;
ALTER TABLE ticket ALTER text TYPE jsonb USING to_jsonb(text);
SELECT look();
SELECT complaints();
SELECT label FROM hl_predict('tickets', 'where is the parcel');
ALTER TABLE ticket ALTER text TYPE text USING text #>> '{}';
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT state FROM hl_projects WHERE project = 'tickets';

-- Its columns are dropped, the label's first, and come back by name.
ALTER TABLE ticket DROP known;
SELECT look();
SELECT complaints();
ALTER TABLE ticket ADD known text;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT count(*) AS labels FROM hl_labels WHERE annotator = 'source';
UPDATE ticket SET known = t.topic FROM tickets(60) t WHERE t.id = ticket.id AND t.id <= 40;
SELECT labels FROM hl_train('tickets');
SELECT left(error_of($$ALTER TABLE ticket DROP text$$), 5) AS refused;
ALTER TABLE ticket DROP text CASCADE;
SELECT look();
SELECT complaints();
SELECT label FROM hl_predict('tickets', 'where is the parcel');
ALTER TABLE ticket ADD text text;
UPDATE ticket SET text = t.body FROM tickets(60) t WHERE t.id = ticket.id;
SELECT hl_refresh('tickets') >= 0 AS refreshed;
SELECT state, input FROM hl_projects WHERE project = 'tickets';
SELECT count(*) > 0 AS queued FROM hl_queue_tickets;

-- The table of that name is suddenly another kind of thing.
DROP TABLE ticket CASCADE;
CREATE SEQUENCE ticket;
SELECT look();
SELECT complaints();
DROP SEQUENCE ticket;
CREATE TABLE ticket (something int);
SELECT look();
SELECT complaints();

-- A broken project can be dropped.
SELECT hl_drop_project('tickets');
SELECT project, state FROM hl_projects;
SELECT hl_drop_project('other');
SELECT count(hl_drop_project(project)::text) FROM hl_projects;
DROP TABLE ticket, other;
DROP FUNCTION look, complaints;
