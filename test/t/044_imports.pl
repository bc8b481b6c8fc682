# Imported encoders where files are not what they seem, and where they go: directories
# of the server, databases of any encoding, a cluster without their owners, and tables
# of the version before.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Fcntl qw(:mode);
use Humanloop;
use POSIX qw(mkfifo);
use PostgreSQL::Test::Utils;
use Test::More;
use Transformer;

my $node = new_node('main', conf => "humanloop.enabled = off\nmax_prepared_transactions = 2\n");
my $dir = PostgreSQL::Test::Utils::tempdir();

sub write_file
{
	my ($path, $bytes) = @_;

	open my $file, '>:raw', $path or die "$path: $!";
	print $file $bytes;
	close $file or die "$path: $!";
	return;
}

sub import_error
{
	my ($path, $database) = @_;
	my ($status, $stdout, $stderr) = $node->psql($database // 'postgres', "SELECT hl_import_encoder('x', 'transformer', path => '$path')");

	$stderr =~ s/\Q$dir\E/DIR/g;
	return $stderr =~ /ERROR:  (.*)/ ? $1 : "no error, status $status";
}

# ----------------------------------------------------------------------
# Directories of the server
# ----------------------------------------------------------------------

write_transformer("$dir/small");
is($node->safe_psql('postgres', "SELECT encoder, dims FROM hl_import_encoder('small', 'transformer', path => '$dir/small')"), 'small|32', 'a directory');
is($node->safe_psql('postgres', "SELECT hl_drop_encoder('small'); SELECT encoder FROM hl_import_encoder('small', 'transformer', path => '$dir/../' || split_part('$dir', '/', -1) || '/small/')"), "\nsmall", 'by a path that goes back and forth');
# pooling is in a directory of its own; others are not looked into
mkdir "$dir/small/1_Pooling";
write_file("$dir/small/1_Pooling/config.json", '{"pooling_mode_max_tokens": true}');
is(import_error("$dir/small"), 'cannot import "1_Pooling/config.json": pooling "max" is not supported', 'pooling');
unlink "$dir/small/1_Pooling/config.json";
mkdir "$dir/small/onnx";
write_file("$dir/small/onnx/config.json", '{');
mkdir "$dir/small/1_Pooling/2_More";
write_file("$dir/small/1_Pooling/2_More/config.json", '{');
is($node->safe_psql('postgres', "SELECT dims FROM hl_import_encoder('again', 'transformer', path => '$dir/small')"), '32', 'what is in others does not matter');

sub copy_of
{
	my ($name) = @_;

	system('cp', '-r', "$dir/small", "$dir/$name") == 0 or die;
	return "$dir/$name";
}

# What is no file is not waited for; a link is what it leads to.
my $odd = copy_of('odd');
unlink "$odd/config.json";
mkfifo("$odd/config.json", 0600) or die;
is(import_error($odd), 'file "config.json" is missing', 'a pipe is no file');
is(import_error("$odd/config.json"), '"DIR/odd/config.json" is neither a directory nor a regular file', 'and none of its own');
unlink "$odd/config.json";
symlink '/dev/zero', "$odd/config.json" or die;
is(import_error($odd), 'file "config.json" is missing', 'nor is a device');
unlink "$odd/config.json";
symlink "$odd/nowhere", "$odd/config.json" or die;
is(import_error($odd), 'file "config.json" is missing', 'nor a link to nothing');
unlink "$odd/config.json";
symlink "$dir/small/config.json", "$odd/config.json" or die;
# a name that the database cannot hold
write_file("$odd/\xff.safetensors", 'x');
is(sqlstate($node, "SELECT hl_import_encoder('odd', 'transformer', path => '$odd')"), '', 'a link to a file is one');
# that lies about its length: there is more in it than none
unlink "$odd/config.json";
symlink '/proc/self/status', "$odd/config.json" or die;
is(import_error($odd), 'file "config.json" has grown while it was read', 'a file that is longer than it says');
# and one that is long without having anything
unlink "$odd/config.json";
write_file("$odd/config.json", '');
truncate "$odd/config.json", 300 * 1024 * 1024 or die;
is(import_error($odd), 'file "config.json" has more than 268435456 bytes', 'a file that is too long');
truncate "$odd/config.json", 20 * 1024 * 1024 or die;
is(import_error($odd), '"config.json" is not valid JSON', 'a file of zeros');
truncate "$odd/config.json", 200 * 1024 * 1024 or die;
is(import_error($odd), 'not enough memory to read a JSON file', 'memory is looked at before');
truncate "$odd/model.safetensors", 4 * 1024 * 1024 * 1024 * 1024 or die;
unlink "$odd/config.json";
symlink "$dir/small/config.json", "$odd/config.json" or die;
is(import_error($odd), 'file "model.safetensors" has more than 68719476736 bytes', 'tensors that are too long');
truncate "$odd/model.safetensors", 8 * 1024 * 1024 * 1024 or die;
is(import_error($odd), 'not enough memory to import an encoder', 'and those that take too much memory');

SKIP:
{
	skip 'root may read everything', 2 if $> == 0;
	my $closed = copy_of('closed');

	chmod 0, "$closed/config.json";
	is(import_error($closed), 'could not open file "DIR/closed/config.json" for reading: Permission denied', 'a file that nobody may read');
	chmod 0, $closed;
	is(import_error($closed), 'could not open directory "DIR/closed": Permission denied', 'and such a directory');
	chmod 0700, $closed;
}
my $many = copy_of('many');
write_file("$many/$_", '') for 1 .. 1000;
is(import_error($many), 'an encoder cannot have more than 1000 files', 'a directory of everything');
mkdir "$dir/empty";
is(import_error("$dir/empty"), 'there are no files to import', 'a directory of nothing');
is(import_error("small"), 'path "small" is not absolute', 'not where the server happens to be');
is(import_error("$dir/nowhere"), q{could not stat file "DIR/nowhere": No such file or directory}, 'nothing there');

# Who may read files of the server.
$node->safe_psql('postgres', q{CREATE ROLE reader IN ROLE pg_read_server_files; CREATE ROLE other});
like(($node->psql('postgres', "SET ROLE other; SELECT hl_import_encoder('x', 'transformer', path => '$dir/small')"))[2], qr/must have privileges of role pg_read_server_files/, 'not anybody');
is($node->safe_psql('postgres', "SET ROLE reader; SELECT encoder FROM hl_import_encoder('read', 'transformer', path => '$dir/small')"), 'read', 'but who has that role');

# Transactions
is($node->safe_psql('postgres', qq{
	BEGIN;
	SAVEPOINT a;
	SELECT encoder FROM hl_import_encoder('saved', 'transformer', path => '$dir/small');
	SELECT cardinality(hl_embed('saved', 'where is the parcel'));
	ROLLBACK TO a;
	SELECT count(*) FROM hl_encoders WHERE encoder = 'saved';
	SELECT encoder FROM hl_import_encoder('saved', 'transformer', path => '$dir/small');
	SELECT cardinality(hl_embed('saved', 'where is the parcel'));
	PREPARE TRANSACTION 'import';
	SELECT count(*) FROM hl_encoders WHERE encoder = 'saved';
	COMMIT PREPARED 'import';
	SELECT hl_embed('saved', 'where is the parcel') = hl_embed('small', 'where is the parcel');
	SELECT count(hl_drop_encoder(encoder)) FROM hl_encoders WHERE encoder IN ('saved', 'read', 'odd', 'again')}), "saved\n32\n0\nsaved\n32\n0\nt\n4", 'taken back, prepared, committed');

# ----------------------------------------------------------------------
# Databases of other encodings
# ----------------------------------------------------------------------

# vocabularies in which most is not ASCII: as it is, and escaped as Python does it
my $hello = "\xc3\xa9t\xc3\xa9 \xe9\x9d\xb4 \xf0\x9f\x98\x80";
my %files = (
	'vocab.txt' => join("\n", '[PAD]', '[UNK]', '[CLS]', '[SEP]', "\xc3\xa9t\xc3\xa9", "\xe9\x9d\xb4", "\xf0\x9f\x98\x80", 'ete') . "\n",
	'tokenizer_config.json' => '{"do_lower_case": true, "strip_accents": false, "comment": "\u00e9\ud83d\ude00"}',
	'tokenizer.json' => '{"normalizer": {"type": "BertNormalizer", "strip_accents": false}, "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]},
		"model": {"type": "WordPiece", "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "\u00e9t\u00E9": 4, "\u9774": 5, "\uD83D\ude00": 6, "ete": 7, "\\\\u00e9\"\/\n": 8}}}');
