# Too little of everything: memory, by the setting and by the system; disk;
# locks.  What does not fit is an error, nothing is half done, the model that is
# there answers, and all goes on when there is enough again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

# Segments of the WAL smaller than the limits below, or the server would fall
# over them; autovacuum would make room in files that are to be full.
my $node = new_node('main', conf => "autovacuum = off\nhumanloop.worker_idle_timeout = '1h'\n", extra => [ '-E', 'UTF8', '--locale=C', '--wal-segsize=1' ]);
my $learned = q{SELECT NOT EXISTS (SELECT FROM hl_change)};
my $work = q{FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'tickets'};

my $state = $whole_state;
my $answer = q{SELECT * FROM hl_predict('tickets', 'where is the parcel')};

my $started = time;
sub query
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}


# Bytes of address space ("as") or of a file ("fsize") that a process may have.
sub limit
{
	my ($pid, $what, $bytes) = @_;
	return system('prlimit', "--pid=$pid", "--$what=$bytes:") == 0;
}

my $limits = -d '/proc/self' && system('prlimit --version >/dev/null 2>&1') == 0;

sub megabytes
{
	my ($pid) = @_;
	return slurp_file("/proc/$pid/status") =~ /VmSize:\s+(\d+)/ ? int($1 / 1024) : 0;
}

# As if a training were due.
sub train_now
{
	return query(q{UPDATE hl_work SET train_at = now() WHERE project_id = (SELECT id FROM hl_project WHERE name = 'tickets'); SELECT hl_resume('tickets')});
}

