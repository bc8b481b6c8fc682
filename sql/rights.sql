-- Who may do what.
SET client_min_messages = error;
CREATE ROLE regress_hl_owner;
CREATE ROLE regress_hl_manage;
CREATE ROLE regress_hl_review;
CREATE ROLE regress_hl_annotate;
CREATE ROLE regress_hl_predict;
CREATE ROLE regress_hl_group;
CREATE ROLE regress_hl_member IN ROLE regress_hl_group;
CREATE ROLE regress_hl_outsider NOINHERIT IN ROLE regress_hl_group;
CREATE ROLE regress_hl_stranger;
CREATE ROLE regress_hl_super SUPERUSER;
CREATE SCHEMA desk AUTHORIZATION regress_hl_owner;
GRANT USAGE ON SCHEMA desk TO PUBLIC;
SET ROLE regress_hl_owner;
CREATE TABLE desk.ticket (id int PRIMARY KEY, body text, team name DEFAULT 'regress_hl_annotate');
INSERT INTO desk.ticket SELECT id, body FROM tickets(90);
CREATE TABLE desk.point (id uuid PRIMARY KEY, place real[]);
INSERT INTO desk.point SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, ARRAY[i % 3, i % 5, 1] FROM generate_series(1, 40) i;
GRANT SELECT ON ALL TABLES IN SCHEMA desk TO regress_hl_predict, regress_hl_annotate, regress_hl_review, regress_hl_manage, regress_hl_group, regress_hl_outsider;
RESET ROLE;

-- Both projects, and what is granted: one each, "annotate" to the group.
CREATE FUNCTION declare() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	project text;
BEGIN
	SET LOCAL ROLE regress_hl_owner;
	PERFORM hl_create_project('tickets', 'desk.ticket', 'body');
	PERFORM hl_create_project('points', 'desk.point', 'place');
	PERFORM hl_add_rule('tickets', 'charged', 'body ~ ''charged''', 'billing');
	PERFORM hl_disable_rule('tickets', 'charged');
	PERFORM hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM tickets(60);
	-- another is of another opinion on one, which somebody has commented on, flagged and settled
	PERFORM hl_label('tickets', 3, 'billing', 'ann'), hl_comment('tickets', 1, 'secret'), hl_flag('tickets', 1), hl_settle('tickets', 2, 'returns');
	-- one of them with a learning curve
	PERFORM hl_label_many('points', array_agg(id::text), array_agg('on ' || place[1])) FROM (SELECT * FROM desk.point ORDER BY id LIMIT 20) p;
	PERFORM hl_train('points');
	PERFORM hl_label_many('points', array_agg(id::text), array_agg('on ' || place[1])) FROM (SELECT * FROM desk.point ORDER BY id LIMIT 10 OFFSET 20) p;
	FOREACH project IN ARRAY ARRAY['tickets', 'points'] LOOP
		PERFORM hl_train(project), hl_grant(project, 'regress_hl_predict', 'predict'), hl_grant(project, 'regress_hl_annotate', 'annotate'), hl_grant(project, 'regress_hl_group', 'annotate'),
			hl_grant(project, 'regress_hl_review', 'review'), hl_grant(project, 'regress_hl_manage', 'manage');
	END LOOP;
	RESET ROLE;
END $$;
SELECT declare();

-- ----------------------------------------------------------------------
-- The matrix: functions
-- ----------------------------------------------------------------------

