# Databases that move while humanloop is at work in them: a dump that is taken
# while people label and the worker trains, a restore that the worker notices
# too early, and pg_upgrade.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $dir = PostgreSQL::Test::Utils::tempdir();

# ----------------------------------------------------------------------
# A dump while it works
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{CREATE DATABASE live});
$node->safe_psql('live', q{CREATE EXTENSION humanloop});
fill($node, 600, 'live', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($node, 60, 'live');
fill_slow($node, q{current_database() = 'live'}, 'live');

# Somebody labels one after another meanwhile.
my $annotator = session($node, 'live');
ask($annotator, q{DO $$ BEGIN FOR i IN 61 .. 600 LOOP
	PERFORM hl_label('tickets', i, topic, 'ann') FROM ticket WHERE id = i; PERFORM hl_label('slow', 61 + i % 100, 'class 1', 'ann'); COMMIT; PERFORM pg_sleep(0.01); END LOOP; END $$}, 1);
eventually($node, q{SELECT count(*) > 5 FROM hl_label_history WHERE annotator = 'ann'}, 'and somebody labels', 20, 'live');
$node->command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('live'), '-f', "$dir/live" ], 'pg_dump meanwhile');
my $at_end = $node->safe_psql('live', q{SELECT count(*) FROM hl_label_history});

# What it holds is of one moment.
for my $enabled ('off', 'on')
{
	$node->safe_psql('postgres', "CREATE DATABASE restored_$enabled; ALTER DATABASE restored_$enabled SET humanloop.enabled = $enabled");
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr("restored_$enabled"), "$dir/live" ], "restored, humanloop.enabled = $enabled");
}
my $labels = $node->safe_psql('restored_off', q{SELECT count(*) FROM hl_label_history});
cmp_ok($labels, '<=', $at_end, 'labels of then');
is($node->safe_psql('restored_off', q{SELECT count(*), max(id) FROM hl_label_history WHERE annotator = 'ann'}), $node->safe_psql('live', qq{SELECT count(*), max(id) FROM (SELECT * FROM hl_label_history ORDER BY id LIMIT $labels) h WHERE annotator = 'ann'}), 'the first that there are');
is($node->safe_psql('restored_off', q{SELECT count(*) FROM (SELECT project_id, item, annotator, max(id) AS id FROM hl_answer GROUP BY 1, 2, 3) a FULL JOIN hl_current_answer c ON (c.project_id, c.item, c.annotator, c.answer_id) = (a.project_id, a.item, a.annotator, a.id) WHERE a.id IS NULL OR c.id IS NULL}), '0', 'and each says what holds');
is($node->safe_psql('restored_off', q{SELECT count(*) FROM hl_serving v LEFT JOIN hl_model m USING (project_id, model) LEFT JOIN hl_revision r USING (project_id, model, revision) WHERE v.model IS NOT NULL AND (m.model IS NULL OR (v.revision > 0 AND r.revision IS NULL))}), '0', 'the serving model is there, with its revision');
is($node->safe_psql('restored_off', q{SELECT state FROM hl_projects ORDER BY project; SELECT count(*) FROM hl_runs}), "no model\nready\n0", 'of the training there is nothing');

# Without the worker, by hand
is($node->safe_psql('restored_off', q{SELECT hl_refresh('tickets'), hl_refresh('slow')}), '600|200', 'hl_refresh encodes what was not dumped');
is($node->safe_psql('restored_off', q{SELECT count(*) FROM hl_queue WHERE project = 'tickets' AND item IN (SELECT item FROM hl_labels WHERE project = 'tickets')}), '0', 'what is labelled is not asked');
is($node->safe_psql('restored_off', q{SELECT labels - (SELECT count(DISTINCT item) FROM hl_labels WHERE project = 'tickets') FROM hl_train('tickets')}), '0', 'a training has all labels');

# With it
$node->safe_psql('restored_on', q{SELECT count(*) FROM hl_projects});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change) FROM hl_serving v JOIN hl_project p ON p.id = project_id WHERE name = 'slow' AND model = 1}, 'the worker learns what was not learned, and trains', 120, 'restored_on');
is($node->safe_psql('restored_on', q{SELECT project, last_error, queued > 0 FROM hl_projects ORDER BY 1}), "slow||t\ntickets||t", 'the queues are back, nothing has failed');
is($node->safe_psql('restored_on', q{SELECT count(*) FROM hl_queue q JOIN hl_labels l USING (project, item)}), '0', 'nothing that is labelled is asked');
is($node->safe_psql('restored_on', q{SELECT count(*) FROM hl_label_history}), $node->safe_psql('restored_off', q{SELECT count(*) FROM hl_label_history}), 'no answer is there twice');
$annotator->{run}->kill_kill;
$node->safe_psql('postgres', qq{DROP DATABASE $_ WITH (FORCE)}) for qw(live restored_on restored_off);

