-- Every kind of files that an encoder is imported from, and every reason not to:
-- each is small, and what it says is known.
SET client_min_messages = warning;

-- What numpy makes of these pieces: make_transformer_values.py sql
CREATE TABLE known (family text, pieces int[], pooling text, vector real[]);
INSERT INTO known VALUES
	('bert', '{2,4,5,6,7,12,8,9,1,3}', 'mean', '{0.6399476,-0.0406276,0.0008877,0.7049174,-0.1782508,-0.1466529,0.1821089,-0.0739121}'),
	('bert', '{2,4,5,6,7,12,8,9,1,3}', 'cls', '{0.6408752,-0.0407346,0.0048897,0.7003014,-0.1806931,-0.1510601,0.1909304,-0.0724578}'),
	('bert', '{2,1,5,6,7,12,8,9,1,3}', 'mean', '{0.6370096,-0.0405933,-0.0013625,0.7071866,-0.1782725,-0.1495864,0.1806874,-0.0751736}'),
	('bert', '{2,1,5,6,7,12,8,9,1,3}', 'cls', '{0.6412159,-0.0407306,0.0048250,0.7000492,-0.1805909,-0.1510272,0.1908528,-0.0724144}'),
	('bert', '{2,4,5,3}', 'mean', '{0.6519506,-0.0402487,0.0143627,0.6951968,-0.1785438,-0.1360675,0.1864531,-0.0684001}'),
	('bert', '{2,4,5,3}', 'cls', '{0.6394107,-0.0407360,0.0061970,0.7012683,-0.1812410,-0.1513494,0.1911945,-0.0732713}'),
	('bert', '{2,4,3}', 'mean', '{0.6514099,-0.0401844,0.0134587,0.6957523,-0.1783527,-0.1373831,0.1854429,-0.0687392}'),
	('bert', '{2,4,3}', 'cls', '{0.6398914,-0.0407306,0.0062989,0.7009893,-0.1811185,-0.1510049,0.1910287,-0.0731845}'),
	('bert', '{2,1,3}', 'mean', '{0.6421470,-0.0400842,0.0060059,0.7032927,-0.1784217,-0.1468883,0.1807373,-0.0728510}'),
	('bert', '{2,1,3}', 'cls', '{0.6410295,-0.0407176,0.0060887,0.7001582,-0.1807784,-0.1508588,0.1907697,-0.0730238}'),
	('bert', '{2,1,1,1,15,3}', 'mean', '{0.6396270,-0.0397599,-0.0028038,0.7089108,-0.1755505,-0.1481418,0.1682401,-0.0752684}'),
	('bert', '{2,1,1,1,15,3}', 'cls', '{0.6438037,-0.0406770,0.0067540,0.6983821,-0.1802721,-0.1487156,0.1905308,-0.0718514}'),
	('bert', '{2,4,1,7,12,8,9,1,3}', 'mean', '{0.6387258,-0.0404296,-0.0006798,0.7066008,-0.1777093,-0.1482793,0.1787977,-0.0746573}'),
	('bert', '{2,4,1,7,12,8,9,1,3}', 'cls', '{0.6417341,-0.0407199,0.0052784,0.6997461,-0.1805325,-0.1504584,0.1907621,-0.0722965}'),
	('distilbert', '{2,4,5,6,7,12,8,9,1,3}', 'mean', '{0.8175907,0.1637442,-0.0931857,0.3317257,-0.0538285,-0.0724707,0.4102080,-0.0979172}'),
	('distilbert', '{2,4,5,6,7,12,8,9,1,3}', 'cls', '{0.8209334,0.1641634,-0.0941530,0.3225111,-0.0540697,-0.0733741,0.4101146,-0.0986879}'),
	('roberta', '{0,13,16,9,18,19,3,2}', 'mean', '{0.2787406,0.0359639,-0.0470389,0.6017446,-0.0793915,0.7219904,0.1627779,-0.0512964}'),
	('roberta', '{0,13,16,9,18,19,3,2}', 'cls', '{0.2770783,0.0359648,-0.0477347,0.6069143,-0.0796038,0.7191178,0.1586861,-0.0515961}'),
	('roberta', '{0,10,12,16,9,18,19,3,2}', 'mean', '{0.2793353,0.0356601,-0.0469534,0.6009138,-0.0793248,0.7222220,0.1639324,-0.0512573}'),
	('roberta', '{0,10,12,16,9,18,19,3,2}', 'cls', '{0.2771148,0.0359832,-0.0477434,0.6067548,-0.0795963,0.7192275,0.1587343,-0.0515892}'),
	('roberta', '{0,5,6,7,8,9,4,3,2}', 'mean', '{0.2765115,0.0355023,-0.0473642,0.6016932,-0.0794151,0.7223678,0.1649820,-0.0515930}'),
	('roberta', '{0,5,6,7,8,9,4,3,2}', 'cls', '{0.2777914,0.0359215,-0.0476633,0.6064529,-0.0795574,0.7192441,0.1586832,-0.0516037}'),
	('roberta', '{0,5,6,3,8,9,4,3,2}', 'mean', '{0.2770588,0.0355269,-0.0472940,0.6015616,-0.0793992,0.7223250,0.1647769,-0.0515178}'),
	('roberta', '{0,5,6,3,8,9,4,3,2}', 'cls', '{0.2776267,0.0359285,-0.0476794,0.6065678,-0.0795681,0.7192082,0.1586830,-0.0516038}'),
	('roberta', '{0,5,6,4,3,7,3,2}', 'mean', '{0.2768367,0.0358079,-0.0471911,0.6015114,-0.0794263,0.7225262,0.1644166,-0.0514866}'),
	('roberta', '{0,5,6,4,3,7,3,2}', 'cls', '{0.2774362,0.0359325,-0.0476674,0.6067390,-0.0795825,0.7191368,0.1586758,-0.0516194}'),
	('roberta', '{0,5,6,2}', 'mean', '{0.2733082,0.0357855,-0.0478029,0.6051123,-0.0796697,0.7210424,0.1632380,-0.0517683}'),
	('roberta', '{0,5,6,2}', 'cls', '{0.2781981,0.0358724,-0.0475990,0.6065542,-0.0795497,0.7190533,0.1584808,-0.0516086}');

