# What fails is recorded, put off and tried again, and is in nobody else's way.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main');

fill($node, 600, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($node, 60);
$node->safe_psql('postgres', q{
	CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full of %', TG_TABLE_NAME USING ERRCODE = 'disk_full'; END $$;
	CREATE TABLE other (id int PRIMARY KEY, body text, topic text);
	INSERT INTO other SELECT * FROM ticket;
	SELECT hl_create_project('others', 'other', 'body', options => '{"train_growth": 100, "train_quiet": 86400}');
	SELECT hl_label_many('others', array_agg(id::text), array_agg(topic)) FROM other WHERE id <= 60;});
$node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM hl_serving WHERE model = 1});
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM hl_change});

my $offset = -s $node->logfile;

# Warnings of the worker in the log since the last call.
sub warned
{
	my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset);
	my @lines = $log =~ /WARNING:  (humanloop worker: .*)/g;

	$offset = -s $node->logfile;
	return join "\n", @lines;
}

sub figures
{
	my ($project) = @_;
	return $node->safe_psql('postgres', qq{SELECT model, revision FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = '$project'});
}

my $work = q{FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'tickets'};

# ----------------------------------------------------------------------
# A fast update that cannot be stored
# ----------------------------------------------------------------------

my $label = 300;
for my $table ('hl_revision', 'hl_ranking')
{
	my $before = figures('tickets');
	my $answer = $node->safe_psql('postgres', q{SELECT * FROM hl_predict('tickets', 'where is the parcel')});
	my $ranking = $node->safe_psql('postgres', q{SELECT md5(string_agg(r::text, ' ' ORDER BY project_id, part)) FROM hl_ranking r WHERE project_id = 1});
	warned();
	$node->safe_psql('postgres', "CREATE TRIGGER broken BEFORE INSERT OR UPDATE ON $table FOR EACH ROW WHEN (NEW.project_id = 1) EXECUTE FUNCTION broken()");
	$label++;
	is(sqlstate($node, "SELECT hl_label('tickets', $label, topic) FROM ticket WHERE id = $label"), '', "$table broken: a label succeeds");
	eventually($node, qq{SELECT failures = 1 AND failed = 'update' AND last_error = 'the disk is full of $table' AND retry_at BETWEEN now() AND now() + '6 s' $work}, 'the failure is recorded', 10);
	is($node->safe_psql('postgres', q{SELECT state, last_error, next_try > now() FROM hl_projects WHERE project = 'tickets'}), "failing|the disk is full of $table|t", 'hl_projects says so');
	is($node->safe_psql('postgres', q{SELECT kind, state, sqlstate, error, finished_at IS NOT NULL FROM hl_runs ORDER BY id DESC LIMIT 1}), "update|failed|53100|the disk is full of $table|t", 'so does hl_runs');
	is(figures('tickets'), $before, 'the model is as it was');
	is($node->safe_psql('postgres', q{SELECT * FROM hl_predict('tickets', 'where is the parcel')}), $answer, 'and answers');
	is($node->safe_psql('postgres', q{SELECT md5(string_agg(r::text, ' ' ORDER BY project_id, part)) FROM hl_ranking r WHERE project_id = 1}), $ranking, 'the queue is as it was');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_revision r JOIN hl_serving s USING (project_id) WHERE r.revision > s.revision}), '0', 'nothing is left behind');
	cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM hl_next('tickets', 3)}), '==', 3, 'questions are handed out');

	# the other project goes on
	my $others = figures('others');
	my $began = time;
	$node->safe_psql('postgres', "SELECT hl_label('others', $label, topic) FROM other WHERE id = $label");
	eventually($node, qq{SELECT model || '|' || revision <> '$others' FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'others'}, 'another project does not wait', 4);

	# it is tried again by itself, later and later, and said once
	eventually($node, qq{SELECT failures = 2 AND retry_at > now() + '7 s' $work}, 'it is tried again, and put off twice as long', 10);
	like(warned(), qr/^humanloop worker: project "tickets": the disk is full of $table$/, 'the log has it once');
	$node->safe_psql('postgres', q{UPDATE hl_work SET failures = 30 WHERE project_id = 1; SELECT hl_resume('tickets')});
	eventually($node, qq{SELECT failures = 31 AND retry_at BETWEEN now() + '59 min' AND now() + '61 min' $work}, 'at most an hour', 10);
	is(warned(), '', 'and nothing more');

	$node->safe_psql('postgres', "DROP TRIGGER broken ON $table");
	never($node, qq{SELECT failures <> 31 $work}, 'not before', 1.5);
	$node->safe_psql('postgres', q{SELECT hl_resume('tickets')});
	eventually($node, qq{SELECT failures = 0 AND last_error IS NULL AND NOT EXISTS (SELECT FROM hl_change) $work}, 'hl_resume tries at once', 5);
	isnt(figures('tickets'), $before, 'and it is learned');
	is($node->safe_psql('postgres', q{SELECT state, last_error, model FROM hl_projects WHERE project = 'tickets'}), 'ready||1', 'all is well, without a training');
}

