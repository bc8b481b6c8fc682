# Files of encoders with random damage: refused with an SQLSTATE that is no internal
# error, or an encoder that then encodes; no backend dies, and nothing is left of it.
#
# FUZZ_SECONDS: how long at random (make fuzz); FUZZ_SEED: another sequence.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Fuzz;
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = $ENV{FUZZ_SECONDS} // 8;
my $seed = $ENV{FUZZ_SEED} // 1;

# what has been freed is not as it was
$ENV{MALLOC_PERTURB_} = 165;
my $node = new_node('main', conf => q{
	humanloop.enabled = off
	humanloop.work_mem = 256MB
	log_line_prefix = '[%p] %e %u: '
	log_statement = none
	log_min_error_statement = error
	statement_timeout = 60s
	client_min_messages = error});

# ----------------------------------------------------------------------
# Small encoders of every kind
# ----------------------------------------------------------------------

$node->safe_psql('postgres', "\\i $FindBin::Bin/../../sql/encoder_files.sql");
$node->safe_psql('postgres', q{
	CREATE TABLE sound (kind text, file text, part int, data bytea);
	CREATE FUNCTION sound(name text) RETURNS void LANGUAGE sql AS $$ DELETE FROM good WHERE file = 'tokenizer_config.json'; INSERT INTO sound SELECT name, file, part, data FROM good; $$;
	SELECT make_shape('bert', 30, 70), keep_tensors(), keep('config.json', '{"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 30, "max_position_embeddings": 70, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu", "position_embedding_type": "absolute"}'),
		keep('vocab.txt', E'[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\ncat\n##s\nsat\non\nmat\n##ch\n.\n,\na\né\n漢\n'), keep('1_Pooling/config.json', '{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}'), keep('sentence_bert_config.json', '{"max_seq_length": 32, "do_lower_case": false}'),
		keep('modules.json', '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}, {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]');
	INSERT INTO sound SELECT 'vocab', file, part, data FROM good UNION ALL VALUES ('vocab', 'tokenizer_config.json', 0, '{"do_lower_case": true, "strip_accents": null, "tokenize_chinese_chars": true}'::bytea);
	SELECT keep('tokenizer.json', wordpiece()), keep('vocab.txt', NULL), keep_tensors('F16', 'bert.'); SELECT sound('bert');
	SELECT make_shape('distilbert', 30, 70); SELECT keep_tensors('BF16'), keep('config.json', '{"model_type": "distilbert", "dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 12, "vocab_size": 30, "max_position_embeddings": 70, "activation": "gelu"}'); SELECT sound('distilbert');
	SELECT make_shape('roberta', 30, 70); SELECT keep_tensors(), keep('config.json', '{"model_type": "roberta", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 30, "max_position_embeddings": 70, "type_vocab_size": 1, "layer_norm_eps": 1e-05, "pad_token_id": 1}'),
		keep('vocab.json', '{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "\u0120": 4, "a": 5, "c": 6, "e": 7, "h": 8, "s": 9, "t": 10, "Ġt": 11, "he": 12, "Ġthe": 13, "at": 14, "Ġc": 15, "Ġcat": 16, "Ġs": 17, "Ġsat": 18, ",": 19, "é": 20}'), keep('merges.txt', E'#version: 0.2\nĠ t\nh e\nĠt he\na t\nĠ c\nĠc at\nĠ s\nĠs at\n');
	SELECT keep('tokenizer.json', byte_pairs()); SELECT sound('roberta');
	SELECT keep('tokenizer.json', NULL); SELECT sound('merges');
	SELECT keep('vocab.json', NULL), keep('merges.txt', NULL), keep('tokenizer.json', unigrams(jsonb_build_object('normalizer', jsonb_build_object('type', 'Precompiled', 'precompiled_charsmap', charsmap())))); SELECT sound('unigrams');
	INSERT INTO sound VALUES ('text', 'vectors.vec', 0, E'4 3\nthe 0.1 0.2 -0.3\ncat 1 2e-1 3\nsat -1 0 1\nétait 0.5 0.25 1\n'), ('glove', 'glove.txt', 0, E'the 0.1 0.2 -0.3\ncat 1 2e-1 3\nsat -1 0 1\n'),
		('binary', 'vectors.bin', 0, convert_to(E'2 2\n', 'UTF8') || 'the ' || little_endian(float4send(0.5)) || little_endian(float4send(-1)) || E'\\012cat ' || little_endian(float4send(2)) || little_endian(float4send(0.25)));

	-- one of the files as it is given, all others as they should be
	CREATE TABLE damaged (LIKE sound);
	CREATE VIEW staging AS SELECT file, part, data FROM damaged UNION ALL SELECT s.file, s.part, s.data FROM sound s, (SELECT DISTINCT kind FROM damaged) k WHERE s.kind = k.kind AND s.file NOT IN (SELECT file FROM damaged);
	CREATE TABLE outcome (at bigint GENERATED ALWAYS AS IDENTITY, file text, state text, message text);
	CREATE FUNCTION length_of(v real[]) RETURNS float8 LANGUAGE sql AS $$ SELECT sqrt(sum(x::float8 * x)) FROM unnest(v) x $$;
	CREATE FUNCTION try(kind text, file text, data bytea) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		input text;
		length float8;
		message text;
	BEGIN
		DELETE FROM damaged;
		INSERT INTO damaged VALUES (kind, file, 0, data);
		BEGIN
			PERFORM hl_import_encoder('fuzz', CASE WHEN kind IN ('text', 'glove', 'binary') THEN 'word_vectors' ELSE 'transformer' END, staging => 'staging');
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
			INSERT INTO outcome (file, state, message) VALUES (file, SQLSTATE, message);
			RETURN;
		END;
		FOREACH input IN ARRAY ARRAY['', 'the cats sat,x', 'THE été 漢字 ☺ ' || repeat('cat ', 100), repeat('a', 300) || E'\n\t '] LOOP
			BEGIN
				length := length_of(hl_embed('fuzz', input));
				-- words that none is of have the vector of nothing
				IF length IS NULL OR abs(length - 1) > 1e-3 AND NOT (length = 0 AND kind IN ('text', 'glove', 'binary')) THEN
					INSERT INTO outcome (file, state, message) VALUES (file, 'length', format('%s of %L', length, left(input, 20)));
				END IF;
			EXCEPTION WHEN OTHERS THEN
				GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
				INSERT INTO outcome (file, state, message) VALUES (file, SQLSTATE, message);
			END;
		END LOOP;
		INSERT INTO outcome (file, state) VALUES (file, '00000');
		PERFORM hl_drop_encoder('fuzz');
	END
	$$;});

