# Several processes encode one project: the same features as from one, whatever
# becomes of those that help, and nobody is in the way.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Transformer;

my $rows = 3000;
my $patience = 120;
my $node = new_node('main', conf => q{
	restart_after_crash = on
	max_worker_processes = 8
	humanloop.encoding_workers = 3});
my $files = PostgreSQL::Test::Utils::tempdir();
my $helpers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'humanloop encoder'};

sub query { return $node->safe_psql($_[1] // 'postgres', $_[0]) }
sub wait_for { return eventually($node, $_[1], $_[0], $patience) }

# A setting, and a worker that has it.
sub set
{
	my ($setting) = @_;

	$node->append_conf('postgresql.conf', $setting);
	$node->reload;
	worker_gone($node);
	return;
}

# Texts of 10 to 50 words; some are long, one very, and some are missing.
sub fill_texts
{
	my ($database, $n) = @_;
	my $words = join(',', map { "'$_'" } @transformer_words);
	my $count = @transformer_words;

	query(qq{
		SELECT hl_import_encoder('slow', 'transformer', path => '$files/slow');
		CREATE TABLE note (id int PRIMARY KEY, body text, v float4[], topic text);
		INSERT INTO note SELECT i, CASE WHEN i % 500 <> 7 THEN (SELECT string_agg((ARRAY[$words])[1 + (i * 31 + g * (i % 97) + g) % $count], ' ') FROM generate_series(1, 10 + i % 40 + CASE WHEN i % 100 = 0 THEN 2000 ELSE 0 END) g) END,
			CASE WHEN i % 3 <> 0 THEN ARRAY[cos(i), sin(i), cos(i / 7.0), 1] END,
			CASE WHEN i <= 5 THEN 'topic ' || i % 2 END FROM generate_series(1, $n) i;
		UPDATE note SET body = repeat(body || ' ', 3000) WHERE id = 11;}, $database);
	return;
}

# Its source is encoded by the worker, as it has labels, which are too few to train.
sub create
{
	my ($project, $inputs, $encoder, $database) = @_;

	query("SELECT hl_create_project('$project', 'note', ARRAY[$inputs], key => 'id', label => 'topic', encoder => '$encoder')", $database);
	return;
}

sub encoded { return wait_for("$_[0] is encoded", qq{SELECT v.encoder_id IS NOT NULL AND NOT EXISTS (SELECT FROM hl_run r WHERE r.project_id = p.id AND state = 'running') AND NOT EXISTS (SELECT FROM hl_change c WHERE c.project_id = p.id)
	FROM hl_project p JOIN hl_serving v ON v.project_id = p.id WHERE name = '$_[0]'}) }

# Waits until so many helpers are at it, and have done something.
sub helped { return wait_for("$_[0] at work", qq{SELECT ($helpers) = $_[1] AND EXISTS (SELECT FROM hl_run WHERE state = 'running' AND rows_done > 0)}) }

# Vectors of a project's rows, by item; dies where a row is there twice.
sub vectors
{
	my ($project) = @_;
	my %vector;

	for (split(/\n/, query("SELECT array_to_string(b.items, ' '), encode(b.dense, 'hex') FROM hl_feature_block b JOIN hl_serving v USING (project_id, encoder_id) JOIN hl_project p ON p.id = project_id WHERE name = '$project'")))
	{
		my ($items, $dense) = split(/\|/);
		my @items = split(/ /, $items);
		my @numbers = unpack('f<*', pack('H*', $dense));
		my $dims = @numbers / @items;

		for my $item (@items)
		{
			die "$item is there twice" if defined $vector{$item};
			$vector{$item} = [ splice(@numbers, 0, $dims) ];
		}
	}
	return \%vector;
}

# Both have the same rows; the largest difference of a number.
sub difference
{
	my ($left, $right) = @_;
	my $largest = 0;

	return 'other rows' if join(' ', sort keys %$left) ne join(' ', sort keys %$right);
	for my $item (keys %$left)
	{
		for my $i (0 .. $#{ $left->{$item} })
		{
			my $difference = abs($left->{$item}[$i] - $right->{$item}[$i]);
			$largest = $difference if $difference > $largest;
		}
	}
	return $largest;
}

# The state that a project is left in, whatever became of helpers.
sub all_is_well
{
	my ($project, $expected, $what, $runs) = @_;
	my $stored = vectors($project);

	cmp_ok(scalar keys %$stored, '==', scalar keys %$expected, "$what: every row once");
	cmp_ok(difference($stored, $expected), '<', 1e-4, "$what: as encoded by one");
	is(query("SELECT string_agg(concat_ws(' ', state, rows_done), ', ' ORDER BY id) FROM hl_runs WHERE project = '$project'"), $runs // 'done ' . keys %$expected, "$what: the run");
	is(query($helpers), '0', "$what: nobody is left") if !defined $runs;
	query("SELECT hl_drop_project('$project')");
	return;
}

write_transformer("$files/slow", width => 96, layers => 4, positions => 128);
fill_texts('postgres', $rows);

# ----------------------------------------------------------------------
# The same features
# ----------------------------------------------------------------------

set('humanloop.encoding_workers = 1');
create('one', q{'body'}, 'slow');
create('both', q{'body', 'v'}, 'text+slow+vector');
encoded('one');
encoded('both');
my $one = vectors('one');
my $both = vectors('both');
is(scalar keys %$one, query('SELECT count(body) FROM note'), 'texts that are there are encoded');
query(q{SELECT hl_drop_project('one'), hl_drop_project('both')});

set('humanloop.encoding_workers = 3');
create('three', q{'body'}, 'slow');
my $watcher = session($node);
my ($samples, $in_transaction, $with_snapshot, $most) = (0, 0, 0, 0);
wait_for('helpers come', "SELECT ($helpers) > 0");
while ((my $line = ask($watcher, q{SELECT count(*) || ' ' || count(xact_start) || ' ' || count(backend_xmin) || ' ' || coalesce(string_agg(DISTINCT query, ','), '') FROM pg_stat_activity WHERE backend_type = 'humanloop encoder'})) !~ /^0 /)
{
	my ($n, $transactions, $snapshots, $doing) = split(/ /, $line, 4);

	is($doing, 'three: encoding', 'pg_stat_activity says what they do') if !$samples++;
	$in_transaction++ if $transactions > 0;
	$with_snapshot++ if $snapshots > 0;
	$most = $n if $n > $most;
	sleep(0.05);
}
is($most, 2, 'two help the worker');
cmp_ok($with_snapshot, '<=', $samples / 3 + 1, 'they hold no snapshot while they compute');
note "$samples samples, $in_transaction in a transaction, $with_snapshot with a snapshot";
${ $watcher->{in} } .= "\\q\n";
IPC::Run::finish($watcher->{run});
encoded('three');
all_is_well('three', $one, 'with three');
create('both', q{'body', 'v'}, 'text+slow+vector');
helped('two helpers', 2);
encoded('both');
all_is_well('both', $both, 'several inputs');

# ----------------------------------------------------------------------
# Helpers that end, fail, hang, or cannot be had
# ----------------------------------------------------------------------

create('ended', q{'body'}, 'slow');
helped('two helpers', 2);
query(q{SELECT pg_terminate_backend(min(pid)) FROM pg_stat_activity WHERE backend_type = 'humanloop encoder'});
encoded('ended');
all_is_well('ended', $one, 'one is terminated');

create('failed', q{'body'}, 'slow');
helped('two helpers', 2);
query(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'humanloop encoder'});
wait_for('an error ends them', "SELECT ($helpers) = 0");
encoded('failed');
all_is_well('failed', $one, 'both have failed');

create('hanging', q{'body'}, 'slow');
helped('two helpers', 2);
my @stopped = split(/\n/, query(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'humanloop encoder'}));
kill 'STOP', @stopped;
encoded('hanging');
kill 'CONT', @stopped;
wait_for('they are told to go', "SELECT ($helpers) = 0");
all_is_well('hanging', $one, 'both hang');

create('killed', q{'body'}, 'slow');
helped('two helpers', 2);
# the worker does not wait for its commits to be on disk; this one does
query('CREATE TABLE flushed ()');
crash($node, query(q{SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'humanloop encoder'}));
my $done = query(q{SELECT rows_done FROM hl_run});
cmp_ok($done, '>', 0, 'something was encoded');
query(q{SELECT hl_resume('killed')});
encoded('killed');
all_is_well('killed', $one, 'one is killed', "crashed $done, done " . ((keys %$one) - $done));

# The worker itself
create('orphaned', q{'body'}, 'slow');
helped('two helpers', 2);
my $began = time();
worker_gone($node);
wait_for('helpers end with the worker', "SELECT ($helpers) = 0");
cmp_ok(time() - $began, '<', 3, 'at once');
$done = query(q{SELECT rows_done FROM hl_run});
query(q{SELECT hl_resume('orphaned')});
encoded('orphaned');
all_is_well('orphaned', $one, 'the worker is terminated', "crashed $done, done " . ((keys %$one) - $done));

create('cancelled', q{'body'}, 'slow');
helped('two helpers', 2);
query(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'humanloop worker'});
wait_for('it has failed', q{SELECT state = 'failed' FROM hl_run});
wait_for('without helpers', "SELECT ($helpers) = 0");
$done = query(q{SELECT rows_done FROM hl_run});
query(q{SELECT hl_resume('cancelled')});
encoded('cancelled');
all_is_well('cancelled', $one, 'the worker is cancelled', "failed $done, done " . ((keys %$one) - $done));

create('dropped', q{'body'}, 'slow');
helped('two helpers', 2);
query(q{SELECT hl_drop_project('dropped')});
wait_for('helpers end with the project', "SELECT ($helpers) = 0");

# ----------------------------------------------------------------------
# Nobody is in the way
# ----------------------------------------------------------------------

query('CREATE DATABASE busy');
query('CREATE EXTENSION humanloop', 'busy');
fill_texts('busy', $rows);
create('busy', q{'body'}, 'slow', 'busy');
eventually($node, qq{SELECT ($helpers) = 2}, 'helpers are there', $patience, 'busy');
$began = time();
query('DROP EXTENSION humanloop CASCADE; DROP TABLE note; CREATE EXTENSION humanloop', 'busy');
wait_for('helpers end with the extension', "SELECT ($helpers) = 0");
cmp_ok(time() - $began, '<', 4, 'at once');
# more than are encoded while the first statement waits for them to go
fill_texts('busy', 10 * $rows);
for my $statement ('CREATE DATABASE copied TEMPLATE busy', 'DROP DATABASE busy')
{
	create('busy', q{'body'}, 'slow', 'busy') if $statement =~ /^CREATE/;
	query(q{SELECT hl_resume('busy')}, 'busy') if $statement =~ /^DROP/;
	eventually($node, qq{SELECT ($helpers) = 2 AND EXISTS (SELECT FROM hl_run WHERE state = 'running')}, 'helpers are there', $patience, 'busy');
	at_once($node, $statement, $statement, 4);
}
is(query($helpers), '0', 'they are gone');
query('DROP DATABASE copied');

create('switched', q{'body'}, 'slow');
helped('two helpers', 2);
$began = time();
$node->append_conf('postgresql.conf', 'humanloop.enabled = off');
$node->reload;
wait_for('switched off, they go', qq{SELECT ($helpers) = 0});
cmp_ok(time() - $began, '<', 3, 'at once');
$node->append_conf('postgresql.conf', 'humanloop.enabled = on');
$node->reload;
query(q{SELECT hl_drop_project('switched')});

# No place for a helper, and for one only: the launcher of logical replication and
# the worker have the others.
for my $places (2, 3)
{
	$node->append_conf('postgresql.conf', "max_worker_processes = $places");
	$node->restart;
	create('short', q{'body'}, 'slow');
	helped('without places', 0) if $places == 2;
	helped('one helper', 1) if $places == 3;
	encoded('short');
	all_is_well('short', $one, "$places processes");
}

# Few rows are not worth it.
$node->append_conf('postgresql.conf', 'log_min_messages = debug1');
$node->reload;
my $offset = -s $node->logfile;
query('DELETE FROM note WHERE id > 500');
create('few', q{'body'}, 'slow');
encoded('few');
is(scalar keys %{ vectors('few') }, 499, 'few rows are encoded');
my $started = qr/starting background worker process "humanloop encoder"/;
unlike(slurp_file($node->logfile, $offset), $started, 'nobody is called for them');
query(qq{INSERT INTO note SELECT id + 1000 * i, body, v FROM note, generate_series(1, 4) i});
create('more', q{'body'}, 'slow');
encoded('more');
like(slurp_file($node->logfile, $offset), $started, 'as for more of them');

# The server dies.
create('last', q{'body'}, 'slow');
helped('one helper', 1);
my @processes = split(/\n/, query(q{SELECT pid FROM pg_stat_activity WHERE backend_type IN ('humanloop worker', 'humanloop encoder')}));
is(scalar @processes, 2, 'a worker and a helper');
$node->kill9;
$began = time();
sleep(0.1) while kill(0, @processes) > 0 && time() - $began < 10;
cmp_ok(time() - $began, '<', 5, 'they end with the server');

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|server process .* was terminated by signal (?!9)/, 'no process crashed');
done_testing();
