-- A declaration that somebody has damaged: only that project is concerned.
SET client_min_messages = warning;
CREATE ROLE regress_hl_viewer;
CREATE TABLE ticket AS SELECT id, body, topic FROM tickets(90);
ALTER TABLE ticket ADD PRIMARY KEY (id);
CREATE TABLE letter AS SELECT * FROM ticket;
ALTER TABLE letter ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
SELECT project FROM hl_create_project('letters', 'letter', 'body', classes => '{returns,delivery,billing}');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 30;
SELECT hl_label_many('letters', array_agg(id::text), array_agg(topic)) FROM letter WHERE id <= 30;
SELECT (hl_train('tickets')).model, (hl_train('letters')).model;
SELECT hl_grant('letters', 'regress_hl_viewer', 'predict');

-- What the views say with the damage, to the superuser and to one who may not
-- manage it; and what the functions say.
CREATE FUNCTION damaged(declaration text) RETURNS TABLE (says text) LANGUAGE plpgsql AS $$
DECLARE
	before hl_project;
BEGIN
	SELECT * INTO before FROM hl_project WHERE name = 'letters';
	EXECUTE format('UPDATE hl_project SET %s WHERE name = %L', declaration, 'letters');
	RETURN QUERY SELECT concat_ws(', ', project, source, owner = current_user, labelled, queued, state, last_error) FROM hl_projects ORDER BY project;
	RETURN QUERY SELECT format('queue of %s: %s', project, count(*)) FROM hl_queue GROUP BY project ORDER BY project;
	RETURN QUERY SELECT format('labels of %s: %s', project, count(*)) FROM hl_labels GROUP BY project ORDER BY project;
	RETURN QUERY SELECT error_of(format('SELECT * FROM %s', s)) FROM unnest(ARRAY[$q$hl_train('letters')$q$, $q$hl_label('letters', 40, 'billing')$q$, $q$hl_predict('tickets', 'x')$q$, $q$hl_label('tickets', 40, 'billing')$q$]) s;
	SET LOCAL ROLE regress_hl_viewer;
	RETURN QUERY SELECT 'viewer: ' || concat_ws(', ', project, labelled, queued, state, queue_empty_because) FROM hl_projects;
	RESET ROLE;
	UPDATE hl_project SET options = before.options, acquisition = before.acquisition, classes = before.classes WHERE name = 'letters';
END $$;
\pset format unaligned
\pset tuples_only on
SELECT damaged('options = ''[]''');
SELECT damaged('options = ''7''');
SELECT damaged('options = ''{"dimensions": "many"}''');
SELECT damaged('options = ''{"queue_size": 1e300}''');
SELECT damaged('options = ''{"refine": 1}''');
SELECT damaged('options = ''{"no such": true}''');
SELECT damaged('acquisition = ''none''');
SELECT damaged('classes = ''{returns,NULL}''');
-- mended, all is as before
SELECT concat_ws(', ', project, state, last_error) FROM hl_projects ORDER BY project;
\pset format aligned
\pset tuples_only off
SELECT model FROM hl_train('letters');

-- Its source can be altered, and it can be dropped.
UPDATE hl_project SET options = '[]' WHERE name = 'letters';
ALTER TABLE letter RENAME body TO message;
ALTER TABLE letter ALTER message TYPE varchar(300);
UPDATE letter SET message = 'another' WHERE id = 1;
SELECT project, input, state FROM hl_projects ORDER BY project;
SELECT hl_drop_project('letters');
SELECT project, state FROM hl_projects;
DROP TABLE letter;
SELECT hl_drop_project('tickets');
DROP TABLE ticket;
DROP FUNCTION damaged;
DROP ROLE regress_hl_viewer;
