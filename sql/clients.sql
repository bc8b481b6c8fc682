-- What programs do with the functions: cursors, COPY, tables and views made of
-- answers, savepoints, exception blocks, triggers that call back, and calls in
-- every clause of a statement.
SET client_min_messages = warning;
CREATE TABLE ticket AS SELECT id, body, topic FROM tickets(150);
ALTER TABLE ticket ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60;
SELECT model, deployed FROM hl_train('tickets');
ANALYZE ticket;

-- Everything that the tables have, in numbers, and who is acting on them.
CREATE FUNCTION state() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	name text;
	hash text;
	result text := '';
BEGIN
	FOR name IN SELECT c.relname FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
		WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e' AND c.relkind = 'r'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'humanloop') ORDER BY 1
	LOOP
		EXECUTE format('SELECT md5(string_agg(t::text, '' '' ORDER BY t::text)) FROM %I t', name) INTO hash;
		result := result || name || ' ' || coalesce(hash, '-') || E'\n';
	END LOOP;
	RETURN result || current_user || ' ' || current_setting('search_path')
		|| (SELECT string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'ticket'::regclass)
		|| (SELECT string_agg(relname || coalesce(relacl::text, ''), ' ' ORDER BY relname) FROM pg_class WHERE relname LIKE 'hl_queue%');
END $$;

-- ---------------------------------------------------------------------------
-- Prepared statements
-- ---------------------------------------------------------------------------

PREPARE ask(text) AS SELECT model, revision, label FROM hl_predict('tickets', $1);
PREPARE ask_all AS SELECT count(*), min(model), max(model) FROM hl_predict('tickets');
PREPARE put(int, text) AS SELECT hl_label('tickets', $1, $2) > 0;
PREPARE questions(int) AS SELECT count(*) FROM hl_next('tickets', $1, lease => '1 second');
SET plan_cache_mode = force_generic_plan;
EXECUTE ask('where is the parcel');
EXECUTE ask_all;
EXECUTE put(61, 'returns');
EXECUTE questions(2);
SELECT model FROM hl_train('tickets');
EXECUTE ask('where is the parcel');
EXECUTE ask_all;
SELECT hl_deploy('tickets', 1);
EXECUTE ask('where is the parcel');
SET plan_cache_mode = force_custom_plan;
EXECUTE ask('where is the parcel');
EXECUTE ask_all;
SELECT hl_deploy('tickets', 2);
EXECUTE ask('where is the parcel');
RESET plan_cache_mode;
-- another project of the same name, over another table
CREATE TABLE other AS SELECT id, topic AS body, body AS topic FROM ticket;
ALTER TABLE other ADD PRIMARY KEY (id);
BEGIN;
SELECT hl_drop_project('tickets');
SELECT project FROM hl_create_project('tickets', 'other', 'body');
SELECT error_of($$EXECUTE ask('billing')$$);
EXECUTE put(2, 'y');
SELECT hl_label_many('tickets', '{1,2,3,4,5,6}', '{p,q,p,q,p,q}');
SELECT model FROM hl_train('tickets');
SELECT model, label IN ('p', 'q') AS other_classes FROM hl_predict('tickets', 'returns');
EXECUTE ask_all;
ROLLBACK;
EXECUTE ask('where is the parcel');
-- the schema of the extension cannot be another
ALTER EXTENSION humanloop SET SCHEMA pg_catalog;
EXECUTE ask('where is the parcel');

-- ---------------------------------------------------------------------------
-- Cursors
-- ---------------------------------------------------------------------------

-- one model from the first row to the last, whatever is trained meanwhile
CREATE TABLE seen (item text, model int, revision int);
CREATE FUNCTION fetch_all(cursor_name refcursor) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	r record;
	n bigint := 0;
BEGIN
	LOOP
		FETCH cursor_name INTO r;
		EXIT WHEN NOT FOUND;
		INSERT INTO seen VALUES (r.item, r.model, r.revision);
		n := n + 1;
	END LOOP;
	RETURN n;
