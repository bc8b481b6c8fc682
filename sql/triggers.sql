-- What the triggers on a source note, for each event and kind of table.
SET client_min_messages = warning;
-- What has been noted since the last look; nobody consumes it here.
CREATE FUNCTION noted() RETURNS TABLE (project text, change text) LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM hl_change RETURNING ctid, *)
	SELECT coalesce((SELECT name FROM hl_project WHERE id = project_id), 'nobody'),
		CASE WHEN items IS NULL THEN kind || ': any' WHEN cardinality(items) > 5 THEN kind || ': ' || cardinality(items) || ' items' ELSE kind || ': ' || array_to_string(items, ' ') END
	FROM gone ORDER BY gone.ctid
$$;
CREATE FUNCTION triggers(source text) RETURNS TABLE (relation text, triggers bigint, columns text) LANGUAGE sql AS $$
	SELECT tgrelid::regclass::text COLLATE "C", count(*), string_agg(DISTINCT substr(replace(encode(tgargs, 'escape'), '\000', ' '), strpos(encode(tgargs, 'escape'), '\000') + 1), ' or ')
		|| CASE WHEN bool_or(tgname ~ 'insert' AND tgnewtable IS NULL) THEN ', without keys' ELSE '' END
	FROM pg_trigger WHERE tgfoid = 'hl_source_changed'::regproc AND tgrelid::regclass::text ~ source GROUP BY 1 ORDER BY 1
$$;
CREATE TABLE note (id int PRIMARY KEY, body text, label text, other int);
INSERT INTO note SELECT i, 'note ' || i FROM generate_series(1, 20) i;
SELECT project FROM hl_create_project('notes', 'note', 'body', label => 'label');
SELECT * FROM triggers('note');
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'note'::regclass AND NOT tgisinternal AND tgname NOT LIKE '%update' ORDER BY tgname COLLATE "C" DESC LIMIT 1 \gset
SELECT :'tgenabled' AS enabled, :'tgname' = format('humanloop_%s_truncate', (SELECT id FROM hl_project)) AS named;
-- with a label column the first reading is due; else nothing is
SELECT * FROM noted();

-- Statements, and those that do nothing.
INSERT INTO note VALUES (101, 'a'), (102, 'b');
INSERT INTO note SELECT 1, 'x' WHERE false;
UPDATE note SET body = 'c' WHERE id IN (101, 102);
UPDATE note SET label = 'x' WHERE id = 101;
UPDATE note SET body = 'c' WHERE id < 0;
UPDATE note SET id = 103 WHERE id = 102;
DELETE FROM note WHERE id = 103;
DELETE FROM note WHERE id = 103;
SELECT * FROM noted();
-- what does not concern the project is not noted
UPDATE note SET other = 1;
ALTER TABLE note ADD extra int DEFAULT 3, DROP other;
SELECT * FROM noted();
-- nor is it what does not touch the rows
ALTER TABLE note SET UNLOGGED;
ALTER TABLE note SET LOGGED;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE regress_hl_space LOCATION '';
ALTER TABLE note SET TABLESPACE regress_hl_space;
ALTER TABLE note SET TABLESPACE pg_default;
DROP TABLESPACE regress_hl_space;
VACUUM FULL note;
CLUSTER note USING note_pkey;
SELECT * FROM triggers('note');
SELECT * FROM noted();
-- all kinds of statements that write
INSERT INTO note VALUES (1, 'twice'), (104, 'once') ON CONFLICT (id) DO UPDATE SET body = excluded.body;
INSERT INTO note VALUES (1, 'twice'), (2, 'twice') ON CONFLICT DO NOTHING;
MERGE INTO note n USING (VALUES (2, 'merged'), (105, 'new'), (104, NULL)) s(id, body) ON n.id = s.id
	WHEN MATCHED AND s.body IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET body = s.body WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.body);
