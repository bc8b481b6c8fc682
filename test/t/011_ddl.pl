# What the worker works on is dropped, altered, paused or switched off while it
# works.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main');
my $idle = q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND state = 'active'};
# Nobody waits for the end of a training.
my $soon = 3;

# A new label of tickets is learned: the worker is all right.
my $next = 200;
sub still_learns
{
	my ($what) = @_;

	$next++;
	my $before = $node->safe_psql('postgres', q{SELECT revision FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'tickets'});
	$node->safe_psql('postgres', "SELECT hl_label('tickets', $next, topic) FROM ticket WHERE id = $next");
	eventually($node, "SELECT revision > $before FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'tickets'", "$what: the worker learns", 10);
	return;
}

fill($node, 600, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($node, 60);

# ----------------------------------------------------------------------
# A project and its source
# ----------------------------------------------------------------------

fill_many($node, 12000);
eventually($node, $fitting, 'a training', 60);
my $pid = worker($node);
at_once($node, q{SELECT hl_drop_project('many')}, 'hl_drop_project during a training', $soon);
still_learns('after it');
eventually($node, $idle, 'the worker ends the training of what is gone', 30);
is(worker($node), $pid, 'it is the same worker');
is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM hl_model) + (SELECT count(*) FROM hl_work) + (SELECT count(*) FROM hl_run WHERE project_id NOT IN (SELECT id FROM hl_project)) || ' ' || (SELECT count(*) FROM hl_change)}), '2 0', 'nothing is left of it');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_model_part mp WHERE NOT EXISTS (SELECT FROM hl_project p WHERE p.id = mp.project_id)}), '0', 'no part of a model');

# a project of the same name is another one
$node->safe_psql('postgres', 'DROP TABLE many');
fill_many($node, 12000);
eventually($node, $fitting, 'a training', 60);
at_once($node, 'DROP TABLE many CASCADE', 'DROP TABLE of the source during a training', $soon);
still_learns('after it');
eventually($node, $idle, 'the training ends', 30);
is($node->safe_psql('postgres', q{SELECT state, last_error FROM hl_projects WHERE project = 'many'}), 'source missing|relation public.many does not exist', 'hl_projects says what is missing');
still_learns('with a project without a source beside it');
$node->safe_psql('postgres', q{SELECT hl_drop_project('many')});

fill_many($node, 12000);
eventually($node, $fitting, 'a training', 60);
at_once($node, 'ALTER TABLE many ADD COLUMN more text, ALTER COLUMN body SET NOT NULL', 'ALTER TABLE of the source during a training', $soon);
at_once($node, 'ALTER TABLE many RENAME COLUMN body TO content; ALTER TABLE many RENAME TO lots', 'and its columns and itself are renamed', $soon);
eventually($node, q{SELECT count(*) = 1 FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'many' AND model = 1}, 'the training ends well', 60);
is($node->safe_psql('postgres', q{SELECT state, last_error IS NULL, input FROM hl_projects WHERE project = 'many'}), 'ready|t|content', 'the project follows');
$node->safe_psql('postgres', q{UPDATE lots SET content = content || ' more' WHERE id = 11999; SELECT hl_label('many', 11999, 'class 7')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'and so do rows and labels that come later', 20);
is($node->safe_psql('postgres', q{SELECT last_error IS NULL, revision > 0 FROM hl_projects WHERE project = 'many'}), 't|t', 'without an error');
is($node->safe_psql('postgres', q{ALTER TABLE lots DROP COLUMN content CASCADE; INSERT INTO lots VALUES (99999); SELECT 1}), '1', 'without its column, rows can still be inserted');
still_learns('with a project whose column is gone beside it');
$node->safe_psql('postgres', q{SELECT hl_drop_project('many'); DROP TABLE lots});

# ----------------------------------------------------------------------
# Pause and off
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{SELECT hl_pause('tickets')});
is($node->safe_psql('postgres', q{SELECT state FROM hl_projects}), 'paused', 'a project is paused');
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 400, 'billing')});
never($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'what is labelled waits', 2);
is($node->safe_psql('postgres', q{SELECT label IS NOT NULL FROM hl_predict('tickets', 'x')}), 't', 'its model answers');
is($node->safe_psql('postgres', q{SELECT deployed FROM hl_train('tickets')}), 't', 'hl_train works all the same');
$node->safe_psql('postgres', q{SELECT hl_resume('tickets')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'hl_resume goes on at once', 5);
is($node->safe_psql('postgres', q{SELECT state FROM hl_projects}), 'ready', 'and hl_projects says so');
still_learns('after a pause');

$node->safe_psql('postgres', q{BEGIN; SELECT hl_pause('tickets'); ROLLBACK});
still_learns('after a pause that was rolled back');

$node->append_conf('postgresql.conf', 'humanloop.enabled = off');
$node->reload;
eventually($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}, 'humanloop.enabled = off sends the worker home', 10);
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 401, 'billing'); SELECT model FROM hl_predict('tickets', 'x')});
never($node, q{SELECT NOT EXISTS (SELECT FROM hl_change) OR EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'humanloop worker')}, 'and nobody brings another', 2);
$node->append_conf('postgresql.conf', 'humanloop.enabled = on');
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('humanloop.enabled') = 'on' FROM hl_models('tickets') LIMIT 1});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'on again, the next hl_ function does', 10);

