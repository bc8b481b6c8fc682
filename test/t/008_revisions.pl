# The fast update: every label is a revision of the model, and all ways there
# lead to the same predictions.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

# no full training in between
my $node = new_node('main');
fill($node, 400, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($node, 30);

my $predictions = q{SELECT p.label, round(p.probability::numeric, 6), id FROM ticket, hl_probabilities('tickets', body) p WHERE id % 9 = 0 ORDER BY id, p.label};

# Labels, and waits until it is learned.
sub learn
{
	my ($query, $database) = @_;

	$database //= 'postgres';
	$node->safe_psql($database, $query);
	$node->poll_query_until($database, $learned) or die "not learned: $query";
	return $node->safe_psql($database, 'SELECT revision FROM hl_serving');
}

# Largest difference of two sets of predictions.
sub difference
{
	my @one = split /\n/, shift;
	my @two = split /\n/, shift;
	my $largest = 0;

	return 1 if @one != @two || !@one;
	for my $i (0 .. $#one)
	{
		my ($a, $b) = map { (split /\|/)[1] } $one[$i], $two[$i];
		$largest = abs($a - $b) if abs($a - $b) > $largest;
	}
	return $largest;
}

# ----------------------------------------------------------------------
# One label
# ----------------------------------------------------------------------

my $before = $node->safe_psql('postgres', $predictions);
is($node->safe_psql('postgres', q{SELECT model, revision FROM hl_predict('tickets', 'x')}), '1|0', 'a new model has no revisions');
my $first = $node->safe_psql('postgres', q{SELECT item FROM hl_queue WHERE rank = 1});
my $generation = $node->safe_psql('postgres', q{SELECT generation FROM hl_ranking WHERE part = 'head'}) || 0;

# a session with an old snapshot, opened before
my $old = session($node);
ask($old, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
is(ask($old, q{SELECT model, revision FROM hl_predict('tickets', 'x')}), '1|0', 'a snapshot is taken');
# one that never goes, and reads each revision as it comes
my $reader = session($node);
is(ask($reader, q{SELECT revision FROM hl_predict('tickets', 'x')}), '0', 'a reader');

is(learn("SELECT hl_label('tickets', '$first', 'billing')"), '1', 'a label is a revision');
is($node->safe_psql('postgres', q{SELECT model, revision FROM hl_predict('tickets', 'x')}), '1|1', 'hl_predict says which');
is($node->safe_psql('postgres', q{SELECT DISTINCT model, revision FROM hl_predict('tickets')}), '1|1', 'for all rows, too');
is($node->safe_psql('postgres', q{SELECT model, revision FROM hl_projects}), '1|1', 'so does hl_projects');
is(ask($reader, q{SELECT revision FROM hl_predict('tickets', 'x')}), '1', 'a session that was there has it at once');
is($node->safe_psql('postgres', "SELECT count(*) FROM hl_queue WHERE item = '$first'"), '0', 'the item has left the queue');
is($node->safe_psql('postgres', "SELECT model, revision, generation > $generation, array_position(items, '$first') IS NULL FROM hl_ranking WHERE part = 'head'"), '1|1|t|t', 'whose head is made anew');
my $with = $node->safe_psql('postgres', $predictions);
cmp_ok(difference($before, $with), '>', 0.001, 'the predictions have changed');

is(learn("SELECT hl_label('tickets', '$first', 'returns')"), '2', 'an answer is changed');
cmp_ok(difference($with, $node->safe_psql('postgres', $predictions)), '>', 0.001, 'and so are the predictions');
is(learn("SELECT hl_label('tickets', '$first', 'billing')"), '3', 'and changed back');
cmp_ok(difference($with, $node->safe_psql('postgres', $predictions)), '<', 0.001, 'they are as with the first');
is(learn("SELECT hl_undo('tickets', '$first')"), '4', 'an answer is taken back');
cmp_ok(difference($before, $node->safe_psql('postgres', $predictions)), '<', 0.001, 'they are as before');
is($node->safe_psql('postgres', "SELECT count(*) FROM hl_queue WHERE item = '$first'"), '1', 'the item is asked again');
my $known = $node->safe_psql('postgres', q{SELECT topic FROM ticket WHERE id = 1});
is(learn("SELECT hl_label('tickets', 1, 'billing')"), '5', 'an answer that the model was trained with is changed');
cmp_ok(difference($before, $node->safe_psql('postgres', $predictions)), '>', 0.001, 'which counts');
is(learn("SELECT hl_label('tickets', 1, '$known')"), '6', 'and changed back');
cmp_ok(difference($before, $node->safe_psql('postgres', $predictions)), '<', 0.001, 'they are as before');

learn("SELECT hl_label('tickets', '$first', 'a new class')");
cmp_ok(difference($before, $node->safe_psql('postgres', $predictions)), '<', 0.001, 'a class that the model does not know waits for a training');
learn("SELECT hl_undo('tickets', '$first')");

# ----------------------------------------------------------------------
# Sixty labels one by one: the chain of revisions
# ----------------------------------------------------------------------

for my $i (101 .. 160)
{
	learn("SELECT hl_label('tickets', $i, topic) FROM ticket WHERE id = $i");
	is(ask($old, q{SELECT model, revision FROM hl_predict('tickets', 'x')}), '1|0', "the snapshot still sees what it saw ($i)") if $i % 20 == 0;
	ask($reader, q{SELECT revision FROM hl_predict('tickets', 'x')}) if $i % 7 == 0;
}
my $chain = $node->safe_psql('postgres', 'SELECT revision FROM hl_serving');
cmp_ok($chain, '>=', 60, "there were $chain revisions");
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM hl_revision'), '<=', 41, 'not all of them are stored');
is($node->safe_psql('postgres', 'SELECT count(*) FROM hl_model'), '1', 'no training came between');
my $single = $node->safe_psql('postgres', $predictions);
is(ask($reader, $predictions), $single, 'a session that read some of them and one that is new agree to the last digit');
is(ask($old, 'COMMIT'), '', 'the old snapshot ends');
is(ask($old, q{SELECT revision FROM hl_predict('tickets', 'x')}), $chain, 'and its session sees the newest');
$node->restart;
is($node->safe_psql('postgres', $predictions), $single, 'after a restart of the server they are the same');
learn(q{SELECT hl_label('tickets', 161, topic) FROM ticket WHERE id = 161});
is($node->safe_psql('postgres', 'SELECT revision FROM hl_serving'), $chain + 1, 'and it goes on from there');
learn(q{SELECT hl_undo('tickets', 161)});
cmp_ok(difference($single, $node->safe_psql('postgres', $predictions)), '<', 0.001, 'as if it had never stopped');

# ----------------------------------------------------------------------
# The same labels on other ways
# ----------------------------------------------------------------------

sub project_in
{
	my ($database) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION humanloop');
	fill($node, 400, $database, '{"train_growth": 100, "train_quiet": 86400}');
	model_by_itself($node, 30, $database);
	is($node->safe_psql($database, $predictions), $before, "$database: the same labels make the same model");
	return;
}

project_in('interrupted');
for my $i (101 .. 160)
{
	learn("SELECT hl_label('tickets', $i, topic) FROM ticket WHERE id = $i", 'interrupted');
	worker_gone($node, 'interrupted') if $i % 8 == 0;
}
cmp_ok(difference($single, $node->safe_psql('interrupted', $predictions)), '<', 0.001, 'a worker that was ended every eight labels has learned the same');

project_in('backward');
learn("SELECT hl_label('tickets', id, topic) FROM ticket WHERE id BETWEEN 131 AND 160 ORDER BY id DESC", 'backward');
learn("SELECT hl_label_many('tickets', array_agg(id::text ORDER BY -id), array_agg('billing'::text)) FROM ticket WHERE id BETWEEN 101 AND 130", 'backward');
learn("SELECT hl_label_many('tickets', array_agg(id::text ORDER BY -id), array_agg(topic ORDER BY -id)) FROM ticket WHERE id BETWEEN 101 AND 130", 'backward');
cmp_ok(difference($single, $node->safe_psql('backward', $predictions)), '<', 0.001, 'so has one that got them in two heaps, backwards, with errors that were corrected');
is($node->safe_psql('backward', 'SELECT count(*) FROM hl_model'), '1', 'by fast updates alone');

$node->stop;
done_testing();
