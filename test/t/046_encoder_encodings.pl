# Damaged files of encoders, and sound ones with characters that the database has not,
# in databases of any encoding: an error that says what is wrong, in ASCII, or an
# encoder that gives the same vectors everywhere.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Fuzz;
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;
use Transformer;

# what a client does not have is a question of its own
$ENV{PGCLIENTENCODING} = 'UTF8';
my $node = new_node('main', conf => "humanloop.enabled = off\n");
my $dir = PostgreSQL::Test::Utils::tempdir();

# ----------------------------------------------------------------------
# The files
# ----------------------------------------------------------------------

write_transformer("$dir/plain");

my $e = "\xc3\xa9";					# what LATIN1 has
my $kanji = "\xe6\xbc\xa2";			# what EUC_JP has
my $smile = "\xf0\x9f\x98\x80";		# what only UTF8 has
my $specials = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n";
my $config = '"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128, "vocab_size": 30, "max_position_embeddings": 64';

# tokenizer.json of a kind, with a vocabulary and what is to be otherwise
sub wordpiece
{
	my ($vocabulary, %other) = @_;

	return sprintf '{"added_tokens": [%s], "normalizer": %s, "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": %s, "model": {"type": "WordPiece", "unk_token": "%s", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, %s}}}',
		$other{added} // '', $other{normalizer} // '{"type": "BertNormalizer"}', $other{after} // 'null', $other{unknown} // '[UNK]', $vocabulary;
}

sub byte_pair
{
	my ($merges, $other) = @_;

	return sprintf '{"pre_tokenizer": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"<s>": 0, "</s>": 1, "a": 2, "%s": 3, "a%s": 4}, "merges": [%s]%s}}', $e, $e, $merges, $other // '';
}

sub unigram
{
	my ($vocabulary, $sign, $normalizer) = @_;

	return sprintf '{"normalizer": %s, "pre_tokenizer": {"type": "Metaspace", "replacement": "%s"}, "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["<s>", 0], ["</s>", 0], %s]}}', $normalizer // 'null', $sign // "\xe2\x96\x81", $vocabulary;
}

