-- What people say about items: labels, skips, undo, history.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, known text);
INSERT INTO ticket SELECT id, body FROM tickets(60);
CREATE TABLE letter (code uuid PRIMARY KEY, name text UNIQUE NOT NULL, body text);
INSERT INTO letter SELECT md5(id::text)::uuid, 'letter ' || id, body FROM tickets(60);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
SELECT project FROM hl_create_project('letters', 'letter', 'body');
SELECT project FROM hl_create_project('names', 'letter', 'body', 'name', classes => '{good,bad}');

-- However an item is named, it is the same item.
SELECT hl_label('tickets', 7, 'delivery') IS NOT NULL AS by_int, hl_label('tickets', 8::bigint, 'billing') IS NOT NULL AS by_bigint,
	hl_label('tickets', '9', 'returns') IS NOT NULL AS by_unknown, hl_label('tickets', '10'::text, 'delivery') IS NOT NULL AS by_text,
	hl_label('tickets', 11::smallint, 'billing') IS NOT NULL AS by_smallint, hl_label('tickets', ' 0012 ', 'returns') IS NOT NULL AS by_odd_text;
SELECT project, item, label, annotator = current_user AS mine, labelled_at <= clock_timestamp() AS dated FROM hl_labels ORDER BY project, item::int;
SELECT hl_label('letters', md5('1')::uuid, 'a') IS NOT NULL AS by_uuid, hl_label('letters', upper(md5('2')), 'b') IS NOT NULL AS by_text,
	hl_label('names', 'letter 1', 'good') IS NOT NULL AS by_name;
SELECT item = md5('1')::uuid::text AS first, item = md5('2')::uuid::text AS second, label FROM hl_labels WHERE project = 'letters' ORDER BY label;
-- taken back by the same names
SELECT hl_undo('tickets', '0012'), hl_undo('tickets', 11), hl_undo('letters', upper(md5('2'))), hl_undo('letters', md5('1')::uuid), hl_undo('names', 'letter 1');
SELECT item, label FROM hl_labels WHERE project = 'tickets' ORDER BY length(item), item;
SELECT count(*) FROM hl_labels WHERE project <> 'tickets';

-- hl_label is the upsert; the history keeps everything, in order.
SELECT hl_label('tickets', 7, 'returns') < hl_label('tickets', 7, 'billing') AS ids_grow;
SELECT hl_skip('tickets', 7, 'cannot tell');
SELECT hl_label('tickets', 7, 'delivery') IS NOT NULL AS labelled;
SELECT hl_undo('tickets', 7);
SELECT hl_label('tickets', 7, 'billing') AS given \gset
SELECT :given = max(id) AS last_id FROM hl_label_history;
SELECT item, action, label, reason FROM hl_label_history WHERE item = '7' AND project = 'tickets' ORDER BY id;
SELECT item, label FROM hl_labels WHERE item = '7';
SELECT error_of($$DELETE FROM hl_label_history$$) LIKE '55000%' AS not_deletable, error_of($$UPDATE hl_label_history SET label = 'x'$$) LIKE '55000%' AS not_changeable;

-- Many at once.  Of an item that is there twice, the last answer counts.
SELECT hl_label_many('tickets', '{20,21,20,22}', '{a,b,c,d}');
SELECT item, label FROM hl_labels WHERE item LIKE '2_' ORDER BY item;
SELECT item, label FROM hl_label_history WHERE item LIKE '2_' ORDER BY id;
SELECT hl_label_many('tickets', '{}', '{}');
\pset format unaligned
\pset tuples_only on
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_label_many('tickets', '{1,2}', '{a}')$$,
	$$SELECT hl_label_many('tickets', '{1,NULL}', '{a,b}')$$,
	$$SELECT hl_label_many('tickets', '{1,2}', '{a,NULL}')$$,
	$$SELECT hl_label_many('tickets', '{1,2}', '{a,""}')$$,
	$$SELECT hl_label_many('tickets', '{1,999}', '{a,b}')$$,
	$$SELECT hl_label_many('tickets', NULL, '{a}')$$,
	$$SELECT hl_label_many('tickets', '{1}', NULL)$$,
	$$SELECT hl_label_many('names', '{letter 1,letter 2}', '{good,ugly}')$$]) s;
