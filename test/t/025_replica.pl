# Standbys: one answer a statement while models come and go, conflicts with
# recovery, a cascade, what is dropped under sessions that have used it, and a
# promotion in the middle of a training.  Also a source that logical replication
# fills.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $primary = new_node('primary', allows_streaming => 'logical');
my $learned = q{SELECT NOT EXISTS (SELECT FROM hl_change)};

# Reading this source takes long, but on a standby only.
fill($primary, 300, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($primary, 60);
$primary->safe_psql('postgres', q{
	CREATE FUNCTION slowly_there(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF pg_is_in_recovery() THEN PERFORM pg_sleep(0.02); END IF; RETURN $1; END $$;
	CREATE VIEW there AS SELECT slowly_there(id) AS id, body FROM ticket;
	SELECT hl_create_project('there', 'there', 'body', key => 'id', options => '{"keep_models": 1, "train_growth": 100, "train_quiet": 86400}');
	SELECT hl_label_many('there', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60;
	SELECT hl_train('there');});
$primary->safe_psql('postgres', q{CREATE DATABASE extra; ALTER DATABASE extra SET humanloop.enabled = off});
$primary->safe_psql('extra', q{CREATE EXTENSION humanloop});
fill($primary, 100, 'extra');
train($primary, 40, 'extra');

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nwal_receiver_status_interval = 1\nmax_standby_streaming_delay = -1\n");
$standby->start;
$standby->backup('cascade');
my $cascade = PostgreSQL::Test::Cluster->new('cascade');
$cascade->init_from_backup($standby, 'cascade', has_streaming => 1);
$cascade->start;

sub caught_up
{
	# the worker's commits are asynchronous: a synchronous one takes them along
	$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');
	$primary->wait_for_catchup($standby);
	return;
}

# An answer, and the revision that has learned it
my $item = 100;
sub another_revision
{
	my $before = $primary->safe_psql('postgres', q{SELECT revision FROM hl_serving WHERE project_id = 1});

	$item++;
	$primary->safe_psql('postgres', "SELECT hl_label('tickets', $item, topic) FROM ticket WHERE id = $item");
	eventually($primary, "SELECT revision > $before FROM hl_serving WHERE project_id = 1", 'another revision', 20);
	caught_up();
	return;
}

# ----------------------------------------------------------------------
# One answer a statement
# ----------------------------------------------------------------------

caught_up();
my $reader = session($standby);
my $repeatable = session($standby);
my $which = q{SELECT model || '.' || revision FROM hl_predict('tickets', 'x')};
my $first = ask($repeatable, "BEGIN ISOLATION LEVEL REPEATABLE READ; $which");
ask($reader, q{SELECT string_agg(DISTINCT p.model || '.' || p.revision, ' '), count(*), sum(length(pg_sleep(0.05)::text)) FROM generate_series(1, 100) i, hl_predict('tickets', 'where is ' || i) p}, 1);
eventually($standby, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 100)%' AND wait_event = 'PgSleep'}, 'a long statement on the standby', 20);
another_revision();
another_revision();
is($standby->safe_psql('postgres', $which), $primary->safe_psql('postgres', $which), 'a new session has what is new');
is(ask($repeatable, $which), $first, 'REPEATABLE READ has what it had');
isnt($standby->safe_psql('postgres', $which), $first, 'which is something else');
my $answer = ask($reader, q{SELECT 'end'});
is($answer, "$first|100|0\nend", 'the long statement has been answered by one model');
is(ask($reader, $which), $primary->safe_psql('postgres', $which), 'and the next by the newest');
is(ask($repeatable, "COMMIT; $which"), $primary->safe_psql('postgres', $which), 'so is a new transaction');
$standby->wait_for_catchup($cascade, 'replay', $standby->lsn('replay'));
my $same = q{SELECT label, round(confidence::numeric, 6), model, revision FROM hl_predict('tickets', 'where is the parcel') UNION ALL SELECT item, round(score::numeric, 6), model, revision FROM hl_queue WHERE project = 'tickets'};
is($cascade->safe_psql('postgres', $same), $primary->safe_psql('postgres', $same), 'a standby of the standby has it as well');

# ----------------------------------------------------------------------
# Nothing is written
# ----------------------------------------------------------------------

my %calls = (
	hl_create_project => q{('p', 'ticket', 'body')}, hl_drop_project => q{('tickets')}, hl_refresh => q{('tickets')}, hl_train => q{('tickets')}, hl_deploy => q{('tickets', 1)},
	hl_pause => q{('tickets')}, hl_resume => q{('tickets')}, hl_grant => q{('tickets', current_user::regrole, 'predict')}, hl_revoke => q{('tickets', current_user::regrole, 'predict')},
	hl_label => q{('tickets', 200, 'billing')}, hl_label_many => q{('tickets', '{200}', '{billing}')}, hl_skip => q{('tickets', 200)}, hl_undo => q{('tickets', 1)}, hl_next => q{('tickets')},
	hl_rename_class => q{('tickets', 'billing', 'bills')}, hl_merge_classes => q{('tickets', '{billing}', 'returns')}, hl_remove_class => q{('tickets', 'billing')}, hl_set_targets => q{('tickets', 'id > 1')},
	hl_set_encoder => q{('tickets', 'text')}, hl_import_encoder => q{('x', 'transformer', staging => 'ticket')}, hl_drop_encoder => q{('x')}, hl_share_encoder => q{('x')},
	hl_ask => q{('tickets', 200)}, hl_gold => q{('tickets', 200, 'billing')}, hl_drop_gold => q{('tickets', 200)}, hl_settle => q{('tickets', 200, 'billing')}, hl_unsettle => q{('tickets', 200)}, hl_comment => q{('tickets', 200, 'x')}, hl_delete_comment => q{('tickets', 1)},
	hl_flag => q{('tickets', 200, 'x')}, hl_unflag => q{('tickets', 200)}, hl_set_option => q{('tickets', 'batch', '5')},
	hl_add_rule => q{('tickets', 'refunds', 'id > 1', 'billing')}, hl_drop_rule => q{('tickets', 'refunds')}, hl_disable_rule => q{('tickets', 'refunds')}, hl_enable_rule => q{('tickets', 'refunds')});
is($primary->safe_psql('postgres', q{SELECT string_agg(DISTINCT proname, ' ' ORDER BY proname) FROM pg_proc JOIN pg_depend ON objid = pg_proc.oid AND classid = 'pg_proc'::regclass AND deptype = 'e'
	WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'humanloop') AND provolatile = 'v' AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)}), join(' ', sort keys %calls), 'these are the functions that write');
for my $function (sort keys %calls)
{
	my ($status, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT * FROM $function$calls{$function}");

	like($err, qr/ERROR:  25006: cannot execute [\w ]+ during recovery\n/, "$function is refused");
	($status, $out, $err) = $primary->psql('postgres', "\\set VERBOSITY verbose\nBEGIN READ ONLY; SELECT * FROM $function$calls{$function}");
	like($err, qr/ERROR:  25006: cannot execute [\w ]+ in a read-only transaction\n/, 'on the primary likewise, in a read-only transaction');
}
for my $statement (q{INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '200', 'x')}, q{UPDATE hl_labels SET label = 'x' WHERE project = 'tickets'}, q{DELETE FROM hl_labels WHERE project = 'tickets'})
{
	is(sqlstate($standby, $statement), '25006', $statement);
}

# ----------------------------------------------------------------------
# Conflicts with recovery
# ----------------------------------------------------------------------

$standby->append_conf('postgresql.conf', "hot_standby_feedback = off\nmax_standby_streaming_delay = 100ms\n");
$standby->reload;
$primary->poll_query_until('postgres', q{SELECT backend_xmin IS NULL FROM pg_stat_replication WHERE application_name = 'standby'});
ask($reader, "\\set VERBOSITY sqlstate\nSELECT 1");
for my $round (1 .. 3)
{
	my $model = $primary->safe_psql('postgres', q{SELECT model FROM hl_serving WHERE project_id = 2});

	${ $reader->{err} } = '';
	ask($reader, q{SELECT 'complete' FROM hl_predict('there')}, 1);
	eventually($standby, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%complete%' AND wait_event = 'PgSleep'}, "round $round: a long prediction on the standby", 20);
	$primary->safe_psql('postgres', q{SELECT hl_train('there'); SELECT hl_train('there')});
	$primary->safe_psql('postgres', 'VACUUM hl_model_part, hl_model_label, hl_model, hl_serving, hl_ranking');
	is($primary->safe_psql('postgres', "SELECT count(*) FROM hl_model_part WHERE project_id = 2 AND model <= $model"), '0', "round $round: its model is replaced and gone");
	caught_up();
	is(ask($reader, q{SELECT model FROM hl_predict('there', 'x')}), $model + 2, "round $round: the next statement is answered by the new one");
	like(${ $reader->{err} }, qr/ERROR:  40001\n/, "round $round: the long one was cancelled, for the conflict");
}

# ----------------------------------------------------------------------
# What sessions have loaded is dropped
# ----------------------------------------------------------------------

my $guest = session($standby, 'extra');
is(ask($guest, q{SELECT model FROM hl_predict('tickets', 'x')}), '1', 'a session in another database');
$primary->safe_psql('extra', q{DROP EXTENSION humanloop CASCADE; CREATE EXTENSION humanloop});
caught_up();
ask($guest, "\\set VERBOSITY sqlstate\nSELECT 1");
ask($guest, q{SELECT model FROM hl_predict('tickets', 'x')});
like(${ $guest->{err} }, qr/ERROR:  42704\n/, 'the extension is another one there, without that project');
$primary->safe_psql('extra', q{UPDATE ticket SET body = (ARRAY['buy shares ', 'play chess '])[1 + id % 2] || id, topic = (ARRAY['market', 'game'])[1 + id % 2]; SELECT hl_create_project('tickets', 'ticket', 'body')});
train($primary, 40, 'extra');
caught_up();
is(ask($guest, q{SELECT model, label FROM hl_predict('tickets', 'play chess')}), '1|game', 'the same numbers of another extension are another model');
$primary->safe_psql('extra', q{DROP EXTENSION humanloop CASCADE});
caught_up();
ask($guest, q{SELECT model FROM hl_predict('tickets', 'x')});
like(${ $guest->{err} }, qr/ERROR:  42883\n/, 'then there is none');
$primary->safe_psql('postgres', q{DROP DATABASE extra});
caught_up();
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'extra'}), '0', 'DROP DATABASE sends sessions away');
IPC::Run::pump_nb($guest->{run});
is(ask($reader, q{SELECT count(*) FROM hl_predict('tickets')}), '300', 'others go on');
$guest->{run}->kill_kill;