my %vectors;

write_transformer("$dir/vocab");
unlink "$dir/vocab/vocab.txt";
write_file("$dir/vocab/$_", $files{$_}) for 'vocab.txt', 'tokenizer_config.json';
write_transformer("$dir/json");
write_file("$dir/json/tokenizer.json", $files{'tokenizer.json'});

for my $encoding ('UTF8', 'LATIN1', 'EUC_JP', 'SQL_ASCII')
{
	my $name = lc $encoding;

	$node->safe_psql('postgres', "CREATE DATABASE $name ENCODING '$encoding' TEMPLATE template0 LOCALE 'C'");
	$node->safe_psql($name, 'CREATE EXTENSION humanloop');
	for my $kind ('vocab', 'json')
	{
		local $ENV{PGCLIENTENCODING} = 'SQL_ASCII';
		# what each encoding has of the text
		my %text = (UTF8 => $hello, SQL_ASCII => $hello, LATIN1 => "\xe9t\xe9", EUC_JP => "\xb7\xa4");
		my %known = (LATIN1 => "\xc3\xa9t\xc3\xa9", EUC_JP => "\xe9\x9d\xb4");

		is(sqlstate($node, "SELECT hl_import_encoder('$kind', 'transformer', path => '$dir/$kind')", $name), '', "$encoding: from $kind");
		my $vector = $node->safe_psql($name, "SELECT hl_embed('$kind', '$text{$encoding}')");

		if ($encoding eq 'UTF8')
		{
			$vectors{$_} //= $node->safe_psql('utf8', "SELECT hl_embed('$kind', '$_')") for $hello, values %known;
			isnt($vectors{$_}, $node->safe_psql('utf8', "SELECT hl_embed('$kind', 'xyz')"), 'which it knows') for values %known;
		}
		is($vector, $vectors{ $known{$encoding} // $hello }, "$encoding: the same vector from $kind");
	}
	# an error that quotes the file says it in ASCII
	for my $bad ('{"model": {"type": "\u00e9\ud83d\ude00"}}', "{\"model\": {\"type\": \"\xc3\xa9\"}}", '{"model": {"type": "\ud83d"}}', '{"model": {"type": "\ude00"}}', '{"model": {"type": "\u00zz"}}', '{"model": {"type": "\u00e', '{"a\u0000": 1}', '{"a\\', "{\"model\": {\"type\": \"\xc3\"}}", "\xe9")
	{
		write_transformer("$dir/bad") if !-d "$dir/bad";
		write_file("$dir/bad/tokenizer.json", $bad);
		like(import_error("$dir/bad", $name), qr/^(cannot import "tokenizer.json": tokenizer "\?+" is not supported|"tokenizer.json" is not valid JSON)$/, "$encoding: what is bad is bad");
	}
}
like($node->safe_psql('latin1', q{SELECT error.* FROM (VALUES (1)) v, LATERAL (SELECT hl_embed('json', 'x') = hl_embed('vocab', 'x')) error}), qr/^t$/, 'sessions go on');

# ----------------------------------------------------------------------
# To a cluster that has no such owner
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{SELECT hl_drop_encoder('small')});
$node->safe_psql('postgres', qq{
	CREATE ROLE ann IN ROLE pg_read_server_files; CREATE ROLE bob;
	GRANT CREATE ON SCHEMA public TO bob;
	SET ROLE ann;
	SELECT hl_import_encoder('hers', 'transformer', path => '$dir/small'), hl_import_encoder('shared', 'transformer', path => '$dir/small');
	SELECT hl_share_encoder('shared');
	SET ROLE bob;
	CREATE TABLE note (id int PRIMARY KEY, body text);
	INSERT INTO note SELECT i, (ARRAY['please take back the shoes ', 'where is the parcel '])[1 + i % 2] || (ARRAY['one', 'two', 'three'])[1 + i % 3] FROM generate_series(1, 60) i;
	SELECT hl_create_project('notes', 'note', 'body', encoder => 'shared');
	SELECT hl_label_many('notes', array_agg(id::text), array_agg('class ' || id % 2)) FROM note WHERE id <= 40;
	SELECT hl_train('notes');});
my $answers = q{SELECT item, label, round(confidence::numeric, 4) FROM hl_predict('notes') ORDER BY item};
my $before = $node->safe_psql('postgres', $answers);
my $elsewhere = PostgreSQL::Test::Cluster->new('elsewhere');

$elsewhere->init(extra => [ '-E', 'UTF8', '--locale=C' ]);
$elsewhere->append_conf('postgresql.conf', "humanloop.enabled = off\n");
$elsewhere->start;
$elsewhere->safe_psql('postgres', 'CREATE ROLE bob');
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', "$dir/dump.sql" ], 'dumped');
$elsewhere->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $elsewhere->connstr('postgres'), '-f', "$dir/dump.sql" ], 'restored where one owner is not');
is($elsewhere->safe_psql('postgres', q{SELECT encoder, owner IS NULL, shared, projects FROM hl_encoders ORDER BY 1}), "hers|t|f|{}\nshared|t|t|{notes}", 'her encoders are nobody\'s');
is($elsewhere->safe_psql('postgres', $answers), $before, 'what uses one goes on');
is($elsewhere->safe_psql('postgres', q{SET ROLE bob; SELECT encoder FROM hl_encoders; SELECT encoder FROM hl_train('notes')}), "shared\nshared", 'and is trained');
$elsewhere->safe_psql('postgres', q{CREATE ROLE ann});
is($elsewhere->safe_psql('postgres', q{SET ROLE ann; SELECT encoder FROM hl_encoders}), 'shared', 'another of her name is not her');
is(sqlstate($elsewhere, q{SET ROLE ann; SELECT hl_drop_encoder('shared')}), '42501', 'and may not drop it');
is($elsewhere->safe_psql('postgres', q{SELECT hl_share_encoder('shared', false), hl_drop_encoder('hers'); SET ROLE bob; SELECT count(*) FROM hl_encoders; SELECT label IS NOT NULL FROM hl_predict('notes', 'where is the parcel')}), "|\n0\nt", 'superusers have them');
is(sqlstate($elsewhere, q{SET ROLE bob; SELECT hl_set_encoder('notes', 'text+shared')}), '42704', 'which nobody else may use from then on');
is($elsewhere->safe_psql('postgres', qq{SELECT encoder FROM hl_import_encoder('new', 'transformer', path => '$dir/small'); SELECT count(*), count(DISTINCT id) FROM hl_encoder}), "new\n3|3", 'and new ones get new numbers');
$elsewhere->stop;
# who owned them is dropped: as with a restore
is($node->safe_psql('postgres', q{DROP ROLE ann; SELECT encoder, owner IS NULL FROM hl_encoders ORDER BY 1; SET ROLE bob; SELECT encoder FROM hl_encoders}), "hers|t\nshared|t\nshared", 'an owner who is gone');

