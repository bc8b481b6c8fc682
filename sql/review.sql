-- Agreement, disputes, comments, flags, and what reviewers settle.
SET client_min_messages = warning;
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text, ambiguous boolean);
INSERT INTO ticket SELECT * FROM tickets(420);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
-- what an item is taken as is seen by what the training has learned
CREATE FUNCTION taken_as(item text) RETURNS text LANGUAGE sql AS $$
	SELECT m.classes[1 + l.labels[array_position(l.items, $1)]] FROM hl_model_label l JOIN hl_model m USING (project_id, model) ORDER BY model DESC LIMIT 1
$$;

-- ----------------------------------------------------------------------
-- Agreement: one and nobody, then Krippendorff's example with gaps
-- ----------------------------------------------------------------------

SELECT * FROM hl_agreement('tickets');
SELECT hl_label_many('tickets', '{1,2,3}', '{a,b,a}', 'ann');
SELECT * FROM hl_agreement('tickets');
SELECT hl_undo('tickets', i, 'ann') FROM generate_series(1, 3) i;
SELECT who, hl_label_many('tickets', array_agg(n::text), array_agg(v), who)
FROM (VALUES ('ann', '123321412...'), ('bob', '1233224125.3'), ('cid', '.3332342251.'), ('dan', '12332441251.')) d(who, said), regexp_split_to_table(said, '') WITH ORDINALITY s(v, n)
WHERE v <> '.' GROUP BY who ORDER BY who;
SELECT measure, annotators, class, round(value::numeric, 3) AS value, low <= value AND value <= high AS within, items FROM hl_agreement('tickets');
-- the same each time
SELECT count(*) AS figures FROM (SELECT * FROM hl_agreement('tickets') INTERSECT SELECT * FROM hl_agreement('tickets')) f;
SELECT hl_skip('tickets', 12, 'cannot tell', 'ann');
SELECT value, items FROM hl_agreement('tickets') WHERE measure = 'cohen_kappa' AND annotators = '{ann,bob}';
SELECT count(hl_undo('tickets', item, annotator)) FROM hl_labels;
SELECT hl_undo('tickets', 12, 'ann');

-- ----------------------------------------------------------------------
-- Disputes
-- ----------------------------------------------------------------------

-- before there is a model, the votes are all that is known
SELECT hl_label_many('tickets', '{1,2,3,4}', '{delivery,billing,returns,delivery}', who) FROM unnest('{ann,bob}'::text[]) who;
SELECT hl_label_many('tickets', '{1,2,3}', '{billing,billing,delivery}', 'cid'), hl_label_many('tickets', '{3}', '{billing}', 'dan');
SELECT hl_skip('tickets', 4, NULL, 'dan');
SELECT item, answers, label, probability BETWEEN 0.5 AND 1 AS likely, aleatoric, epistemic, kind, comments, flags, settled FROM hl_disputes('tickets') ORDER BY item;
SELECT count(hl_undo('tickets', item, annotator)) FROM hl_labels;
-- 300 items that two label; they are of other opinions where a ticket is of two
-- classes, and one is wrong now and then, where a third one is right
CREATE TABLE wrong AS SELECT id, (ARRAY['returns', 'delivery', 'billing'])[1 + (id + 1 + id / 9 % 2) % 3] AS topic FROM ticket WHERE id <= 300 AND NOT ambiguous AND id % 10 = 3;
SELECT count(*), count(*) FILTER (WHERE w.topic = t.topic) AS right_after_all FROM wrong w JOIN ticket t USING (id);
CREATE TABLE said AS SELECT 'ann' AS who, id, topic FROM ticket WHERE id <= 300
	UNION ALL SELECT 'bob', t.id, coalesce(w.topic, CASE WHEN t.ambiguous THEN (SELECT o.topic FROM ticket o WHERE o.id = (t.id + 1) % 3 + 1) ELSE t.topic END) FROM ticket t LEFT JOIN wrong w USING (id) WHERE t.id <= 300
	UNION ALL SELECT 'cid', t.id, t.topic FROM ticket t LEFT JOIN wrong w USING (id) WHERE t.id <= 300 AND (w.id IS NOT NULL OR t.id % 3 = t.id / 3 % 3) AND NOT ambiguous;
SELECT who, hl_label_many('tickets', array_agg(id::text), array_agg(topic), who) FROM said GROUP BY who ORDER BY who;
SELECT labels FROM hl_train('tickets');
SELECT t.ambiguous, count(*), count(*) FILTER (WHERE d.kind = 'ambiguous') > 0.6 * count(*) AS mostly_ambiguous, count(*) FILTER (WHERE d.kind = 'suspicious') > 0.6 * count(*) AS mostly_suspicious,
	bool_and(d.aleatoric > 0 AND d.epistemic > 0) AS scored, bool_or(d.settled) AS settled
