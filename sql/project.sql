-- Declaring a project: what is refused, and how it says so.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text, extra jsonb, at timestamptz);
INSERT INTO ticket SELECT id, body, topic FROM tickets(210);
\pset format unaligned
\pset tuples_only on

-- names
SELECT error_of($$SELECT hl_create_project(NULL, 'ticket', 'body')$$);
SELECT error_of($$SELECT hl_create_project('', 'ticket', 'body')$$);
SELECT error_of($$SELECT hl_create_project('Tickets', 'ticket', 'body')$$);
SELECT error_of($$SELECT hl_create_project('1st', 'ticket', 'body')$$);
SELECT error_of($$SELECT hl_create_project('a;b', 'ticket', 'body')$$);
SELECT error_of($$SELECT hl_create_project('tür', 'ticket', 'body')$$);
SELECT error_of(format('SELECT hl_create_project(%L, ''ticket'', ''body'')', repeat('x', 51)));
-- source
SELECT error_of($$SELECT hl_create_project('p', NULL, 'body')$$);
SELECT error_of($$SELECT hl_create_project('p', 'no_such_table', 'body')$$);
SELECT error_of($$SELECT hl_create_project('p', 2147483647::oid, 'body')$$) ~ '^(42P01|XX000) ' AS no_such_oid;
CREATE SEQUENCE counter;
CREATE INDEX ticket_topic ON ticket (topic);
CREATE TYPE pair AS (id int, body text);
CREATE TEMP TABLE fleeting (id int PRIMARY KEY, body text);
CREATE TEMP VIEW fleeting_view AS SELECT id, body FROM ticket;
SELECT error_of($$SELECT hl_create_project('p', 4294967295::regclass, 'body')$$);
SELECT error_of($$SELECT hl_create_project('p', 'counter', 'last_value')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket_topic', 'topic')$$);
SELECT error_of($$SELECT hl_create_project('p', 'pair', 'body')$$);
SELECT error_of($$SELECT hl_create_project('p', 'fleeting', 'body')$$);
SELECT error_of($$SELECT hl_create_project('p', 'fleeting_view', 'body', 'id')$$);
-- input
SELECT error_of($$SELECT hl_create_project('p', 'ticket', NULL)$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', '')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'text')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'BODY')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'ctid')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'extra')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'at')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'id')$$);
-- key
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', 'nr')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', 'ctid')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', 'topic')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', '')$$);
CREATE TABLE keyless (id int, body text);
INSERT INTO keyless VALUES (1, 'a'), (NULL, 'b');
CREATE TABLE keys (a int, b int, n numeric, t timestamptz, f boolean, c char(5), d date, r float8, v varchar(9), body text, PRIMARY KEY (a, b));
CREATE VIEW twice AS SELECT id, body FROM ticket UNION ALL SELECT id, 'again' FROM ticket WHERE id = 42;
SELECT error_of($$SELECT hl_create_project('p', 'keyless', 'body')$$);
SELECT error_of($$SELECT hl_create_project('p', 'keyless', 'body', 'id')$$);
SELECT error_of($$SELECT hl_create_project('p', 'keys', 'body')$$);
SELECT error_of($$SELECT hl_create_project('p', 'twice', 'body')$$);
SELECT error_of($$SELECT hl_create_project('p', 'twice', 'body', 'id')$$);
SELECT error_of(format('SELECT hl_create_project(''p'', ''keys'', ''body'', %L)', k)) FROM unnest('{n,t,f,c,d,r}'::text[]) k;
-- a unique index that does not promise enough is not believed
CREATE UNIQUE INDEX ON keyless (id) WHERE body = 'a';
INSERT INTO keyless VALUES (2, 'c'), (2, 'd');
DELETE FROM keyless WHERE id IS NULL;
SELECT error_of($$SELECT hl_create_project('p', 'keyless', 'body', 'id')$$);
-- label, classes
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', label => 'nothing')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', label => '')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', classes => '{}')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', classes => '{a}')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', classes => '{a,b,a}')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', classes => '{a,NULL}')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', classes => '{a,""}')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', classes => array_agg('class ' || i)) FROM generate_series(1, 10001) i$$);
-- encoder, acquisition
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', encoder => 'bert')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', encoder => 'vector')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', encoder => NULL)$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', acquisition => 'luck')$$);
SELECT error_of($$SELECT hl_create_project('p', 'ticket', 'body', acquisition => NULL)$$);
-- options: names, types, ranges, shape
SELECT error_of(format('SELECT hl_create_project(''p'', ''ticket'', ''body'', options => %L)', o))
FROM unnest(ARRAY['{"dimension": 64}', '[]', '"x"', '3', 'null', '{"dimensions": "64"}', '{"dimensions": 0}',
	'{"dimensions": -1}', '{"dimensions": 1e9}', '{"dimensions": 2.5}', '{"dimensions": true}', '{"dimensions": [64]}',
	'{"dimensions": {"a": 1}}', '{"vocabulary": 1}', '{"queue_size": 0}', '{"batch": 100000}', '{"folds": 1}',
	'{"prior_precision": -1}', '{"refine": 1}', '{"seed_batch": 0}', '{"random_seed": 1.5}', '{"random_seed": -1}']) o;
-- a number with 100,000 digits is too large, and not repeated in full
SELECT left(e, 5), length(e) < 1000 AS brief
FROM error_of($$SELECT hl_create_project('p', 'ticket', 'body', options => '{"prior_precision": 1e99999}')$$) e;
-- nothing of all that is left
SELECT count(*) FROM hl_projects;
SELECT count(*) FROM pg_class WHERE relname LIKE 'hl\_queue\_%' AND relkind = 'v';

