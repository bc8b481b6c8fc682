# The hand-over beside the worker: promises hold over simulated projects, for models as
# they were trained and for their revisions; rows that come and are not decided are
# asked by themselves; what was asked for is in a dump; a standby decides the same.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', allows_streaming => 1);

# ----------------------------------------------------------------------
# Promises
# ----------------------------------------------------------------------

# The whole of it, with 200 projects, is test/bench/handover.
my $projects = 16;
$node->safe_psql('postgres', slurp_file("$FindBin::Bin/../handed_over.sql"));
$node->safe_psql('postgres', "SET client_min_messages = warning; " . join '', map {
	"SELECT begin_project($_, 0.05); SELECT measure($_); SELECT answer(100); CALL wait_for_revision(); SELECT measure($_);"
	. ($_ < $projects ? " SELECT hl_drop_project('spots');" : '') } 1 .. $projects);
my ($trained, $revised, $promising, $broken, $more) = split /\|/, $node->safe_psql('postgres', q{
	SELECT count(*) FILTER (WHERE NOT revised), count(*) FILTER (WHERE revised), count(threshold),
		count(*) FILTER (WHERE wrong > target * automated), count(*) FILTER (WHERE threshold IS NULL AND automated > 0) FROM promised});
is("$trained $revised", "$projects $projects", 'all projects are measured, before and after a revision');
cmp_ok($promising, '>=', $projects, 'at least half of them promise something');
# of 32 with a risk of 0.05 more than 5 are broken in one case of 200
cmp_ok($broken, '<=', 5, 'promises hold') or diag $node->safe_psql('postgres', 'TABLE promised');
is($more, '0', 'without a promise nothing is automatic');
is($node->safe_psql('postgres', q{SELECT count(*) FROM promised a JOIN promised b USING (seed) WHERE NOT a.revised AND b.revised AND b.automated > a.automated}), '0',
	'a revision adds no row to the automatic ones');

# ----------------------------------------------------------------------
# Rows that come
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{
	SELECT hl_set_option('spots', 'target_error', '0.05');
	SELECT hl_set_option('spots', 'ask_uncertain', 'true');
	INSERT INTO spot SELECT 5000 + i, point(i % 5), 'c' || i % 5 FROM generate_series(1, 60) i});
my $taken = q{SELECT NOT EXISTS (SELECT FROM hl_change) AND items = (SELECT count(*) FROM spot) FROM hl_serving};
eventually($node, $taken, 'the worker takes them up');
my $unsure = $node->safe_psql('postgres', q{SELECT count(*) FROM hl_predict('spots') WHERE item::int > 5000 AND decision = 'human'});
is($node->safe_psql('postgres', 'SELECT count(*) FROM hl_asked WHERE asked_by IS NULL'), $unsure, 'those that are not decided are asked by themselves');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_predict('spots') p WHERE item::int > 5000 AND (decision = 'human') <> (item IN (SELECT item FROM hl_asked))}), '0', 'just those');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT reason, ' ') FROM hl_next('spots', least(5, } . $unsure . q{)) n}), 'hand-over', 'before all others') if $unsure > 0;
# one that is answered is not asked again, and is noted
my $answered = $node->safe_psql('postgres', 'SELECT min(item) FROM hl_asked');
$node->safe_psql('postgres', "SELECT hl_label('spots', '$answered', (SELECT truth FROM spot WHERE id = $answered), 'postgres')");
eventually($node, "SELECT answered_at IS NOT NULL FROM hl_asked WHERE item = '$answered'", 'the worker notes that it is answered');
# one that is deleted is forgotten
my $deleted = $node->safe_psql('postgres', 'SELECT max(item) FROM hl_asked WHERE answered_at IS NULL');
$node->safe_psql('postgres', "DELETE FROM spot WHERE id = $deleted");
eventually($node, "SELECT count(*) = 0 FROM hl_asked WHERE item = '$deleted'", 'the worker forgets one whose row is deleted');
# nobody waits for somebody who asks and idles in his transaction
my $item = $node->safe_psql('postgres', q{SELECT id FROM spot WHERE id::text NOT IN (SELECT item FROM hl_current_answer UNION ALL SELECT item FROM hl_asked) ORDER BY id LIMIT 1});
my $idle = session($node);
ask($idle, "BEGIN; SELECT hl_ask('spots', $item);");
is($node->safe_psql('postgres', "SET statement_timeout = '20s'; SELECT count(*) FROM hl_next('spots', 3, 'ann')"), '3', 'questions are handed out meanwhile');
is($node->safe_psql('postgres', "SET statement_timeout = '20s'; SELECT hl_ask('spots', (SELECT max(id) FROM spot WHERE id < 5000 AND id::text NOT IN (SELECT item FROM hl_current_answer)))"), 't', 'and others ask');
ask($idle, 'COMMIT;');
is($node->safe_psql('postgres', "SELECT count(*) FROM hl_asked WHERE item = '$item'"), '1', 'it is asked');

# ----------------------------------------------------------------------
# A dump, a standby
# ----------------------------------------------------------------------

my $state = q{SELECT (SELECT string_agg(a.item || coalesce(a.asked_by, '') || (a.answered_at IS NULL), ' ' ORDER BY a.item) FROM hl_asked a),
	(SELECT string_agg(item || decision, ' ' ORDER BY item) FROM hl_predict('spots')), (SELECT threshold FROM hl_handover('spots')),
	(SELECT count(*) FROM spot CROSS JOIN LATERAL hl_prediction_set('spots', v, 0.8))};
eventually($node, $taken, 'all is learned');
my $before = $node->safe_psql('postgres', $state);
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'dump');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $state), $before, 'a standby decides the same');
is(sqlstate($standby, "SELECT hl_ask('spots', $item)"), '25006', 'and cannot be asked for anything');
$standby->stop;
$node->safe_psql('postgres', q{CREATE DATABASE copy; ALTER DATABASE copy SET humanloop.enabled = off});
$node->command_ok([ 'pg_restore', '-d', $node->connstr('copy'), $dump ], 'restore');
is($node->safe_psql('copy', $state), $before, 'it has what was asked for, and decides the same');
$node->safe_psql('copy', "SELECT hl_refresh('spots')");
is($node->safe_psql('copy', q{SELECT count(*) > 0 AND bool_and(reason = 'hand-over') FROM hl_queue WHERE rank <= (SELECT count(*) FROM hl_asked WHERE answered_at IS NULL)}), 't', 'which is at the head of the queue');
is($node->safe_psql('copy', q{SELECT reason FROM hl_next('spots')}), 'hand-over', 'and handed out');

$node->stop;
done_testing();
