# pg_dump and restore: projects, labels, history, models and rights go along;
# what can be made again is made again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

# Without the worker; at the end it has its turn.
my $node = new_node('main', conf => "humanloop.enabled = off\n");
my $dir = PostgreSQL::Test::Utils::tempdir();

fill($node, 300);
train($node, 60);
train($node, 120);
$node->safe_psql('postgres', q{
	CREATE ROLE annotator;
	CREATE ROLE keeper;
	SELECT hl_grant('tickets', 'annotator', 'annotate');
	SELECT hl_label('tickets', 150, 'billing', 'ann'); SELECT hl_label('tickets', 150, 'returns', 'ann'); SELECT hl_skip('tickets', 151, 'why', 'ann');
	SELECT hl_undo('tickets', 1);
	SELECT hl_gold('tickets', 200, 'returns'), hl_gold('tickets', 201, 'billing'), hl_label('tickets', 200, 'returns', 'ann');
	-- a view as source, in another schema, with labels of its own and an owner
	CREATE SCHEMA "Other One" AUTHORIZATION keeper;
	GRANT SELECT ON ticket TO keeper;
	SET ROLE keeper;
	CREATE VIEW "Other One".seen AS SELECT id, body AS "the Text", CASE WHEN id <= 60 THEN topic END AS known FROM public.ticket;
	SELECT hl_create_project('seen', '"Other One".seen', 'the Text', 'id', 'known', classes => '{returns,delivery,billing}', acquisition => 'margin', options => '{"queue_size": 30}');
	SELECT hl_train('seen');
	RESET ROLE;
	-- one without a model, and vectors
	SELECT hl_create_project('new', 'ticket', 'body');
	CREATE TABLE place (id uuid PRIMARY KEY, v real[]);
	INSERT INTO place SELECT md5(i::text)::uuid, ARRAY[i % 2, 1 - i % 2, 0.1 * sin(i)] FROM generate_series(1, 40) i;
	SELECT hl_create_project('places', 'place', 'v');
	SELECT hl_label_many('places', array_agg(md5(i::text)::uuid::text), array_agg('c' || i % 2)) FROM generate_series(1, 20) i;
	SELECT hl_train('places');
	-- renamed since: the dump carries today's names
	ALTER TABLE ticket RENAME body TO message;
	SELECT hl_refresh('tickets'); SELECT hl_refresh('new');});

my %questions = (
	projects => q{SELECT project, source, input, key, label, acquisition, owner, items, labelled, encoder, classes, model, revision, accuracy, state FROM hl_projects ORDER BY project},
	labels => q{SELECT * FROM hl_labels ORDER BY id},
	history => q{SELECT * FROM hl_label_history ORDER BY id},
	answers => q{SELECT * FROM hl_predict('tickets', 'where is the parcel') UNION ALL SELECT * FROM hl_predict('seen', 'I was charged twice') UNION ALL SELECT * FROM hl_predict('places', ARRAY[1, 0, 0.1])},
	'answers for all rows' => q{SELECT item, label, round(confidence::numeric, 4), round(epistemic::numeric, 4), model FROM hl_predict('tickets') ORDER BY item},
	curves => q{SELECT * FROM hl_learning_curve('tickets') UNION ALL SELECT * FROM hl_learning_curve('seen')},
	metrics => q{SELECT * FROM hl_metrics('tickets')},
	gold => q{SELECT * FROM hl_golds('tickets')},
	annotators => q{SELECT * FROM hl_annotators('tickets')},
	rights => q{SELECT * FROM hl_privileges('tickets')},
	triggers => q{SELECT tgrelid::regclass, tgname, tgenabled, encode(tgargs, 'escape'), (SELECT count(*) FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'x')
		FROM pg_trigger t WHERE tgfoid = 'hl_source_changed'::regproc ORDER BY tgrelid::regclass::text, tgname},
	views => q{SELECT schemaname, viewname, viewowner FROM pg_views WHERE viewname LIKE 'hl\_queue\_%' ORDER BY 2});
like($node->safe_psql('postgres', $questions{triggers}), qr/^(place\|.*\|A\|.*\n){4}(ticket\|.*\|A\|.*message.*\|1\n?){8}$/, 'the sources have their triggers');
my %before = map { $_ => $node->safe_psql('postgres', $questions{$_}) } keys %questions;

