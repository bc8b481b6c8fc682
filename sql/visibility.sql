-- Who gets to see what of a source: nobody a text that he may not read.
SET client_min_messages = warning;
CREATE ROLE regress_hl_v_owner;
CREATE ROLE regress_hl_v_all;
CREATE ROLE regress_hl_v_columns;
CREATE ROLE regress_hl_v_key;
CREATE ROLE regress_hl_v_input;
CREATE ROLE regress_hl_v_none;
CREATE ROLE regress_hl_v_schema;
CREATE ROLE regress_hl_v_bypass BYPASSRLS;
CREATE ROLE regress_hl_v_stranger;
CREATE SCHEMA post AUTHORIZATION regress_hl_v_owner;
SET ROLE regress_hl_v_owner;
GRANT USAGE ON SCHEMA post TO regress_hl_v_all, regress_hl_v_columns, regress_hl_v_key, regress_hl_v_input, regress_hl_v_none, regress_hl_v_bypass;
CREATE TABLE post.letter (id int PRIMARY KEY, body text, topic text, team text, amount text);
INSERT INTO post.letter SELECT id, 'confidential: ' || body, CASE WHEN id <= 60 THEN topic END, 'team ' || id % 2, id FROM tickets(90);
SELECT project, items FROM hl_create_project('letters', 'post.letter', 'body', label => 'topic');
SELECT labels FROM hl_train('letters');
SELECT count(hl_grant('letters', role::regrole, privilege)) FROM unnest('{regress_hl_v_all,regress_hl_v_columns,regress_hl_v_key,regress_hl_v_input,regress_hl_v_none,regress_hl_v_schema,regress_hl_v_bypass}'::name[]) role, unnest('{annotate,predict}'::text[]) privilege;
GRANT SELECT ON post.letter TO regress_hl_v_all, regress_hl_v_schema, regress_hl_v_bypass;
GRANT SELECT (id, body) ON post.letter TO regress_hl_v_columns;
GRANT SELECT (id) ON post.letter TO regress_hl_v_key;
GRANT SELECT (body) ON post.letter TO regress_hl_v_input;
RESET ROLE;