COPY note (id, body) FROM stdin;
201	copied
202	copied
\.
WITH w AS (DELETE FROM note WHERE id = 201 RETURNING *) INSERT INTO note SELECT 203, body FROM w;
PREPARE p AS INSERT INTO note VALUES ($1, 'prepared');
EXECUTE p (204);
EXECUTE p (205);
SELECT * FROM noted();
-- deleted and back in one transaction: known before it is called new
BEGIN;
DELETE FROM note WHERE id = 204;
INSERT INTO note VALUES (204, 'again');
COMMIT;
SELECT * FROM noted();
-- many rows are not listed
INSERT INTO note SELECT i, 'many' FROM generate_series(10001, 11000) i;
UPDATE note SET body = 'still' WHERE id BETWEEN 10001 AND 11000;
UPDATE note SET id = id + 5000 WHERE id BETWEEN 10001 AND 10600;
INSERT INTO note SELECT i, 'many' FROM generate_series(20001, 21001) i;
DELETE FROM note WHERE id > 10000;
TRUNCATE note;
SELECT * FROM noted();
-- what is rolled back is not noted
BEGIN;
INSERT INTO note VALUES (1, 'kept');
SAVEPOINT s;
INSERT INTO note VALUES (2, 'not kept');
ROLLBACK TO s;
INSERT INTO note VALUES (3, 'kept');
COMMIT;
BEGIN;
DELETE FROM note;
ROLLBACK;
SELECT * FROM noted();
-- a trigger before changes more than the statement says
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := upper(NEW.body); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION shout();
UPDATE note SET extra = 1 WHERE id = 1;
SELECT * FROM noted();
DROP TRIGGER shout ON note;
-- a generated input follows what it is made from
ALTER TABLE note ADD both_texts text GENERATED ALWAYS AS (body || '!') STORED;
SELECT project FROM hl_create_project('generated', 'note', 'both_texts');
UPDATE note SET extra = 2 WHERE id = 1;
UPDATE note SET body = 'made' WHERE id = 1;
SELECT * FROM noted() ORDER BY 1;
SELECT hl_drop_project('generated');
ALTER TABLE note DROP both_texts;