-- all or nothing
SELECT count(*) FROM hl_labels WHERE item IN ('1', '2', 'letter 1');

-- What is refused, one by one.
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_label('tickets', 999, 'a')$$,
	$$SELECT hl_label('tickets', NULL::int, 'a')$$,
	$$SELECT hl_label('tickets', NULL, 'a')$$,
	$$SELECT hl_label('tickets', '', 'a')$$,
	$$SELECT hl_label('tickets', 'twelve', 'a')$$,
	$$SELECT hl_label('tickets', 99999999999, 'a')$$,
	$$SELECT hl_label('tickets', '1; DROP TABLE ticket', 'a')$$,
	$$SELECT hl_label('tickets', md5('1')::uuid, 'a')$$,
	$$SELECT hl_label('letters', 1, 'a')$$,
	$$SELECT hl_label('tickets', 1, NULL)$$,
	$$SELECT hl_label('tickets', 1, '')$$,
	$$SELECT hl_label('tickets', 1, E' \t\n')$$,
	$$SELECT hl_label('names', 'letter 1', 'Good')$$,
	$$SELECT hl_label('names', 'letter 1', 'good ')$$,
	$$SELECT hl_label('tickets', 1, 'a', '')$$,
	$$SELECT hl_label('tickets', 1, 'a', 'source')$$,
	$$SELECT hl_skip('tickets', 999)$$,
	$$SELECT hl_skip('tickets', NULL::text)$$,
	$$SELECT hl_undo('tickets', 1)$$,
	$$SELECT hl_undo('tickets', 999)$$,
	$$SELECT hl_undo('tickets', 20, 'nobody')$$]) s;
SELECT count(*) FROM hl_labels WHERE item IN ('1', 'letter 1');
\pset format aligned
\pset tuples_only off

-- A label that a deleted row has left behind can be taken back.
SELECT hl_label('tickets', 60, 'billing') IS NOT NULL AS labelled;
DELETE FROM ticket WHERE id = 60;
SELECT hl_undo('tickets', 60);
SELECT count(*) FROM hl_labels WHERE item = '60';

-- hl_labels is a table for an ORM.
DELETE FROM hl_labels;
INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '1', 'a'), ('tickets', '2', 'b') RETURNING project, item, label, annotator = current_user AS mine, id > 0 AS id, labelled_at IS NOT NULL AS dated;
INSERT INTO hl_labels (project, item, label, annotator) VALUES ('tickets', '1', 'c', 'ann') RETURNING item, label, annotator;
UPDATE hl_labels SET label = 'd' WHERE item = '2' RETURNING project, item, label;
-- to another item, annotator, project: it moves
UPDATE hl_labels SET item = '3' WHERE item = '2' RETURNING item, label;
UPDATE hl_labels SET annotator = 'bob' WHERE annotator = 'ann' RETURNING item, label, annotator;
SELECT item, label, CASE WHEN annotator = current_user THEN 'me' ELSE annotator END AS annotator FROM hl_labels ORDER BY item, 3;
-- id and time are ours
SELECT error_of($$UPDATE hl_labels SET id = 1$$), error_of($$UPDATE hl_labels SET labelled_at = now()$$);
SELECT error_of($$INSERT INTO hl_labels (id, project, item, label) VALUES (1, 'tickets', '1', 'a')$$);
SELECT error_of($$INSERT INTO hl_labels (labelled_at, project, item, label) VALUES (now(), 'tickets', '1', 'a')$$);
SELECT error_of($$INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '999', 'a')$$);
SELECT error_of($$INSERT INTO hl_labels (project, item) VALUES ('tickets', '1')$$);
SELECT error_of($$INSERT INTO hl_labels (item, label) VALUES ('1', 'a')$$);
SELECT error_of($$UPDATE hl_labels SET label = NULL WHERE item = '1'$$);
SELECT error_of($$UPDATE hl_labels SET item = '999' WHERE item = '1'$$);
WITH gone AS (DELETE FROM hl_labels WHERE item = '1' RETURNING item, label) SELECT * FROM gone ORDER BY label;
SELECT item, label FROM hl_labels;
-- every change is in the history
SELECT item, action, label, CASE WHEN annotator = current_user THEN 'me' ELSE annotator END AS annotator
FROM hl_label_history WHERE project = 'tickets' AND item IN ('1', '2', '3') ORDER BY item, hl_label_history.annotator COLLATE "C", id;
DELETE FROM hl_labels;

