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
