# From 0.1.0 to this version: the older objects work with the newer library,
# are updated while the worker is there, and then are as if installed new.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $old = '0.1.0';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '-E', 'UTF8', '--locale=C' ]);
$node->start;
my $new = $node->safe_psql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'humanloop'});
isnt($new, $old, 'there is something to update to');

# ----------------------------------------------------------------------
# The older version at work
# ----------------------------------------------------------------------

$node->safe_psql('postgres', qq{CREATE EXTENSION humanloop VERSION '$old'});
$node->safe_psql('postgres', q{CREATE ROLE ann; CREATE ROLE eve; CREATE ROLE boss});
fill($node, 600, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
$node->safe_psql('postgres', q{GRANT SELECT ON ticket TO ann, boss});
model_by_itself($node, 60);
$node->safe_psql('postgres', q{
	SELECT hl_grant('tickets', 'ann', 'annotate'), hl_grant('tickets', 'eve', 'predict'), hl_grant('tickets', 'boss', 'manage');
	SELECT hl_revoke('tickets', 'eve', 'predict'), hl_grant('tickets', 'eve', 'predict');
	CREATE VIEW mine AS SELECT project, last_error FROM hl_projects;
	CREATE TABLE v (id int PRIMARY KEY, v real[]);
	INSERT INTO v SELECT i, ARRAY[i % 2, 1 - i % 2, 0.1 * sin(i)] FROM generate_series(1, 40) i;
	SELECT hl_create_project('places', 'v', 'v');
	SELECT hl_label_many('places', array_agg(i::text), array_agg('c' || i % 2)) FROM generate_series(1, 20) i;
	SELECT hl_train('places');});
is($node->safe_psql('postgres', q{SELECT * FROM hl_privileges('tickets')}), "ann|annotate\nboss|manage\neve|predict", 'grants');
is($node->safe_psql('postgres', q{SET ROLE ann; SELECT hl_label('tickets', item, 'returns') > 0 FROM hl_next('tickets', 2)}), "t\nt", 'questions and answers');
is($node->safe_psql('postgres', q{SET ROLE eve; SELECT label FROM hl_predict('tickets', 'where is the parcel')}), 'delivery', 'predictions');
is(sqlstate($node, q{SET ROLE eve; SELECT hl_label('tickets', 300, 'x')}), '42501', 'and nothing else');
my ($calls, @failed) = (0);
for my $call (q{hl_refresh('tickets')}, q{hl_train('tickets')}, q{hl_models('tickets')}, q{hl_metrics('tickets')}, q{hl_confusion('tickets')}, q{hl_learning_curve('tickets')},
	q{hl_deploy('tickets', 1)}, q{hl_deploy('tickets', 2)}, q{hl_pause('tickets')}, q{hl_resume('tickets')}, q{hl_undo('tickets', 1)}, q{hl_skip('tickets', 301, 'why')}, q{hl_predict('tickets')},
	q{hl_probabilities('tickets', 'x')}, q{hl_uncertainty('tickets', 'x')}, q{hl_embed('tickets', 'x')}, 'hl_projects', 'hl_queue', 'hl_labels', 'hl_label_history', 'hl_runs', 'hl_queue_tickets')
{
	$calls++;
	push @failed, $call if sqlstate($node, "SELECT count(*) FROM $call") ne '';
}
is("@failed", '', "$calls others");
is(sqlstate($node, 'ALTER TABLE v ALTER id TYPE bigint'), '0A000', 'a queue view in the way of another type');
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'the worker learns', 30);
my $pid = worker($node);
like($pid, qr/^\d+$/, 'and is there');

my %questions = (
	projects => q{SELECT project, source, owner, items, labelled, model, revision, state FROM hl_projects ORDER BY project},
	labels => q{SELECT * FROM hl_labels ORDER BY id},
	history => q{SELECT * FROM hl_label_history ORDER BY id},
	answers => q{SELECT * FROM hl_predict('tickets', 'I was charged twice') UNION ALL SELECT * FROM hl_predict('places', ARRAY[1, 0, 0.1])},
	'answers for all' => q{SELECT * FROM hl_predict('tickets') ORDER BY item},
	queue => q{SELECT project, rank, item, reason, leased_by FROM hl_queue ORDER BY 1, 2},
	models => q{SELECT model, deployed, labels, accuracy FROM hl_models('tickets')},
	privileges => q{SELECT * FROM hl_privileges('tickets')},
	runs => q{SELECT kind, state, model FROM hl_runs ORDER BY id},
	'a view of the user' => q{SELECT * FROM mine ORDER BY 1});
my %before = map { $_ => $node->safe_psql('postgres', $questions{$_}) } keys %questions;

# ----------------------------------------------------------------------
# The update
# ----------------------------------------------------------------------

