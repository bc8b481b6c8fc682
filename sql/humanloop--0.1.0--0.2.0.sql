/* From humanloop 0.1.0 to 0.2.0 */

\echo Use "ALTER EXTENSION humanloop UPDATE TO '0.2.0'" to load this file. \quit

-- A role: kept by its OID, so that it stays the same one when it is renamed;
-- written by its name, so that a dump means it in another cluster, too.  One
-- that was dropped, or is not there at a restore, is nobody, written ''.
CREATE TYPE hl_role;
CREATE FUNCTION hl_role_in(cstring)
RETURNS hl_role
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'hl_role_in';
CREATE FUNCTION hl_role_out(hl_role)
RETURNS cstring
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'hl_role_out';
CREATE TYPE hl_role (INPUT = hl_role_in, OUTPUT = hl_role_out, INTERNALLENGTH = 8, ALIGNMENT = int4);
CREATE CAST (text AS hl_role) WITH INOUT AS ASSIGNMENT;

-- Whoever owns the relation; when it is gone, the role.
CREATE FUNCTION hl_role_of(relation oid, role oid)
RETURNS hl_role
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'hl_role_of';

-- Whoever has the names now is meant.
ALTER TABLE hl_project ADD COLUMN owner_role hl_role, ADD COLUMN source_owner hl_role;
UPDATE hl_project SET owner_role = owner;
UPDATE hl_project p SET owner_role = hl_role_of(c.oid, c.relowner)
FROM hl_project_local l JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) l.queue_view
WHERE l.project_id OPERATOR(pg_catalog.=) p.id;
UPDATE hl_project p SET source_owner = hl_role_of(c.oid, c.relowner)
FROM hl_project_local l JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) l.source
WHERE l.project_id OPERATOR(pg_catalog.=) p.id;

ALTER TABLE hl_privilege DROP CONSTRAINT hl_privilege_pkey;
ALTER TABLE hl_privilege ALTER COLUMN role TYPE hl_role USING role::hl_role;
CREATE INDEX hl_privilege_project ON hl_privilege (project_id);
SELECT pg_catalog.pg_extension_config_dump('hl_privilege', 'WHERE role::pg_catalog.text OPERATOR(pg_catalog.<>) $$$$');

-- Has he this one?
CREATE FUNCTION hl_may(project_id integer, privilege text)
RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'hl_may';

-- Is it the declaration that is damaged, and not the source?
CREATE FUNCTION hl_project_damaged(project_id integer)
RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'hl_project_damaged';

CREATE OR REPLACE VIEW hl_projects WITH (security_barrier = true) AS
	SELECT p.name AS project, s.source, p.input_column AS input, p.key_column AS key,
		   p.label_column AS label, p.acquisition, s.owner,
		   v.items, a.labelled, q.queued,
		   m.encoder, pg_catalog.cardinality(m.classes) AS classes,
		   v.model, v.revision, m.accuracy, m.accuracy_low, m.accuracy_high, m.trained_at,
		   CASE
			   WHEN s.problem IS NOT NULL AND @extschema@.hl_project_damaged(p.id) THEN 'damaged'
			   WHEN s.problem IS NOT NULL THEN 'source missing'
			   WHEN p.paused THEN 'paused'
			   WHEN u.kind IS NOT NULL THEN 'training'
			   WHEN w.failures OPERATOR(pg_catalog.>) 0 THEN 'failing'
			   WHEN v.model IS NULL THEN 'no model'
			   ELSE 'ready'
		   END AS state,
		   CASE
			   WHEN s.problem IS NOT NULL THEN s.problem
			   WHEN q.queued OPERATOR(pg_catalog.>) 0 THEN NULL
			   WHEN r.project_id IS NULL THEN 'the queue is not built yet: call hl_refresh()'
			   WHEN v.items OPERATOR(pg_catalog.=) 0 THEN 'the source has no rows with an input'
			   WHEN a.labelled OPERATOR(pg_catalog.>=) v.items THEN 'every row of the source is labelled'
			   -- rows that have come since are noted until they are queued, too
			   WHEN pg_catalog.cardinality(r.items) OPERATOR(pg_catalog.=) 0
				   AND NOT EXISTS (SELECT 1 FROM @extschema@.hl_change c WHERE c.project_id OPERATOR(pg_catalog.=) p.id AND c.kind OPERATOR(pg_catalog.=) 'rows')
				   THEN 'nothing was left to ask when the queue was made: rows that say nothing (no words in common with some others) are not asked; hl_refresh() looks again'
			   WHEN v.model IS NULL THEN 'the seed batch is answered: the background worker trains, or hl_train()'
			   ELSE 'all queued items are answered: the background worker scores the pool, or hl_refresh()'
		   END AS queue_empty_because,
		   -- the text of an error may quote a row of the source
		   coalesce(s.problem, CASE WHEN @extschema@.hl_may(p.id, 'manage') THEN w.last_error END) AS last_error,
		   u.step, u.started_at AS running_since,
		   CASE WHEN NOT p.paused THEN greatest(w.train_at, w.retry_at) END AS next_try
	FROM @extschema@.hl_project p
	CROSS JOIN LATERAL @extschema@.hl_project_source(p.id) s
	LEFT JOIN @extschema@.hl_serving v ON v.project_id OPERATOR(pg_catalog.=) p.id
	LEFT JOIN @extschema@.hl_ranking r ON r.project_id OPERATOR(pg_catalog.=) p.id
		AND r.part OPERATOR(pg_catalog.=) 'rest'
	LEFT JOIN @extschema@.hl_work w ON w.project_id OPERATOR(pg_catalog.=) p.id
	LEFT JOIN @extschema@.hl_model m ON m.project_id OPERATOR(pg_catalog.=) p.id
		AND m.model OPERATOR(pg_catalog.=) v.model
	LEFT JOIN LATERAL (
		SELECT n.kind, n.step, n.started_at
		FROM @extschema@.hl_run n
		WHERE n.project_id OPERATOR(pg_catalog.=) p.id AND n.state OPERATOR(pg_catalog.=) 'running'
		ORDER BY n.id DESC LIMIT 1) u ON true
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(DISTINCT c.item) AS labelled
		FROM @extschema@.hl_current_answer c
		WHERE c.project_id OPERATOR(pg_catalog.=) p.id AND c.label IS NOT NULL) a
	CROSS JOIN LATERAL (
		SELECT @extschema@.hl_queue_length(p.id) AS queued OFFSET 0) q
	WHERE @extschema@.hl_visible(p.id);

