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
	recent        bytea                       -- those that have arrived since the last full window
);
ALTER TABLE hl_drift_state ALTER COLUMN reference SET STORAGE EXTERNAL;
ALTER TABLE hl_drift_state ALTER COLUMN recent SET STORAGE EXTERNAL;

-- What the last full window was like, a row a measure.
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
