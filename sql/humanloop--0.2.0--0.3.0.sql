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