CREATE OR REPLACE VIEW hl_runs WITH (security_barrier = true) AS
	SELECT n.id, p.name AS project, n.kind, n.state, n.step, n.started_at, n.finished_at,
		   n.model, CASE WHEN @extschema@.hl_may(p.id, 'manage') THEN n.error END AS error,
		   n.sqlstate, n.pid
	FROM @extschema@.hl_project p
	JOIN @extschema@.hl_run n ON n.project_id OPERATOR(pg_catalog.=) p.id
	WHERE @extschema@.hl_visible(p.id);

-- What hl_labels shows.  Whoever may UPDATE or DELETE a view may LOCK it, too, and
-- lock its rows, down to the tables as far as the view's owner may.  Everybody
-- may do so with hl_labels; so that looks here with the rights of whoever asks,
-- and he may SELECT and no more.
CREATE VIEW hl_visible_labels WITH (security_barrier = true) AS
	SELECT a.id, p.name AS project, a.item, a.label, a.annotator,
		   a.answered_at AS labelled_at
	FROM @extschema@.hl_project p
	JOIN @extschema@.hl_current_answer a ON a.project_id OPERATOR(pg_catalog.=) p.id
	WHERE a.label IS NOT NULL AND @extschema@.hl_visible(p.id);

CREATE OR REPLACE VIEW hl_labels WITH (security_barrier = true, security_invoker = true) AS
	SELECT l.id, l.project, l.item, l.label, l.annotator, l.labelled_at
	FROM @extschema@.hl_visible_labels l;

-- A trigger on a table of somebody else has no use for it.
REVOKE ALL ON FUNCTION hl_labels_write() FROM PUBLIC;

-- Nobody has rights on the tables, whatever ALTER DEFAULT PRIVILEGES gives away
-- where this is installed: who can write here decides what is read as whom.  Of the
-- views everybody has what is granted below, and of the functions for triggers
-- nobody has anything.
DO $$
DECLARE
	taken text;
BEGIN
	FOR taken IN
		SELECT DISTINCT pg_catalog.format('REVOKE ALL ON %s %s FROM %s', o.kind, o.name,
			CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
				ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END)
		FROM (
			SELECT 'TABLE' AS kind, c.oid::pg_catalog.regclass::pg_catalog.text AS name,
				c.relowner AS owner, c.relacl AS acl
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_depend d
				ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
				AND d.objid OPERATOR(pg_catalog.=) c.oid
			JOIN pg_catalog.pg_extension e
				ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
				AND d.refobjid OPERATOR(pg_catalog.=) e.oid
			WHERE e.extname OPERATOR(pg_catalog.=) 'humanloop'
				AND d.deptype OPERATOR(pg_catalog.=) 'e'
			UNION ALL
			SELECT 'FUNCTION', p.oid::pg_catalog.regprocedure::pg_catalog.text, p.proowner, p.proacl
			FROM pg_catalog.pg_proc p
			WHERE p.oid OPERATOR(pg_catalog.=) ANY (ARRAY[
				'@extschema@.hl_labels_write()'::pg_catalog.regprocedure,
				'@extschema@.hl_source_changed()'::pg_catalog.regprocedure,
				'@extschema@.hl_source_altered()'::pg_catalog.regprocedure,
				'@extschema@.hl_source_dropped()'::pg_catalog.regprocedure]::pg_catalog.oid[])
		) o
		CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) a
		WHERE a.grantee OPERATOR(pg_catalog.<>) o.owner
	LOOP
		EXECUTE taken;
	END LOOP;
END $$;
GRANT SELECT ON hl_projects, hl_queue, hl_visible_labels, hl_label_history, hl_runs TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON hl_labels TO PUBLIC;

COMMENT ON FUNCTION hl_source_altered()
IS 'follows partitions that come and go, and what is renamed or retyped';

-- A function that 0.1.0 has, too: sessions that have loaded that go on to alter
-- their tables.
CREATE EVENT TRIGGER hl_source_altering ON ddl_command_start
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE')
	EXECUTE FUNCTION hl_source_altered();

DROP EVENT TRIGGER hl_source_altered;
CREATE EVENT TRIGGER hl_source_altered ON ddl_command_end
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW',
		'ALTER SCHEMA', 'CREATE TABLE', 'CREATE FOREIGN TABLE', 'REFRESH MATERIALIZED VIEW',
		'DROP OWNED')
	EXECUTE FUNCTION hl_source_altered();
