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

# ----------------------------------------------------------------------
# hl_deploy between models with encoders of their own
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{SELECT hl_drop_project('tickets'); DROP TABLE ticket});
$node->safe_psql('postgres', 'CREATE DATABASE byhand');
$node->safe_psql('byhand', q{CREATE EXTENSION humanloop; ALTER DATABASE byhand SET humanloop.enabled = off});
my $tickets = q{(SELECT id FROM hl_project WHERE name = 'tickets')};

# What the model that serves says, and which it is.
my $answers = q{SELECT label, confidence, epistemic, model, revision FROM ticket, hl_predict('tickets', body) WHERE id % 20 = 0 ORDER BY id};

# Has each row stored features of the serving model's encoder, and are they those
# of its text?  How many are left of another encoder?
my $features = qq{
	SELECT (SELECT count(*) = (SELECT count(*) FROM ticket) AND count(*) = max(v.items) AND count(DISTINCT item) FILTER (WHERE item IN (SELECT id::text FROM ticket)) = count(*)
			FROM hl_serving v JOIN hl_model m USING (project_id, model, encoder_id) JOIN hl_feature_block b USING (project_id, encoder_id),
			unnest(b.items, ARRAY(SELECT substr(b.hashes, 8 * g - 7, 8) FROM generate_series(1, cardinality(b.items)) g)) u(item, hash)
			WHERE v.project_id = $tickets AND hash <> '\\x0000000000000000'),
		(SELECT max(abs(a.confidence - p.confidence)) < 1e-5 FROM ticket JOIN hl_predict('tickets') a ON a.item = id::text, hl_predict('tickets', body) p),
		(SELECT count(*) FROM hl_feature_block b JOIN hl_serving v USING (project_id) WHERE v.project_id = $tickets AND b.encoder_id <> v.encoder_id)};

# The encoders of the models, and for how many rows they are good.
my $encoders = qq{SELECT string_agg(model || ' ' || source_rows, ', ' ORDER BY model) FROM hl_model m JOIN hl_encoder e ON e.id = m.encoder_id WHERE m.project_id = $tickets};

# Is every row in the queue that has no label?  By which models; how many entries
# does the one that serves see in another way?
my $queue = q{
	SELECT count(*) = (SELECT count(*) FROM ticket WHERE id::text NOT IN (SELECT item FROM hl_labels WHERE project = 'tickets')), string_agg(DISTINCT q.model::text, ' '),
		count(*) FILTER (WHERE q.revision = p.revision AND (q.label <> p.label OR abs(q.confidence - p.confidence) > 1e-4))
	FROM hl_queue q JOIN ticket ON id::text = q.item, hl_predict('tickets', body) p WHERE q.project = 'tickets'};

# Before the worker can have done anything.
sub deploy_and_ask
{
	my ($model) = @_;
	return "BEGIN; DO 'BEGIN PERFORM hl_deploy(''tickets'', $model); END'; $answers; COMMIT";
}