END $$;
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT item, model, revision FROM hl_predict('tickets');
DECLARE held_rows CURSOR WITH HOLD FOR SELECT t.id::text AS item, p.model, p.revision FROM ticket t, hl_predict('tickets', t.body) p;
FETCH 1 FROM held;
FETCH 1 FROM held_rows;
SELECT model FROM hl_train('tickets');
FETCH 1 FROM held;
FETCH 1 FROM held_rows;
COMMIT;
SELECT model FROM hl_train('tickets');
SELECT fetch_all('held');
SELECT fetch_all('held_rows');
SELECT model, revision, count(*) FROM seen GROUP BY 1, 2;
CLOSE held;
CLOSE held_rows;
TRUNCATE seen;
-- forwards and backwards
BEGIN;
DECLARE scrolled SCROLL CURSOR FOR SELECT item, model FROM hl_predict('tickets') ORDER BY item::int;
FETCH LAST FROM scrolled;
FETCH FIRST FROM scrolled;
SELECT model FROM hl_train('tickets');
FETCH ABSOLUTE 75 FROM scrolled;
FETCH PRIOR FROM scrolled;
MOVE FORWARD ALL IN scrolled;
FETCH BACKWARD 2 FROM scrolled;
-- begun in a savepoint that is rolled back, and another before it
DECLARE outer_rows CURSOR FOR SELECT t.id::text AS item, p.model, p.revision FROM ticket t, hl_predict('tickets', t.body) p;
SAVEPOINT s;
FETCH 1 FROM outer_rows;
DECLARE inner_rows CURSOR FOR SELECT item, model FROM hl_predict('tickets') ORDER BY item::int;
FETCH 1 FROM inner_rows;
SELECT model FROM hl_train('tickets');
ROLLBACK TO s;
FETCH 1 FROM outer_rows;
SELECT error_of('FETCH 1 FROM inner_rows');
SELECT fetch_all('outer_rows');
SELECT model, revision, count(*) FROM seen GROUP BY 1, 2;
-- closed early, or by the end of the transaction
CLOSE scrolled;
COMMIT;
TRUNCATE seen;
-- over what is being changed
CREATE TEMP TABLE head AS SELECT rank, item FROM hl_queue WHERE rank <= 5;
CREATE FUNCTION fetch_items(cursor_name refcursor) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	r record;
	items text[] := '{}';
BEGIN
	LOOP
		FETCH cursor_name INTO r;
		EXIT WHEN NOT FOUND;
		items := items || r.item;
	END LOOP;
	RETURN items;
END $$;
BEGIN;
DECLARE queued CURSOR FOR SELECT item FROM hl_queue WHERE project = 'tickets' ORDER BY rank LIMIT 5;
MOVE 1 FROM queued;
SELECT count(hl_label('tickets', item, 'returns')) FROM (SELECT item FROM hl_queue ORDER BY rank LIMIT 5) q;
SELECT fetch_items('queued') = (SELECT array_agg(item ORDER BY rank) FROM head WHERE rank > 1) AS the_old_ones;
SELECT count(*) FROM hl_queue q JOIN head h USING (item);
ROLLBACK;
-- handing out, row by row
BEGIN;
DECLARE handed CURSOR FOR SELECT item, reason FROM hl_next('tickets', 3);
FETCH 1 FROM handed \gset
SELECT :'reason' AS reason;
SELECT count(*) FROM hl_queue WHERE leased_by IS NOT NULL AND lease_until > now() + '5 min';
CLOSE handed;
ROLLBACK;
SELECT count(*) FROM hl_queue WHERE leased_by IS NOT NULL AND lease_until > now() + '5 min';
-- PL/pgSQL: FOR opens a cursor, too
DO $$
DECLARE
	r record;
	n int := 0;
	models int[] := '{}';
BEGIN
	FOR r IN SELECT * FROM hl_predict('tickets') LOOP
		n := n + 1;
		IF n = 20 THEN
			PERFORM hl_train('tickets');
		END IF;
		IF r.model <> ALL (models) THEN
			models := models || r.model;
		END IF;
		EXIT WHEN n = 140;
	END LOOP;
	RAISE INFO '% rows of % model', n, cardinality(models);
END $$;

-- ---------------------------------------------------------------------------
-- Answers that are stored
-- ---------------------------------------------------------------------------