# sessions that have used it, one with a plan of its own, one in a transaction
my $session = session($node);
ask($session, q{PREPARE p AS SELECT label FROM hl_predict('tickets', $1); EXECUTE p('where is the parcel')});
my $annotator = session($node);
ask($annotator, q{SELECT item FROM hl_next('tickets')});

is(sqlstate($node, 'ALTER EXTENSION humanloop UPDATE'), '', 'the update');
is($node->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'humanloop'}), $new, 'it is the new version');
like(ask($session, q{EXECUTE p('where is the parcel')}), qr/delivery/, 'a prepared statement goes on');
like(ask($annotator, q{SELECT hl_label('tickets', 400, 'billing') > 0}), qr/t/, 'so does a session');
$node->safe_psql('postgres', q{SELECT hl_undo('tickets', 400); UPDATE hl_lease SET annotator = NULL, leased_at = NULL, lease_until = NULL});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'and the worker', 30);

for my $name (sort keys %questions)
{
	next if $name =~ /^(labels|history|queue|answers|projects)/;
	is($node->safe_psql('postgres', $questions{$name}), $before{$name}, "$name as before");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_label_history}) - 2, scalar(split /\n/, $before{history}), 'history, and the two things said since');
is($node->safe_psql('postgres', $questions{labels}), $before{labels}, 'labels as before');

# what is new
is($node->safe_psql('postgres', q{SELECT string_agg(role::text, ',' ORDER BY role::text) FROM hl_privilege}), 'ann,boss,eve', 'roles are what they were');
is($node->safe_psql('postgres', q{SELECT DISTINCT owner_role::text, source_owner::text FROM hl_project}), 'postgres|postgres', 'owners are recorded');
$node->safe_psql('postgres', q{ALTER ROLE eve RENAME TO adam; CREATE ROLE eve});
is($node->safe_psql('postgres', q{SELECT * FROM hl_privileges('tickets')}), "adam|predict\nann|annotate\nboss|manage", 'and followed');
is(sqlstate($node, q{SET ROLE eve; SELECT hl_predict('tickets', 'x')}), '42501', 'not replaced');
is(sqlstate($node, 'ALTER TABLE v ALTER id TYPE bigint'), '', 'a queue view that makes room');
is($node->safe_psql('postgres', q{SELECT model FROM hl_train('tickets')}), '3', 'trainings go on');

# ----------------------------------------------------------------------
# While the worker trains
# ----------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE busy');
$node->safe_psql('busy', qq{CREATE EXTENSION humanloop VERSION '$old'});
fill_many($node, 4000, 'busy');
eventually($node, q{SELECT count(*) = 1 FROM hl_runs WHERE kind = 'train' AND state = 'running'}, 'a training runs', 60, 'busy');
is(sqlstate($node, 'ALTER EXTENSION humanloop UPDATE', 'busy'), '', 'the update at that time');
eventually($node, q{SELECT model = 1 FROM hl_serving}, 'the training goes on', 120, 'busy');
is($node->safe_psql('busy', q{SELECT state, error FROM hl_runs WHERE kind = 'train'}), 'done|', 'without an error');

# ----------------------------------------------------------------------
# As if it had been installed new
# ----------------------------------------------------------------------

my $objects = q{
	WITH member AS (SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'humanloop') AND deptype = 'e')
	SELECT pg_describe_object(classid, objid, 0) || CASE classid
		WHEN 'pg_proc'::regclass THEN (SELECT pg_get_functiondef(objid) || coalesce(proacl::text, '') FROM pg_proc WHERE oid = objid)
		WHEN 'pg_class'::regclass THEN (SELECT coalesce(relacl::text, '') || coalesce(reloptions::text, '') || relpersistence::text || CASE WHEN relkind = 'v' THEN pg_get_viewdef(oid) ELSE '' END
			|| coalesce((SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attstorage, pg_get_expr(adbin, adrelid)), E'\n' ORDER BY attnum) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = objid AND attnum > 0 AND NOT attisdropped), '')
			|| coalesce((SELECT string_agg(pg_get_indexdef(indexrelid), E'\n' ORDER BY 1) FROM pg_index WHERE indrelid = objid), '')
			|| coalesce((SELECT string_agg(conname || pg_get_constraintdef(oid), E'\n' ORDER BY conname) FROM pg_constraint WHERE conrelid = objid), '')
			|| coalesce((SELECT string_agg(pg_get_triggerdef(oid), E'\n' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = objid AND NOT tgisinternal), '')
			|| coalesce((SELECT c::text FROM pg_extension, unnest(extconfig, extcondition) u(r, c) WHERE r = objid), 'not dumped') FROM pg_class WHERE oid = objid)
		WHEN 'pg_type'::regclass THEN (SELECT coalesce(string_agg(attname || ' ' || format_type(atttypid, atttypmod), E'\n' ORDER BY attnum), '') FROM pg_type t JOIN pg_attribute ON attrelid = typrelid WHERE t.oid = objid AND NOT attisdropped AND attnum > 0)
		WHEN 'pg_event_trigger'::regclass THEN (SELECT concat_ws(' ', evtevent, evtfoid::regproc, evtenabled, evttags) FROM pg_event_trigger WHERE oid = objid)
		ELSE '' END || coalesce(obj_description(objid, classid::regclass::name), '')
	FROM member ORDER BY 1};
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION humanloop');
my ($updated, $fresh) = map { $node->safe_psql($_, $objects) } qw(postgres fresh);
cmp_ok(length $fresh, '>', 25000, 'there is much to compare');
is($updated, $fresh, 'every object is that of a new installation');

