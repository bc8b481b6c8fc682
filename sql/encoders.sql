-- Encoders that are imported from files: here from the rows of a table.
SET client_min_messages = warning;

-- A small BERT.
SELECT make_shape('bert', words => 40, positions => 16, layers => 1);
INSERT INTO good VALUES
	('config.json', 0, '{"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 40, "max_position_embeddings": 16, "type_vocab_size": 2, "hidden_act": "gelu"}'),
	('vocab.txt', 0, E'[PAD]\\012[UNK]\\012[CLS]\\012[SEP]\\012'),
	-- a file may come in parts
	('vocab.txt', 1, convert_to((SELECT string_agg(w, E'\n') FROM unnest('{parcel,refund,invoice,courier,charged,return,back,card,shipment,send,the,my,for,is,where}'::text[] || ARRAY(SELECT chr(96 + i) FROM generate_series(1, 21) i)) w), 'UTF8')),
	('model.safetensors', 0, safetensors(header()::text));

SELECT encoder, kind, dims, bytes > 4000 AS enough, bytes AS imported FROM hl_import_encoder('small', 'transformer', staging => 'good') \gset
SELECT :'encoder' AS encoder, :'kind' AS kind, :dims AS dims, :'enough' AS bytes, (SELECT bytes FROM hl_encoders) = :imported AS the_same;
SELECT encoder, kind, dims, bytes > 4000 AS bytes, owner = current_user AS ours, shared, projects FROM hl_encoders;

-- The name is taken; others cannot be given to one; nothing to import.
SELECT error_of($$SELECT hl_import_encoder('small', 'transformer', staging => 'good')$$);
SELECT error_of(format('SELECT hl_import_encoder(%L, %L, staging => %L)', name, 'transformer', 'good')) FROM unnest('{text,vector,auto,Small,a+b,"",9}'::text[]) name;
SELECT error_of($$SELECT hl_import_encoder(NULL, 'transformer', staging => 'good')$$);
SELECT error_of($$SELECT hl_import_encoder('x', 'glove', staging => 'good')$$);
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer')$$);
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', path => '/tmp', staging => 'good')$$);
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', path => 'minilm')$$);
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', path => '/nowhere/at/all')$$);
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'shape')$$);
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', large_objects => '[1]')$$);
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', large_objects => '{"config.json": "1"}')$$);
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', large_objects => '{"config.json": 999999}')$$);
SELECT error_of(format($$SELECT hl_import_encoder('x', 'transformer', staging => 'good', options => %L)$$, options)) FROM unnest(ARRAY['[]', '{"pool": 1}', '{"pooling": "max"}', '{"max_tokens": 2}', '{"max_tokens": 17}', '{"max_tokens": "x"}']) options;

-- ---------------------------------------------------------------------------
-- Files that are damaged, or not what they seem to be
-- ---------------------------------------------------------------------------

CREATE FUNCTION config_with(changes jsonb) RETURNS bytea
LANGUAGE sql STABLE AS $$
	SELECT convert_to((convert_from(data, 'UTF8')::jsonb || changes)::text, 'UTF8') FROM good WHERE file = 'config.json'
$$;

SELECT file, import_with(file, NULL) FROM (SELECT DISTINCT file FROM good) f ORDER BY file;
SELECT what, import_with('config.json', what::bytea) FROM unnest(ARRAY['', '{', 'null', '[1]', '{"hidden_size": 8}', '\377\376']) what;
SELECT changes, import_with('config.json', config_with(changes)) FROM unnest(ARRAY[
	'{"model_type": "gpt2"}', '{"hidden_act": "relu"}', '{"position_embedding_type": "relative_key"}', '{"hidden_size": 12}', '{"hidden_size": 1e9}', '{"hidden_size": 8.5}',
	'{"hidden_size": "8"}', '{"num_attention_heads": 3}', '{"num_hidden_layers": 2}', '{"num_hidden_layers": 0}', '{"vocab_size": 41}', '{"vocab_size": 5}', '{"layer_norm_eps": "x"}',
	'{"layer_norm_eps": -1}', '{"max_position_embeddings": 2}', '{"model_type": "roberta", "max_position_embeddings": 2, "pad_token_id": 5}']::jsonb[]) changes;