fill($node, 600, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($node, 60);

note(sprintf('%.1f s', time - $started));
# ----------------------------------------------------------------------
# humanloop.work_mem
# ----------------------------------------------------------------------

# Follows the hints until there is enough.  Which steps have asked for more?
sub follow
{
	my ($statement) = @_;
	my $before = query($state);
	my $memory = '1MB';
	my @steps;

	for (1 .. 20)
	{
		my ($status, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET humanloop.work_mem = '$memory'; $statement");

		return join(', ', @steps) if $status == 0 && $stderr !~ /ERROR/;
		my ($step) = $stderr =~ /ERROR:  53200: not enough memory to (.*)/ or return $stderr;
		my ($more) = $stderr =~ /HINT:  SET humanloop.work_mem = '(\d+MB)';/ or return "no hint: $stderr";
		$stderr =~ /DETAIL:  It needs \d+ MB and humanloop.work_mem is \d+ MB\./ or return "no detail: $stderr";
		return "'$memory' was to be enough" if $more eq $memory;
		return 'something is half done' if query($state) ne $before;
		push @steps, $step;
		note("$step: $more");
		$memory = $more;
	}
	return 'never enough';
}

query(q{CREATE TABLE other AS SELECT * FROM ticket; ALTER TABLE other ADD PRIMARY KEY (id);
	CREATE TABLE vectors AS SELECT id, (SELECT array_agg(sin(id * i)::real) FROM generate_series(1, 300) i) AS v, 'class ' || id % 8 AS topic FROM generate_series(1, 900) id; ALTER TABLE vectors ADD PRIMARY KEY (id)});
is(follow(q{SELECT hl_create_project('others', 'other', 'body'); SELECT hl_pause('others')}), 'choose the seed batch', 'work_mem is too small for a new project, and enough when the hint is followed');
is(follow(q{SELECT hl_refresh('others')}), 'fit the text encoder', 'for its features');
query(q{SELECT hl_label_many('others', array_agg(id::text), array_agg(topic)) FROM other WHERE id <= 60});
is(follow(q{SELECT hl_train('others')}), 'train, order the queue', 'for a training');
query(q{SELECT hl_drop_project('others')});
query(q{SELECT hl_create_project('vectors', 'vectors', 'v', options => '{"queue_size": 10000}'); SELECT hl_pause('vectors');
	SELECT hl_label_many('vectors', array_agg(id::text), array_agg(topic)) FROM vectors WHERE id <= 600; SELECT hl_train('vectors')});
is(follow(q{SELECT hl_train('vectors')}), 'read the labelled rows, train, order the queue', 'for one with many labels');
is(follow(q{SELECT hl_refresh('vectors')}), 'order the queue', 'for the queue');
# predictions need none of that
is(query(q{SET humanloop.work_mem = '1MB'; SELECT count(*) FROM hl_predict('vectors')}), '900', 'answers need none of that');

# the worker's, which says how much it needs
query(q{SELECT hl_resume('vectors')});
eventually($node, $learned, 'all is learned', 20);
$node->append_conf('postgresql.conf', "humanloop.work_mem = '1MB'\n");
$node->reload;
my $offset = -s $node->logfile;
worker_gone($node);
query(q{SELECT hl_label('vectors', 700, 'class 1')});
eventually($node, q{SELECT failures = 1 AND last_error ~ '^not enough memory to [a-z ]+: It needs \d+ MB and humanloop.work_mem is 1 MB.$' FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'vectors'}, 'the worker says how much it needs', 10);
is(query(q{SELECT kind, state, sqlstate FROM hl_runs WHERE project = 'vectors' ORDER BY id DESC LIMIT 1}), 'update|failed|53200', 'hl_runs too');
$node->append_conf('postgresql.conf', "humanloop.work_mem = '512MB'\n");
$node->reload;
worker_gone($node);
query(q{SELECT hl_resume('vectors')});
eventually($node, $learned, 'with enough, all is', 10);
is(query(q{SELECT max(failures), count(last_error) FROM hl_work}), '0|0', 'and all is well');
query(q{SELECT hl_drop_project('vectors')});

note(sprintf('%.1f s', time - $started));
# ----------------------------------------------------------------------
# Address space: ulimit -v
# ----------------------------------------------------------------------

SKIP:
{
	skip 'no prlimit or no /proc', 1 unless $limits;
	my %seen;
	my $before = query($answer);

	# BLAS maps much at its first use: at each size an error or an answer,
	# in no time
	for my $more (5, 40, 60, 130, 250, 600)
	{
		my $session = session($node);
		my $pid = ask($session, 'SELECT pg_backend_pid()');

		ask($session, 'SELECT 1 FROM hl_queue LIMIT 1');
		limit($pid, 'as', (megabytes($pid) + $more) * 1024 * 1024);
		my $began = time;
		my $outcome = outcome($session, $answer);

		limit($pid, 'as', 'unlimited');
		$seen{ $outcome eq $before ? 'answered' : substr($outcome, 0, 5) }++;
		fail("with $more MB: $outcome") unless $outcome eq $before || $outcome =~ /^(53200|58P01) /;
		fail(sprintf('with %d MB it took %.1f s', $more, time - $began)) if time - $began > 10;
		is(outcome($session, $answer), $before, "when there is more than $more MB, the session answers");
		$session->{run}->kill_kill;
	}
	is(join(' ', sort keys %seen), '53200 58P01 answered', 'without the memory that BLAS needs there is an error');

	# everything else, in a session that has it
	my @calls = (
		[ 'hl_train', q{SELECT model > 0 FROM hl_train('tickets')} ],
		[ 'hl_predict', q{SELECT count(*) > 0 FROM hl_predict('tickets')} ],
		[ 'hl_refresh', q{SELECT hl_refresh('tickets') >= 0} ],
		[ 'hl_next', q{SELECT count(*) >= 0 FROM hl_next('tickets', 100)} ],
		[ 'hl_label_many', q{SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) > 0 FROM ticket WHERE id <= 60} ],
		[ 'hl_queue', q{SELECT count(*) > 0 FROM hl_queue} ],
		[ 'hl_projects', q{SELECT count(*) > 0 FROM hl_projects} ],
		[ 'hl_create_project', q{SELECT hl_create_project('second', 'ticket', 'body') IS NOT NULL} ],
		[ 'hl_refresh of a new one', q{SELECT hl_refresh('second') >= 0} ],
		[ 'hl_drop_project', q{SELECT hl_drop_project('second') IS NOT NULL} ]);
	my %failed;
	my %succeeded;
	query(q{SELECT hl_pause('tickets')});
	worker_gone($node);
	for my $more (0, 2, 4, 8, 16, 32, 64, 256)
	{
		my $session = session($node);
		my $pid = ask($session, 'SELECT pg_backend_pid()');

		ask($session, $answer);
		for my $call (@calls)
		{
			limit($pid, 'as', (megabytes($pid) + $more) * 1024 * 1024);
			my $outcome = outcome($session, $call->[1]);

			limit($pid, 'as', 'unlimited');
			if ($outcome eq 't')
			{
				$succeeded{ $call->[0] }++;
			}
			elsif ($outcome =~ /^53200 / && $outcome !~ /work_mem|not enough memory to/)
			{
				$failed{ $call->[0] }++;
			}
			elsif ($outcome !~ /^42704 project "second"/)
			{
				fail("$call->[0] with $more MB: $outcome");
			}
		}
		outcome($session, q{SELECT hl_drop_project('second')});
		$session->{run}->kill_kill;
	}
	for my $call (@calls)
	{
		ok($succeeded{ $call->[0] }, "$call->[0] succeeds where there is enough");
		ok($failed{ $call->[0] }, "and is an error where not") unless $call->[0] =~ /hl_drop_project/;
	}
	is(query(orphans()), '', 'nothing is left behind');

	# the worker's, from its start on: the postmaster hands the limit on
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	my $served = query(q{SELECT model, revision FROM hl_serving});
	worker_gone($node);
	limit($postmaster, 'as', (megabytes($postmaster) + 100) * 1024 * 1024);
	query(q{SELECT hl_resume('tickets'); SELECT hl_label('tickets', 301, 'returns')});
	eventually($node, qq{SELECT failures > 0 AND last_error ~ 'not enough memory for the BLAS library' $work}, 'a worker without the memory for BLAS says so', 20);
	like(worker($node), qr/^\d+$/, 'and stays');
	is(query(q{SELECT model, revision FROM hl_serving}), $served, 'the model is as it was');
	limit($postmaster, 'as', 'unlimited');
	limit(worker($node), 'as', 'unlimited');
	query(q{SELECT hl_resume('tickets')});
	eventually($node, $learned, 'with more memory it learns', 20);
	isnt(query(q{SELECT model, revision FROM hl_serving}), $served, 'what there was to learn');

	# and in the middle of a training
	my $worker = worker($node);
	limit($worker, 'as', (megabytes($worker) + 4) * 1024 * 1024);
	$served = query(q{SELECT model FROM hl_serving});
	train_now();
	eventually($node, qq{SELECT failures > 0 AND failed = 'train' AND last_error ~ 'out of memory' $work}, 'a training of the worker runs out of memory', 20);
	is(worker($node), $worker, 'the worker stays');
	is(query(q{SELECT kind, state, sqlstate FROM hl_runs ORDER BY id DESC LIMIT 1}), 'train|failed|53200', 'hl_runs says so');
	limit($worker, 'as', 'unlimited');
	query(q{SELECT hl_resume('tickets')});
	eventually($node, "SELECT model > $served FROM hl_serving", 'and succeeds when there is more', 20);
	eventually($node, $learned, 'all is learned', 20);
}

note(sprintf('%.1f s', time - $started));
# ----------------------------------------------------------------------
# Disk: files that may not become longer
# ----------------------------------------------------------------------

my $FULL = 5 * 1024 * 1024;

# Makes the file of a table's values full of dead rows, beyond the limit.
my %filler = (
	hl_encoder_part => q{SELECT 0, i, data FROM},
	hl_feature_block => q{SELECT 0, 0, i, 0, '', '{}', data, '' FROM},
	hl_model_part => q{SELECT 0, i, 0, data FROM});
sub fill_up
{
	my ($table) = @_;
	my $key = $table eq 'hl_encoder_part' ? 'encoder_id' : 'project_id';

	return query(qq{SET session_replication_role = replica;
		INSERT INTO $table $filler{$table} generate_series(1, 6) i, (SELECT decode(repeat('00', 1024 * 1024), 'hex') AS data) d;
		DELETE FROM $table WHERE $key = 0; CHECKPOINT});
}

SKIP:
{
	skip 'no prlimit or no /proc', 1 unless $limits;
	my $session = session($node);
	my $pid = ask($session, 'SELECT pg_backend_pid()');
	my $before = query($answer);

	worker_gone($node);
	query(q{SELECT hl_pause('tickets')});
	for my $table (qw(hl_encoder_part hl_feature_block hl_model_part))
	{
		my $call = $table eq 'hl_model_part' ? q{SELECT model > 0 FROM hl_train('tickets')} :
			q{SELECT hl_create_project('second', 'ticket', 'body') IS NOT NULL AND hl_refresh('second') > 0};
		my $was = query($state);

		fill_up($table);
		limit($pid, 'fsize', $FULL);
		like(outcome($session, $call), qr/^\w{5} could not extend file ".*": File too large/, "$table is full: an error");
		is(query($state), $was, 'nothing is half done');
		is(outcome($session, $answer), $before, 'the model answers');
		limit($pid, 'fsize', 'unlimited');
		is(outcome($session, $call), 't', 'when there is room again, it succeeds');
		query(q{SELECT hl_drop_project('second')}) unless $table eq 'hl_model_part';
		query("VACUUM FULL $table");
	}
	$session->{run}->kill_kill;

	# the same happens to the worker
	query(q{SELECT hl_resume('tickets'); SELECT hl_label('tickets', 302, 'returns')});
	eventually($node, $learned, 'all is learned', 20);
	my $worker = worker($node);
	for my $table (qw(hl_model_part hl_feature_block))
	{
		my $served = query(q{SELECT model, revision FROM hl_serving});

		$before = query($answer);
		fill_up($table);
		limit($worker, 'fsize', $FULL);
		$table eq 'hl_model_part' ? train_now() :
			query(q{INSERT INTO ticket SELECT i, 'take back the kettle ' || i, 'returns' FROM generate_series(10001, 10100) i});
		eventually($node, qq{SELECT failures > 0 AND last_error ~ 'could not extend file .*: File too large' $work}, "$table is full for the worker: it says so", 20);
		is(query(q{SELECT state FROM hl_projects}), 'failing', 'so does hl_projects');
		is(query($answer), $before, 'the old model answers');
		is(query(orphans()), '', 'nothing is half done');
		eventually($node, qq{SELECT failures > 1 $work}, 'it tries again by itself', 12) if $table eq 'hl_model_part';
		is(query(q{SELECT model, revision FROM hl_serving}), $served, 'in vain');
		is(worker($node), $worker, 'it is the same worker');
		limit($worker, 'fsize', 'unlimited');
		query(q{SELECT hl_resume('tickets')});
		eventually($node, qq{SELECT failures = 0 AND NOT EXISTS (SELECT FROM hl_change) $work}, 'when there is room again, it succeeds', 20);
		isnt(query(q{SELECT model, revision FROM hl_serving}), $served, 'with another model or revision') unless $table eq 'hl_feature_block';
		query("VACUUM FULL $table");
	}
	is(query(q{SELECT count(*) FROM hl_predict('tickets') WHERE item::int > 10000}), '100', 'the rows are there');

	# the copy of a source
	query(q{CREATE TABLE long AS SELECT id, repeat(body || ' ', 9000 / length(body)) AS body, topic FROM ticket WHERE id <= 600;
		ALTER TABLE long ADD PRIMARY KEY (id);
		SELECT hl_create_project('longs', 'long', 'body', options => '{"dimensions": 16, "vocabulary": 1000}');
		SELECT hl_pause('longs'); SELECT hl_label_many('longs', array_agg(id::text), array_agg(topic)) FROM long WHERE id <= 60});
	my $long = $work =~ s/'tickets'/'longs'/r;
	limit($worker, 'fsize', $FULL - 1024 * 1024);
	query(q{SELECT hl_resume('longs')});
	eventually($node, qq{SELECT failures > 0 AND last_error ~ 'could not write to file .*pgsql_tmp.*: File too large' $long}, 'a source that cannot be copied', 20);
	is(query(q{SELECT count(*) FROM pg_ls_tmpdir()}), '0', 'leaves no file behind');
	limit($worker, 'fsize', 'unlimited');
	query(q{ALTER SYSTEM SET temp_file_limit = '2MB'; SELECT pg_reload_conf()});
	eventually($node, qq{SELECT failures > 1 AND last_error ~ 'temporary file size exceeds temp_file_limit' $long}, 'nor does temp_file_limit', 20);
	is(query(q{SELECT count(*) FROM pg_ls_tmpdir()}), '0', 'no file');
	is(query(q{SELECT sqlstate FROM hl_runs WHERE project = 'longs' ORDER BY id DESC LIMIT 1}), '53400', 'hl_runs says so');
	query(q{ALTER SYSTEM RESET temp_file_limit});
	query('SELECT pg_reload_conf()');
	# one that has read the file
	worker_gone($node);
	query(q{SELECT hl_resume('longs')});
	eventually($node, q{SELECT count(*) = 1 FROM hl_serving s JOIN hl_project p ON p.id = s.project_id WHERE name = 'longs' AND model = 1}, 'with room for it, it is trained', 40);
	is(query(q{SELECT count(*) FROM pg_ls_tmpdir()}), '0', 'no file');
	query(q{SELECT hl_drop_project('longs')});
}

note(sprintf('%.1f s', time - $started));
# ----------------------------------------------------------------------
# A failure that cannot even be recorded
# ----------------------------------------------------------------------

query(q{CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room in %', TG_TABLE_NAME USING ERRCODE = 'disk_full'; END $$;
	CREATE TRIGGER broken BEFORE INSERT ON hl_model FOR EACH ROW EXECUTE FUNCTION broken();
	CREATE TRIGGER broken BEFORE UPDATE ON hl_work FOR EACH ROW WHEN (NEW.failures > 0) EXECUTE FUNCTION broken()});
sub logged
{
	my ($what) = @_;
	my @lines = slurp_file($node->logfile, $offset) =~ /$what/g;
	return scalar @lines;
}
$offset = -s $node->logfile;
my $served = query(q{SELECT model FROM hl_serving});
train_now();
$node->wait_for_log(qr/WARNING:  humanloop worker: project "tickets": no room in hl_model\n.*HINT:  It is not recorded/, $offset);
pass('a failure that cannot be recorded is in the log');
is(query(q{SELECT model FROM hl_serving}), $served, 'the model is as it was');
sleep 3;
cmp_ok(logged(qr/ERROR:  /), '<=', 2, 'and not again and again');
# somebody is heard at once
query(q{SELECT hl_resume('tickets')});
my $heard = eventually($node, q{SELECT count(*) >= 2 FROM hl_run WHERE kind = 'train' AND (state = 'running' OR error = 'how it ended could not be recorded')}, 'hl_resume tries again at once', 4);
query(q{DROP TRIGGER broken ON hl_model; DROP TRIGGER broken ON hl_work});
query(q{SELECT hl_resume('tickets')});
eventually($node, "SELECT model > $served FROM hl_serving", 'when there is room again, it succeeds by itself', 30);
eventually($node, $learned, 'all is learned', 20);
is(query(q{SELECT count(*) FROM hl_run WHERE state = 'running'}), '0', 'and no run looks as if it ran');
is(query(q{SELECT state FROM hl_projects}), 'ready', 'all is well');

note(sprintf('%.1f s', time - $started));
# ----------------------------------------------------------------------
# Locks
# ----------------------------------------------------------------------

$node->append_conf('postgresql.conf', "max_locks_per_transaction = 10\nmax_connections = 20\nautovacuum = on\n");
$node->restart;
query(q{SELECT hl_create_project('others', 'other', 'body')});
eventually($node, $learned, 'at rest', 20);
# how many are needed for each partition
for my $n (5, 15)
{
	query("CREATE TABLE parts$n (id int PRIMARY KEY, body text) PARTITION BY RANGE (id)");
	query("DO \$\$ BEGIN FOR i IN 1 .. $n LOOP EXECUTE format('CREATE TABLE parts${n}_%s PARTITION OF parts$n FOR VALUES FROM (%s) TO (%s)', i, i, i + 1); END LOOP; END \$\$; INSERT INTO parts$n SELECT i, 'text ' || i FROM generate_series(1, $n) i");
}
my %needs = (hl_create_project => q{SELECT hl_create_project('few', 'partsN', 'body')}, hl_refresh => q{SELECT hl_refresh('parts')}, hl_label => q{SELECT hl_label('parts', 3, 'x')}, hl_drop_project => q{SELECT hl_drop_project('parts')});
my %locks;
for my $n (5, 15)
{
	query("SELECT hl_create_project('parts', 'parts$n', 'body')");
	for my $call (sort keys %needs)
	{
		my $statement = $needs{$call} =~ s/partsN/parts$n/r;

		$locks{$call}{$n} = query("SET client_min_messages = warning; BEGIN; $statement; SELECT 'locks ' || count(DISTINCT (locktype, relation, classid, objid)) FROM pg_locks WHERE pid = pg_backend_pid(); ROLLBACK") =~ /locks (\d+)/ ? $1 : -1;
	}
	query(q{SELECT hl_drop_project('parts')});
}
is(join(', ', map { "$_ " . ($locks{$_}{15} - $locks{$_}{5}) / 10 } sort keys %locks), 'hl_create_project 2, hl_drop_project 5, hl_label 2, hl_refresh 2', 'locks for each partition');
query(q{DROP TABLE parts5, parts15});
eventually($node, $learned, 'at rest', 20);
my $before = query($state);
my $hog = session($node);
my $locks = 0;
$locks += 100 until outcome($hog, "SELECT count(pg_advisory_lock(i)) FROM generate_series($locks + 1, $locks + 100) i") =~ /^53200 out of shared memory/ || $locks > 20000;
# what the failed statement has taken stays taken: none is left
my %result;
my @calls = (
	[ 'hl_label', q{SELECT hl_label('tickets', 310, 'returns') > 0} ], [ 'hl_next', q{SELECT count(*) >= 0 FROM hl_next('tickets', 3)} ],
	[ 'hl_train', q{SELECT model > 0 FROM hl_train('tickets')} ], [ 'hl_refresh', q{SELECT hl_refresh('tickets') >= 0} ],
	[ 'hl_deploy', q{SELECT hl_deploy('tickets', (SELECT model FROM hl_serving WHERE project_id = 1)) IS NOT NULL} ], [ 'hl_create_project', q{SELECT hl_create_project('third', 'other', 'body') IS NOT NULL} ],
	[ 'hl_drop_project', q{SELECT hl_drop_project('others') IS NOT NULL} ], [ 'INSERT', q{INSERT INTO ticket VALUES (20000, 'where is it') RETURNING true} ]);
for my $free (0, 1, 2, 4, 8, 16, 32, 64, 128)
{
	ask($hog, "SELECT count(pg_advisory_unlock(i)) FROM generate_series(1, $free) i");
	for my $call (@calls)
	{
		my ($status, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; $call->[1]; ROLLBACK");
		my $outcome = $stderr =~ /ERROR:  (\w{5})/ ? $1 : $stdout =~ s/\s.*//sr;

		# a session must begin first
		$result{ $call->[0] }{$outcome}++ unless $stderr =~ /FATAL:  out of shared memory/;
	}
}
for my $call (@calls)
{
	is(join(' ', sort keys %{ $result{ $call->[0] } }), $call->[0] eq 'INSERT' ? 't' : '53200 t', "$call->[0] either succeeds or says that there are no locks") or diag(explain(\%result));
}
ask($hog, 'SELECT pg_advisory_unlock_all()');
is(query($state), $before, 'nothing is half done');
query(q{SELECT hl_label('tickets', 311, 'returns')});
query(q{SELECT hl_predict('tickets', 'x')});
eventually($node, $learned, 'with locks again, all is learned', 30);
is(query(orphans()), '', 'nothing is left behind');
$hog->{run}->kill_kill;

my @complaints = grep { /PANIC|terminated by signal|TRAP/ } split /\n/, slurp_file($node->logfile);
is(join("\n", splice @complaints, 0, 5), '', 'nobody has died of all that');
$node->stop;
done_testing();