# Answers that a revision has learned, and the training after a quiet time not yet
$node->safe_psql('postgres', q{CREATE DATABASE quiet});
$node->safe_psql('quiet', q{CREATE EXTENSION humanloop});
fill($node, 300, 'quiet', '{"train_growth": 100, "train_quiet": 3}');
model_by_itself($node, 60, 'quiet');
$node->safe_psql('quiet', q{SELECT hl_label('tickets', 61, topic) FROM ticket WHERE id = 61});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'an answer is learned', 10, 'quiet');
$node->command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('quiet'), '-f', "$dir/quiet" ], 'pg_dump before the training that follows');
$node->safe_psql('postgres', q{CREATE DATABASE restored});
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), "$dir/quiet" ], 'restored');
is($node->safe_psql('restored', q{SELECT model, revision FROM hl_projects}), '1|1', 'as it was');
eventually($node, q{SELECT model = 2 FROM hl_serving}, 'the training follows', 30, 'restored');
is($node->safe_psql('restored', q{SELECT reason, labels FROM hl_models('tickets') WHERE model = 2}), 'quiet|61', 'with all labels');

# ----------------------------------------------------------------------
# A restore that is not complete when somebody looks
# ----------------------------------------------------------------------

$node->safe_psql('quiet', q{ALTER TABLE ticket ADD known text; UPDATE ticket SET known = topic WHERE id <= 60; SELECT hl_create_project('known', 'ticket', 'body', label => 'known')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change) FROM hl_serving v JOIN hl_project p ON p.id = project_id WHERE name = 'known' AND model = 1}, 'labels of a source', 30, 'quiet');
my $history = $node->safe_psql('quiet', q{SELECT * FROM hl_label_history ORDER BY id});
$node->command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('quiet'), '-f', "$dir/early" ], 'pg_dump');
$node->safe_psql('postgres', q{CREATE DATABASE early});
my @restore = ('pg_restore', '-d', $node->connstr('early'), "$dir/early");
$node->command_ok([ @restore, '-e', '--section=pre-data' ], 'restored: what stands before the data');
IPC::Run::run([ 'pg_restore', '-l', '--section=data', "$dir/early" ], '>', \my $contents);
my @contents = grep { /^\d/ } split /\n/, $contents;
append_to_file("$dir/ours", join("\n", grep { /TABLE DATA \w+ hl_/ } @contents) . "\n");
append_to_file("$dir/theirs", join("\n", grep { !/TABLE DATA \w+ hl_/ } @contents) . "\n");
$node->command_ok([ @restore, '-e', '-L', "$dir/ours" ], 'the tables of humanloop');
$node->safe_psql('early', q{SELECT count(*) FROM hl_projects});
eventually($node, q{SELECT count(*) = 2 FROM hl_work}, 'the worker has looked at the projects, and found no rows', 20, 'early');
$node->command_ok([ @restore, '-e', '-L', "$dir/theirs" ], 'the others');
IPC::Run::run([ @restore, '--section=post-data' ], '2>', \my $errors);
is(join("\n", grep { !/^trigger "humanloop_\w+" for relation "ticket" already exists$/ } $errors =~ /ERROR:  (.*)/g), '', 'what stands behind: the worker may have made the triggers itself');
$node->safe_psql('early', q{SELECT hl_refresh('tickets'), hl_refresh('known')});
eventually($node, q{SELECT bool_and(state = 'ready' AND queued > 0 AND items = 300) FROM hl_projects}, 'hl_refresh, and all is there', 30, 'early');
is($node->safe_psql('early', q{SELECT * FROM hl_label_history ORDER BY id}), $history, 'the history is what it was');
is($node->safe_psql('early', q{SELECT count(*) FROM hl_labels WHERE project = 'known'}), '60', 'the source has said its labels once');
is($node->safe_psql('early', q{SELECT count(*) FROM pg_trigger WHERE tgfoid = 'hl_source_changed'::regproc}), '8', 'and has its triggers once');
$node->stop;

# ----------------------------------------------------------------------
# pg_upgrade, copying and linking
# ----------------------------------------------------------------------