# With the worker, and without
for my $database ('postgres', 'byhand')
{
	my $by_hand = $database eq 'byhand';
	my $kind = $by_hand ? 'by hand' : 'by itself';
	my $query = sub { return $node->safe_psql($database, $_[0]) };
	my $settled = sub
	{
		my ($model, $what) = @_;
		# what concerns the model waits for a worker, if there is none
		my $notes = $by_hand ? q{kind NOT IN ('model', 'labels')} : 'true';

		$query->(q{SELECT hl_refresh('tickets')}) if $by_hand;
		eventually($node, "SELECT model = $model AND NOT EXISTS (SELECT FROM hl_change WHERE $notes) FROM hl_serving WHERE project_id = $tickets", "$kind: $what", 30, $database);
	};

	fill($node, 200, $database, '{"train_growth": 100, "train_quiet": 86400}');
	$query->(q{SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60});
	$query->(q{SELECT hl_train('tickets')}) if $by_hand;
	$settled->(1, 'a model');
	my $first = $query->($answers);
	$query->(q{INSERT INTO ticket SELECT 1000 + i, (ARRAY['the invoice has a wrong number, ', 'nobody answers the phone, ', 'my password for the shop is lost, '])[1 + i % 3] || 'customer ' || md5(i::text) FROM generate_series(1, 300) i});
	$query->(q{SELECT hl_train('tickets')}) if $by_hand;
	$settled->(2, 'a source that has grown makes a second model');
	is($query->($encoders), '1 200, 2 500', "$kind: with an encoder of its own");
	is($query->($features), 't|t|0', "$kind: whose features are stored");
	is($query->($queue), 't|2|0', "$kind: and whose queue is asked");
	my $second = $query->($answers);

	# back
	my $then = $query->(deploy_and_ask(1));
	is(join("\n", (split /\n/, $then)[0 .. 9]), $first, "$kind: the first model is deployed, and says what it said");
	is($query->($answers), $then, "$kind: to everybody");
	is($query->(q{SELECT count(*) FROM hl_next('tickets', 5, lease => '1 millisecond')}), '5', "$kind: questions are handed out");
	is($query->(q{SELECT count(*) FROM hl_queue WHERE project = 'tickets'}), '440', "$kind: of a queue as long as before");
	$settled->(1, 'rows are encoded');
	is($query->($answers), $then, "$kind: which changes no answer");
	is($query->($features), 't|t|0', "$kind: features are those of the first model's encoder");
	is($query->($queue), 't|1|0', "$kind: the queue is the first model's");

	# it goes on with this encoder
	$query->(q{SELECT hl_label('tickets', item, 'billing') FROM hl_next('tickets')});
	if ($by_hand)
	{
		is($query->(q{SELECT model, deployed FROM hl_train('tickets')}), '3|t', "$kind: another training");
	}
	else
	{
		eventually($node, "SELECT model = 1 AND revision = 1 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving WHERE project_id = $tickets", "$kind: a label moves the first model", 20);
		isnt($query->($answers), $then, "$kind: and what it says");
		is($query->("SELECT train_at > now() + '1 hour' FROM hl_work WHERE project_id = $tickets"), 't', "$kind: no training is due");
	}
	is($query->($encoders), $by_hand ? '1 500, 2 500, 3 500' : '1 500, 2 500', "$kind: the encoder is not fitted anew");
	is($query->("SELECT count(DISTINCT encoder_id) FROM hl_model WHERE project_id = $tickets"), '2', "$kind: but used again");
	is($query->($features), 't|t|0', "$kind: its features stay");

	# and forward, to a source that has changed meanwhile
	$query->(q{DELETE FROM ticket WHERE id = 1007; INSERT INTO ticket VALUES (2001, 'the invoice is wrong, where is the parcel')});
	$settled->($by_hand ? 3 : 1, 'rows change');
	is($query->(deploy_and_ask(2)), $second, "$kind: the second model is deployed, and says what it said");
	$settled->(2, 'rows are encoded again');
	is($query->($features), 't|t|0', "$kind: features are those of the second model's encoder");
	is($query->($queue), 't|2|0', "$kind: the queue is the second model's");
	is($query->("SELECT count(*) FROM hl_encoder WHERE project_id = $tickets"), '2', "$kind: there are two encoders");
}

# The worker is in the middle of another project's training, whose end is held up:
# it learns labels, and cannot encode.
$node->safe_psql('postgres', q{UPDATE hl_work SET train_at = now() WHERE project_id = (SELECT id FROM hl_project WHERE name = 'many'); SELECT hl_resume('many')});
eventually($node, $fitting, 'the worker trains', 60);
my $holder = session($node);
ask($holder, 'BEGIN');
ask($holder, q{SELECT hl_deploy('many', 1)});
my $heard = "SELECT NOT EXISTS (SELECT FROM hl_change WHERE project_id = $tickets AND kind IN ('model', 'labels'))";
$node->safe_psql('postgres', q{SELECT hl_deploy('tickets', 1)});
eventually($node, $heard, 'a model with another encoder is deployed meanwhile', 10);
$node->safe_psql('postgres', q{SELECT hl_label('tickets', item, 'billing') FROM hl_next('tickets')});
eventually($node, $heard, 'which learns', 10);
is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM hl_run WHERE state = 'running'}), 't', 'the worker still trains');
like($node->safe_psql('postgres', $queue), qr/^t\|/, 'the queue is as long as before');
ask($holder, 'ROLLBACK');
eventually($node, $learned, 'all is done', 60);
is($node->safe_psql('postgres', $features), 't|t|0', 'features are those of the encoder that serves');
like($node->safe_psql('postgres', $queue), qr/^t\|1\|/, 'the queue is its model\'s');

unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/deadlock|PANIC|WARNING:  humanloop/, 'no deadlock, no failure');

$node->stop;
done_testing();
