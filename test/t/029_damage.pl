# Random damage to everything that is stored, with checksums that are right: an
# error that says so or another answer, but no backend dies, hangs or takes all
# memory.  (003_damage.pl: damage that the checksums show.)
#
# FUZZ_SECONDS: how long at random (make fuzz), and at least 10,000 models then;
# FUZZ_SEED: another sequence.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Fuzz;
use Humanloop;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = $ENV{FUZZ_SECONDS} // 8;
my $models = $ENV{FUZZ_SECONDS} ? 10000 : 200;
my $seed = $ENV{FUZZ_SEED} // 1;
# what has been freed is not as it was
$ENV{MALLOC_PERTURB_} = 165;
my $node = new_node('main', conf => q{
	log_line_prefix = '[%p] %e %u: '
	log_statement = none
	log_min_error_statement = error
	client_min_messages = error
	max_worker_processes = 40});

# Small, so that chance hits all of it; and a second project that has nothing.
$node->safe_psql('postgres', 'CREATE DATABASE sound');
$node->safe_psql('sound', 'CREATE EXTENSION humanloop');
fill($node, 90, 'sound', '{"dimensions": 4, "vocabulary": 64, "queue_size": 20, "refine": true, "train_quiet": 86400, "train_growth": 100}');
train($node, 30, 'sound');
$node->safe_psql('sound', q{
	CREATE TABLE other AS SELECT * FROM ticket;
	ALTER TABLE other ADD PRIMARY KEY (id);
	SELECT hl_create_project('others', 'other', 'body', options => '{"train_quiet": 86400, "train_growth": 100}');
	SELECT hl_label_many('others', array_agg(id::text), array_agg(topic)) FROM other WHERE id <= 30;
	SELECT hl_train('others');
	SELECT hl_label('tickets', 40, 'returns'), hl_label('others', 40, 'returns');});
$node->poll_query_until('sound', q{SELECT bool_and(revision > 0) AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving}) or die 'no revision came';
$node->safe_psql('postgres', 'ALTER DATABASE sound SET humanloop.enabled = off');
worker_gone($node, 'sound');

# Bytes with head and checksum, as parts.c writes them.
my @crc_table = map { my $crc = $_; $crc = $crc & 1 ? $crc >> 1 ^ 0x82F63B78 : $crc >> 1 for 1 .. 8; $crc } 0 .. 255;

sub seal
{
	my ($bytes) = @_;
	my $crc = 0xFFFFFFFF;

	$crc = $crc_table[ ($crc ^ $_) & 255 ] ^ $crc >> 8 for unpack 'C*', $bytes;
	return pack('a4 V V V', 'HLP1', length $bytes, 0, $crc ^ 0xFFFFFFFF) . $bytes;
}

# What is stored, without the heads.
my %stored;
for my $table (qw(hl_model_part hl_encoder_part hl_revision))
{
	my $whose = $table eq 'hl_encoder_part' ? 'encoder_id' : 'project_id';

	$stored{$table} = substr(pack('H*', $node->safe_psql('sound', "SELECT encode(data, 'hex') FROM $table WHERE $whose = 1")), 16);
	note "$table: " . length($stored{$table}) . ' bytes';
}

# ----------------------------------------------------------------------
# An encoder of a kind that the project has not fitted, as a dump can bring it
# ----------------------------------------------------------------------

