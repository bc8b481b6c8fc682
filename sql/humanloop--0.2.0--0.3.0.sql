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
