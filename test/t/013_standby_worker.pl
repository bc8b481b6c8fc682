# A hot standby follows each revision, and goes on with the work when it is
# promoted.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;


# Preloaded or not
for my $preload (0, 1)
{
	my $kind = $preload ? 'preloaded' : 'not preloaded';
	my $primary = new_node("primary$preload", allows_streaming => 1, conf => $preload ? "shared_preload_libraries = 'humanloop'\n" : '');

	fill($primary, 300, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
	model_by_itself($primary, 60);
	$primary->backup('base');
	my $standby = PostgreSQL::Test::Cluster->new("standby$preload");
	$standby->init_from_backup($primary, 'base', has_streaming => 1);
	$standby->start;
	$primary->wait_for_catchup($standby);

	# A session that stays on the standby sees each revision when it has come.
	my $reader = session($standby);
	my $same = q{SELECT label, round(confidence::numeric, 6), round(epistemic::numeric, 6), model, revision FROM hl_predict('tickets', 'where is the parcel')};
	for my $i (101 .. 105)
	{
		$primary->safe_psql('postgres', "SELECT hl_label('tickets', $i, topic) FROM ticket WHERE id = $i");
		$primary->poll_query_until('postgres', $learned) or die 'not learned';
		# the worker's commits are asynchronous: a synchronous one takes them along
		$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');
		$primary->wait_for_catchup($standby);
		is(ask($reader, $same), $primary->safe_psql('postgres', $same), "$kind: revision " . ($i - 100) . ' on the standby');
	}
	is(ask($reader, q{SELECT revision >= 5 FROM hl_predict('tickets', 'x')}), 't', "$kind: there were five");
	for my $query (q{SELECT round(total::numeric, 6) FROM hl_uncertainty('tickets', 'charged twice')},
		q{SELECT count(*) > 0, md5(string_agg(item || model || revision, ',' ORDER BY rank)) FROM hl_queue},
		q{SELECT model, serving, stored, trained_by FROM hl_models('tickets')},
		q{SELECT kind, state, model FROM hl_runs},
		q{SELECT project, state, model, revision, last_error, next_try FROM hl_projects})
	{
		is($standby->safe_psql('postgres', $query), $primary->safe_psql('postgres', $query), "$kind: $query");
	}
	for my $call (q{hl_label('tickets', 110, 'billing')}, q{hl_deploy('tickets', 1)}, q{hl_pause('tickets')}, q{hl_resume('tickets')})
	{
		is(sqlstate($standby, "SELECT $call"), '25006', "$kind: $call is refused on a standby");
	}
	is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'humanloop%'}), '0', "$kind: no worker on a standby");

	# Work that the primary has not done when it goes
	worker_gone($primary);
	$primary->safe_psql('postgres', q{SET humanloop.enabled = off; SELECT hl_label('tickets', 120, 'billing')});
	is($primary->safe_psql('postgres', $learned), 'f', "$kind: a label is pending");
	$primary->wait_for_catchup($standby);
	my $revision = $standby->safe_psql('postgres', 'SELECT revision FROM hl_serving');
	$primary->stop('immediate');
	$standby->promote;
	if (!$preload)
	{
		never($standby, $learned, "$kind: promoted, it waits for a call", 1);
		ask($reader, q{SELECT model FROM hl_predict('tickets', 'x')});
	}
	eventually($standby, $learned, "$kind: promoted, it goes on with the work", 15);
	is($standby->safe_psql('postgres', "SELECT revision > $revision FROM hl_serving"), 't', "$kind: which is learned");
	is(ask($reader, q{SELECT revision FROM hl_predict('tickets', 'x')}), $standby->safe_psql('postgres', 'SELECT revision FROM hl_serving'), "$kind: a session of before has it");
	$standby->stop;
}

done_testing();
