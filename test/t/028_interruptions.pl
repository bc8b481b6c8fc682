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

# So many trainings that have begun are to be interrupted before they have ended:
my $SESSIONS = 140;				# in sessions that come and go,
my $MEMORY = 90;				# in one that stays,
my $WORKERS = 20;				# in the worker; besides, it is interrupted at other things
my $TRIES = 4;					# for each, at most
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

# Contexts of ours that a session has, and all its memory; in kB.  After a whole
# training: which models are cached after half of one depends on the moment.
sub memory
{
	ask($victim, "SELECT model FROM hl_train('tickets')");
	my ($ours, $bytes) = split /\|/, ask($victim, q{SELECT count(*) FILTER (WHERE name LIKE 'humanloop%'), sum(total_bytes) / 1024 FROM pg_backend_memory_contexts});
	return ($ours, int $bytes);
}

# Two kinds of training; the second is of a project whose encoder is fitted
# first, each time anew: it is in a transaction that never ends well.
my $train = q{SELECT model FROM hl_train('tickets')};
my $create = q{SELECT hl_create_project('fresh', 'ticket', 'body'); SELECT hl_label_many('fresh', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60};
my %kind = (
	plain => { before => '', statement => $train },
	fresh => { before => "BEGIN; $create;", statement => q{SELECT model FROM hl_train('fresh')} });

# A moment is chosen at random within the time that a training takes.  That
# changes all the time where others use the machine, so it is what it was at
# first, less where an interruption comes too late, and more where it does not:
# four in five come in time, and they are spread over all of it.
sub moment
{
	my ($kind) = @_;
	return rand($kind->{takes});
}

sub adapt
{
	my ($kind, $hit) = @_;
	$kind->{takes} *= $hit ? 1.025 : 0.9;
	return $hit;
}

# Runs a training under a timeout.  Was it interrupted?
sub run_into_timeout
{
	my ($kind) = @_;
	my $timeout = 2 + int(1000 * moment($kind));
	my $said = ask($victim, "$kind->{before} SET statement_timeout = $timeout; $kind->{statement};\n\\echo outcome :SQLSTATE\nROLLBACK; RESET statement_timeout");

	return adapt($kind, $said =~ /^outcome 57014/m);
}

# Runs one, and has another session call a function on it.  Was it interrupted?
sub interrupt
{
	my ($kind, $function) = @_;

	ask($victim, $kind->{before}) if $kind->{before};
	ask($victim, "$kind->{statement};\n\\echo outcome :SQLSTATE", 1);
	sleep moment($kind);
	# it has begun ...
	my $begun = control("SELECT state = 'active' AND query LIKE '%hl_train%' FROM pg_stat_activity WHERE pid = $pid") eq 't';
	control("SELECT $function($pid)");
	if ($function eq 'pg_terminate_backend')
	{
		eval { $victim->{run}->finish };
	}
	else
	{
		IPC::Run::pump($victim->{run}) until ${ $victim->{out} } =~ /^outcome .*\n/m;
	}
	# ... and has not ended
	my $ended = ${ $victim->{out} } =~ /^outcome 00000/m;
	adapt($kind, 0) if $ended;
	return $begun && !$ended && adapt($kind, 1);
}

new_victim();
for my $kind (@kind{qw(plain fresh)})
{
	$kind->{takes} = 60;
	for (1 .. 3)
	{
		ask($victim, $kind->{before}) if $kind->{before};
		my $began = time;
		ask($victim, $kind->{statement});
		$kind->{takes} = time - $began if time - $began < $kind->{takes};
		ask($victim, 'ROLLBACK') if $kind->{before};
	}
}
note sprintf('a training takes %.3f s, that of a new project %.3f s', $kind{plain}{takes}, $kind{fresh}{takes});

my $model = control('SELECT model FROM hl_serving');
my $errors = 0;
my ($tries, $hits, $terminated) = (0, 0, 0);
while ($hits < $SESSIONS && $tries < $TRIES * $SESSIONS)
{
	my $i = ++$tries;
	my $kind = $kind{ $i % 5 == 0 ? 'fresh' : 'plain' };
	my $way = $i % 4;
	my $hit = $way < 2 ? run_into_timeout($kind) : interrupt($kind, $way == 2 ? 'pg_cancel_backend' : 'pg_terminate_backend');

	# what serves is what served, or another that was made whole
	my ($now, $count) = split /\|/, control('SELECT v.model, count(m.model) FROM hl_serving v LEFT JOIN hl_model_part m ON m.project_id = v.project_id AND m.model = v.model GROUP BY 1');
	# it has ended just before the session did, and could not say so any more
	$hit = 0 if $way == 3 && $now == $model + 1;
	$errors++ unless $count > 0 && ($now == $model || (!$hit && $now == $model + 1));
	$model = $now;
	$hits += $hit ? 1 : 0;
	$terminated += $hit && $way == 3 ? 1 : 0;
	if ($way == 3)
	{
		new_victim();
		next;
	}
	$errors++ unless ask($victim, "ROLLBACK; SELECT 'alive'") =~ /alive/;
	# nothing is held by a session that is back
	my $locks = control("SELECT string_agg(l::text, ' ') FROM pg_locks l WHERE pid = $pid");
	is($locks, '', 'a cancelled session holds no lock') || $errors++ if $locks ne '';
}
note("$hits interrupted in $tries tries, $terminated of them terminated");
is($hits, $SESSIONS, "$SESSIONS trainings were interrupted after they had begun");
cmp_ok($terminated, '>', $SESSIONS / 8, 'some by the end of the session');

# the rest of what makes a project
for my $timeout (map { 2 * $_ } 1 .. 8)
{
	ask($victim, "SET statement_timeout = $timeout; BEGIN; $create; ROLLBACK; RESET statement_timeout");
}
is($errors, 0, "the model that was there served through $SESSIONS interruptions");
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

# Memory: one session, fifty times, after it has made all its plans: each takes five
# executions, and some come with every fifth try only
my ($contexts, $kilobytes);
new_victim();
ask($victim, "$train; BEGIN; $create; $kind{fresh}{statement}; ROLLBACK") for 1 .. 6;
($tries, $hits) = (0, 0);
while ($hits < $MEMORY && $tries < $TRIES * $MEMORY)
{
	my $hit = run_into_timeout($kind{ ++$tries % 5 == 0 ? 'fresh' : 'plain' });

	$hits += $hit ? 1 : 0;
	($contexts, $kilobytes) = memory() if $hit && $hits == 40;
}
note("$hits interrupted in $tries tries");
is($hits, $MEMORY, "$MEMORY trainings were interrupted in one session");
my ($contexts_now, $kilobytes_now) = memory();
cmp_ok($contexts_now, '<=', $contexts, 'after fifty more cancelled trainings a session has no more memory contexts of ours');
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

	# what a worker has left that was ended still says that it runs
	while (control(q{SELECT count(*) FROM hl_run WHERE state = 'running' AND project_id = 1 AND pid IN (SELECT pid FROM pg_stat_activity)}) eq '0' && time < $until)
	{
		next unless time - $asked > 0.5;
		control(q{UPDATE hl_work SET train_at = now(), retry_at = NULL, failures = 0 WHERE project_id = 1; SELECT hl_resume('tickets')});
		$asked = time;
	}
	return;
}