# ----------------------------------------------------------------------
# A source that logical replication fills
# ----------------------------------------------------------------------

$primary->safe_psql('postgres', q{CREATE DATABASE subscriber; ALTER DATABASE subscriber SET humanloop.enabled = off});
$primary->safe_psql('subscriber', q{CREATE EXTENSION humanloop; CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text); SELECT hl_create_project('tickets', 'ticket', 'body', label => 'topic'); SELECT hl_refresh('tickets')});
$primary->safe_psql('postgres', q{CREATE PUBLICATION p FOR TABLE ticket; SELECT pg_create_logical_replication_slot('s', 'pgoutput')});
$primary->safe_psql('subscriber', sprintf(q{CREATE SUBSCRIPTION s CONNECTION '%s' PUBLICATION p WITH (create_slot = false)}, $primary->connstr . ' dbname=postgres'));
eventually($primary, q{SELECT count(*) = 300 FROM ticket}, 'a subscription copies the table', 60, 'subscriber');
is($primary->safe_psql('subscriber', q{SELECT kind, items IS NULL, count(*) > 0 FROM hl_change WHERE kind IN ('inserted', 'rows') AND items IS NULL OR cardinality(items) = 300 GROUP BY 1, 2}), 'inserted|f|t', 'which is noticed');
$primary->safe_psql('subscriber', q{SELECT hl_refresh('tickets')});
eventually($primary, q{SELECT srsubstate = 'r' FROM pg_subscription_rel}, 'it follows', 60, 'subscriber');
$primary->safe_psql('postgres', q{INSERT INTO ticket VALUES (1000, 'where is the parcel with the piano', 'delivery'); UPDATE ticket SET body = 'I was charged twice for the harp' WHERE id = 1; DELETE FROM ticket WHERE id = 2});
eventually($primary, q{SELECT count(*) = 1 FROM ticket WHERE id = 1000}, 'rows that come later', 60, 'subscriber');
is($primary->safe_psql('subscriber', q{SELECT count(*) FROM hl_change WHERE kind IN ('inserted', 'rows')}), '0', 'are not noticed');
is($primary->safe_psql('subscriber', q{SELECT hl_refresh('tickets'); SELECT items FROM hl_projects; SELECT string_agg(item || action, ',' ORDER BY id) FROM hl_label_history WHERE item IN ('2', '1000')}), "3\n300\n2label,2undo,1000label", 'but by hl_refresh, labels too');
$primary->safe_psql('subscriber', q{ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s});
$primary->safe_psql('postgres', q{SELECT pg_drop_replication_slot('s') FROM pg_replication_slots WHERE NOT active});

