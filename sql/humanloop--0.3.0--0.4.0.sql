/* From humanloop 0.3.0 to 0.4.0; CREATE EXTENSION runs this after the scripts before it */

\echo Use "CREATE EXTENSION humanloop" or "ALTER EXTENSION humanloop UPDATE" to load this file. \quit

-- ---------------------------------------------------------------------------
-- Several inputs: columns of text and of vectors, side by side
-- ---------------------------------------------------------------------------

-- All but the first, in their order, and their numbers; NULL: there is one.
ALTER TABLE hl_project ADD COLUMN more_inputs text[];
ALTER TABLE hl_project_local ADD COLUMN more_attnums smallint[];

CREATE FUNCTION hl_create_project(
	name text, source regclass, input text[], key text DEFAULT NULL,
	label text DEFAULT NULL, classes text[] DEFAULT NULL,
	encoder text DEFAULT 'auto', acquisition text DEFAULT 'epig',
	options jsonb DEFAULT '{}')
RETURNS hl_project_status
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_create_project_inputs';
COMMENT ON FUNCTION hl_create_project(text, regclass, text[], text, text, text[], text, text, jsonb)
IS 'declares a project over several columns of a table or view';

CREATE FUNCTION hl_simulate(source regclass, input text[], label text,
							strategies text[] DEFAULT '{epig,margin,random}',
							seed integer DEFAULT 20, batch integer DEFAULT 10,
							rounds integer DEFAULT 25, runs integer DEFAULT 3,
							split text DEFAULT NULL, encoder text DEFAULT 'auto',
							random_seed bigint DEFAULT 0, options jsonb DEFAULT '{}')
RETURNS SETOF hl_simulation
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000000 ROWS 234
AS 'MODULE_PATHNAME', 'hl_simulate_inputs';
COMMENT ON FUNCTION hl_simulate(regclass, text[], text, text[], integer, integer, integer, integer, text, text, bigint, jsonb)
IS 'learns a labelled relation of several inputs again, strategy by strategy: accuracy by number of labels';

CREATE FUNCTION hl_embed(project text, input anyarray)
RETURNS real[]
LANGUAGE C STABLE PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'hl_embed_array';
COMMENT ON FUNCTION hl_embed(text, anyarray)
IS 'the encoder''s vector for another, or for several inputs';

-- Rows that a run has encoded, of so many; NULL: it has not come to that.
ALTER TABLE hl_run ADD COLUMN rows_done bigint;
ALTER TABLE hl_run ADD COLUMN rows_total bigint;

CREATE OR REPLACE VIEW hl_runs WITH (security_barrier = true) AS
	SELECT n.id, p.name AS project, n.kind, n.state, n.step, n.started_at, n.finished_at,
		   n.model, CASE WHEN @extschema@.hl_may(p.id, 'manage') THEN n.error END AS error,
		   n.sqlstate, n.pid, n.rows_done, n.rows_total
	FROM @extschema@.hl_project p
	JOIN @extschema@.hl_run n ON n.project_id OPERATOR(pg_catalog.=) p.id
	WHERE @extschema@.hl_visible(p.id);

