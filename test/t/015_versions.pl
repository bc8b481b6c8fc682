# Versions of the model, and several who train, deploy and label at once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main');

fill($node, 600, 'postgres', '{"train_growth": 100, "train_quiet": 86400, "keep_models": 3}');
model_by_itself($node, 60);

# ----------------------------------------------------------------------
# hl_deploy
# ----------------------------------------------------------------------

my $answer = q{SELECT label, round(confidence::numeric, 4) FROM hl_predict('tickets', 'where is the parcel')};
my $first = $node->safe_psql('postgres', $answer);
$node->safe_psql('postgres', q{SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id BETWEEN 61 AND 200; SELECT hl_train('tickets')});
eventually($node, $learned, 'a second model', 10);
is($node->safe_psql('postgres', q{SELECT model, serving, stored, trained_by, reason, labels FROM hl_models('tickets')}), "1|f|t|worker|first labels|60\n2|t|t|postgres|hl_train|200", 'hl_models lists both');
my $second = $node->safe_psql('postgres', $answer);
isnt($second, $first, 'which differ');
$node->safe_psql('postgres', q{SELECT hl_deploy('tickets', 1)});
is($node->safe_psql('postgres', q{SELECT model FROM hl_predict('tickets', 'x')}), '1', 'hl_deploy goes back');
eventually($node, q{SELECT model = 1 AND revision > 0 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving}, 'and what has been labelled since is learned on top of it', 10);
$node->safe_psql('postgres', q{SELECT hl_deploy('tickets', 2)});
eventually($node, q{SELECT model = 2 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving}, 'and forward again', 10);
my ($label, $confidence) = split /\|/, $node->safe_psql('postgres', $answer);
is($label, (split /\|/, $second)[0], 'with the answer it gave');
# a revision is stored in fewer digits than the model as it was trained
cmp_ok(abs($confidence - (split /\|/, $second)[1]), '<', 0.002, 'and the confidence');
is($node->safe_psql('postgres', q{SELECT string_agg(model || ' ' || deployed_by || ' ' || reason, ', ' ORDER BY id) FROM hl_deployment}), '1 worker first labels, 2 postgres hl_train, 1 postgres hl_deploy, 2 postgres hl_deploy', 'each is in the deployment history');
eventually($node, q{SELECT bool_and(model = 2) FROM hl_ranking WHERE part <> 'targets'}, 'the queue is that model\'s', 10);
is(sqlstate($node, q{SELECT hl_deploy('tickets', 99)}), '42704', 'a model that there is not');
$node->safe_psql('postgres', q{BEGIN; SELECT hl_deploy('tickets', 1); ROLLBACK});
is($node->safe_psql('postgres', q{SELECT model FROM hl_predict('tickets', 'x')}), '2', 'a deployment that is rolled back');

# keep_models: 3, and never the one that serves
$node->safe_psql('postgres', q{SELECT hl_deploy('tickets', 1)});
my $i = 0;
while ($i++ < 5)
{
	# while the first serves, the others are only trained
	$node->safe_psql('postgres', q{SELECT hl_train('tickets'); SELECT hl_deploy('tickets', 1)});
}
is($node->safe_psql('postgres', q{SELECT string_agg(model || CASE WHEN stored THEN '' ELSE ' gone' END, ', ' ORDER BY model) FROM hl_models('tickets')}) =~ s/ gone//gr, '1, 2, 3, 4, 5, 6, 7', 'all versions stay in the list');
is($node->safe_psql('postgres', q{SELECT stored FROM hl_models('tickets') WHERE serving}), 't', 'the one that serves is stored');
is($node->safe_psql('postgres', q{SELECT stored FROM hl_models('tickets') WHERE model = 3}), 'f', 'an old one is not');
cmp_ok($node->safe_psql('postgres', q{SELECT count(DISTINCT model) FROM hl_model_part}), '<=', 4, 'there are bytes of three and the one that serves');
is(sqlstate($node, q{SELECT hl_deploy('tickets', 3)}), '55000', 'one whose bytes are gone is refused');
is($node->safe_psql('postgres', q{SELECT accuracy IS NOT NULL AND log_loss IS NOT NULL FROM hl_models('tickets') WHERE model = 3}), 't', 'its figures are left');
is(sqlstate($node, q{SELECT hl_deploy('tickets', 7)}), '', 'one that is stored can be deployed');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_learning_curve('tickets')}), '7', 'the learning curve has them all');
eventually($node, $learned, 'the worker follows all that', 15);

# ----------------------------------------------------------------------
# A model that is worse is not deployed
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{SELECT hl_label_many('tickets', array_agg(id::text ORDER BY id), array_agg((ARRAY['returns', 'delivery', 'billing'])[1 + id * 7919 / 13 % 3] ORDER BY id)) FROM ticket WHERE id <= 600 AND id > 60 AND id % 2 = 0});
eventually($node, $learned, 'labels at random', 15);
my $serving = $node->safe_psql('postgres', 'SELECT model FROM hl_serving');
$node->safe_psql('postgres', q{UPDATE hl_work SET train_at = now()});
eventually($node, q{SELECT state = 'rejected' FROM hl_run ORDER BY id DESC LIMIT 1}, 'a model of the worker that is worse is rejected', 20);
is($node->safe_psql('postgres', q{SELECT deployed, serving, stored FROM hl_models('tickets') ORDER BY model DESC LIMIT 1}), 'f|f|t', 'hl_models says so');
is($node->safe_psql('postgres', 'SELECT model FROM hl_serving'), $serving, 'the old one serves');
my $rejected = $node->safe_psql('postgres', q{SELECT max(model) FROM hl_model});
is($node->safe_psql('postgres', "SELECT count(*) FROM hl_deployment WHERE model = $rejected"), '0', 'it is not in the deployment history');
my ($status, $stdout, $stderr) = $node->psql('postgres', q{SELECT deployed FROM hl_train('tickets')});
is($stdout, 'f', 'hl_train by hand does not deploy it, either');
like($stderr, qr/NOTICE:  model \d+ of project "tickets" was not deployed/, 'and says why');
$node->safe_psql('postgres', "SELECT hl_deploy('tickets', $rejected)");
is($node->safe_psql('postgres', q{SELECT m.model, m.deployed FROM hl_models('tickets') m WHERE serving}), "$rejected|t", 'who wants it can deploy it');
eventually($node, $learned, 'and goes on from there', 15);
$node->safe_psql('postgres', q{SELECT hl_drop_project('tickets'); DROP TABLE ticket});