# the files of a tokenizer of byte pairs
sub pairs
{
	my ($merges, $vocabulary) = @_;

	return ('vocab.txt', undef, 'vocab.json', $vocabulary // '{"<s>": 0, "</s>": 1, "<unk>": 2, "a": 3}', 'merges.txt', $merges);
}

sub tensors
{
	my ($header) = @_;

	return pack('Q<', length $header) . $header . "\0" x 16;
}

my $json = qr/^22P02 "[\w.]+" is not valid JSON/;
my $twice = qr/is in the vocabulary twice$/;
# what, the files that are other than they should be and what is in each, the error
my @damaged = (
	# bytes that are no UTF-8
	['a token that is no character, twice', 'vocab.txt', "$specials\xff\xfe\nx\n\xff\xfe\n", qr/^22000 cannot import "vocab.txt": token "\?\?" $twice/],
	['half a character, twice', 'vocab.txt', "$specials\xc3\n\xc3\n", qr/token "\?" $twice/],
	['half a pair, twice', 'vocab.txt', "$specials\xed\xa0\x80\n\xed\xa0\x80\n", qr/token "\?\?\?" $twice/],
	['a zero byte', 'vocab.txt', "$specials\xff\0\n", qr/^22000 cannot import "vocab.txt": it is no text/],
	['a file of another encoding', 'vocab.txt', "\xff\xfe" . join('', map { "$_\0" } split //, $specials), qr/^22000 cannot import "vocab.txt": it is no text/],
	['tokens of JSON in LATIN1', 'tokenizer.json', wordpiece("\"\xe9\": 3"), qr/^22P02 "tokenizer.json" is not valid JSON It is not UTF-8\.$/],
	['tokens of JSON in EUC_JP', 'tokenizer.json', wordpiece("\"\xb4\xc1\": 3"), qr/It is not UTF-8\.$/],
	['JSON that ends in a character', 'tokenizer.json', "{\"model\": \"\xe6\xbc", qr/It is not UTF-8\.$/],
	['a character that is too long a form', 'tokenizer.json', wordpiece("\"\xc0\x80\": 3"), qr/It is not UTF-8\.$/],
	['half a pair as itself', 'tokenizer.json', wordpiece("\"\xed\xa0\x80\": 3"), qr/It is not UTF-8\.$/],
	['half a pair that is escaped', 'tokenizer.json', wordpiece('"\ud83d": 3'), $json],
	['the other half', 'tokenizer.json', wordpiece('"\ude00": 3'), $json],
	['an escaped zero byte', 'tokenizer.json', wordpiece('"\u0000": 3'), $json],
	['what is no JSON behind a character', 'tokenizer.json', "{\"$smile\": $kanji}", $json],
	['a configuration in LATIN1', 'config.json', "{\"model_type\": \"b\xe9rt\"}", qr/^22P02 "config.json" is not valid JSON It is not UTF-8\.$/],
	['a configuration with a mark', 'config.json', "\xef\xbb\xbf{}", qr/^22P02 "config.json" is not valid JSON/],
	['merges in LATIN1', pairs("\xe9 \xff\n"), qr/^22000 cannot import "merges.txt": merge 0, of "\?" and "\?", is a merge of what is not in the vocabulary$/],
	['merges in UTF-16', pairs("\xff\xfea\0 \0b\0\n\0"), qr/^22000 cannot import "merges.txt": it is no text/],
	['merges of three bytes', pairs("\xe9 \xff \xfe\n"), qr/^22000 cannot import "merges.txt": "\? \? \?" is not a merge of two tokens$/],
	['a vocabulary of pairs in LATIN1', pairs('', "{\"<s>\": 0, \"\xe9\": 1}"), qr/^22P02 "vocab.json" is not valid JSON It is not UTF-8\.$/],
	['a header in LATIN1', 'model.safetensors', tensors("{\"\xe9\": {\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [0, 16]}}"), qr/^22P02 "model.safetensors" is not valid JSON It is not UTF-8\.$/],

	# characters that not every database has
	(map {
		my $c = $_;
		my $q = '\?' x length $c;

		(["$c: a token twice", 'vocab.txt', "$specials$c\n$c\n", qr/^22000 cannot import "vocab.txt": token "$q" $twice/],
			["$c: a token twice in JSON", 'tokenizer.json', wordpiece("\"a$c\": 3, \"a$c\": 4"), qr/^22000 cannot import "tokenizer.json": token "a$q" $twice/],
			["$c: a number that is none", 'tokenizer.json', wordpiece("\"$c\": -1"), qr/^22000 cannot import "tokenizer.json": the number of a token/],
			["$c: no such token", 'tokenizer.json', wordpiece('"a": 3', unknown => $c), qr/^22000 .*: there is no token "$q" in the vocabulary$/],
			["$c: none around a text", 'tokenizer.json', wordpiece('"a": 3', after => "{\"type\": \"BertProcessing\", \"cls\": [\"$c\", 1], \"sep\": [\"[SEP]\", 2]}"), qr/^22000 .*: there is no token "$q" in the vocabulary$/],
			["$c: an added token", 'tokenizer.json', wordpiece('"a": 3', added => "{\"id\": 9, \"content\": \"$c\", \"special\": false}"), qr/added token "$q" is not supported$/],
			["$c: a normalizer", 'tokenizer.json', wordpiece('"a": 3', normalizer => "{\"type\": \"$c\"}"), qr/normalizer "$q" is not supported$/],
			["$c: a post-processor", 'tokenizer.json', wordpiece('"a": 3', after => "{\"type\": \"$c\"}"), qr/post-processor "$q" is not supported$/],
			["$c: a merge of nothing", 'tokenizer.json', byte_pair("\"a $c$c\""), qr/^22000 cannot import "tokenizer.json": merge 0, of "a" and "$q$q", is a merge/],
			["$c: a merge of one", 'tokenizer.json', byte_pair("\"$c\""), qr/^22000 .*"$q" is not a merge of two tokens$/],
			["$c: pairs of three", 'tokenizer.json', byte_pair("[\"a\", \"$c\", \"$c\"]"), qr/^22000 .*a merge is not of two tokens$/],
			["$c: an ending", 'tokenizer.json', byte_pair('', ", \"end_of_word_suffix\": \"$c\""), qr/^0A000 .*end_of_word_suffix "$q" is not supported$/],
			["$c: a merge of bytes", pairs("a $c\n"), qr/^22000 cannot import "merges.txt": merge 0, of "a" and "$q", is a merge/],
			["$c: a number of bytes", pairs('', "{\"<s>\": 0, \"$c\": \"$c\"}"), qr/^22000 cannot import "vocab.json": the number of a token/],
			["$c: a piece twice", 'tokenizer.json', unigram("[\"$c\", -1], [\"$c\", -2]"), qr/^22000 .*token "$q" $twice/],
			["$c: a score that is none", 'tokenizer.json', unigram("[\"$c\", 1e999]"), qr/^22000 .*token "$q" has a score/],
			["$c: a sign for spaces", 'tokenizer.json', unigram('["a", -1]', $c), qr/^0A000 .*replacement "$q" is not supported$/],
			["$c: a map that is none", 'tokenizer.json', unigram('["a", -1]', undef, "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"$c\"}"), qr/^22000 .*is not in base64$/],
			["$c: a type of model", 'config.json', "{\"model_type\": \"$c\", $config}", qr/^0A000 .*model type "$q" is not supported$/],
			["$c: an activation", 'config.json', "{\"hidden_act\": \"gelu$c\", $config}", qr/^0A000 .*activation "gelu$q" is not supported$/],
			["$c: a name in place of another", 'config.json', "{\"hidden_size$c\": 32}", qr/^22000 "num_hidden_layers" is missing in "config.json"$/],
			["$c: a module", 'modules.json', "[{\"type\": \"models.$c\"}]", qr/^0A000 .*module "models.$q" is not supported$/],
			["$c: pooling", '1_Pooling/config.json', "{\"pooling_mode\": \"$c\"}", qr/^0A000 .*pooling "$q" is not supported$/],
			["$c: a tensor outside", 'model.safetensors', tensors("{\"$c\": {\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [16, 32]}}"), qr/^22000 .*tensor "$q" lies outside of the file$/],
			["$c: a type of tensor", 'model.safetensors', tensors("{\"$c\": {\"dtype\": \"$c\", \"shape\": [4], \"data_offsets\": [0, 16]}}"), qr/^22000 .*tensor "$q" is of a type that does not exist$/],
			["$c: a shape", 'model.safetensors', tensors("{\"$c\": {\"dtype\": \"F32\", \"shape\": [\"$c\"], \"data_offsets\": [0, 16]}}"), qr/^22000 .*tensor "$q" are not whole numbers$/],
			["$c: a tensor that is none", 'model.safetensors', tensors("{\"$c\": \"$c\"}"), qr/^22000 .*tensor "$q" is not described by an object$/],
			["$c: a tensor that nobody knows", 'model.safetensors', tensors("{\"$c\": {\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [0, 16]}}"), qr/^22000 cannot import the encoder: /]);
	} $e, $kanji, $smile),
	['a long token is cut', 'vocab.txt', "$specials" . "$kanji" x 80 . "\n" . "$kanji" x 80 . "\n", qr/token "\?{100}" $twice|too long/],
);

# Files of vectors, alone: what is no UTF-8 is no word, and the rest is as it would be.
my @vectors = (
	['text', "5 2\nparcel 1 0\ncaf\xe9 0 1\n\xff\xfe 1 1\n\xe6\xbc 1 1\nshoes 0 1\n"],
	['glove', "parcel 1 0\n\xb4\xc1 0 1\n\xed\xa0\x80 1 1\n\xc0\x80x 1 1\nshoes 0 1\n"],
	['binary', "4 2\nparcel " . pack('f<2', 1, 0) . "\ncaf\xe9 " . pack('f<2', 0, 1) . "\n\xff " . pack('f<2', 1, 1) . "\nshoes " . pack('f<2', 0, 1)]);
my @bad_vectors = (
	['a vector that is none', "parcel 1 0\n$kanji 1 $smile\n", qr/^22000 .*line 2: there is something that is no number$/],
	['one that is too short', "parcel 1 0\n$smile 1\n", qr/^22000 .*line 2: there are fewer or more numbers/],
	['bytes for numbers', "parcel 1 0\nshoes \xff \xfe\n", qr/^22000 .*line 2: /],
	['nothing but such words', "\xff 1 0\n\xfe 0 1\n", qr/^22000 .*there is no word in it that could be used$/],
	['a file of another encoding', "\xff\xfe" . join('', map { "$_\0" } split //, "parcel 1 0\nshoes 0 1\n"), qr/^22000 /]);

# ----------------------------------------------------------------------
# The same in databases of any encoding
# ----------------------------------------------------------------------

my @encodings = ('UTF8', 'LATIN1', 'EUC_JP', 'SQL_ASCII', 'WIN1252');
# a vocabulary with all of it, which nothing is wrong with
my $odd = join('', "$specials$e\n$kanji\n$smile\n\xff\xfe\n\xc3\n\xed\xa0\x80\n", map { "$_\n" } @transformer_words[ 0 .. 19 ]);
my %same;

sub hex_or_null { return defined $_[0] ? "'" . unpack('H*', $_[0]) . "'" : 'NULL' }

# what a test begins and ends with is no file
sub quote_files
{
	my ($what, @files) = @{ $_[0] };
	my @quoted;

	pop @files;
	push @quoted, "'" . shift(@files) . "'", hex_or_null(shift @files) while @files;
	return @quoted;
}

sub quote_bytes { return "'\\x" . unpack('H*', $_[0]) . "'::bytea" }

for my $encoding (@encodings)
{
	my $name = lc $encoding;

	$node->safe_psql('postgres', "CREATE DATABASE $name ENCODING '$encoding' TEMPLATE template0 LOCALE 'C'");
	$node->safe_psql($name, qq{
		CREATE EXTENSION humanloop;
		CREATE TABLE sound AS SELECT file, 0 AS part, pg_read_binary_file('$dir/plain/' || file) AS data FROM unnest('{config.json,vocab.txt,model.safetensors}'::text[]) file;
		CREATE TABLE staging (LIKE sound);
		CREATE FUNCTION outcome(kind text) RETURNS text LANGUAGE plpgsql AS \$\$
		DECLARE
			message text; detail text; hint text;
		BEGIN
			PERFORM hl_import_encoder('x', kind, staging => 'staging');
			PERFORM hl_drop_encoder('x');
			RETURN '00000';
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			RETURN rtrim(SQLSTATE || ' ' || message || ' ' || detail) || E'\\t' || hint;
		END\$\$;
		-- NULL: there is no such file
		CREATE FUNCTION with_files(VARIADIC files text[]) RETURNS text LANGUAGE plpgsql AS \$\$
		BEGIN
			TRUNCATE staging;
			INSERT INTO staging SELECT files[i], 0, decode(files[i + 1], 'hex') FROM generate_series(1, cardinality(files), 2) i WHERE files[i + 1] IS NOT NULL;
			INSERT INTO staging SELECT * FROM sound WHERE (file = ANY (files)) IS NOT TRUE;
			RETURN outcome('transformer');
		END\$\$;
		CREATE FUNCTION with_vectors(content bytea) RETURNS text LANGUAGE plpgsql AS \$\$
		BEGIN
			TRUNCATE staging;
			INSERT INTO staging VALUES ('vectors', 0, content);
			RETURN outcome('word_vectors');
		END\$\$;});

	# a line each
	my @outcomes = split /\n/, $node->safe_psql($name, join '', map { 'SELECT with_files(' . join(', ', quote_files($_)) . ");\n" } @damaged);
	is(scalar @outcomes, scalar @damaged, "$encoding: an outcome each");
	# with a hint; what the parser of JSON says may quote the file where that is what the database has
	is(join("\n", grep { /[^ -~\t]/ && !($encoding eq 'UTF8' && /^22P02/) } @outcomes), '', "$encoding: all are said in ASCII");
	for my $i (0 .. $#damaged)
	{
		like((split /\t/, $outcomes[$i])[0], $damaged[$i][-1], "$encoding: $damaged[$i][0]");
	}
	@outcomes = split /\n/, $node->safe_psql($name, join '', map { sprintf "SELECT with_vectors(%s);\n", quote_bytes($_->[1]) } @bad_vectors);
	for my $i (0 .. $#bad_vectors)
	{
		like((split /\t/, $outcomes[$i])[0], $bad_vectors[$i][2], "$encoding: $bad_vectors[$i][0]");
	}
	is(join("\n", grep { /[^ -~\t]/ } @outcomes), '', "$encoding: all are said in ASCII");

	# An encoder with all of it
	is($node->safe_psql($name, sprintf "SELECT with_files('vocab.txt', %s); SELECT encoder FROM hl_import_encoder('odd', 'transformer', staging => 'staging')", hex_or_null($odd)), "00000\nodd", "$encoding: such a vocabulary is a vocabulary");
	push @{ $same{odd} }, $node->safe_psql($name, q{SELECT hl_embed('odd', 'please take back the shoes, xyz')});
	for my $i (0 .. $#vectors)
	{
		my ($format, $bytes) = @{ $vectors[$i] };

		is($node->safe_psql($name, sprintf "SELECT with_vectors(%s); SELECT dims FROM hl_import_encoder('in_$format', 'word_vectors', staging => 'staging', options => '{\"format\": \"$format\"}')", quote_bytes($bytes)), "00000\n2", "$encoding: vectors as $format");
		push @{ $same{$format} }, $node->safe_psql($name, "SELECT hl_embed('in_$format', 'shoes parcel'), hl_embed('in_$format', 'caf'), hl_embed('in_$format', 'nothing')");
	}
}

# ----------------------------------------------------------------------
# Damage at random
# ----------------------------------------------------------------------

my @whole = map { [ 'tokenizer.json', $_ ] } (
	wordpiece("\"$e\": 3, \"##$kanji\": 4, \"\\ud83d\\ude00\": 5, \"a\\u00e9\": 6", added => "{\"id\": 2, \"content\": \"$smile\"}", after => "{\"type\": \"BertProcessing\", \"cls\": [\"$e\", 3], \"sep\": [\"[SEP]\", 2]}"),
	byte_pair("[\"a\", \"$e\"]"),
	unigram("[\"$kanji\", -1], [\"$smile\", -2], [\"\\u00e9\", -3]"));

push @whole, [ 'vocab.txt', $odd ], [ 'config.json', "{\"model_type\": \"bert\", \"name\": \"$kanji\\u9774$e\", $config}" ];
srand($ENV{FUZZ_SEED} // 1);
my @random = map { my ($file, $bytes) = @{ pick(@whole) }; [ 'random', $file, mutate($bytes), '' ] } 1 .. 150;
my $states;

for my $encoding (@encodings)
{
	my @outcomes = split /\n/, $node->safe_psql(lc $encoding, join '', map { 'SELECT with_files(' . join(', ', quote_files($_)) . ");\n" } @random);

	is(scalar @outcomes, scalar @random, "$encoding: an outcome for each damaged at random");
	is(join("\n", grep { /[^ -~\t]/ && !($encoding eq 'UTF8' && /^22P02/) || !/^(00000|22000|22P02|0A000)/ } @outcomes), '', "$encoding: all are said in ASCII");
	# what is wrong does not hang on the database
	my $these = join ' ', map { /^(\w{5})/ } @outcomes;
	$states //= $these;
	is($these, $states, "$encoding: the same errors");
	note join ', ', map { my $state = $_; "$state: " . grep { /^$state/ } @outcomes } qw(00000 22000 22P02 0A000);
}
for my $name (sort keys %same)
{
	my ($first, @others) = @{ $same{$name} };

	isnt($first, '', "$name: a vector");
	is($_, $first, "$name: the same everywhere") for @others;
}

# ----------------------------------------------------------------------
# Lines of a table are in the encoding of the database
# ----------------------------------------------------------------------

# What has no code point is part of no word, as the bytes of a file that are no UTF-8.
my %odd_bytes = (UTF8 => undef, LATIN1 => undef, EUC_JP => '\xa9\xa1', SQL_ASCII => '\xe9', WIN1252 => '\x81');

my @of_letter;

for my $encoding (@encodings)
{
	my $name = lc $encoding;
	my $bytes = $odd_bytes{$encoding};

	local $ENV{PGCLIENTENCODING} = $encoding;
	# the first two are there in every encoding, with their own bytes
	my %letter = (UTF8 => $e, LATIN1 => "\xe9", WIN1252 => "\xe9", EUC_JP => "\x8f\xab\xb1", SQL_ASCII => $e);
	my $letter = $letter{$encoding};
	my $lines = "('parcel 1 0'), ('$letter 0.5 0.25'), ('shoes 0 1')";

	$lines .= ", (E'${bytes} 1 1'), (E'ca$bytes 1 1'), (E'${bytes}fe 1 1')" if defined $bytes;
	$node->safe_psql($name, "CREATE TABLE line AS SELECT line FROM (VALUES $lines) v(line)");
	is(sqlstate($node, q{SELECT hl_import_encoder('lines', 'word_vectors', staging => 'line')}, $name), '', "$encoding: lines");
	push @of_letter, $node->safe_psql($name, "SELECT hl_embed('lines', '$letter')");
	is($of_letter[-1], $of_letter[0], "$encoding: the vector of a letter that all have");
	if (defined $bytes)
	{
		is($node->safe_psql($name, "SELECT hl_embed('lines', E'$bytes'), hl_embed('lines', E'ca$bytes'), hl_embed('lines', 'ca'), hl_embed('lines', 'fe')"), join('|', ('{0,0}') x 4), "$encoding: what is no character is no word");
	}
	is(sqlstate($node, q{UPDATE line SET line = line || ' ' || line; SELECT hl_import_encoder('x', 'word_vectors', staging => 'line')}, $name), '22000', "$encoding: a line that is wrong");
}
isnt($of_letter[0], '{0,0}', 'which is one');

$node->stop;
done_testing();
