/* From humanloop 0.4.0 to 0.5.0; CREATE EXTENSION runs this after the scripts before it */

\echo Use "CREATE EXTENSION humanloop" or "ALTER EXTENSION humanloop UPDATE" to load this file. \quit

-- ---------------------------------------------------------------------------
-- Truth: what several answers add up to
-- ---------------------------------------------------------------------------

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

-- Whatever ALTER DEFAULT PRIVILEGES gives away here, nobody has a right to the tables.
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
			AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['hl_repeat', 'hl_gold_label', 'hl_gold_shown']::pg_catalog.name[])
			AND a.grantee OPERATOR(pg_catalog.<>) c.relowner
	LOOP
		EXECUTE taken;
	END LOOP;
END $$;

-- ---------------------------------------------------------------------------
-- Agreement, disputes, comments, flags and reviews
-- ---------------------------------------------------------------------------

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

-- ---------------------------------------------------------------------------
-- Hand-over
-- ---------------------------------------------------------------------------

-- ---------------------------------------------------------------------------
-- Drift
-- ---------------------------------------------------------------------------