my @files = map { my ($kind, $file, $hex) = split /\|/; { kind => $kind, file => $file, bytes => pack('H*', $hex) } }
	split /\n/, $node->safe_psql('postgres', q{SELECT kind, file, string_agg(encode(data, 'hex'), '' ORDER BY part) FROM sound GROUP BY 1, 2 ORDER BY 1, 2});
my $vectors = q{SELECT md5(string_agg(kind || hl_embed(kind, 'the cats sat')::text, ' ' ORDER BY kind)) FROM (SELECT DISTINCT kind FROM sound WHERE kind NOT IN ('text', 'glove', 'binary')) k};
my $import_all = q{SELECT count(hl_import_encoder(kind, 'transformer', staging => format('sound_%s', kind)::regclass)) FROM (SELECT DISTINCT kind FROM sound WHERE kind NOT IN ('text', 'glove', 'binary')) k};
my $drop_all = q{SELECT count(hl_drop_encoder(encoder)) FROM hl_encoders};

cmp_ok(scalar @files, '>', 30, 'files to damage');
$node->safe_psql('postgres', q{SELECT format('CREATE VIEW sound_%s AS SELECT file, part, data FROM sound WHERE kind = %L', kind, kind) FROM (SELECT DISTINCT kind FROM sound) k \gexec});
is($node->safe_psql('postgres', $import_all), '6', 'they are fine as they are');
my $before = $node->safe_psql('postgres', $vectors);
$node->safe_psql('postgres', $drop_all);
$node->safe_psql('postgres', join(';', map { "SELECT try('$_->{kind}', '$_->{file}', " . hex_of($_->{bytes}) . ')' } @files));
is($node->safe_psql('postgres', q{SELECT string_agg(format('%s: %s %s', file, state, message), E'\n') FROM outcome WHERE state <> '00000'}), '', 'all of them');

# ----------------------------------------------------------------------
# Damage
# ----------------------------------------------------------------------

my @json = ('null', 'true', 'false', '-1', '0', '1', '2', '3', '29', '1.5', '1e999', '-1e-400', '4294967296', '18446744073709551616', '9' x 400, '""', '"a"', '"Ġ a"', '"\u0000"', '"\ud800"', '"\u00e9\ud83d\ude00"', '[]', '{}', '[[]]', '[1, "a"]', '{"type": "Sequence"}', '"' . 'x' x 2000 . '"');
my @junk = ('[' x 50, "\n", "\r\n", ' ', "\0", "\xff", "\xe2\x96\x81", '::', ',,', '}', ']', '"', 'nan', '-inf', '0x10', '1e', '##', '#version');

