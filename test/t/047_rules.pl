# Rules and the worker: it runs them, trains from them before anybody has labelled,
# follows rows that change, and goes on whatever a rule does.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "humanloop.worker_idle_timeout = '60s'\nhumanloop.rule_timeout = '200ms'\nlog_min_messages = warning\n");

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

fill($node, 300, 'postgres', '{"train_quiet": 86400, "train_growth": 100}');

# ----------------------------------------------------------------------
# The first model, before anybody has labelled
# ----------------------------------------------------------------------

sql(q{SELECT hl_add_rule('tickets', 'charged', $$body ~ 'charged|invoice|debited|bill'$$, 'billing')});
eventually($node, q{SELECT state = 'enabled' FROM hl_rules('tickets')}, 'the worker runs a rule');
is(sql(q{SELECT count(*) FROM hl_model}), '0', 'rules of one class are not enough');
sql(q{SELECT hl_add_rule('tickets', 'parcel', $$body ~ 'parcel|courier|shipment|tracking'$$, 'delivery');
	SELECT hl_add_rule('tickets', 'back', $$CASE WHEN body ~ 'send back|take back|return' THEN 'returns' END$$)});
eventually($node, q{SELECT count(*) = 1 FROM hl_serving JOIN hl_model m USING (project_id, model) WHERE cardinality(m.rules) = 3}, 'and trains from them');
is(sql(q{SELECT reason, labels, accuracy IS NULL, log_loss IS NULL FROM hl_model ORDER BY model DESC LIMIT 1}), 'rules changed|0|t|t', 'no figure is of what rules say');
cmp_ok(sql(q{SELECT avg((p.label = t.topic)::int) FROM ticket t, hl_predict('tickets', t.body) p}), '>', 0.85, 'what they teach is right');
eventually($node, q{SELECT count(*) > 0 FROM hl_queue WHERE reason <> 'seed'}, 'and there are questions');
my $models = sql(q{SELECT count(*) FROM hl_model});

# ----------------------------------------------------------------------
# Rows that come, change and go
# ----------------------------------------------------------------------

sql(q{INSERT INTO ticket (id, body, topic) VALUES (1001, 'the invoice is wrong', 'billing'), (1002, 'good morning', 'billing')});
eventually($node, q{SELECT count(*) = 1 FROM hl_rule_votes('tickets', '1001')}, 'a row that comes');
sql(q{UPDATE ticket SET body = 'where is the parcel' WHERE id IN (1001, 1002)});
eventually($node, q{SELECT count(*) = 2 FROM unnest('{1001,1002}'::text[]) i, hl_rule_votes('tickets', i) v WHERE label = 'delivery'}, 'that changes');
sql(q{DELETE FROM ticket WHERE id = 1001});
eventually($node, q{SELECT count(*) = 0 FROM hl_rule_votes('tickets', '1001')}, 'that goes');
is(sql(q{SELECT count(*) FROM hl_model}), $models, 'which is no reason to train');

# ----------------------------------------------------------------------
# Rules that fail
# ----------------------------------------------------------------------

sql(q{CREATE FUNCTION loop_on() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN LOOP BEGIN PERFORM pg_sleep(10); EXCEPTION WHEN query_canceled THEN RETURN true; END; END LOOP; END $$;
	CREATE FUNCTION cancelled() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'query_canceled'; END $$;
	SELECT hl_add_rule('tickets', 'slow', 'public.loop_on()', 'billing'), hl_add_rule('tickets', 'cancelled', 'id = 1002 AND public.cancelled()', 'billing'),
	hl_add_rule('tickets', 'divided', '10 / (id - 50) > 0', 'billing')});
eventually($node, q{SELECT count(*) = 0 FROM hl_rules('tickets') WHERE state = 'pending'}, 'all are run');
is(sql(q{SELECT rule, state, skipped, error FROM hl_rules('tickets') WHERE rule IN ('slow', 'cancelled', 'divided')}),
	"cancelled|enabled|1|an error (SQLSTATE 57014) in the row of item \"1002\"\ndivided|enabled|1|division by zero (SQLSTATE 22012) in the row of item \"50\"\nslow|stopped|0|it takes longer than humanloop.rule_timeout (SQLSTATE 53400)",
	'and say what has failed');
