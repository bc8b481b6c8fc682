/* From humanloop 0.4.0 to 0.5.0; CREATE EXTENSION runs this after the scripts before it */

\echo Use "CREATE EXTENSION humanloop" or "ALTER EXTENSION humanloop UPDATE" to load this file. \quit

-- ---------------------------------------------------------------------------
-- Several answers an item, gold, annotators
-- ---------------------------------------------------------------------------

-- When the question was handed to whoever answers it; NULL: it was not, or is older.
ALTER TABLE hl_answer ADD COLUMN leased_at timestamptz;

-- Where several answers are wanted: who has the item, since when, until when.  The
-- other columns then say nothing but until when somebody has it (lease_until).
ALTER TABLE hl_lease ADD COLUMN holders text[] NOT NULL DEFAULT '{}';
ALTER TABLE hl_lease ADD COLUMN since timestamptz[] NOT NULL DEFAULT '{}';
ALTER TABLE hl_lease ADD COLUMN until timestamptz[] NOT NULL DEFAULT '{}';

-- Items that have an answer and need another, worth more first; written as the
-- ranking is, under the project's lock.
CREATE TABLE hl_repeat
(
	project_id    integer NOT NULL,
	item          text NOT NULL,
	wanted        integer NOT NULL,         -- answers, with those that there are
	reason        text NOT NULL,            -- 'dispute', 'repeat'
	worth         real NOT NULL,
	since         bigint NOT NULL,          -- its first answer
	PRIMARY KEY (project_id, item)
);
CREATE INDEX hl_repeat_order ON hl_repeat (project_id, worth DESC, since, item);

-- Labels that are known, to measure annotators by.
CREATE TABLE hl_gold_label
(
	project_id    integer NOT NULL,
	item          text NOT NULL,
	label         text NOT NULL,
	marked_by     text NOT NULL,
	marked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (project_id, item)
);

-- Which of them hl_next has shown to whom: never twice to the same.
CREATE TABLE hl_gold_shown
(
	project_id    integer NOT NULL,
	item          text NOT NULL,
	annotator     text NOT NULL,
	shown_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (project_id, item, annotator)
);

SELECT pg_catalog.pg_extension_config_dump('hl_gold_label', '');
SELECT pg_catalog.pg_extension_config_dump('hl_gold_shown', '');

CREATE TYPE hl_gold_item AS
	(item text, label text, marked_by text, marked_at timestamptz, answers bigint, hits bigint);

