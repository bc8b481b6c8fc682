# The background worker: when it comes, what it does, what it shows, when it goes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main', conf => "humanloop.worker_idle_timeout = '2s'\nlog_min_messages = debug1\n");
my $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'humanloop worker'};

is($node->safe_psql('postgres', 'SHOW shared_preload_libraries'), '', 'nothing is preloaded');
is($node->safe_psql('postgres', $workers), '0', 'no worker without work');

# ----------------------------------------------------------------------
# First model by itself
# ----------------------------------------------------------------------

fill($node, 600);
$node->safe_psql('postgres', q{CREATE TABLE nothing (id int PRIMARY KEY, body text, topic text)});
my $hint = q{SELECT hint FROM hl_create_project('hinted', '%s', 'body'%s)};
is($node->safe_psql('postgres', 'BEGIN; ' . sprintf($hint, 'ticket', '')) =~ s/^BEGIN\n//r, q{Label 20 items of SELECT * FROM hl_next('hinted', 20), at least two classes, then the background worker trains.}, 'the hint of a new project');
is($node->safe_psql('postgres', 'BEGIN; ' . sprintf($hint, 'ticket', q{, label => 'topic'})) =~ s/^BEGIN\n//r, q{The background worker learns from column "topic".}, 'and of one with labels');
is($node->safe_psql('postgres', 'BEGIN; ' . sprintf($hint, 'nothing', '')) =~ s/^BEGIN\n//r, q{The source has no rows with an input: add some.}, 'and of an empty one');
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change) AND (SELECT count(*) = 1 FROM hl_work)}, 'a new project is looked at');
$node->safe_psql('postgres', q{SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 9});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'nine labels are counted');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_model}), '0', 'and are too few to train');
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 10, 'a rare one')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'the tenth is counted');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_model}), '0', 'and is the only one of its class: still too few');
is($node->safe_psql('postgres', q{SELECT state, model FROM hl_projects}), 'no model|', 'as hl_projects says');
my $listener = session($node);
ask($listener, 'LISTEN humanloop');
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 12, 'a rare one')});
eventually($node, q{SELECT count(*) = 1 FROM hl_serving WHERE model = 1}, 'the second label of its class brings the first model', 10);
is($node->safe_psql('postgres', q{SELECT trained_by, reason, deployed, labels FROM hl_models('tickets')}), 'worker|first labels|t|11', 'which says who made it and why');
is($node->safe_psql('postgres', q{SELECT kind, state, step, model, error FROM hl_runs}), 'train|done||1|', 'the run is recorded');
is($node->safe_psql('postgres', q{SELECT deployed_by, reason FROM hl_deployment}), 'worker|first labels', 'so is the deployment');
is($node->safe_psql('postgres', q{SELECT count(*) > 10 AND min(model) = 1 FROM hl_queue}), 't', 'the queue is the model\'s');

# Whoever listens is told, with names and numbers.
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'the model is taken up');
like(ask($listener, 'SELECT 1'), qr/Asynchronous notification "humanloop" with payload "\{"event": "deployed", "project": "tickets", "model": 1, "revision": 0\}"/, 'NOTIFY of the deployment');
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 200, 'returns')});
eventually($node, q{SELECT revision > 0 FROM hl_serving}, 'one more label is a revision', 5);
my $told = ask($listener, 'SELECT 1');
like($told, qr/"\{"event": "queue", "project": "tickets", "model": 1, "revision": \d+\}"/, 'NOTIFY of the new order of the queue');
unlike($told, qr/returns|order/, 'without labels and texts');
is($node->safe_psql('postgres', q{WITH p AS (SELECT '{"event": "queue", "project": "tickets", "model": 1, "revision": 1}'::json j) SELECT j->>'event' FROM p}), 'queue', 'the payload is JSON');

# ----------------------------------------------------------------------
# What it shows, and when it goes
# ----------------------------------------------------------------------

like(worker($node), qr/^\d+$/, 'the worker is in pg_stat_activity, once');
is($node->safe_psql('postgres', q{SELECT application_name, datname, state FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}), 'humanloop worker|postgres|idle', 'by its name');
never($node, q{SELECT coalesce(bool_or(xact_start IS NOT NULL AND now() - xact_start > '0.5 s'), false) FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}, 'it keeps no transaction open while idle', 1);
my $left = eventually($node, "SELECT ($workers) = 0", 'after humanloop.worker_idle_timeout it goes', 15);
my $before = workers_started($node);
$node->safe_psql('postgres', q{SELECT 1 FROM hl_queue LIMIT 1; SELECT 1 FROM hl_projects; SELECT 1 FROM hl_predict('tickets', 'x')});
is(workers_started($node), $before, 'and nobody who only reads brings it back');

