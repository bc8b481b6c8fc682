/* From humanloop 0.2.0 to 0.3.0; CREATE EXTENSION runs both scripts, one after the other */

\echo Use "CREATE EXTENSION humanloop" or "ALTER EXTENSION humanloop UPDATE" to load this file. \quit

-- ---------------------------------------------------------------------------
-- Classes that are renamed, merged, removed
-- ---------------------------------------------------------------------------

-- What a model's classes are called now, '' for one that was removed; NULL: as
-- they were when it was trained.
ALTER TABLE hl_model ADD COLUMN class_names text[];

-- Counts such changes, so that who has begun before knows that there was one.
ALTER TABLE hl_serving ADD COLUMN class_changes bigint;

CREATE FUNCTION hl_rename_class(project text, class text, new_name text)
RETURNS integer
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_rename_class';
COMMENT ON FUNCTION hl_rename_class(text, text, text)
IS 'gives a class another name, in all current labels; returns how many';

CREATE FUNCTION hl_merge_classes(project text, classes text[], into_class text)
RETURNS integer
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_merge_classes';
COMMENT ON FUNCTION hl_merge_classes(text, text[], text)
IS 'makes one class of several, in all current labels; returns how many were of another';

CREATE FUNCTION hl_remove_class(project text, class text)
RETURNS integer
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_remove_class';
COMMENT ON FUNCTION hl_remove_class(text, text)
IS 'takes all labels of a class back, and the class with them; returns how many';

-- ---------------------------------------------------------------------------
-- Simulation
-- ---------------------------------------------------------------------------

CREATE TYPE hl_simulation AS
	(strategy text, run integer, labels integer, accuracy double precision, classes integer);

CREATE TYPE hl_needed_labels AS
	(strategy text, labels double precision, low double precision, high double precision,
	 saving double precision, saving_low double precision, saving_high double precision,
	 runs integer);

-- The same arguments and rows, the same result: what is drawn comes from
-- random_seed.
CREATE FUNCTION hl_simulate(source regclass, input text, label text,
							strategies text[] DEFAULT '{epig,margin,random}',
							seed integer DEFAULT 20, batch integer DEFAULT 10,
							rounds integer DEFAULT 25, runs integer DEFAULT 3,
							split text DEFAULT NULL, encoder text DEFAULT 'auto',
							random_seed bigint DEFAULT 0, options jsonb DEFAULT '{}')
RETURNS SETOF hl_simulation
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000000 ROWS 234
AS 'MODULE_PATHNAME', 'hl_simulate';
COMMENT ON FUNCTION hl_simulate(regclass, text, text, text[], integer, integer, integer, integer, text, text, bigint, jsonb)
IS 'learns a labelled relation again, strategy by strategy: accuracy by number of labels';

CREATE FUNCTION hl_labels_needed(simulation hl_simulation[], accuracy double precision)
RETURNS SETOF hl_needed_labels
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 3
AS 'MODULE_PATHNAME', 'hl_labels_needed';
COMMENT ON FUNCTION hl_labels_needed(hl_simulation[], double precision)
IS 'labels that each strategy of a simulation needs for an accuracy, and what it saves against random';

-- ---------------------------------------------------------------------------
-- The audit: what is asked by lot, and measured on that
-- ---------------------------------------------------------------------------

-- What the cross-validation said of each item: class (from 0) and confidence;
-- and whether the item is in the uniform sample of the source.  NULL: from a
-- version that did not keep it.
ALTER TABLE hl_model_label ADD COLUMN predicted integer[];
ALTER TABLE hl_model_label ADD COLUMN confidence real[];
ALTER TABLE hl_model_label ADD COLUMN audited boolean[];

-- Items of that sample, and the accuracy on them with its interval.
ALTER TABLE hl_model ADD COLUMN audited integer;
ALTER TABLE hl_model ADD COLUMN audit_accuracy double precision;
ALTER TABLE hl_model ADD COLUMN audit_low double precision;
ALTER TABLE hl_model ADD COLUMN audit_high double precision;

