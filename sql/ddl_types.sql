-- The key and the input change their types: labels, models and the queue's view
-- go on, as far as there is anything that they could go on with.
SET client_min_messages = warning;
CREATE TABLE original AS SELECT id, body, topic FROM tickets(150);
CREATE TABLE ticket AS SELECT * FROM original;
ALTER TABLE ticket ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60;
SELECT model FROM hl_train('tickets');
-- Types of the view's key and input, labels that are still those of an item,
-- and whether everything that reads the source works.
CREATE FUNCTION stand() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	types text := (SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = to_regclass('hl_queue_tickets') AND attnum <= 2 AND attnum > 0);
	asked text;
	trained hl_training;
	predicted text;
BEGIN
	PERFORM hl_refresh('tickets');
	trained := hl_train('tickets');
	SELECT item INTO STRICT asked FROM hl_next('tickets', 1, 'ann');
	PERFORM hl_label('tickets', asked, 'billing', 'ann');
	PERFORM hl_undo('tickets', asked, 'ann');
	SELECT count(*) || ' predicted, mostly right: ' || (avg((p.label = o.topic)::int) > 0.6) INTO predicted FROM hl_predict('tickets') p JOIN original o ON o.id::text = p.item;
	RETURN format('view of %s, %s model of %s labels, %s, queued in the view: %s', types, trained.encoder, trained.labels, predicted, (SELECT count(*) > 0 FROM hl_queue_tickets));
END $$;
SELECT stand();

-- The key: what it is as text is what the item is.
ALTER TABLE ticket ALTER id TYPE bigint;
SELECT stand();
ALTER TABLE ticket ALTER id TYPE smallint;
SELECT stand();
ALTER TABLE ticket ALTER id TYPE text;
SELECT stand();
ALTER TABLE ticket ALTER id TYPE varchar(20);
SELECT stand();
-- other texts are other items, whose labels wait for them
ALTER TABLE ticket ALTER id TYPE uuid USING lpad(to_hex(id::int), 32, '0')::uuid;
SELECT hl_refresh('tickets') AS all_changed;
SELECT items, labelled, queued > 0 AS queued, state FROM hl_projects;
SELECT error_of($$SELECT hl_train('tickets')$$);
SELECT error_of($$SELECT hl_label('tickets', 1, 'billing')$$);
SELECT hl_label('tickets', '00000000-0000-0000-0000-000000000001'::uuid, 'billing') > 0 AS labelled;
SELECT hl_undo('tickets', '00000000-0000-0000-0000-000000000001'::uuid);
ALTER TABLE ticket ALTER id TYPE int USING ('x' || right(id::text, 8))::bit(32)::int;
SELECT stand();

-- The input.
CREATE EXTENSION citext;
ALTER TABLE ticket ALTER body TYPE varchar(300);
SELECT stand();
ALTER TABLE ticket ALTER body TYPE varchar(400), ALTER id TYPE bigint;
SELECT stand();
ALTER TABLE ticket ALTER body TYPE citext;
SELECT stand();
ALTER TABLE ticket ALTER body TYPE char(200);
SELECT stand();
CREATE DOMAIN prose AS text CHECK (length(VALUE) < 500);
ALTER TABLE ticket ALTER body TYPE prose;
SELECT stand();
-- the same texts are not encoded again
SELECT hl_refresh('tickets') AS changed;
ALTER TABLE ticket ALTER body TYPE text, ALTER id TYPE int;
SELECT hl_refresh('tickets') AS changed;