sub check
{
	my ($to, $database, $how) = @_;

	for my $name (sort keys %questions)
	{
		is($to->safe_psql($database, $questions{$name}), $before{$name}, "$how: $name are the same");
	}
	# what is derived is not there yet, and says what to do; then it is
	is($to->safe_psql($database, q{SELECT count(*) FROM hl_queue}), '0', "$how: the queues wait");
	like($to->safe_psql($database, q{SELECT string_agg(queue_empty_because, ';') FROM hl_projects}), qr/^(.*hl_refresh.*;){3}.*hl_refresh.*$/, "$how: for hl_refresh, and say so");
	is($to->safe_psql($database, q{SELECT hl_refresh('tickets')}), '300', "$how: features are made again");
	is($to->safe_psql($database, q{SELECT hl_refresh('tickets')}), '0', "$how: once");
	is($to->safe_psql($database, q{SELECT hl_refresh('seen'), hl_refresh('places'), hl_refresh('new')}), '300|40|300', "$how: in every project");
	is($to->safe_psql($database, q{SELECT project, count(*) > 0 FROM hl_queue GROUP BY 1 ORDER BY 1}), "new|t\nplaces|t\nseen|t\ntickets|t", "$how: and the queues are back");
	is($to->safe_psql($database, q{SELECT count(*) > 0 FROM "Other One".hl_queue_seen}), 't', "$how: and the views");
	is($to->safe_psql($database, $questions{labels}), $before{labels}, "$how: no label is there twice");
	is($to->safe_psql($database, $questions{triggers}), $before{triggers}, "$how: nor a trigger");
	is($to->safe_psql($database, q{BEGIN; DELETE FROM hl_change; INSERT INTO ticket VALUES (1000, 'x'); SELECT name, kind, items FROM hl_change JOIN hl_project ON id = project_id ORDER BY 1; ROLLBACK}), "new|inserted|{1000}\ntickets|inserted|{1000}", "$how: they note what is written");
	# it goes on where it stopped
	is($to->safe_psql($database, q{SELECT hl_label('tickets', 200, 'billing') > (SELECT max(id) FROM hl_label_history)}), 't', "$how: ids go on");
	is($to->safe_psql($database, q{SELECT model FROM hl_train('tickets')}), '3', "$how: and models");
	is($to->safe_psql($database, q{SELECT model, labels FROM hl_train('seen')}), '2|60', "$how: with the source's labels");
	is($to->safe_psql($database, q{SELECT count(*) FROM hl_label_history WHERE annotator = 'source'}), '60', "$how: which are said once");
	is($to->safe_psql($database, q{SELECT project FROM hl_create_project('another', 'ticket', 'message')}), 'another', "$how: and new projects");
	is($to->safe_psql($database, q{SET ROLE annotator; SELECT count(*) > 0 FROM hl_queue WHERE project = 'tickets'}), 't', "$how: roles have their rights");
}

# A fresh database of the same cluster, by plain SQL; OIDs are others.
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', "$dir/plain.sql" ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->safe_psql('restored', 'CREATE TABLE shift AS SELECT 1; DROP TABLE shift; CREATE TABLE shift (id serial PRIMARY KEY, t text)');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', "$dir/plain.sql" ], 'restore');
isnt($node->safe_psql('restored', q{SELECT 'ticket'::regclass::oid}), $node->safe_psql('postgres', q{SELECT 'ticket'::regclass::oid}), 'OIDs differ');
check($node, 'restored', 'plain');

# Another cluster, by the custom format, roles with other OIDs.
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init(extra => [ '-E', 'UTF8', '--locale=C' ]);
$other->append_conf('postgresql.conf', "humanloop.enabled = off\n");
$other->start;
$other->safe_psql('postgres', 'CREATE ROLE first; CREATE ROLE keeper; CREATE ROLE annotator');
$other->safe_psql('postgres', 'CREATE DATABASE target');
$other->safe_psql('postgres', 'CREATE DATABASE parallel');
$node->command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('postgres'), '-f', "$dir/custom" ], 'pg_dump -Fc');
$other->command_ok([ 'pg_restore', '--exit-on-error', '-d', $other->connstr('target'), "$dir/custom" ], 'pg_restore');
check($other, 'target', 'custom');

# Several jobs restore the tables in any order.
$other->command_ok([ 'pg_restore', '-j', '4', '--exit-on-error', '-d', $other->connstr('parallel'), "$dir/custom" ], 'pg_restore -j 4');
for my $name (sort keys %questions)
{
	my ($status, $stdout) = $other->psql('parallel', $questions{$name});
	is($stdout, $before{$name}, "parallel: $name are the same");
}

# Restored without the source, it says what is missing, and the rest answers.
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-T', 'place', '-T', 'hl_queue_places', '-f', "$dir/partial.sql" ], 'pg_dump without a source');
$node->safe_psql('postgres', 'CREATE DATABASE partial');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('partial'), '-f', "$dir/partial.sql" ], 'restore');
is($node->safe_psql('partial', q{SELECT project, last_error FROM hl_projects WHERE last_error IS NOT NULL}), 'places|relation public.place does not exist', 'the missing source is named');
is(sqlstate($node, q{SELECT hl_train('places')}, 'partial'), '42P01', 'in the error, too');
is($node->safe_psql('partial', q{SELECT label FROM hl_predict('tickets', 'where is the parcel')}), 'delivery', 'the others answer');

# With the worker, who finds at the first call that nothing is encoded yet, the
# queues come back by themselves, and what was not learned yet is.
$node->safe_psql('postgres', q{CREATE DATABASE live; ALTER DATABASE live SET humanloop.enabled = on});
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('live'), '-f', "$dir/plain.sql" ], 'restore for the worker');
$node->safe_psql('live', q{SELECT count(*) FROM hl_projects});
eventually($node, q{SELECT (SELECT count(DISTINCT project) FROM hl_queue) = 4}, 'the worker makes the queues again', 60, 'live');
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'and learns what was not learned', 60, 'live');
is($node->safe_psql('live', $questions{triggers}), $before{triggers}, 'no trigger is there twice');

$node->stop;
$other->stop;
done_testing();