# One worker for many sessions that label at the same time.
my $dir = PostgreSQL::Test::Utils::tempdir();
PostgreSQL::Test::Utils::append_to_file("$dir/label", "\\set i random(100, 600)\nSELECT hl_label('tickets', :i, 'billing', 'c' || :client_id);\n");
$node->command_ok([ 'pgbench', '-n', '-c', '20', '-j', '2', '-t', '10', '-f', "$dir/label", '-d', $node->connstr('postgres') ], 'twenty sessions label at the same moment');
is(workers_started($node), $before + 1, 'one worker was started');
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'which learns it all', 30);

# ----------------------------------------------------------------------
# Whoever listens is not told each single label
# ----------------------------------------------------------------------

# What is told of project "heard", until that is how it stands.  It may come
# a moment after the commit that it tells of.
sub told
{
	my ($what) = @_;
	my $until = time + 30;
	my @told;
	my $state;

	do
	{
		$state = $node->safe_psql('postgres', q{SELECT '"model": ' || model || ', "revision": ' || revision FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'heard'});
		push @told, ask($listener, 'SELECT 1') =~ /"humanloop" with payload "(\{"event": "\w+", "project": "heard", [^}]*\})"/g;
	} until ((@told && $told[-1] =~ /\Q$state\E\}$/) || time > $until);
	like($told[-1] // '', qr/\Q$state\E\}$/, "$what: the last that is told is how it stands");
	note "$what: $_" for @told;
	return @told;
}

# Nothing but labels changes it.
$node->safe_psql('postgres', q{SELECT hl_create_project('heard', 'ticket', 'body', options => '{"train_growth": 100, "train_quiet": 86400}');
	SELECT hl_label_many('heard', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60;
	CREATE SEQUENCE item START 101;});
eventually($node, q{SELECT model = 1 FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'heard'}, 'another project', 30);
eventually($node, $learned, 'at rest', 30);
told('its first model');
PostgreSQL::Test::Utils::append_to_file("$dir/listened", "SELECT hl_label('heard', id, topic) FROM nextval('item') i JOIN ticket ON id = i;\n");
$node->command_ok([ 'pgbench', '-n', '-c', '20', '-j', '2', '-t', '10', '-f', "$dir/listened", '-d', $node->connstr('postgres') ], 'twenty sessions label');
eventually($node, $learned, 'which is learned', 30);
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_labels WHERE project = 'heard'}), '260', 'two hundred labels');
my @burst = told('burst');
cmp_ok(scalar @burst, '<', 200, 'are told in ' . @burst . ' notifications');
is(scalar(grep { !/"event": "queue", .* "model": 1,/ } @burst), 0, 'all of the queue, as no other model was deployed');

