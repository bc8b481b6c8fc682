# The audit beside the worker: whoever asks for one question at a time, with the
# queue made anew after each answer, is asked as many rows by lot as anybody else;
# rows that are skipped, new rows, several people; a dump carries the figures.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

# no full training in between
my $node = new_node('main');
fill($node, 600, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
# the order of the audit is that of a project that has nothing else
$node->safe_psql('postgres', q{
	SELECT hl_create_project('lot', 'ticket', 'body', acquisition => 'random', options => '{"seed_batch": 1000}');
	SELECT hl_pause('lot');
	CREATE TABLE lot AS SELECT item, rank AS place FROM hl_queue WHERE project = 'lot';
	SELECT hl_drop_project('lot');
	CREATE VIEW open AS SELECT * FROM lot l WHERE NOT EXISTS (SELECT FROM hl_current_answer c WHERE c.item = l.item)});
is($node->safe_psql('postgres', 'SELECT count(*) FROM lot'), '600', 'all rows are in the order');
model_by_itself($node, 30);

sub learned { return $node->poll_query_until('postgres', $learned) || die 'not learned' }

# ----------------------------------------------------------------------
# One question at a time
# ----------------------------------------------------------------------

my %asked;
my $in_order = 0;
for my $i (1 .. 40)
{
	my ($item, $reason) = split /\|/, $node->safe_psql('postgres', q{SELECT item, reason FROM hl_next('tickets')});

	$asked{$reason}++;
	$in_order++ if $reason eq 'audit' && $item eq $node->safe_psql('postgres', 'SELECT item FROM open ORDER BY place LIMIT 1');
	$node->safe_psql('postgres', "SELECT hl_label('tickets', '$item', (SELECT topic FROM ticket WHERE id = $item))");
	learned();
}
is($asked{audit}, 4, 'one question in ten is of the audit');
is($asked{epistemic}, 36, 'the others are what the model asks for');
is($in_order, 4, 'the audit asks in the order that was fixed by lot');
cmp_ok($node->safe_psql('postgres', 'SELECT revision FROM hl_serving'), '>=', 40, 'with a revision of the model after each answer');
is($node->safe_psql('postgres', q{SELECT string_agg(rank::text, ' ' ORDER BY rank) FROM hl_queue WHERE reason = 'audit' AND rank <= 50}), '10 20 30 40 50', 'the head that was made anew has its places');
is($node->safe_psql('postgres', q{SELECT count(*) = count(DISTINCT item) FROM hl_queue}), 't', 'nothing is in it twice');

# ----------------------------------------------------------------------
# Several people at a time, each with questions in hand
# ----------------------------------------------------------------------

my %held = map { $_ => [] } qw(ann bob cyd);
my ($audit, $others, %given) = (0, 0);
for my $round (1 .. 12)
{
	for my $who (sort keys %held)
	{
		for my $item (splice @{ $held{$who} })
		{
			$node->safe_psql('postgres', "SELECT hl_label('tickets', '$item', (SELECT topic FROM ticket WHERE id = $item), '$who')");
		}
		learned();
		for my $line (split /\n/, $node->safe_psql('postgres', "SELECT item, reason FROM hl_next('tickets', 3, '$who')"))
		{
			my ($item, $reason) = split /\|/, $line;

			push @{ $held{$who} }, $item;
			$given{$item}++;
			$reason eq 'audit' ? $audit++ : $others++;
		}
	}
}
is($audit + $others, 108, 'all are kept busy');
is((grep { $_ > 1 } values %given), 0, 'nobody gets what another has');
cmp_ok(abs($audit - 10.8), '<=', 3, 'a tenth is of the audit') or note "$audit of 108";
$node->safe_psql('postgres', qq{SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic), 'ann') FROM ticket WHERE id IN (@{[ join ', ', map { @$_ } values %held ]})});
learned();

# ----------------------------------------------------------------------
# Rows that are skipped, and new ones
# ----------------------------------------------------------------------

sub next_in_line { return $node->safe_psql('postgres', q{SELECT item FROM hl_queue WHERE reason = 'audit' ORDER BY rank LIMIT 1}) }
my $first = next_in_line();
$node->safe_psql('postgres', "SELECT hl_skip('tickets', '$first')");
learned();
isnt(next_in_line(), $first, 'somebody skips a row of the audit, and the order goes on');
is($node->safe_psql('postgres', qq{SELECT count(*) FROM hl_queue WHERE item = '$first' AND reason = 'audit' AND rank <= 100}), '0', 'without it');
$node->safe_psql('postgres', "SELECT hl_undo('tickets', '$first')");
learned();
is(next_in_line(), $first, 'he takes that back, and it is its turn again');

# ----------------------------------------------------------------------
# Dump and restore
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{SELECT hl_train('tickets')});
my @questions = (
	q{SELECT * FROM hl_metrics('tickets')}, q{SELECT * FROM hl_reliability('tickets')}, q{SELECT * FROM hl_learning_curve('tickets')},
	q{SELECT project, accuracy, audited, audit_accuracy, audit_low, audit_high FROM hl_projects});
my @before = map { $node->safe_psql('postgres', $_) } @questions;
like($before[0], qr/^accuracy\|.*\|audit$/m, 'there is an audit');
cmp_ok($node->safe_psql('postgres', 'SELECT audited FROM hl_projects'), '>', 15, 'of all that was asked for it, and what was labelled for other reasons');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('copy'), $dump ], 'restore');
my @after = map { $node->safe_psql('copy', $_) } @questions;
is_deeply(\@after, \@before, 'the figures are the same');
# a few rows that have come since, and would be asked first, do not spoil the sample
$node->safe_psql('copy', q{SELECT hl_pause('tickets'); INSERT INTO ticket SELECT i, 'where is the parcel with number ' || i, 'delivery' FROM generate_series(601, 615) i; SELECT hl_train('tickets')});
is($node->safe_psql('copy', q{SELECT c.audited >= b.audited FROM hl_learning_curve('tickets') c, hl_learning_curve('tickets') b ORDER BY c.model DESC, b.model = 2 DESC LIMIT 1}), 't', 'a training goes on with that sample');

# ----------------------------------------------------------------------
# New rows
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{INSERT INTO ticket SELECT i, 'where is the parcel with number ' || i, 'delivery' FROM generate_series(601, 900) i});
learned();
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM hl_queue WHERE item::int > 600}) or die 'new rows are not ranked';
my $psql = session($node);
ask($psql, q{SELECT hl_create_project('lot', 'ticket', 'body', acquisition => 'random', options => '{"seed_batch": 1000}')});
my $soon = ask($psql, q{SELECT string_agg(o.item, ',') FILTER (WHERE o.item::int > 600) FROM (SELECT q.item FROM hl_queue q WHERE q.project = 'lot'
	AND NOT EXISTS (SELECT FROM hl_current_answer c WHERE c.item = q.item) ORDER BY q.rank LIMIT 8) o});
ask($psql, q{SELECT hl_drop_project('lot')});
isnt($soon, '', 'new rows are among the next of the order');
is($node->safe_psql('postgres', "SELECT count(*) FROM hl_queue WHERE rank <= 100 AND item IN (" . join(', ', map { "'$_'" } split /,/, $soon) . ')'), scalar(my @all = split /,/, $soon), 'and soon asked');
done_testing();