CREATE FUNCTION hl_gold(project text, item text, label text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_gold';
CREATE FUNCTION hl_gold(project text, item bigint, label text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_gold_bigint';
CREATE FUNCTION hl_gold(project text, item uuid, label text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_gold_uuid';
COMMENT ON FUNCTION hl_gold(text, text, text) IS 'says what an item''s label is, to measure annotators by it';
COMMENT ON FUNCTION hl_gold(text, bigint, text) IS 'says what an item''s label is, to measure annotators by it';
COMMENT ON FUNCTION hl_gold(text, uuid, text) IS 'says what an item''s label is, to measure annotators by it';

CREATE FUNCTION hl_drop_gold(project text, item text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_drop_gold';
CREATE FUNCTION hl_drop_gold(project text, item bigint)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_drop_gold_bigint';
CREATE FUNCTION hl_drop_gold(project text, item uuid)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_drop_gold_uuid';
COMMENT ON FUNCTION hl_drop_gold(text, text) IS 'takes back that an item''s label is known';
COMMENT ON FUNCTION hl_drop_gold(text, bigint) IS 'takes back that an item''s label is known';
COMMENT ON FUNCTION hl_drop_gold(text, uuid) IS 'takes back that an item''s label is known';

CREATE FUNCTION hl_golds(project text)
RETURNS SETOF hl_gold_item
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'hl_golds';
COMMENT ON FUNCTION hl_golds(text) IS 'gold items, how often people have answered them, and how often rightly';

CREATE TYPE hl_annotator AS
	(annotator text, answers bigint, skips bigint, agreement double precision,
	 accuracy double precision, accuracy_low double precision, accuracy_high double precision,
	 gold_answers bigint, gold_hits bigint, median_seconds double precision);
CREATE TYPE hl_annotator_cell AS
	(annotator text, truth text, said text, answers double precision,
	 probability double precision, low double precision, high double precision);

CREATE FUNCTION hl_annotators(project text)
RETURNS SETOF hl_annotator
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10
AS 'MODULE_PATHNAME', 'hl_annotators';
COMMENT ON FUNCTION hl_annotators(text)
IS 'who has answered how much, how well, and how quickly; without ''manage'' the caller alone';

CREATE FUNCTION hl_annotator_confusion(project text, annotator text DEFAULT NULL)
RETURNS SETOF hl_annotator_cell
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 100
AS 'MODULE_PATHNAME', 'hl_annotator_confusion';
COMMENT ON FUNCTION hl_annotator_confusion(text, text)
IS 'what annotators say of items of each class; without ''manage'' the caller alone';

-- ---------------------------------------------------------------------------
-- Agreement, disputes, comments, flags and reviews
-- ---------------------------------------------------------------------------

-- What reviewers have settled.  Rows are added, never changed: the last one of an
-- item holds, and one of action 'undo' takes back what was before.
CREATE TABLE hl_settlement
(
	id            bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	project_id    integer NOT NULL,
	item          text NOT NULL,
	action        text NOT NULL CHECK (action IN ('settle', 'undo')),
	label         text,
	reviewer      text NOT NULL,
	reason        text,
	settled_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	CHECK ((action OPERATOR(pg_catalog.=) 'settle') OPERATOR(pg_catalog.=) (label IS NOT NULL))
);
CREATE INDEX hl_settlement_item ON hl_settlement (project_id, item, id);

CREATE TABLE hl_item_comment
(
	id            bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	project_id    integer NOT NULL,
	item          text NOT NULL,
	annotator     text NOT NULL,
	comment       text NOT NULL,
	commented_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX hl_item_comment_item ON hl_item_comment (project_id, item);

CREATE TABLE hl_item_flag
(
	project_id    integer NOT NULL,
	item          text NOT NULL,
	annotator     text NOT NULL,
	reason        text,
	flagged_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (project_id, item, annotator)
);

SELECT pg_catalog.pg_extension_config_dump('hl_settlement', '');
SELECT pg_catalog.pg_extension_config_dump('hl_settlement_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('hl_item_comment', '');
SELECT pg_catalog.pg_extension_config_dump('hl_item_comment_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('hl_item_flag', '');

CREATE FUNCTION hl_comment(project text, item text, comment text)
RETURNS bigint LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_comment';
CREATE FUNCTION hl_comment(project text, item bigint, comment text)
RETURNS bigint LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_comment_bigint';
CREATE FUNCTION hl_comment(project text, item uuid, comment text)
RETURNS bigint LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_comment_uuid';
COMMENT ON FUNCTION hl_comment(text, text, text) IS 'writes a comment on an item; returns its id';

CREATE FUNCTION hl_delete_comment(project text, comment bigint)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_delete_comment';
COMMENT ON FUNCTION hl_delete_comment(text, bigint) IS 'deletes a comment: one''s own, or as a reviewer any';

CREATE FUNCTION hl_flag(project text, item text, reason text DEFAULT NULL)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_flag';
CREATE FUNCTION hl_flag(project text, item bigint, reason text DEFAULT NULL)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_flag_bigint';
CREATE FUNCTION hl_flag(project text, item uuid, reason text DEFAULT NULL)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_flag_uuid';
COMMENT ON FUNCTION hl_flag(text, text, text) IS 'flags an item for others to look at';

CREATE FUNCTION hl_unflag(project text, item text, annotator text DEFAULT NULL)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_unflag';
CREATE FUNCTION hl_unflag(project text, item bigint, annotator text DEFAULT NULL)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_unflag_bigint';
CREATE FUNCTION hl_unflag(project text, item uuid, annotator text DEFAULT NULL)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_unflag_uuid';
COMMENT ON FUNCTION hl_unflag(text, text, text)
IS 'takes a flag back: one''s own, or as a reviewer anybody''s';

CREATE FUNCTION hl_settle(project text, item text, label text, reason text DEFAULT NULL)
RETURNS bigint LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_settle';
CREATE FUNCTION hl_settle(project text, item bigint, label text, reason text DEFAULT NULL)
RETURNS bigint LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_settle_bigint';
CREATE FUNCTION hl_settle(project text, item uuid, label text, reason text DEFAULT NULL)
RETURNS bigint LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_settle_uuid';
COMMENT ON FUNCTION hl_settle(text, text, text, text)
IS 'says as a reviewer what an item is, whatever people answer; returns the id of the settlement';

CREATE FUNCTION hl_unsettle(project text, item text, reason text DEFAULT NULL)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_unsettle';
CREATE FUNCTION hl_unsettle(project text, item bigint, reason text DEFAULT NULL)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_unsettle_bigint';
CREATE FUNCTION hl_unsettle(project text, item uuid, reason text DEFAULT NULL)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_unsettle_uuid';
COMMENT ON FUNCTION hl_unsettle(text, text, text)
IS 'takes back what a reviewer has settled: the answers of people count again';

CREATE TYPE hl_dispute AS
	(item text, answers jsonb, label text, probability double precision,
	 aleatoric double precision, epistemic double precision, kind text,
	 comments bigint, flags bigint, settled boolean);

CREATE FUNCTION hl_disputes(project text)
RETURNS SETOF hl_dispute
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100000 ROWS 100
AS 'MODULE_PATHNAME', 'hl_disputes';
COMMENT ON FUNCTION hl_disputes(text)
IS 'items that people disagree on, those to be settled and the least certain first';

CREATE TYPE hl_agreement_figure AS
	(measure text, annotators text[], class text, value double precision,
	 low double precision, high double precision, items integer);

CREATE FUNCTION hl_agreement(project text)
RETURNS SETOF hl_agreement_figure
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100000 ROWS 10
AS 'MODULE_PATHNAME', 'hl_agreement';
COMMENT ON FUNCTION hl_agreement(text)
IS 'how far people agree beyond chance: all of them, class by class, and pair by pair';

CREATE VIEW hl_settlements WITH (security_barrier = true) AS
	SELECT s.id, p.name AS project, s.item, s.action, s.label, s.reviewer, s.reason, s.settled_at,
		   s.label IS NOT NULL AND NOT EXISTS (
			SELECT FROM @extschema@.hl_settlement l
			WHERE l.project_id OPERATOR(pg_catalog.=) s.project_id
				AND l.item OPERATOR(pg_catalog.=) s.item
				AND l.id OPERATOR(pg_catalog.>) s.id) AS holds
	FROM @extschema@.hl_project p
	JOIN @extschema@.hl_settlement s ON s.project_id OPERATOR(pg_catalog.=) p.id
	WHERE @extschema@.hl_visible(p.id);
COMMENT ON VIEW hl_settlements IS 'what reviewers have settled and taken back, and which of it holds';

CREATE VIEW hl_comments WITH (security_barrier = true) AS
	SELECT c.id, p.name AS project, c.item, c.comment, c.annotator, c.commented_at
	FROM @extschema@.hl_project p
	JOIN @extschema@.hl_item_comment c ON c.project_id OPERATOR(pg_catalog.=) p.id
	WHERE @extschema@.hl_visible(p.id);
COMMENT ON VIEW hl_comments IS 'what people have written on items';

CREATE VIEW hl_flags WITH (security_barrier = true) AS
	SELECT p.name AS project, f.item, f.reason, f.annotator, f.flagged_at
	FROM @extschema@.hl_project p
	JOIN @extschema@.hl_item_flag f ON f.project_id OPERATOR(pg_catalog.=) p.id
	WHERE @extschema@.hl_visible(p.id);
COMMENT ON VIEW hl_flags IS 'items that somebody has flagged for others to look at';

-- Whatever ALTER DEFAULT PRIVILEGES gives away: nobody has a right to these tables and
-- those of the section before.
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
			AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['hl_repeat', 'hl_gold_label', 'hl_gold_shown',
				'hl_settlement', 'hl_settlement_id_seq',
				'hl_item_comment', 'hl_item_comment_id_seq', 'hl_item_flag', 'hl_settlements',
				'hl_comments', 'hl_flags'])
			AND a.grantee OPERATOR(pg_catalog.<>) c.relowner
	LOOP
		EXECUTE taken;
	END LOOP;
END $$;
GRANT SELECT ON hl_settlements, hl_comments, hl_flags TO PUBLIC;

-- Items that are settled or gold are labelled.
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
		SELECT pg_catalog.count(DISTINCT c.item) OPERATOR(pg_catalog.+) (
			-- and those that a reviewer alone has labelled
			SELECT pg_catalog.count(*) FROM (
				SELECT s.item FROM (
					SELECT DISTINCT ON (s.item) s.item, s.label
					FROM @extschema@.hl_settlement s
					WHERE s.project_id OPERATOR(pg_catalog.=) p.id
					ORDER BY s.item, s.id DESC) s
				WHERE s.label IS NOT NULL
				UNION
				SELECT g.item FROM @extschema@.hl_gold_label g
				WHERE g.project_id OPERATOR(pg_catalog.=) p.id) k
			WHERE NOT EXISTS (
				SELECT FROM @extschema@.hl_current_answer o
				WHERE o.project_id OPERATOR(pg_catalog.=) p.id
					AND o.item OPERATOR(pg_catalog.=) k.item AND o.label IS NOT NULL)) AS labelled
		FROM @extschema@.hl_current_answer c
		WHERE c.project_id OPERATOR(pg_catalog.=) p.id AND c.label IS NOT NULL) a
	CROSS JOIN LATERAL (
		SELECT @extschema@.hl_queue_length(p.id) AS queued OFFSET 0) q
	WHERE @extschema@.hl_visible(p.id);

-- ---------------------------------------------------------------------------
-- Suspects and explanations
-- ---------------------------------------------------------------------------

-- Of each label that a model was trained with: the probability that it is wrong,
-- and which class (from 0) it would be then; NULL: trained before 0.5.0.
ALTER TABLE hl_model_label ADD COLUMN wrong real[];
ALTER TABLE hl_model_label ADD COLUMN suggested integer[];

CREATE TYPE hl_suspect AS
	(item text, label text, suggested text, probability double precision,
	 neighbours text[], similarity real[]);

CREATE FUNCTION hl_suspects(project text, threshold double precision DEFAULT 0.1,
							neighbours integer DEFAULT 3)
RETURNS SETOF hl_suspect
LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 100
AS 'MODULE_PATHNAME', 'hl_suspects';
COMMENT ON FUNCTION hl_suspects(text, double precision, integer)
IS 'labels that are probably wrong, most probable first, with what else they could be and the nearest items that have that label';

CREATE TYPE hl_explanation AS
	(kind text, feature text, label text, weight double precision, input text);

CREATE FUNCTION hl_explain(project text, input text, n integer DEFAULT 5)
RETURNS SETOF hl_explanation
LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 15
AS 'MODULE_PATHNAME', 'hl_explain_text';
COMMENT ON FUNCTION hl_explain(text, text, integer)
IS 'why this label: what speaks for it and against it, and the labelled items that are most like it';

CREATE FUNCTION hl_explain(project text, input anyarray, n integer DEFAULT 5)
RETURNS SETOF hl_explanation
LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 15
AS 'MODULE_PATHNAME', 'hl_explain_array';
COMMENT ON FUNCTION hl_explain(text, anyarray, integer)
IS 'the same for a vector, or for several inputs';

CREATE FUNCTION hl_explain_question(project text, item text, n integer DEFAULT 5)
RETURNS SETOF hl_explanation
LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 10
AS 'MODULE_PATHNAME', 'hl_explain_question';
COMMENT ON FUNCTION hl_explain_question(text, text, integer)
IS 'why an item of the queue is asked: its reason, its uncertainty, and what the model hesitates between';

-- ---------------------------------------------------------------------------
-- Rules
-- ---------------------------------------------------------------------------

-- One row a version, which is never deleted.  said: what the expression has said so
-- far, by its code in the votes, less one; labels: the classes that this means now,
-- NULL for none.
CREATE TABLE hl_rule
(
	project_id    integer NOT NULL,
	rule          integer NOT NULL,           -- number in the project, never used twice
	name          text NOT NULL,
	version       integer NOT NULL,
	condition     text NOT NULL,
	label         text,                       -- NULL: the value of the condition is the label
	state         text NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled', 'replaced', 'dropped')),
	said          text[] NOT NULL,
	labels        text[] NOT NULL,
	added_by      text NOT NULL,
	added_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	changed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (project_id, rule)
);
SELECT pg_catalog.pg_extension_config_dump('hl_rule', '');

-- What its evaluation has found out, here: not in dumps.
CREATE TABLE hl_rule_state
(
	project_id    integer NOT NULL,
	rule          integer NOT NULL,
	evaluated     boolean NOT NULL,           -- over all rows
	outdated      boolean NOT NULL,           -- and is to be again
	stopped       boolean NOT NULL,
	rows          bigint NOT NULL,            -- that there were
	skipped       bigint NOT NULL,            -- that it has failed on
	error         text,
	PRIMARY KEY (project_id, rule)
);

-- One row for each item that a rule says something of: four bytes a rule, its number and
-- the code of what it says.  Made again after a restore.
CREATE TABLE hl_rule_vote
(
	project_id    integer NOT NULL,
	item          text COLLATE "C" NOT NULL,
	votes         bytea NOT NULL,
	PRIMARY KEY (project_id, item)
);
-- Nobody has rights on them, whatever ALTER DEFAULT PRIVILEGES gives away here.
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
			AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['hl_rule', 'hl_rule_state', 'hl_rule_vote'])
			AND a.grantee OPERATOR(pg_catalog.<>) c.relowner
	LOOP
		EXECUTE taken;
	END LOOP;
END $$;

-- Numbers of the rules that counted when it was trained.
ALTER TABLE hl_model ADD COLUMN rules integer[];

CREATE FUNCTION hl_add_rule(project text, name text, condition text, label text DEFAULT NULL)
RETURNS integer
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION hl_add_rule(text, text, text, text)
IS 'adds a rule, or another version of it: an expression over a row that says of which class it is';

CREATE FUNCTION hl_drop_rule(project text, name text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION hl_drop_rule(text, text)
IS 'a rule does not count any more';

CREATE FUNCTION hl_disable_rule(project text, name text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION hl_disable_rule(text, text)
IS 'a rule does not count until it is enabled again';

CREATE FUNCTION hl_enable_rule(project text, name text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION hl_enable_rule(text, text)
IS 'a rule that was disabled, or has stopped as it failed, is evaluated again';

CREATE TYPE hl_rule_status AS
	(rule text, version integer, condition text, label text, state text,
	 coverage double precision, overlap double precision, conflict double precision,
	 compared bigint, accuracy double precision, accuracy_low double precision,
	 accuracy_high double precision, learned_accuracy double precision,
	 learned_low double precision, learned_high double precision, weight double precision,
	 skipped bigint, error text, added_by text,
	 added_at timestamptz);

CREATE FUNCTION hl_rules(project text, history boolean DEFAULT false)
RETURNS SETOF hl_rule_status
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100000 ROWS 20
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION hl_rules(text, boolean)
IS 'the rules of a project: how much they say, how often they agree, and how often they are right';

CREATE TYPE hl_rule_says AS (rule text, version integer, label text);

CREATE FUNCTION hl_rule_votes(project text, item text)
RETURNS SETOF hl_rule_says
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 5
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION hl_rule_votes(text, text)
IS 'what the rules say of an item';

-- ---------------------------------------------------------------------------
-- Hand-over
-- ---------------------------------------------------------------------------

-- Items that are asked before all others: of whom, or by the option ask_uncertain
-- (NULL).  Two people may ask for the same at the same time, and neither waits
-- for the other, so there may be two rows of an item.
CREATE TABLE hl_asked
(
	project_id    integer NOT NULL,
	item          text NOT NULL,
	asked_by      text,
	asked_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	answered_at   timestamptz               -- NULL: it is still to be answered
);
CREATE INDEX hl_asked_item ON hl_asked (project_id, item);
CREATE INDEX hl_asked_open ON hl_asked (project_id, asked_at) WHERE answered_at IS NULL;
SELECT pg_catalog.pg_extension_config_dump('hl_asked', '');

-- From which confidence on a model answers alone (NULL: never), and for which error rate.
ALTER TABLE hl_model ADD COLUMN target_error double precision;
ALTER TABLE hl_model ADD COLUMN auto_threshold real;

-- A second model, that has not seen some of the rows, and its losses on these: for sets of labels.
ALTER TABLE hl_model_label ADD COLUMN held_out bytea;
ALTER TABLE hl_model_label ALTER COLUMN held_out SET STORAGE EXTERNAL;

CREATE FUNCTION hl_set_option(project text, option text, value jsonb)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_set_option';
COMMENT ON FUNCTION hl_set_option(text, text, jsonb)
IS 'gives an option of a project another value; NULL: the default';

CREATE TYPE hl_handover_state AS
	(target_error double precision, threshold double precision, share double precision,
	 error double precision, error_low double precision, error_high double precision,
	 audited integer, automated integer, wrong integer, more integer, model integer,
	 explanation text);

CREATE FUNCTION hl_handover(project text)
RETURNS hl_handover_state
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000
AS 'MODULE_PATHNAME', 'hl_handover';
COMMENT ON FUNCTION hl_handover(text)
IS 'what share of the rows the model may answer alone, and how wrong it is there';

CREATE TYPE hl_possible_label AS (label text, probability double precision, estimate text);

CREATE FUNCTION hl_prediction_set(project text, input text, coverage double precision DEFAULT 0.9)
RETURNS SETOF hl_possible_label
LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 3
AS 'MODULE_PATHNAME', 'hl_prediction_set_text';
COMMENT ON FUNCTION hl_prediction_set(text, text, double precision)
IS 'labels among which the true one is with the stated probability';

CREATE FUNCTION hl_prediction_set(project text, input anyarray, coverage double precision DEFAULT 0.9)
RETURNS SETOF hl_possible_label
LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 3
AS 'MODULE_PATHNAME', 'hl_prediction_set_array';
COMMENT ON FUNCTION hl_prediction_set(text, anyarray, double precision)
IS 'labels among which the true one is with the stated probability';

CREATE FUNCTION hl_ask(project text, item text)
RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_ask';
COMMENT ON FUNCTION hl_ask(text, text)
IS 'puts an item at the head of the queue; false where it has a label already';

CREATE FUNCTION hl_ask(project text, item bigint)
RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_ask_bigint';
COMMENT ON FUNCTION hl_ask(text, bigint)
IS 'puts an item at the head of the queue; false where it has a label already';

CREATE FUNCTION hl_ask(project text, item uuid)
RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hl_ask_uuid';
COMMENT ON FUNCTION hl_ask(text, uuid)
IS 'puts an item at the head of the queue; false where it has a label already';

-- Whatever ALTER DEFAULT PRIVILEGES gives away here, nobody has a right to the table.
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
			AND c.relname OPERATOR(pg_catalog.=) 'hl_asked' AND a.grantee OPERATOR(pg_catalog.<>) c.relowner
	LOOP
		EXECUTE taken;
	END LOOP;
END $$;

-- ---------------------------------------------------------------------------
-- Drift
-- ---------------------------------------------------------------------------

-- What is watched of the rows that arrive, since the model has served.  Derived; not
-- dumped, as the features that it is made from are not.
CREATE TABLE hl_drift_state
(
	project_id    integer PRIMARY KEY REFERENCES hl_project ON DELETE CASCADE,
	model         integer NOT NULL,
	reference     bytea,                      -- the rows that were there, see learn/drift.c; NULL: too few
	recent        bytea                       -- the last 500 that have arrived
);
ALTER TABLE hl_drift_state ALTER COLUMN reference SET STORAGE EXTERNAL;
ALTER TABLE hl_drift_state ALTER COLUMN recent SET STORAGE EXTERNAL;

-- What the last comparison found, a row a measure.
CREATE TABLE hl_drift_finding
(
	project_id    integer NOT NULL REFERENCES hl_project ON DELETE CASCADE,
	measure       text NOT NULL,
	model         integer NOT NULL,
	class         integer NOT NULL,           -- from 0, of the model; -1: none
	recent        double precision NOT NULL,
	reference     double precision NOT NULL,
	low           double precision NOT NULL,  -- of the difference
	high          double precision NOT NULL,
	p_value       double precision NOT NULL,
	level         double precision NOT NULL,  -- below which it alarms
	n             integer NOT NULL,
	alarmed_at    timestamptz,                -- first time since the model has served; NULL: never
	told          boolean NOT NULL DEFAULT false,  -- NOTIFY was sent
	PRIMARY KEY (project_id, measure)
);

CREATE TYPE hl_drift_measure AS
	(measure text, class text, recent double precision, reference double precision,
	 difference double precision, low double precision, high double precision,
	 p_value double precision, alarm_below double precision, n integer, alarm boolean,
	 alarmed_at timestamptz, model integer);

CREATE FUNCTION hl_drift(project text)
RETURNS SETOF hl_drift_measure
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 4
AS 'MODULE_PATHNAME', 'hl_drift';
COMMENT ON FUNCTION hl_drift(text)
IS 'whether the rows that arrive are unlike those that the serving model was made for';

-- Whatever ALTER DEFAULT PRIVILEGES gives away here, these are nobody's but the owner's.
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
			AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['hl_drift_state', 'hl_drift_finding'])
			AND a.grantee OPERATOR(pg_catalog.<>) c.relowner
	LOOP
		EXECUTE taken;
	END LOOP;
END $$;
