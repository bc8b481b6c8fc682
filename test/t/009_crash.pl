# Whatever dies, nothing is lost: what is to be learned is in tables.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main', conf => "restart_after_crash = on\n");

# kill -9 of the postmaster; its worker sees that, and goes.
sub killed_postmaster
{
	my $pid = worker($node);
	my $until = time + 10;

	$node->kill9;
	select(undef, undef, undef, 0.1) while alive($pid) && time < $until;
	ok(!alive($pid), 'the worker of a killed postmaster goes');
	# where nobody has taken note of its end, the postmaster still has its number
	unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	return;
}

# Does a process run?  One that has ended, but is still listed, does not.
sub alive
{
	my ($pid) = @_;

	return 0 unless kill 0, $pid;
	return 1 unless -d '/proc/self';
	open(my $stat, '<', "/proc/$pid/stat") or return 0;
	return <$stat> !~ /\) [ZX] /;
}

# One more label.
my $next = 300;
sub label_one
{
	$next++;
	$node->safe_psql('postgres', "SELECT hl_label('tickets', $next, topic) FROM ticket WHERE id = $next");
	return;
}

# Everything that was labelled is in the model or on top of it.
sub all_learned
{
	my ($what, $seconds) = @_;
	return eventually($node, $learned, $what, $seconds // 20);
}

fill($node, 600, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($node, 60);
my $before = $node->safe_psql('postgres', q{SELECT label, round(confidence::numeric, 5), model FROM hl_predict('tickets', 'where is the parcel')});

# ----------------------------------------------------------------------
# The worker alone
# ----------------------------------------------------------------------

worker_gone($node);
is(worker($node), '', 'pg_terminate_backend ends it');
label_one();
all_learned('the next label brings another', 10);
is($node->safe_psql('postgres', q{SELECT revision > 0 FROM hl_serving}), 't', 'which has learned it');

# ten times, so that each time another place in shared memory may be taken
for my $i (1 .. 10)
{
	worker_gone($node);
	label_one();
	$node->poll_query_until('postgres', $learned) or die "not learned after the worker was ended $i times";
}
pass('ten times');

$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'humanloop worker'});
label_one();
all_learned('pg_cancel_backend while it is idle loses nothing', 10);

# In the middle of a training
fill_many($node, 12000);
eventually($node, $fitting, 'a long training', 60);
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'humanloop worker'});
is(worker($node), '', 'pg_terminate_backend ends it in the middle of a training');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_model m JOIN hl_project p ON p.id = project_id WHERE name = 'many'}), '0', 'without a model');
label_one();
eventually($node, $fitting, 'the next commit resumes it', 20);
is($node->safe_psql('postgres', q{SELECT string_agg(state, ' ' ORDER BY hl_run.id) FROM hl_run JOIN hl_project p ON p.id = project_id WHERE name = 'many'}), 'crashed running', 'what was interrupted is marked');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'humanloop worker'});
eventually($node, q{SELECT count(*) = 1 FROM hl_run WHERE state = 'failed' AND sqlstate = '57014' AND error ~ 'cancel'}, 'pg_cancel_backend stops the training', 10);
is($node->safe_psql('postgres', q{SELECT state, last_error ~ 'cancel', next_try > now() FROM hl_projects WHERE project = 'many'}), 'failing|t|t', 'hl_projects says why, and when it is tried again');
like(worker($node), qr/^\d+$/, 'the worker stays');
label_one();
all_learned('and learns what others label', 10);
$node->safe_psql('postgres', q{SELECT hl_resume('many')});
eventually($node, $fitting, 'hl_resume tries at once', 10);

# ----------------------------------------------------------------------
# kill -9: the server restarts itself
# ----------------------------------------------------------------------