-- One call of each function: what it says where it works is true.
CREATE TABLE probe (function text PRIMARY KEY, call text);
INSERT INTO probe VALUES
	('hl_create_project(text,regclass,text,text,text,text[],text,text,jsonb)', $$true FROM hl_create_project('more', 'desk.ticket', 'body')$$),
	('hl_create_project(text,regclass,text[],text,text,text[],text,text,jsonb)', $$true FROM hl_create_project('more', 'desk.ticket', ARRAY['body'])$$),
	('hl_drop_project(text)', $$true FROM hl_drop_project('tickets')$$),
	('hl_refresh(text)', $$true FROM hl_refresh('tickets')$$),
	('hl_train(text)', $$true FROM hl_train('points')$$),
	('hl_deploy(text,integer)', $$true FROM hl_deploy('tickets', 1)$$),
	('hl_pause(text)', $$true FROM hl_pause('tickets')$$),
	('hl_resume(text)', $$true FROM hl_resume('tickets')$$),
	('hl_grant(text,regrole,text)', $$true FROM hl_grant('tickets', 'regress_hl_stranger', 'predict')$$),
	('hl_revoke(text,regrole,text)', $$true FROM hl_revoke('tickets', 'regress_hl_predict', 'predict')$$),
	('hl_label(text,text,text,text)', $$true FROM hl_label('tickets', '70', 'billing')$$),
	('hl_label(text,bigint,text,text)', $$true FROM hl_label('tickets', 70, 'billing')$$),
	('hl_label(text,uuid,text,text)', $$true FROM hl_label('points', '00000000-0000-0000-0000-000000000040'::uuid, 'on 1')$$),
	('hl_label_many(text,text[],text[],text)', $$true FROM hl_label_many('tickets', '{70,71}', '{billing,returns}')$$),
	('hl_skip(text,text,text,text)', $$true FROM hl_skip('tickets', '70')$$),
	('hl_skip(text,bigint,text,text)', $$true FROM hl_skip('tickets', 70)$$),
	('hl_skip(text,uuid,text,text)', $$true FROM hl_skip('points', '00000000-0000-0000-0000-000000000040'::uuid)$$),
	('hl_undo(text,text,text)', $$true FROM hl_skip('tickets', 70), hl_undo('tickets', '70')$$),
	('hl_undo(text,bigint,text)', $$true FROM hl_skip('tickets', 70), hl_undo('tickets', 70)$$),
	('hl_undo(text,uuid,text)', $$true FROM hl_skip('points', '00000000-0000-0000-0000-000000000040'::uuid), hl_undo('points', '00000000-0000-0000-0000-000000000040'::uuid)$$),
	('hl_ask(text,text)', $$hl_ask FROM hl_ask('tickets', '70')$$),
	('hl_ask(text,bigint)', $$hl_ask FROM hl_ask('tickets', 70)$$),
	('hl_ask(text,uuid)', $$hl_ask FROM hl_ask('points', '00000000-0000-0000-0000-000000000040'::uuid)$$),
	('hl_handover(text)', $$model IS NOT NULL FROM hl_handover('tickets')$$),
	('hl_set_option(text,text,jsonb)', $$true FROM hl_set_option('tickets', 'target_error', '0.02')$$),
	('hl_prediction_set(text,text,double precision)', $$count(*) > 0 FROM hl_prediction_set('tickets', 'parcel', 0.99)$$),
	('hl_prediction_set(text,anyarray,double precision)', $$count(*) > 0 FROM hl_prediction_set('points', ARRAY[1, 2, 1], 0.99)$$),
	('hl_comment(text,text,text)', $$true FROM hl_comment('tickets', '70', 'odd')$$),
	('hl_comment(text,bigint,text)', $$true FROM hl_comment('tickets', 70, 'odd')$$),
	('hl_comment(text,uuid,text)', $$true FROM hl_comment('points', '00000000-0000-0000-0000-000000000040'::uuid, 'odd')$$),
	-- one's own; another's needs review
	('hl_delete_comment(text,bigint)', $$true FROM hl_comment('tickets', 70, 'odd') c, hl_delete_comment('tickets', c)$$),
	('hl_flag(text,text,text)', $$true FROM hl_flag('tickets', '70')$$),
	('hl_flag(text,bigint,text)', $$true FROM hl_flag('tickets', 70)$$),
	('hl_flag(text,uuid,text)', $$true FROM hl_flag('points', '00000000-0000-0000-0000-000000000040'::uuid)$$),
	('hl_unflag(text,text,text)', $$true FROM hl_flag('tickets', 70), hl_unflag('tickets', '70')$$),
	('hl_unflag(text,bigint,text)', $$true FROM hl_flag('tickets', 70), hl_unflag('tickets', 70)$$),
	('hl_unflag(text,uuid,text)', $$true FROM hl_flag('points', '00000000-0000-0000-0000-000000000040'::uuid), hl_unflag('points', '00000000-0000-0000-0000-000000000040'::uuid)$$),
	('hl_settle(text,text,text,text)', $$true FROM hl_settle('tickets', '70', 'billing')$$),
	('hl_settle(text,bigint,text,text)', $$true FROM hl_settle('tickets', 70, 'billing')$$),
	('hl_settle(text,uuid,text,text)', $$true FROM hl_settle('points', '00000000-0000-0000-0000-000000000040'::uuid, 'on 1')$$),
	('hl_unsettle(text,text,text)', $$true FROM hl_settle('tickets', 70, 'billing'), hl_unsettle('tickets', '70')$$),
	('hl_unsettle(text,bigint,text)', $$true FROM hl_settle('tickets', 70, 'billing'), hl_unsettle('tickets', 70)$$),
	('hl_unsettle(text,uuid,text)', $$true FROM hl_settle('points', '00000000-0000-0000-0000-000000000040'::uuid, 'on 1'), hl_unsettle('points', '00000000-0000-0000-0000-000000000040'::uuid)$$),
	('hl_disputes(text)', $$count(*) = 1 FROM hl_disputes('tickets')$$),
	('hl_agreement(text)', $$count(*) > 2 FROM hl_agreement('tickets')$$),
	('hl_gold(text,text,text)', $$true FROM hl_gold('tickets', '70', 'billing')$$),
	('hl_gold(text,bigint,text)', $$true FROM hl_gold('tickets', 70, 'billing')$$),
	('hl_gold(text,uuid,text)', $$true FROM hl_gold('points', '00000000-0000-0000-0000-000000000040'::uuid, 'on 1')$$),
	('hl_drop_gold(text,text)', $$true FROM hl_gold('tickets', '70', 'billing'), hl_drop_gold('tickets', '70')$$),
	('hl_drop_gold(text,bigint)', $$true FROM hl_gold('tickets', 70, 'billing'), hl_drop_gold('tickets', 70)$$),
	('hl_drop_gold(text,uuid)', $$true FROM hl_gold('points', '00000000-0000-0000-0000-000000000040'::uuid, 'on 1'), hl_drop_gold('points', '00000000-0000-0000-0000-000000000040'::uuid)$$),
	('hl_golds(text)', $$count(*) = 0 FROM hl_golds('tickets')$$),
	-- who may not manage sees himself, who is nobody here
	('hl_annotators(text)', $$count(*) = 2 FROM hl_annotators('tickets')$$),
	('hl_annotator_confusion(text,text)', $$count(*) > 0 FROM hl_annotator_confusion('tickets')$$),
	('hl_next(text,integer,text,interval)', $$input IS NOT NULL FROM hl_next('tickets')$$),
	('hl_queue_entries(text)', $$count(*) > 0 FROM hl_queue_entries('tickets')$$),
	('hl_predict(text)', $$count(*) = 90 FROM hl_predict('tickets')$$),
	('hl_add_rule(text,text,text,text)', $$hl_add_rule('tickets', 'late', 'body ~ ''parcel''', 'delivery') = 1$$),
	('hl_disable_rule(text,text)', $$true FROM hl_disable_rule('tickets', 'charged')$$),
	('hl_enable_rule(text,text)', $$true FROM hl_enable_rule('tickets', 'charged')$$),
	('hl_drop_rule(text,text)', $$true FROM hl_drop_rule('tickets', 'charged')$$),
	('hl_rules(text,boolean)', $$count(*) = 1 FROM hl_rules('tickets')$$),
	('hl_rule_votes(text,text)', $$count(*) = 0 FROM hl_rule_votes('tickets', '1')$$),
	('hl_unencoded(text)', $$count(*) = 0 FROM hl_unencoded('tickets')$$),
	('hl_predict(text,text)', $$label IS NOT NULL FROM hl_predict('tickets', 'parcel')$$),
	('hl_predict(text,anyarray)', $$label IS NOT NULL FROM hl_predict('points', ARRAY[1, 2, 1])$$),
	('hl_probabilities(text,text)', $$count(*) = 3 FROM hl_probabilities('tickets', 'parcel')$$),
	('hl_probabilities(text,anyarray)', $$count(*) = 3 FROM hl_probabilities('points', ARRAY[1, 2, 1])$$),
	('hl_uncertainty(text,text)', $$total > 0 FROM hl_uncertainty('tickets', 'parcel')$$),
	('hl_uncertainty(text,anyarray)', $$total > 0 FROM hl_uncertainty('points', ARRAY[1, 2, 1])$$),
	('hl_explain(text,text,integer)', $$count(*) > 3 FROM hl_explain('tickets', 'parcel')$$),
	('hl_explain(text,anyarray,integer)', $$count(*) > 3 FROM hl_explain('points', ARRAY[1, 2, 1])$$),
	('hl_explain_question(text,text,integer)', $$count(*) > 3 FROM hl_explain_question('tickets', '70')$$),
	('hl_suspects(text,double precision,integer)', $$count(*) = 59 FROM hl_suspects('tickets', 0)$$),
	('hl_rename_class(text,text,text)', $$hl_rename_class('tickets', 'billing', 'bills') > 0$$),
	('hl_merge_classes(text,text[],text)', $$hl_merge_classes('tickets', '{billing}', 'returns') > 0$$),
	('hl_remove_class(text,text)', $$hl_remove_class('tickets', 'billing') > 0$$),
	('hl_set_targets(text,text)', $$true FROM hl_set_targets('tickets', 'id > 10')$$),
	('hl_set_encoder(text,text)', $$true FROM hl_set_encoder('tickets', 'text')$$),
	('hl_embed(text,text)', $$cardinality(hl_embed('tickets', 'parcel')) > 0$$),
	('hl_embed(text,anyarray)', $$cardinality(hl_embed('points', ARRAY[1, 0, 0])) > 0$$),
	('hl_models(text)', $$count(*) > 0 FROM hl_models('tickets')$$),
	('hl_metrics(text)', $$count(*) > 0 FROM hl_metrics('tickets')$$),
	('hl_reliability(text)', $$count(*) > 0 FROM hl_reliability('tickets')$$),
	('hl_learning_curve(text)', $$count(*) > 0 FROM hl_learning_curve('tickets')$$),
	('hl_confusion(text)', $$count(*) > 0 FROM hl_confusion('tickets')$$),
	('hl_forecast(text,double precision)', $$count(*) > 0 FROM hl_forecast('points')$$),
	('hl_drift(text)', $$count(*) = 4 FROM hl_drift('tickets')$$),
	('hl_stop(text,double precision)', $$count(*) = 3 FROM hl_stop('tickets')$$),
	('hl_plot(text,text,text)', $$hl_plot('tickets', 'confusion') LIKE '<svg %'$$),
	('hl_plot(hl_simulation[],text)', $$hl_plot(ARRAY[ROW('epig', 1, 10, 0.7, 3)::hl_simulation]) LIKE '<svg %'$$),
	('hl_privileges(text)', $$count(*) = 5 FROM hl_privileges('tickets')$$),
	-- this needs no privilege on a project, but SELECT on the relation
	('hl_simulate(regclass,text,text,text[],integer,integer,integer,integer,text,text,bigint,jsonb)', $$count(*) = 2 FROM hl_simulate('desk.ticket', 'body', 'id', '{random}', rounds => 1, runs => 1)$$),
	('hl_simulate(regclass,text[],text,text[],integer,integer,integer,integer,text,text,bigint,jsonb)', $$count(*) = 2 FROM hl_simulate('desk.ticket', ARRAY['body'], 'id', '{random}', rounds => 1, runs => 1)$$),
	('hl_labels_needed(hl_simulation[],double precision)', $$count(*) = 1 FROM hl_labels_needed(ARRAY[ROW('epig', 1, 10, 0.7, 3)::hl_simulation], 0.6)$$),
	-- an imported encoder is its owner's, who here is nobody; what is imported somebody must be able to read
	('hl_import_encoder(text,text,text,jsonb,regclass,jsonb)', $$pg_has_role('pg_read_server_files', 'usage') OR hl_import_encoder('x', 'transformer', path => '/nowhere') IS NULL$$),
	('hl_drop_encoder(text)', $$true FROM hl_drop_encoder('lost')$$),
	('hl_share_encoder(text,boolean)', $$true FROM hl_share_encoder('lost', false)$$),
	('hl_may_use_encoder(boolean,hl_role)', $$bool_and(hl_may_use_encoder(shared, NULL)) FROM unnest('{true}'::boolean[]) shared$$),
	-- these answer everybody, and say nothing to who may nothing
	('hl_visible(integer)', $$hl_visible(min(id)) FROM hl_ids$$),
	('hl_may(integer,text)', $$hl_may(min(id), 'annotate') FROM hl_ids$$),
	('hl_project_damaged(integer)', $$hl_project_damaged(min(id)) FROM hl_ids$$),
	('hl_project_source(integer)', $$source IS NOT NULL FROM hl_project_source((SELECT min(id) FROM hl_ids))$$),
	('hl_queue_length(integer)', $$hl_queue_length(min(id)) > 0 FROM hl_ids$$),
	-- these tell what pg_roles tells
	('hl_role_in(cstring)', $$hl_role_in('x')::text = ''$$),
	('hl_role_out(hl_role)', $$hl_role_out(hl_role_of(0, 0))::text = ''$$),
	('hl_role_of(oid,oid)', $$hl_role_of('hl_ids'::regclass, 0)::text <> ''$$),
	-- these are for triggers; whoever may execute one may create a trigger with it
	('hl_labels_write()', $$has_function_privilege('hl_labels_write()', 'execute')$$),
	('hl_source_changed()', $$has_function_privilege('hl_source_changed()', 'execute')$$),
	('hl_source_altered()', $$has_function_privilege('hl_source_altered()', 'execute')$$),
	('hl_source_dropped()', $$has_function_privilege('hl_source_dropped()', 'execute')$$);