$model = control('SELECT model FROM hl_serving');
training();
my $began = time;
eventually($node, "SELECT model > $model FROM hl_serving WHERE project_id = 1", 'the worker trains', 20);
my %worker = (takes => time - $began);

# another one, whose encoder is to be fitted and whose source is to be copied
query(q{CREATE TABLE other AS SELECT id, body || ' ' || md5(id::text) AS body, topic FROM ticket; ALTER TABLE other ADD PRIMARY KEY (id)});
my %ended = (pg_cancel_backend => 0, pg_terminate_backend => 0);
my $hit = q{SELECT count(*) FROM hl_run WHERE project_id = 1 AND kind = 'train' AND state IN ('failed', 'crashed')};
($tries, $hits) = (0, 0);
while (($hits < $WORKERS || $ended{pg_cancel_backend} + $ended{pg_terminate_backend} < 2 * $WORKERS) && $tries < $TRIES * $WORKERS)
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
	sleep moment(\%worker);
	my $worker = control(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'humanloop worker'});
	$ended{$way}++ if $worker ne '' && control("SELECT $way($worker)") eq 't';
	my ($now) = split /\|/, control(q{SELECT model FROM hl_predict('tickets', 'x')});
	$errors++ unless $now == $model || $now == $model + 1;
	control(q{SELECT hl_drop_project('other')}) if $other;
	my $before = $hits;
	$hits = control($hit);
	adapt(\%worker, $hits > $before) unless $other;
}
is($errors, 0, 'the model that was there served all the time');
note("$ended{pg_cancel_backend} workers cancelled, $ended{pg_terminate_backend} terminated");
cmp_ok($ended{pg_cancel_backend} + $ended{pg_terminate_backend}, '>=', 2 * $WORKERS, 'through interruptions of the worker');
note("$hits trainings interrupted in $tries tries");
cmp_ok($hits, '>=', $WORKERS, "$WORKERS of them in the middle of a training");
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