eventually($node, q{SELECT state = 'ready' AND last_error IS NULL FROM hl_projects}, 'the project has not');
sql(q{SELECT hl_drop_rule('tickets', rule) FROM hl_rules('tickets') WHERE rule IN ('slow', 'cancelled', 'divided')});

sub restart_with
{
	sql(q{SELECT hl_pause('tickets')});
	eventually($node, q{SELECT count(*) = 0 FROM hl_run WHERE state = 'running'}, 'nothing runs');
	$node->append_conf('postgresql.conf', $_[0]);
	$node->restart;
	sql(q{SELECT hl_resume('tickets')});
}

# each within its time, but there are many: the worker has other projects, too
restart_with("humanloop.rule_timeout = '2s'\nhumanloop.worker_source_timeout = '2s'\n");
sql(q{SELECT hl_add_rule('tickets', 'lazy ' || n, format('id IN (100, 290) AND (SELECT pg_sleep(0.5)) IS NULL AND %s > 0', n), 'billing') FROM generate_series(1, 8) n});
eventually($node, q{SELECT count(*) = 0 FROM hl_rules('tickets') WHERE state = 'pending'}, 'many slow rules end');
is(sql(q{SELECT count(*) FROM hl_rules('tickets') WHERE rule LIKE 'lazy %' AND state = 'stopped' AND error LIKE 'all rules together take longer%'}) > 3, 1, 'as some are stopped');
is(sql(q{SELECT count(*) FROM hl_rules('tickets') WHERE rule NOT LIKE 'lazy %' AND state <> 'enabled'}), '0', 'and the others are not');
sql(q{SELECT hl_drop_rule('tickets', rule) FROM hl_rules('tickets') WHERE rule LIKE 'lazy %'});
restart_with("humanloop.rule_timeout = '200ms'\nhumanloop.worker_source_timeout = '5min'\n");

# ----------------------------------------------------------------------
# People
# ----------------------------------------------------------------------

eventually($node, q{SELECT count(*) = 0 FROM hl_run WHERE state = 'running'}, 'what is due is done');
sql(q{SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60});
sql(q{SELECT hl_pause('tickets'); SELECT hl_train('tickets')});
is(sql(q{SELECT labels, accuracy > 0.6, log_loss > 0, (SELECT sum(c) FROM unnest(confusion) c) FROM hl_model ORDER BY model DESC LIMIT 1}), '60|t|t|60', 'figures are of what people have said');
is(sql(q{SELECT cardinality(items) FROM hl_model_label ORDER BY model DESC LIMIT 1}), '60', 'and so are the labels of the model');
sql(q{SELECT hl_resume('tickets')});

# ----------------------------------------------------------------------
# A dump
# ----------------------------------------------------------------------

my $before = sql(q{SELECT rule, version, condition, label, added_by, added_at FROM hl_rules('tickets', true)});
my $votes = sql(q{SELECT rule, label, count(*), sum(i) FROM generate_series(1, 300) i, hl_rule_votes('tickets', i::text) GROUP BY 1, 2 ORDER BY 1, 2});
my $dir = PostgreSQL::Test::Utils::tempdir();
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', "$dir/dump.sql" ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE target');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('target'), '-f', "$dir/dump.sql" ], 'restore');
is($node->safe_psql('target', q{SELECT rule, version, condition, label, added_by, added_at FROM hl_rules('tickets', true)}), $before, 'rules are there, with their history');
$node->safe_psql('target', q{SELECT hl_refresh('tickets')});
is($node->safe_psql('target', q{SELECT rule, label, count(*), sum(i) FROM generate_series(1, 300) i, hl_rule_votes('tickets', i::text) GROUP BY 1, 2 ORDER BY 1, 2}), $votes, 'and say what they said');

$node->stop;
done_testing();
