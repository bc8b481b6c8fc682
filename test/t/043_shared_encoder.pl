# Imported encoders in a file that all sessions map: made by the first, used by
# the others, replaced where it is something else, and never a reason to fail.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $conf = "humanloop.enabled = off\nautovacuum = off\nrestart_after_crash = on\n";
my $node = new_node('main', allows_streaming => 1, conf => $conf);
my $limits = -d '/proc/self' && system('prlimit --version >/dev/null 2>&1') == 0;

# ----------------------------------------------------------------------
# A transformer of one layer that is large enough to be shared
# ----------------------------------------------------------------------

my ($width, $intermediate, $positions) = (128, 128, 32);
my @pieces = (qw([PAD] [UNK] [CLS] [SEP] please take back where is the parcel with i was charged twice for order), map { "word$_" } 1 .. 16400);

# n halves around 1/16, never the same twice in a row of them.
my $noise = join '', map { pack 'v', ($_ * 40503 >> 3 & 0x8000) | 0x2800 | ($_ * 2654435761 >> 7 & 0x7FF) } 1 .. 10007;

sub noise
{
	my ($n) = @_;

	return substr($noise x (1 + 2 * $n / length $noise), 0, 2 * $n);
}

sub spew
{
	my ($path, $bytes) = @_;

	open my $file, '>:raw', $path or die "$path: $!";
	print $file $bytes;
	return close $file || die "$path: $!";
}

# The files of a model in a directory; its numbers begin with those of a seed.
sub model_files
{
	my ($seed) = @_;
	my $path = PostgreSQL::Test::Utils::tempdir();
	my $layer = 'encoder.layer.0';
	my @norm = ([$width], "\x00\x3C" x $width);
	my @zeros = ([$width], "\0\0" x $width);
	my @square = ([ $width, $width ], noise($width * $width));
	my @tensors = (
		['embeddings.word_embeddings.weight', [ scalar @pieces, $width ], substr(noise(@pieces * $width + $seed), 2 * $seed)],
		['embeddings.position_embeddings.weight', [ $positions, $width ], noise($positions * $width)], ['embeddings.token_type_embeddings.weight', [ 2, $width ], noise(2 * $width)],
		['embeddings.LayerNorm.weight', @norm], ['embeddings.LayerNorm.bias', @zeros],
		(map { ([ "$layer.attention.self.$_.weight", @square ], [ "$layer.attention.self.$_.bias", @zeros ]) } qw(query key value)),
		["$layer.attention.output.dense.weight", @square], ["$layer.attention.output.dense.bias", @zeros],
		["$layer.attention.output.LayerNorm.weight", @norm], ["$layer.attention.output.LayerNorm.bias", @zeros],
		["$layer.intermediate.dense.weight", @square], ["$layer.intermediate.dense.bias", @zeros],
		["$layer.output.dense.weight", @square], ["$layer.output.dense.bias", @zeros],
		["$layer.output.LayerNorm.weight", @norm], ["$layer.output.LayerNorm.bias", @zeros]);
	my ($header, $data) = ('', '');

	for (@tensors)
	{
		my ($name, $shape, $bytes) = @$_;

		$header .= sprintf '%s"%s":{"dtype":"F16","shape":[%s],"data_offsets":[%d,%d]}', $header eq '' ? '{' : ',', $name, join(',', @$shape), length $data, length($data) + length $bytes;
		$data .= $bytes;
	}
	$header .= '}';
	spew("$path/model.safetensors", pack('Q<', length $header) . $header . $data);
	spew("$path/vocab.txt", join('', map { "$_\n" } @pieces));
	spew("$path/config.json", sprintf '{"model_type": "bert", "hidden_act": "gelu", "hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": %d, "max_position_embeddings": %d, "type_vocab_size": 2}', $width, $intermediate, scalar @pieces, $positions);
	chmod 0755, $path;
	return $path;
}

sub import_encoder
{
	my ($name, $seed) = @_;

	$node->safe_psql('postgres', sprintf q{SELECT hl_import_encoder('%s', 'transformer', path => '%s')}, $name, model_files($seed));
	return;
}

my $directory = $node->data_dir . '/base/pgsql_tmp';
my $predict = q{SELECT * FROM hl_predict('first', 'where is the parcel with my order')};