is($node->safe_psql('postgres', q{SELECT label, round(confidence::numeric, 5), model FROM hl_predict('tickets', 'where is the parcel')}) =~ s/\|.*\|/|/r, $before =~ s/\|.*\|/|/r, 'the old model serves meanwhile');
label_one();
crash($node, worker($node));
never($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}, 'without preload nobody is there after the crash', 1);
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_run WHERE state = 'running'}), '1', 'the run looks as if it ran');
$node->safe_psql('postgres', q{SELECT hl_predict('tickets', 'x')});
eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}, 'any hl_ function brings it back', 10);
eventually($node, q{SELECT state = 'crashed' FROM hl_run WHERE step = 'fitting' OR state = 'crashed' ORDER BY id DESC LIMIT 1}, 'the run is marked as crashed', 10);
all_learned('the label of before is learned', 30);
$node->safe_psql('postgres', q{SELECT hl_resume('many')});
eventually($node, q{SELECT count(*) = 1 FROM hl_serving WHERE model IS NOT NULL AND project_id = (SELECT id FROM hl_project WHERE name = 'many')}, 'and the training done', 60);
is($node->safe_psql('postgres', q{SELECT state, last_error IS NULL FROM hl_projects WHERE project = 'many'}), 'ready|t', 'all is well again');

# In the middle of the write: a trigger holds it there.
$node->safe_psql('postgres', q{
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
	CREATE TRIGGER hold BEFORE INSERT ON hl_revision FOR EACH ROW EXECUTE FUNCTION hold();});
my $revision = $node->safe_psql('postgres', q{SELECT model, revision FROM hl_serving WHERE project_id = (SELECT id FROM hl_project WHERE name = 'tickets')});
label_one();
eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND wait_event = 'PgSleep'}, 'a worker in the middle of a write', 10);
is($node->safe_psql('postgres', q{SELECT model, revision FROM hl_predict('tickets', 'x')}), $revision, 'nobody waits for it, and the revision before answers');
crash($node, worker($node));
is($node->safe_psql('postgres', q{SELECT model, revision FROM hl_serving WHERE project_id = (SELECT id FROM hl_project WHERE name = 'tickets')}), $revision, 'after kill -9 it is as before the write');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_change}), '1', 'and the label is still to be learned');
$node->safe_psql('postgres', q{DROP TRIGGER hold ON hl_revision});
$node->safe_psql('postgres', q{SELECT model FROM hl_predict('tickets', 'x')});
all_learned('which it is at the next call', 10);
isnt($node->safe_psql('postgres', q{SELECT model, revision FROM hl_predict('tickets', 'x')}), $revision, 'as a revision');

# ----------------------------------------------------------------------
# The whole server
# ----------------------------------------------------------------------

for my $how ('immediate', 'kill9')
{
	$node->safe_psql('postgres', q{CREATE TRIGGER hold BEFORE INSERT ON hl_revision FOR EACH ROW EXECUTE FUNCTION hold();});
	label_one();
	eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND wait_event = 'PgSleep'}, "$how: a worker in the middle of a write", 10);
	$how eq 'immediate' ? $node->stop('immediate') : killed_postmaster();
	$node->start;
	$node->safe_psql('postgres', q{DROP TRIGGER hold ON hl_revision});
	is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_change}), '1', "$how: the label is there");
	label_one();
	all_learned("$how: and learned, with the next", 10);
}

# A worker in the middle of a computation must not keep a new server from
# starting, either.
$node->safe_psql('postgres', q{SELECT hl_drop_project('many'); DROP TABLE many});
fill_many($node, 15000);
eventually($node, $fitting, 'a long training', 60);
killed_postmaster();
$node->start;
label_one();
all_learned('after the postmaster was killed in the middle of a training, labels are learned', 10);
eventually($node, $fitting, 'and the training is begun anew', 20);

# Preloaded, it needs nobody's call.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'humanloop'\n");
$node->restart;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'humanloop launcher'}), '1', 'preloaded, there is a launcher');
$node->safe_psql('postgres', q{CREATE TRIGGER hold BEFORE INSERT ON hl_revision FOR EACH ROW EXECUTE FUNCTION hold();});
label_one();
eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND wait_event = 'PgSleep'}, 'a worker in the middle of a write', 10);
$node->stop('immediate');
$node->start;
eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker'}, 'the launcher resumes at once', 10);
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'humanloop worker'; DROP TRIGGER hold ON hl_revision;});
crash($node, $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'}));
all_learned('also after a crash, without any call', 20);

$node->stop;
done_testing();