-- What somebody gets by a query: text, or items, or nothing, or - where he is
-- refused, or ! where he is also told what would have to be granted; and
-- whatever he is told, LEAK where a refusal has a text in it.
CREATE FUNCTION gets(who name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
	context text;
	hint text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	BEGIN
		EXECUTE format('SELECT string_agg(q::text, '' '') FROM (%s) q', query) INTO said;
		RAISE SQLSTATE 'BACK0';
	EXCEPTION
		WHEN SQLSTATE 'BACK0' THEN
			said := CASE WHEN said ~ 'confidential' THEN 'text' WHEN said IS NOT NULL THEN 'items' ELSE 'nothing' END;
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT, hint = PG_EXCEPTION_HINT;
			said := CASE WHEN concat(said, context, hint, SQLERRM) ~ 'confidential' THEN 'LEAK' WHEN SQLSTATE <> '42501' THEN SQLSTATE WHEN hint LIKE 'GRANT%' THEN '!' ELSE '-' END;
	END;
	RESET ROLE;
	RETURN said;
END $$;
CREATE TABLE way (n serial, query text);
INSERT INTO way (query) VALUES ($$SELECT * FROM hl_next('letters')$$), ($$SELECT * FROM post.hl_queue_letters$$), ($$SELECT * FROM hl_predict('letters')$$), ($$SELECT * FROM post.letter$$),
	($$SELECT * FROM hl_queue$$), ($$SELECT * FROM hl_queue_entries('letters')$$), ($$SELECT * FROM hl_labels$$), ($$SELECT * FROM hl_label_history$$), ($$SELECT * FROM hl_projects$$), ($$SELECT * FROM hl_runs$$),
	($$SELECT * FROM hl_predict('letters', 'parcel')$$), ($$SELECT * FROM hl_confusion('letters')$$), ($$SELECT hl_label('letters', 70, 'billing')$$), ($$SELECT hl_skip('letters', 70)$$), ($$SELECT hl_undo('letters', 70)$$),
	($$SELECT hl_label('letters', 7000, 'billing')$$);
SELECT query, gets('regress_hl_v_all', query) AS all, gets('regress_hl_v_columns', query) AS columns, gets('regress_hl_v_key', query) AS key, gets('regress_hl_v_input', query) AS input, gets('regress_hl_v_none', query) AS none,
	gets('regress_hl_v_schema', query) AS schema, gets('regress_hl_v_stranger', query) AS stranger FROM way ORDER BY n;
-- what he is told
SET ROLE regress_hl_v_none;
SELECT error_of($$SELECT count(*) FROM hl_next('letters')$$);
SELECT error_of($$SELECT count(*) FROM hl_predict('letters')$$);
SELECT error_of($$SELECT count(*) FROM post.hl_queue_letters$$);
SET ROLE regress_hl_v_schema;
SELECT error_of($$SELECT count(*) FROM hl_next('letters')$$);
RESET ROLE;
-- no question was handed out meanwhile
SELECT count(*) AS leased FROM hl_lease WHERE annotator IS NOT NULL;

-- Row-level security, with a policy over a function and a setting.
SET ROLE regress_hl_v_owner;
CREATE FUNCTION post.my_team() RETURNS text LANGUAGE plpgsql STABLE AS $$BEGIN RETURN current_setting('post.team', true); END$$;
CREATE POLICY team ON post.letter USING (team = post.my_team());
ALTER TABLE post.letter ENABLE ROW LEVEL SECURITY;
RESET ROLE;
SET post.team = 'team 1';
SELECT who, (SELECT gets(who, $$SELECT body FROM post.letter WHERE team = 'team 0'$$)) AS team_0, gets(who, $$SELECT body FROM post.letter WHERE team = 'team 1'$$) AS team_1,
	gets(who, $$SELECT * FROM hl_next('letters', 10000) WHERE item::int % 2 = 0$$) AS next_0, gets(who, $$SELECT * FROM hl_next('letters', 10000) WHERE item::int % 2 = 1$$) AS next_1,
	gets(who, $$SELECT * FROM post.hl_queue_letters WHERE id % 2 = 0$$) AS queue_0, gets(who, $$SELECT * FROM post.hl_queue_letters WHERE id % 2 = 1$$) AS queue_1,
	gets(who, $$SELECT * FROM hl_predict('letters') WHERE item::int % 2 = 0$$) AS predict_0, gets(who, $$SELECT * FROM hl_predict('letters') WHERE item::int % 2 = 1$$) AS predict_1,
	gets(who, $$SELECT * FROM hl_queue WHERE item::int % 2 = 0$$) AS items_0
FROM unnest(ARRAY['regress_hl_v_all', 'regress_hl_v_columns', 'regress_hl_v_key', 'regress_hl_v_bypass', 'regress_hl_v_owner', current_user]::name[]) WITH ORDINALITY w(who, n) ORDER BY n;
-- the owner is not concerned, and so neither is the project
SELECT hl_refresh('letters') AS changed;
SELECT items FROM hl_projects;
-- unless he has himself concerned
ALTER TABLE post.letter FORCE ROW LEVEL SECURITY;
SELECT hl_refresh('letters') AS gone;
SELECT items FROM hl_projects;
SELECT count(*) AS rows, bool_and(item::int % 2 = 1) AS of_team_1 FROM hl_predict('letters'); -- a superuser sees what the owner sees
SELECT error_of($$SELECT hl_label('letters', 70, 'billing')$$), error_of($$SELECT hl_label('letters', 71, 'billing')$$);
SET row_security = off;
SELECT error_of($$SELECT hl_refresh('letters')$$);
RESET row_security;
ALTER TABLE post.letter NO FORCE ROW LEVEL SECURITY;
ALTER TABLE post.letter DISABLE ROW LEVEL SECURITY;
SELECT hl_refresh('letters') AS back;

-- A view that decides by itself who sees what: he who asks is he who looks.
SET ROLE regress_hl_v_owner;
CREATE TABLE post.reader (reader name, team text);
INSERT INTO post.reader VALUES ('regress_hl_v_all', 'team 0'), ('regress_hl_v_owner', 'team 0'), ('regress_hl_v_owner', 'team 1');
CREATE VIEW post.mine WITH (security_barrier) AS SELECT l.id, l.body FROM post.letter l WHERE l.team IN (SELECT r.team FROM post.reader r WHERE r.reader = current_user);
SELECT project, items FROM hl_create_project('mine', 'post.mine', 'body', 'id');
GRANT SELECT ON post.mine TO regress_hl_v_all, regress_hl_v_key;
SELECT hl_grant('mine', 'regress_hl_v_all', 'annotate'), hl_grant('mine', 'regress_hl_v_key', 'annotate');
RESET ROLE;
SELECT who, gets(who, $$SELECT * FROM hl_next('mine', 1000) WHERE item::int % 2 = 0$$) AS next_0, gets(who, $$SELECT * FROM hl_next('mine', 1000) WHERE item::int % 2 = 1$$) AS next_1,
	gets(who, $$SELECT * FROM post.hl_queue_mine WHERE id % 2 = 0$$) AS queue_0, gets(who, $$SELECT * FROM post.hl_queue_mine WHERE id % 2 = 1$$) AS queue_1
FROM unnest(ARRAY['regress_hl_v_all', 'regress_hl_v_key', 'regress_hl_v_owner', current_user]::name[]) WITH ORDINALITY w(who, n) ORDER BY n;

-- Errors and notices of a source may have a text in them.
SET ROLE regress_hl_v_owner;
CREATE FUNCTION post.talk(body text, amount text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF amount !~ '^[0-9]+$' THEN
		RAISE NOTICE 'this is %', body;
	END IF;
	PERFORM amount::int;
	RETURN body;
END $$;
CREATE VIEW post.talkative AS SELECT id, post.talk(body, amount) AS body FROM post.letter WHERE post.talk(body, amount) IS NOT NULL;
SELECT project FROM hl_create_project('talk', 'post.talkative', 'body', 'id');
SELECT count(hl_label('talk', id, topic)) FROM post.letter WHERE id <= 40;
UPDATE post.letter SET amount = 'confidential' WHERE id = 7;
SELECT hl_grant('talk', 'regress_hl_v_none', 'annotate'), hl_grant('talk', 'regress_hl_v_stranger', 'manage');
SET client_min_messages = notice;
SET ROLE regress_hl_v_none;
SELECT error_of($$SELECT hl_label('talk', 7, 'x')$$);
SELECT error_of($$SELECT hl_label_many('talk', '{8,7}', '{x,y}')$$) ~ '^22P02 could not read' AS label_many, error_of($$SELECT hl_skip('talk', 7)$$) ~ '^22P02 could not read' AS skip, error_of($$INSERT INTO hl_labels (project, item, label) VALUES ('talk', '7', 'x')$$) ~ '^22P02 could not read' AS insert;
SET ROLE regress_hl_v_stranger;
SELECT error_of($$SELECT hl_refresh('talk')$$) ~ '^22P02 could not read' AS refresh, error_of($$SELECT hl_train('talk')$$) ~ '^22P02 could not read' AS train;
SELECT gets('regress_hl_v_stranger', $$SELECT hl_refresh('talk')$$) AS refresh, gets('regress_hl_v_none', $$SELECT hl_label('talk', 7, 'x')$$) AS label;
-- its owner is told, and whoever is in his place
SET ROLE regress_hl_v_owner;
SELECT error_of($$SELECT hl_refresh('talk')$$);
RESET ROLE;
SELECT error_of($$SELECT hl_label('talk', 7, 'x')$$);
-- of whatever kind it is, and wherever a cancel hits: the context may quote, too
SET client_min_messages = warning;
SET ROLE regress_hl_v_owner;
CREATE OR REPLACE FUNCTION post.talk(body text, amount text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	IF amount ~ '^[0-9A-Z]{5}$' AND amount <> 'SLEEP' THEN
		RAISE EXCEPTION 'this is %', body USING ERRCODE = amount, DETAIL = body, HINT = body;
	END IF;
	EXECUTE format('SELECT %L || CASE WHEN pg_sleep(%s) IS NULL THEN '''' END', body, CASE amount WHEN 'SLEEP' THEN 60 ELSE 0 END) INTO said;
	RETURN body;
END $$;
RESET ROLE;
CREATE FUNCTION post.trips(code text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RESET ROLE;
	UPDATE post.letter SET amount = code WHERE id = 7;
	SET LOCAL ROLE regress_hl_v_none;
	RETURN error_of('SELECT hl_label(''talk'', 7, ''x'')');
END $$;
SELECT code, post.trips(code) FROM unnest('{40001,42501,53200,55000,55P03,P0001,XX000}'::text[]) code;
RESET ROLE;
UPDATE post.letter SET amount = 'SLEEP' WHERE id = 7;
SET ROLE regress_hl_v_none;
SET statement_timeout = '200ms';
SELECT hl_label('talk', 7, 'x');
RESET statement_timeout;
RESET ROLE;
DROP FUNCTION post.trips;
UPDATE post.letter SET amount = '1' WHERE id = 7;
-- nor what has gone wrong with rights
CREATE TABLE post.hidden (id int PRIMARY KEY, body text);
CREATE OR REPLACE VIEW post.talkative AS SELECT id, body FROM post.hidden;
SET ROLE regress_hl_v_stranger;
SELECT error_of($$SELECT hl_refresh('talk')$$);
RESET ROLE;
-- an item that is no key is an error of who has named it
CREATE TABLE post.numbered (id uuid PRIMARY KEY, body text);
SELECT project FROM hl_create_project('numbered', 'post.numbered', 'body');
SELECT hl_grant('numbered', 'regress_hl_v_none', 'annotate');
SET ROLE regress_hl_v_none;
SELECT error_of($$SELECT hl_label('numbered', 'seven', 'x')$$);
RESET ROLE;

-- Whatever one asks of the views beside: a function that tells what it is given,
-- costs nothing and so comes first, and an operator over it; EXPLAIN.
CREATE FUNCTION tell(what text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$BEGIN RAISE NOTICE 'seen: %', what; RETURN true; END$$;
CREATE FUNCTION tell(what text, other text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$BEGIN RAISE NOTICE 'seen: %', what; RETURN true; END$$;
CREATE OPERATOR <<<< (FUNCTION = tell, LEFTARG = text, RIGHTARG = text);
SELECT hl_revoke('talk', 'regress_hl_v_stranger', 'manage');
SET client_min_messages = notice;
SET ROLE regress_hl_v_stranger;
SELECT count(*) FROM hl_labels WHERE tell(item) AND tell(label) AND item <<<< label;
SELECT count(*) FROM hl_label_history WHERE tell(label);
SELECT count(*) FROM hl_queue WHERE tell(item);
SELECT count(*) FROM hl_projects WHERE tell(project) AND project <<<< source;
SELECT count(*) FROM hl_runs WHERE tell(project);
UPDATE hl_labels SET label = 'x' WHERE tell(item);
DELETE FROM hl_labels WHERE tell(item);
SET ROLE regress_hl_v_key;
SELECT count(*) FROM hl_projects WHERE tell(project);
SET client_min_messages = warning;
RESET ROLE;
CREATE FUNCTION plan(who name, query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	RETURN QUERY EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query;
	RESET ROLE;
END $$;
SELECT who, query, count(*) FILTER (WHERE plan ~ 'confidential') AS leaks FROM unnest('{regress_hl_v_all,regress_hl_v_none,regress_hl_v_stranger}'::name[]) who,
	unnest(ARRAY['SELECT * FROM hl_labels', 'SELECT * FROM hl_queue', 'SELECT * FROM hl_projects']) query, LATERAL plan(who, query) plan GROUP BY who, query HAVING bool_or(plan ~ 'confidential') OR count(*) = 0;

SELECT count(hl_drop_project(project)) FROM hl_projects;
DROP OPERATOR <<<< (text, text);
DROP FUNCTION tell(text), tell(text, text), plan, gets;
DROP TABLE way;
DROP SCHEMA post CASCADE;
DROP ROLE regress_hl_v_owner, regress_hl_v_all, regress_hl_v_columns, regress_hl_v_key, regress_hl_v_input, regress_hl_v_none, regress_hl_v_schema, regress_hl_v_bypass, regress_hl_v_stranger;