# The files that there are, or those of another server; by their names.
sub files
{
	my ($where) = @_;

	return map { s{.*/}{}r } sort glob(($where // $directory) . '/pgsql_tmp_humanloop*');
}

sub inode
{
	return (stat "$directory/$_[0]")[1] // 0;
}

# Encoders that a session has mapped, from the lines of /proc/PID/maps.
sub mapped
{
	my ($session) = @_;
	my $pid = ask($session, 'SELECT pg_backend_pid()');

	return join ' ', sort map { m{ (\S+) .*/(pgsql_tmp_humanloop.*)$} ? "$1 $2" : () } split /\n/, slurp_file("/proc/$pid/maps");
}

# A session's private memory in kB: what is not of a file or of shared memory.
sub private
{
	my ($session) = @_;
	my $pid = ask($session, 'SELECT pg_backend_pid()');

	return slurp_file("/proc/$pid/smaps_rollup") =~ /^Anonymous:\s+(\d+)/m ? $1 : -1;
}


# Whether predictions in a new session are as ever; with what it is told before.
sub predicts
{
	my ($what, $before) = @_;

	is($node->safe_psql('postgres', ($before // '') . $predict), $main::expected, $what);
	return;
}

import_encoder('small', 0);
import_encoder('other', 1);
fill($node, 90);
train($node, 45);
for my $of ([ first => 'small' ], [ second => 'other' ])
{
	$node->safe_psql('postgres', qq{SELECT hl_create_project('$of->[0]', 'ticket', 'body', encoder => '$of->[1]', options => '{"refine": false}');
		SELECT hl_label_many('$of->[0]', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 45; SELECT hl_train('$of->[0]')});
}

# ----------------------------------------------------------------------
# It comes and goes
# ----------------------------------------------------------------------

my ($file, $other) = files();
is(scalar(() = files()), 2, 'trainings have made a file of each encoder');
like($file, qr/^pgsql_tmp_humanloop(\.\d+){4}$/, 'named as temporary files are');
is((stat "$directory/$file")[2] & 0777, 0600, 'for nobody else to read');
is($node->safe_psql('postgres', 'SELECT count(*), min(size) > 4 * 2^20 FROM pg_ls_tmpdir()'), '2|t', 'pg_ls_tmpdir() shows it');

our $expected = $node->safe_psql('postgres', "SET humanloop.share_encoders = off; $predict");
$node->restart;
is(join(' ', files()), '', 'a restart removes them');
predicts('switched off, a session predicts', 'SET humanloop.share_encoders = off; ');
is(join(' ', files()), '', 'and makes none');
predicts('a session that is the first to need it predicts the same');
is(join(' ', files()), $file, 'and makes it');
my $good = slurp_file("$directory/$file");
my $inode = inode($file);
predicts('so does the next');
is(inode($file), $inode, 'which uses what is there');
is(sqlstate($node, q{LOAD 'humanloop'; CREATE ROLE somebody; SET ROLE somebody; SET humanloop.share_encoders = off}), '42501', 'who is no superuser does not decide');
is($node->safe_psql('postgres', qq{SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off;
	SELECT count(*), count(DISTINCT p.confidence) FROM ticket t, hl_predict('first', left(t.body, 6)) p}), '90|3', 'so do parallel workers');

# ----------------------------------------------------------------------
# Whose memory it is
# ----------------------------------------------------------------------

SKIP:
{
	skip 'no /proc/self/maps', 9 unless -r '/proc/self/maps' && -r '/proc/self/smaps_rollup';
	my ($one, $two) = (session($node), session($node));
	my $second = q{SELECT count(*) FROM hl_predict('second', 'x')};

	# what a session needs without
	ask($_, q{SELECT * FROM hl_predict('tickets', 'x')}) for $one, $two;
	ask($two, 'SET humanloop.share_encoders = off');
	my @before = map { private($_) } $one, $two;
	is(ask($_, $predict), $expected, 'two sessions') for $one, $two;
	my @more = map { private($_) - shift @before } $one, $two;
	note("private memory: $more[0] kB, and $more[1] kB where it is not shared");
	is(mapped($one), "r--s $file", 'it is mapped to be read, and shared');
	is(mapped($two), '', 'where it is switched off, it is not');
	# the tables have 4.3 MB of it
	cmp_ok($more[1] - $more[0], '>', 4000, 'what is mapped is not in the memory of the session');

	# the cache counts what is the session's own
	ask($one, "SET humanloop.cache_size = '5MB'; $second");
	is(mapped($one), "r--s $file r--s $other", 'both fit into little memory');
	is(ask($one, "SET humanloop.cache_size = 0; $second"), 1, 'without any, the one in use');
	is(mapped($one), "r--s $other", 'is the only one that is mapped');
	is(ask($one, $predict), $expected, 'the other one is mapped again');
	is(mapped($one), "r--s $file", 'when it is needed');
	$_->{run}->finish for $one, $two;
}

# ----------------------------------------------------------------------
# Something else in its place
# ----------------------------------------------------------------------

my $path = "$directory/$file";

# A good file with some bytes changed.
sub changed
{
	my ($at, $with) = @_;
	my $bytes = $good;

	substr($bytes, $at, length $with) = $with;
	return $bytes;
}

# The same with a checksum that is right.
sub resealed
{
	my ($bytes) = @_;
	my @table = map { my $crc = $_; $crc = $crc & 1 ? $crc >> 1 ^ 0x82F63B78 : $crc >> 1 for 1 .. 8; $crc } 0 .. 255;
	my $crc = 0xFFFFFFFF;

	$crc = $table[ ($crc ^ $_) & 255 ] ^ $crc >> 8 for unpack 'C*', substr($bytes, 64);
	substr($bytes, 36, 4) = pack 'L', $crc ^ 0xFFFFFFFF;
	return $bytes;
}

my $middle = length($good) / 2;
my $flipped = substr($good, $middle, 1) ^ "\1";
my @wrong = (
	[ 'another magic' => changed(0, 'x') ], [ 'another form' => changed(4, "\x7F") ], [ 'of another database' => changed(8, pack 'L', 1) ], [ 'of another extension' => changed(12, pack 'L', 1) ],
	[ 'of another encoder' => changed(16, pack 'Q', 77) ], [ 'made from something else' => changed(32, pack 'L', 12345) ], [ 'another checksum' => changed(36, pack 'L', 12345) ],
	[ 'another length' => changed(40, pack 'Q', 4096) ], [ 'a byte changed' => changed($middle, $flipped) ], [ 'the last byte changed' => changed(length($good) - 1, substr($good, -1) ^ "\1") ],
	[ 'cut by a byte' => substr($good, 0, -1) ], [ 'cut by half' => substr($good, 0, $middle) ], [ 'only a head' => substr($good, 0, 64) ], [ 'not even a head' => substr($good, 0, 10) ],
	[ 'empty' => '' ], [ 'longer' => $good . "\0" ], [ 'what the other one has' => slurp_file("$directory/$other") ], [ 'no encoder' => resealed(changed(64, 'x')) ], [ 'a weight that is none' => resealed(changed(length($good) - 4, pack 'L', 0x7FC00000)) ]);
is(resealed($good), $good, 'the checksum is CRC-32C of all but the head');
for (@wrong)
{
	my ($what, $bytes) = @$_;

	unlink $path;
	spew($path, $bytes);
	predicts("a file that is wrong ($what)");
	ok(slurp_file($path) eq $good, "another has taken its place ($what)");
}

my %odd = (
	'a link to nowhere' => sub { symlink "$directory/nowhere", $path },
	'a pipe' => sub { system('mkfifo', $path) == 0 },
	'a file that cannot be read' => sub { spew($path, $good); chmod 0000, $path },
	'an empty directory' => sub { mkdir $path },
	'a directory' => sub { mkdir $path and spew("$path/file", '') });
for my $what (sort keys %odd)
{
	unlink $path;
	$odd{$what}->() or die "$what: $!";
	predicts("$what in its place");
	ok($what =~ /directory/ ? -d $path : slurp_file($path) eq $good, "which is replaced if it can be ($what)");
	is(join(' ', files()), "$file $other", "nothing is left over ($what)");
	if (-d $path)
	{
		unlink "$path/file";
		rmdir $path;
	}
}

# Another encoder of the same number, as after a crash that took the first
# one's with it, and the number's, too
predicts('the file is there');
isnt($node->safe_psql('postgres', qq{BEGIN; UPDATE hl_encoder_part p SET data = o.data FROM hl_encoder_part o WHERE p.part = o.part AND p.encoder_id IN (1, 2) AND o.encoder_id = 3 - p.encoder_id; $predict; ROLLBACK}), $expected, 'an encoder that has been exchanged is not taken from the file of the old one');
ok(slurp_file($path) ne $good, 'which is replaced');
predicts('when it is taken back, it is not taken from the new one, either');

# ----------------------------------------------------------------------
# Where no file can be made
# ----------------------------------------------------------------------

sub refused
{
	my ($what) = @_;
	my ($status, $stdout, $stderr) = $node->psql('postgres', "SET client_min_messages = debug1; $predict");

	is($stdout, $expected, "$what: a session has its own");
	like($stderr, qr/DEBUG:  could not (create|map) file "base\/pgsql_tmp.*": $what/, "$what: it says why to who wants to know");
	unlike($stderr, qr/ERROR|WARNING|NOTICE/, "$what: and nobody else is told");
	return;
}

unlink glob("$directory/*");
chmod 0500, $directory;
refused('Permission denied');
chmod 0700, $directory;
is(join(' ', files()), '', 'there is none');
rmdir $directory or die $!;
spew($directory, '');
refused('Not a directory');
unlink $directory;
predicts('without a directory');
is(join(' ', files()), $file, 'it is made');

SKIP:
{
	skip 'no prlimit', 4 unless $limits;
	my $limited = session($node);

	# a disk that is full, as far as this session goes, which has nothing else to write
	ask($limited, $predict);
	ask($limited, 'SET humanloop.cache_size = 0');
	ask($limited, q{SELECT * FROM hl_predict('tickets', 'x')});
	$node->safe_psql('postgres', 'CHECKPOINT; SELECT pg_switch_wal()');
	unlink $path;
	system('prlimit', '--pid=' . ask($limited, 'SELECT pg_backend_pid()'), '--fsize=4000000:') == 0 or die 'prlimit failed';
	is(ask($limited, $predict), $expected, 'a file that cannot be written to its end: a session has its own');
	is(join(' ', files()), '', 'nothing of it is left');
	is(mapped($limited), '', 'nor mapped');
	is(ask($limited, $predict), $expected, 'it goes on');
	$limited->{run}->finish;
}

# ----------------------------------------------------------------------
# Many at once, and such as do not come to an end
# ----------------------------------------------------------------------

my @sessions = map { session($node) } 1 .. 6;
for my $round (1 .. 3)
{
	unlink $path;
	ask($_, "\\c -\nSELECT FROM ($predict) p WHERE label = ''", 1) for @sessions;
	is(join(' ', map { ask($_, $predict) } @sessions), join(' ', ($expected) x @sessions), 'sessions that come at the same time');
	is(join(' ', files()), $file, 'there is one file of them');
	ok(slurp_file($path) eq $good, 'which is whole');
}
$_->{run}->finish for @sessions;

for my $ms (1 .. 60)
{
	unlink $path;
	$node->psql('postgres', q{SELECT * FROM hl_predict('tickets', 'x'); SET statement_timeout = } . 2 * $ms . "; $predict");
}
unlink $path;
is(join(' ', files()), '', 'a session that is cancelled leaves nothing half done');
for my $times (1 .. 10)
{
	my $victim = session($node);
	my $pid = ask($victim, q{SELECT pg_backend_pid() FROM hl_predict('tickets', 'x')});

	ask($victim, $predict, 1);
	sleep 0.005 * $times;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
	IPC::Run::kill_kill($victim->{run});
	unlink $path;
}
is(join(' ', files()), '', 'nor does one that is ended');

# What somebody has left who was killed
my $session = session($node);
my $left = "$path." . ask($session, 'SELECT pg_backend_pid()');
spew($left, $good x 2);
is(ask($session, $predict), $expected, 'what was left of a process of the same number');
ok(slurp_file($path) eq $good && !-e $left, 'is not added to');
spew($left, 'x');
crash($node, ask($session, 'SELECT pg_backend_pid()'));
$session->{run}->finish;
is(join(' ', files()), '', 'after a crash all are removed');
predicts('and made anew');

# ----------------------------------------------------------------------
# Backups, standbys, copies of a database
# ----------------------------------------------------------------------

$node->backup('base');
is(join(' ', files($node->backup_dir . '/base/base/pgsql_tmp')), '', 'pg_basebackup does not carry it');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
my $elsewhere = $standby->data_dir . '/base/pgsql_tmp';
is($standby->safe_psql('postgres', $predict), $expected, 'a standby predicts the same');
is(join(' ', files($elsewhere)), $file, 'from a file of its own');
ok(slurp_file("$elsewhere/$file") eq $good, 'which is the same');
is($standby->safe_psql('postgres', $predict), $expected, 'in other sessions, too');

$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE postgres');
is($node->safe_psql('copy', $predict), $expected, 'a copy of the database');
is(scalar(() = files()), 2, 'has its own');

# ----------------------------------------------------------------------
# The encoder is dropped
# ----------------------------------------------------------------------

my $holder = session($node);
is(ask($holder, $predict), $expected, 'somebody has it in use');
$node->safe_psql('postgres', q{SELECT hl_drop_project('first')});
$node->safe_psql('postgres', q{BEGIN; SELECT hl_drop_encoder('small'); ROLLBACK});
ok(-e $path, 'to drop an encoder that is not dropped after all leaves the file');
$node->safe_psql('postgres', q{SELECT hl_drop_encoder('small')});
ok(!-e $path, 'with the encoder it goes');
like(mapped($holder), qr/\Q$file\E \(deleted\)/, 'who has it mapped keeps it') if -r '/proc/self/maps';
$holder->{run}->finish;
$node->wait_for_catchup($standby);
ok(-e "$elsewhere/$file", 'on a standby it is left');
$standby->restart;
is(join(' ', files($elsewhere)), '', 'until that is restarted');

# ----------------------------------------------------------------------
# Vectors of words
# ----------------------------------------------------------------------

my @rows = map { my $i = $_; join ' ', map { sprintf '%.3f', sin($i * 7 + $_ * $_) } 1 .. 100 } 0 .. 100;
my @known = (qw(please take back where is the parcel with i was charged twice for order), map { "word$_" } 1 .. 20000);
my $words = PostgreSQL::Test::Utils::tempdir();

spew("$words/vectors.txt", join '', map { "$known[$_] $rows[$_ % 101]\n" } 0 .. $#known);
chmod 0755, $words;
my @others = files();
$node->safe_psql('postgres', qq{SET client_min_messages = warning; SELECT hl_import_encoder('words', 'word_vectors', path => '$words');
	SELECT hl_create_project('third', 'ticket', 'body', encoder => 'words');
	SELECT hl_label_many('third', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 45; SELECT hl_train('third')});
is(scalar(() = files()), @others + 1, 'word vectors have a file, too');
my $embed_words = q{SELECT md5(string_agg(hl_embed('third', body)::text, ' ' ORDER BY id)) FROM ticket};
is($node->safe_psql('postgres', $embed_words), $node->safe_psql('postgres', "SET humanloop.share_encoders = off; $embed_words"), 'and are the same');

# ----------------------------------------------------------------------
# Word for word the same from a real one
# ----------------------------------------------------------------------

SKIP:
{
	skip 'no HUMANLOOP_MINILM', 1 unless -d ($ENV{HUMANLOOP_MINILM} // '');
	my $embed = q{SELECT md5(string_agg(hl_embed('real', body)::text, ' ' ORDER BY id)) FROM ticket};

	$node->safe_psql('postgres', qq{SELECT hl_import_encoder('minilm', 'transformer', path => '$ENV{HUMANLOOP_MINILM}');
		SELECT hl_create_project('real', 'ticket', 'body', encoder => 'minilm');
		SELECT hl_label_many('real', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 45; SELECT hl_train('real')});
	is($node->safe_psql('postgres', $embed), $node->safe_psql('postgres', "SET humanloop.share_encoders = off; $embed"), 'MiniLM: the same vectors');
}
$standby->stop;
$node->stop;
unlike(slurp_file($_->logfile), qr/WARNING|PANIC|terminated by signal (?!9)/, 'nothing has failed') for $node, $standby;
done_testing();