# A small transformer, its weights around the factor: the stored form, without a head.
sub transformer
{
	my ($factor) = @_;
	my @pieces = qw([UNK] [CLS] [SEP] please take back where is the parcel with i was charged twice for order);
	my ($width, $intermediate, $positions) = (8, 12, 16);
	# vectors of words, positions and the type, a norm; products, biases and norms of the layer
	my $weights = (@pieces + $positions + 1 + 2) * $width + (4 * $width + 2 * $intermediate + 9) * $width + $intermediate;
	my $bytes = pack('a4 V3', 'HLEN', 1, 3, $width);

	# layers, heads, ..., tokens; epsilon; mean, unit length, [CLS], [SEP], F32
	$bytes .= pack('V7 d< V5', 1, 2, $intermediate, scalar @pieces, $positions, 1, $positions, 1e-12, 0, 1, 1, 2, 0);
	$bytes .= pack('V4 a2 V Q<', 7, 100, 0, 2, '##', scalar @pieces, length join('', @pieces));
	$bytes .= pack('V*', 0 .. $#pieces) . pack('V*', map { length } @pieces) . join('', @pieces);
	$bytes .= "\0" x (-length($bytes) % 64);
	return $bytes . pack('f<*', map { $factor * sin($_ * $_) } 1 .. $weights);
}

# What was encoded by another is not there: a dump does not have it.  By its name it
# is what the project shall have.
sub plant
{
	my ($bytes) = @_;

	return 'UPDATE hl_encoder_part SET data = ' . hex_of(seal($bytes)) . q{ WHERE encoder_id = 1;
		UPDATE hl_encoder SET dims = 8, sparse_dims = 0 WHERE id = 1;
		DELETE FROM hl_feature_block WHERE project_id = 1};
}

sub message
{
	my ($query, $database) = @_;

	return ($node->psql($database, $query))[2] =~ /ERROR:  (.*)/ ? $1 : 'no error';
}

$node->safe_psql('postgres', 'CREATE DATABASE transformed TEMPLATE sound');
$node->safe_psql('postgres', 'ALTER DATABASE transformed SET humanloop.enabled = off');
my $transformed = sub { return $node->safe_psql('transformed', $_[0]) };
$transformed->(q{INSERT INTO ticket VALUES (1000, NULL), (1001, '')});
$transformed->(plant(transformer(1)));
my $unencoded = q{SELECT reason, count(*) FROM hl_unencoded('tickets') GROUP BY 1 ORDER BY 1};
is($transformed->($unencoded), "NULL|1\nempty|1", 'a transformer encodes in a session that has computed nothing yet');
is(sqlstate($node, "SELECT $_", 'transformed'), 'XX001', "a model of another encoder: $_") for q{* FROM hl_predict('tickets', 'parcel')}, q{hl_embed('tickets', 'parcel')}, q{count(*) FROM hl_predict('tickets')};
is($transformed->(q{SELECT deployed, labels, accuracy > 0.6 FROM hl_train('tickets')}), 't|31|t', 'a model is trained');
is($transformed->(q{SELECT items FROM hl_projects WHERE project = 'tickets'}), '91', 'of all rows that have a text');
is($transformed->(q{SELECT label FROM hl_predict('tickets', 'I was charged twice for')}), 'billing', 'which predicts');
is($transformed->(q{SELECT cardinality(e), round((SELECT sum(x * x) FROM unnest(e) x)::numeric, 5) FROM hl_embed('tickets', 'where is it') e}), '8|1.00000', 'texts have vectors');
is($transformed->(q{SELECT count(*) FROM hl_next('tickets', 5)}), '5', 'questions are asked');
is($transformed->($unencoded), "NULL|1\nempty|1", 'what is not encoded is listed');
is(sqlstate($node, q{SELECT hl_predict('tickets', ARRAY[1, 0, 0, 0, 0, 0, 0, 0])}, 'transformed'), '42804', 'a vector is no text');
is($transformed->(q{SELECT count(*), count(*) FILTER (WHERE a.label = b.label AND abs(a.confidence - b.confidence) < 1e-5 AND abs(a.epistemic - b.epistemic) < 1e-5)
	FROM hl_predict('tickets') a JOIN ticket ON a.item = id::text CROSS JOIN hl_predict('tickets', body) b}), '92|92', 'one by one the answers are those for all');

# Numbers that lead to none
$transformed->(plant(transformer(3e38)));
is($transformed->($unencoded), "NULL|1\nempty|1\nno finite vector|90", 'weights that are too large: hl_unencoded says so');
is($transformed->(q{SELECT hl_refresh('tickets')}), '0', 'no row is encoded');
is($transformed->(q{SELECT count(*) FROM hl_feature_block WHERE project_id = 1}), '0', 'nor kept');
is(message(q{SELECT hl_predict('tickets', 'where is the parcel')}, 'transformed'), 'the encoder finds no finite vector for the text', 'one text is an error');
is($transformed->(q{SELECT count(*), count(DISTINCT confidence) FROM hl_predict('tickets')}), '92|1', 'among all rows they are answered as empty ones');

my ($hashes, $dense, $terms) = map { pack 'H*', $_ } split /\|/, $node->safe_psql('sound', q{SELECT encode(hashes, 'hex'), encode(dense, 'hex'), encode(terms, 'hex') FROM hl_feature_block WHERE project_id = 1});
my %block = (hashes => $hashes, dense => $dense, terms => $terms);

# An array that is not what it should be.
sub array_damage
{
	my ($table, $column, $type) = @_;
	my $value = $type eq 'text' ? pick(q{NULL}, q{''}, q{'1'}, q{'no such thing'}, q{repeat('x', 100000)}) : $type eq 'real' ? pick(q{NULL}, q{'NaN'::real}, q{'Infinity'::real}, q{-1e38::real}, 0) : pick(q{NULL}, -1, 2, 3, 2147483647, q{-2147483648});

	return "UPDATE $table SET $column = "
		. pick(
			"'{}'", "$column\[1:" . int(rand(20)) . ']', "$column || $column", "$column || $value\::$type", "ARRAY[$column, $column]", "array_fill($value\::$type, ARRAY[" . pick(1, 50, 100) . '])', "('[' || 5 || ':' || 4 + cardinality($column) || ']=' || $column\::text)::$type\[]",
			"array_replace($column, $column\[1 + " . int(rand(10)) . "], $value\::$type)", "array_fill(NULL::$type, ARRAY[20000])");
}

my %arrays = (hl_ranking => [ [ items => 'text' ], [ scores => 'real' ], [ epistemic => 'real' ], [ aleatoric => 'real' ], [ labels => 'text' ], [ confidence => 'real' ], [ reasons => 'text' ] ], hl_model => [ [ classes => 'text' ], [ confusion => 'integer' ] ],
	hl_model_label => [ [ items => 'text' ], [ labels => 'integer' ], [ losses => 'real' ] ], hl_feature_block => [ [ items => 'text' ] ], hl_project => [ [ classes => 'text' ] ]);
my @values = (
	'hl_serving SET model = ' . '%s', 'hl_serving SET revision = %s', 'hl_serving SET last_model = %s', 'hl_serving SET features = %s', 'hl_serving SET items = %s', 'hl_serving SET encoder_id = %s', 'hl_model SET encoder_id = %s', 'hl_model SET labels = %s', 'hl_model SET folds = %s', 'hl_model SET model = %s', 'hl_model SET prior_precision = %s',
	'hl_model SET scale = %s', 'hl_model SET log_loss = %s', 'hl_encoder SET dims = %s', 'hl_encoder SET sparse_dims = %s', 'hl_encoder SET source_rows = %s', 'hl_feature_block SET live_rows = %s', 'hl_feature_block SET block = %s', 'hl_ranking SET model = %s', 'hl_ranking SET revision = %s', 'hl_ranking SET generation = %s',
	'hl_revision SET parent = %s', 'hl_revision SET revision = revision + %s', 'hl_model_part SET part = %s', 'hl_encoder_part SET part = %s', 'hl_project_local SET input_attnum = %s', 'hl_project_local SET key_attnum = %s', 'hl_project_local SET label_attnum = %s', 'hl_work SET tried_labels = %s', 'hl_work SET failures = %s',
	'hl_current_answer SET answer_id = %s');
my @others = (
	q{hl_project SET options = '{"dimensions": 0}'}, q{hl_project SET options = '[]'}, q{hl_project SET options = '7'}, q{hl_project SET options = '{"queue_size": 1e300}'}, q{hl_project SET encoder = 'none'}, q{hl_project SET acquisition = 'none'}, q{hl_project SET source_name = ''}, q{hl_project SET input_column = 'none'},
	q{hl_project SET key_column = 'body'}, q{hl_project SET label_column = 'ctid'}, q{hl_project SET owner = ''}, q{hl_project SET view_schema = 'none'}, q{hl_project_local SET source = 0}, q{hl_project_local SET source = 'pg_class'::regclass}, q{hl_project_local SET source = 4294967295}, q{hl_project_local SET queue_view = 'pg_class'::regclass},
	q{hl_lease SET lease_until = '-infinity'}, q{hl_lease SET lease_until = 'infinity', annotator = NULL}, q{hl_ranking SET made_at = 'infinity'}, q{hl_model SET trained_at = '-infinity'}, q{hl_model SET encoder = ''}, q{hl_model SET stored = false}, q{hl_model SET log_loss = 'NaN', accuracy = 'Infinity'},
	q{hl_current_answer SET label = NULL}, q{hl_current_answer SET label = ''}, q{hl_current_answer SET label = repeat('x', 100000)}, q{hl_current_answer SET item = item || ' '}, q{hl_encoder SET name = ''}, q{hl_work SET train_at = 'infinity', retry_at = '-infinity'});

sub bytes_damage
{
	my ($table) = @_;

	my $bytes = $table eq 'hl_encoder_part' ? pick($stored{$table}, transformer(1)) : $stored{$table};

	return "UPDATE $table SET data = " . hex_of(seal(mutate($bytes))) . ' WHERE ' . ($table eq 'hl_encoder_part' ? 'encoder_id' : 'project_id') . ' = 1';
}

sub block_damage
{
	my ($column) = @_;

	return "UPDATE hl_feature_block SET $column = " . hex_of(mutate($block{$column})) . ' WHERE project_id = 1';
}

# One damage; statements for psql.
sub damage
{
	my $anew = "UPDATE hl_model SET id = nextval('hl_model_id_seq')";
	my $part = pick(qw(hl_model_part hl_model_part hl_model_part hl_encoder_part hl_encoder_part hl_revision hl_revision));
	my $column = pick(keys %block);
	my $table = pick(sort keys %arrays);
	my $array = pick(@{ $arrays{$table} });

	return pick(
		# sessions keep what they have read by its id: an encoder's would stay
		(sub { ($part eq 'hl_encoder_part' ? "\\c -\nBEGIN" : 'BEGIN', $anew, bytes_damage($part)) }) x 6,
		(sub { ('BEGIN', block_damage($column)) }) x 2,
		(sub { ('BEGIN', $anew, array_damage($table, @$array)) }) x 3,
		sub { ("\\c -\nBEGIN", $anew, 'UPDATE ' . sprintf(pick(@values), pick(0, 1, -1, 2, 7, 32767, 2147483647))) },
		sub { ("\\c -\nBEGIN", 'UPDATE ' . pick(@others)) })->();
}

# What is done with it, each by itself.
my @uses = (
	q{SELECT * FROM hl_predict('tickets', 'where is the parcel')}, q{SELECT * FROM hl_probabilities('tickets', 'please take back the lamp')}, q{SELECT * FROM hl_uncertainty('tickets', '')}, q{SELECT hl_embed('tickets', 'parcel lamp')}, q{SELECT count(*) FROM hl_predict('tickets')}, q{SELECT * FROM hl_train('tickets')},
	q{SELECT hl_refresh('tickets')}, q{SELECT * FROM hl_next('tickets', 3)}, q{SELECT * FROM hl_queue}, q{SELECT * FROM hl_queue_tickets}, q{SELECT * FROM hl_projects}, q{SELECT * FROM hl_metrics('tickets')}, q{SELECT * FROM hl_confusion('tickets')}, q{SELECT * FROM hl_learning_curve('tickets')},
	q{SELECT hl_label('tickets', 50, 'billing')}, q{SELECT hl_skip('tickets', 51)}, q{SELECT hl_undo('tickets', 10)}, q{SELECT * FROM hl_models('tickets')}, q{SELECT hl_deploy('tickets', 1)}, q{INSERT INTO ticket VALUES (1000, 'new')}, q{SELECT hl_drop_project('tickets')}, q{SELECT * FROM hl_unencoded('tickets')});

sub trial
{
	my @damage = damage();

	return join('', map { "$_;\n" } @damage, map({ ('SAVEPOINT a', $_, 'ROLLBACK TO a') } map { pick(@uses) } 1 .. 4), 'ROLLBACK') =~ s/(\\c -);/$1/gr;
}

# The largest that a backend has been.
my $memory = q{SELECT 'most ' || (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]};

my $most = 0;

# Runs statements in a session; its output, or nothing where that has ended.
sub run_script
{
	my (@statements) = @_;
	my $script = "$PostgreSQL::Test::Utils::tmp_check/trials.sql";
	my ($output, $error) = ('', '');

	open my $out, '>', $script or die $!;
	print $out @statements, "$memory;\n";
	close $out;
	IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('sound'), '-f', $script ], '>', \$output, '2>', \$error, IPC::Run::timeout(600)) or return;
	for my $kilobytes ($output =~ /^most (\d+)$/mg)
	{
		$most = $kilobytes if $kilobytes > $most;
	}
	return $output;
}

