# What a backend loads, how many threads it has, and how fast it lets go.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = new_node('main');
my $threads = "(SELECT count(*) FROM pg_ls_dir('/proc/self/task'))";
my $blas = "(SELECT count(*) > 0 FROM regexp_split_to_table(pg_read_file('/proc/self/maps'), '\\n') m WHERE m ~ 'blas|lapack')";

fill($node, 600);
train($node, 200);

SKIP:
{
	skip 'no /proc', 5 unless -d '/proc/self/task';

	# Answering questions does not cost a new connection a BLAS library.
	is($node->safe_psql('postgres', qq{
		SELECT 1 FROM hl_next('tickets', 3);
		SELECT hl_label('tickets', 301, 'billing') > 0;
		SELECT hl_label_many('tickets', '{302,303}', '{billing,returns}');
		SELECT hl_skip('tickets', 304); SELECT hl_undo('tickets', 304);
		INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '305', 'returns');
		SELECT 1 FROM hl_queue LIMIT 1; SELECT 1 FROM hl_queue_tickets LIMIT 1; SELECT 1 FROM hl_projects;
		SELECT 1 FROM hl_metrics('tickets') LIMIT 1; SELECT 1 FROM hl_confusion('tickets') LIMIT 1;
		SELECT $blas, $threads}) =~ s/.*\n//sr,
		'f|1', 'labels, leases, queue and metrics load no BLAS');

	is($node->safe_psql('postgres', qq{SELECT 1 FROM hl_predict('tickets', 'x'); SELECT $blas, $threads}) =~ s/.*\n//sr,
		't|1', 'hl_predict loads BLAS and no thread');
	is($node->safe_psql('postgres', qq{SELECT 1 FROM hl_train('tickets'); SELECT 1 FROM hl_predict('tickets') LIMIT 1; SELECT $blas, $threads}) =~ s/.*\n//sr,
		't|1', 'nor does hl_train');
	is($node->safe_psql('postgres', qq{
			CREATE TABLE little AS SELECT * FROM ticket LIMIT 50; ALTER TABLE little ADD PRIMARY KEY (id);
			SELECT 1 FROM hl_create_project('little', 'little', 'body'); SELECT hl_refresh('little') > 0; SELECT $threads}) =~ s/.*\n//sr,
		'1', 'nor creation and refresh');

	# The user's own environment does not make threads.
	$node->stop;
	$ENV{OPENBLAS_NUM_THREADS} = 4;
	$node->start;
	delete $ENV{OPENBLAS_NUM_THREADS};
	is($node->safe_psql('postgres', qq{SELECT 1 FROM hl_train('tickets'); SELECT $threads}) =~ s/.*\n//sr,
		'1', 'even where the environment asks for four');
}

# A larger training can be stopped at any point, within half a second by
# design; a second here, as test machines are busy.
$node->safe_psql('postgres', q{
	CREATE TABLE big (id int PRIMARY KEY, body text);
	INSERT INTO big SELECT i, 'topic' || i % 40 || ' ' || (SELECT string_agg('w' || ('x' || left(md5(i || '.' || j), 6))::bit(24)::int % 3000, ' ') FROM generate_series(1, 15) j)
	FROM generate_series(1, 12000) i;
	SELECT hl_create_project('big', 'big', 'body');
	SELECT hl_label_many('big', array_agg(id::text), array_agg('class ' || id % 40)) FROM big WHERE id <= 3000;});
$node->safe_psql('postgres', q{SELECT hl_train('big')});
my $began = time;
$node->safe_psql('postgres', q{SELECT hl_train('big')});
my $whole = time - $began;
my $models = 2;
note sprintf('a training takes %.2f s', $whole);
my $worst = 0;
my $stopped = 0;

# Runs the statement with a timeout; how much too late it ended, or undef if
# it was done before.  A busy machine gets three tries.
sub lateness
{
	my ($query, $timeout) = @_;
	my $least;

	for my $try (1 .. 3)
	{
		my $start = time;
		my ($status, $stdout, $stderr) = $node->psql('postgres', "SET statement_timeout = $timeout; $query");
		my $late = time - $start - $timeout / 1000;

		return undef if $status == 0;
		like($stderr, qr/canceling statement due to statement timeout/, "stopped after $timeout ms: $query");
		$least = $late if !defined $least || $late < $least;
		last if $least < 0.5;
	}
	note sprintf('timeout after %d ms: %.3f s late', $timeout, $least);
	$worst = $least if $least > $worst;
	$stopped++;
	return $least;
}

for my $share (0 .. 9)
{
	$models++ unless defined lateness(q{SELECT hl_train('big')}, int(100 * $whole * $share) + 1);
}
# encoding the source, with an encoder to be fitted first
$node->safe_psql('postgres', q{SELECT hl_create_project('fresh', 'big', 'body')});
for my $share (1 .. 8)
{
	last unless defined lateness(q{SELECT hl_refresh('fresh')}, int(110 * $whole * $share) + 1);
}
ok($stopped >= 5, "$stopped statements were stopped on their way");
ok($worst < 1.0, sprintf('none was more than a second late (the worst was %.2f s)', $worst));
is($node->safe_psql('postgres', q{SELECT model FROM hl_predict('big', 'topic7 w1 w2')}), $models, 'the model that was there answers');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_learning_curve('big')}), $models, 'nothing of the others is left');

# pg_cancel_backend, and the session goes on.
my ($out, $err) = ('', '');
my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{SELECT hl_train('big')}, '-c', q{SELECT 'alive'} ],
	'>', \$out, '2>', \$err, IPC::Run::timeout(60));
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^SELECT hl_train' AND state = 'active' AND now() - query_start > '0.1 s'});
$began = time;
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT hl_train'});
$psql->finish;
my $took = time - $began;
like($err, qr/canceling statement due to user request/, 'pg_cancel_backend stops it');
like($out, qr/alive/, 'and the session lives');
ok($took < 1.5, sprintf('at once (%.2f s)', $took));

# Cancelled in an exception block, the session has its own role and path back.
is($node->safe_psql('postgres', q{
	SET search_path = public, pg_catalog;
	DO $$ BEGIN SET LOCAL statement_timeout = 0; PERFORM hl_train('nothing'); EXCEPTION WHEN OTHERS THEN NULL; END $$;
	SELECT current_user = session_user, current_setting('search_path'), model FROM hl_predict('big', 'x')}), "t|public, pg_catalog|$models", 'nothing of a failed call stays behind');

$node->stop;
done_testing();