# ----------------------------------------------------------------------
# Several at once
# ----------------------------------------------------------------------

fill($node, 600, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($node, 60);
my $project = $node->safe_psql('postgres', 'SELECT id FROM hl_project');

# two sessions call hl_train
my ($one, $two) = (session($node), session($node));
ask($one, 'BEGIN');
ask($one, q{SELECT model FROM hl_train('tickets')});
ask($two, q{SELECT model FROM hl_train('tickets')}, 1);
eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT model FROM hl_train%' AND wait_event_type = 'Lock'}, 'a second hl_train waits for the first', 10);

# meanwhile the worker waits for nobody, and nobody for it
my $began = time;
is(sqlstate($node, q{SELECT hl_label('tickets', 100, topic) FROM ticket WHERE id = 100}), '', 'labels are taken');
is(sqlstate($node, q{INSERT INTO ticket VALUES (5000, 'where is the parcel')}), '', 'and rows');
is($node->safe_psql('postgres', q{SELECT model FROM hl_predict('tickets', 'x')}), '1', 'and the old model answers');
cmp_ok(time - $began, '<', 3, 'at once');
fill_many($node, 1000);
eventually($node, "SELECT count(*) = 1 FROM hl_serving WHERE project_id <> $project AND model = 1", 'another project is trained meanwhile', 20);
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE backend_type = 'humanloop worker' AND NOT granted}), '0', 'the worker waits for no lock');
ask($one, 'COMMIT');
is(ask($two, 'SELECT 1'), "3\n1", 'then the second goes on');
eventually($node, $learned, 'and what was labelled and inserted is taken up', 10);
is($node->safe_psql('postgres', "SELECT s.model, revision > 0, w.failures FROM hl_serving s JOIN hl_work w USING (project_id) WHERE project_id = $project"), '3|t|0', 'on top of the newest');
$node->safe_psql('postgres', q{SELECT hl_drop_project('many'); DROP TABLE many});

# an annotator in a transaction, out to lunch
ask($one, 'BEGIN');
my $leased = ask($one, q{SELECT item FROM hl_next('tickets', 1)});
ask($two, 'BEGIN');
ask($two, q{SELECT hl_label('tickets', 101, topic) FROM ticket WHERE id = 101});
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 102, topic) FROM ticket WHERE id = 102});
eventually($node, $learned, 'whoever sits in a transaction with a leased item or a label holds up nobody', 5);
$node->safe_psql('postgres', q{UPDATE hl_work SET train_at = now()});
eventually($node, "SELECT model = 4 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving WHERE project_id = $project", 'a training neither', 15);
is($node->safe_psql('postgres', "SELECT count(*) FROM hl_next('tickets', 100, 'another') WHERE item = '$leased'"), '0', 'and his item is his');
my $revision = $node->safe_psql('postgres', 'SELECT revision FROM hl_serving');
ask($two, 'COMMIT');
eventually($node, "SELECT revision > $revision FROM hl_serving", 'when he commits, his label is learned', 5);
ask($one, 'COMMIT');

# hl_train while the worker trains: the worker's is superseded
fill_many($node, 12000);
eventually($node, $fitting, 'the worker trains', 60);
# whoever is at the project has it for himself until he commits
ask($one, 'BEGIN');
ask($one, q{SELECT hl_refresh('many')});
is(ask($one, q{SELECT model FROM hl_train('many')}), '1', 'hl_train does not wait for it');
ask($one, 'COMMIT');
eventually($node, q{SELECT state = 'superseded' AND model IS NULL FROM hl_run ORDER BY id DESC LIMIT 1}, 'the worker\'s is superseded', 60);
eventually($node, $learned, 'and it goes on from the other', 20);
is($node->safe_psql('postgres', q{SELECT count(*), max(trained_by) FROM hl_models('many')}), '1|postgres', 'there is one model');

# labels that arrive during a fit
$node->safe_psql('postgres', q{SELECT hl_drop_project('many'); DROP TABLE many});
fill_many($node, 8000);
eventually($node, $fitting, 'the worker trains', 60);
$node->safe_psql('postgres', q{SELECT hl_label_many('many', array_agg(id::text), array_agg('class ' || id % 40)) FROM many WHERE id > 7980});
eventually($node, q{SELECT count(*) = 1 FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'many' AND model = 1}, 'the model', 90);
my $trained_on = $node->safe_psql('postgres', q{SELECT labels FROM hl_models('many')});
is($trained_on, '7500', 'which has not seen labels that came during its fit');
eventually($node, q{SELECT revision > 0 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'many'}, 'they are in its first revision', 5);
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_ranking r JOIN hl_project p ON p.id = project_id, unnest(items) item WHERE name = 'many' AND part = 'head' AND item::int > 7980}), '0', 'and are not asked again');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/deadlock|PANIC|WARNING:  humanloop/, 'no deadlock, no failure');

$node->stop;
done_testing();
