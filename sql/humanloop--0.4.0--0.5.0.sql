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
