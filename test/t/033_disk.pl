# A disk that is full: all tables of the extension are in a tablespace of 24 MB,
# on a file system of its own.  What does not fit is an error, 53100, nothing is
# half done and no answer is lost, the model that is there answers, and the
# worker goes on by itself when there is room again.
use strict;
use warnings;

# A file system can be mounted by whoever has a user namespace of his own, where
# the system lets him; this goes on in one, and so do the servers it starts.
BEGIN
{
	my @namespace = qw(unshare --map-current-user --keep-caps --mount);

	if (!$ENV{HUMANLOOP_DISK})
	{
		if (system("@namespace mount -t tmpfs none /tmp >/dev/null 2>&1") != 0)
		{
			print "1..0 # SKIP no file system can be mounted here\n";
			exit 0;
		}
		$ENV{HUMANLOOP_DISK} = 1;
		exec @namespace, $^X, (map { "-I$_" } @INC), $0, @ARGV or die "exec: $!";
	}
}

use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = new_node('main', conf => "autovacuum = off\nlog_statement = none\nhumanloop.worker_idle_timeout = '1h'\n");
my $disk = $node->basedir . '/disk';
my $answer = q{SELECT * FROM hl_predict('tickets', 'where is the parcel')};
my $work = q{FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'tickets'};
my $no_space = qr/could not extend file ".*": (No space left on device|wrote only \d+ of 8192 bytes)/;

# What is mounted cannot be removed.
END
{
	my $status = $?;
	$node->teardown_node if defined $node && $status != 0;
	system("umount '$disk' 2>/dev/null") if defined $disk;
	$? = $status;
}

# One session asks and fills, another is to fail.
my $control;
sub query { return ask($control, $_[0]); }

sub kilobytes_free
{
	my ($kilobytes) = `df -k --output=avail '$disk'` =~ /(\d+)\s*$/;
	return $kilobytes;
}

# Fills the disk but for so many kilobytes, by a table that is dropped when it is
# full.  What has failed has left rows behind, which VACUUM removes.
sub leave
{
	my ($kilobytes) = @_;
	my $pages = int($kilobytes / 8);

	ask($control, qq{DROP TABLE IF EXISTS filler;
		VACUUM;
		CREATE TABLE reserve (page text) TABLESPACE tiny;
		ALTER TABLE reserve ALTER page SET STORAGE PLAIN;
		INSERT INTO reserve SELECT repeat('x', 8000) FROM generate_series(1, $pages);
		CREATE TABLE filler (LIKE reserve INCLUDING STORAGE) TABLESPACE tiny;
		DO \$\$
		DECLARE
			pages int := 256;
		BEGIN
			WHILE pages > 0 LOOP
				BEGIN
					INSERT INTO filler SELECT repeat('x', 8000) FROM generate_series(1, pages);
				EXCEPTION WHEN disk_full THEN
					pages := pages / 2;
				END;
			END LOOP;
		END \$\$;
		DROP TABLE reserve});
	return;
}

