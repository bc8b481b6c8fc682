-- Rules: expressions over a row that say of which class it is.
SET client_min_messages = warning;

CREATE TABLE letter AS SELECT id, body, topic, id % 10 AS pages, timestamptz '2026-01-01' + id * interval '1 hour' AS created FROM tickets(120);
ALTER TABLE letter ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('desk', 'letter', 'body');

-- ----------------------------------------------------------------------
-- What is a condition
-- ----------------------------------------------------------------------

CREATE TABLE given (n serial, condition text);
INSERT INTO given (condition) VALUES
	('true; DROP TABLE letter'), ('true) OR (true'), ('true) FROM letter; DROP TABLE letter; --'), ('true, true'), ('true AS x'), ('true FROM letter'), ('true WHERE true'), ('true ORDER BY 1'), ('true LIMIT 1'), ('DISTINCT true'), ('*'), ('s.*'), ('true /*'), ('true FOR UPDATE'),
	('id'), ('''abc'''), ('count(*) > 1'), ('row_number() OVER () = 1'), ('generate_series(1, 2) = 1'), ('bodi ~ ''x'''), ('s.nothing'), ('ctid IS NULL'), ('tableoid > 0'), ('$1 IS NULL'), ('id = ANY ($1)'), ('nothing(id)'),
	('(WITH gone AS (DELETE FROM public.letter RETURNING id) SELECT count(*) > 0 FROM gone)');
CREATE FUNCTION refused(statement text) RETURNS text LANGUAGE sql AS $$ SELECT replace(replace(error_of(statement), E'\n  HINT: Give one expression over the columns of the source, like "body ~* ''refund''": a boolean one with a label, or one whose value is the label; other relations, and functions, by their schemas.', ''), 'the condition of rule "bad": ', '') $$;
SELECT condition, refused(format($$SELECT hl_add_rule('desk', 'bad', %L, 'billing')$$, condition)) FROM given ORDER BY n;
-- without a label its value is one
SELECT condition, refused(format($$SELECT hl_add_rule('desk', 'bad', %L)$$, condition)) FROM given WHERE condition IN ('true) OR (true', '''a''::text)::text FROM letter --', 'count(*) > 1', 'generate_series(1, 2) = 1', '$1 IS NULL', 'bodi ~ ''x''') ORDER BY n;
SELECT error_of($$SELECT hl_add_rule('desk', '', 'true', 'x')$$), error_of($$SELECT hl_add_rule('desk', 'a', NULL, 'x')$$), error_of($$SELECT hl_add_rule('desk', 'a', 'true', ' ')$$), error_of($$SELECT hl_add_rule('none', 'a', 'true', 'x')$$);
SELECT error_of($$SELECT hl_drop_rule('desk', 'a')$$), error_of($$SELECT hl_enable_rule('desk', 'a')$$), error_of($$SELECT hl_disable_rule('desk', NULL)$$);
SELECT count(*) FROM hl_rules('desk', true);

-- ----------------------------------------------------------------------
-- What they say
-- ----------------------------------------------------------------------

SELECT hl_add_rule('desk', 'charged', 'body ~* ''charged|invoice|bill|debited'' -- all of it', 'billing');
SELECT hl_add_rule('desk', 'parcel', 's.body ~ ''parcel|courier|shipment|tracking''', 'delivery');
SELECT hl_add_rule('desk', 'words', 'CASE WHEN body ~ ''return|send back|take back'' THEN ''returns'' WHEN body ~ ''invoice'' THEN ''billing'' END');
SELECT hl_add_rule('desk', 'wrong', 'pages = 3', 'delivery');
SELECT rule, version, label, state, coverage, compared, error, added_by = current_user AS mine FROM hl_rules('desk');
SELECT hl_label_many('desk', array_agg(id::text), array_agg(topic)) FROM letter WHERE id <= 60;
CREATE VIEW figures AS SELECT rule, version, state, round(coverage::numeric, 3) AS coverage, round(overlap::numeric, 3) AS overlap, round(conflict::numeric, 3) AS conflict, compared, round(accuracy::numeric, 3) AS accuracy, accuracy BETWEEN accuracy_low AND accuracy_high AS within, skipped, error FROM hl_rules('desk');
SELECT hl_refresh('desk') > 0 AS refreshed;
SELECT * FROM figures;
-- the same, counted by hand
CREATE VIEW said AS SELECT id, topic, CASE WHEN body ~* 'charged|invoice|bill|debited' THEN 'billing' END AS charged, CASE WHEN body ~ 'parcel|courier|shipment|tracking' THEN 'delivery' END AS parcel,
	CASE WHEN body ~ 'return|send back|take back' THEN 'returns' WHEN body ~ 'invoice' THEN 'billing' END AS words, CASE WHEN pages = 3 THEN 'delivery' END AS wrong FROM letter;