CREATE TABLE hl_ids AS SELECT id FROM hl_project;
INSERT INTO hl_encoder (name, kind, dims, sparse_dims, source_rows, shared) VALUES ('lost', 'transformer', 8, 0, 0, true);
GRANT SELECT ON hl_ids TO PUBLIC;

-- None is forgotten, and all are there.
CREATE VIEW member AS SELECT p.oid::regprocedure::text AS function, p.prosecdef, p.proconfig, p.prolang FROM pg_proc p
	JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'humanloop';
SELECT function, call IS NOT NULL AS probed FROM member FULL JOIN probe USING (function) WHERE call IS NULL OR prosecdef IS NULL;
-- None runs as its owner, and those that are not in C have a search_path.
SELECT count(*) AS functions, count(*) FILTER (WHERE prosecdef) AS security_definer FROM member;
SELECT function, proconfig FROM member WHERE prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c');

-- What comes of a query as somebody, and is rolled back: y says that it worked,
-- - that it was refused (42501), 0 that it had nothing to show.
CREATE FUNCTION answer(who name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	said := error_of(format('DO $d$ DECLARE yes boolean; BEGIN %s; IF yes THEN RAISE SQLSTATE ''YES00''; END IF; RAISE SQLSTATE ''NONE0''; END $d$', query));
	RESET ROLE;
	RETURN CASE left(said, 5) WHEN 'YES00' THEN 'y' WHEN '42501' THEN '-' WHEN 'NONE0' THEN '0' ELSE said END;
END $$;

CREATE TABLE matrix (thing text, who text, answer text);
CREATE FUNCTION fill_matrix(roles text[]) RETURNS void LANGUAGE sql AS $$
	DELETE FROM matrix;
	INSERT INTO matrix SELECT function, who, answer(('regress_hl_' || who)::name, 'SELECT ' || regexp_replace(call, '( FROM |$)', ' INTO yes\1')) FROM probe, unnest(roles) who
$$;
SELECT fill_matrix('{owner,manage,review,annotate,predict,member,outsider,stranger,super}');

CREATE VIEW shown AS SELECT thing, max(answer) FILTER (WHERE who = 'owner') AS owner, max(answer) FILTER (WHERE who = 'manage') AS manage, max(answer) FILTER (WHERE who = 'review') AS review,
	max(answer) FILTER (WHERE who = 'annotate') AS annotate, max(answer) FILTER (WHERE who = 'predict') AS predict, max(answer) FILTER (WHERE who = 'member') AS member,
	max(answer) FILTER (WHERE who = 'outsider') AS outsider, max(answer) FILTER (WHERE who = 'stranger') AS stranger, max(answer) FILTER (WHERE who = 'super') AS super FROM matrix GROUP BY thing;
SELECT * FROM shown ORDER BY thing COLLATE "C";

-- ----------------------------------------------------------------------
-- The matrix: views, tables, sequences
-- ----------------------------------------------------------------------

-- What may be done with them, in the letters of \dp (U: a sequence).
CREATE FUNCTION fill_relations(roles text[]) RETURNS void LANGUAGE sql AS $$
	DELETE FROM matrix;
	INSERT INTO matrix SELECT c.relkind::text || ' ' || c.relname, who,
		CASE WHEN c.relkind = 'S' THEN CASE WHEN has_sequence_privilege('regress_hl_' || who, c.oid, 'USAGE, SELECT, UPDATE') THEN 'U' ELSE '' END
		ELSE coalesce((SELECT string_agg(letter, '' ORDER BY n) FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[], '{r,a,w,d,D,x,t}'::text[]) WITH ORDINALITY k(privilege, letter, n)
			WHERE has_table_privilege('regress_hl_' || who, c.oid, privilege)), '') END
	FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'humanloop', unnest(roles) who
	WHERE c.relkind NOT IN ('c', 'i')