# one transaction is one revision, and at most the pool is scored anew beside it
my $revision = $node->safe_psql('postgres', q{SELECT revision + 1 FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'heard'});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND state <> 'idle')}, 'no worker is at it', 30);
ask($listener, 'SELECT 1');
$node->safe_psql('postgres', q{SELECT hl_label_many('heard', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id BETWEEN 301 AND 350});
eventually($node, $learned, 'fifty at once are learned', 30);
my @batch = told('batch');
cmp_ok(scalar @batch, '<=', 3, 'and told in ' . @batch . ' notifications');
like($batch[-1] // '', qr/"revision": $revision\}/, 'of one revision');

# who trains himself is announced by the worker
$node->safe_psql('postgres', q{SELECT hl_train('heard')});
eventually($node, $learned, 'hl_train is taken up', 30);
is(scalar(grep { /"event": "deployed", .* "model": 2, "revision": 0\}/ } told('hl_train')), 1, 'and told, too');
$node->safe_psql('postgres', q{SELECT hl_drop_project('heard')});

# ----------------------------------------------------------------------
# While it computes
# ----------------------------------------------------------------------

fill_many($node, 12000);
eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND state = 'active' AND query = 'many: training: fitting'}, 'it says that it trains', 60);
is($node->safe_psql('postgres', q{SELECT state, step, running_since < now() FROM hl_projects WHERE project = 'many'}), 'training|fitting|t', 'so does hl_projects');
is($node->safe_psql('postgres', q{SELECT state, step, finished_at IS NULL, pid = (SELECT pid FROM pg_stat_activity WHERE backend_type = 'humanloop worker') FROM hl_runs WHERE project = 'many'}), 'running|fitting|t|t', 'and hl_runs');
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 303, 'delivery')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change c JOIN hl_project p ON p.id = project_id WHERE name = 'tickets')}, 'meanwhile it learns what others label', 5);
eventually($node, q{SELECT query LIKE 'many: training: %' FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}, 'and trains on', 3);
my %seen;
my $samples = 0;
my $threads = 0;
my $pid = worker($node);
my $busy = session($node);
while (ask($busy, q{SELECT count(*) FROM hl_run JOIN hl_project p ON p.id = project_id WHERE name = 'many' AND state = 'running'}) eq '1')
{
	my ($xact, $xmin, $locks) = split /\|/, ask($busy, q{SELECT coalesce(clock_timestamp() - xact_start > '0.3 s', false), backend_xmin IS NOT NULL AND coalesce(clock_timestamp() - xact_start > '0.3 s', true),
		(SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid AND locktype = 'relation' AND coalesce(clock_timestamp() - xact_start > '0.3 s', true)) FROM pg_stat_activity a WHERE backend_type = 'humanloop worker'});

	$seen{xact}++ if $xact eq 't';
	$seen{xmin}++ if $xmin eq 't';
	$seen{locks}++ if $locks > 0;
	my @tasks = glob("/proc/$pid/task/*");
	$threads = @tasks if @tasks > $threads;
	$samples++;
}
cmp_ok($samples, '>', 5, "$samples looks at it while it fits");
# but for the moments in which it takes turns of others
cmp_ok($seen{xact} // 0, '<=', 1 + $samples / 10, 'it holds no transaction');
cmp_ok($seen{xmin} // 0, '<=', 1 + $samples / 10, 'no snapshot');
cmp_ok($seen{locks} // 0, '<=', 1 + $samples / 10, 'and no lock on a table');
SKIP:
{
	skip 'no /proc', 1 unless -d '/proc/self/task';
	is($threads, 1, 'it has one thread');
}
# "tickets", whose labels are at random, may have been trained since, and rejected
eventually($node, q{SELECT state = 'done' FROM hl_runs WHERE project = 'many' ORDER BY id DESC LIMIT 1}, 'the training ends well');

# What it writes is counted, so that autovacuum sees it.
eventually($node, q{SELECT bool_and(n_tup_ins > 0) AND count(*) = 4 FROM pg_stat_user_tables WHERE relname IN ('hl_model', 'hl_run', 'hl_change', 'hl_feature_block')}, 'inserted rows are counted', 15);
eventually($node, q{SELECT n_dead_tup > 0 OR autovacuum_count > 0 OR n_tup_del > 0 FROM pg_stat_user_tables WHERE relname = 'hl_change'}, 'deleted ones too', 15);
$node->safe_psql('postgres', q{SELECT pg_stat_reset_single_table_counters('hl_serving'::regclass), hl_label('tickets', 301, 'delivery')});
eventually($node, q{SELECT n_tup_upd > 0 FROM pg_stat_user_tables WHERE relname = 'hl_serving'}, 'within seconds of the work', 10);

# ----------------------------------------------------------------------
# Another database, and a source that knows its labels
# ----------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', q{
	CREATE EXTENSION humanloop;
	CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
	INSERT INTO ticket SELECT i, (ARRAY['send it back ', 'late parcel ', 'charged twice '])[1 + i % 3] || i, CASE WHEN i <= 60 THEN (ARRAY['returns', 'delivery', 'billing'])[1 + i % 3] END FROM generate_series(1, 200) i;
	SELECT hl_create_project('tickets', 'ticket', 'body', label => 'topic')});
eventually($node, q{SELECT count(*) = 1 FROM hl_serving WHERE model = 1}, 'a source with labels is trained right after its project is created', 15, 'second');
is($node->safe_psql('second', q{SELECT labels, reason FROM hl_models('tickets')}), '60|first labels', 'with all its labels');
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 302, 'delivery')});
is($node->safe_psql('postgres', q{SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}), 'postgres second', 'each database has its worker');
$node->safe_psql('second', q{UPDATE ticket SET topic = 'returns' WHERE id = 100});
eventually($node, q{SELECT count(*) = 1 FROM hl_revision}, 'a label in the source is learned like any other', 10, 'second');

$node->stop;
done_testing();