-- A text becomes a vector: the model goes on until there is one of vectors.
CREATE FUNCTION vector(topic text, id int, length int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(CASE WHEN n = position(left(topic, 1) IN 'rdb') THEN 1 ELSE 0.1 * sin(id * n) END::real) FROM generate_series(1, length) n
$$;
SELECT model AS text_model, label FROM hl_predict('tickets', 'where is the parcel');
ALTER TABLE ticket ALTER body TYPE real[] USING vector(topic, id, 3);
SELECT label FROM hl_predict('tickets', 'where is the parcel');
SELECT left(error_of($$SELECT count(*) FROM hl_predict('tickets')$$), 200);
SELECT count(*) > 0 AS queued FROM hl_queue_tickets;
SELECT hl_refresh('tickets') AS all_changed;
SELECT label FROM hl_predict('tickets', 'where is the parcel');
SELECT error_of($$SELECT hl_predict('tickets', ARRAY[1, 0, 0])$$);
SELECT items, queued > 0 AS queued, encoder, state FROM hl_projects;
SELECT stand();
SELECT label FROM hl_predict('tickets', ARRAY[0, 1, 0]);
SELECT label FROM hl_predict('tickets', '[1, 0, 0]');
-- numbers of another type are the same vectors
ALTER TABLE ticket ALTER body TYPE float8[];
SELECT hl_refresh('tickets') AS changed;
SELECT stand();
ALTER TABLE ticket ALTER body TYPE numeric[];
SELECT stand();
ALTER TABLE ticket ALTER body TYPE real[];
-- vectors of another length: while they are few, they are left out
UPDATE ticket SET body = vector(topic, id, 5) WHERE id > 100;
SELECT hl_refresh('tickets') AS changed;
SELECT items FROM hl_projects;
SELECT stand();
-- most of them: the next model takes those
UPDATE ticket SET body = vector(topic, id, 5) WHERE id > 10;
SELECT hl_refresh('tickets') AS changed;
SELECT items FROM hl_projects;
SELECT label FROM hl_predict('tickets', ARRAY[0, 1, 0]);
SELECT error_of($$SELECT hl_predict('tickets', ARRAY[0, 1, 0, 0, 0])$$);
SELECT stand();
SELECT label FROM hl_predict('tickets', ARRAY[0, 1, 0, 0, 0]);
-- without hl_refresh before
UPDATE ticket SET body = vector(topic, id, 4);
SELECT labels, deployed FROM hl_train('tickets');
SELECT label FROM hl_predict('tickets', ARRAY[0, 1, 0, 0]);
-- emptied is not of another length
CREATE TABLE saved AS SELECT * FROM ticket;
DELETE FROM ticket;
SELECT hl_refresh('tickets') AS gone;
SELECT items, state, queue_empty_because FROM hl_projects;
SELECT label FROM hl_predict('tickets', ARRAY[0, 1, 0, 0]);
INSERT INTO ticket SELECT * FROM saved;
SELECT stand();
-- and back to a text, in one go
ALTER TABLE ticket ALTER body TYPE text USING 'to be filled';
UPDATE ticket t SET body = o.body FROM original o WHERE o.id = t.id;
SELECT left(error_of($$SELECT count(*) FROM hl_predict('tickets')$$), 200);
SELECT labels, deployed FROM hl_train('tickets');
SELECT stand();
-- an earlier model of vectors can be deployed, but has nothing to read
SELECT hl_deploy('tickets', max(model)) FROM hl_models('tickets') WHERE encoder = 'vector' AND stored;
SELECT label FROM hl_predict('tickets', ARRAY[0, 1, 0, 0]);
SELECT hl_refresh('tickets') > 0 AS encoded;
SELECT count(*) > 0 AS queued FROM hl_queue;
SELECT stand();
-- the first vector met does not decide on the length, neither of a seed batch
SELECT hl_drop_project('tickets');
DELETE FROM ticket;
ALTER TABLE ticket ALTER body TYPE real[] USING NULL;
INSERT INTO ticket SELECT id, CASE WHEN id < 5 THEN '{1,2}' ELSE vector(topic, id, 3) END, topic FROM original ORDER BY id;
SELECT project FROM hl_create_project('tickets', 'ticket', 'body', options => '{"seed_batch": 50}');
SELECT count(*), min(item::int) >= 5 AS usable FROM hl_queue;
SELECT hl_refresh('tickets');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60;
SELECT stand();

-- The label column may be of any type that can be read as text.
SELECT hl_drop_project('tickets');
SELECT project FROM hl_create_project('tickets', 'ticket', 'body', label => 'topic');
SELECT hl_refresh('tickets') > 0 AS encoded;
CREATE TYPE kind AS ENUM ('billing', 'delivery', 'returns');
ALTER TABLE ticket ALTER topic TYPE kind USING topic::kind;
SELECT hl_refresh('tickets') AS changed;
SELECT label, count(*) FROM hl_labels GROUP BY label ORDER BY label;
SELECT count(*) FROM hl_label_history WHERE action = 'undo';
ALTER TABLE ticket ALTER topic TYPE int USING array_position(enum_range(NULL::kind), topic);
SELECT hl_refresh('tickets') AS changed;
SELECT label, count(*) FROM hl_labels GROUP BY label ORDER BY label;
DROP TYPE kind;
SELECT hl_drop_project('tickets');
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');

-- What the project could not go on with stays refused, with the view's name.
\pset format unaligned
\pset tuples_only on
CREATE TYPE mood AS ENUM ('good', 'bad');
SELECT error_of($$ALTER TABLE ticket ALTER body TYPE mood USING 'good'$$);
SELECT error_of($$ALTER TABLE ticket ALTER body TYPE jsonb USING to_jsonb(body)$$);
SELECT error_of($$ALTER TABLE ticket ALTER id TYPE numeric$$);
SELECT error_of($$ALTER TABLE ticket ALTER id TYPE bigint, ALTER body TYPE jsonb USING to_jsonb(body)$$);
SELECT error_of($$ALTER TABLE ticket ALTER body TYPE no_such_type$$);
-- what is wrong with the statement itself is told first
SELECT error_of($$ALTER TABLE ticket ALTER body TYPE mood$$);
SELECT error_of($$ALTER TABLE ticket ALTER body TYPE jsonb USING to_jsonb(body), ALTER nothing TYPE int$$);
-- so it is where something else depends on the view, and the error says how to go on
CREATE VIEW mine AS SELECT id, rank FROM hl_queue_tickets;
SELECT error_of($$ALTER TABLE ticket ALTER id TYPE bigint$$);
SELECT obj_description('hl_queue_tickets'::regclass);
\pset format aligned
\pset tuples_only off
BEGIN;
DROP VIEW mine, hl_queue_tickets;
ALTER TABLE ticket ALTER id TYPE bigint;
SELECT hl_refresh('tickets');
CREATE VIEW mine AS SELECT id, rank FROM hl_queue_tickets;
COMMIT;
SELECT count(*) > 0 AS mine FROM mine;
DROP VIEW mine;
-- a change that fails or is rolled back leaves the view as it was
SELECT 'hl_queue_tickets'::regclass::oid AS view \gset
SELECT left(error_of($$ALTER TABLE ticket ALTER id TYPE int USING id / (id - 1)$$), 5) AS failed;
BEGIN;
ALTER TABLE ticket ALTER id TYPE text;
ROLLBACK;
SELECT 'hl_queue_tickets'::regclass::oid = :view AS same, pg_get_viewdef('hl_queue_tickets') ~ 'bigint' AS bigint;
-- nobody but the table's owner touches it, or even locks it
CREATE ROLE regress_hl_stranger;
CREATE ROLE regress_hl_reader;
CREATE ROLE regress_hl_lister;
BEGIN;
SAVEPOINT s;
SET LOCAL ROLE regress_hl_stranger;
ALTER TABLE ticket ALTER id TYPE text;
ROLLBACK TO s;
SELECT count(*) FROM pg_locks WHERE relation = 'hl_queue_tickets'::regclass;
COMMIT;
-- a change of columns that are not in it does not touch it either
ALTER TABLE ticket ALTER topic TYPE varchar(50), ADD extra int;
ALTER TABLE ticket ALTER extra TYPE bigint;
SELECT 'hl_queue_tickets'::regclass::oid = :view AS same;
-- the schema of somebody else is no concern of a project whose names are yet to be
-- recorded: nobody else has to wait
BEGIN;
ALTER EVENT TRIGGER hl_source_altered DISABLE;
ALTER TABLE ticket RENAME TO renamed_ticket;
ALTER EVENT TRIGGER hl_source_altered ENABLE;
CREATE SCHEMA elsewhere;
ALTER SCHEMA elsewhere RENAME TO somewhere;
SELECT count(*) AS names_locked FROM pg_locks WHERE locktype = 'object' AND classid = 'hl_project_local'::regclass;
ALTER SCHEMA public RENAME TO somewhere_else;
SELECT count(*) AS names_locked FROM pg_locks WHERE locktype = 'object' AND classid = 'somewhere_else.hl_project_local'::regclass;
SELECT source_schema, source_name FROM somewhere_else.hl_project;
ROLLBACK;
-- it comes back with its owner and the rights that follow from the privileges
SELECT hl_grant('tickets', 'regress_hl_reader', 'annotate');
GRANT CREATE ON SCHEMA public TO regress_hl_stranger;
ALTER VIEW hl_queue_tickets OWNER TO regress_hl_stranger;
ALTER TABLE ticket ALTER id TYPE int;
SELECT relowner::regrole AS owner, has_table_privilege('regress_hl_reader', oid, 'SELECT') AS may_read FROM pg_class WHERE oid = 'hl_queue_tickets'::regclass;
-- an owner who could not create it again keeps it
REVOKE CREATE ON SCHEMA public FROM regress_hl_stranger;
SELECT left(error_of($$ALTER TABLE ticket ALTER id TYPE bigint$$), 5) AS refused;
GRANT CREATE ON SCHEMA public TO regress_hl_stranger;
-- what is given away by default comes back by itself
ALTER DEFAULT PRIVILEGES FOR ROLE regress_hl_stranger GRANT SELECT ON TABLES TO regress_hl_lister;
ALTER TABLE ticket ALTER id TYPE bigint;
SELECT has_table_privilege('regress_hl_lister', 'hl_queue_tickets', 'SELECT') AS given;
ALTER TABLE ticket ALTER id TYPE int;
SELECT has_table_privilege('regress_hl_lister', 'hl_queue_tickets', 'SELECT') AS given;
GRANT UPDATE ON hl_queue_tickets TO regress_hl_lister;
SELECT left(error_of($$ALTER TABLE ticket ALTER id TYPE bigint$$), 5) AS refused;
REVOKE UPDATE ON hl_queue_tickets FROM regress_hl_lister;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_hl_stranger REVOKE SELECT ON TABLES FROM regress_hl_lister;
SELECT left(error_of($$ALTER TABLE ticket ALTER id TYPE bigint$$), 5) AS refused;
REVOKE SELECT ON hl_queue_tickets FROM regress_hl_lister;
-- so does one who has put something of his own on it
GRANT SELECT ON hl_queue_tickets TO PUBLIC;
SELECT left(error_of($$ALTER TABLE ticket ALTER id TYPE bigint$$), 5) AS refused;
REVOKE SELECT ON hl_queue_tickets FROM PUBLIC;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER instead INSTEAD OF UPDATE ON hl_queue_tickets FOR EACH ROW EXECUTE FUNCTION instead();
SELECT left(error_of($$ALTER TABLE ticket ALTER id TYPE bigint$$), 5) AS refused;
DROP FUNCTION instead CASCADE;
CREATE TABLE refusals (way text, refused text);
DO $$
DECLARE
	way text;
	back text;
BEGIN
	FOR way, back IN VALUES ('GRANT SELECT (id) ON hl_queue_tickets TO PUBLIC', 'REVOKE SELECT (id) ON hl_queue_tickets FROM PUBLIC'), ('COMMENT ON COLUMN hl_queue_tickets.rank IS ''x''', 'COMMENT ON COLUMN hl_queue_tickets.rank IS NULL'),
		('ALTER VIEW hl_queue_tickets SET (security_barrier)', 'ALTER VIEW hl_queue_tickets RESET (security_barrier)'), ('ALTER VIEW hl_queue_tickets ALTER rank SET DEFAULT 1', 'ALTER VIEW hl_queue_tickets ALTER rank DROP DEFAULT'),
		('CREATE RULE nothing AS ON DELETE TO hl_queue_tickets DO INSTEAD NOTHING', 'DROP RULE nothing ON hl_queue_tickets'), ('ALTER VIEW hl_queue_tickets RENAME TO my_queue', 'ALTER VIEW my_queue RENAME TO hl_queue_tickets')
	LOOP
		EXECUTE way;
		INSERT INTO refusals VALUES (way, left(error_of('ALTER TABLE ticket ALTER id TYPE bigint'), 5));
		EXECUTE back;
	END LOOP;
END $$;
SELECT * FROM refusals;
DROP TABLE refusals;
-- it comes again although a function in the statement has the table's name mean another
CREATE SCHEMA other_place;
CREATE TABLE other_place.ticket (id int);
CREATE FUNCTION evil(bigint) RETURNS bigint LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('search_path', 'other_place, public', false); RETURN $1; END$$;
ALTER TABLE ticket ALTER id TYPE bigint USING evil(id);
SELECT current_schemas(false);
RESET search_path;
SELECT count(*) FROM hl_queue_tickets WHERE id < 0;
DROP SCHEMA other_place CASCADE;
DROP FUNCTION evil;
-- and PostgreSQL alone says what is wrong
SET client_min_messages = notice;
ALTER TABLE nowhere.else.ticket ALTER id TYPE bigint;
ALTER TABLE ticket ALTER id TYPE nowhere.else.bigint;
SET client_min_messages = warning;
ALTER TABLE ticket ALTER id TYPE bigint;
-- a view of that name that does not use the column is in nobody's way
DROP VIEW hl_queue_tickets;
SET ROLE regress_hl_stranger;
CREATE VIEW hl_queue_tickets AS SELECT 1 AS one;
RESET ROLE;
ALTER TABLE ticket ALTER body TYPE jsonb USING to_jsonb(body);
ALTER TABLE ticket ALTER body TYPE text USING body #>> '{}', ALTER id TYPE int;
SELECT 'hl_queue_tickets'::regclass, (SELECT state FROM hl_projects);
REVOKE CREATE ON SCHEMA public FROM regress_hl_stranger;
SELECT hl_drop_project('tickets');
DROP ROLE regress_hl_stranger, regress_hl_reader, regress_hl_lister;
DROP TABLE ticket, saved;
DROP FUNCTION stand;

-- Parts of the source, and what it is a part of.
CREATE TABLE whole (id int, body text) PARTITION BY RANGE (id);
CREATE TABLE piece PARTITION OF whole FOR VALUES FROM (1) TO (100);
CREATE TABLE rest PARTITION OF whole DEFAULT;
INSERT INTO whole SELECT id, body FROM original;
SELECT project FROM hl_create_project('whole', 'whole', 'body', 'id');
SELECT project FROM hl_create_project('piece', 'piece', 'body', 'id');
ALTER TABLE whole ALTER body TYPE varchar(300);
SELECT format_type(atttypid, atttypmod), count(*) FROM pg_attribute WHERE attrelid IN ('hl_queue_whole'::regclass, 'hl_queue_piece'::regclass) AND attnum = 2 GROUP BY 1;
SELECT hl_refresh('whole'), hl_refresh('piece');
SELECT hl_drop_project('whole'), hl_drop_project('piece');
DROP TABLE whole;
CREATE TABLE family (id int, body text);
CREATE TABLE child () INHERITS (family);
INSERT INTO child SELECT id, body FROM original;
SELECT project FROM hl_create_project('child', 'child', 'body', 'id');
ALTER TABLE family ALTER id TYPE bigint, ALTER body TYPE varchar(300);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'hl_queue_child'::regclass AND attnum IN (1, 2) ORDER BY attnum;
SELECT hl_refresh('child');
SELECT hl_drop_project('child');
DROP TABLE family CASCADE;
DROP DOMAIN prose;
DROP TYPE mood;
DROP EXTENSION citext;
DROP FUNCTION vector;
DROP TABLE original;

-- an event trigger is no function to be called
SELECT left(error_of('SELECT hl_source_altered()'), 5) AS refused;
