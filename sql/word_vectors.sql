-- Word vectors, from files of GloVe, word2vec and fastText: here from tables.
SET client_min_messages = warning;

-- What COPY brings from a client: a line a row.
CREATE TABLE glove (line text);
COPY glove FROM stdin WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02');
the 0.30 0.31 0.29
send 1.00 0.10 0.05
back 0.90 0.05 0.10
return 0.95 0.00 0.10
take 0.80 0.20 0.00
parcel 0.10 1.00 0.00
courier 0.05 0.95 0.10
shipment 0.00 0.90 0.05
tracking 0.10 0.85 0.00
charged 0.00 0.10 1.00
twice 0.10 0.00 0.90
invoice 0.05 0.05 0.95
refund 0.30 0.00 0.80
Where 0.00 0.70 0.10
\.
SET client_min_messages = notice;
SELECT encoder, kind, dims, bytes > 100 AS bytes FROM hl_import_encoder('glove', 'word_vectors', staging => 'glove');
-- The first ones are the most common.
SELECT encoder FROM hl_import_encoder('few', 'word_vectors', staging => 'glove', options => '{"max_words": 5, "format": "glove"}');
SET client_min_messages = warning;

-- A text is the mean of its words, however they are written.
SELECT hl_embed('glove', 'parcel') = hl_embed('glove', 'PARCEL!') AS same, hl_embed('glove', 'where') = hl_embed('glove', 'Where') AS only_so, hl_embed('glove', 'xyzzy') AS unknown, hl_embed('glove', '') AS empty;
SELECT round(x::numeric, 4) AS x FROM unnest(hl_embed('glove', 'parcel invoice')) WITH ORDINALITY u(x, n) ORDER BY n;
SELECT hl_embed('few', 'parcel') AS beyond;

-- word2vec, as text and binary, in parts.
CREATE TABLE word2vec (file text, part int, data bytea);
INSERT INTO word2vec VALUES ('v.txt', 1, E'2 3\na 1 0 0\nb 0 '), ('v.txt', 2, E'1 0\n');
SELECT encoder, dims FROM hl_import_encoder('w2v', 'word_vectors', staging => 'word2vec');
SELECT hl_embed('w2v', 'b') AS b;
UPDATE word2vec SET file = 'v.bin', data = CASE part WHEN 1 THEN E'2 3\na '::bytea || '\x0000803f0000000000000000'::bytea ELSE E'b '::bytea || '\x000000000000803f00000000'::bytea END;
SELECT encoder, dims FROM hl_import_encoder('binary', 'word_vectors', staging => 'word2vec');
SELECT hl_embed('binary', 'b') = hl_embed('w2v', 'b') AS same;
SELECT hl_drop_encoder(encoder) FROM hl_encoders WHERE encoder IN ('binary', 'w2v');