worker_gone($node);
$node->safe_psql('postgres', q{ALTER DATABASE postgres SET humanloop.enabled = off});
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 402, 'billing')});
never($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'off for a database', 2);
$node->safe_psql('postgres', q{ALTER DATABASE postgres RESET humanloop.enabled});
still_learns('on again');
is(sqlstate($node, q{CREATE ROLE joe; LOAD 'humanloop'; SET ROLE joe; SET humanloop.enabled = off}), '42501', 'it is not for everybody');

# in the middle of a training
fill_many($node, 12000);
eventually($node, $fitting, 'a training', 60);
$node->safe_psql('postgres', q{SELECT hl_pause('many')});
still_learns('while what it trains is paused');
eventually($node, q{SELECT state IN ('done', 'superseded') FROM hl_run ORDER BY id DESC LIMIT 1}, 'what has begun is ended', 60);
$node->safe_psql('postgres', q{SELECT hl_drop_project('many'); DROP TABLE many});

# ----------------------------------------------------------------------
# The extension
# ----------------------------------------------------------------------

for my $how ('DROP EXTENSION humanloop CASCADE', 'DROP SCHEMA place CASCADE')
{
	$node->safe_psql('postgres', q{DROP EXTENSION humanloop CASCADE; DROP SCHEMA IF EXISTS place CASCADE; CREATE SCHEMA place; DROP TABLE IF EXISTS many; DROP TABLE IF EXISTS ticket; CREATE EXTENSION humanloop SCHEMA place;
		ALTER DATABASE postgres SET search_path = public, place});
	fill_many($node, 12000);
	eventually($node, $fitting, 'a training', 60);
	at_once($node, $how, "$how during a training", $soon);
	eventually($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}, "$how: the worker goes", 30);
	is($node->safe_psql('postgres', q{CREATE SCHEMA IF NOT EXISTS place; CREATE EXTENSION humanloop SCHEMA place; DROP TABLE many; SELECT 'again'}), 'again', "$how: the extension can be created again");
	fill($node, 300);
	model_by_itself($node, 30);
	$next = 200;
	still_learns('created again');
}
# again while the worker is there: it must not take the new one for the old
my $old = worker($node);
$node->safe_psql('postgres', q{BEGIN; DROP EXTENSION humanloop CASCADE; CREATE EXTENSION humanloop SCHEMA place; COMMIT; DROP TABLE ticket});
fill($node, 300);
model_by_itself($node, 40);
is($node->safe_psql('postgres', q{SELECT labels FROM hl_models('tickets')}), '40', 'dropped and created in one transaction, it is a new one');
still_learns('the worker knows the new one');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}), '1', 'and is still one');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/PANIC|deadlock|terminated by signal/, 'no crash, no deadlock');

$node->stop;
done_testing();