WITH v AS (SELECT id, topic, r.rule, r.label FROM said CROSS JOIN LATERAL (VALUES ('charged', charged), ('parcel', parcel), ('words', words), ('wrong', wrong)) r(rule, label) WHERE r.label IS NOT NULL)
SELECT rule, round(count(*) / 120.0, 3) AS coverage, round(count(*) FILTER (WHERE EXISTS (SELECT FROM v o WHERE o.id = v.id AND o.rule <> v.rule)) / 120.0, 3) AS overlap,
	round(count(*) FILTER (WHERE EXISTS (SELECT FROM v o WHERE o.id = v.id AND o.label <> v.label)) / 120.0, 3) AS conflict,
	count(*) FILTER (WHERE id <= 60) AS compared, round(count(*) FILTER (WHERE id <= 60 AND label = topic) / (count(*) FILTER (WHERE id <= 60))::numeric, 3) AS accuracy FROM v GROUP BY rule ORDER BY rule;
SELECT i.item, v.* FROM (VALUES ('3'), ('7'), ('13')) i(item), hl_rule_votes('desk', i.item) v ORDER BY 1, 2;
SELECT count(*) FROM hl_rule_votes('desk', 'nobody');

-- ----------------------------------------------------------------------
-- Only what has changed is looked at again
-- ----------------------------------------------------------------------

