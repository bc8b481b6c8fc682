-- Objects that others have put where a careless search would find them: in
-- pg_temp, in public, in a schema of their own before pg_catalog, and beside ours.
SET client_min_messages = warning;
CREATE ROLE regress_hl_mallory;
CREATE SCHEMA planted AUTHORIZATION regress_hl_mallory;
CREATE SCHEMA ours AUTHORIZATION regress_hl_mallory;
GRANT ALL ON SCHEMA public TO regress_hl_mallory;
CREATE TABLE planted.sprung (who name, what text);
GRANT INSERT ON planted.sprung TO PUBLIC;
GRANT USAGE ON SCHEMA planted TO PUBLIC;
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
INSERT INTO ticket SELECT id, body, topic FROM tickets(60);
CREATE TABLE letter (id text PRIMARY KEY, body varchar) PARTITION BY RANGE (id);
CREATE TABLE letter_1 PARTITION OF letter DEFAULT;
INSERT INTO letter SELECT 'no ' || id, body FROM tickets(30);

-- In one schema: functions and operators that the extension uses, with the
-- argument types at hand; tables, views and types that are called as ours are.
CREATE FUNCTION planted.sprung(what text) RETURNS void LANGUAGE sql AS $$INSERT INTO planted.sprung VALUES (current_user, what)$$;
CREATE FUNCTION plant(schema name) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	f record;
BEGIN
	SET LOCAL ROLE regress_hl_mallory;
	-- every operator of the types that our statements compare
	FOR f IN SELECT DISTINCT ON (o.oprname, o.oprleft, o.oprright) o.oprname, o.oprleft::regtype AS l, o.oprright::regtype AS r, o.oprresult::regtype AS result, row_number() OVER () AS n FROM pg_operator o
		WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '||', '+', '-', '*', '~~') AND o.oprresult <> 0 AND o.oprleft IN (SELECT t::regtype FROM unnest('{text,name,int2,int4,int8,oid,uuid,float8,bool,timestamptz,interval,tid,anyarray,varchar,anycompatiblearray,anycompatible}'::text[]) t)
			AND (o.oprright = o.oprleft OR o.oprname IN ('+', '||')) AND NOT o.oprleft::regtype::text ~ '^any' AND NOT o.oprright::regtype::text ~ '^any'
	LOOP
		EXECUTE format('CREATE FUNCTION %I.op%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', schema, f.n, f.l, f.r, f.result, format('BEGIN PERFORM planted.sprung(%L); RETURN $1 OPERATOR(pg_catalog.%s) $2; END', 'operator ' || f.oprname || ' ' || f.l, f.oprname));
		EXECUTE format('CREATE OPERATOR %I.%s (FUNCTION = %I.op%s, LEFTARG = %s, RIGHTARG = %s)', schema, f.oprname, schema, f.n, f.l, f.r);
	END LOOP;
	FOR f IN SELECT * FROM (VALUES ('format', 'text, text', 'text'), ('format', 'text', 'text'), ('clock_timestamp', '', 'timestamptz'), ('now', '', 'timestamptz'), ('cardinality', 'text[]', 'int'), ('unnest', 'text[]', 'SETOF text'), ('coalesce', 'text, text', 'text'), ('make_interval', 'float8', 'interval'),
		('power', 'float8, float8', 'float8'), ('max', 'bigint', 'bigint'), ('pg_event_trigger_dropped_objects', '', 'SETOF text'), ('hl_visible', 'bigint', 'boolean'), ('hl_queue_entries', 'name', 'SETOF text'), ('hl_queue_entries', 'varchar', 'SETOF text'),
		('hl_label', 'text, varchar, text, text', 'bigint'), ('hl_undo', 'text, varchar, text', 'void'), ('hl_source_changed', 'text', 'text'), ('text', 'int', 'text'), ('text', 'uuid', 'text'), ('int4', 'text', 'int'), ('float4', 'text', 'real')) v(name, arguments, result)
	LOOP
		EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', schema, f.name, f.arguments, f.result, format('BEGIN PERFORM planted.sprung(%L); %s END', 'function ' || f.name, CASE WHEN f.result ~ 'SETOF|void' THEN 'RETURN;' ELSE 'RETURN NULL;' END));
	END LOOP;
	FOREACH schema IN ARRAY CASE WHEN schema = 'ours' THEN '{}'::name[] ELSE ARRAY[schema] END LOOP
		EXECUTE (SELECT string_agg(format('CREATE TABLE %I.%I AS SELECT 1 AS id, ''planted''::text AS name;', schema, name), ' ') FROM unnest('{hl_project,hl_privilege,hl_answer,hl_change,hl_serving,hl_ranking,hl_labels,hl_projects,pg_class,pg_type,pg_trigger}'::text[]) name);
		EXECUTE (SELECT string_agg(format('CREATE DOMAIN %I.%I AS pg_catalog.text CHECK (value IS NULL);', schema, name), ' ') FROM unnest('{text,int4,int8,uuid,float4,timestamptz,jsonb,hl_prediction,hl_question}'::text[]) name);
	END LOOP;
	RESET ROLE;