SELECT import_with('config.json', replace(convert_from(config_with('{"layer_norm_eps": 1}'), 'UTF8'), '"layer_norm_eps": 1', '"layer_norm_eps": 1e999')::bytea);
SELECT import_with('config.json', convert_to(repeat('[', 100000), 'UTF8')) ~ '^54001 stack depth limit exceeded' AS nested;

SELECT what, import_with('vocab.txt', what::bytea) FROM unnest(ARRAY['', '[UNK]', E'[UNK]\n[CLS]\n[SEP]\n\na', E'[UNK]\n[CLS]\n[SEP]\na\na']) what;
SELECT import_with('vocab.txt', convert_to(E'[UNK]\n[CLS]\n[SEP]\n' || repeat('x', 2000), 'UTF8'));
-- More pieces than there are vectors.
SELECT import_with('vocab.txt', convert_to(E'[UNK]\n[CLS]\n[SEP]\n' || (SELECT string_agg('w' || i, E'\n') FROM generate_series(1, 50) i), 'UTF8'));

-- tokenizer.json comes before vocab.txt.
CREATE FUNCTION tokenizer_with(changes jsonb, vocabulary text) RETURNS text
LANGUAGE sql AS $$
	SELECT import_with('tokenizer.json', convert_to(replace((jsonb_build_object(
		'normalizer', '{"type": "BertNormalizer", "lowercase": true}'::jsonb,
		'pre_tokenizer', '{"type": "BertPreTokenizer"}'::jsonb,
		'post_processor', '{"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]}'::jsonb,
		'model', '{"type": "WordPiece", "vocab": "@", "unk_token": "[UNK]"}'::jsonb) || changes)::text, '"@"', vocabulary), 'UTF8'))
$$;
SELECT tokenizer_with('{}', '{"[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 0}');
SELECT hl_drop_encoder(encoder) FROM hl_encoders WHERE encoder = 'bad';
SELECT vocabulary, tokenizer_with('{}', vocabulary) FROM unnest(ARRAY['{}', '[]', '{"[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 1}', '{"[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "a": 5}',
	'{"[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "": 4}', '{"[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 40}', '{"[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": -1}', '{"[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4.5}',
	'{"[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": "4"}', '{"[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 99999999999999999999}', '{"[CLS]": 2, "[SEP]": 3}', '{"[UNK]": 1, "[SEP]": 3}', '{"a\u0000": 1}']) vocabulary;
SELECT changes, tokenizer_with(changes, '{"[UNK]": 1, "[CLS]": 2, "[SEP]": 3}') FROM unnest(ARRAY[
	'{"model": null}', '{"model": 1}', '{"model": {"type": "WordLevel", "vocab": "@"}}', '{"normalizer": null}', '{"normalizer": {"type": "NFC"}}', '{"normalizer": {"type": "BertNormalizer", "lowercase": 1}}',
	'{"post_processor": {"type": "BertProcessing"}}', '{"post_processor": {"type": "BertProcessing", "cls": [1], "sep": [2]}}', '{"post_processor": {"type": "ByteLevel"}}',
	'{"post_processor": {"type": "TemplateProcessing", "single": []}}', '{"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}]}}']::jsonb[]) changes;

-- The tensors.
CREATE FUNCTION tensors_with(name text, changes jsonb) RETURNS text
LANGUAGE sql AS $$
	SELECT import_with('model.safetensors', safetensors(jsonb_set(header(), ARRAY[name], header() -> name || changes)::text))
