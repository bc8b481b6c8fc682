# A hot standby answers, refuses to be written to, and takes over.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

# What the worker does meanwhile is 012's matter.
my $primary = new_node('primary', allows_streaming => 1, conf => "humanloop.enabled = off\n");

fill($primary, 300);
train($primary, 90);
$primary->safe_psql('postgres', q{SELECT hl_label_many('tickets', '{1,2,3}', '{returns,delivery,delivery}', 'ann'), hl_gold('tickets', 4, 'delivery')});
$primary->safe_psql('postgres', q{SELECT hl_add_rule('tickets', 'parcel', $$body ~ 'parcel'$$, 'delivery'); SELECT hl_refresh('tickets')});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

my %questions = (
	'hl_predict of a text' => q{SELECT label, round(confidence::numeric, 5), round(epistemic::numeric, 5), model, revision FROM hl_predict('tickets', 'where is the parcel')},
	'hl_predict of all rows' => q{SELECT count(*), round(sum(confidence)::numeric, 3), min(model) FROM hl_predict('tickets')},
	'hl_probabilities' => q{SELECT string_agg(label || round(probability::numeric, 5), ' ') FROM hl_probabilities('tickets', 'charged twice')},
	'hl_uncertainty' => q{SELECT round(total::numeric, 5) FROM hl_uncertainty('tickets', 'charged twice')},
	'hl_embed' => q{SELECT md5(hl_embed('tickets', 'charged twice')::text)},
	'hl_queue' => q{SELECT count(*), md5(string_agg(item, ',' ORDER BY rank)) FROM hl_queue},
	'hl_queue_tickets' => q{SELECT count(*), md5(string_agg(body, ',' ORDER BY rank)) FROM hl_queue_tickets},
	'hl_metrics' => q{SELECT count(*), md5(string_agg(metric || value, ',' ORDER BY metric, class)) FROM hl_metrics('tickets')},
	'hl_annotators' => q{SELECT * FROM hl_annotators('tickets')},
	'hl_annotator_confusion' => q{SELECT * FROM hl_annotator_confusion('tickets')},
	'hl_golds' => q{SELECT * FROM hl_golds('tickets')},
	'hl_drift' => q{SELECT count(*), sum(n) FROM hl_drift('tickets')},
	'hl_rules' => q{SELECT rule, state, coverage > 0, round(learned_accuracy::numeric, 5) FROM hl_rules('tickets')},
	'hl_rule_votes' => q{SELECT count(*) > 10, count(DISTINCT label) FROM generate_series(1, 300) i, hl_rule_votes('tickets', i::text)},
	'hl_explain' => q{SELECT count(*), count(*) FILTER (WHERE e.kind = 'rule') FROM (SELECT body FROM ticket WHERE body ~ 'parcel' ORDER BY id LIMIT 1) t, hl_explain('tickets', t.body) e},
	'hl_explain_question' => q{SELECT count(*), max(e.feature) FROM (SELECT item FROM hl_queue_entries('tickets') ORDER BY rank LIMIT 1) q, hl_explain_question('tickets', q.item) e},
	'hl_handover' => q{SELECT audited, more, model FROM hl_handover('tickets')},
	'hl_prediction_set' => q{SELECT string_agg(label, ' ') FROM hl_prediction_set('tickets', 'charged twice')},
	'hl_agreement' => q{SELECT count(*) FROM hl_agreement('tickets')},
	'hl_disputes' => q{SELECT count(*) FROM hl_disputes('tickets')},
	'hl_suspects' => q{SELECT count(*) FROM hl_suspects('tickets')},
	'hl_confusion' => q{SELECT sum(n) FROM hl_confusion('tickets')},
	'hl_learning_curve' => q{SELECT count(*) FROM hl_learning_curve('tickets')},
	'hl_projects' => q{SELECT * FROM hl_projects},
	'hl_labels' => q{SELECT count(*), max(id) FROM hl_labels},
	'hl_label_history' => q{SELECT count(*), max(id) FROM hl_label_history},
	'hl_privileges' => q{SELECT count(*) FROM hl_privileges('tickets')});
for my $name (sort keys %questions)
{
	is($standby->safe_psql('postgres', $questions{$name}), $primary->safe_psql('postgres', $questions{$name}), "$name answers as on the primary");
}

for my $call (q{hl_label('tickets', 100, 'x')}, q{hl_label_many('tickets', '{100}', '{x}')}, q{hl_skip('tickets', 100)}, q{hl_undo('tickets', 1)},
	q{hl_next('tickets')}, q{hl_train('tickets')}, q{hl_refresh('tickets')}, q{hl_create_project('p', 'ticket', 'body')}, q{hl_drop_project('tickets')},
	q{hl_add_rule('tickets', 'a', 'true', 'x')}, q{hl_disable_rule('tickets', 'parcel')}, q{hl_drop_rule('tickets', 'parcel')}, q{hl_set_option('tickets', 'drift', 'false')}, q{hl_ask('tickets', 100)},
	q{hl_gold('tickets', 100, 'x')}, q{hl_drop_gold('tickets', 4)}, q{hl_grant('tickets', 'postgres', 'predict')}, q{hl_revoke('tickets', 'postgres', 'predict')})
{
	is(sqlstate($standby, "SELECT $call"), '25006', "$call is refused on a standby");
	is(sqlstate($primary, "BEGIN READ ONLY; SELECT $call"), '25006', 'as in a read-only transaction');
}
is(sqlstate($standby, q{INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '100', 'x')}), '25006', 'so is INSERT INTO hl_labels');

# A new model is there without reconnecting.
my ($in, $out, $err) = ('', '', '');
my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $standby->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
$in = "SELECT 'model ' || model FROM hl_predict('tickets', 'x');\n";
IPC::Run::pump($psql) until $out =~ /model 1\n/;
train($primary, 150);
$primary->wait_for_catchup($standby);
$out = '';
$in .= "SELECT 'model ' || model FROM hl_predict('tickets', 'x');\n\\q\n";
$psql->finish;
is($out, "model 2\n", 'a session on the standby is answered by the new model');

# Promoted, it is a primary like any other.
$primary->stop;
$standby->promote;
is($standby->safe_psql('postgres', q{SELECT hl_label('tickets', 200, 'billing') > 0}), 't', 'after promotion it takes labels');
is($standby->safe_psql('postgres', q{SELECT model FROM hl_train('tickets')}), '3', 'and trains');
$standby->stop;
done_testing();