ALTER TYPE hl_training ADD ATTRIBUTE audited integer, ADD ATTRIBUTE audit_accuracy double precision,
	ADD ATTRIBUTE audit_low double precision, ADD ATTRIBUTE audit_high double precision;
ALTER TYPE hl_learning_point ADD ATTRIBUTE audited integer, ADD ATTRIBUTE audit_accuracy double precision,
	ADD ATTRIBUTE audit_low double precision, ADD ATTRIBUTE audit_high double precision;

CREATE TYPE hl_reliability_bin AS
	(bin integer, confidence_low double precision, confidence_high double precision,
	 confidence double precision, accuracy double precision, low double precision,
	 high double precision, n integer, estimate text);

CREATE FUNCTION hl_reliability(project text)
RETURNS SETOF hl_reliability_bin
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 30
AS 'MODULE_PATHNAME', 'hl_reliability';
COMMENT ON FUNCTION hl_reliability(text)
IS 'how often the serving model is right where it is so sure';

-- ---------------------------------------------------------------------------
-- Rows that say nothing
-- ---------------------------------------------------------------------------

CREATE FUNCTION hl_unencoded(project text, OUT item text, OUT reason text)
RETURNS SETOF record
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100000 ROWS 100
AS 'MODULE_PATHNAME', 'hl_unencoded';
COMMENT ON FUNCTION hl_unencoded(text)
IS 'rows of the source that the model cannot learn from, and why';

-- ---------------------------------------------------------------------------
-- When to stop
-- ---------------------------------------------------------------------------

-- Cohen's kappa of this model's predictions and those of the one that it
-- replaced, on a sample of the pool; NULL: not known.
ALTER TABLE hl_model ADD COLUMN agreement double precision;

CREATE TYPE hl_forecast_point AS
	(what text, labels bigint, more bigint, more_low bigint, more_high bigint,
	 accuracy double precision, low double precision, high double precision,
	 estimate text, n integer, models integer);

CREATE TYPE hl_stop_criterion AS
	(criterion text, value double precision, threshold double precision, met boolean,
	 explanation text);

CREATE FUNCTION hl_forecast(project text, accuracy double precision DEFAULT NULL)
RETURNS SETOF hl_forecast_point
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100000 ROWS 6
AS 'MODULE_PATHNAME', 'hl_forecast';
COMMENT ON FUNCTION hl_forecast(text, double precision)
IS 'expected accuracy with more labels, and how many more an accuracy takes';

CREATE FUNCTION hl_stop(project text, gain double precision DEFAULT 0.01)
RETURNS SETOF hl_stop_criterion
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100000 ROWS 3
AS 'MODULE_PATHNAME', 'hl_stop';
COMMENT ON FUNCTION hl_stop(text, double precision)
IS 'whether more labels are worth their price, criterion by criterion';

-- ---------------------------------------------------------------------------
-- Pictures
-- ---------------------------------------------------------------------------

CREATE FUNCTION hl_plot(project text, kind text, format text DEFAULT 'svg')
RETURNS text
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000
AS 'MODULE_PATHNAME', 'hl_plot';
COMMENT ON FUNCTION hl_plot(text, text, text)
IS 'a picture of a project: learning_curve, calibration, confusion or uncertainty';

CREATE FUNCTION hl_plot(simulation hl_simulation[], format text DEFAULT 'svg')
RETURNS text
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000
AS 'MODULE_PATHNAME', 'hl_plot_simulation';
COMMENT ON FUNCTION hl_plot(hl_simulation[], text)
IS 'a picture of simulated learning curves';

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
		   CASE WHEN @extschema@.hl_may(p.id, 'manage') THEN p.options OPERATOR(pg_catalog.->>) 'targets' END AS targets
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

-- ---------------------------------------------------------------------------
-- Targets: which rows are asked, and are to be got right
-- ---------------------------------------------------------------------------

CREATE FUNCTION hl_set_targets(project text, condition text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_set_targets';
COMMENT ON FUNCTION hl_set_targets(text, text)
IS 'gives the condition of option targets: which rows are asked; NULL: all';