# from each version in between as well, with a model and the worker there
for my $version (grep { $_ ne $old && $_ ne $new } split /\n/, $node->safe_psql('postgres', q{SELECT version FROM pg_available_extension_versions WHERE name = 'humanloop' ORDER BY 1}))
{
	my $database = $version =~ s/\./_/gr;
	my $answer = q{SELECT label, round(confidence::numeric, 6), model FROM hl_predict('tickets', 'I was charged twice')};

	$node->safe_psql('postgres', qq{CREATE DATABASE "$database"});
	$node->safe_psql($database, qq{CREATE EXTENSION humanloop VERSION '$version'});
	fill($node, 600, $database, '{"train_growth": 100, "train_quiet": 86400}');
	train($node, 60, $database);
	my $before = $node->safe_psql($database, $answer);
	is(sqlstate($node, 'ALTER EXTENSION humanloop UPDATE', $database), '', "the update from $version");
	is($node->safe_psql($database, $answer), $before, 'its model answers as before');
	is($node->safe_psql($database, $objects), $fresh, 'every object is that of a new installation');
	is($node->safe_psql($database, q{SELECT model FROM hl_train('tickets')}), '2', 'trainings go on');
	is($node->safe_psql($database, q{SELECT count(*) > 0 FROM hl_metrics('tickets') WHERE estimate = 'cross-validation'}), 't', 'and are measured');
}

# ----------------------------------------------------------------------
# What the older library has written
# ----------------------------------------------------------------------

# Dumps of databases in which an older version itself has trained and learned, by
# its own worker: 30 labels and then some more, two projects, a skip, an undo, a grant.
my %written = (
	'0.1.0' => { ticket => 'delivery|0.999|0.094|1|4', said => '55|52|4', projects => "places|1|0|20|ready|t\ntickets|1|4|32|ready|t", trained => '2|32' },
	'0.2.0' => { ticket => 'delivery|0.999|0.080|1|3', said => '56|53|3', projects => "places|1|0|20|ready|t\ntickets|1|3|33|ready|t", trained => '2|33' },
	# asked by the audit, too; a class renamed and a condition for questions given, neither learned yet
	'0.3.0' => { ticket => 'delivery|1.000|0.068|2|3', said => '98|77|35', projects => "places|1|0|20|ready|t\ntickets|2|3|57|ready|t", trained => '3|57', audited => '8',
		back => '0.998', changes => 'labels {45},labels {90},labels {90},labels,pool', names => '3' },
	# from that dump: word vectors imported and taken, a project of several inputs, in which a class is renamed
	'0.4.0' => { ticket => 'delivery|0.999|0.095|4|1', said => '142|111|35', projects => "mails|1|0|31|ready|t\nplaces|1|0|20|ready|t\ntickets|4|1|60|ready|t", trained => '5|60', audited => '8',
		back => '0.996', changes => 'labels {40},labels', names => '4',
		inputs => 'class 1|0.997|1|0', embedded => '{0.9851,0.0519,0.0519,0.1555}', figures => '{"text": 0.50, "tiny": 0.50}' });
