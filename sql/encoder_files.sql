-- What the tests of imported encoders make their files of: transformers of any
-- family, as small as one likes.
SET client_min_messages = warning;

CREATE FUNCTION little_endian(value bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(substr(value, i, 1), ''::bytea ORDER BY i DESC) FROM generate_series(1, length(value)) i
$$;

CREATE FUNCTION elements(dims int[]) RETURNS int
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE cardinality(dims) WHEN 1 THEN dims[1] ELSE dims[1] * dims[2] END $$;

-- The tensors, in the order in which test/unit/make_transformer_values.py draws them.
CREATE TABLE shape (n int PRIMARY KEY, name text, dims int[]);

CREATE FUNCTION make_shape(family text, words int, positions int, layers int DEFAULT 2, width int DEFAULT 8, intermediate int DEFAULT 12) RETURNS void
LANGUAGE sql AS $$
	DELETE FROM shape;
	INSERT INTO shape
	SELECT row_number() OVER (ORDER BY layer, n), CASE WHEN layer > 0 THEN format('%s.layer.%s.', CASE family WHEN 'distilbert' THEN 'transformer' ELSE 'encoder' END, layer - 1) ELSE 'embeddings.' END
			|| CASE WHEN family = 'distilbert' AND layer > 0 THEN other ELSE name END,
		CASE WHEN columns IS NULL THEN ARRAY[rows] ELSE ARRAY[rows, columns] END
	FROM (SELECT 0 AS layer, * FROM (VALUES
			(1, 'word_embeddings.weight', NULL, words, width), (2, 'position_embeddings.weight', NULL, positions, width),
			(3, 'token_type_embeddings.weight', NULL, CASE family WHEN 'bert' THEN 2 WHEN 'distilbert' THEN 0 ELSE 1 END, width),
			(4, 'LayerNorm.weight', NULL, width, NULL), (5, 'LayerNorm.bias', NULL, width, NULL)) e(n, name, other, rows, columns)
		UNION ALL
		SELECT * FROM generate_series(1, layers) layer, (VALUES
			(1, 'attention.self.query.weight', 'attention.q_lin.weight', width, width), (2, 'attention.self.key.weight', 'attention.k_lin.weight', width, width),
			(3, 'attention.self.value.weight', 'attention.v_lin.weight', width, width), (4, 'attention.self.query.bias', 'attention.q_lin.bias', width, NULL),
			(5, 'attention.self.key.bias', 'attention.k_lin.bias', width, NULL), (6, 'attention.self.value.bias', 'attention.v_lin.bias', width, NULL),
			(7, 'attention.output.dense.weight', 'attention.out_lin.weight', width, width), (8, 'attention.output.dense.bias', 'attention.out_lin.bias', width, NULL),
			(9, 'attention.output.LayerNorm.weight', 'sa_layer_norm.weight', width, NULL), (10, 'attention.output.LayerNorm.bias', 'sa_layer_norm.bias', width, NULL),
			(11, 'intermediate.dense.weight', 'ffn.lin1.weight', intermediate, width), (12, 'intermediate.dense.bias', 'ffn.lin1.bias', intermediate, NULL),
			(13, 'output.dense.weight', 'ffn.lin2.weight', width, intermediate), (14, 'output.dense.bias', 'ffn.lin2.bias', width, NULL),
			(15, 'output.LayerNorm.weight', 'output_layer_norm.weight', width, NULL), (16, 'output.LayerNorm.bias', 'output_layer_norm.bias', width, NULL)) l(n, name, other, rows, columns)) t
	WHERE rows > 0
$$;

-- A weight has seven bits, times 1/256, which all types hold exactly: F32 as the
-- server writes it, BF16 its first half, F16 with a shorter exponent.
CREATE TABLE stored_weight AS
	SELECT bits, little_endian(f32) AS "F32", little_endian(substr(f32, 1, 2)) AS "BF16",
		little_endian(substr(int4send(CASE bits WHEN 64 THEN 0 ELSE (n >> 16 & 32768) | (((n >> 23 & 255) - 112) << 10) | (n >> 13 & 1023) END), 3)) AS "F16"
	FROM (SELECT bits, f32, ('x' || encode(f32, 'hex'))::bit(32)::int AS n FROM (SELECT bits, float4send((bits - 64) / 256.0) AS f32 FROM generate_series(0, 127) bits) b) v;

CREATE FUNCTION weights(first bigint, n int, dtype text) RETURNS bytea
LANGUAGE sql STABLE AS $$
	SELECT string_agg(CASE dtype WHEN 'F32' THEN "F32" WHEN 'F16' THEN "F16" ELSE "BF16" END, ''::bytea ORDER BY i)
	FROM generate_series(first, first + n - 1) i JOIN stored_weight w ON w.bits = (i * 2654435761 & 4294967295) >> 25
$$;

CREATE FUNCTION header(dtype text DEFAULT 'F32', prefix text DEFAULT '') RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_object_agg(prefix || name, jsonb_build_object('dtype', dtype, 'shape', to_jsonb(dims), 'data_offsets', jsonb_build_array(size * (upto - elements(dims)), size * upto)))
	FROM (SELECT *, CASE dtype WHEN 'F32' THEN 4 ELSE 2 END AS size, sum(elements(dims)) OVER (ORDER BY n)::int AS upto FROM shape) s
$$;

CREATE FUNCTION safetensors(header text, dtype text DEFAULT 'F32') RETURNS bytea
LANGUAGE sql STABLE AS $$
	SELECT little_endian(int8send(octet_length(header))) || convert_to(header, 'UTF8') ||
		(SELECT string_agg(weights(upto - elements(dims), elements(dims), dtype), ''::bytea ORDER BY n) FROM (SELECT *, sum(elements(dims)) OVER (ORDER BY n) AS upto FROM shape) s)
$$;

-- Files that are fine, and others.
CREATE TABLE good (file text, part int, data bytea);
CREATE TABLE bad (LIKE good);

-- The error for the good files with one of them replaced (NULL: left out).
CREATE FUNCTION import_with(name text, content bytea) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM bad;
	INSERT INTO bad SELECT * FROM good WHERE file <> name;
	INSERT INTO bad SELECT name, 0, content WHERE content IS NOT NULL;
	RETURN error_of($q$SELECT hl_import_encoder('bad', 'transformer', staging => 'bad')$q$);
END
$$;

-- A file among the good ones; NULL: none of that name.
CREATE FUNCTION keep(name text, content text) RETURNS void
LANGUAGE sql AS $$
	DELETE FROM good WHERE file = name;
	INSERT INTO good SELECT name, 0, convert_to(content, 'UTF8') WHERE content IS NOT NULL
$$;

CREATE FUNCTION keep_tensors(dtype text DEFAULT 'F32', prefix text DEFAULT '') RETURNS void
LANGUAGE sql AS $$
	DELETE FROM good WHERE file = 'model.safetensors';
	INSERT INTO good VALUES ('model.safetensors', 0, safetensors(header(dtype, prefix)::text, dtype))
$$;

-- tokenizer.json with the vocabulary of vocab.txt or vocab.json, where it has none of its own.
CREATE FUNCTION wordpiece(changes jsonb DEFAULT '{}', model jsonb DEFAULT '{}', normalizer jsonb DEFAULT '{}') RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT (jsonb_build_object('version', '1.0', 'truncation', NULL, 'padding', NULL,
		'added_tokens', '[{"id": 2, "content": "[CLS]", "single_word": false, "special": true}, {"id": 3, "content": "[SEP]", "special": true}]'::jsonb,
		'normalizer', '{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}' || normalizer,
		'pre_tokenizer', '{"type": "BertPreTokenizer"}'::jsonb,
		'post_processor', '{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]}'::jsonb,
		'decoder', '{"type": "WordPiece", "prefix": "##"}'::jsonb,
		'model', jsonb_build_object('type', 'WordPiece', 'unk_token', '[UNK]', 'continuing_subword_prefix', '##', 'max_input_chars_per_word', 100, 'vocab', vocab) || model) || changes)::text
	FROM (SELECT jsonb_object_agg(piece, n - 1) AS vocab FROM good, unnest(string_to_array(rtrim(convert_from(data, 'UTF8'), E'\n'), E'\n')) WITH ORDINALITY u(piece, n) WHERE file = 'vocab.txt') v
$$;

CREATE FUNCTION byte_pairs(changes jsonb DEFAULT '{}', model jsonb DEFAULT '{}', before jsonb DEFAULT '{}') RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT (jsonb_build_object('added_tokens', '[{"id": 0, "content": "<s>", "special": true}, {"id": 1, "content": "<pad>", "special": true}, {"id": 2, "content": "</s>", "special": true}, {"id": 3, "content": "<unk>", "special": true}]'::jsonb,
		'normalizer', NULL, 'pre_tokenizer', '{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}' || before,
		'post_processor', '{"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true, "add_prefix_space": true}'::jsonb,
		'model', jsonb_build_object('type', 'BPE', 'dropout', NULL, 'unk_token', '<unk>', 'continuing_subword_prefix', '', 'end_of_word_suffix', '', 'fuse_unk', false, 'byte_fallback', false, 'ignore_merges', false,
			'vocab', (SELECT convert_from(data, 'UTF8')::jsonb FROM good WHERE file = 'vocab.json'), 'merges', '["Ġ t", "h e", "Ġt he", "a t", "Ġ c", "Ġc at", "Ġ s", "Ġs at"]'::jsonb) || model) || changes)::text
$$;

CREATE FUNCTION unigrams(changes jsonb DEFAULT '{}', model jsonb DEFAULT '{}') RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT (jsonb_build_object('added_tokens', '[{"id": 0, "content": "<s>", "special": true}, {"id": 1, "content": "<pad>", "special": true}, {"id": 2, "content": "</s>", "special": true}, {"id": 3, "content": "<unk>", "special": true}]'::jsonb,
		'normalizer', NULL, 'pre_tokenizer', '{"type": "Metaspace", "replacement": "▁", "add_prefix_space": true}'::jsonb,
		'post_processor', '{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]}'::jsonb,
		'model', '{"type": "Unigram", "unk_id": 3, "vocab": [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -2], ["▁the", -3.5], ["▁cat", -4], ["s", -3e0], ["▁sat", -4], [",", -3], ["c", -6], ["a", -6], ["t", -6], ["▁c", -6.5], ["at", -7]]}' || model) || changes)::text
$$;

-- Rules of normalization as SentencePiece compiles them, by hand: a trie of one
-- path for the three bytes of "☺", each unit a byte and where the next one lies,
-- and what becomes of it, "s".
CREATE FUNCTION charsmap() RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT encode(little_endian(int4send(20)) || string_agg(little_endian(substr(int8send(unit), 5)), ''::bytea ORDER BY n) || 's\000'::bytea, 'base64')
	FROM unnest(ARRAY[x'E3'::int8 << 10, x'E2'::int8 | (x'9B'::int8 << 10), x'98'::int8 | (x'BB'::int8 << 10), x'BA'::int8 | 256 | (7 << 10), x'80000000'::int8]) WITH ORDINALITY u(unit, n)
$$;

SELECT make_shape('bert', 30, 70);
SELECT count(*), sum(elements(dims)), md5(safetensors(header()::text)) FROM shape;
SELECT make_shape('distilbert', 30, 70);
SELECT count(*), sum(elements(dims)), octet_length(safetensors(header('F16')::text, 'F16')) - octet_length(header('F16')::text) AS bytes FROM shape;
SELECT name, dims FROM shape WHERE n IN (1, 3, 5, 15);