$$;
SELECT length, import_with('model.safetensors', substr(data, 1, length)) FROM good, unnest(ARRAY[0, 7, 8, 9, 100, 1999, 2000, octet_length(data) - 1]) length WHERE file = 'model.safetensors';
SELECT import_with('model.safetensors', '\xffffffffffffff7f'::bytea || 'x');
SELECT import_with('model.safetensors', '\x00e1f50500000000'::bytea || 'x');
SELECT import_with('model.safetensors', safetensors('[]'));
SELECT import_with('model.safetensors', safetensors('{"a": 1}'));
SELECT import_with('model.safetensors', safetensors(repeat('{"a":', 50000))) ~ '^54001 stack depth' AS nested;
SELECT changes, tensors_with('embeddings.LayerNorm.bias', changes) FROM unnest(ARRAY['{"dtype": "F99"}', '{"dtype": 1}', '{"dtype": "I32"}', '{"shape": [9]}', '{"shape": [8, 1]}', '{"shape": [-8]}', '{"shape": [8.0]}',
	'{"shape": [1,1,1,1,1,1,1,1,8]}', '{"shape": [4294967296, 4294967296, 4294967296]}', '{"shape": [18446744073709551616]}', '{"shape": 8}', '{"data_offsets": [0]}', '{"data_offsets": [0, 32]}',
	'{"data_offsets": [32, 0]}', '{"data_offsets": [1000000, 1000032]}', '{"data_offsets": [9223372036854775807, 9223372036854775807]}', '{"data_offsets": ["a", "b"]}']::jsonb[]) changes;
SELECT import_with('model.safetensors', safetensors((header() - 'encoder.layer.0.output.dense.bias')::text));
SELECT import_with('model.safetensors', safetensors('{"__metadata__": {"format": "pt"}}'));
-- A weight that is no number, and one that is infinite.
SELECT weight, import_with('model.safetensors', overlay(data PLACING weight FROM octet_length(data) - 3)) FROM good, unnest(ARRAY['\x0000c07f', '\x0000807f']::bytea[]) weight WHERE file = 'model.safetensors';
-- Parts that are missing, or there twice.
DELETE FROM bad;
INSERT INTO bad SELECT file, part * 5, data FROM good;
SELECT error_of($$SELECT hl_import_encoder('bad', 'transformer', staging => 'bad')$$);
UPDATE bad SET part = 0;
SELECT error_of($$SELECT hl_import_encoder('bad', 'transformer', staging => 'bad')$$);
UPDATE bad SET part = NULL;
SELECT error_of($$SELECT hl_import_encoder('bad', 'transformer', staging => 'bad')$$);
SELECT count(*) FROM hl_encoders;

-- Without a project: vectors for whatever one likes to compare.
SELECT cardinality(hl_embed('small', 'where is my parcel')), hl_embed('small', 'where is my parcel') = hl_embed('small', 'WHERE is my  parcel') AS same, hl_embed('small', 'where is my card') = hl_embed('small', 'where is my parcel') AS other, hl_embed('small', NULL);
SELECT name, cardinality(hl_embed(name, 'x')) FROM unnest('{small,small}'::text[]) name;
SELECT error_of($$SELECT hl_embed('smaller', 'x')$$);
SELECT error_of($$SELECT hl_embed('small', ARRAY[1, 2])$$), error_of($$SELECT hl_embed('small', ARRAY['x'])$$);

-- ---------------------------------------------------------------------------
-- Projects that use it
-- ---------------------------------------------------------------------------

CREATE TABLE request AS SELECT id, body, topic FROM tickets(200);
ALTER TABLE request ADD PRIMARY KEY (id);
SELECT project, encoder FROM hl_create_project('requests', 'request', 'body', encoder => 'small');
SELECT hl_label_many('requests', array_agg(id::text), array_agg(topic)) FROM request WHERE id <= 80;
SELECT model, deployed, encoder, labels FROM hl_train('requests');
SELECT cardinality(hl_embed('requests', 'where is my parcel')), round((SELECT sum(x * x) FROM unnest(hl_embed('requests', 'where is my parcel')) x)::numeric, 5) AS length;
SELECT label IS NOT NULL AS label, confidence > 0 AS confidence, epistemic >= 0 AS epistemic FROM hl_predict('requests', 'where is my parcel');
-- One by one and all together it says the same.
SELECT count(*), count(*) FILTER (WHERE a.label = o.label AND abs(a.confidence - o.confidence) < 1e-4 AND abs(a.epistemic - o.epistemic) < 1e-4) AS same
	FROM hl_predict('requests') a JOIN request r ON r.id::text = a.item, hl_predict('requests', r.body) o;
