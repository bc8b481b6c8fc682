-- Rows that say nothing are left out, and hl_unencoded says why.
SET client_min_messages = warning;
-- Before there is an encoder a vector is held against the length that most have.
CREATE TABLE mixed (id int PRIMARY KEY, v real[]);
INSERT INTO mixed SELECT i, ARRAY[i % 3, i % 2, 1, 0] FROM generate_series(1, 40) i;
INSERT INTO mixed VALUES (101, NULL), (102, '{1,0,0}'), (103, '{}'), (104, '{1,0,0,NULL}'), (105, '{1,0,NaN,0}'), (106, '{1,0,0,-Infinity}'), (107, '{0,0,0,0}'), (108, '{1,0,0,0,0}');
SELECT project FROM hl_create_project('mixed', 'mixed', 'v');
SELECT * FROM hl_unencoded('mixed') ORDER BY item;
SELECT hl_label_many('mixed', array_agg(id::text), array_agg('c' || id % 3)) FROM mixed WHERE id <= 20;
SELECT model, labels FROM hl_train('mixed');
SELECT count(*), md5(string_agg(item || reason, ' ' ORDER BY item)) = (SELECT md5(string_agg(id || CASE id WHEN 101 THEN 'NULL' WHEN 102 THEN '3 numbers instead of 4' WHEN 103 THEN 'no numbers' WHEN 107 THEN 'all zero'
	WHEN 108 THEN '5 numbers instead of 4' ELSE 'NULL, NaN or infinity in it' END, ' ' ORDER BY id::text)) FROM mixed WHERE id > 100) AS same FROM hl_unencoded('mixed');
SELECT count(*) AS asked FROM hl_queue WHERE project = 'mixed' AND item::int > 100;
-- Whoever fills the column later is noticed
UPDATE mixed SET v = ARRAY[id % 3, id % 2, 1, 0] WHERE id IN (101, 105);
SELECT hl_refresh('mixed');
SELECT string_agg(item, ' ' ORDER BY item) FROM hl_unencoded('mixed');
SELECT count(*) AS asked FROM hl_queue WHERE project = 'mixed' AND item::int > 100;
-- where most have another length, and where none has any
UPDATE mixed SET v = v || 1::real WHERE id BETWEEN 1 AND 40;
SELECT hl_refresh('mixed');
SELECT count(*) FILTER (WHERE reason = '4 numbers instead of 5') AS short, count(*) FROM hl_unencoded('mixed');
SELECT hl_drop_project('mixed');
UPDATE mixed SET v = '{}' WHERE v IS NOT NULL;
SELECT project FROM hl_create_project('mixed', 'mixed', 'v');
SELECT reason, count(*) FROM hl_unencoded('mixed') GROUP BY 1 ORDER BY 1;
TRUNCATE mixed;
SELECT count(*) FROM hl_unencoded('mixed');
SELECT error_of($$SELECT hl_unencoded(NULL)$$);
SELECT error_of($$SELECT hl_unencoded('nowhere')$$);
SELECT hl_drop_project('mixed');

-- Numbers that real has not: too small is zero, too large infinite, and no scan ends.
CREATE TABLE ranges (id int PRIMARY KEY, d float8[], n numeric[], b bigint[]);
INSERT INTO ranges SELECT i, ARRAY[i % 3, i % 2, 1], ARRAY[i % 3, i % 2, 1], ARRAY[i % 3, i % 2, 1] FROM generate_series(1, 40) i;
INSERT INTO ranges VALUES (101, '{1e-60,1,1}', '{1e-400,1,1}', '{-9223372036854775808,1,1}'), (102, '{1e300,1,1}', '{1e400,1,1}', '{NULL,1,1}'), (103, '{1e-60,1e-60,0}', '{1e-60,0,0}', '{0,0,0}');
SELECT project FROM unnest('{d,n,b}'::text[]) c, hl_create_project(c, 'ranges', c);
SELECT hl_label_many(p, array_agg(id::text), array_agg('c' || id % 3)) FROM ranges, unnest('{d,n,b}'::text[]) p WHERE id <= 20 GROUP BY p;
SELECT p, model, labels FROM unnest('{d,n,b}'::text[]) p, hl_train(p);
SELECT p, u.* FROM unnest('{d,n,b}'::text[]) p, hl_unencoded(p) u ORDER BY 1, 2;
SELECT label = (hl_predict('d', '{0,1,1}'::float8[])).label AS same FROM hl_predict('d') WHERE item = '101';
SELECT count(hl_drop_project(p)) FROM unnest('{d,n,b}'::text[]) p;

-- Texts: what is empty, and, once there is an encoder, what has no known n-gram
CREATE TABLE note (id int PRIMARY KEY, body text);
INSERT INTO note SELECT i, (ARRAY['where is my parcel', 'I was charged twice', 'please take it back'])[1 + i % 3] || ' ' || i % 7 FROM generate_series(1, 60) i;
INSERT INTO note VALUES (101, NULL), (102, ''), (103, ' '), (104, '!?'), (105, U&'\4E2D\6587');
SELECT project FROM hl_create_project('notes', 'note', 'body');
SELECT * FROM hl_unencoded('notes') ORDER BY item;
SELECT hl_label_many('notes', array_agg(id::text), array_agg('c' || id % 3)) FROM note WHERE id <= 30;
SELECT model FROM hl_train('notes');
SELECT * FROM hl_unencoded('notes') ORDER BY item;
SELECT hl_drop_project('notes');

-- Rows are those that the caller may see.
CREATE ROLE regress_hl_reader;
CREATE TABLE own_note (id int PRIMARY KEY, body text, owner name);
INSERT INTO own_note VALUES (1, '', 'regress_hl_reader'), (2, '', 'postgres'), (3, 'where is my parcel', 'regress_hl_reader');
ALTER TABLE own_note ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON own_note USING (owner = current_user);
SELECT project FROM hl_create_project('own', 'own_note', 'body');
SELECT hl_grant('own', 'regress_hl_reader', 'predict');
SET ROLE regress_hl_reader;
SELECT left(error_of($$SELECT hl_unencoded('own')$$), 5);
RESET ROLE;
GRANT SELECT ON own_note TO regress_hl_reader;
SET ROLE regress_hl_reader;
SELECT * FROM hl_unencoded('own');
RESET ROLE;
SELECT count(*) FROM hl_unencoded('own');
SELECT hl_drop_project('own');

DROP TABLE mixed, note, own_note;
DROP ROLE regress_hl_reader;