SELECT max(model) AS model FROM hl_models('tickets') \gset
COPY (SELECT t.id, p.label, p.confidence > 0.3 AS sure, p.model = max(p.model) OVER () AS same FROM ticket t, hl_predict('tickets', t.body) p WHERE t.id <= 3 ORDER BY t.id) TO STDOUT;
COPY (SELECT count(*) FROM hl_predict('tickets')) TO STDOUT (FORMAT csv, HEADER);
CREATE TABLE made AS SELECT t.id, p.* FROM ticket t, hl_predict('tickets', t.body) p;
SELECT count(*), count(DISTINCT (model, revision)), min(model) = :model AS newest FROM made;
INSERT INTO made SELECT item::int + 1000, label, confidence, epistemic, aleatoric, decision, model, revision FROM hl_predict('tickets');
SELECT count(*), max(abs(a.confidence - b.confidence)) < 1e-6 AS alike, bool_and(a.label = b.label) AS same_label FROM made a JOIN made b ON b.id = a.id + 1000;
CREATE MATERIALIZED VIEW kept AS SELECT t.id, p.label, p.model FROM ticket t, hl_predict('tickets', t.body) p;
CREATE VIEW shown AS SELECT t.id, p.label, p.model FROM ticket t, hl_predict('tickets', t.body) p;
CREATE UNIQUE INDEX ON kept (id);
SELECT model FROM hl_train('tickets') \gset
SELECT count(*), max(model) = :model AS newest FROM kept;
SELECT count(*), min(model) = :model AS newest FROM shown;
REFRESH MATERIALIZED VIEW kept;
SELECT count(*), min(model) = :model AS newest FROM kept;
REFRESH MATERIALIZED VIEW CONCURRENTLY kept;
UPDATE made m SET label = p.label, model = p.model, revision = p.revision FROM ticket t, hl_predict('tickets', t.body) p WHERE t.id = m.id;
SELECT model = :model AS newest, count(*) FROM made GROUP BY 1 ORDER BY 1;
DELETE FROM made m USING hl_predict('tickets') p WHERE p.item = m.id::text AND p.model = :model;
SELECT count(*) FROM made;
MERGE INTO made m USING (SELECT item::int + 1000 AS id, label, model, revision FROM hl_predict('tickets')) p ON m.id = p.id
	WHEN MATCHED THEN UPDATE SET label = p.label, model = p.model
	WHEN NOT MATCHED THEN INSERT (id, label, model, revision) VALUES (p.id, p.label, p.model, p.revision);
SELECT count(*), min(model) = :model AS newest FROM made;
-- what a model says changes: nothing that must never
ALTER TABLE ticket ADD COLUMN said text GENERATED ALWAYS AS ((hl_predict('tickets', body)).label) STORED;
CREATE INDEX ON ticket (((hl_predict('tickets', body)).label));
DROP VIEW shown;
DROP MATERIALIZED VIEW kept;
DROP TABLE made;

-- ---------------------------------------------------------------------------
-- In every clause
-- ---------------------------------------------------------------------------