-- Foreign keys: what they delete is seen.
CREATE TABLE customer (id int PRIMARY KEY);
CREATE TABLE letter (id int PRIMARY KEY, body text, customer int REFERENCES customer ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO customer VALUES (1), (2);
INSERT INTO letter VALUES (1, 'a', 1), (2, 'b', 1), (3, 'c', 2);
SELECT project FROM hl_create_project('letters', 'letter', 'body');
UPDATE customer SET id = 4 WHERE id = 2;
DELETE FROM customer WHERE id = 1;
SELECT * FROM noted();
TRUNCATE customer CASCADE;
SELECT * FROM noted();
SELECT hl_drop_project('letters');
DROP TABLE letter, customer;

-- Renamed columns are followed at once, and the old name may be used again.
ALTER TABLE note RENAME id TO number;
ALTER TABLE note RENAME body TO message;
ALTER TABLE note ADD body text;
ALTER TABLE note ADD id int;
SELECT * FROM triggers('note');
INSERT INTO note (number, message) VALUES (301, 'x');
UPDATE note SET body = 'y';
UPDATE note SET message = 'y' WHERE number = 301;
SELECT * FROM noted();
-- without the event trigger at the next reading; until then, any row
ALTER EVENT TRIGGER hl_source_altered DISABLE;
ALTER TABLE note RENAME number TO nr;
INSERT INTO note (nr, message) VALUES (302, 'x');
UPDATE note SET body = 'y';
SELECT * FROM noted();
SELECT hl_refresh('notes') > 0 AS refreshed;
SELECT * FROM triggers('note');
ALTER EVENT TRIGGER hl_source_altered ENABLE;
-- rows may have come before a trigger was there: so that is a change, too
SELECT * FROM noted();
-- values that ALTER TABLE changes
ALTER TABLE note ALTER label TYPE varchar(20) USING 'new';
SELECT * FROM noted();
-- a moved or renamed table takes its triggers along
CREATE SCHEMA other;
ALTER TABLE note SET SCHEMA other;
ALTER TABLE other.note RENAME TO message;
DELETE FROM other.message WHERE nr = 302;
SELECT * FROM noted();
ALTER TABLE other.message RENAME TO note;
ALTER TABLE other.note SET SCHEMA public;

-- Several projects on one table; dropping one takes its own.
SELECT project FROM hl_create_project('again', 'note', 'message', 'nr');
SELECT * FROM triggers('note');
INSERT INTO note (nr, message) VALUES (303, 'x');
SELECT * FROM noted() ORDER BY 1;
SELECT hl_drop_project('again');
SELECT * FROM triggers('note');
-- one that was taken away comes back, a disabled one stays so
ALTER TABLE note DISABLE TRIGGER USER;
INSERT INTO note (nr, message) VALUES (304, 'x');
SELECT hl_refresh('notes');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'note'::regclass AND tgenabled = 'D';
ALTER TABLE note ENABLE TRIGGER USER;
DO $$ BEGIN EXECUTE format('DROP TRIGGER humanloop_%s_insert ON note', (SELECT id FROM hl_project)); END $$;
SELECT * FROM triggers('note');
SELECT * FROM noted();
SELECT hl_refresh('notes');
SELECT * FROM triggers('note');
-- a renamed one is known by what it calls
DO $$ BEGIN EXECUTE format('ALTER TRIGGER humanloop_%s_insert ON note RENAME TO "My Trigger"', (SELECT id FROM hl_project)); END $$;
ALTER TABLE note RENAME message TO body_text;
SELECT * FROM triggers('note');
SELECT * FROM noted();

-- Whoever writes needs no more than before; not even under row-level security.
CREATE ROLE regress_hl_writer;
CREATE ROLE regress_hl_table_owner;
ALTER TABLE note OWNER TO regress_hl_table_owner;
GRANT INSERT, UPDATE, DELETE, SELECT ON note TO regress_hl_writer;
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON note USING (nr < 1000) WITH CHECK (true);
SET ROLE regress_hl_writer;
INSERT INTO note (nr, body_text) VALUES (401, 'his'), (1401, 'not seen by him');
UPDATE note SET body_text = 'changed' WHERE nr IN (401, 1401);
DELETE FROM note WHERE nr = 401;
SELECT error_of('SELECT count(*) FROM hl_change');
-- nor can he, or the owner, have such triggers for himself
SELECT error_of($$CREATE TRIGGER t AFTER INSERT ON note FOR EACH STATEMENT EXECUTE FUNCTION hl_source_changed('1', 'nr', 'body_text')$$);
SET ROLE regress_hl_table_owner;
SELECT error_of($$CREATE TRIGGER t AFTER INSERT ON note FOR EACH STATEMENT EXECUTE FUNCTION hl_source_changed('1', 'nr', 'body_text')$$);
ALTER TABLE note RENAME body_text TO message;
RESET ROLE;
SELECT * FROM noted();
SELECT * FROM triggers('note');
-- as in replication, in a restricted function, with a hostile search_path
SET session_replication_role = replica;
INSERT INTO note (nr, message) VALUES (402, 'replica');
RESET session_replication_role;
CREATE SCHEMA evil;
CREATE TABLE evil.hl_change (project_id int, kind text, items text[]);
SET search_path = evil;
INSERT INTO public.note (nr, message) VALUES (403, 'path');
RESET search_path;
SELECT count(*) FROM evil.hl_change;
DROP SCHEMA evil CASCADE;
CREATE SCHEMA own AUTHORIZATION regress_hl_table_owner;
SET ROLE regress_hl_table_owner;
CREATE FUNCTION own.write(int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.note (nr, message) VALUES ($1 + 500, 'in an index'); END $$;
CREATE FUNCTION own.restricted(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM own.write($1); RETURN $1; END $$;
CREATE TABLE own.indexed (i int);
INSERT INTO own.indexed VALUES (1);
RESET ROLE;
CREATE INDEX ON own.indexed (own.restricted(i));
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO note (nr, message) VALUES (404, 'serializable');
COMMIT;
SELECT * FROM noted();
DROP TABLE own.indexed;
-- it is nobody's to call, and takes nothing else
SELECT left(error_of('SELECT hl_source_changed()'), 5) AS refused;
SELECT left(error_of('SELECT hl_source_altered()'), 5) AS refused;
CREATE TRIGGER wrong BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION hl_source_changed('1', 'nr', 'message');
SELECT error_of($$INSERT INTO note (nr) VALUES (600)$$);
DROP TRIGGER wrong ON note;
-- a project that is gone: nothing is noted
CREATE TRIGGER left_over AFTER INSERT ON note REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION hl_source_changed('999999', 'nr', 'message');
INSERT INTO note (nr, message) VALUES (601, 'x');
SELECT * FROM noted();
SELECT hl_drop_project('notes');
INSERT INTO note (nr, message) VALUES (602, 'x');
SELECT * FROM noted();
SELECT count(*) FROM triggers('note');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'note'::regclass;
DROP TABLE note;

-- Keys of all types, and none.
CREATE TABLE keyed (s smallint, i int, b bigint, u uuid, t text, v varchar(20), body text);
CREATE DOMAIN short_key AS varchar(20) CHECK (length(VALUE) > 0);
ALTER TABLE keyed ADD d short_key;
SELECT hl_create_project('by_' || k, 'keyed', 'body', k) IS NOT NULL AS created FROM unnest('{s,i,b,u,t,v,d}'::text[]) k;
INSERT INTO keyed VALUES (-7, 7, 7000000000, '{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}', E'a "b", \\ ü\n', ' x ', 'text', 'NULL');
INSERT INTO keyed (body) VALUES ('without keys');
SELECT * FROM noted() ORDER BY project COLLATE "C";
-- read back, they are the same items
SELECT hl_drop_project(project) FROM hl_projects WHERE project <> 'by_t';
INSERT INTO keyed (t, body) VALUES ('{"array", NULL}', 'text');
SELECT items[1] = '{"array", NULL}' AS same, items[1] IN (SELECT t FROM keyed) AS there FROM hl_change;
-- the key's column is retyped to what is none: any row
DROP VIEW hl_queue_by_t;
SELECT * FROM noted();
ALTER TABLE keyed ALTER t TYPE json USING '{}';
INSERT INTO keyed (t) VALUES ('[]');
SELECT * FROM noted();
SELECT hl_drop_project('by_t');
DROP TABLE keyed;
DROP DOMAIN short_key;

-- Partitions, two levels of them.
CREATE TABLE part (id int, body text, topic text) PARTITION BY RANGE (id);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part_high PARTITION OF part FOR VALUES FROM (100) TO (300) PARTITION BY LIST (topic);
CREATE TABLE part_high_a PARTITION OF part_high FOR VALUES IN ('a');
INSERT INTO part SELECT i, 'part ' || i, 'a' FROM generate_series(1, 20) i;
SELECT project FROM hl_create_project('parts', 'part', 'body', 'id');
SELECT * FROM triggers('part');
INSERT INTO part VALUES (50, 'low', 'a'), (150, 'high', 'a');
INSERT INTO part_low VALUES (51, 'low', 'a');
INSERT INTO part_high VALUES (151, 'high', 'a');
INSERT INTO part_high_a VALUES (152, 'high', 'a');
UPDATE part SET id = 160 WHERE id = 50;
UPDATE part SET topic = 'a' WHERE id = 51;
UPDATE part_high SET body = 'x' WHERE id = 160;
UPDATE part_high_a SET topic = 'a' WHERE id = 160;
DELETE FROM part WHERE id IN (51, 160);
TRUNCATE part_high_a;
SELECT * FROM noted();
-- created and attached later, with rows in it and parts of its own
CREATE TABLE part_high_b PARTITION OF part_high FOR VALUES IN ('b');
SELECT * FROM noted();
INSERT INTO part_high_b VALUES (200, 'direct', 'b');
CREATE TABLE later (topic text, body text, id int) PARTITION BY RANGE (id);
CREATE TABLE later_first PARTITION OF later FOR VALUES FROM (300) TO (400);
INSERT INTO later VALUES ('a', 'later', 301);
SELECT * FROM noted();
ALTER TABLE part ATTACH PARTITION later FOR VALUES FROM (300) TO (500);
SELECT * FROM triggers('part|later');
INSERT INTO later_first VALUES ('a', 'direct', 302);
SELECT * FROM noted();
-- a column is renamed in all of them
ALTER TABLE part RENAME body TO message;
SELECT * FROM triggers('part|later');
INSERT INTO later_first VALUES ('a', 'direct', 303);
SELECT * FROM noted();
-- detached, or dropped
ALTER TABLE part DETACH PARTITION later;
SELECT * FROM triggers('part|later');
INSERT INTO later VALUES ('a', 'not ours', 304);
SELECT * FROM noted();
ALTER TABLE part ATTACH PARTITION later FOR VALUES FROM (300) TO (500);
SELECT * FROM noted();
ALTER TABLE part DETACH PARTITION later CONCURRENTLY;
SELECT * FROM triggers('part|later');
SELECT * FROM noted();
DROP TABLE part_high_b;
SELECT * FROM noted();
DROP TABLE later;
SELECT * FROM noted();
-- a sub-partition's own statement does not reach the top; by COPY, many at once
COPY part FROM stdin;
60	copied	a
170	copied	a
\.
SELECT * FROM noted();
SELECT hl_refresh('parts') > 0 AS refreshed, (SELECT count(*) FROM noted()) AS noted;
-- a foreign partition: no statement fails, and any row may have changed
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE part_far PARTITION OF part FOR VALUES FROM (1000) TO (2000) SERVER files OPTIONS (filename '/dev/null');
SELECT * FROM triggers('part');
SELECT * FROM noted();
INSERT INTO part VALUES (61, 'near', 'a');
UPDATE part SET message = 'x' WHERE id = 61;
INSERT INTO part_low VALUES (62, 'near', 'a');
SELECT * FROM noted();
ALTER TABLE part DETACH PARTITION part_far;
SELECT * FROM triggers('part');
DROP EXTENSION file_fdw CASCADE;
SELECT * FROM noted();
SELECT hl_drop_project('parts');
SELECT count(*) FROM triggers('part');
DROP TABLE part;

-- A source that is itself a part: what is done to the whole is noted.
CREATE TABLE whole (id int, body text, topic text) PARTITION BY LIST (topic);
CREATE TABLE piece PARTITION OF whole FOR VALUES IN ('a');
CREATE TABLE rest PARTITION OF whole DEFAULT;
SELECT project FROM hl_create_project('piece', 'piece', 'body', 'id');
SELECT * FROM triggers('whole|piece|rest');
INSERT INTO whole VALUES (1, 'one', 'a'), (2, 'two', 'b');
UPDATE whole SET topic = 'a' WHERE id = 2;
INSERT INTO rest VALUES (3, 'three', 'c');
SELECT * FROM noted();
ALTER TABLE whole RENAME body TO message;
SELECT * FROM triggers('whole|piece|rest');
ALTER TABLE whole DETACH PARTITION piece;
SELECT * FROM triggers('whole|piece|rest');
ALTER TABLE whole ATTACH PARTITION piece FOR VALUES IN ('a');
SELECT * FROM triggers('whole|piece|rest');
-- but not where the whole is somebody else's
ALTER TABLE whole OWNER TO regress_hl_table_owner;
ALTER TABLE piece OWNER TO regress_hl_writer;
SELECT hl_refresh('piece');
SELECT * FROM triggers('whole|piece|rest');
SELECT hl_drop_project('piece');
SELECT * FROM triggers('whole|piece|rest');
DROP TABLE whole;
DELETE FROM hl_change;

-- Inheritance.
CREATE TABLE family (id int, body text);
CREATE TABLE child (extra int) INHERITS (family);
CREATE TABLE grandchild () INHERITS (child);
CREATE TABLE guest (body text, extra int, id int);
INSERT INTO guest VALUES ('guest', 1, 100);
SELECT project FROM hl_create_project('family', 'family', 'body', 'id');
INSERT INTO family VALUES (1, 'a');
INSERT INTO child VALUES (2, 'b');
INSERT INTO grandchild VALUES (3, 'c');
UPDATE family SET body = body || '!';
UPDATE child SET extra = 1;
SELECT * FROM noted();
ALTER TABLE guest INHERIT child;
SELECT * FROM triggers('family|child|guest');
INSERT INTO guest VALUES ('guest', 1, 101);
SELECT * FROM noted();
ALTER TABLE guest NO INHERIT child;
SELECT * FROM triggers('family|child|guest');
SELECT * FROM noted();
SELECT project FROM hl_create_project('child', 'child', 'body', 'id');
SELECT * FROM triggers('family');
INSERT INTO family VALUES (5, 'not a child');
DELETE FROM family;
SELECT * FROM noted() ORDER BY project;
SELECT hl_drop_project('child');
CREATE TEMP TABLE passing () INHERITS (family);
SELECT * FROM triggers('passing');
DROP TABLE guest;
SELECT * FROM noted();
SELECT hl_drop_project('family');
DROP TABLE family CASCADE;

-- Sources that have no triggers: views; what a REFRESH brings is seen.
CREATE TABLE base (id int PRIMARY KEY, body text);
INSERT INTO base VALUES (1, 'a'), (2, 'b');
CREATE VIEW shown AS SELECT * FROM base;
CREATE MATERIALIZED VIEW stored AS SELECT * FROM base;
SELECT project FROM hl_create_project('shown', 'shown', 'body', 'id');
SELECT project FROM hl_create_project('stored', 'stored', 'body', 'id');
INSERT INTO base VALUES (3, 'c');
SELECT count(*) FROM triggers('');
SELECT * FROM noted();
REFRESH MATERIALIZED VIEW stored;
SELECT * FROM noted();
CREATE UNIQUE INDEX ON stored (id);
REFRESH MATERIALIZED VIEW CONCURRENTLY stored;
SELECT * FROM noted();
SELECT hl_refresh('shown'), hl_refresh('stored');
SELECT hl_drop_project('shown'), hl_drop_project('stored');
DROP TABLE base CASCADE;

-- DDL of somebody without any rights on humanloop, and what goes wrong in it.
SET ROLE regress_hl_table_owner;
CREATE TABLE own.log (id int, body text) PARTITION BY RANGE (id);
CREATE TABLE own.log_1 PARTITION OF own.log FOR VALUES FROM (0) TO (100);
SELECT project FROM hl_create_project('logs', 'own.log', 'body', 'id');
SELECT hl_refresh('logs');
CREATE TABLE own.log_2 PARTITION OF own.log FOR VALUES FROM (100) TO (200);
CREATE TABLE own.plain (id int);
ALTER TABLE own.plain RENAME id TO nr;
INSERT INTO own.log_2 VALUES (101, 'x');
DROP TABLE own.plain;
RESET ROLE;
SELECT * FROM triggers('log');
SELECT * FROM noted();
-- nothing of humanloop's can make it fail
ALTER TABLE hl_change RENAME TO hl_changed;
\set VERBOSITY terse
ALTER TABLE own.log DETACH PARTITION own.log_2;
\set VERBOSITY default
ALTER TABLE hl_changed RENAME TO hl_change;
SELECT hl_refresh('logs');
SELECT * FROM triggers('log');
SELECT hl_drop_project('logs');
-- a schema with the source in it
SET ROLE regress_hl_table_owner;
SELECT project FROM hl_create_project('logs', 'own.log', 'body', 'id');
RESET ROLE;
SET client_min_messages = error;
DROP SCHEMA own CASCADE;
RESET client_min_messages;
SELECT project, state FROM hl_projects;
SELECT hl_drop_project('logs');
DELETE FROM hl_change;
DROP ROLE regress_hl_writer, regress_hl_table_owner;

-- The extension goes without CASCADE, whatever triggers are left; statements
-- and DDL go on.
CREATE TABLE note (id int PRIMARY KEY, body text);
SELECT project FROM hl_create_project('notes', 'note', 'body');
DROP VIEW hl_queue_notes;
DROP FUNCTION noted, triggers;
BEGIN;
DROP EXTENSION humanloop;
INSERT INTO note VALUES (1, 'x');
ALTER TABLE note RENAME body TO message;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'note'::regclass;
SELECT evtname FROM pg_event_trigger;
ROLLBACK;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'note'::regclass;
SELECT hl_drop_project('notes');
DROP TABLE note;