my $bin = $node->config_data('--bindir');
my $old = PostgreSQL::Test::Cluster->new('old');
my @init = (extra => [ '-E', 'UTF8', '--locale=C', '-N' ]);
my $conf = qq{search_path = 'public, "My Loop"'\nlog_min_messages = debug1\n};
$old->init(@init);
$old->append_conf('postgresql.conf', $conf);
$old->start;
for my $database ('tickets', 'busy')
{
	$old->safe_psql('postgres', "CREATE DATABASE $database");
	$old->safe_psql($database, q{CREATE SCHEMA "My Loop"; CREATE EXTENSION humanloop SCHEMA "My Loop"; GRANT USAGE ON SCHEMA "My Loop" TO PUBLIC});
}
fill($old, 300, 'tickets', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($old, 60, 'tickets');
$old->safe_psql('tickets', q{CREATE ROLE ann; CREATE ROLE desk; GRANT SELECT ON ticket TO ann; ALTER TABLE ticket OWNER TO desk; ALTER VIEW hl_queue_tickets OWNER TO desk;
	SELECT hl_grant('tickets', 'ann', 'annotate'); SET ROLE ann; SELECT count(*) FROM hl_next('tickets', 3); SELECT hl_label('tickets', 61, 'billing')});
eventually($old, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'the worker has learned', 20, 'tickets');
$old->safe_psql('tickets', q{ALTER ROLE ann RENAME TO anna; CREATE ROLE ann; ALTER ROLE desk RENAME TO office; CREATE ROLE desk});
fill_slow($old, sprintf(q{current_setting('port') = '%d'}, $old->port), 'busy');

my %questions = (
	projects => q{SELECT * FROM hl_projects},
	history => q{SELECT * FROM hl_label_history ORDER BY id},
	answers => q{SELECT * FROM hl_predict('tickets', 'where is the parcel')},
	'answers for all' => q{SELECT * FROM hl_predict('tickets') ORDER BY item},
	queue => q{SELECT * FROM hl_queue ORDER BY rank},
	'view of the queue' => q{SELECT * FROM hl_queue_tickets ORDER BY rank},
	privileges => q{SELECT * FROM hl_privileges('tickets')},
	models => q{SELECT * FROM hl_models('tickets')},
	metrics => q{SELECT * FROM hl_metrics('tickets')},
	runs => q{SELECT * FROM hl_runs},
	triggers => q{SELECT tgrelid::regclass, tgname, tgenabled, encode(tgargs, 'escape') FROM pg_trigger WHERE tgfoid = 'hl_source_changed'::regproc ORDER BY 2},
	'event triggers' => q{SELECT evtname, evtenabled, evtfoid::regproc FROM pg_event_trigger ORDER BY 1});
my %before = map { $_ => $old->safe_psql('tickets', $questions{$_}) } keys %questions;
is($before{privileges}, 'anna|annotate', 'a privilege');
like($before{projects}, qr/^tickets\|.*\|office\|300\|61\|239\|.*\|ready\|/, 'a project');
$old->stop('fast');

chdir $dir or die "cannot go to $dir";
for my $mode ('copied', '--link')
{
	my $new = PostgreSQL::Test::Cluster->new('new_' . ($mode =~ s/-//gr));
	my @command = ('pg_upgrade', '--no-sync', '--retain', '-b', $bin, '-B', $bin, '-d', $old->data_dir, '-D', $new->data_dir, '-p', $old->port, '-P', $new->port, '-s', $new->host);

	$new->init(@init);
	$new->append_conf('postgresql.conf', "${conf}shared_preload_libraries = 'humanloop'\n");
	$old->command_ok([ @command, '--check' ], 'pg_upgrade --check') if $mode eq 'copied';
	push @command, $mode if $mode eq '--link';
	$old->command_ok([@command], "pg_upgrade $mode");

	# the servers that it starts for itself are nobody's to work in
	my $log = join '', map { PostgreSQL::Test::Utils::slurp_file($_) } glob($new->data_dir . '/pg_upgrade_output.d/*/log/*.log');
	like($log, qr/loaded library "humanloop"/, "$mode: pg_upgrade has had the library");
	unlike($log, qr/background worker.*"humanloop/, "$mode: and nobody has worked");
	$new->start;
	is($new->safe_psql('tickets', $questions{$_}), $before{$_}, "$mode: $_ as before") for sort keys %questions;
	is(sqlstate($new, q{SET ROLE ann; SELECT hl_predict('tickets', 'x')}, 'tickets'), '42501', "$mode: who has an old name has nothing");
	is($new->safe_psql('tickets', q{SELECT owner_role, source_owner FROM hl_project}), 'office|office', "$mode: owners are who they were");
	$new->safe_psql('tickets', q{INSERT INTO ticket VALUES (1000, 'where is the parcel with the piano', NULL); SELECT hl_label('tickets', 62, 'returns')});
	eventually($new, q{SELECT items = 301 AND revision = 2 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving}, "$mode: the worker goes on", 30, 'tickets');
	is($new->safe_psql('tickets', q{SELECT max(id) FROM hl_label_history; SELECT model FROM hl_train('tickets')}), "62\n2", "$mode: with ids and models");
	eventually($new, q{SELECT string_agg(state, ' ' ORDER BY id) = 'crashed done' FROM hl_run}, "$mode: what was being trained is, by the launcher", 120, 'busy') if $mode eq '--link';
	$new->stop;
}

done_testing();