END $$;
SELECT plant('planted');

-- All that there is, called by a superuser who has let himself be led astray.
-- Whoever calls resolves his own statement: so it has names with their schemas
-- and nothing to resolve beyond.
CREATE TEMP TABLE hl_project (id int, name pg_catalog.text);
CREATE TEMP TABLE hl_change (project_id int, kind pg_catalog.text, items pg_catalog.text[]);
CREATE TEMP VIEW hl_labels AS SELECT 1 AS id;
CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_catalog.length(value) OPERATOR(pg_catalog.=) 0);
SET search_path = pg_temp, planted, public, pg_catalog;
SELECT project FROM public.hl_create_project('tickets', 'public.ticket', 'body', label => 'topic');
SELECT project FROM public.hl_create_project('letters', 'public.letter', 'body');
SELECT FROM public.hl_label('letters', 'no 1', 'billing') a, public.hl_label('letters', 'no 2', 'returns') b, public.hl_label_many('letters', '{"no 3","no 4"}', '{billing,returns}') c, public.hl_skip('letters', 'no 5') d, public.hl_label('tickets', 1, 'delivery') e, public.hl_undo('tickets', 1) f;
SELECT model FROM public.hl_train('tickets');
SELECT model FROM public.hl_train('letters');
SELECT FROM public.hl_predict('tickets', 'x') a, public.hl_probabilities('letters', 'x') b, public.hl_uncertainty('letters', 'x') c;
SELECT pg_catalog.count(*) FROM public.hl_predict('letters');
SELECT pg_catalog.count(*) FROM public.hl_next('letters', 3);
SELECT FROM public.hl_refresh('tickets') a, public.hl_refresh('letters') b, public.hl_pause('letters') c, public.hl_resume('letters') d, public.hl_deploy('letters', 1) e, public.hl_grant('letters', 'regress_hl_mallory', 'predict') f, public.hl_revoke('letters', 'regress_hl_mallory', 'predict') g;
SELECT pg_catalog.count(*) FROM public.hl_projects;
SELECT pg_catalog.count(*) FROM public.hl_queue_tickets;
SELECT pg_catalog.count(*) FROM public.hl_label_history;
SELECT pg_catalog.count(*) FROM public.hl_metrics('tickets');
INSERT INTO public.hl_labels (project, item, label) VALUES ('letters', 'no 7', 'billing');
UPDATE public.hl_labels SET label = 'returns' WHERE item OPERATOR(pg_catalog.=) 'no 7';
DELETE FROM public.hl_labels WHERE item OPERATOR(pg_catalog.=) 'no 7';
INSERT INTO public.ticket VALUES (100, 'a late parcel', NULL);
CREATE TABLE public.letter_2 PARTITION OF public.letter FOR VALUES FROM ('x') TO ('y');
INSERT INTO public.letter VALUES ('x1', 'the invoice is wrong');
DROP TABLE public.letter_2;
ALTER TABLE public.ticket RENAME COLUMN topic TO said;
DROP VIEW public.hl_queue_tickets;
SELECT FROM public.hl_refresh('tickets');
SELECT pg_catalog.count(*) FROM public.hl_queue_tickets;
RESET search_path;
DROP TABLE pg_temp.hl_project, pg_temp.hl_change;
DROP VIEW pg_temp.hl_labels;
DROP DOMAIN pg_temp.text;
SELECT DISTINCT * FROM planted.sprung;
SELECT count(*) AS held_by_what_is_planted FROM pg_depend d JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid WHERE w.ev_class IN ('hl_queue_tickets'::regclass, 'hl_queue_letters'::regclass)
	AND (d.refclassid, d.refobjid) IN (SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'planted'::regnamespace);
