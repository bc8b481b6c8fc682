# Trainings that are cancelled or terminated at random moments, while people
# label and ask for predictions: the model that is there answers all the time,
# and nothing of what was interrupted is left, in tables, memory or locks.
#
# HUMANLOOP_SEED repeats a run, as far as moments can be repeated.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $SESSIONS = 140;				# interruptions of hl_train in sessions, of
my $MEMORY = 60;				# which one session has many, and of
my $WORKERS = 30;				# the worker's trainings
my $seed = $ENV{HUMANLOOP_SEED} // int(time * 1000) % 1000000;
srand $seed;
diag("HUMANLOOP_SEED=$seed");

my $node = new_node('main', conf => "humanloop.worker_idle_timeout = '1h'\nlog_statement = none\n");
my $dir = PostgreSQL::Test::Utils::tempdir();
my $learned = q{SELECT NOT EXISTS (SELECT FROM hl_change)};

sub query
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

# One that stays, for questions in between.
my $control;
sub control { return ask($control, $_[0]); }

fill($node, 400, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($node, 60);
$control = session($node);

# Somebody labels, in pairs of statements that belong together, and somebody
# asks for predictions, as long as this goes on.
append_to_file("$dir/label", q{
	\set item random(61, 400)
	BEGIN;
	SELECT hl_label('tickets', :item, topic, 'bench') FROM ticket WHERE id = :item;
	INSERT INTO said VALUES (:item);
	COMMIT;
});
append_to_file("$dir/predict", q{SELECT 1 / count(*) FROM hl_predict('tickets', 'where is the parcel') WHERE label = 'delivery';});
query('CREATE TABLE said (item int)');
my %crowd;
for my $what ('label', 'predict')
{
	my ($out, $err) = ('', '');
	$crowd{$what} = { out => \$out, err => \$err };
	$crowd{$what}{run} = IPC::Run::start([ 'pgbench', '-n', '-c', '1', '-R', '20', '-T', '100000', '-f', "$dir/$what", $node->connstr('postgres') ], '>', \$out, '2>', \$err);
}

# ----------------------------------------------------------------------
# Sessions
# ----------------------------------------------------------------------

my ($victim, $pid);
sub new_victim
{
	$victim = session($node);
	$pid = ask($victim, 'SET humanloop.cache_size = 0; SELECT pg_backend_pid()');
	return;
}

# Contexts of ours that a session has, and all its memory; in kB.
sub memory
{
	my ($ours, $bytes) = split /\|/, ask($victim, q{SELECT count(*) FILTER (WHERE name LIKE 'humanloop%'), sum(total_bytes) / 1024 FROM pg_backend_memory_contexts});
	return ($ours, int $bytes);
}

# A project whose encoder is fitted first, each time anew: it is in a
# transaction that never ends well.
my $fresh = q{BEGIN; SELECT hl_create_project('fresh', 'ticket', 'body'); SELECT hl_label_many('fresh', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60; SELECT model FROM hl_train('fresh'); ROLLBACK};
my $train = q{SELECT model FROM hl_train('tickets')};

new_victim();
my $whole = 60;
my $began;
for (1 .. 4)
{
	$began = time;
	ask($victim, $train);
	$whole = time - $began if time - $began < $whole;
}
note sprintf('a training takes %.3f s', $whole);

my $model = control('SELECT model FROM hl_serving');
my %made = (cancelled => 0, done => 0, terminated => 0);
my ($contexts, $kilobytes);
my $errors = 0;
for my $i (1 .. $SESSIONS)
{
	my $statement = $i % 5 == 0 ? $fresh : $train;
	my $moment = rand(1.4) * $whole * ($i % 5 == 0 ? 2 : 1);
	my $way = $i % 4;

	if ($way < 2)
	{
		# statement_timeout, the session goes on
		my $timeout = 1 + int(1000 * $moment);
		my $result = ask($victim, "SET statement_timeout = $timeout; $statement; ROLLBACK; RESET statement_timeout; SELECT 'alive'");
		$result =~ /alive/ or $errors++;
	}
	else
	{
		ask($victim, $statement, 1);
		sleep $moment;
		my $function = $way == 2 ? 'pg_cancel_backend' : 'pg_terminate_backend';
		control("SELECT $function($pid)");
		if ($way == 2)
		{
			ask($victim, "ROLLBACK; SELECT 'alive'") =~ /alive/ or $errors++;
		}
		else
		{
			eval { $victim->{run}->finish };
			$made{terminated}++;
		}
	}
	# what serves is what served, or another that was made whole
	my ($now, $count) = split /\|/, control('SELECT v.model, count(m.model) FROM hl_serving v LEFT JOIN hl_model_part m ON m.project_id = v.project_id AND m.model = v.model GROUP BY 1');
	$errors++ unless $count > 0 && ($now == $model || $now == $model + 1);
	$made{ $now == $model ? 'cancelled' : 'done' }++;
	$model = $now;
	if ($way == 3)
	{
		new_victim();
		next;
	}
	# nothing is held by a session that is back
	my $locks = control("SELECT string_agg(l::text, ' ') FROM pg_locks l WHERE pid = $pid");
	is($locks, '', 'a cancelled session holds no lock') || $errors++ if $locks ne '';
}
is($errors, 0, "the model that was there served through $SESSIONS interruptions");
note("$made{cancelled} interrupted, of which $made{terminated} terminated or so; $made{done} done in time");
cmp_ok($made{cancelled}, '>', $SESSIONS / 4, 'many of which came in time');
is(control(orphans()), '', 'nothing is left behind');
is(control(q{SELECT count(*) FROM hl_project}), '1', 'nor a project that was never committed');

# In the middle of the write, which is short: a trigger holds it there
query(q{CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF current_setting('application_name') = 'victim' THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $$});
for my $table (qw(hl_model hl_model_part hl_model_label hl_deployment hl_ranking))
{
	for my $function ('pg_cancel_backend', 'pg_terminate_backend')
	{
		query("CREATE TRIGGER hold BEFORE INSERT OR UPDATE ON $table FOR EACH ROW EXECUTE FUNCTION hold()");
		ask($victim, 'SET application_name = victim');
		ask($victim, $train, 1);
		$node->poll_query_until('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid");
		my $answers = control(q{SELECT model FROM hl_predict('tickets', 'x')});
		control("SELECT $function($pid)");
		eval { $victim->{run}->finish };
		new_victim();
		query("DROP TRIGGER hold ON $table");
		is("$answers " . control('SELECT model FROM hl_serving') . ' ' . control(orphans()), "$model $model ", "$function while it writes to $table");
	}
}

# Memory: one session, fifty times, after it has made all its plans
new_victim();
ask($victim, "$train; $fresh");
for my $i (1 .. $MEMORY)
{
	my $statement = $i % 5 == 0 ? $fresh : $train;

	ask($victim, 'SET statement_timeout = ' . (1 + int(rand(1000) * $whole)) . "; $statement; ROLLBACK; RESET statement_timeout");
	($contexts, $kilobytes) = memory() if $i == 10;
}
my ($contexts_now, $kilobytes_now) = memory();
is($contexts_now, $contexts, 'after fifty more cancelled trainings a session has no more memory contexts of ours');
cmp_ok($kilobytes_now, '<', $kilobytes + 512, "nor more memory ($kilobytes kB, then $kilobytes_now kB)");
is(ask($victim, q{SELECT model IS NOT NULL FROM hl_train('tickets')}), 't', 'and can train');

# ----------------------------------------------------------------------
# The worker
# ----------------------------------------------------------------------

# A training is made due; again, where the worker has just planned otherwise.
sub training
{
	my $until = time + 20;
	my $asked = 0;

	while (control(q{SELECT count(*) FROM hl_run WHERE state = 'running' AND project_id = 1}) eq '0' && time < $until)
	{
		next unless time - $asked > 0.5;
		control(q{UPDATE hl_work SET train_at = now(), retry_at = NULL, failures = 0 WHERE project_id = 1; SELECT hl_resume('tickets')});
		$asked = time;
	}
	return;
}

$model = control('SELECT model FROM hl_serving');
training();
$began = time;
eventually($node, "SELECT model > $model FROM hl_serving WHERE project_id = 1", 'the worker trains', 20);
$whole = time - $began + 0.1;

# another one, whose encoder is to be fitted and whose source is to be copied
query(q{CREATE TABLE other AS SELECT id, body || ' ' || md5(id::text) AS body, topic FROM ticket; ALTER TABLE other ADD PRIMARY KEY (id)});
my %ended = (pg_cancel_backend => 0, pg_terminate_backend => 0);
my $hit = q{SELECT count(*) FROM hl_run WHERE project_id = 1 AND kind = 'train' AND state IN ('failed', 'crashed')};
my $tries = 0;
# on a machine that others load a training often has not begun, or has ended
while ($tries < $WORKERS || ($tries < 4 * $WORKERS && control($hit) < $WORKERS / 4))
{
	my $i = ++$tries;
	my $other = $i % 3 == 0;
	my $way = $i % 2 ? 'pg_cancel_backend' : 'pg_terminate_backend';

	$model = control('SELECT model FROM hl_serving WHERE project_id = 1');
	if ($other)
	{
		control(q{SELECT hl_create_project('other', 'other', 'body', options => '{"train_growth": 100, "train_quiet": 86400}'); SELECT hl_label_many('other', array_agg(id::text), array_agg(topic)) FROM other WHERE id <= 60});
	}
	else
	{
		training();
	}
	sleep rand($whole);
	my $worker = control(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'humanloop worker'});
	$ended{$way}++ if $worker ne '' && control("SELECT $way($worker)") eq 't';
	my ($now) = split /\|/, control(q{SELECT model FROM hl_predict('tickets', 'x')});
	$errors++ unless $now == $model || $now == $model + 1;
	control(q{SELECT hl_drop_project('other')}) if $other;
}
is($errors, 0, 'the model that was there served all the time');
note("$ended{pg_cancel_backend} workers cancelled, $ended{pg_terminate_backend} terminated");
cmp_ok($ended{pg_cancel_backend} + $ended{pg_terminate_backend}, '>', $tries * 0.8, 'through interruptions of the worker');
cmp_ok(control($hit), '>=', $WORKERS / 4, 'many of them in the middle of a training');
control(q{SELECT hl_create_project('other', 'other', 'body'); SELECT hl_label_many('other', array_agg(id::text), array_agg(topic)) FROM other WHERE id <= 60});
control('SELECT hl_resume(project) FROM hl_projects');
eventually($node, q{SELECT model = 1 FROM hl_serving WHERE project_id <> 1}, 'left alone, it trains', 40);
$model = control('SELECT model FROM hl_serving WHERE project_id = 1');
training();
eventually($node, "SELECT model > $model FROM hl_serving WHERE project_id = 1", 'both', 20);

# ----------------------------------------------------------------------
# The end
# ----------------------------------------------------------------------

for my $what (sort keys %crowd)
{
	my $crowd = $crowd{$what};

	$crowd->{run}->pump_nb;
	ok($crowd->{run}->pumpable, "those who $what are still at it");
	$crowd->{run}->signal('TERM');
	eval { $crowd->{run}->finish };
	unlike(${ $crowd->{err} }, qr/error|abort/i, 'and had no error');
}
eventually($node, $learned, 'all is learned', 30);
my $said = control('SELECT count(*) FROM said');
cmp_ok($said, '>', 100, "$said labels were given meanwhile");
is(control(q{SELECT count(*) FROM hl_answer WHERE annotator = 'bench'}), $said, 'all are there');
is(control(q{SELECT count(*) FROM (SELECT DISTINCT item::text FROM said EXCEPT SELECT item FROM hl_labels WHERE annotator = 'bench') lost}), '0', 'and hold');
is(control(orphans()), '', 'nothing is left behind');
is(control(q{SELECT count(*) FROM hl_run WHERE state = 'running'}), '0', 'no run looks as if it ran');
is(control(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}), '1', 'one worker is there');
is(control(q{SELECT count(*) FROM pg_locks l WHERE locktype = 'object' AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid AND backend_type = 'humanloop worker') AND pid <> pg_backend_pid()}), '0', 'nobody holds a lock');
is(control(q{SELECT count(*) FROM pg_ls_tmpdir()}), '0', 'no temporary file is there');
eventually($node, q{SELECT count(*) = 2 FROM hl_work WHERE failures = 0}, 'all is well');
my @complaints = grep { /WARNING:  (?!humanloop worker|there is no transaction)|PANIC|terminated by signal|TRAP|leak/ } split /\n/, slurp_file($node->logfile);
is(join("\n", splice @complaints, 0, 5), '', 'nor did the server complain');
diag("HUMANLOOP_SEED=$seed") unless Test::More->builder->is_passing;

$control->{run}->kill_kill;
$victim->{run}->kill_kill;
$node->stop;
done_testing();