$$;
SELECT fill_relations('{owner,manage,review,annotate,predict,member,outsider,stranger,super}');
SELECT * FROM shown ORDER BY thing COLLATE "C";
SELECT attrelid::regclass, attname FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid IN (SELECT objid FROM pg_depend WHERE deptype = 'e');

-- What the views show, and what can be done through them.
CREATE TABLE view_probe (thing text PRIMARY KEY, query text);
INSERT INTO view_probe VALUES
	('hl_projects', 'SELECT count(*) = 2 INTO yes FROM hl_projects'), ('hl_queue', 'SELECT count(DISTINCT project) = 2 INTO yes FROM hl_queue'), ('hl_labels', 'SELECT count(*) = 91 INTO yes FROM hl_labels'),
	('hl_visible_labels', 'SELECT count(*) = 91 INTO yes FROM hl_visible_labels'), ('hl_label_history', 'SELECT count(*) = 91 INTO yes FROM hl_label_history'), ('hl_runs', 'SELECT count(*) = 1 INTO yes FROM hl_runs'),
	('hl_settlements', 'SELECT count(*) = 1 INTO yes FROM hl_settlements'), ('hl_comments', 'SELECT count(*) = 1 INTO yes FROM hl_comments'), ('hl_flags', 'SELECT count(*) = 1 INTO yes FROM hl_flags'),
	('hl_runs.error', 'SELECT count(error) = 1 INTO yes FROM hl_runs'), ('hl_projects.last_error', 'SELECT count(last_error) = 1 INTO yes FROM hl_projects'),
	('hl_queue_tickets', 'SELECT count(*) > 0 INTO yes FROM desk.hl_queue_tickets'), ('hl_queue_points', 'SELECT count(*) > 0 INTO yes FROM desk.hl_queue_points'),
	-- what is another's
	('hl_delete_comment, of another', $$SELECT true INTO yes FROM hl_comments c, hl_delete_comment('tickets', c.id)$$), ('hl_unflag, of another', $$SELECT true INTO yes FROM hl_unflag('tickets', 1, 'regress_hl_owner')$$),
	('INSERT hl_labels', $$INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '70', 'x') RETURNING true INTO yes$$),
	('UPDATE hl_labels, of another', $$UPDATE hl_labels SET label = 'x' WHERE project = 'tickets' AND item = '1' RETURNING true INTO yes$$),
	('DELETE hl_labels, of another', $$DELETE FROM hl_labels WHERE project = 'tickets' AND item = '1' RETURNING true INTO yes$$),
	('UPDATE hl_labels, own', $$INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '70', 'x'); UPDATE hl_labels SET label = 'y' WHERE project = 'tickets' AND item = '70' RETURNING true INTO yes$$),
	('DELETE hl_labels, own', $$INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '70', 'x'); DELETE FROM hl_labels WHERE project = 'tickets' AND item = '70' RETURNING true INTO yes$$),
	-- everybody who may write to hl_labels could hold up the worker and all others
	('LOCK hl_labels', 'LOCK TABLE hl_labels IN ROW EXCLUSIVE MODE; yes := true'), ('LOCK hl_labels IN EXCLUSIVE MODE', 'LOCK TABLE hl_labels IN SHARE ROW EXCLUSIVE MODE; yes := true'),
	('SELECT hl_labels FOR KEY SHARE', 'SELECT true INTO yes FROM hl_labels FOR KEY SHARE'), ('LOCK hl_projects IN ROW SHARE MODE', 'LOCK TABLE hl_projects IN ROW SHARE MODE; yes := true'),
	('SELECT hl_queue FOR SHARE', 'SELECT true INTO yes FROM hl_queue FOR SHARE');