SELECT kind, items FROM hl_change WHERE kind IN ('rows', 'inserted') ORDER BY kind, items;
SELECT count(hl_drop_project(project)) FROM hl_projects;

-- They are traps that work.
SET search_path = planted, pg_catalog;
SELECT 1 = 1 AS trapped;
RESET search_path;
SELECT DISTINCT * FROM planted.sprung;
TRUNCATE planted.sprung;

-- Beside ours: in a schema of hers, where they were before the extension came,
-- the version before this one first.
SELECT plant('ours');
DROP EXTENSION humanloop;
CREATE EXTENSION humanloop SCHEMA ours VERSION '0.1.0';
ALTER EXTENSION humanloop UPDATE;
SET search_path = ours;
SELECT project FROM ours.hl_create_project('tickets', 'public.ticket', 'body', label => 'said');
RESET search_path;
SELECT ours.hl_label('tickets', 2, 'billing') > 0 AS labelled, ours.hl_skip('tickets', 3), ours.hl_undo('tickets', 2);
SELECT model FROM ours.hl_train('tickets');
INSERT INTO ours.hl_labels (project, item, label) VALUES ('tickets', '7', 'billing') RETURNING label;
UPDATE ours.hl_labels SET label = 'returns' WHERE item = '7' AND annotator <> 'source' RETURNING label;
DELETE FROM ours.hl_labels WHERE item = '7' AND annotator <> 'source' RETURNING label;
SELECT (SELECT count(*) FROM ours.hl_projects) AS projects, (SELECT count(*) > 0 FROM ours.hl_queue) AS queue, (SELECT count(*) FROM ours.hl_labels) AS labels, (SELECT count(*) FROM ours.hl_runs) AS runs, (SELECT count(*) > 0 FROM hl_queue_tickets) AS view, (SELECT count(*) FROM ours.hl_next('tickets')) AS next;
INSERT INTO ticket VALUES (101, 'another late parcel', NULL);
SELECT ours.hl_refresh('tickets'), ours.hl_drop_project('tickets');
SELECT DISTINCT * FROM planted.sprung;
-- she owns the schema, and yet not what is ours in it
SET ROLE regress_hl_mallory;
SELECT left(error_of(what), 5) AS refused, what FROM unnest(ARRAY['DROP TABLE ours.hl_answer', 'DROP FUNCTION ours.hl_train(text)', 'ALTER TABLE ours.hl_project OWNER TO regress_hl_mallory', 'SELECT * FROM ours.hl_answer', 'CREATE OR REPLACE FUNCTION ours.hl_visible(integer) RETURNS boolean LANGUAGE sql AS ''SELECT true''']) what;
RESET ROLE;
DROP EXTENSION humanloop;

-- Something of ours that is there already is not taken over.
CREATE VIEW planted.hl_visible_labels AS SELECT 1 AS id;
SELECT left(error_of(format('CREATE EXTENSION humanloop SCHEMA planted VERSION %L', version)), 5) AS refused, version FROM unnest('{0.1.0,0.2.0,0.3.0,0.4.0,0.5.0}'::text[]) version;
DROP TABLE planted.hl_project, planted.hl_privilege, planted.hl_answer, planted.hl_change, planted.hl_serving, planted.hl_ranking, planted.hl_labels, planted.hl_projects;
DROP DOMAIN planted.hl_prediction, planted.hl_question;
SET ROLE regress_hl_mallory;
CREATE FUNCTION planted.hl_visible(integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
RESET ROLE;
SELECT error_of('CREATE EXTENSION humanloop SCHEMA planted');
DROP FUNCTION planted.hl_visible(integer);
-- nor by the update
CREATE EXTENSION humanloop SCHEMA planted VERSION '0.1.0';
SELECT error_of('ALTER EXTENSION humanloop UPDATE');
DROP EXTENSION humanloop;
CREATE EXTENSION humanloop;
SELECT DISTINCT * FROM planted.sprung;
DROP SCHEMA planted, ours CASCADE;
DROP TABLE ticket, letter;
DROP FUNCTION plant;
REVOKE ALL ON SCHEMA public FROM regress_hl_mallory;
DROP ROLE regress_hl_mallory;
