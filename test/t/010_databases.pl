# The worker is nobody's obstacle: databases are dropped, copied and renamed
# while it is idle and while it is busy, at the first try.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main');

# Nobody waits longer than the server's own five seconds, and some.
my $soon = 10;

sub database
{
	my ($name) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, 'CREATE EXTENSION humanloop');
	return;
}

# Idle: the worker stays a minute.
database('idle');
fill($node, 300, 'idle');
model_by_itself($node, 30, 'idle');
like(worker($node, 'idle'), qr/^\d+$/, 'an idle worker');
at_once($node, 'CREATE DATABASE copy TEMPLATE idle', 'CREATE DATABASE ... TEMPLATE beside an idle worker', $soon);
is($node->safe_psql('copy', q{SELECT model FROM hl_predict('tickets', 'x')}), '1', 'the copy answers');
$node->safe_psql('copy', q{SELECT hl_label('tickets', 200, 'billing')});
eventually($node, q{SELECT revision = 1 FROM hl_serving}, 'and learns, with a worker of its own', 10, 'copy');
$node->safe_psql('idle', q{SELECT hl_label('tickets', 200, 'billing')});
eventually($node, q{SELECT revision = 1 FROM hl_serving}, 'so does the original, again', 10, 'idle');
at_once($node, 'ALTER DATABASE idle RENAME TO renamed', 'ALTER DATABASE ... RENAME beside an idle worker', $soon);
$node->safe_psql('renamed', q{SELECT hl_label('tickets', 201, 'billing')});
eventually($node, q{SELECT revision = 2 FROM hl_serving}, 'which learns under its new name', 10, 'renamed');
at_once($node, 'ALTER DATABASE renamed SET TABLESPACE pg_default', 'ALTER DATABASE ... SET TABLESPACE beside an idle worker', $soon);
$node->safe_psql('renamed', q{SELECT hl_label('tickets', 202, 'billing')});
eventually($node, q{SELECT revision = 3 FROM hl_serving}, 'learns', 10, 'renamed');
at_once($node, 'DROP DATABASE renamed', 'DROP DATABASE beside an idle worker', $soon);
at_once($node, 'DROP DATABASE copy', 'and of the copy', $soon);

# Busy with a long computation
database('busy');
fill_many($node, 40000, 'busy');
eventually($node, $fitting, 'a worker in the middle of a training', 120, 'busy');
$node->safe_psql('postgres', 'CREATE DATABASE innocent');
my $pid = worker($node, 'busy');
at_once($node, 'DROP DATABASE innocent', 'DROP DATABASE of another database', $soon);
is(worker($node, 'busy'), $pid, 'does not stop the worker');
eventually($node, $fitting, 'still in the middle of a training', 1, 'busy');
at_once($node, 'CREATE DATABASE copy TEMPLATE busy', 'CREATE DATABASE ... TEMPLATE beside a busy worker', $soon);
is($node->safe_psql('copy', q{SELECT count(*) FROM hl_run WHERE state = 'running'}), '1', 'the copy was made in the middle of it');
$node->safe_psql('copy', q{SELECT count(*) FROM hl_models('many')});
eventually($node, q{SELECT string_agg(state, ' ' ORDER BY id) = 'crashed running' FROM hl_run}, 'and begins anew', 60, 'copy');
at_once($node, 'DROP DATABASE copy', 'DROP DATABASE beside a busy worker', $soon);
$node->safe_psql('busy', q{SELECT count(*) FROM hl_models('many')});
eventually($node, $fitting, 'the original begins anew, too', 60, 'busy');
at_once($node, 'ALTER DATABASE busy RENAME TO renamed', 'ALTER DATABASE ... RENAME beside a busy worker', $soon);
$node->safe_psql('renamed', q{SELECT count(*) FROM hl_models('many')});
eventually($node, $fitting, 'and again', 60, 'renamed');
at_once($node, 'DROP DATABASE renamed WITH (FORCE)', 'DROP DATABASE ... WITH (FORCE) beside a busy worker', $soon);