# ----------------------------------------------------------------------
# A training that cannot be stored
# ----------------------------------------------------------------------

for my $table ('hl_model', 'hl_model_part', 'hl_deployment')
{
	my $before = figures('tickets');
	my $models = $node->safe_psql('postgres', 'SELECT count(*), (SELECT count(*) FROM hl_model_part), (SELECT count(*) FROM hl_model_label), (SELECT count(*) FROM hl_deployment) FROM hl_model');
	warned();
	$node->safe_psql('postgres', "ALTER TABLE $table ADD CONSTRAINT broken CHECK (project_id <> 1) NOT VALID");
	# as if a training were due
	$node->safe_psql('postgres', q{UPDATE hl_work SET train_at = now() WHERE project_id = 1; SELECT hl_resume('tickets')});
	eventually($node, qq{SELECT failures = 1 AND failed = 'train' AND last_error ~ 'broken' AND train_at BETWEEN now() AND now() + '6 s' $work}, "$table broken: the failure is recorded", 15);
	is($node->safe_psql('postgres', q{SELECT kind, state, sqlstate, model FROM hl_runs ORDER BY id DESC LIMIT 1}), 'train|failed|23514|', 'hl_runs says so');
	is(figures('tickets'), $before, 'the model serves that did');
	is($node->safe_psql('postgres', 'SELECT count(*), (SELECT count(*) FROM hl_model_part), (SELECT count(*) FROM hl_model_label), (SELECT count(*) FROM hl_deployment) FROM hl_model'), $models, 'nothing is left behind');

	# labels are learned all the same, and do not bring the training forward
	my $until = $node->safe_psql('postgres', "SELECT failures, train_at $work");
	$label++;
	$node->safe_psql('postgres', "SELECT hl_label('tickets', $label, topic) FROM ticket WHERE id = $label");
	eventually($node, qq{SELECT model || '|' || revision <> '$before' FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'tickets'}, 'labels are learned all the same', 4);
	is($node->safe_psql('postgres', "SELECT failures, train_at $work"), $until, 'and the training is put off as before');
	is($node->safe_psql('postgres', q{SELECT state, last_error IS NOT NULL FROM hl_projects WHERE project = 'tickets'}), 'failing|t', 'hl_projects still says so');
	eventually($node, qq{SELECT failures = 2 AND train_at > now() + '7 s' $work}, 'it is tried again, and put off twice as long', 12);
	my @lines = split /\n/, warned();
	is(scalar @lines, 1, 'the log has it once');
	$node->safe_psql('postgres', "ALTER TABLE $table DROP CONSTRAINT broken");
	my $others = figures('others');
	$node->safe_psql('postgres', q{SELECT hl_resume('tickets')});
	eventually($node, qq{SELECT failures = 0 AND last_error IS NULL $work}, 'hl_resume tries at once', 15);
	my ($old) = split /\|/, $before;
	is($node->safe_psql('postgres', q{SELECT state, model FROM hl_runs ORDER BY id DESC LIMIT 1}) =~ s/\|.*//r, 'done', 'and it is done');
	cmp_ok((split /\|/, figures('tickets'))[0], '>', $old, 'with a new model');
}

# Somebody trains by hand what failed: it has not failed any more, and the
# worker trains again when it is time.
$node->safe_psql('postgres', q{ALTER TABLE hl_model ADD CONSTRAINT broken CHECK (project_id <> 1) NOT VALID; UPDATE hl_work SET train_at = now() WHERE project_id = 1; SELECT hl_resume('tickets')});
eventually($node, qq{SELECT failures = 1 AND failed = 'train' $work}, 'a failed training', 15);
$node->safe_psql('postgres', q{ALTER TABLE hl_model DROP CONSTRAINT broken; SELECT hl_train('tickets')});
my ($by_hand) = split /\|/, figures('tickets');
eventually($node, qq{SELECT failures = 0 $work}, 'hl_train by hand makes it good', 5);
$node->safe_psql('postgres', q{UPDATE hl_project SET options = '{"train_growth": 1.01, "train_quiet": 86400}' WHERE name = 'tickets'; SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id BETWEEN 400 AND 440});
eventually($node, qq{SELECT model > $by_hand FROM hl_serving WHERE project_id = 1}, 'and the worker trains again when labels have grown', 15);

# ----------------------------------------------------------------------
# A source that fails whenever it is read
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE TABLE bad (id int PRIMARY KEY, body text, topic text);
	INSERT INTO bad SELECT * FROM ticket;
	CREATE VIEW worse AS SELECT id, body, topic FROM bad;
	SELECT hl_create_project('worse', 'worse', 'body', key => 'id');
	SELECT hl_pause('worse');
	SELECT hl_label_many('worse', array_agg(id::text), array_agg(topic)) FROM bad WHERE id <= 30;
	CREATE FUNCTION fail(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no text today'; END $$;
	CREATE OR REPLACE VIEW worse AS SELECT id, CASE WHEN id > 50 THEN fail(body) ELSE body END AS body, topic FROM bad;
	SELECT hl_resume('worse');});