INSERT INTO hl_run (project_id, kind, pid, state, error, sqlstate) SELECT min(id), 'train', 1, 'failed', 'cannot cast "secret"', '22P02' FROM hl_project;
UPDATE hl_work SET failures = 1, last_error = 'cannot cast "secret"' WHERE project_id = (SELECT min(id) FROM hl_project);
DELETE FROM matrix;
INSERT INTO matrix SELECT thing, who, answer(('regress_hl_' || who)::name, query) FROM view_probe, unnest('{owner,manage,review,annotate,predict,member,outsider,stranger,super}'::text[]) who;
SELECT * FROM shown ORDER BY thing COLLATE "C";

-- ----------------------------------------------------------------------
-- An owner of the extension who is no superuser any more
-- ----------------------------------------------------------------------

SELECT fill_matrix('{owner,manage,review,annotate,predict,member,outsider,stranger,super}');
CREATE TABLE before AS SELECT * FROM matrix;
SELECT hl_drop_project('tickets'), hl_drop_project('points');
CREATE ROLE regress_hl_extension SUPERUSER;
DROP EXTENSION humanloop;
SET ROLE regress_hl_extension;
CREATE EXTENSION humanloop;
RESET ROLE;
ALTER ROLE regress_hl_extension NOSUPERUSER;
-- the others may what they could; but for triggers, which he may not create
SET client_min_messages = warning;
SELECT declare();
SET client_min_messages = error;
DELETE FROM hl_ids;
INSERT INTO hl_ids SELECT id FROM hl_project;
INSERT INTO hl_encoder (name, kind, dims, sparse_dims, source_rows, shared) VALUES ('lost', 'transformer', 8, 0, 0, true);
SELECT fill_matrix('{owner,manage,review,annotate,predict,member,outsider,stranger,super,extension}');
SELECT * FROM matrix WHERE who <> 'extension' EXCEPT SELECT * FROM before;
-- he has the tables, and in the functions no more than a stranger
SELECT m.thing, m.answer AS extension, s.answer AS stranger FROM matrix m JOIN matrix s USING (thing) WHERE m.who = 'extension' AND s.who = 'stranger' AND m.answer <> s.answer ORDER BY thing COLLATE "C";
SELECT fill_relations('{extension}');
SELECT answer, count(*), string_agg(thing, ', ' ORDER BY thing) FILTER (WHERE thing LIKE 'v%') AS views FROM matrix GROUP BY answer ORDER BY answer;
DROP EXTENSION humanloop CASCADE;
CREATE EXTENSION humanloop;
DROP ROLE regress_hl_extension;
DROP TABLE before;
SELECT declare();
SET client_min_messages = warning;

