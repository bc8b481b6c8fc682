# A real transformer, all-MiniLM-L6-v2 with the weights of its authors: imported from
# files of the server, from large objects and from a table it is the same encoder, and
# its vectors are those that others get from the same files.  It goes along in a dump and
# to a standby, and a project that learned from words goes over to it while it serves.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $minilm = $ENV{HUMANLOOP_MINILM} // '';
my @files = qw(config.json tokenizer.json model.fp16.safetensors);
plan skip_all => 'no files of MiniLM in HUMANLOOP_MINILM; test/tools/minilm fetches them' if grep { !-r "$minilm/$_" } @files;

my $node = new_node('main', allows_streaming => 1, conf => "log_statement = none\nmax_wal_size = 2GB\nfsync = off\n");
my $dir = PostgreSQL::Test::Utils::tempdir();

# before there is much to be copied
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

sub query
{
	my ($query, $database) = @_;
	return $node->safe_psql($database // 'postgres', $query);
}

# ----------------------------------------------------------------------
# Importing
# ----------------------------------------------------------------------

is(query(qq{SELECT encoder, kind, dims, bytes > 40000000, seconds > 0 FROM hl_import_encoder('minilm', 'transformer', path => '$minilm')}), 'minilm|transformer|384|t|t', 'from a directory of the server');

# small files as a client brings them, the large one on the server
my $brought = query(qq{
	\\lo_import '$minilm/config.json'
	\\set config :LASTOID
	\\lo_import '$minilm/tokenizer.json'
	\\set tokenizer :LASTOID
	SELECT lo_import('$minilm/model.fp16.safetensors') AS model \\gset
	SELECT format('{"config.json": %s, "tokenizer.json": %s, "model.safetensors": %s}', :config, :tokenizer, :model) AS objects \\gset
	SELECT encoder, kind, dims FROM hl_import_encoder('from_objects', 'transformer', large_objects => :'objects');
	SELECT lo_unlink(:config), lo_unlink(:tokenizer), lo_unlink(:model);});
like($brought, qr/^from_objects\|transformer\|384$/m, 'from large objects');

# parts lie in the table in any order
query(q{CREATE TABLE staging (file text, part int, data bytea)});
query(qq{INSERT INTO staging SELECT f, i, pg_read_binary_file('$minilm/' || f, i * 1000000, 1000000)
	FROM unnest('{$_}'::text[]) f, generate_series(0, (pg_stat_file('$minilm/' || f)).size / 1000000) i ORDER BY md5(i::text)}) for @files;
is(query(q{SELECT encoder, kind, dims FROM hl_import_encoder('from_table', 'transformer', staging => 'staging')}), 'from_table|transformer|384', 'from the parts in a table');

my $stored = q{SELECT e.name, md5(string_agg(p.data, '' ORDER BY p.part)) FROM hl_encoder e JOIN hl_encoder_part p ON p.encoder_id = e.id WHERE e.project_id IS NULL GROUP BY 1 ORDER BY 1};
my %stored = map { split /\|/ } split /\n/, query($stored);
is(join(' ', sort keys %stored), 'from_objects from_table minilm', 'three encoders');
is($stored{$_}, $stored{minilm}, "$_ is the same as that from files") for qw(from_objects from_table);
query(q{SELECT hl_drop_encoder('from_objects'), hl_drop_encoder('from_table'); DROP TABLE staging});

# ----------------------------------------------------------------------
# Its vectors, as the model of a project sees them
# ----------------------------------------------------------------------

query(q{
	CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
	INSERT INTO ticket
	SELECT i, (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + i % 3]
		|| (ARRAY['the shoes', 'the jacket', 'the lamp', 'a phone', 'the table', 'two books', 'the kettle'])[1 + i / 3 % 7] || ' order ' || i,
		(ARRAY['returns', 'delivery', 'billing'])[1 + i % 3]
	FROM generate_series(1, 45) i;
	CREATE FUNCTION cosine(real[], real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
		SELECT sum(a::float8 * b) / sqrt(sum(a::float8 * a) * sum(b::float8 * b)) FROM unnest($1, $2) u(a, b) $$;});
is(query(q{SELECT encoder FROM hl_create_project('tickets', 'ticket', 'body', encoder => 'minilm')}), 'minilm', 'a project with it');
query(q{SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 30});
is(query(q{SELECT deployed, encoder, classes, labels FROM hl_train('tickets')}), 't|minilm|3|30', 'learns');
is(query(q{SELECT cardinality(v), round(cosine(v, v)::numeric, 6), round((SELECT sum(x::float8 * x) FROM unnest(v) x)::numeric, 4) FROM hl_embed('tickets', 'a') v}), '384|1.000000|1.0000', 'vectors are of unit length');

# as sentence-transformers' own first example has them, 0.6660, 0.1046 and 0.1411, and
# with these weights in half precision
my @sentences = map { "hl_embed('tickets', \$\$$_\$\$)" } 'The weather is lovely today.', q{It's so sunny outside!}, 'He drove to the stadium.';
my %published = ('0 1' => 0.6659, '0 2' => 0.1046, '1 2' => 0.1412);
for my $pair (sort keys %published)
{
	my ($one, $other) = split / /, $pair;
	my $cosine = query("SELECT cosine($sentences[$one], $sentences[$other])");
	cmp_ok(abs($cosine - $published{$pair}), '<', 0.0001, "sentences $pair: $cosine, published $published{$pair}");
}

my $golden = ($ENV{HUMANLOOP_DATA} // '') . '/../reference/minilm-golden.json';
SKIP:
{
	skip "no $golden", 1 unless -r $golden;
	my $worst = 1;

	for my $case (@{ decode_json(slurp_file($golden))->{cases} })
	{
		# characters to bytes, as the pipe to psql wants them
		my $text = $case->{text};
		utf8::encode($text);
		my $cosine = query("SELECT cosine(hl_embed('tickets', \$text\$$text\$text\$), '{" . join(',', @{ $case->{embedding} }) . "}')");
		cmp_ok($cosine, '>=', 0.9999, "the vector of '$text' is that of the reference");
		$worst = $cosine if $cosine < $worst;
	}
	note "smallest cosine similarity to the reference $worst";
}

# rows that are encoded together, and alone
is(query(q{SELECT count(*), bool_and(a.label = b.label), max(abs(a.confidence - b.confidence)) < 0.0001
	FROM hl_predict('tickets') a JOIN ticket t ON t.id = a.item::int, hl_predict('tickets', t.body) b}), '45|t|t', 'a row is predicted as its text is');
is(query(q{SELECT avg((label = topic)::int) FROM hl_predict('tickets') JOIN ticket ON id = item::int WHERE id > 30}), '1.00000000000000000000', 'rightly');

# ----------------------------------------------------------------------
# Wherever the database goes
# ----------------------------------------------------------------------

my %questions = (
	'the encoder' => $stored,
	'what is said of it' => q{SELECT encoder, kind, dims, bytes, shared, projects FROM hl_encoders},
	'the vector of a text' => q{SELECT md5(hl_embed('tickets', 'charged twice')::text)},
	'the prediction of a text' => q{SELECT * FROM hl_predict('tickets', 'Where has my parcel gone?')});
my %before = map { $_ => query($questions{$_}) } keys %questions;
like($before{'what is said of it'}, qr/^minilm\|transformer\|384\|\d+\|f\|\{tickets\}$/, 'it is listed');

$node->command_ok([ 'pg_dump', '-Fc', '-Z1', '-d', $node->connstr('postgres'), '-f', "$dir/dump" ], 'pg_dump');
query('CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), "$dir/dump" ], 'pg_restore');
is(query($questions{$_}, 'restored'), $before{$_}, "restored: $_ is the same") for sort keys %questions;
eventually($node, q{SELECT sum(cardinality(items)) = 45 FROM hl_feature_block}, 'restored: the worker encodes the rows again', 60, 'restored');
is(query(q{SELECT count(*) FROM hl_predict('tickets')}, 'restored'), 45, 'restored: all rows are predicted');
worker_gone($node, 'restored');
query('DROP DATABASE restored');

$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $questions{$_}), $before{$_}, "standby: $_ is the same") for sort keys %questions;
is($standby->safe_psql('postgres', q{SELECT count(*), count(DISTINCT label) FROM hl_predict('tickets')}), '45|3', 'standby: all rows are predicted');
$standby->stop;

# ----------------------------------------------------------------------
# From words to the transformer beside them, while it serves
# ----------------------------------------------------------------------

# enough rows that encoding them takes a while
query(q{
	INSERT INTO ticket SELECT i, 'about order ' || i || repeat(' and what was said of it before', 10), 'billing' FROM generate_series(101, 300) i;
	SELECT hl_create_project('words', 'ticket', 'body', encoder => 'text');
	SELECT hl_label_many('words', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 30;
	SELECT hl_train('words');});
eventually($node, $learned, 'the worker has nothing to do');
my $labels = q{SELECT md5(string_agg(l::text, ' ' ORDER BY id)) FROM hl_labels l WHERE project = 'words'};
my $said = query($labels);
my $answer = q{SELECT encoder, p.model, p.label FROM hl_projects, hl_predict('words', 'I was charged twice for the lamp') p WHERE project = 'words'};
my ($model) = query($answer) =~ /^text\|(\d+)\|billing$/;
ok(defined $model, 'the project learns from words');

query(q{SELECT hl_set_encoder('words', 'text+minilm')});
my %answers;
for (my $until = time + 60; time < $until;)
{
	my $answer = query($answer);
	$answers{$answer}++;
	last if $answer !~ /^text\|/;
}
my ($other) = map { /^text\+minilm\|(\d+)\|/ } keys %answers;
ok(defined $other && $other > $model, 'the worker trains a model with both');
is(join(' ', sort keys %answers), "text+minilm|$other|billing text|$model|billing", 'until then the old one serves');
cmp_ok($answers{"text|$model|billing"}, '>', 1, 'all the time');
is(query($labels), $said, 'all labels stay');
is(query(q{SELECT sum(cardinality(items)) FROM hl_feature_block JOIN hl_project p ON p.id = project_id WHERE p.name = 'words'}), 245, 'all rows are encoded anew');
cmp_ok(query(q{SELECT cardinality(hl_embed('words', 'lamp'))}), '>', 384, 'vectors have both parts');
is(query(q{SELECT projects FROM hl_encoders}), '{tickets,words}', 'it serves two projects');
is(sqlstate($node, q{SELECT hl_drop_encoder('minilm')}), '2BP01', 'so that it cannot be dropped');
query(q{SELECT hl_drop_project('words'), hl_drop_project('tickets'), hl_drop_encoder('minilm')});
is(query(q{SELECT count(*) FROM hl_encoder_part}), 0, 'nothing is left of it');

# ----------------------------------------------------------------------
# What the guide shows
# ----------------------------------------------------------------------

my ($section) = slurp_file("$FindBin::Bin/../../doc/guide.md") =~ /^### A transformer\n(.*?)(?=^##)/ms or die 'no section';
my @shown = $section =~ /^```sql minilm\n(.*?)^```$/gms;
is(scalar @shown, 4, 'blocks of the guide');
$node->safe_psql('postgres', 'CREATE DATABASE shop');
query(q{CREATE EXTENSION humanloop;
	CREATE TABLE ticket (id int PRIMARY KEY, body text);
	INSERT INTO ticket SELECT i, CASE WHEN i % 2 = 0 THEN 'the courier has not brought my parcel ' ELSE 'I was charged twice for order ' END || i FROM generate_series(1, 40) i;
	SELECT hl_create_project('tickets', 'ticket', 'body');
	SELECT hl_label_many('tickets', array_agg(id::text), array_agg(CASE id % 2 WHEN 0 THEN 'delivery' ELSE 'billing' END)) FROM ticket WHERE id <= 30;
	SELECT model FROM hl_train('tickets')}, 'shop');
my @outputs = map { query("\\set minilm $minilm\n$_", 'shop') } @shown;
is($outputs[0], 'minilm|transformer|384', 'it imports');
is($outputs[1], "\ntext+minilm|30", 'it goes over to it');
is(scalar(grep { /^the courier/ } split /\n/, $outputs[2]), 3, 'it finds texts of the same meaning');
is($outputs[3], "\ntext|30", 'it goes back');

$node->stop;
done_testing();
