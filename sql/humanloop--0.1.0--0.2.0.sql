/* From humanloop 0.1.0 to 0.2.0 */

\echo Use "ALTER EXTENSION humanloop UPDATE TO '0.2.0'" to load this file. \quit

-- Which roles the names mean in this cluster: a role that is renamed keeps what
-- it has, and another that takes its name does not get it.  Not dumped.
CREATE TABLE hl_privilege_local
(
	project_id    integer NOT NULL REFERENCES hl_project ON DELETE CASCADE,
	role          text NOT NULL,
	role_oid      oid NOT NULL,
	PRIMARY KEY (project_id, role)
);

-- Has he this one?
CREATE FUNCTION hl_may(project_id integer, privilege text)
RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'hl_may';

CREATE OR REPLACE VIEW hl_projects WITH (security_barrier = true) AS
	SELECT p.name AS project, s.source, p.input_column AS input, p.key_column AS key,
		   p.label_column AS label, p.acquisition, s.owner,
		   v.items, a.labelled, q.queued,
		   m.encoder, pg_catalog.cardinality(m.classes) AS classes,
		   v.model, v.revision, m.accuracy, m.accuracy_low, m.accuracy_high, m.trained_at,
		   CASE
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

CREATE FUNCTION hl_source_altering()
RETURNS event_trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'hl_source_altering';
COMMENT ON FUNCTION hl_source_altering()
IS 'sets queue views aside while their columns change their types';
REVOKE ALL ON FUNCTION hl_source_altering() FROM PUBLIC;

COMMENT ON FUNCTION hl_source_altered()
IS 'follows partitions that come and go, and what is renamed or retyped';

CREATE EVENT TRIGGER hl_source_altering ON ddl_command_start
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE')
	EXECUTE FUNCTION hl_source_altering();

DROP EVENT TRIGGER hl_source_altered;
CREATE EVENT TRIGGER hl_source_altered ON ddl_command_end
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW',
		'ALTER SCHEMA', 'CREATE TABLE', 'CREATE FOREIGN TABLE', 'REFRESH MATERIALIZED VIEW')
	EXECUTE FUNCTION hl_source_altered();