-- ----------------------------------------------------------------------
-- Who says it
-- ----------------------------------------------------------------------

CREATE ROLE source;
GRANT SELECT ON desk.ticket TO source;
SELECT hl_grant('tickets', 'source', 'annotate'), hl_grant('tickets', 'source', 'predict');
-- the session's role, the role that was set, the setting, for a transaction only
SET SESSION AUTHORIZATION regress_hl_annotate;
SELECT hl_label('tickets', 81, 'billing') > 0 AS labelled;
RESET SESSION AUTHORIZATION;
SET ROLE regress_hl_review;
SELECT hl_label('tickets', 81, 'returns') > 0 AS labelled;
BEGIN;
SET LOCAL humanloop.annotator = 'maria';
SELECT hl_label('tickets', 81, 'delivery') > 0 AS labelled;
COMMIT;
SELECT hl_label('tickets', 82, 'delivery') > 0 AS labelled;
SET humanloop.annotator = 'zoe';
SELECT hl_label('tickets', 81, 'delivery') > 0 AS labelled;
SELECT count(*) AS asked FROM hl_next('tickets');
SELECT leased_by FROM hl_queue WHERE leased_by IS NOT NULL;
RESET humanloop.annotator;
-- in a function that runs as its owner, the owner
RESET ROLE;
CREATE FUNCTION as_owner() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$SELECT hl_label('tickets', 83, 'delivery')$$;
ALTER FUNCTION as_owner() OWNER TO regress_hl_owner;
SET ROLE regress_hl_annotate;
SELECT as_owner() > 0 AS labelled;
SELECT item, annotator FROM hl_labels WHERE project = 'tickets' AND item::int > 80 ORDER BY item, annotator;
-- to name another takes "manage", wherever one can be named
SELECT left(error_of($$SELECT hl_label('tickets', 84, 'x', 'maria')$$), 5) AS label, left(error_of($$SELECT hl_label_many('tickets', '{84}', '{x}', 'maria')$$), 5) AS many, left(error_of($$SELECT hl_skip('tickets', 84, 'x', 'maria')$$), 5) AS skip,
	left(error_of($$SELECT hl_undo('tickets', 81, 'maria')$$), 5) AS undo, left(error_of($$SELECT count(*) FROM hl_next('tickets', 1, 'maria')$$), 5) AS next, left(error_of($$INSERT INTO hl_labels (project, item, label, annotator) VALUES ('tickets', '84', 'x', 'maria')$$), 5) AS insert,
	left(error_of($$UPDATE hl_labels SET annotator = 'maria' WHERE annotator = 'regress_hl_annotate'$$), 5) AS give, left(error_of($$UPDATE hl_labels SET annotator = 'regress_hl_annotate' WHERE annotator = 'maria'$$), 5) AS take;