for my $version (sort keys %written)
{
	my $expected = $written{$version};
	my $database = "dumped_$version" =~ tr/./_/r;
	my $audited = $expected->{audited};

	$node->safe_psql('postgres', "CREATE DATABASE $database; ALTER DATABASE $database SET humanloop.enabled = off");
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), '-f', "$FindBin::Bin/../data/humanloop-$version.sql" ], "a dump of $version is restored");
	my $read = sub { return $node->safe_psql($database, $_[0]) };
	is($read->(q{SELECT extversion FROM pg_extension WHERE extname = 'humanloop'}), $new, 'into the new version');
	is($read->(q{SELECT label, round(confidence::numeric, 3), round(epistemic::numeric, 3), model, revision FROM hl_predict('tickets', 'where is the parcel')}), $expected->{ticket}, 'its model and revisions answer as they did');
	is($read->(q{SELECT label, round(confidence::numeric, 3), model, revision FROM hl_predict('places', ARRAY[1, 0, 0.1])}), 'c1|0.994|1|0', 'vectors, too');
	is($read->(q{SELECT (SELECT count(*) FROM hl_label_history), (SELECT count(*) FROM hl_labels), (SELECT count(*) FROM hl_label_history WHERE annotator = 'ann')}), $expected->{said}, 'all that was said is there');
	is($read->(q{SELECT project, model, revision, labelled, state, owner = current_user FROM hl_projects ORDER BY 1}), $expected->{projects}, 'the projects are');
	is($read->(q{SELECT * FROM hl_privileges('tickets')}), 'pg_monitor|annotate', 'so is the grant');
	if ($audited)
	{
		is($read->(q{SELECT class_names FROM hl_model WHERE project_id = 1 AND model = 2}), '{billing,delivery,"sent back"}', 'a renamed class is');
		is($read->(q{SELECT label, round(confidence::numeric, 3) FROM hl_predict('tickets', 'please take back the lamp')}), "sent back|$expected->{back}", 'and answers so');
		is($read->(q{SELECT audited, audit_accuracy, round(audit_low::numeric, 3) FROM hl_learning_curve('tickets') WHERE model = 2}), "$audited|1|0.676", 'what the audit has measured is');
		is($read->(q{SELECT sum(n) FROM hl_reliability('tickets') WHERE estimate = 'audit'}), $audited, 'item by item');
		is($read->(q{SELECT targets FROM hl_projects WHERE project = 'tickets'}), q{body !~ 'kettle'}, 'the condition for questions is');
		is($read->(q{SELECT string_agg(kind || coalesce(' ' || items::text, ''), ',' ORDER BY kind, items) FROM hl_change WHERE items IS NULL OR kind = 'labels'}), $expected->{changes}, 'what was to be learned still is');
	}
	if ($expected->{inputs})
	{
		is($read->(q{SELECT label, round(confidence::numeric, 3), model, revision FROM hl_predict('mails', ARRAY['where is', 'where is the parcel', NULL])}), $expected->{inputs}, 'several inputs are');
		is($read->(q{SELECT array_agg(round(v::numeric, 4)) FROM unnest(hl_embed('tiny', 'where is the parcel')) v}), $expected->{embedded}, 'imported vectors are');
		is($read->(q{SELECT figures ->> 'shares' FROM hl_models('tickets') WHERE model = 4}), $expected->{figures}, 'figures of a model are');
		is($read->(q{SELECT encoder FROM hl_projects WHERE project = 'tickets'}), 'text+tiny', 'the encoder that was chosen is');
		is($read->(q{SELECT hl_refresh('mails')}), '90', 'its rows are encoded again');
		is($read->(q{SELECT array_agg(DISTINCT label) FROM hl_train('mails'), hl_predict('mails')}), '{"class 1","class 2",zero}', 'a class is called anew there');
	}
	is($read->(q{SELECT hl_refresh('tickets'), hl_refresh('places')}), '90|40', 'rows are encoded again');
	is($read->(q{SELECT count(*) > 0 FROM hl_next('tickets', 5)}), 't', 'questions are asked');
	is($read->(q{SELECT count(*) FROM hl_queue q JOIN ticket ON item = id::text WHERE project = 'tickets' AND body ~ 'kettle'}), '0', 'but none that the condition leaves out') if $audited;
	is($read->(q{SELECT model, labels FROM hl_train('tickets')}), $expected->{trained}, 'and learning goes on');
	if ($audited)
	{
		is($read->(q{SELECT array_agg(DISTINCT label) FROM hl_predict('tickets')}), '{billing,delivery,"sent back"}', 'with the classes as they are called now');
		cmp_ok($read->(q{SELECT audited FROM hl_projects WHERE project = 'tickets'}), '>=', $audited, 'and with the audit');
	}
	# the worker finds what the dump has left to it
	next if !$audited;
	my $worked = "worked_$version" =~ tr/./_/r;
	$node->safe_psql('postgres', "CREATE DATABASE $worked");
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($worked), '-f', "$FindBin::Bin/../data/humanloop-$version.sql" ], 'the same where there is a worker');
	$node->safe_psql($worked, q{SELECT * FROM hl_next('tickets')});
	eventually($node, qq{SELECT NOT EXISTS (SELECT FROM hl_change) AND (SELECT model = $expected->{names} FROM hl_serving WHERE project_id = 1)}, 'it trains with the new name', 60, $worked);
	is($node->safe_psql($worked, q{SELECT array_agg(DISTINCT label) FROM hl_predict('tickets')}), '{billing,delivery,"sent back"}', 'and uses it');
}

$node->stop;
done_testing();