-- What was computed together is what is computed alone.
INSERT INTO request VALUES (1001, NULL, NULL), (1002, '', NULL), (1003, repeat('where is my parcel ', 1000), NULL);
SELECT hl_refresh('requests');
SELECT item, reason FROM hl_unencoded('requests') ORDER BY item;
SELECT items, encoder FROM hl_projects;
SELECT encoder, projects FROM hl_encoders;
SELECT error_of($$SELECT hl_drop_encoder('small')$$);

-- Another: text and the imported one side by side; labels stay.
SELECT hl_set_encoder('requests', 'text+small');
SELECT encoder, model FROM hl_projects;
SELECT label IS NOT NULL AS answers FROM hl_predict('requests', 'where is my parcel');
SELECT model, deployed, encoder, labels FROM hl_train('requests');
SELECT model, serving, encoder, figures ? 'shares' AS shares, jsonb_array_length(figures -> 'tried') AS tried, (SELECT sum(value::float8) FROM jsonb_each_text(figures -> 'shares')) AS whole FROM hl_models('requests');
SELECT cardinality(hl_embed('requests', 'where is my parcel')) > 8 AS both;
SELECT count(*), count(*) FILTER (WHERE a.label = o.label AND abs(a.confidence - o.confidence) < 1e-4) AS same
	FROM hl_predict('requests') a JOIN request r ON r.id::text = a.item, hl_predict('requests', r.body) o;
SELECT error_of($$SELECT hl_drop_encoder('small')$$);
SELECT error_of(format('SELECT hl_set_encoder(%L, %L)', 'requests', encoder)) FROM unnest('{vector,small+small,bert,text+bert,"",text+,+,small+vector}'::text[]) encoder;
SELECT error_of($$SELECT hl_set_encoder('requests', NULL)$$);
SELECT error_of($$SELECT hl_set_encoder('nobody', 'text')$$);

-- Back, and to its own choice.
SELECT hl_set_encoder('requests', 'text');
SELECT model, deployed, encoder FROM hl_train('requests');
SELECT hl_set_encoder('requests', 'auto');
SELECT model, encoder, deployed FROM hl_train('requests');
SELECT figures -> 'encoders' -> 0 ->> 'encoder' AS own, figures -> 'encoders' -> 1 ->> 'encoder' AS other, (figures -> 'encoders' -> 0 ->> 'log_loss')::float8 > 0 AS loss FROM hl_models('requests') ORDER BY model DESC LIMIT 1;
-- It is in use as long as there are models of it.
SELECT error_of($$SELECT hl_drop_encoder('small')$$);

-- A column of vectors has no use for it.
CREATE TABLE place (id int PRIMARY KEY, v real[]);
SELECT error_of($$SELECT hl_create_project('places', 'place', 'v', encoder => 'small')$$);

-- Simulated, too.
SELECT strategy, count(*), min(accuracy) > 0.2 AS learns FROM hl_simulate('request', 'body', 'topic', strategies => '{random}', rounds => 3, runs => 1, encoder => 'small') GROUP BY 1;

-- ---------------------------------------------------------------------------
-- Whose it is
-- ---------------------------------------------------------------------------

