-- Who may do what: stranger, predictor, annotator, reviewer, manager, owner.
SET client_min_messages = warning;
CREATE ROLE regress_hl_owner;
CREATE ROLE regress_hl_stranger;
CREATE ROLE regress_hl_predict;
CREATE ROLE regress_hl_annotate;
CREATE ROLE regress_hl_review;
CREATE ROLE regress_hl_manage;
CREATE ROLE regress_hl_group;
CREATE ROLE regress_hl_member IN ROLE regress_hl_group;
CREATE SCHEMA desk AUTHORIZATION regress_hl_owner;
GRANT USAGE ON SCHEMA desk TO PUBLIC;
SET ROLE regress_hl_owner;
CREATE TABLE desk.ticket (id int PRIMARY KEY, body text, team name DEFAULT 'regress_hl_annotate');
INSERT INTO desk.ticket SELECT id, body FROM tickets(90);
SELECT project FROM hl_create_project('tickets', 'desk.ticket', 'body');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM tickets(60);
SELECT model FROM hl_train('tickets');
SELECT owner FROM hl_projects;
SELECT viewowner FROM pg_views WHERE viewname = 'hl_queue_tickets';
SELECT hl_grant('tickets', 'regress_hl_predict', 'predict'), hl_grant('tickets', 'regress_hl_annotate', 'annotate'),
	hl_grant('tickets', 'regress_hl_review', 'review'), hl_grant('tickets', 'regress_hl_manage', 'manage'), hl_grant('tickets', 'regress_hl_group', 'annotate');
SELECT * FROM hl_privileges('tickets') ORDER BY role;
GRANT SELECT ON desk.ticket TO regress_hl_annotate, regress_hl_review, regress_hl_manage, regress_hl_group;
RESET ROLE;