-- What is wrong with a file is said with its line or word.
CREATE FUNCTION import_of(content bytea, options jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM word2vec;
	INSERT INTO word2vec VALUES ('f', 0, content);
	RETURN error_of(format($q$SELECT hl_import_encoder('bad', 'word_vectors', staging => 'word2vec', options => %L)$q$, options));
END
$$;
SELECT what, import_of(convert_to(what, 'UTF8')) FROM unnest(ARRAY['', E'\n', 'a', E'a 1 2\nb 1', E'a 1 2\nb 1 2 3 4', E'a 1 2\nb 1 x', E'a 1 nan\n', E'a 1 inf\n', E'a 1 1e99\n', E'2 2\na 1 2\n', E'1 2\na 1 2\nb 1 2\n', E'2 0\na\n', E'2 99999\na 1\n']) what;
SELECT import_of('\x1f8b0800'), import_of('\x504b0304');
SELECT import_of(E'2 3\na '::bytea || '\x0000803f00000000'::bytea), import_of(E'1 1\na '::bytea || '\x0000c07f'::bytea);
SELECT import_of(convert_to('a ' || repeat('1', 100000), 'UTF8'));
SELECT options, import_of('a 1 2', options) FROM unnest(ARRAY['{"format": "glove2"}', '{"format": 1}', '{"max_words": 0}', '{"max_words": 1.5}', '{"max_words": 1e20}', '{"pooling": "mean"}', '{"format": "text"}', '{"format": "binary"}']::jsonb[]) options;
SET humanloop.work_mem = '1MB';
SELECT import_of(convert_to((SELECT string_agg('w' || i || ' 1 2 3 4 5 6 7 8', E'\n') FROM generate_series(1, 60000) i), 'UTF8')) ~ '^54000 not enough memory to import "f": \d+ kB are needed, humanloop.work_mem is 1024 kB\n  HINT: Raise humanloop.work_mem, or keep fewer words: option "max_words", at most \d+.$' AS memory;
RESET humanloop.work_mem;
INSERT INTO word2vec VALUES ('g', 0, 'a 1');
SELECT error_of($$SELECT hl_import_encoder('bad', 'word_vectors', staging => 'word2vec')$$);

-- ---------------------------------------------------------------------------
-- Projects: words are weighted by how common they are in the user's own rows
-- ---------------------------------------------------------------------------

CREATE TABLE request AS SELECT id, body, topic FROM tickets(200);
ALTER TABLE request ADD PRIMARY KEY (id);
INSERT INTO request VALUES (1001, 'xyzzy', NULL), (1002, NULL, NULL);
SELECT project, encoder FROM hl_create_project('requests', 'request', 'body', encoder => 'glove');
SELECT hl_label_many('requests', array_agg(id::text), array_agg(topic)) FROM request WHERE id <= 80;
SELECT model, encoder, labels, accuracy > 0.6 AS learns FROM hl_train('requests');
SELECT label FROM hl_predict('requests', 'the courier has not brought my parcel');
SELECT item, reason FROM hl_unencoded('requests') ORDER BY item;
-- 'the' is in nearly every row, and counts for less than it does alone.
SELECT e[1] < g[1] AS weighs_less FROM hl_embed('requests', 'the parcel') e, hl_embed('glove', 'the parcel') g;
SELECT count(*), count(*) FILTER (WHERE a.label = o.label AND abs(a.confidence - o.confidence) < 1e-4) AS same
	FROM hl_predict('requests') a JOIN request r ON r.id::text = a.item, hl_predict('requests', r.body) o;

-- Beside the text's own features, and another, smaller set of words.
SELECT hl_set_encoder('requests', 'text+glove+few');
SELECT encoder, deployed FROM hl_train('requests');
SELECT (SELECT array_agg(key ORDER BY key) FROM jsonb_object_keys(figures -> 'shares') key) AS parts FROM hl_models('requests') WHERE serving;
SELECT label FROM hl_predict('requests', 'the courier has not brought my parcel');
SELECT error_of($$SELECT hl_drop_encoder('few')$$);

-- How much each part counts can be given, if the names are those of the parts.
SELECT encoder FROM hl_create_project('weighed', 'request', 'body', encoder => 'text+glove', options => '{"shares": {"glove": 3, "text": 1}}');
SELECT hl_label_many('weighed', array_agg(id::text), array_agg(topic)) FROM request WHERE id <= 80;
SELECT deployed FROM hl_train('weighed');
SELECT figures FROM hl_models('weighed');
SELECT hl_set_encoder('weighed', 'text+few');
SELECT deployed FROM hl_train('weighed');
SELECT jsonb_array_length(figures -> 'tried') AS tried FROM hl_models('weighed') WHERE serving;
SELECT hl_drop_project('weighed');
SELECT shares, error_of(format($$SELECT hl_create_project('x', 'request', 'body', options => '{"shares": %s}')$$, shares)) FROM unnest(ARRAY['1', '[1]', '"text"', '{}', '{"text": "1"}', '{"text": -1}', '{"text": 0}', '{"text": 1e300}', '{"text": {}}',
	(SELECT jsonb_object_agg(i, 1)::text FROM generate_series(1, 17) i)]) shares;
SELECT strategy, count(*) FROM hl_simulate('request', 'body', 'topic', strategies => '{random}', rounds => 2, runs => 1, encoder => 'text+glove', options => '{"shares": {"glove": 0.5, "text": 0.5}}') GROUP BY 1;
SELECT strategy, count(*), max(accuracy) > 0.5 AS learns FROM hl_simulate('request', 'body', 'topic', strategies => '{random}', rounds => 5, runs => 1, encoder => 'glove') GROUP BY 1;

-- Weights that are not those of these words are damage.
UPDATE hl_encoder_part SET data = (SELECT data FROM hl_encoder_part p JOIN hl_encoder e ON e.id = p.encoder_id WHERE e.name = 'few')
	FROM hl_encoder e WHERE e.id = encoder_id AND e.name = 'glove' AND part = 0;
\c -
SET client_min_messages = warning;
SELECT error_of($$SELECT hl_predict('requests', 'parcel')$$);
SELECT hl_drop_project('requests');
SELECT hl_drop_encoder(encoder) FROM hl_encoders;
DROP TABLE request, glove, word2vec;
DROP FUNCTION import_of;