-- The pieces whose vector the encoder gives for a text.
CREATE FUNCTION pieces_of(encoder text, input text) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT string_agg(format('%s %s %s', family, pooling, pieces), ' or ') FROM known
	WHERE (SELECT max(abs(a - b)) FROM unnest(vector, hl_embed(encoder, input)) u(a, b)) < 1e-5
$$;

-- What a text becomes by the good files, imported under a name that is free again.
CREATE FUNCTION try(input text, options jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM hl_import_encoder('tried', 'transformer', staging => 'good', options => options);
	result := pieces_of('tried', input);
	PERFORM hl_drop_encoder('tried');
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- ---------------------------------------------------------------------------
-- WordPiece: BERT and DistilBERT
-- ---------------------------------------------------------------------------

SELECT make_shape('bert', 30, 70);
SELECT keep_tensors();
SELECT keep('config.json', '{"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 30, "max_position_embeddings": 70, "type_vocab_size": 2, "layer_norm_eps": 1e-12}');
SELECT keep('vocab.txt', string_agg(piece, E'\n' ORDER BY n)) FROM unnest('{[PAD],[UNK],[CLS],[SEP],the,cat,##s,sat,on,mat,##ch,.}'::text[] || ARRAY[','] || '{a,é,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p}'::text[]) WITH ORDINALITY u(piece, n);
SELECT try('The cats sat, on mat!');
-- Lines as another system ends them, and one that does not end.
SELECT keep('vocab.txt', replace(convert_from(data, 'UTF8'), E'\n', E'\r\n')) FROM good WHERE file = 'vocab.txt';
SELECT try('The cats sat, on mat!');
SELECT keep('vocab.txt', replace(convert_from(data, 'UTF8'), E'\r', '') || E'\n') FROM good WHERE file = 'vocab.txt';
SELECT try('The cats sat, on mat!');

-- Weights of 16 bits; tensors behind the family's name; the oldest names.
SELECT keep_tensors('F16');
SELECT try('The cats sat, on mat!');
SELECT keep_tensors('BF16', 'bert.');
SELECT try('The cats sat, on mat!');
UPDATE shape SET name = replace(replace(name, 'LayerNorm.weight', 'LayerNorm.gamma'), 'LayerNorm.bias', 'LayerNorm.beta');
SELECT keep_tensors();
SELECT try('The cats sat, on mat!');
-- What is not needed is not looked at; what is there twice would leave a choice.
INSERT INTO shape VALUES (100, 'embeddings.position_ids', '{7}'), (101, 'pooler.dense.weight', '{3,3}');
SELECT keep_tensors();
SELECT try('The cats sat, on mat!');
INSERT INTO shape VALUES (102, 'bert.embeddings.LayerNorm.weight', '{8}');
SELECT keep_tensors();
SELECT try('The cats sat, on mat!');
SELECT make_shape('bert', 30, 70);
-- A file of tensors of another name, if it is the only one.
DELETE FROM good WHERE file = 'model.safetensors';
INSERT INTO good VALUES ('pytorch_model.safetensors', 0, safetensors(header()::text));
SELECT try('The cats sat, on mat!');
INSERT INTO good SELECT 'other.safetensors', part, data FROM good WHERE file = 'pytorch_model.safetensors';
SELECT try('The cats sat, on mat!');
DELETE FROM good WHERE file ~ 'safetensors';
SELECT keep_tensors();

-- Cased or not.
SELECT config, try('The cats sat, on mat!') AS "The", try('Thé') AS "Thé" FROM unnest(ARRAY[NULL, '{}', '{"do_lower_case": true}', '{"do_lower_case": false}', '{"do_lower_case": true, "strip_accents": false}', '{"do_lower_case": null, "strip_accents": null}']) config, keep('tokenizer_config.json', config);
SELECT config, try('aé漢字b') FROM unnest(ARRAY['{"do_lower_case": false}', '{"do_lower_case": false, "tokenize_chinese_chars": false}', '{"tokenize_chinese_chars": "no"}', '{"do_lower_case": 1}', '{']) config, keep('tokenizer_config.json', config);
SELECT keep('tokenizer_config.json', NULL);

-- Pooling: the mean, or the first token.
SELECT config, try('the') AS "by itself", try('the', '{"pooling": "mean"}') AS mean, try('the', '{"pooling": "cls"}') AS cls FROM unnest(ARRAY[NULL, '{"word_embedding_dimension": 8, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}',
	'{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}', '{"pooling_mode_max_tokens": true}', '{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}', '{"pooling_mode_mean_tokens": true, "pooling_mode_lasttoken": true}', '{"embedding_dimension": 8, "pooling_mode": "cls", "include_prompt": true}', '{"pooling_mode": "mean"}', '{"pooling_mode": "lasttoken"}', '{"pooling_mode": ["cls"]}', '{"pooling_mode_mean_tokens": 1}', '[]']) config, keep('1_Pooling/config.json', config);
SELECT keep('1_Pooling/config.json', NULL);

-- How much is read of a text.
SELECT config, try('the cat sat on mat') AS "by itself", try('the cat sat on mat', '{"max_tokens": 3}') AS three FROM unnest(ARRAY['{"max_seq_length": 4, "do_lower_case": false}', '{"max_seq_length": 3}', '{"max_seq_length": 2}', '{"max_seq_length": 1e10}', '{"max_seq_length": "4"}']) config, keep('sentence_bert_config.json', config);
SELECT config, try('The cats sat, on mat!') FROM unnest(ARRAY['{"max_seq_length": 512}', '{"max_seq_length": null}', '{}']) config, keep('sentence_bert_config.json', config);
-- Capitals that somebody makes small before the tokenizer, which does it anyway or does not.
SELECT keep('sentence_bert_config.json', '{"max_seq_length": 128, "do_lower_case": true}');
SELECT config, try('The cats sat, on mat!') FROM unnest(ARRAY[NULL, '{"do_lower_case": false}']) config, keep('tokenizer_config.json', config);
SELECT keep('sentence_bert_config.json', NULL), keep('tokenizer_config.json', NULL);
-- What comes behind the transformer.
SELECT modules, try('the') FROM unnest(ARRAY['[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}, {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}, {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]',
	'[{"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Dense"}]', '[{"type": "Dense"}]', '[]', '{}', '[1]', '[{"type": null}]']) modules, keep('modules.json', modules);
SELECT keep('modules.json', NULL);

-- The same from tokenizer.json, which says more.
SELECT normalizer, try('The cats sat, on mat!') AS "The", try('Thé') AS "Thé", try('aé漢字b') AS "aé漢字b" FROM unnest(ARRAY['{}', '{"lowercase": false}', '{"strip_accents": false}', '{"lowercase": false, "handle_chinese_chars": false}']::jsonb[]) normalizer, keep('tokenizer.json', wordpiece(normalizer => normalizer));
SELECT model, try('The cats sat, on mat!') FROM unnest(ARRAY['{"type": null}', '{"continuing_subword_prefix": null, "max_input_chars_per_word": null}', '{"max_input_chars_per_word": 4}', '{"max_input_chars_per_word": 3}', '{"continuing_subword_prefix": ""}', '{"max_input_chars_per_word": 0}', '{"max_input_chars_per_word": 1e6}',
	'{"continuing_subword_prefix": "_________________"}', '{"unk_token": "UNK"}', '{"unk_token": 1}']::jsonb[]) model, keep('tokenizer.json', wordpiece(model => model));

SELECT normalizer, try('the') FROM unnest(ARRAY['{"clean_text": false}', '{"type": "BertNormaliser"}', '{"type": null}']::jsonb[]) normalizer, keep('tokenizer.json', wordpiece(normalizer => normalizer));
SELECT changes, try('the') FROM unnest(ARRAY['{"normalizer": null}', '{"normalizer": "BertNormalizer"}', '{"pre_tokenizer": null}', '{"pre_tokenizer": {"type": "Whitespace"}}', '{"added_tokens": null}', '{"added_tokens": {}}', '{"added_tokens": [1]}', '{"added_tokens": [{"id": 2, "content": "[CLS]", "special": "yes"}]}',
	'{"added_tokens": [{"id": 29, "content": "covid", "special": false}]}', '{"post_processor": "BertProcessing"}', '{"post_processor": null}', '{"post_processor": {"type": "ByteLevel"}}',
	'{"post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "[SEP]"}}]}}', '{"model": []}', '{"model": {"type": "WordLevel"}}']::jsonb[]) changes, keep('tokenizer.json', wordpiece(changes));

-- DistilBERT; a head that it was trained with is not needed.
SELECT make_shape('distilbert', 30, 70);
INSERT INTO shape VALUES (100, 'vocab_projector.bias', '{30}');
SELECT keep('tokenizer.json', NULL);
SELECT keep('config.json', '{"model_type": "distilbert", "dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 12, "vocab_size": 30, "max_position_embeddings": 70, "activation": "gelu", "sinusoidal_pos_embds": false}');
SELECT dtype, prefix, try('The cats sat, on mat!'), try('The cats sat, on mat!', '{"pooling": "cls"}') FROM (VALUES ('F32', ''), ('F16', 'distilbert.'), ('BF16', 'bert.')) v(dtype, prefix), keep_tensors(dtype, prefix);
SELECT keep_tensors();
SELECT import_with('config.json', '{"model_type": "distilbert", "hidden_size": 8, "num_hidden_layers": 2}');
SELECT import_with('config.json', '{"model_type": "distilbert", "dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 12, "vocab_size": 30, "max_position_embeddings": 70, "activation": "relu"}');

-- ---------------------------------------------------------------------------
-- Byte pairs: RoBERTa
-- ---------------------------------------------------------------------------

SELECT make_shape('roberta', 30, 70);
SELECT keep_tensors('F32', 'roberta.');
SELECT keep('vocab.txt', NULL);
SELECT keep('config.json', '{"model_type": "roberta", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 30, "max_position_embeddings": 70, "type_vocab_size": 1, "layer_norm_eps": 1e-05, "pad_token_id": 1}');
SELECT keep('vocab.json', jsonb_object_agg(piece, n - 1)::text) FROM unnest('{<s>,<pad>,</s>,<unk>,Ġ,a,c,e,h,s,t,Ġt,he,Ġthe,at,Ġc,Ġcat,Ġs,Ġsat}'::text[] || ARRAY[','] || '{é,j,k,l,m,n,o,p,q,r}'::text[]) WITH ORDINALITY u(piece, n);
SELECT keep('merges.txt', E'#version: 0.2\nĠ t\nh e\nĠt he\na t\nĠ c\nĠc at\nĠ s\nĠs at\n\n');
SELECT config, try('the cats sat,x') FROM unnest(ARRAY[NULL, '{"add_prefix_space": true}', '{"add_prefix_space": false}', '{"add_prefix_space": 1}']) config, keep('tokenizer_config.json', config);
SELECT keep('tokenizer_config.json', NULL);
-- Escaped, as Python's json writes it.
SELECT try('the cats sat,x') FROM keep('vocab.json', (SELECT replace(replace(convert_from(data, 'UTF8'), 'Ġ', '\u0120'), 'é', '\u00e9') FROM good WHERE file = 'vocab.json'));

SELECT changes, model, before, try('the cats sat,x') FROM (VALUES ('{}'::jsonb, '{}'::jsonb, '{}'::jsonb), ('{}', '{}', '{"add_prefix_space": false}'),
	('{}', '{"merges": [["Ġ", "t"], ["h", "e"], ["Ġt", "he"], ["a", "t"], ["Ġ", "c"], ["Ġc", "at"], ["Ġ", "s"], ["Ġs", "at"]]}', '{"use_regex": null}'),
	('{"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]}}', '{}', '{}'),
	('{"added_tokens": []}', '{}', '{}'), ('{"added_tokens": null}', '{}', '{}')) v(changes, model, before), keep('tokenizer.json', byte_pairs(changes, model, before));
-- Special tokens that are in no vocabulary.
SELECT keep('vocab.json', (convert_from(data, 'UTF8')::jsonb - '<s>' - '</s>' - '<pad>')::text) FROM good WHERE file = 'vocab.json';
SELECT model, try('the cats sat,x') FROM unnest(ARRAY['{}', '{"merges": []}', '{"merges": [], "unk_token": null}']::jsonb[]) model, keep('tokenizer.json', byte_pairs(model => model));
SELECT model, import_with('tokenizer.json', convert_to(byte_pairs(model => model), 'UTF8')) FROM unnest(ARRAY['{"byte_fallback": true}', '{"ignore_merges": true}', '{"continuing_subword_prefix": "##"}', '{"end_of_word_suffix": "</w>"}', '{"dropout": 0.1}', '{"dropout": "x"}',
	'{"merges": ["Ġ t x"]}', '{"merges": ["Ġt"]}', '{"merges": [["Ġ", "t", "x"]]}', '{"merges": [["Ġ", 1]]}', '{"merges": [[]]}', '{"merges": [1]}', '{"merges": {}}', '{"merges": [{"a": "b", "c": "d"}]}', '{"merges": null}',
	'{"merges": ["Ġ z"]}', '{"merges": ["t h"]}', '{"merges": ["h e", "h e"]}', '{"vocab": {"Ġt": 1, "<unk>": 3}}', '{"vocab": []}', '{"vocab": {}}', '{"unk_token": "nothing"}', '{"unk_token": 3}']::jsonb[]) model;
SELECT changes, import_with('tokenizer.json', convert_to(byte_pairs(changes), 'UTF8')) FROM unnest(ARRAY['{"normalizer": {"type": "NFC"}}', '{"normalizer": "NFC"}', '{"pre_tokenizer": null}', '{"pre_tokenizer": {"type": "Whitespace"}}',
	'{"post_processor": {"type": "RobertaProcessing", "cls": "<s>", "sep": ["</s>", 2]}}', '{"post_processor": {"type": "RobertaProcessing", "cls": [], "sep": ["</s>", 2]}}', '{"post_processor": {"type": "RobertaProcessing", "cls": ["nothing", 0], "sep": ["</s>", 2]}}',
	'{"added_tokens": [{"id": 0.5, "content": "<s>"}]}', '{"added_tokens": [{"content": "<s>"}]}', '{"added_tokens": [{"id": 0, "content": 1}]}']::jsonb[]) changes;
SELECT import_with('tokenizer.json', convert_to(byte_pairs(before => '{"use_regex": false}'), 'UTF8'));
-- Of the plain files.
SELECT keep('tokenizer.json', NULL);
SELECT what, import_with('vocab.json', what::bytea) FROM unnest(ARRAY['[]', 'null', '{}', '{"<unk>": 0}', '{"<unk>": 0, "<s>": 1}', '{"<unk>": 0, "<s>": 1, "</s>": "2"}', '{"<unk>": 0, "<s>": 1, "</s>": 2}']) what;
SELECT keep('vocab.json', (convert_from(data, 'UTF8')::jsonb || '{"<s>": 0, "<pad>": 1, "</s>": 2}')::text) FROM good WHERE file = 'vocab.json';
SELECT what, import_with('merges.txt', what::bytea) FROM unnest(ARRAY['x', 'a b c', ' a', 'a ', E'a t\na t', 'h j']) what;
-- UTF-16, as an editor may have left it.
SELECT import_with('merges.txt', '\xfffe61002000740061000a00');
SELECT import_with('merges.txt', NULL);
SELECT import_with('vocab.json', NULL);

-- ---------------------------------------------------------------------------
-- Unigrams: XLM-RoBERTa
-- ---------------------------------------------------------------------------

SELECT keep('vocab.json', NULL), keep('merges.txt', NULL);
SELECT keep('config.json', replace(convert_from(data, 'UTF8'), '"roberta"', '"xlm-roberta"')) FROM good WHERE file = 'config.json';

SELECT changes, try('the cats sat, x') AS "cats", try('the cat☺ sat, x') AS "cat☺" FROM unnest(ARRAY['{}', '{"normalizer": {"type": "Sequence", "normalizers": []}}', '{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]}}',
	'{"post_processor": {"type": "RobertaProcessing", "cls": ["<s>", 0], "sep": ["</s>", 2]}}', '{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "@"}}',
	'{"normalizer": {"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": "@"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}}',
	'{"normalizer": {"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": false, "strip_right": true}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]}}', '{"normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}}']) changes, keep('tokenizer.json', unigrams(replace(changes, '@', charsmap())::jsonb));
-- What is special is no piece of a text.
SELECT try('the cat <s>') AS special, try('the cat') AS "the cat" FROM keep('tokenizer.json', unigrams());
SELECT changes, import_with('tokenizer.json', convert_to(unigrams(changes), 'UTF8')) FROM unnest(ARRAY['{"normalizer": {"type": "NFKC"}}', '{"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}]}}', '{"normalizer": {"type": "Sequence"}}', '{"normalizer": {"type": "Sequence", "normalizers": ["Precompiled"]}}', '{"normalizer": 1}', '{"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": " "}}', '{"normalizer": {"type": "Sequence", "normalizers": [{"type": "Strip"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": ""}]}}', '{"normalizer": {"type": "Sequence", "normalizers": [{"type": "Strip"}, {"type": "Lowercase"}]}}', '{"normalizer": {"type": "Precompiled"}}', '{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "?"}}',
	'{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}', '{"pre_tokenizer": null}', '{"pre_tokenizer": {"type": "Whitespace"}}', '{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}]}}', '{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Punctuation"}, {"type": "Metaspace"}]}}',
	'{"pre_tokenizer": {"type": "Metaspace", "add_prefix_space": false}}', '{"pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "first"}}', '{"pre_tokenizer": {"type": "Metaspace", "replacement": "_"}}', '{"pre_tokenizer": {"type": "Metaspace", "split": false}}', '{"post_processor": {"type": "Sequence"}}']::jsonb[]) changes;
SELECT model, import_with('tokenizer.json', convert_to(unigrams(model => model), 'UTF8')) FROM unnest(ARRAY['{"byte_fallback": true}', '{"unk_id": null}', '{"unk_id": -1}', '{"unk_id": 3e9}', '{"vocab": {}}', '{"vocab": []}', '{"vocab": ["a"]}', '{"vocab": [["a"]]}', '{"vocab": [["a", "b"]]}', '{"vocab": [[1, 2]]}', '{"vocab": [["a", 1, 2]]}',
	'{"vocab": [["a", 1], ["a", 2]]}', '{"vocab": [["", 1]]}', '{"vocab": [["a", 1e31]]}']::jsonb[]) model;
SELECT import_with('tokenizer.json', convert_to(replace(unigrams(), '-6.5', '-1e999'), 'UTF8'));
SELECT import_with('tokenizer.json', convert_to(unigrams('{"model": {"type": "WordLevel"}}'), 'UTF8'));
SELECT count(*) FROM hl_encoders;

DROP TABLE known, good, bad, shape, stored_weight;
DROP FUNCTION pieces_of, keep, keep_tensors, try, wordpiece, byte_pairs, unigrams, charsmap, import_with, safetensors, header, weights, make_shape, elements, little_endian;