CREATE SEQUENCE looked;
CREATE SCHEMA kit;
CREATE FUNCTION kit.spoken(id int, page int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'looked at %', id; RETURN page > 7; END $$;
SELECT hl_pause('desk');
DELETE FROM hl_change;
SELECT hl_add_rule('desk', 'spoken', 'kit.spoken(id, pages)', 'billing');
SET client_min_messages = error;
SELECT hl_refresh('desk');
SET client_min_messages = warning;
SELECT rule, coverage * 120 AS rows FROM hl_rules('desk') WHERE rule = 'spoken';
-- a column that is no input
UPDATE letter SET pages = 9 WHERE id IN (5, 6);
INSERT INTO letter VALUES (121, 'the invoice is wrong', 'billing', 8), (122, 'good morning', 'billing', 1);
DELETE FROM letter WHERE id = 9;
SELECT hl_refresh('desk');
SELECT rule, coverage * 121 AS rows FROM hl_rules('desk') WHERE rule = 'spoken';
SELECT i, (SELECT string_agg(rule, ', ' ORDER BY rule) FROM hl_rule_votes('desk', i)) AS rules FROM unnest('{5,6,9,121,122}'::text[]) i;
SELECT hl_refresh('desk');
-- a new version is another rule
SELECT hl_add_rule('desk', 'spoken', 'pages = 8 AND kit.spoken(id, pages)', 'billing');
SET client_min_messages = error;
SELECT hl_refresh('desk');
SET client_min_messages = warning;
SELECT rule, version, condition, state, round(coverage * 121) AS rows FROM hl_rules('desk', history => true) WHERE rule = 'spoken';
SELECT hl_disable_rule('desk', 'spoken');
SELECT state, coverage FROM hl_rules('desk') WHERE rule = 'spoken';
UPDATE letter SET pages = 8 WHERE id = 20;
SELECT hl_refresh('desk');
SELECT hl_enable_rule('desk', 'spoken');
SELECT state, coverage FROM hl_rules('desk') WHERE rule = 'spoken';
SET client_min_messages = error;
SELECT hl_refresh('desk');
SET client_min_messages = warning;
SELECT rule FROM hl_rule_votes('desk', '20') WHERE rule = 'spoken';
SELECT hl_drop_rule('desk', 'spoken');
SELECT version, state FROM hl_rules('desk', true) WHERE rule = 'spoken' ORDER BY 1;
SELECT count(*) FROM hl_rules('desk') WHERE rule = 'spoken';
-- a whole column
UPDATE letter SET pages = 0;
SELECT hl_refresh('desk');
SELECT rule, coverage FROM hl_rules('desk') WHERE rule = 'wrong';
-- a share is of the rows that there are
CREATE TABLE brief (LIKE letter INCLUDING ALL);
INSERT INTO brief SELECT * FROM letter;
SELECT project FROM hl_create_project('brief', 'brief', 'body');
SELECT hl_add_rule('brief', 'early', 'id <= 40', 'billing'), hl_add_rule('brief', 'even', 'id % 2 = 0', 'delivery');
SELECT hl_refresh('brief') > 0 AS refreshed;
DELETE FROM brief WHERE id > 80;
SELECT hl_refresh('brief') > 0 AS refreshed;
SELECT h.rule, h.coverage = b.coverage AND h.overlap = b.overlap AND h.conflict = b.conflict AS same FROM hl_rules('brief') h, LATERAL (SELECT avg((CASE h.rule WHEN 'early' THEN id <= 40 ELSE id % 2 = 0 END)::int)::float8 AS coverage, avg((id <= 40 AND id % 2 = 0)::int)::float8 AS overlap, avg((id <= 40 AND id % 2 = 0)::int)::float8 AS conflict FROM brief) b;
SELECT hl_drop_project('brief');
DROP TABLE brief;

-- ----------------------------------------------------------------------
-- Classes
-- ----------------------------------------------------------------------

SELECT hl_add_rule('desk', 'far', 'id > 100', 'abroad');
SELECT hl_refresh('desk');
SELECT hl_rename_class('desk', 'abroad', 'foreign'), hl_rename_class('desk', 'returns', 'going back');
SELECT rule, label FROM hl_rules('desk');
SELECT * FROM hl_rule_votes('desk', '106');
-- rows that come later, too
INSERT INTO letter VALUES (130, 'I want to send back the lamp', 'returns', 2);
SELECT hl_refresh('desk');
SELECT * FROM hl_rule_votes('desk', '130');
SELECT hl_merge_classes('desk', '{foreign}', 'delivery') AS changed;
SELECT * FROM hl_rule_votes('desk', '130');
SELECT hl_remove_class('desk', 'going back') > 0 AS removed;
SELECT * FROM hl_rule_votes('desk', '130');
SELECT rule, label, state, round(coverage::numeric, 2) AS coverage FROM hl_rules('desk');
-- a closed list
SELECT project FROM hl_create_project('closed', 'letter', 'body', classes => '{billing,delivery}');
SELECT error_of($$SELECT hl_add_rule('closed', 'a', 'true', 'returns')$$);
SELECT hl_add_rule('closed', 'a', 'CASE WHEN id > 60 THEN ''billing'' WHEN id > 20 THEN ''returns'' END');
SELECT hl_refresh('closed') > 0 AS refreshed;
SELECT state, round(coverage::numeric, 2) AS coverage, error FROM hl_rules('closed');

-- ----------------------------------------------------------------------
-- Rules that fail
-- ----------------------------------------------------------------------

SELECT hl_add_rule('closed', 'divided', '10 / (id - 50) > 0', 'delivery');
SELECT hl_add_rule('closed', 'often', '10 / (id % 2) > 0', 'delivery');
SELECT hl_add_rule('closed', 'read', 'body::int > 0', 'delivery');
CREATE FUNCTION kit.loop() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN LOOP END LOOP; END $$;
SELECT hl_add_rule('closed', 'endless', 'kit.loop()', 'delivery');
CREATE FUNCTION kit.secret(body text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the row says %', body; END $$;
SELECT hl_add_rule('closed', 'tells', 'kit.secret(body)', 'delivery');
SET humanloop.rule_timeout = 100;
SELECT hl_refresh('closed');
RESET humanloop.rule_timeout;
SELECT rule, state, round(coverage::numeric, 2) AS coverage, skipped, error FROM hl_rules('closed');
-- others have gone on
SELECT rule FROM hl_rule_votes('closed', '51') ORDER BY 1;
-- one that fails late has no more time than one that does not
CREATE FUNCTION kit.late() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.15); RAISE EXCEPTION 'late'; END $$;
SELECT hl_add_rule('closed', 'late', 'kit.late()', 'delivery'), hl_add_rule('closed', 'lengthy', 'repeat(body, 100)');
SET humanloop.rule_timeout = 400;
SELECT hl_refresh('closed');
RESET humanloop.rule_timeout;
SELECT rule, state, skipped, error FROM hl_rules('closed') WHERE rule IN ('late', 'lengthy');
SELECT hl_drop_rule('closed', 'late'), hl_drop_rule('closed', 'lengthy');
-- somebody who has waited enough
SELECT hl_enable_rule('closed', 'endless');
SET statement_timeout = 200;
\set VERBOSITY terse
SELECT hl_refresh('closed');
\set VERBOSITY default
RESET statement_timeout;
SELECT hl_drop_rule('closed', 'endless');
SELECT hl_refresh('closed');
-- a column that is called otherwise
SELECT hl_add_rule('closed', 'pages', 'pages = 2', 'billing');
SELECT hl_refresh('closed');
ALTER TABLE letter RENAME pages TO sheets;
UPDATE letter SET sheets = 2 WHERE id = 11;
SELECT hl_refresh('closed');
SELECT rule, state, error FROM hl_rules('closed') WHERE rule = 'pages';
SELECT error_of($$SELECT hl_add_rule('closed', 'pages', 'pages = 2', 'billing')$$);
ALTER TABLE letter RENAME sheets TO pages;
SELECT hl_enable_rule('closed', 'pages');
SELECT hl_refresh('closed');
SELECT rule, state, error, round(coverage * 122) AS rows FROM hl_rules('closed') WHERE rule = 'pages';
DROP VIEW said;
ALTER TABLE letter DROP pages;
UPDATE letter SET body = body || '!' WHERE id = 12;
SELECT hl_refresh('closed') AS changed;
SELECT rule, state, error FROM hl_rules('closed') WHERE rule = 'pages';

-- ----------------------------------------------------------------------
-- Hostile ones
-- ----------------------------------------------------------------------

SET client_min_messages = error;
CREATE ROLE regress_hl_keeper;
CREATE ROLE regress_hl_clerk;
CREATE ROLE regress_hl_boss SUPERUSER;
SET client_min_messages = warning;
CREATE SCHEMA den AUTHORIZATION regress_hl_keeper;
CREATE TABLE kit.log (who text, what text);
GRANT USAGE ON SCHEMA kit, den TO PUBLIC;
GRANT INSERT, SELECT ON kit.log TO PUBLIC;
SET ROLE regress_hl_keeper;
CREATE TABLE den.paper AS SELECT id, body FROM tickets(40);
ALTER TABLE den.paper ADD PRIMARY KEY (id);
CREATE FUNCTION den.noted() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO kit.log VALUES (current_user, 'noted'); RETURN true; END $$;
CREATE FUNCTION den.unlocked() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('transaction_read_only', 'off', true); INSERT INTO kit.log VALUES (current_user, 'unlocked'); RETURN true; END $$;
CREATE FUNCTION den.caught() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO kit.log VALUES (current_user, 'caught'); RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$;
CREATE FUNCTION den.risen() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RESET ROLE; RETURN true; END $$;
CREATE FUNCTION den.who() RETURNS text LANGUAGE sql AS 'SELECT current_user || '' '' || current_setting(''search_path'') || '' '' || current_setting(''transaction_read_only'')';
-- what is found first in somebody's own schema
CREATE FUNCTION den.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'planted' $$;
CREATE FUNCTION den.always(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR den.~* (FUNCTION = den.always, LEFTARG = text, RIGHTARG = text);
SELECT project FROM hl_create_project('den', 'den.paper', 'body');
RESET ROLE;
CREATE FUNCTION kit.definer() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO kit.log VALUES (current_user, 'definer'); RETURN true; END $$;
SET ROLE regress_hl_keeper;
SET search_path = den, public, pg_catalog;
SELECT hl_add_rule('den', 'noted', 'den.noted()', 'a'), hl_add_rule('den', 'unlocked', 'den.unlocked()', 'a'), hl_add_rule('den', 'caught', 'den.caught()', 'a'), hl_add_rule('den', 'definer', 'kit.definer()', 'a'), hl_add_rule('den', 'risen', 'den.risen()', 'a'),
	hl_add_rule('den', 'path', 'lower(body) = ''planted'' OR body ~* ''no such words''', 'a'), hl_add_rule('den', 'who', 'den.who()'), hl_add_rule('den', 'copied', '(SELECT true FROM den.paper p WHERE p.id = s.id FOR UPDATE)', 'a');
SELECT hl_add_rule('den', 'seen', 'EXISTS (SELECT FROM den.paper p WHERE p.id = s.id + 1)', 'a'), hl_add_rule('den', 'numbered', 'nextval(''public.looked'') > 0', 'a'), hl_add_rule('den', 'settings', 'set_config(''work_mem'', ''64kB'', false) IS NOT NULL', 'a');
SELECT hl_refresh('den') > 0 AS refreshed;
RESET search_path;
SELECT rule, state, skipped, round(coverage * 40) AS rows, error FROM hl_rules('den');
SELECT label FROM hl_rule_votes('den', '1') WHERE rule = 'who';
RESET ROLE;
SELECT * FROM kit.log;
-- a superuser who refreshes runs none of it with his rights, nor loses his settings
SET ROLE regress_hl_boss;
SELECT hl_enable_rule('den', rule) FROM hl_rules('den') WHERE rule IN ('noted', 'who', 'settings');
SELECT hl_refresh('den');
SELECT label FROM hl_rule_votes('den', '1') WHERE rule = 'who';
SELECT current_user, current_setting('work_mem') <> '64kB' AS kept;
RESET ROLE;
SELECT * FROM kit.log;
-- the parser runs what somebody has put into a type: this, too, may neither write nor leave anything behind
SET ROLE regress_hl_keeper;
CREATE TABLE den.switch (fails boolean);
CREATE FUNCTION den.fine(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM den.switch) THEN PERFORM 1 / count(*) FROM den.switch WHERE NOT fails; END IF; RETURN true; END $$;
CREATE FUNCTION den.notes(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO kit.log VALUES (current_user, 'parsed'); RETURN true; END $$;
CREATE FUNCTION den.waits(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN true; END $$;
CREATE DOMAIN den.fine_text AS text CHECK (den.fine(value));
CREATE DOMAIN den.noting_text AS text CHECK (den.notes(value));
CREATE DOMAIN den.waiting_text AS text CHECK (den.waits(value));
SELECT error_of($$SELECT hl_add_rule('den', 'parsed', 'body = ANY (''{x}''::den.noting_text[])', 'a')$$);
SELECT error_of($$SELECT hl_set_targets('den', 'body = ANY (''{x}''::den.noting_text[])')$$);
RESET ROLE;
SET humanloop.rule_timeout = 100;
SET ROLE regress_hl_keeper;
SELECT error_of($$SELECT hl_add_rule('den', 'waits', 'body = ANY (''{x}''::den.waiting_text[])', 'a')$$);
RESET ROLE;
RESET humanloop.rule_timeout;
SET ROLE regress_hl_keeper;
SELECT hl_add_rule('den', 'fine', 'body = ANY (''{x}''::den.fine_text[])', 'a'), hl_add_rule('den', 'object', 'pg_catalog.lo_create(0) > 0', 'a'), hl_add_rule('den', 'locked', 'pg_advisory_xact_lock(1) IS NOT NULL', 'a');
INSERT INTO den.switch VALUES (true);
BEGIN;
SELECT hl_refresh('den');
SELECT count(*) AS locks FROM pg_locks WHERE locktype = 'advisory';
COMMIT;
SELECT rule, state, error FROM hl_rules('den') WHERE rule IN ('fine', 'object', 'locked');
SELECT hl_drop_rule('den', 'fine'), hl_drop_rule('den', 'object'), hl_drop_rule('den', 'locked');
RESET ROLE;
SELECT * FROM kit.log;
SELECT count(*) AS objects FROM pg_largeobject_metadata WHERE lomowner = 'regress_hl_keeper'::regrole;
-- only the owner adds a rule
SET ROLE regress_hl_keeper;
SELECT hl_grant('den', 'regress_hl_clerk', 'manage');
GRANT SELECT ON den.paper TO regress_hl_clerk;
SET ROLE regress_hl_clerk;
SELECT error_of($$SELECT hl_add_rule('den', 'mine', 'true', 'a')$$), error_of($$SELECT hl_drop_rule('den', 'who')$$), error_of($$SELECT hl_disable_rule('den', 'who')$$), error_of($$SELECT hl_enable_rule('den', 'who')$$);
SELECT count(*) FROM hl_rules('den');
RESET ROLE;
-- nor an owner who has no rights on the source any more
ALTER VIEW den.hl_queue_den OWNER TO regress_hl_clerk;
SET ROLE regress_hl_clerk;
SELECT error_of($$SELECT hl_add_rule('den', 'mine', 'true', 'a')$$);
RESET ROLE;
SET ROLE regress_hl_boss;
UPDATE den.paper SET body = body || '?' WHERE id < 4;
SELECT hl_refresh('den') > 0 AS refreshed;
SELECT DISTINCT state, error FROM hl_rules('den') WHERE rule IN ('seen', 'path');
RESET ROLE;

-- ----------------------------------------------------------------------
-- A model of rules alone: what others say of it
-- ----------------------------------------------------------------------

SELECT project FROM hl_create_project('why', 'letter', 'body', options => '{"target_error": 0.05}');
SELECT hl_add_rule('why', 'charged', 'body ~* ''charged|invoice|bill|debited''', 'billing'), hl_add_rule('why', 'parcel', 'body ~ ''parcel|courier|shipment|tracking''', 'delivery'), hl_add_rule('why', 'odd', 'CASE WHEN id % 2 = 1 THEN ''billing'' ELSE ''delivery'' END');
SELECT labels, classes, accuracy, log_loss FROM hl_train('why');
SELECT threshold, audited, explanation IS NOT NULL AS explained FROM hl_handover('why');
SELECT decision, count(*) > 100 AS many FROM hl_predict('why') GROUP BY 1;
SELECT label, probability BETWEEN 0 AND 1 AS probability, estimate FROM hl_prediction_set('why', 'where is the parcel') ORDER BY 1;
-- nothing was measured
SELECT (SELECT count(*) FROM hl_metrics('why')) AS metrics, (SELECT count(*) FROM hl_reliability('why')) AS bins, (SELECT count(*) FROM hl_confusion('why')) AS cells;
SELECT labels, accuracy, low, high FROM hl_learning_curve('why');
SELECT kind, hl_plot('why', kind, 'text') FROM unnest('{learning_curve,calibration,confusion}'::text[]) kind;
SELECT error_of($$SELECT hl_forecast('why')$$);
SELECT criterion, value, met FROM hl_stop('why');
SELECT (SELECT count(*) FROM hl_suspects('why')) AS suspects, (SELECT count(*) FROM hl_disputes('why')) AS disputes, (SELECT count(*) FROM hl_drift('why')) AS drift;
-- rules that have said something of rows with this text
CREATE VIEW same AS SELECT l.id, l.body, (SELECT array_agg(DISTINCT (v.rule, v.label)::text ORDER BY (v.rule, v.label)::text) FROM letter o, hl_rule_votes('why', o.id::text) v WHERE o.body = l.body) AS said,
	(SELECT array_agg((e.feature, e.label)::text ORDER BY (e.feature, e.label)::text) FROM hl_explain('why', l.body) e WHERE e.kind = 'rule') AS explained FROM letter l;
SELECT count(*) > 10 AS some, bool_and(said = explained) AS same FROM same WHERE id <= 20;
SELECT body AS said FROM letter WHERE id = 7 \gset
SELECT kind, feature, label, weight FROM hl_explain('why', :'said') WHERE kind = 'rule' AND feature <> 'odd';
SELECT count(*) FROM hl_explain('why', 'an invoice for the parcel') WHERE kind = 'rule';
-- as with hl_rule_votes, not for everybody
SELECT hl_grant('why', 'regress_hl_clerk', 'predict');
SET ROLE regress_hl_clerk;
SELECT count(*) FILTER (WHERE kind = 'label') AS labels, count(*) FILTER (WHERE kind = 'rule') AS rules FROM hl_explain('why', :'said');
RESET ROLE;
DROP VIEW same;
-- and what the next ones are: it is no point of a learning curve
SELECT hl_label_many('why', array_agg(id::text), array_agg(topic)) FROM letter WHERE id <= 30 AND topic IN ('billing', 'delivery');
SELECT labels > 0 AS labelled, accuracy IS NULL AS unknown FROM hl_train('why');
SELECT error_of($$SELECT hl_forecast('why')$$);
SELECT criterion, value IS NULL AS unknown FROM hl_stop('why') WHERE criterion = 'gain';
SELECT hl_label_many('why', array_agg(id::text), array_agg(topic)) FROM letter WHERE id BETWEEN 31 AND 60 AND topic IN ('billing', 'delivery');
SELECT labels > 0 AS labelled FROM hl_train('why');
SELECT what, more, accuracy BETWEEN low AND high AS within FROM hl_forecast('why') WHERE more = 0;
SELECT criterion, value IS NULL AS unknown FROM hl_stop('why') WHERE criterion = 'gain';
SELECT count(*) FROM regexp_split_to_table(hl_plot('why', 'learning_curve', 'text'), E'\n') line WHERE line ~ '^ *0 % \+o';
SELECT hl_drop_project('why');

-- ----------------------------------------------------------------------
-- Several inputs: how much each counts is found with rules as without
-- ----------------------------------------------------------------------

CREATE TABLE mail AS SELECT id, body, left(body, 12) AS subject, topic FROM letter;
ALTER TABLE mail ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('mails', 'mail', ARRAY['subject', 'body'], options => '{"dimensions": 16}');
SELECT hl_add_rule('mails', 'charged', 'body ~* ''charged|invoice|bill|debited''', 'billing'), hl_add_rule('mails', 'parcel', 'body ~ ''parcel|courier|shipment|tracking''', 'delivery');
SELECT labels FROM hl_train('mails');
SELECT hl_label_many('mails', array_agg(id::text), array_agg(topic)) FROM mail WHERE id <= 40 AND topic IN ('billing', 'delivery');
SELECT labels > 0 AS labelled, accuracy > 0.5 AS right FROM hl_train('mails');
SELECT hl_drop_project('mails');
DROP TABLE mail;

-- ----------------------------------------------------------------------
-- Figures: a label that is held out does not come back through the rules
-- ----------------------------------------------------------------------

-- a rule for each word, which speaks of few rows, and labels by lot
CREATE FUNCTION kit.word(n int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'w' || chr(97 + n % 26) || chr(97 + n / 26) || 'q' $$;
CREATE TABLE noise AS SELECT i AS id, (SELECT string_agg(kit.word(get_byte(decode(md5(i || '/' || j), 'hex'), 0) % 52), ' ') FROM generate_series(1, 3) j) AS body, CASE WHEN get_byte(decode(md5('label' || i), 'hex'), 0) < 128 THEN 'a' ELSE 'b' END AS label FROM generate_series(1, 1200) i;
ALTER TABLE noise ADD PRIMARY KEY (id);
SELECT project FROM hl_create_project('noise', 'noise', 'body');
SELECT count(hl_add_rule('noise', kit.word(n), format('body ~ %L', kit.word(n)), CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END)) FROM generate_series(0, 51) n;
SELECT hl_label_many('noise', array_agg(id::text), array_agg(label)) FROM noise WHERE id <= 60;
SELECT accuracy < 0.62 AS guesses, log_loss > 0.65 AS knows_that FROM hl_train('noise');
SELECT hl_drop_project('noise');
DROP TABLE noise;

SELECT hl_drop_project('den'), hl_drop_project('desk'), hl_drop_project('closed');
SELECT (SELECT count(*) FROM hl_rule) AS rules, (SELECT count(*) FROM hl_rule_state) AS states, (SELECT count(*) FROM hl_rule_vote) AS votes;
DROP VIEW figures;
DROP SCHEMA den, kit CASCADE;
DROP TABLE letter, given CASCADE;
DROP SEQUENCE looked;
DROP FUNCTION refused;
DROP ROLE regress_hl_keeper, regress_hl_clerk, regress_hl_boss;