-- What each may call: y works, n is 42501 (permission denied), else the error.
CREATE FUNCTION may(who name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	call text;
	result text := '';
BEGIN
	FOREACH call IN ARRAY ARRAY['hl_predict(''tickets'', ''parcel'')', 'hl_probabilities(''tickets'', ''parcel'')', 'hl_uncertainty(''tickets'', ''parcel'')', 'hl_embed(''tickets'', ''parcel'')',
		'hl_metrics(''tickets'')', 'hl_learning_curve(''tickets'')', 'hl_confusion(''tickets'')', 'hl_privileges(''tickets'')', 'hl_queue_entries(''tickets'')',
		'hl_next(''tickets'')', 'hl_label(''tickets'', 70, ''billing'')', 'hl_label_many(''tickets'', ''{71}'', ''{billing}'')', 'hl_label(''tickets'', 70, ''x''); PERFORM hl_undo(''tickets'', 70)', 'hl_skip(''tickets'', 72)',
		'hl_refresh(''tickets'')', 'hl_train(''tickets'')', 'hl_grant(''tickets'', ''regress_hl_predict'', ''predict'')', 'hl_revoke(''tickets'', ''regress_hl_predict'', ''review'')',
		'hl_drop_project(''tickets'')']
	LOOP
		EXECUTE 'SET LOCAL ROLE ' || who;
		result := result || CASE left(error_of('DO $d$ BEGIN PERFORM * FROM ' || call || '; RAISE SQLSTATE ''YES00''; END $d$'), 5)
			WHEN 'YES00' THEN 'y' WHEN '42501' THEN 'n' ELSE ' ' || call || ': ' || error_of('SELECT ' || call) || ' ' END;
	END LOOP;
	RESET ROLE;
	RETURN result;
END $$;
SELECT replace(who, 'regress_hl_', '') AS role, may(who) FROM unnest(ARRAY['regress_hl_stranger', 'regress_hl_predict', 'regress_hl_annotate', 'regress_hl_member', 'regress_hl_review', 'regress_hl_manage', 'regress_hl_owner', current_user]::name[]) who;
-- all at once is as the privilege on the source: predicting the rows needs to read them
SET ROLE regress_hl_predict;
SELECT left(error_of($$SELECT count(*) FROM hl_predict('tickets')$$), 5) AS needs_the_source;

-- What each sees in the views.
SET ROLE regress_hl_stranger;
SELECT (SELECT count(*) FROM hl_projects) AS projects, (SELECT count(*) FROM hl_queue) AS queue, (SELECT count(*) FROM hl_labels) AS labels, (SELECT count(*) FROM hl_label_history) AS history;
SELECT error_of($$SELECT count(*) FROM desk.hl_queue_tickets$$);
SELECT error_of($$INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '70', 'x')$$);
SET ROLE regress_hl_predict;
SELECT (SELECT count(*) FROM hl_projects) AS projects, (SELECT count(*) > 0 FROM hl_queue) AS queue, (SELECT count(*) FROM hl_labels) AS labels;
SELECT left(error_of($$INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '70', 'x')$$), 5);
SELECT left(error_of($$SELECT count(*) FROM desk.hl_queue_tickets$$), 5);
SET ROLE regress_hl_annotate;
SELECT count(*) > 0 AS queue FROM desk.hl_queue_tickets;
INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '70', 'billing') RETURNING annotator;
SELECT left(error_of($$DELETE FROM hl_labels WHERE annotator = 'regress_hl_owner' AND item = '1'$$), 5);
DELETE FROM hl_labels WHERE annotator = 'regress_hl_annotate';
SET ROLE regress_hl_member;
SELECT count(*) > 0 AS through_the_group FROM desk.hl_queue_tickets;
RESET ROLE;
-- the tables are closed to all of them
SELECT role, count(*) FILTER (WHERE has_table_privilege(role, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')) AS open_tables
FROM pg_class c, unnest('{regress_hl_stranger,regress_hl_annotate,regress_hl_manage,regress_hl_owner}'::name[]) role
WHERE c.relkind IN ('r', 'S') AND c.relname LIKE 'hl\_%' AND EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e') GROUP BY role ORDER BY role;
SET ROLE regress_hl_stranger;
SELECT error_of($$SELECT count(*) FROM hl_model_part$$);

-- Declaring: only the owner of the source, and those who are in his place.
SELECT error_of($$SELECT hl_create_project('mine', 'desk.ticket', 'body')$$);
SET ROLE regress_hl_manage;
SELECT left(error_of($$SELECT hl_create_project('mine', 'desk.ticket', 'body')$$), 5);
RESET ROLE;
-- an unknown privilege, role, nobody
SET ROLE regress_hl_owner;
SELECT error_of($$SELECT hl_grant('tickets', 'regress_hl_predict', 'everything')$$);
SELECT error_of($$SELECT hl_grant('tickets', 'regress_hl_nobody', 'predict')$$);
SELECT error_of($$SELECT hl_grant('tickets', NULL, 'predict')$$);
SELECT error_of($$SELECT hl_grant('tickets', 'regress_hl_predict', NULL)$$);
-- granted twice is granted once; what is taken away is gone at once
SELECT hl_grant('tickets', 'regress_hl_predict', 'predict'), hl_revoke('tickets', 'regress_hl_predict', 'predict');
SELECT count(*) FROM hl_privileges('tickets') WHERE role = 'regress_hl_predict';
RESET ROLE;
SELECT may('regress_hl_predict') ~ '^n+$' AS nothing_left;
-- of two privileges one stays, and with it the queue's view
SET ROLE regress_hl_owner;
SELECT hl_grant('tickets', 'regress_hl_annotate', 'review'), hl_revoke('tickets', 'regress_hl_annotate', 'annotate');
SET ROLE regress_hl_annotate;
SELECT count(*) > 0 AS still FROM desk.hl_queue_tickets;
SET ROLE regress_hl_owner;
SELECT hl_grant('tickets', 'regress_hl_annotate', 'annotate'), hl_revoke('tickets', 'regress_hl_annotate', 'review');

-- Row-level security: the model learns from what the owner sees; a caller is
-- shown his rows only.
UPDATE desk.ticket SET team = 'regress_hl_review' WHERE id % 2 = 0;
ALTER TABLE desk.ticket ENABLE ROW LEVEL SECURITY;
SELECT hl_grant('tickets', 'regress_hl_annotate', 'predict');
CREATE POLICY team ON desk.ticket USING (team = current_user);
SELECT labels FROM hl_train('tickets');
SELECT count(*) AS owner_sees FROM hl_predict('tickets');
SET ROLE regress_hl_annotate;
SELECT count(*) > 0 AS some, bool_and(id % 2 = 1) AS only_his FROM desk.hl_queue_tickets;
SELECT count(*) > 0 AS some, bool_and(item::int % 2 = 1) AS only_his, bool_and(input IS NOT NULL) AS with_text FROM hl_next('tickets', 100);
SELECT count(*) AS rows, bool_and(item::int % 2 = 1) AS only_his FROM hl_predict('tickets');
-- what he may not see was not leased away from those who may
SET ROLE regress_hl_review;
SELECT count(*) > 0 AS some, bool_and(item::int % 2 = 0) AS only_his FROM hl_next('tickets', 100);
SET ROLE regress_hl_manage;
SELECT count(*) AS rows_of_nobody FROM hl_next('tickets', 100);
SELECT labels FROM hl_train('tickets');
RESET ROLE;

-- Another owner, by ALTER and REASSIGN; the project goes along.
ALTER VIEW desk.hl_queue_tickets OWNER TO regress_hl_manage;
ALTER TABLE desk.ticket OWNER TO regress_hl_manage;
SELECT owner FROM hl_projects;
SELECT error_of($$DROP ROLE regress_hl_manage$$) LIKE '2BP01%' AS refused;
REASSIGN OWNED BY regress_hl_manage TO regress_hl_owner;
SELECT owner FROM hl_projects;
-- a role takes what it was granted along to its new name, and one that has the
-- old name since has nothing of it
SELECT hl_grant('tickets', 'regress_hl_stranger', 'predict'), hl_grant('tickets', 'regress_hl_group', 'predict');
ALTER ROLE regress_hl_stranger RENAME TO regress_hl_renamed;
CREATE ROLE regress_hl_stranger;
SELECT role, left(error_of(format('SET LOCAL ROLE %I; SELECT hl_predict(''tickets'', ''x'')', role)), 8) AS predicts FROM unnest('{regress_hl_renamed,regress_hl_stranger}'::name[]) role;
SELECT * FROM hl_privileges('tickets') WHERE role ~ 'renamed|stranger';
SELECT hl_refresh('tickets') IS NOT NULL AS recorded;
SELECT role, privilege FROM hl_privilege WHERE role::text ~ 'renamed|stranger';
-- two that exchange their names
ALTER ROLE regress_hl_group RENAME TO regress_hl_other;
ALTER ROLE regress_hl_renamed RENAME TO regress_hl_group;
ALTER ROLE regress_hl_other RENAME TO regress_hl_renamed;
SELECT * FROM hl_privileges('tickets') WHERE role ~ 'renamed|group';
SELECT hl_refresh('tickets') IS NOT NULL AS recorded;
SELECT * FROM hl_privileges('tickets') WHERE role ~ 'renamed|group';
SELECT role, privilege FROM hl_privilege WHERE role::text ~ 'renamed|group' ORDER BY role::text, 2;
-- one that is gone
DROP OWNED BY regress_hl_group;
DROP ROLE regress_hl_group;
CREATE ROLE regress_hl_group;
SELECT count(*) FROM hl_privileges('tickets') WHERE role = 'regress_hl_group';
SELECT left(error_of('SET LOCAL ROLE regress_hl_group; SELECT hl_predict(''tickets'', ''x'')'), 5) AS predicts;
SELECT hl_refresh('tickets') IS NOT NULL AS recorded;
SELECT count(*) FROM hl_privilege WHERE role::text = 'regress_hl_group';
-- texts of errors are for those who manage
UPDATE hl_work SET failures = 1, last_error = 'cannot cast "secret"';
INSERT INTO hl_run (project_id, kind, pid, state, error, sqlstate) SELECT id, 'train', 1, 'failed', 'cannot cast "secret"', '22P02' FROM hl_project;
SET ROLE regress_hl_annotate;
SELECT state, last_error FROM hl_projects;
SELECT error, sqlstate FROM hl_runs;
SET ROLE regress_hl_owner;
SELECT state, last_error FROM hl_projects;
SELECT error, sqlstate FROM hl_runs;
SELECT hl_drop_project('tickets');
RESET ROLE;
DROP SCHEMA desk CASCADE;
DROP FUNCTION may;
DROP ROLE regress_hl_owner, regress_hl_stranger, regress_hl_predict, regress_hl_annotate, regress_hl_review, regress_hl_manage, regress_hl_group, regress_hl_renamed, regress_hl_member;