-- A project with all its defaults.
\pset format aligned
\pset tuples_only off
SELECT * FROM hl_create_project('tickets', 'ticket', 'body');
SELECT project, source, input, key, label, acquisition, owner = current_user AS mine, items, labelled, queued > 0 AS queued,
	encoder, classes, model, revision, accuracy, state, queue_empty_because, last_error FROM hl_projects;
SELECT error_of($$SELECT hl_create_project('tickets', 'ticket', 'body')$$);
CREATE TABLE hl_queue_taken (id int);
SELECT error_of($$SELECT hl_create_project('taken', 'ticket', 'body')$$);
SELECT project FROM hl_projects;
-- in SQL NULL stands for the default, here too
SELECT project FROM hl_create_project('nulls', 'ticket', 'body', NULL, NULL, NULL, options => NULL);
SELECT project FROM hl_create_project('opt', 'ticket', 'body', options => '{"dimensions": null, "refine": null, "folds": 3}');
-- several projects over one source stand side by side
SELECT hl_label('tickets', 1, 'delivery') > 0 AS labelled;
SELECT project, labelled FROM hl_projects ORDER BY project;
-- the longest name
SELECT length(project) FROM hl_create_project(repeat('x', 50), 'ticket', 'body');
SELECT count(*) > 0 AS queued FROM hl_queue_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;
SELECT hl_drop_project(repeat('x', 50));

-- Dropping takes labels, history, leases, queue and view along.
SELECT count(*) > 0 AS leased FROM hl_next('tickets', 5);
SELECT hl_drop_project('tickets');
SELECT hl_drop_project('nulls'), hl_drop_project('opt');
SELECT error_of($$SELECT hl_drop_project('tickets')$$);
SELECT error_of($$SELECT hl_drop_project(NULL)$$);
SELECT (SELECT count(*) FROM hl_answer) AS answers, (SELECT count(*) FROM hl_current_answer) AS current,
	(SELECT count(*) FROM hl_lease) AS leases, (SELECT count(*) FROM hl_ranking) AS rankings,
	(SELECT count(*) FROM hl_serving) AS serving, to_regclass('hl_queue_tickets') AS view;
-- a view that others build on is not dropped under them
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
CREATE VIEW board AS SELECT * FROM hl_queue_tickets;
SELECT error_of($$SELECT hl_drop_project('tickets')$$);
DROP VIEW board;
-- a table of the user that has taken the name of a dropped view is not ours to drop
DROP VIEW hl_queue_tickets;
CREATE TABLE hl_queue_tickets AS SELECT 'precious' AS data;
SELECT error_of($$SELECT hl_drop_project('tickets')$$);
SELECT data FROM hl_queue_tickets;
DROP TABLE IF EXISTS hl_queue_tickets;

-- a name that was used before is free again, and starts from nothing
SELECT project, items, labels FROM hl_create_project('tickets', 'ticket', 'body');
SELECT count(*) FROM hl_labels;
SELECT hl_drop_project('tickets');

-- creation that is rolled back leaves nothing
BEGIN;
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
ROLLBACK;
SELECT count(*) FROM hl_projects;

-- an unknown project is one error everywhere, with what to look at
\pset format unaligned
\pset tuples_only on
SELECT error_of(call) FROM unnest(ARRAY[
	$$SELECT hl_label('none', 1, 'x')$$, $$SELECT hl_label_many('none', '{1}', '{x}')$$, $$SELECT hl_skip('none', 1)$$,
	$$SELECT hl_undo('none', 1)$$, $$SELECT hl_train('none')$$, $$SELECT hl_refresh('none')$$, $$SELECT hl_predict('none', 'x')$$,
	$$SELECT hl_predict('none', '{1}'::real[])$$, $$SELECT hl_predict('none')$$, $$SELECT hl_probabilities('none', 'x')$$,
	$$SELECT hl_uncertainty('none', 'x')$$, $$SELECT hl_embed('none', 'x')$$, $$SELECT hl_next('none')$$,
	$$SELECT hl_metrics('none')$$, $$SELECT hl_confusion('none')$$, $$SELECT hl_learning_curve('none')$$,
	$$SELECT hl_grant('none', current_user::regrole, 'predict')$$, $$SELECT hl_revoke('none', current_user::regrole, 'predict')$$,
	$$SELECT hl_privileges('none')$$]) call;
SELECT count(*) AS wrong FROM unnest(ARRAY['hl_label(%s, 1, ''x'')', 'hl_label_many(%s, ''{1}'', ''{x}'')', 'hl_skip(%s, 1)', 'hl_undo(%s, 1)',
	'hl_train(%s)', 'hl_refresh(%s)', 'hl_predict(%s, ''x'')', 'hl_predict(%s)', 'hl_probabilities(%s, ''x'')', 'hl_uncertainty(%s, ''x'')',
	'hl_embed(%s, ''x'')', 'hl_next(%s)', 'hl_metrics(%s)', 'hl_confusion(%s)', 'hl_learning_curve(%s)', 'hl_privileges(%s)']) call,
	LATERAL (VALUES ('NULL', '22004'), ('''''', '22023')) v(value, code)
WHERE left(error_of('SELECT ' || format(call, value)), 5) <> code;

-- a class that no label could ever be
SELECT error_of($$SELECT hl_create_project('blank', 'ticket', 'body', classes => '{a," "}')$$) LIKE '22%' AS refused;
DROP TABLE ticket, keyless, keys, fleeting, hl_queue_taken CASCADE;
DROP SEQUENCE counter;
DROP TYPE pair;
SELECT count(hl_drop_project(project)::text) FROM hl_projects;