SELECT count(*) > 70 AS most FROM ticket WHERE (hl_predict('tickets', body)).label = topic AND id > 60;
SELECT count(*) > 0 AS found FROM ticket WHERE (hl_predict('tickets', body)).confidence < 0.9 OR id = 1;
SELECT count(DISTINCT id) FROM (SELECT id FROM ticket ORDER BY (hl_predict('tickets', body)).confidence, id LIMIT 7) t;
SELECT (hl_predict('tickets', body)).label, count(*) > 10 AS many FROM ticket GROUP BY 1 ORDER BY 1;
SELECT topic, count(*) > 10 AS many FROM ticket GROUP BY topic HAVING avg((hl_predict('tickets', body)).confidence) > 0.2 ORDER BY 1;
SELECT DISTINCT CASE WHEN id % 2 = 0 THEN (hl_predict('tickets', body)).model ELSE :model END = :model AS newest FROM ticket;
SELECT count(*), bool_and(best.probability = q.confidence) AS same FROM ticket t, hl_predict('tickets', t.body) q, LATERAL (SELECT p.* FROM hl_probabilities('tickets', t.body) p ORDER BY p.probability DESC LIMIT 1) best WHERE best.label = q.label;
SELECT round(sum(p.probability)::numeric, 3) AS sum, count(*) FROM ticket t CROSS JOIN LATERAL hl_probabilities('tickets', t.body) p;
SELECT count(*), count(DISTINCT w) FROM (SELECT rank() OVER (ORDER BY (hl_uncertainty('tickets', body)).total DESC, id) AS w FROM ticket) r;
SELECT cardinality(array_agg(p)), (array_agg(p ORDER BY t.id))[7] = (SELECT hl_predict('tickets', body) FROM ticket WHERE id = 7) AS equal FROM ticket t, hl_predict('tickets', t.body) p;
SELECT count(*) > 30 AS most FROM ticket t WHERE t.id::text IN (SELECT item FROM hl_predict('tickets') WHERE label = 'billing') AND t.topic = 'billing';
SELECT bool_and((SELECT max(p.probability) FROM hl_probabilities('tickets', t.body) p) BETWEEN 0 AND 1) FROM ticket t;
SELECT count(*) FROM ROWS FROM (hl_predict('tickets'), hl_probabilities('tickets', 'x')) WITH ORDINALITY r;
SELECT hl_predict('tickets', NULL) IS NULL AS no_answer, (hl_predict('tickets', '')).model = :model AS newest;
WITH RECURSIVE n (i, label) AS (SELECT 1, (hl_predict('tickets', 'one')).label UNION ALL SELECT i + 1, (hl_predict('tickets', 'again ' || i)).label FROM n WHERE i < 5) SELECT count(label) FROM n;
CREATE TABLE checked (body text, CHECK ((hl_predict('tickets', body)).label IN ('returns', 'billing', 'delivery')), said text DEFAULT (hl_predict('tickets', 'by default')).label);
INSERT INTO checked (body) SELECT body FROM ticket;
SELECT count(*), count(said) FROM checked;
DROP TABLE checked;
-- writing functions
BEGIN;
SELECT count(hl_label('tickets', item, coalesce(label, 'returns'))) FROM hl_next('tickets', 5);
WITH asked AS MATERIALIZED (SELECT item FROM hl_next('tickets', 3)), said AS (SELECT hl_label('tickets', item, 'billing') AS id FROM asked) SELECT count(*), count(DISTINCT id) FROM said;
INSERT INTO seen (item) SELECT item FROM hl_next('tickets', 4) RETURNING hl_label('tickets', item, 'delivery') > 0 AS labelled;
SELECT count(*) FROM seen s JOIN hl_labels l USING (item) WHERE l.label = 'delivery';
SELECT hl_label('tickets', id, 'returns') > 0 AS labelled FROM ticket WHERE id > 148 ORDER BY id DESC;
SELECT id, CASE WHEN id = 1 THEN hl_label('tickets', id, 'delivery') > 0 END AS labelled FROM ticket WHERE id < 3 ORDER BY id;
-- a statement has the model it began with, also where it trains
SELECT t.model - :model AS trained, p.model - :model AS answered FROM hl_train('tickets') t, hl_predict('tickets', 'x') p;
SELECT p.model - :model AS answered FROM hl_predict('tickets', 'x') p;
ROLLBACK;

-- ---------------------------------------------------------------------------
-- Triggers that call back
-- ---------------------------------------------------------------------------