FROM hl_disputes('tickets') d JOIN ticket t ON t.id = d.item::int GROUP BY 1 ORDER BY 1;
-- whatever the folds are
SELECT project FROM generate_series(1, 3) seed, hl_create_project('seed_' || seed, 'ticket', 'body', options => jsonb_build_object('random_seed', seed));
SELECT count(hl_label_many(p.project, s.items, s.topics, s.who)) FROM hl_projects p, (SELECT who, array_agg(id::text) AS items, array_agg(topic) AS topics FROM said GROUP BY who) s WHERE p.project LIKE 'seed%';
SELECT p.project, (hl_train(p.project)).labels FROM hl_projects p WHERE project LIKE 'seed%' ORDER BY 1;
SELECT p.project, avg((d.kind = CASE WHEN t.ambiguous THEN 'ambiguous' ELSE 'suspicious' END)::int) > 0.65 AS mostly_told_apart FROM hl_projects p, hl_disputes(p.project) d, ticket t WHERE p.project LIKE 'seed%' AND t.id = d.item::int GROUP BY 1 ORDER BY 1;
SELECT hl_drop_project(project) FROM hl_projects WHERE project LIKE 'seed%';
-- the least certain first
SELECT bool_and(d.probability >= d.before) AS in_order FROM (SELECT probability, lag(probability, 1, 0) OVER (ORDER BY n) AS before FROM hl_disputes('tickets') WITH ORDINALITY d(item, answers, label, probability, a, e, kind, comments, flags, settled, n)) d;
SELECT item, answers, label, probability > 0.5 AS likely, comments, flags, settled FROM hl_disputes('tickets') WHERE item = '13';
-- a row that has left the source is nothing to settle
SELECT count(*) AS disputes FROM hl_disputes('tickets') \gset
DELETE FROM ticket WHERE id = 13;
SELECT hl_refresh('tickets') IS NOT NULL AS refreshed;
SELECT :disputes - count(*) AS fewer FROM hl_disputes('tickets');
INSERT INTO ticket SELECT * FROM tickets(13) WHERE id = 13;

-- ----------------------------------------------------------------------
-- Comments and flags
-- ----------------------------------------------------------------------

SET humanloop.annotator = 'ann';
SELECT hl_comment('tickets', 63, 'could be either') < hl_comment('tickets', ' 063 '::text, 'or neither') AS ids_grow;
SELECT hl_flag('tickets', 63), hl_flag('tickets', 33::smallint, 'rude');
SET humanloop.annotator = 'bob';
SELECT hl_flag('tickets', '63', 'no'), hl_flag('tickets', 63, 'not a ticket');
SELECT project, item, comment, annotator, commented_at <= clock_timestamp() AS dated FROM hl_comments ORDER BY id;
SELECT project, item, reason, annotator, flagged_at <= clock_timestamp() AS dated FROM hl_flags ORDER BY item, annotator;
SELECT item, comments, flags FROM hl_disputes('tickets') WHERE comments + flags > 0 ORDER BY item;
-- a superuser may review
SELECT hl_delete_comment('tickets', max(id)) FROM hl_comments;
SELECT hl_unflag('tickets', 63), hl_unflag('tickets', 33, 'ann');
SELECT item, comment FROM hl_comments;
SELECT item, annotator FROM hl_flags;
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_comment('tickets', 999, 'x')$$,
	$$SELECT hl_comment('tickets', NULL::int, 'x')$$,
	$$SELECT hl_comment('tickets', 1, NULL)$$,
	$$SELECT hl_comment('tickets', 1, E' \n')$$,
	$$SELECT hl_comment('nothing', 1, 'x')$$,
	$$SELECT hl_delete_comment('tickets', 0)$$,
	$$SELECT hl_delete_comment('tickets', NULL)$$,
	$$SELECT hl_flag('tickets', 999, 'x')$$,
	$$SELECT hl_unflag('tickets', 63)$$,
	$$SELECT hl_unflag('tickets', 63, 'nobody')$$]) s;

-- ----------------------------------------------------------------------
-- Settling
-- ----------------------------------------------------------------------

