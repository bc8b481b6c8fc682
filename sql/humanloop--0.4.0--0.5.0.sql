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
			AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['hl_repeat']::pg_catalog.name[])
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

-- ---------------------------------------------------------------------------
-- Rules
-- ---------------------------------------------------------------------------

-- ---------------------------------------------------------------------------
-- Hand-over
-- ---------------------------------------------------------------------------

-- ---------------------------------------------------------------------------
-- Drift
-- ---------------------------------------------------------------------------