eventually($node, q{SELECT failures >= 1 AND last_error = 'could not read the source of project "worse"' FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'worse'}, 'a source that cannot be read is a failure', 15);
like(PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset), qr/WARNING:  humanloop worker: project "worse": could not read the source of project "worse"\n.*DETAIL:  no text today/, 'the log says why');
is(sqlstate($node, q{SELECT hl_refresh('worse')}), 'P0001', 'and so does hl_refresh');
for my $i (1 .. 5)
{
	my $before = figures('others');
	$label++;
	$node->safe_psql('postgres', "SELECT hl_label('others', $label, topic) FROM other WHERE id = $label");
	eventually($node, qq{SELECT model || '|' || revision <> '$before' FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'others'}, "in nobody else's way ($i)", 4);
}
cmp_ok($node->safe_psql('postgres', q{SELECT failures FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'worse'}), '<', 4, 'and is put off');
$node->safe_psql('postgres', q{SELECT hl_drop_project('worse')});

# ----------------------------------------------------------------------
# No place for a worker
# ----------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', 'CREATE EXTENSION humanloop');
fill($node, 300, 'second');
model_by_itself($node, 30, 'second');
# one place is for the launcher of logical replication, one is left
$node->append_conf('postgresql.conf', "max_worker_processes = 2\n");
$node->restart;
$node->safe_psql('postgres', q{SELECT hl_label('others', 500, 'billing')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change) AND EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'humanloop worker')}, 'the only place is taken', 10);
is(sqlstate($node, q{SELECT hl_label('tickets', 100, 'billing')}, 'second'), '', 'without a place for a worker, a label succeeds');
never($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'and waits', 1.5, 'second');
worker_gone($node);
$node->safe_psql('second', q{SELECT model FROM hl_predict('tickets', 'x')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'the next call finds the place free', 10, 'second');

# with the launcher, without a call
$node->append_conf('postgresql.conf', "max_worker_processes = 3\nshared_preload_libraries = 'humanloop'\nhumanloop.worker_idle_timeout = '1s'\n");
$node->restart;
# when it has been through all databases, which share the one place
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop launcher' AND state = 'idle'});
worker_gone($node, $_) for ('postgres', 'second');
$node->append_conf('postgresql.conf', "humanloop.worker_idle_timeout = '1h'\n");
$node->reload;
$node->safe_psql('postgres', q{SELECT hl_label('others', 501, 'billing')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change) AND EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'humanloop worker')}, 'the only place is taken', 10);
$node->safe_psql('second', q{SELECT hl_label('tickets', 101, 'billing')});
never($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'a label waits', 1.5, 'second');
worker_gone($node);
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'with the launcher, nobody has to call', 10, 'second');

$node->stop;
done_testing();