SET humanloop.annotator = 'rita';
-- it wins over all answers, of whom ever and however late
SELECT taken_as('63') AS before, taken_as('33') AS other;
SELECT hl_settle('tickets', 63, 'billing', 'says so in line 2') > 0 AS settled, hl_settle('tickets', '33', 'delivery') > 0 AS settled_too;
SELECT hl_label('tickets', 63, 'delivery', 'eve') > 0 AS labelled;
SELECT labels FROM hl_train('tickets');
SELECT taken_as('63') AS settled, taken_as('33') AS settled_too;
SELECT item, label, probability, settled FROM hl_disputes('tickets') WHERE settled OR item = '63' ORDER BY item;
-- what is settled comes last
SELECT bool_and(settled = (n > open)) AS last FROM (SELECT settled, row_number() OVER () AS n, count(*) FILTER (WHERE NOT settled) OVER () AS open FROM hl_disputes('tickets')) d;
-- settled anew, and taken back
SELECT hl_settle('tickets', 63, 'returns') > 0 AS again, hl_unsettle('tickets', 33, 'too hasty');
SELECT labels FROM hl_train('tickets');
SELECT taken_as('63') AS settled, taken_as('33') AS taken_back;
SELECT item, action, label, reviewer, reason, holds FROM hl_settlements ORDER BY id;
SELECT error_of($$DELETE FROM hl_settlements$$) LIKE '55000%' AS not_deletable;
-- answers go on to be answers
SELECT count(*) FROM hl_labels WHERE item = '63';
-- an item that nobody has labelled is labelled then, and leaves the queue
SELECT item AS asked FROM hl_queue WHERE rank = 1 \gset
SELECT labelled FROM hl_projects \gset
SELECT hl_settle('tickets', :'asked'::text, 'billing') > 0 AS settled;
SELECT count(*) AS queued FROM hl_queue WHERE item = :'asked';
SELECT count(*) AS handed_out FROM hl_next('tickets', 200, 'gil') WHERE item = :'asked';
SELECT labelled - :labelled AS more FROM hl_projects;
SELECT hl_unsettle('tickets', :'asked'::text);
SELECT count(*) AS queued FROM hl_queue WHERE item = :'asked';
SELECT count(*) AS handed_out FROM hl_next('tickets', 200, 'hal') WHERE item = :'asked';
SELECT labelled - :labelled AS more FROM hl_projects;
-- in a rebuilt queue as well
SELECT hl_settle('tickets', :'asked'::text, 'billing') > 0 AS settled, hl_refresh('tickets') IS NOT NULL AS refreshed;
SELECT count(*) AS queued FROM hl_queue WHERE item = :'asked';
SELECT count(*) AS ranked FROM hl_ranking WHERE :'asked' = ANY (items) AND part <> 'targets';
-- the row may have gone before its settlement is taken back
SELECT hl_settle('tickets', 400, 'billing') > 0 AS settled;
DELETE FROM ticket WHERE id = 400;
SELECT error_of($$SELECT hl_settle('tickets', 400, 'returns')$$);
SELECT hl_unsettle('tickets', '0400');
SELECT error_of(s) FROM unnest(ARRAY[
	$$SELECT hl_settle('tickets', 63, NULL)$$,
	$$SELECT hl_settle('tickets', 63, ' ')$$,
	$$SELECT hl_settle('tickets', NULL::text, 'x')$$,
	$$SELECT hl_settle('nothing', 1, 'x')$$,
	$$SELECT hl_unsettle('tickets', 400)$$,
	$$SELECT hl_unsettle('tickets', 1)$$,
	$$SELECT hl_unsettle('tickets', 33)$$,
	$$SET LOCAL humanloop.annotator = 'source'; SELECT hl_settle('tickets', 63, 'x')$$]) s;

-- ----------------------------------------------------------------------
-- Classes that change
-- ----------------------------------------------------------------------

SELECT hl_settle('tickets', 40, 'spam') > 0 AS settled;
-- a class that only a reviewer has named is one
SELECT hl_rename_class('tickets', 'spam', 'junk');
SELECT error_of($$SELECT hl_rename_class('tickets', 'billing', 'junk')$$);
SELECT hl_merge_classes('tickets', '{junk,returns}', 'delivery') > 0 AS merged;
SELECT item, action, label, reviewer, reason, holds FROM hl_settlements WHERE item IN ('63', '40') ORDER BY id;
SELECT hl_remove_class('tickets', 'delivery') > 0 AS removed;
SELECT item, action, label, reason, holds FROM hl_settlements WHERE item IN ('63', '40') ORDER BY id DESC LIMIT 2;
SELECT count(*) AS left FROM hl_settlements WHERE holds AND label = 'delivery';

-- A closed list, other types of keys.
CREATE TABLE letter (code uuid PRIMARY KEY, body text);
INSERT INTO letter SELECT md5(id::text)::uuid, body FROM tickets(20);
SELECT project FROM hl_create_project('letters', 'letter', 'body', classes => '{good,bad}');
SELECT hl_settle('letters', md5('1')::uuid, 'good') > 0 AS settled, hl_comment('letters', md5('1')::uuid, 'x') > 0 AS commented, hl_flag('letters', md5('1')::uuid);
SELECT error_of($$SELECT hl_settle('letters', md5('2')::uuid, 'ugly')$$), error_of($$SELECT hl_settle('letters', 2, 'good')$$);
SELECT hl_rename_class('letters', 'good', 'fine');
SELECT label, holds FROM hl_settlements WHERE project = 'letters' ORDER BY id;
SELECT hl_unsettle('letters', md5('1')::uuid), hl_unflag('letters', md5('1')::uuid);

-- They go with the project.
SELECT hl_drop_project('letters'), hl_drop_project('tickets');
SELECT (SELECT count(*) FROM hl_settlement) AS settlements, (SELECT count(*) FROM hl_item_comment) AS comments, (SELECT count(*) FROM hl_item_flag) AS flags;
RESET humanloop.annotator;
DROP TABLE ticket, letter, wrong, said;
DROP FUNCTION taken_as;