CREATE OR REPLACE VIEW hl_projects WITH (security_barrier = true) AS
	SELECT p.name AS project, s.source,
		   pg_catalog.array_to_string(pg_catalog.array_prepend(p.input_column, p.more_inputs), ', ') AS input,
		   p.key_column AS key,
		   p.label_column AS label, p.acquisition, s.owner,
		   v.items, a.labelled, q.queued,
		   m.encoder, pg_catalog.cardinality(m.classes) AS classes,
		   v.model, v.revision, m.accuracy, m.accuracy_low, m.accuracy_high, m.trained_at,
		   CASE
			   WHEN s.problem IS NOT NULL AND @extschema@.hl_project_damaged(p.id) THEN 'damaged'
			   WHEN s.problem IS NOT NULL THEN 'source missing'
			   WHEN p.paused THEN 'paused'
			   WHEN u.kind OPERATOR(pg_catalog.=) 'rows' THEN 'encoding'
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
			   WHEN pg_catalog.cardinality(r.items) OPERATOR(pg_catalog.=) 0
				   AND (p.options OPERATOR(pg_catalog.->>) 'targets') IS NOT NULL
				   AND NOT EXISTS (SELECT 1 FROM @extschema@.hl_change c WHERE c.project_id OPERATOR(pg_catalog.=) p.id AND c.kind OPERATOR(pg_catalog.=) 'rows')
				   THEN 'no row that could be asked satisfied the condition of option targets when the queue was made: hl_refresh() looks again, hl_set_targets() gives another condition'
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
		   CASE WHEN NOT p.paused THEN greatest(w.train_at, w.retry_at) END AS next_try,
		   m.audited, m.audit_accuracy, m.audit_low, m.audit_high,
		   -- it may quote what is in the source
		   CASE WHEN @extschema@.hl_may(p.id, 'manage') THEN p.options OPERATOR(pg_catalog.->>) 'targets' END AS targets,
		   u.rows_total OPERATOR(pg_catalog.-) u.rows_done AS rows_left
	FROM @extschema@.hl_project p
	CROSS JOIN LATERAL @extschema@.hl_project_source(p.id) s
	LEFT JOIN @extschema@.hl_serving v ON v.project_id OPERATOR(pg_catalog.=) p.id
	LEFT JOIN @extschema@.hl_ranking r ON r.project_id OPERATOR(pg_catalog.=) p.id
		AND r.part OPERATOR(pg_catalog.=) 'rest'
	LEFT JOIN @extschema@.hl_work w ON w.project_id OPERATOR(pg_catalog.=) p.id
	LEFT JOIN @extschema@.hl_model m ON m.project_id OPERATOR(pg_catalog.=) p.id
		AND m.model OPERATOR(pg_catalog.=) v.model
	LEFT JOIN LATERAL (
		SELECT n.kind, n.step, n.started_at, n.rows_done, n.rows_total
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

-- ---------------------------------------------------------------------------
-- Imported encoders, and which one a project uses
-- ---------------------------------------------------------------------------

-- Of one that was imported: what it is, whose, and whether all may use it; it has
-- no project.  Of a project's own: the imported ones that are part of it.
ALTER TABLE hl_encoder ADD COLUMN kind text;
ALTER TABLE hl_encoder ADD COLUMN owner hl_role;
ALTER TABLE hl_encoder ADD COLUMN shared boolean NOT NULL DEFAULT false;
ALTER TABLE hl_encoder ADD COLUMN uses bigint[];
-- The rows are being encoded with it: whoever begins the next time goes on there.
ALTER TABLE hl_encoder ADD COLUMN unfinished boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX hl_encoder_named ON hl_encoder (name) WHERE project_id IS NULL;

-- What the training has chosen where the project's encoder is 'auto'; NULL: nothing.
ALTER TABLE hl_serving ADD COLUMN chosen text;
-- What it has compared, and found, at the last training that compared.
ALTER TABLE hl_serving ADD COLUMN tried jsonb;
-- hl_deploy() was called since it was decided which encoder the project shall have.
ALTER TABLE hl_serving ADD COLUMN encoder_kept boolean NOT NULL DEFAULT false;

-- Of a model: how much the parts of its encoder count, and what was compared.
ALTER TABLE hl_model ADD COLUMN figures jsonb;
ALTER TYPE hl_model_version ADD ATTRIBUTE figures jsonb;

CREATE TYPE hl_imported_encoder AS
	(encoder text, kind text, dims integer, bytes bigint, seconds double precision);

CREATE FUNCTION hl_import_encoder(name text, kind text, path text DEFAULT NULL,
								  large_objects jsonb DEFAULT NULL, staging regclass DEFAULT NULL,
								  options jsonb DEFAULT '{}')
RETURNS hl_imported_encoder
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'hl_import_encoder';
COMMENT ON FUNCTION hl_import_encoder(text, text, text, jsonb, regclass, jsonb)
IS 'brings a pretrained encoder into the database, from files of the server, large objects or a table';

CREATE FUNCTION hl_drop_encoder(encoder text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_drop_encoder';
COMMENT ON FUNCTION hl_drop_encoder(text) IS 'drops an imported encoder that no project uses';

CREATE FUNCTION hl_share_encoder(encoder text, shared boolean DEFAULT true)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_share_encoder';
COMMENT ON FUNCTION hl_share_encoder(text, boolean)
IS 'lets everybody use an imported encoder, or nobody but its owner';

CREATE FUNCTION hl_set_encoder(project text, encoder text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_set_encoder';
COMMENT ON FUNCTION hl_set_encoder(text, text)
IS 'gives a project another encoder: its rows are encoded, and a model is trained, in the background';

CREATE FUNCTION hl_may_use_encoder(shared boolean, owner hl_role)
RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'hl_may_use_encoder';

CREATE VIEW hl_encoders WITH (security_barrier = true) AS
	SELECT e.name AS encoder, e.kind, e.dims,
		   (SELECT pg_catalog.sum(pg_catalog.octet_length(p.data)) FROM @extschema@.hl_encoder_part p
			WHERE p.encoder_id OPERATOR(pg_catalog.=) e.id)::pg_catalog.int8 AS bytes,
		   nullif(e.owner::pg_catalog.text, '') AS owner, e.shared, e.fitted_at AS imported_at,
		   ARRAY(SELECT p.name FROM @extschema@.hl_project p
				 WHERE @extschema@.hl_visible(p.id) AND EXISTS (
					SELECT 1 FROM @extschema@.hl_encoder o
					WHERE o.project_id OPERATOR(pg_catalog.=) p.id
						AND e.id OPERATOR(pg_catalog.=) ANY (o.uses))
				 ORDER BY p.name) AS projects
	FROM @extschema@.hl_encoder e
	WHERE e.project_id IS NULL AND @extschema@.hl_may_use_encoder(e.shared, e.owner);
COMMENT ON VIEW hl_encoders IS 'imported encoders that the caller may use';
-- Whatever ALTER DEFAULT PRIVILEGES gives away here, everybody has this and no more.
DO $$
DECLARE
	taken text;
BEGIN
	FOR taken IN
		SELECT DISTINCT pg_catalog.format('REVOKE ALL ON %s FROM %s',
			c.oid::pg_catalog.regclass::pg_catalog.text,
			CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
				ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END)
		FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
		JOIN pg_catalog.pg_extension e ON e.extnamespace OPERATOR(pg_catalog.=) c.relnamespace
		WHERE e.extname OPERATOR(pg_catalog.=) 'humanloop'
			AND c.relname OPERATOR(pg_catalog.=) 'hl_encoders' AND a.grantee OPERATOR(pg_catalog.<>) c.relowner
	LOOP
		EXECUTE taken;
	END LOOP;
END $$;
GRANT SELECT ON hl_encoders TO PUBLIC;