-- Who says it: the current role, SET ROLE, a setting, or a name.
CREATE ROLE regress_hl_ann;
CREATE ROLE regress_hl_app;
SELECT hl_grant('tickets', 'regress_hl_ann', 'annotate'), hl_grant('tickets', 'regress_hl_app', 'manage');
SET ROLE regress_hl_ann;
SELECT hl_label('tickets', 1, 'a') IS NOT NULL AS as_role;
SET humanloop.annotator = 'Zoë';
SELECT hl_label('tickets', 2, 'a') IS NOT NULL AS as_setting;
SELECT hl_label('tickets', 3, 'a', 'Zoë') IS NOT NULL AS same_name;
SELECT error_of($$SELECT hl_label('tickets', 4, 'a', 'bob')$$);
SELECT error_of($$SELECT hl_label('tickets', 4, 'a', 'regress_hl_ann')$$);
SELECT error_of($$SELECT hl_undo('tickets', 1, 'regress_hl_ann')$$);
SELECT error_of($$SELECT count(*) FROM hl_next('tickets', 1, 'bob')$$);
SET humanloop.annotator = 'source';
SELECT error_of($$SELECT hl_label('tickets', 4, 'a')$$);
RESET humanloop.annotator;
-- others' answers stand in the view, but are not his to change
SELECT hl_undo('tickets', 1);
SELECT item, annotator FROM hl_labels ORDER BY item;
SELECT error_of($$UPDATE hl_labels SET label = 'b' WHERE item = '2'$$);
SELECT error_of($$DELETE FROM hl_labels WHERE item = '2'$$);
SET ROLE regress_hl_app;
SELECT hl_label('tickets', 4, 'a', 'bob') IS NOT NULL AS for_another, hl_undo('tickets', 2, 'Zoë');
BEGIN;
SET LOCAL humanloop.annotator = 'carol';
SELECT hl_label('tickets', 5, 'a') IS NOT NULL AS as_local_setting;
COMMIT;
SELECT hl_label('tickets', 6, 'a') IS NOT NULL AS as_role_again;
RESET ROLE;
SELECT item, annotator FROM hl_labels ORDER BY item;

-- Several annotators on an item: the majority teaches, the latest breaks ties.
DELETE FROM hl_labels;
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM tickets(59) WHERE id > 12;
-- 1: two to one against the last; 2: one to one, the last wins; 3: changed his
-- mind; 4: a skip is no vote; 5: a vote taken back is no vote
SELECT count(hl_label('tickets', item, label, annotator)) FROM (VALUES
	(1, 'majority', 'x'), (1, 'majority', 'y'), (1, 'last', 'z'),
	(2, 'first', 'x'), (2, 'latest', 'y'),
	(3, 'before', 'x'), (3, 'after', 'x'),
	(4, 'only', 'x'), (5, 'stays', 'x'), (5, 'gone', 'y'), (5, 'gone', 'z')) v(item, label, annotator);
SELECT hl_skip('tickets', 4, NULL, 'y'), hl_skip('tickets', 4, NULL, 'z'), hl_undo('tickets', 5, 'y'), hl_undo('tickets', 5, 'z');
SELECT labels FROM hl_train('tickets');
-- the classes that the model has learned are what the votes came to
SELECT truth, sum(n) FROM hl_confusion('tickets') WHERE truth NOT IN (SELECT topic FROM tickets(3)) GROUP BY truth ORDER BY truth;
SELECT labelled FROM hl_projects WHERE project = 'tickets';

SELECT count(hl_drop_project(project)::text) FROM hl_projects;
DROP TABLE letter, ticket;
DROP ROLE regress_hl_ann, regress_hl_app;