CREATE ROLE regress_hl_ann;
CREATE ROLE regress_hl_bob;
GRANT SELECT ON good, request TO regress_hl_ann, regress_hl_bob;
GRANT CREATE ON SCHEMA public TO regress_hl_ann, regress_hl_bob;
SET ROLE regress_hl_ann;
SELECT encoder FROM hl_encoders;
SELECT error_of($$SELECT hl_import_encoder('mine', 'transformer', path => '/etc/passwd')$$);
SELECT encoder FROM hl_import_encoder('mine', 'transformer', staging => 'good');
SELECT error_of($$SELECT hl_drop_encoder('small')$$);
CREATE TABLE anns AS SELECT * FROM request;
ALTER TABLE anns ADD PRIMARY KEY (id);
SELECT error_of($$SELECT hl_create_project('anns', 'anns', 'body', encoder => 'small')$$);
SELECT encoder FROM hl_create_project('anns', 'anns', 'body', encoder => 'mine');
SET ROLE regress_hl_bob;
SELECT encoder FROM hl_encoders;
SELECT error_of($$SELECT hl_share_encoder('mine')$$);
SELECT error_of($$SELECT hl_set_encoder('anns', 'text')$$);
SELECT error_of($$SELECT hl_embed('mine', 'x')$$);
SET ROLE regress_hl_ann;
SELECT error_of($$SELECT hl_share_encoder('mine', NULL)$$);
SELECT hl_share_encoder('mine');
SET ROLE regress_hl_bob;
SELECT encoder, owner, shared, projects FROM hl_encoders;
SELECT error_of($$SELECT hl_drop_encoder('mine')$$);
SELECT error_of($$SELECT hl_share_encoder('mine', false)$$);
CREATE TABLE bobs AS SELECT * FROM request;
ALTER TABLE bobs ADD PRIMARY KEY (id);
SELECT encoder FROM hl_create_project('bobs', 'bobs', 'body', encoder => 'mine');
-- Nobody else may use it any more; who does goes on.
SET ROLE regress_hl_ann;
SELECT hl_share_encoder('mine', false);
SET ROLE regress_hl_bob;
SELECT encoder FROM hl_encoders;
SELECT hl_label_many('bobs', array_agg(id::text), array_agg(topic)) FROM bobs WHERE id <= 40;
SELECT encoder FROM hl_train('bobs');
SET ROLE regress_hl_ann;
SELECT error_of($$SELECT hl_drop_encoder('mine')$$);
-- A project that she may not see is not named.
BEGIN;
SELECT hl_drop_project('anns');
SELECT error_of($$SELECT hl_drop_encoder('mine')$$);
RESET ROLE;
SELECT hl_grant('bobs', 'regress_hl_ann', 'predict');
SET ROLE regress_hl_ann;
SELECT error_of($$SELECT hl_drop_encoder('mine')$$);
ROLLBACK;
RESET ROLE;
SELECT hl_drop_project('anns'), hl_drop_project('bobs');
SET ROLE regress_hl_ann;
SELECT hl_drop_encoder('mine');
SELECT error_of($$SELECT hl_drop_encoder('mine')$$);
RESET ROLE;

-- In a read-only transaction nothing is imported, set or dropped.
BEGIN READ ONLY;
SELECT error_of($$SELECT hl_import_encoder('x', 'transformer', staging => 'good')$$);
SELECT error_of($$SELECT hl_set_encoder('requests', 'text')$$);
SELECT error_of($$SELECT hl_drop_encoder('small')$$);
COMMIT;

-- Inputs that an encoder does not read are named: they can be declared all the same.
CREATE TABLE two AS SELECT id, body, ARRAY[id, 1]::real[] AS place FROM request WHERE body > '';
ALTER TABLE two ADD PRIMARY KEY (id);
SET client_min_messages = notice;
SELECT encoder FROM hl_create_project('two', 'two', '{body,place}'::text[], encoder => 'small');
SELECT hl_set_encoder('two', 'vector');
SELECT hl_set_encoder('two', 'small+vector');
SELECT hl_set_encoder('two', 'auto');
SET client_min_messages = warning;
SELECT hl_drop_project('two');
DROP TABLE two;

-- Words choose the first questions; where they cannot, the encoder may.
CREATE TABLE sign AS SELECT i AS id, repeat(chr(20000 + i), 3) AS body FROM generate_series(1, 20) i;
INSERT INTO sign VALUES (21, 'the'), (22, 'parcel');
ALTER TABLE sign ADD PRIMARY KEY (id);
SELECT hint FROM hl_create_project('signs', 'sign', 'body', encoder => 'small');
SELECT hl_refresh('signs');
SELECT count(*) > 0 AS asked FROM hl_next('signs', 20);
SELECT hl_drop_project('signs');
SELECT hint FROM hl_create_project('signs', 'sign', 'body');
SELECT hl_drop_project('signs');
DROP TABLE sign;

SELECT hl_drop_project('requests');
SELECT hl_drop_encoder('small');
SELECT count(*) AS left_over FROM hl_encoder_part;
DROP TABLE anns, bobs, request, place;
DROP FUNCTION config_with, tokenizer_with, tensors_with;
TRUNCATE good, bad;
REVOKE SELECT ON good FROM regress_hl_ann, regress_hl_bob;
REVOKE CREATE ON SCHEMA public FROM regress_hl_ann, regress_hl_bob;
DROP ROLE regress_hl_ann;
DROP ROLE regress_hl_bob;