-- somebody else's table brings labels
CREATE TABLE inbox (ticket int, topic text, said text);
CREATE FUNCTION take_label() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM hl_label('tickets', NEW.ticket, NEW.topic); RETURN NULL; END $$;
CREATE FUNCTION ask_first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.said := (SELECT p.label FROM ticket t, hl_predict('tickets', t.body) p WHERE t.id = NEW.ticket); RETURN NEW; END $$;
CREATE TRIGGER take_label AFTER INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION take_label();
CREATE TRIGGER ask_first BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION ask_first();
BEGIN;
INSERT INTO inbox SELECT id, topic FROM ticket WHERE id BETWEEN 100 AND 110;
SELECT count(*), count(said) FROM inbox;
SELECT count(*) FROM hl_labels WHERE item::int BETWEEN 100 AND 110;
SELECT error_of('INSERT INTO inbox VALUES (1000, NULL)');
SELECT error_of($$INSERT INTO inbox VALUES (111, 'returns'), (1000, 'returns')$$);
SELECT count(*) FROM hl_labels WHERE item = '111';
ROLLBACK;
-- the source's own rows: answered and labelled as they come
CREATE TRIGGER later AFTER INSERT ON ticket FOR EACH ROW WHEN (NEW.topic IS NOT NULL) EXECUTE FUNCTION take_label();
ALTER TABLE ticket ADD COLUMN ticket int;
CREATE FUNCTION own_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.ticket := NEW.id; NEW.topic := coalesce(NEW.topic, (hl_predict('tickets', NEW.body)).label); RETURN NEW; END $$;
CREATE TRIGGER own_key BEFORE INSERT ON ticket FOR EACH ROW EXECUTE FUNCTION own_key();
BEGIN;
INSERT INTO ticket SELECT 1000 + i, 'please take back the lamp ' || i, CASE WHEN i % 2 = 0 THEN 'returns' END FROM generate_series(1, 10) i;
SELECT count(*), count(DISTINCT item) FROM hl_labels WHERE item::int > 1000;
SELECT kind, cardinality(items) FROM hl_change ORDER BY 1, 2 DESC LIMIT 3;
ROLLBACK;
-- deferred, at the commit
CREATE TABLE late (ticket int, topic text);
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION take_label();
BEGIN;
INSERT INTO late VALUES (70, 'billing');
SELECT count(*) FROM hl_labels WHERE item = '70';
COMMIT;
SELECT label FROM hl_labels WHERE item = '70';
-- a trigger that trains
CREATE FUNCTION retrain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM hl_train('tickets'); RETURN NULL; END $$;
CREATE TRIGGER retrain AFTER INSERT ON late FOR EACH STATEMENT EXECUTE FUNCTION retrain();
BEGIN;
INSERT INTO late VALUES (71, 'billing');
SELECT model - :model AS trained FROM hl_predict('tickets', 'x');
ROLLBACK;
DROP TABLE inbox, late;
DROP TRIGGER later ON ticket;
DROP TRIGGER own_key ON ticket;
ALTER TABLE ticket DROP COLUMN ticket;
DROP FUNCTION take_label, ask_first, own_key, retrain;

-- ---------------------------------------------------------------------------
-- Savepoints and exception blocks: as if it had never been called
-- ---------------------------------------------------------------------------

SELECT count(*) FROM hl_next('tickets', 2, 'ann');
SELECT item AS leased FROM hl_queue WHERE leased_by = 'ann' ORDER BY rank LIMIT 1 \gset
SELECT set_config('test.leased', :'leased', false) IS NOT NULL AS set;
CREATE TABLE calls (n serial, call text);
INSERT INTO calls (call) VALUES
	('SELECT hl_label(''tickets'', 80, ''returns'')'),
	('SELECT hl_label(''tickets'', 1, ''another'')'),
	('SELECT hl_label(''tickets'', current_setting(''test.leased''), ''returns'', ''ann'')'),
	('SELECT hl_label_many(''tickets'', ''{81,82,1}'', ''{a,b,c}'')'),
	('SELECT hl_skip(''tickets'', 83, ''unclear'')'),
	('SELECT hl_undo(''tickets'', 1)'),
	('INSERT INTO hl_labels (project, item, label) VALUES (''tickets'', ''84'', ''billing'')'),
	('UPDATE hl_labels SET label = ''billing'' WHERE item = ''2'''),
	('DELETE FROM hl_labels WHERE item = ''3'''),
	('SELECT hl_next(''tickets'', 3)'),
	('SELECT hl_train(''tickets'')'),
	('SELECT hl_refresh(''tickets'')'),
	('INSERT INTO ticket VALUES (2000, ''take back the lamp''); SELECT hl_refresh(''tickets'')'),
	('SELECT hl_deploy(''tickets'', 1)'),
	('SELECT hl_pause(''tickets'')'),
	('SELECT hl_resume(''tickets'')'),
	('SELECT hl_grant(''tickets'', ''pg_monitor'', ''annotate'')'),
	('SELECT hl_revoke(''tickets'', ''pg_monitor'', ''annotate'')'),
	('SELECT hl_create_project(''second'', ''ticket'', ''body'')'),
	('SELECT hl_create_project(''second'', ''ticket'', ''body''); SELECT hl_label_many(''second'', ''{1,2,3,4}'', ''{a,b,a,b}''); SELECT hl_train(''second'')'),
	('SELECT hl_drop_project(''tickets'')'),
	('SELECT hl_drop_project(''tickets''); SELECT hl_create_project(''tickets'', ''ticket'', ''body'')'),
	('DROP VIEW hl_queue_tickets; SELECT hl_refresh(''tickets'')');