# ----------------------------------------------------------------------
# Promoted in the middle of a training
# ----------------------------------------------------------------------

fill_slow($primary, sprintf(q{current_setting('port') = '%d'}, $primary->port));
eventually($standby, q{SELECT count(*) > 0 FROM hl_run WHERE state = 'running'}, 'which the standby sees', 20);
is($standby->safe_psql('postgres', q{SELECT state FROM hl_projects WHERE project = 'slow'}), 'training', 'and says');
$primary->stop('immediate');
my $before = $standby->safe_psql('postgres', $which);
$standby->promote;
is(ask($reader, $which), $before, 'promoted, it answers as before');
eventually($standby, q{SELECT string_agg(r.state, ' ' ORDER BY r.id) = 'crashed done' FROM hl_run r JOIN hl_project p ON p.id = project_id WHERE name = 'slow'}, 'the training has crashed, and is done anew', 120);
is(ask($reader, q{SELECT model FROM hl_predict('slow', 'x')}), '1', 'the model answers');
$standby->safe_psql('postgres', q{SELECT hl_label('tickets', 250, 'billing')});
eventually($standby, $learned, 'answers are learned', 20);
$standby->safe_psql('postgres', 'SELECT pg_switch_wal()');
$standby->wait_for_catchup($cascade);
is($cascade->safe_psql('postgres', $same), $standby->safe_psql('postgres', $same), 'and the standby of the standby follows');
is(sqlstate($cascade, q{SELECT hl_label('tickets', 251, 'billing')}), '25006', 'as one');

$cascade->stop;
$standby->stop;
done_testing();