# ----------------------------------------------------------------------
# Tables of the version before
# ----------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE older');
$node->safe_psql('older', q{CREATE EXTENSION humanloop VERSION '0.3.0'});
fill($node, 120, 'older');
train($node, 60, 'older');
is(sqlstate($node, q{SELECT hl_embed('small', 'x')}, 'older'), '42704', 'there are no encoders yet');
is($node->safe_psql('older', q{SELECT cardinality(hl_embed('tickets', 'where is the parcel')) > 0, (SELECT encoder FROM hl_train('tickets'))}), 't|text', 'projects work as before');
# in one session, which has plans of the tables as they were
is($node->safe_psql('older', qq{
	SELECT label FROM hl_predict('tickets', 'where is the parcel with the shoes');
	ALTER EXTENSION humanloop UPDATE;
	SELECT label FROM hl_predict('tickets', 'where is the parcel with the shoes');
	SELECT encoder FROM hl_import_encoder('small', 'transformer', path => '$dir/small');
	SELECT hl_set_encoder('tickets', 'text+small');
	SELECT encoder, labels FROM hl_train('tickets');
	SELECT label FROM hl_predict('tickets', 'where is the parcel with the shoes');
	SELECT projects FROM hl_encoders;}), "delivery\ndelivery\nsmall\n\ntext+small|60\ndelivery\n{tickets}", 'after the update they can use one');
is(sqlstate($node, q{SELECT hl_drop_encoder('small')}, 'older'), '2BP01', 'which stays as long as they do');

$node->stop;
done_testing();