-- in an exception block, which fails at the end; a sequence stays locked, as any
CREATE VIEW locks AS SELECT locktype, relation::regclass, classid::regclass, objid, mode FROM pg_locks l
	WHERE pid = pg_backend_pid() AND mode <> 'AccessShareLock' AND locktype NOT IN ('virtualxid', 'transactionid')
	AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = l.relation AND c.relkind = 'S');
CREATE FUNCTION in_vain(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before text := state();
	held bigint := (SELECT count(*) FROM locks);
BEGIN
	BEGIN
		EXECUTE call;
		RAISE EXCEPTION 'in vain';
	EXCEPTION WHEN raise_exception THEN
		IF SQLERRM <> 'in vain' THEN
			RETURN SQLERRM;
		END IF;
	END;
	IF (SELECT count(*) FROM locks) > held THEN
		RETURN 'locks are held: ' || (SELECT string_agg(l::text, ' ') FROM locks l);
	END IF;
	RETURN CASE WHEN state() = before THEN 'as before' ELSE 'something is left: ' || state() || before END;
END $$;
SELECT n, in_vain(call) FROM calls ORDER BY n;
-- deep inside
CREATE FUNCTION deeper(depth int, call text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		IF depth > 0 THEN
			PERFORM deeper(depth - 1, call);
		END IF;
		EXECUTE call;
		RAISE EXCEPTION 'in vain';
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
END $$;
SELECT n, in_vain(format('SELECT deeper(3, %L)', call)) FROM calls WHERE n IN (1, 10, 11, 19, 21) ORDER BY n;
-- at the top: the savepoint is rolled back, and the same call succeeds
CREATE TEMP TABLE before AS SELECT state();
BEGIN;
SAVEPOINT s;
SELECT hl_label('tickets', 80, 'returns') > 0 AS labelled;
ROLLBACK TO s;
SELECT hl_label('tickets', 80, 'billing') > 0 AS labelled;
SAVEPOINT t;
SELECT count(*) FROM hl_next('tickets', 3);
ROLLBACK TO t;
SELECT count(*) FROM hl_next('tickets', 3);
SAVEPOINT u;
SELECT model - :model AS trained FROM hl_train('tickets');
SELECT model - :model AS answers FROM hl_predict('tickets', 'x');
ROLLBACK TO u;
SELECT model - :model AS answers FROM hl_predict('tickets', 'x');
SELECT model - :model AS trained FROM hl_train('tickets');
SELECT model - :model AS answers, revision FROM hl_predict('tickets', 'x');
SAVEPOINT v;
SELECT project FROM hl_create_project('second', 'ticket', 'body');
ROLLBACK TO v;
SELECT project FROM hl_create_project('second', 'ticket', 'body');
SAVEPOINT w;
SELECT hl_drop_project('tickets');
SELECT error_of($$SELECT hl_predict('tickets', 'x')$$);
ROLLBACK TO w;
SELECT model - :model AS answers FROM hl_predict('tickets', 'x');
SELECT hl_drop_project('second');
RELEASE s;
SELECT label FROM hl_labels WHERE item = '80';
ROLLBACK;
SELECT state() = (SELECT * FROM before) AS as_before;
-- ids are never given out twice, so what a session remembers of a model that
-- was rolled back is nobody else's
BEGIN;
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(CASE topic WHEN 'billing' THEN 'returns' WHEN 'returns' THEN 'billing' ELSE topic END)) FROM ticket WHERE id <= 60;
SELECT model - :model AS trained, deployed FROM hl_train('tickets');
SELECT hl_deploy('tickets', :model + 1);
SELECT label FROM hl_predict('tickets', 'please take back the lamp');
ROLLBACK;
SELECT model - :model AS trained, deployed FROM hl_train('tickets');
SELECT model - :model AS answers, label FROM hl_predict('tickets', 'please take back the lamp');
DROP TABLE before, calls;
DROP FUNCTION state, in_vain, deeper;
DROP VIEW locks;

-- ---------------------------------------------------------------------------
-- Parallel workers
-- ---------------------------------------------------------------------------

CREATE FUNCTION answers() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT 'predict ' || t.id || ' ' || p::text FROM ticket t, hl_predict('tickets', t.body) p;
	RETURN QUERY SELECT 'uncertainty ' || t.id || ' ' || u::text FROM ticket t, hl_uncertainty('tickets', t.body) u;
	RETURN QUERY SELECT 'probabilities ' || t.id || ' ' || p::text FROM ticket t, hl_probabilities('tickets', t.body) p;
	RETURN QUERY SELECT 'embed ' || t.id || ' ' || hl_embed('tickets', t.body)::text FROM ticket t;
	RETURN QUERY SELECT 'all ' || p::text FROM hl_predict('tickets') p;
	RETURN QUERY SELECT 'labels ' || l::text FROM hl_labels l;
	RETURN QUERY SELECT 'projects ' || project || ' ' || source || ' ' || model FROM hl_projects;
END $$;
CREATE TEMP TABLE serial AS SELECT * FROM answers() answer;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SET parallel_leader_participation = off;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query; END $$;
SELECT trim(l) FROM plan_of($$SELECT t.id, p.label FROM ticket t, hl_predict('tickets', t.body) p$$) l WHERE l ~ 'Workers|Gather';
SELECT count(*), count(*) FILTER (WHERE answer NOT IN (SELECT answer FROM serial)) AS other FROM answers() answer;
-- all that is safe, in a worker
SET force_parallel_mode = on;
SELECT trim(l) FROM plan_of($$SELECT count(*) FROM hl_predict('tickets')$$) l WHERE l ~ 'Workers|Gather';
SELECT count(*), count(*) FILTER (WHERE answer NOT IN (SELECT answer FROM serial)) AS other FROM answers() answer;
-- with what the transaction itself has done
BEGIN;
SELECT model FROM hl_train('tickets') \gset own_
SELECT count(*), min(p.model) = :own_model AS own, count(DISTINCT p.model) FROM ticket t, hl_predict('tickets', t.body) p;
SELECT count(*), min(p.model) = :own_model AS own, count(DISTINCT p.model) FROM hl_predict('tickets') p;
SAVEPOINT s;
SELECT hl_label('tickets', 90, 'returns') > 0 AS labelled;
SELECT count(*), min(p.model) = :own_model AS own FROM hl_predict('tickets') p;
ROLLBACK TO s;
SELECT count(*) FROM hl_labels WHERE item = '90';
ROLLBACK;
SELECT error_of($$SELECT hl_predict('nothing', body) FROM ticket$$);
RESET force_parallel_mode;
RESET parallel_leader_participation;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_tuple_cost;
RESET parallel_setup_cost;
DROP FUNCTION answers, plan_of;

-- ---------------------------------------------------------------------------
-- The extension goes and comes back, in a session that knows its plans
-- ---------------------------------------------------------------------------

SELECT hl_drop_project('tickets');
DROP EXTENSION humanloop;
SELECT error_of($$EXECUTE ask('where is the parcel')$$);
SELECT error_of('EXECUTE questions(1)');
CREATE EXTENSION humanloop;
SELECT error_of($$EXECUTE ask('where is the parcel')$$);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60;
EXECUTE put(61, 'returns');
EXECUTE questions(2);
SELECT model FROM hl_train('tickets');
EXECUTE ask('where is the parcel');
EXECUTE ask_all;
DEALLOCATE ALL;
SELECT hl_drop_project('tickets');
DROP FUNCTION fetch_all, fetch_items;
DROP TABLE ticket, other, seen;