# Models, and what a revision changes in one, many in a session, each read once
# by an answer, as its id is a new one.
sub model_trial
{
	return join('', map { "$_;\n" } 'SAVEPOINT a', q{UPDATE hl_model SET id = nextval('hl_model_id_seq')}, bytes_damage(pick(qw(hl_model_part hl_model_part hl_model_part hl_revision))), pick(@uses[ 0 .. 2 ]))
		. "\\echo read :SQLSTATE\nROLLBACK TO a;\nRELEASE a;\n";
}

srand($seed);
my $began = time;
my %read;
my $all_read = 0;
while (time < $began + $seconds / 4 || $all_read < $models)
{
	my $output = run_script("BEGIN;\n", (map { model_trial() } 1 .. 100), "ROLLBACK;\n") // last;

	$read{$_}++ for $output =~ /^read (\w+)$/mg;
	$all_read = ($read{'00000'} // 0) + ($read{XX001} // 0) + ($read{22000} // 0);
}
note sprintf('%d models read, %.0f a second: %s', $all_read, $all_read / (time - $began), join(', ', map { "$_ $read{$_}" } sort keys %read));
cmp_ok($all_read, '>=', $models, "$models damaged models are read");
like(join(' ', sort keys %read), qr/^00000 (22000 )?XX001$/, 'which is an answer, or an error that says so: damaged, or numbers that are not finite');
cmp_ok($read{XX001} // 0, '>', $all_read / 10, 'often the error');

my $until = time + $seconds * 3 / 4;
my $trials = 0;
while (time < $until)
{
	# what has ended a session is the end of it
	defined run_script(map { trial() } 1 .. 50) or last;
	$trials += 50;
}
note "$trials trials, seed $seed; the largest backend took $most kB";

# ----------------------------------------------------------------------
# The worker: says what is wrong, and goes on with what is not
# ----------------------------------------------------------------------

my @lasting = (
	(map { bytes_damage($_) } qw(hl_model_part hl_model_part hl_encoder_part hl_encoder_part hl_revision hl_revision)), (map { block_damage($_) } sort keys %block),
	q{UPDATE hl_feature_block SET items = array_replace(items, '70', NULL)}, q{UPDATE hl_model_label SET items = array_replace(items, '7', NULL)}, q{UPDATE hl_model_label SET labels = array_fill(1000, ARRAY[30])}, q{UPDATE hl_model_label SET labels = '{}'}, q{UPDATE hl_ranking SET items = items || NULL::text}, q{UPDATE hl_ranking SET items = ARRAY[items, items]},
	q{UPDATE hl_ranking SET items = '{}'}, q{INSERT INTO hl_change VALUES (1, 'rows', '{NULL,1}'), (1, 'labels', '{NULL,no such thing}'), (1, 'labels', '{{1,2},{3,4}}')}, q{UPDATE hl_model SET classes = array_replace(classes, 'billing', NULL)}, q{UPDATE hl_model SET classes = classes[1:2]}, q{UPDATE hl_serving SET revision = 1000}, q{UPDATE hl_serving SET model = 7},
	q{UPDATE hl_serving SET encoder_id = 77}, q{UPDATE hl_project_local SET label_attnum = 3}, q{UPDATE hl_project_local SET key_attnum = -1}, q{UPDATE hl_encoder SET dims = 1}, q{DELETE FROM hl_ranking}, q{DELETE FROM hl_feature_block},
	q{UPDATE hl_project SET options = '[]'}, q{UPDATE hl_project SET options = '{"dimensions": "many"}'}, q{UPDATE hl_project SET acquisition = 'none'});

for my $i (0 .. $#lasting)
{
	my $statement = $lasting[$i] =~ /^UPDATE/ && $lasting[$i] !~ / WHERE / ? "$lasting[$i] WHERE " . ($lasting[$i] =~ /^UPDATE hl_(?:encoder|project) / ? 'id' : 'project_id') . ' = 1' : $lasting[$i] =~ s/^(DELETE.*)/$1 WHERE project_id = 1/r;

	$node->safe_psql('postgres', "CREATE DATABASE damaged_$i TEMPLATE sound");
	$node->safe_psql("damaged_$i", $statement);
	# an answer can be stored unless the source cannot be found
	like(sqlstate($node, q{SELECT hl_label('tickets', 60, topic) FROM ticket WHERE id = 60}, "damaged_$i"), qr/^(42P01|XX001)?$/, 'an answer');
	is(sqlstate($node, q{SELECT hl_label('others', 60, topic) FROM other WHERE id = 60}, "damaged_$i"), '', 'and one in the other project');
}
for my $i (0 .. $#lasting)
{
	my $what = substr($lasting[$i], 0, 70) =~ s/ = '\\x.*//r;
	my $declaration = $lasting[$i] =~ /hl_project SET/;

	eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change c WHERE c.project_id = s.project_id) AND revision > 1 FROM hl_serving s JOIN hl_project p ON p.id = project_id WHERE name = 'others'}, "$what: the other project learns", 60, "damaged_$i");
	eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change c WHERE c.project_id = w.project_id) OR failures > 0 FROM hl_work w JOIN hl_project p ON p.id = project_id WHERE name = 'tickets'}, 'this one learns or says what is wrong', 60, "damaged_$i");
	is($node->safe_psql("damaged_$i", q{SELECT state, last_error ~ 'declaration' FROM hl_projects WHERE project = 'tickets'}), 'damaged|t', 'hl_projects says so') if $declaration;
	note $node->safe_psql("damaged_$i", q{SELECT sqlstate, error FROM hl_run WHERE state = 'failed'});
	is($node->safe_psql("damaged_$i", q{SELECT DISTINCT sqlstate FROM hl_run WHERE sqlstate IN ('XX000', 'XX002')}), '', 'clearly');
}

my $log = fuzz_log($node, qr/^\[\d+\] (?:XX00[02]|53200|57014 .*statement timeout)/);
note join(', ', map { "$_: $log->{states}{$_}" } sort keys %{ $log->{states} });
is($log->{internal}, '', 'no internal error, nothing that takes too long, no memory that was not there');
is($log->{deaths}, '', 'no process has died');
cmp_ok(($log->{states}{XX001} // 0) - ($read{XX001} // 0), '>', $trials / 10, 'damage is said');
cmp_ok($most, '<', 1024 * 1024, 'a backend takes no more than a gigabyte');
is($node->safe_psql('sound', q{SELECT count(*) FROM hl_predict('tickets')}), '90', 'undamaged, it answers');
$node->stop;
done_testing();