# Busy with a source that is slow to read
database('slow');
$node->safe_psql('slow', q{
	CREATE TABLE note (id int PRIMARY KEY, body text);
	INSERT INTO note SELECT i, 'note of some length ' || i FROM generate_series(1, 3000) i;
	CREATE FUNCTION slowly(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN $1; END $$;
	CREATE VIEW fast AS SELECT id, body FROM note;
	SELECT hl_create_project('notes', 'fast', 'body', key => 'id', options => '{"seed_batch": 10}');
	CREATE OR REPLACE VIEW fast AS SELECT slowly(id) AS id, body FROM note;
	SELECT hl_label_many('notes', array_agg(id::text), array_agg('c' || id % 2)) FROM note WHERE id <= 10;});
eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND datname = 'slow' AND wait_event = 'PgSleep' AND now() - xact_start > '0.2 s'}, 'a worker that reads a slow view', 20);
at_once($node, 'DROP DATABASE slow', 'DROP DATABASE meanwhile', $soon);

# ----------------------------------------------------------------------
# Databases that are not ours
# ----------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->safe_psql('bare', q{CREATE SCHEMA humanloop; CREATE TABLE public.hl_project (id int, name text, paused bool); CREATE TABLE public.hl_change (project_id int, kind text, items text[]);
	CREATE FUNCTION hl_train(text) RETURNS int LANGUAGE sql AS 'SELECT 1'; INSERT INTO hl_project VALUES (1, 'x', false); INSERT INTO hl_change VALUES (1, 'labels', NULL)});
database('closed');
fill($node, 100, 'closed');
database('pattern');
fill($node, 300, 'pattern');
database('ours');
fill($node, 300, 'ours');
for my $database ('closed', 'pattern', 'ours')
{
	$node->poll_query_until($database, 'SELECT NOT EXISTS (SELECT FROM hl_change)');
	worker_gone($node, $database);
}
# what is to be done, and nobody rings
for my $database ('closed', 'pattern', 'ours')
{
	$node->safe_psql($database, q{SET humanloop.enabled = off; SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 30});
}
$node->safe_psql('postgres', 'ALTER DATABASE closed ALLOW_CONNECTIONS false; ALTER DATABASE pattern IS_TEMPLATE true');

# in a template nobody starts on a commit, either
$node->safe_psql('pattern', q{SELECT hl_label('tickets', 40, 'billing')});
never($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND datname = 'pattern' AND now() - backend_start > '0.5 s'}, 'no worker stays in a template database', 2);
is($node->safe_psql('pattern', q{SELECT count(*) FROM hl_model}), '0', 'nor does anything there');
at_once($node, 'CREATE DATABASE made TEMPLATE pattern', 'CREATE DATABASE ... TEMPLATE of the template', $soon);
$node->safe_psql('made', q{SELECT hl_label('tickets', 41, 'billing')});
eventually($node, q{SELECT count(*) = 1 FROM hl_model}, 'what is made of it learns', 10, 'made');

# The launcher goes through all of them.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'humanloop'\nlog_min_messages = debug1\n");
$node->stop;
my $offset = -s $node->logfile;
$node->start;
eventually($node, q{SELECT count(*) = 1 FROM hl_serving WHERE model = 1}, 'the launcher starts what was pending', 15, 'ours');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND datname IN ('bare', 'pattern', 'closed', 'template0', 'template1')}), '0', 'no worker stays where there is nothing for it');
is($node->safe_psql('pattern', q{SELECT count(*) FROM hl_model}), '0', 'the template was left alone');
my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset);
my $starts = workers_started($node, $offset);
cmp_ok($starts, '<=', 5, "$starts workers were started, each once");
unlike($log, qr/(ERROR|FATAL|WARNING):/, 'and none failed');
is($node->safe_psql('bare', q{SELECT count(*) FROM hl_change}), '1', 'the database with tables of our names, but not the extension, is as it was');

$node->stop;
done_testing();