SET ROLE regress_hl_manage;
SELECT hl_label('tickets', 84, 'x', 'maria') > 0 AS label, hl_label_many('tickets', '{85}', '{x}', 'maria') AS many, hl_undo('tickets', 84, 'maria') AS undo;
UPDATE hl_labels SET annotator = 'otto' WHERE annotator = 'maria' AND item = '85' RETURNING annotator;
DELETE FROM hl_labels WHERE annotator = 'otto';
-- "source" is reserved: named, set, as a role, in the view
SELECT error_of($$SELECT hl_label('tickets', 84, 'x', 'source')$$);
SELECT left(error_of($$SELECT hl_label_many('tickets', '{84}', '{x}', 'source')$$), 5) AS many, left(error_of($$SELECT hl_skip('tickets', 84, 'x', 'source')$$), 5) AS skip, left(error_of($$SELECT hl_undo('tickets', 84, 'source')$$), 5) AS undo,
	left(error_of($$SELECT count(*) FROM hl_next('tickets', 1, 'source')$$), 5) AS next, left(error_of($$INSERT INTO hl_labels (project, item, label, annotator) VALUES ('tickets', '84', 'x', 'source')$$), 5) AS insert,
	left(error_of($$UPDATE hl_labels SET annotator = 'source' WHERE item = '1'$$), 5) AS update, left(error_of($$SET LOCAL humanloop.annotator = 'source'; SELECT hl_label('tickets', 84, 'x')$$), 5) AS setting,
	left(error_of($$SET LOCAL humanloop.annotator = 'source'; INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '84', 'x')$$), 5) AS insert_with_setting;
RESET ROLE;
SET ROLE source;
SELECT left(error_of($$SELECT hl_label('tickets', 84, 'x')$$), 5) AS label, left(error_of($$SELECT count(*) FROM hl_next('tickets')$$), 5) AS next, left(error_of($$SELECT hl_label('tickets', 84, 'x', 'maria')$$), 5) AS maria,
	error_of($$SET LOCAL humanloop.annotator = 'maria'; SELECT hl_label('tickets', 84, 'x')$$) AS with_setting, left(error_of($$SELECT hl_predict('tickets', 'x')$$), 8) AS predicts;