# The table of the extension whose file an error is about.
sub table_of
{
	my ($message) = @_;
	my ($space, $file) = $message =~ m{"pg_tblspc/(\d+)/[^/]+/\d+/(\d+)} or return $message;

	return query(qq{SELECT coalesce(t.oid, i.indrelid, f.oid)::regclass FROM (SELECT pg_filenode_relation($space, $file)::oid) f(oid)
		LEFT JOIN pg_index x ON x.indexrelid = f.oid LEFT JOIN pg_class t ON t.reltoastrelid IN (f.oid, x.indrelid) LEFT JOIN pg_index i ON i.indexrelid = f.oid});
}

mkdir $disk or die $!;
$control = session($node);
query('SET client_min_messages = warning');
system("mount -t tmpfs -o size=24m,mode=700 none '$disk'") == 0 or die 'mount';
query('DROP EXTENSION humanloop');
query("CREATE TABLESPACE tiny LOCATION '$disk'");
query('SET default_tablespace = tiny; CREATE EXTENSION humanloop; RESET default_tablespace');
is(query(q{SELECT count(*) > 20, count(*) FILTER (WHERE spcname IS DISTINCT FROM 'tiny') FROM pg_class c LEFT JOIN pg_tablespace s ON s.oid = reltablespace
	WHERE relnamespace IN ('public'::regnamespace, 'pg_toast'::regnamespace) AND relkind IN ('r', 'i', 't') AND c.oid > 16384}), 't|0', 'all tables are on the small disk');
fill($node, 600, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($node, 60);
cmp_ok(kilobytes_free(), '>', 8 * 1024, 'where there is room');

# ----------------------------------------------------------------------
# Sessions: at every place of what they write
# ----------------------------------------------------------------------

query(q{SELECT hl_pause('tickets')});
my $session = session($node);
my $before = query($answer);
for my $call ([ hl_train => q{SELECT model > 0 FROM hl_train('tickets')}, 'hl_model_part' ],
	[ hl_refresh => q{SELECT hl_refresh('tickets') > 0}, 'hl_feature_block' ],
	[ hl_create_project => q{SELECT hl_create_project('second', 'ticket', 'body') IS NOT NULL AND hl_refresh('second') > 0}, 'hl_encoder_part' ])
{
	my ($name, $statement, $must) = @$call;
	my ($outcome, $failures, %full) = ('', 0);

	# something to do; where it can be noted
	query(q{INSERT INTO ticket SELECT i, 'please take back the kettle ' || i, 'returns' FROM generate_series(2001, 2200) i}) if $name eq 'hl_refresh';
	my $state = query($whole_state);
	my ($half, $wrong) = (0, 0);
	for my $room (0, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
	{
		leave($room);
		$outcome = outcome($session, $statement);
		last if $outcome eq 't';
		if ($outcome !~ /^53100 $no_space/)
		{
			fail("with $room kB: $outcome");
			last;
		}
		$failures++;
		$full{ table_of($outcome) }++;
		$half++ if query($whole_state) ne $state || query(orphans()) ne '';
		$wrong++ if query($answer) ne $before || outcome($session, $answer) ne $before;
	}
	note "$name: " . join(', ', map { "$_ $full{$_}" } sort keys %full);
	cmp_ok($failures, '>', 0, "$name fails where there is no room");
	ok($full{$must}, "also in the middle of writing to $must");
	is($half, 0, 'nothing is half done');
	is($wrong, 0, 'the model answers all the time, in other sessions and in this');
	is($outcome, 't', "$name succeeds with enough room");
	$before = query($answer);
	query('DROP TABLE filler');
	query('VACUUM');
}
query(q{SELECT hl_drop_project('second')});

# ----------------------------------------------------------------------
# The worker: a training
# ----------------------------------------------------------------------

query(q{SELECT hl_resume('tickets')});
eventually($node, $learned, 'with room, all is learned', 30);
$before = query($answer);
my $served = query('SELECT model, revision FROM hl_serving');
my $worker = worker($node);

# What must be as it was, while it fails.
sub serves_as_before
{
	my ($when) = @_;

	is(query(q{SELECT state FROM hl_projects}), 'failing', "$when: hl_projects says that it fails");
	is(query('SELECT model, revision FROM hl_serving'), $served, "$when: the old model serves");
	is(query($answer), $before, "$when: and answers");
	is(query(orphans()), '', "$when: nothing is half done");
	is(worker($node), $worker, "$when: it is the same worker");
	return;
}

# too little for a model
leave(32);
query(q{UPDATE hl_work SET train_at = now() WHERE project_id = (SELECT id FROM hl_project WHERE name = 'tickets')});
query(q{SELECT hl_resume('tickets')});
eventually($node, q{SELECT count(*) > 0 FROM hl_runs WHERE kind = 'train' AND state = 'failed' AND sqlstate = '53100'}, 'a training of the worker fails', 30);
my $error = query(q{SELECT error FROM hl_runs WHERE kind = 'train' AND sqlstate = '53100' ORDER BY id DESC LIMIT 1});
like($error, $no_space, 'for that reason');
is(table_of($error), 'hl_model_part', 'when it writes the model');
is(query(qq{SELECT failed, last_error ~ 'could not extend file .*: No space left on device' $work}), 'train|t', 'the project says so');
serves_as_before('after a training');

# ----------------------------------------------------------------------
# Labels: kept, or an error
# ----------------------------------------------------------------------

leave(0);
my ($kept, $refused) = (0, '');
while ($kept < 3000 && $refused eq '')
{
	my $item = 61 + $kept % 500;
	my $said = outcome($session, "SELECT hl_label('tickets', $item, topic, 'annotator $kept') > 0 FROM ticket WHERE id = $item");

	$said eq 't' ? $kept++ : ($refused = $said);
}
like($refused, qr/^53100 /, "after $kept labels there is no room for another: an error");
like($refused, $no_space, 'that says why');
is(query(q{SELECT count(*), count(DISTINCT annotator) FROM hl_label_history WHERE annotator LIKE 'annotator %'}), "$kept|$kept", 'those that were given are there, and no other');
is(query(q{SELECT count(*) FROM hl_labels WHERE annotator LIKE 'annotator %'}), $kept, 'and hold');
my $rows = outcome($session, q{INSERT INTO ticket SELECT i, 'where is the lamp ' || i, 'delivery' FROM generate_series(3001, 3050) i});
like($rows, qr/^(53100 .*)?$/, 'rows of the source are taken and noted, or refused');
$rows = $rows eq '' ? 50 : 0;
is(query('SELECT count(*) FROM ticket WHERE id BETWEEN 3001 AND 3050'), $rows, 'all of them');
eventually($node, qq{SELECT failures > 0 AND last_error ~ 'could not extend file .*' AND EXISTS (SELECT FROM hl_change) $work}, 'the worker cannot learn that', 30);
serves_as_before('after labels');
cmp_ok(kilobytes_free(), '<', 8, 'the disk is full all the time');

# nobody calls it
query('DROP TABLE filler');
my ($model) = $served =~ /^(\d+)/;
eventually($node, "SELECT model > $model FROM hl_serving", 'with room again, it tries again and trains by itself', 60);
eventually($node, $learned, 'all is learned', 30);
is(worker($node), $worker, 'by the same worker');
is(query(qq{SELECT failures, last_error IS NULL $work}), '0|t', 'all is well');
is(query('SELECT state FROM hl_projects'), 'ready', 'in hl_projects, too');
cmp_ok(query('SELECT labels FROM hl_models(\'tickets\') ORDER BY model DESC LIMIT 1'), '>=', 60 + ($kept < 500 ? $kept : 500), 'it has learned from all labels');
is(query(orphans()), '', 'nothing is left behind');
is(query(q{SELECT count(*) FROM hl_labels WHERE annotator LIKE 'annotator %'}), $kept, 'no label is lost');
is(query(q{SELECT count(*) FROM hl_predict('tickets') WHERE item::int > 3000}), $rows, 'the rows are there');
at_once($node, q{SELECT hl_label('tickets', 560, 'returns', 'annotator')}, 'there is room for labels', 10);

my @complaints = grep { /PANIC|terminated by signal|TRAP/ } split /\n/, slurp_file($node->logfile);
is(join("\n", splice @complaints, 0, 5), '', 'nobody has died of all that');
$session->{run}->kill_kill;
$control->{run}->kill_kill;
$node->stop;
done_testing();