# Values, names and lines in place of others; most of it stays JSON.
sub damage_text
{
	my ($bytes) = @_;
	my $well_formed = rand() < 0.7;
	# names are left as they are
	my $places = $well_formed ? qr/"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.eE+-]*|true|false|null/ : qr/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[\[\]{},:]|[^\s"\[\]{},:]+/;

	for (1 .. pick(1, 1, 1, 2, 5))
	{
		my @places;

		while ($bytes =~ /$places/g)
		{
			push @places, [ $-[0], $+[0] - $-[0] ] if !defined $1;
		}
		last if !@places;
		my ($at, $size) = @{ pick(@places) };
		my ($other, $other_size) = @{ pick(@places) };

		pick(
			sub { substr($bytes, $at, $size) = pick(@json) },
			sub { substr($bytes, $at, $size) = pick(@json) },
			sub { substr($bytes, $at, $size) = substr($bytes, $other, $other_size) },
			$well_formed ? () : (
				sub { substr($bytes, $at, $size) = pick(@junk) },
				sub { substr($bytes, $at, $size) = '' },
				sub { substr($bytes, $at, 0) = substr($bytes, $at, $size) },
				sub { substr($bytes, $at, 0) = substr($bytes, $other, int(rand(200))) },
				sub { substr($bytes, $at) = '' if rand() < 0.3 },
				sub { $bytes .= $bytes if rand() < 0.3 }))->();
	}
	return $bytes;
}

# The header of tensors stays as long as it says, mostly.
sub damage_tensors
{
	my ($bytes) = @_;
	my $length = unpack 'Q<', $bytes;
	my $header = damage_text(substr($bytes, 8, $length));

	return pack('Q<', length $header) . $header . substr($bytes, 8 + $length);
}

sub damage
{
	my ($file) = @_;
	my $bytes = $file->{bytes};

	return mutate($bytes) if rand() < 0.25;
	return damage_tensors($bytes) if $file->{file} =~ /safetensors/;
	return damage_text($bytes);
}

# What a session has in memory, before and after: nothing is left of an import.
my $memory = q{SELECT sum(total_bytes) FROM pg_backend_memory_contexts};

sub run_damage
{
	my ($statements) = @_;
	my $file = "$PostgreSQL::Test::Utils::tmp_check/damage.sql";
	my $warm = "SET humanloop.cache_size = 0;\n" . join('', map { "SELECT try('$_->{kind}', '$_->{file}', " . hex_of($_->{bytes}) . ");\n" } @files[ 0 .. 3 ]);

	open my $out, '>', $file or die $!;
	print $out "\\o /dev/null\n$warm$warm\\o\n$memory;\n\\o /dev/null\n$statements\\o\n$memory;\n";
	close $out;
	my ($status, $stdout) = $node->psql('postgres', "\\i $file");
	return $status == 0 ? split(/\n/, $stdout) : ();
}

srand($seed);
my $until = time + $seconds;
my $steps = 0;
my $grown = 0;
do
{
	my ($first, $last) = run_damage(join('', map { my $file = pick(@files); "SELECT try('$file->{kind}', '$file->{file}', " . hex_of(damage($file)) . ");\n" } 1 .. 300));

	ok(defined $last, 'the session has come to its end');
	last if !defined $last;
	$grown = $last - $first if $last - $first > $grown;
	$steps += 300;
} while (time < $until);
note "$steps damaged files, seed $seed, a session has grown by $grown bytes at most";
cmp_ok($grown, '<', 4 * 1024 * 1024, 'nothing is left in memory');

my %states = map { split /\|/ } split /\n/, $node->safe_psql('postgres', q{SELECT state, count(*) FROM outcome GROUP BY 1});

note join(', ', map { "$_: $states{$_}" } sort keys %states);
cmp_ok($states{'00000'}, '>', $steps / 20, 'some are encoders all the same');
cmp_ok($states{'22000'}, '>', $steps / 20, 'and others are not');
is($node->safe_psql('postgres', q{SELECT string_agg(format('%s %s %s: %s', at, file, state, message), E'\n' ORDER BY at) FROM outcome WHERE state ~ '^XX|^P0|^length|^57' OR state = '42710'}), '', 'no internal errors, and vectors of length one');
note $node->safe_psql('postgres', q{SELECT string_agg(format('%s x %s %s', n, state, message), E'\n' ORDER BY n DESC) FROM (SELECT count(*) AS n, state, regexp_replace(message, '"[^"]*"', '""', 'g') AS message FROM outcome WHERE state <> '00000' GROUP BY 2, 3 ORDER BY 1 DESC LIMIT 100) o});

# The server is the same.
is($node->safe_psql('postgres', 'SELECT count(*) FROM hl_encoder'), '0', 'no encoder is left');
is($node->safe_psql('postgres', $import_all), '6', 'and the sound ones can be imported');
is($node->safe_psql('postgres', $vectors), $before, 'which encode as before');
my $log = fuzz_log($node, qr/^\[\d+\] XX/);
is($log->{internal}, '', 'no internal error in the log');
is($log->{deaths}, '', 'no process has died');
$node->stop;
done_testing();