RESET ROLE;
-- names that are none, or too long, or odd
SELECT error_of(format('SELECT hl_label(''tickets'', 84, ''x'', %L)', name)) FROM unnest(ARRAY['', ' ', E'\t\n', repeat('é', 501)]) name;
SELECT count(hl_label('tickets', 84, 'x', name)) FROM unnest(ARRAY[repeat('é', 500), '\x00', '%s%n', 'Source', ' source', '"; DROP TABLE desk.ticket; --', U&'\200B']) name;
SELECT count(*) FROM hl_labels WHERE project = 'tickets' AND item = '84';
SELECT error_of($$SELECT hl_label('tickets', 84, 'x', U&'\0000')$$), error_of($$SELECT hl_label('tickets', 84, 'x', chr(0))$$);
SELECT hl_revoke('tickets', 'source', 'annotate'), hl_revoke('tickets', 'source', 'predict');
REVOKE ALL ON desk.ticket FROM source;
DROP ROLE source;
DROP FUNCTION as_owner();

-- Declaring: only the owner of the source, and those who are in his place.
SET ROLE regress_hl_stranger;
SELECT error_of($$SELECT hl_create_project('mine', 'desk.ticket', 'body')$$);
SET ROLE regress_hl_manage;
SELECT left(error_of($$SELECT hl_create_project('mine', 'desk.ticket', 'body')$$), 5);
RESET ROLE;
-- an unknown privilege, role, nobody
SET ROLE regress_hl_owner;
SELECT error_of($$SELECT hl_grant('tickets', 'regress_hl_predict', 'everything')$$);
SELECT error_of($$SELECT hl_grant('tickets', 'regress_hl_nobody', 'predict')$$);
SELECT error_of($$SELECT hl_grant('tickets', NULL, 'predict')$$);
SELECT error_of($$SELECT hl_grant('tickets', 'public', 'predict')$$), error_of($$SELECT hl_grant('tickets', '-', 'predict')$$), error_of($$SELECT hl_grant('tickets', 4294967295::regrole, 'predict')$$);
SELECT error_of($$SELECT hl_grant('tickets', 'regress_hl_predict', NULL)$$);
-- granted twice is granted once; what is taken away is gone at once
SELECT hl_grant('tickets', 'regress_hl_predict', 'predict'), hl_revoke('tickets', 'regress_hl_predict', 'predict');
SELECT count(*) FROM hl_privileges('tickets') WHERE role = 'regress_hl_predict';
RESET ROLE;
SELECT count(*) AS left FROM probe WHERE call NOT LIKE '%hl\_ids%' AND call LIKE '%tickets%' AND answer('regress_hl_predict', 'SELECT ' || regexp_replace(call, '( FROM |$)', ' INTO yes\1')) <> '-';
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
SELECT owner FROM hl_projects WHERE project = 'tickets';
SELECT error_of($$DROP ROLE regress_hl_manage$$) LIKE '2BP01%' AS refused;
REASSIGN OWNED BY regress_hl_manage TO regress_hl_owner;
SELECT owner FROM hl_projects WHERE project = 'tickets';
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
-- The owner likewise, while his view is gone and with it what the catalogs know:
-- he is who he was, and not whoever is called so now.
DROP VIEW desk.hl_queue_tickets;
ALTER ROLE regress_hl_owner RENAME TO regress_hl_retired;
CREATE ROLE regress_hl_owner;
SELECT owner FROM hl_projects WHERE project = 'tickets';
SET ROLE regress_hl_owner;
SELECT left(error_of($$SELECT hl_drop_project('tickets')$$), 5) AS namesake, (SELECT count(*) FROM hl_projects) AS projects;
RESET ROLE;
SELECT hl_label('tickets', 88, 'billing') > 0 AS recorded;
SELECT owner FROM hl_project WHERE name = 'tickets';
-- handed over, and its old owner dropped and created again
SELECT hl_refresh('tickets') IS NOT NULL AS view_restored;
SELECT viewowner FROM pg_views WHERE viewname = 'hl_queue_tickets';
REASSIGN OWNED BY regress_hl_retired TO regress_hl_manage;
DROP OWNED BY regress_hl_retired;
DROP ROLE regress_hl_retired;
CREATE ROLE regress_hl_retired;
DROP VIEW desk.hl_queue_tickets;
SELECT owner, state FROM hl_projects WHERE project = 'tickets';
SET ROLE regress_hl_retired;
SELECT left(error_of($$SELECT hl_drop_project('tickets')$$), 5) AS namesake;
RESET ROLE;
SELECT hl_refresh('tickets') IS NOT NULL AS view_restored;
SELECT owner FROM hl_projects WHERE project = 'tickets';
SELECT hl_drop_project('tickets'), hl_drop_project('points');
DROP SCHEMA desk CASCADE;
DROP VIEW member, shown;
DROP TABLE probe, view_probe, matrix, hl_ids;
DROP FUNCTION answer, fill_matrix, fill_relations, declare;
DROP ROLE regress_hl_owner, regress_hl_stranger, regress_hl_predict, regress_hl_annotate, regress_hl_review, regress_hl_manage, regress_hl_group, regress_hl_renamed, regress_hl_member, regress_hl_outsider, regress_hl_super, regress_hl_retired;
