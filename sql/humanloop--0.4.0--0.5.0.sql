/* From humanloop 0.4.0 to 0.5.0; CREATE EXTENSION runs this after the scripts before it */

\echo Use "CREATE EXTENSION humanloop" or "ALTER EXTENSION humanloop UPDATE" to load this file. \quit

-- ---------------------------------------------------------------------------
-- Truth: what several answers add up to
-- ---------------------------------------------------------------------------

-- ---------------------------------------------------------------------------
-- Several answers an item, gold, annotators
-- ---------------------------------------------------------------------------

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
