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

-- ---------------------------------------------------------------------------
-- Drift
-- ---------------------------------------------------------------------------
