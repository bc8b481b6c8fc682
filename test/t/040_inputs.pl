# Several inputs where there is more than one session: the worker, whose copy of
# the source has them all, dumps, and the tables of a version that has one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $ask = sub { return $node->safe_psql('postgres', $_[0]) };
my $right = q{SELECT avg((label = class)::int) > 0.85 FROM hl_predict('%s') JOIN mail ON item = id::text};

# Topic in the text, region in the vector; some rows lack one of them, and some
# inputs are empty, long, or of no use.
$ask->(q{
	CREATE TABLE mail (id int PRIMARY KEY, subject text, body text, place real[], class text);
	INSERT INTO mail SELECT i, CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN repeat('once more ', 3000) ELSE 'hello ' || i END,
		CASE WHEN i % 11 > 0 THEN (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + i % 3] || (ARRAY['the shoes', 'the lamp', 'a phone', 'two books'])[1 + i / 3 % 4] END,
		CASE i % 23 WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN '{1}' WHEN 3 THEN '{NaN,0,0}' ELSE ARRAY[i / 3 % 2, 1 - i / 3 % 2, 0.1 * sin(i)] END,
		(ARRAY['returns', 'delivery', 'billing'])[1 + i % 3] || i / 3 % 2
	FROM generate_series(1, 1300) i;});

# ----------------------------------------------------------------------
# The worker
# ----------------------------------------------------------------------

$ask->(q{SELECT hl_create_project(p, 'mail', ARRAY['subject', 'body', 'place'], options => '{"train_growth": 100, "train_quiet": 86400}') FROM unnest('{own,alone}'::text[]) p; SELECT hl_pause('own')});
$ask->(qq{SELECT hl_label_many('$_', array_agg(id::text), array_agg(class)) FROM mail WHERE id <= 150}) for qw(own alone);
eventually($node, q{SELECT s.model = 1 AND NOT EXISTS (SELECT FROM hl_change c WHERE c.project_id = s.project_id) FROM hl_serving s JOIN hl_project p ON id = project_id WHERE name = 'alone'}, 'the worker trains', 60);
is($ask->(q{SELECT state, error FROM hl_runs WHERE project = 'alone'}), 'done|', 'without an error');
is($ask->(q{SELECT encoder, labels FROM hl_train('own')}), 'text+vector|150', 'so does a session');
my $features = q{SELECT count(*), sum(live_rows), md5(string_agg(hashes::text || items::text || dense::text || terms::text, ' ' ORDER BY block)) FROM hl_feature_block JOIN hl_project ON id = project_id WHERE name = '%s'};
is($ask->(sprintf $features, 'alone'), $ask->(sprintf $features, 'own'), 'and what the worker has copied and encoded is what a session reads');
is($ask->(sprintf $right, 'alone'), 't', 'the model is right');

# what it is told, and what happens to the source
$ask->(q{CREATE FUNCTION hash_of(item text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(hash, '') FROM (SELECT encode(substr(hashes, 8 * array_position(items, item) - 7, 8), 'hex') AS hash FROM hl_feature_block JOIN hl_project p ON p.id = project_id WHERE name = 'alone' AND item = ANY (items)) h WHERE hash <> repeat('0', 16) $$});
$ask->(q{SELECT hl_label('alone', '400', 'returns1')});
eventually($node, q{SELECT revision > 0 FROM hl_serving JOIN hl_project ON id = project_id WHERE name = 'alone'}, 'an answer is learned');
$ask->(q{INSERT INTO mail VALUES (2001, NULL, NULL, '{1,0,0}', ''), (2002, NULL, NULL, '{1,0}', ''), (2003, NULL, 'please take back the lamp', NULL, ''), (2004, NULL, NULL, NULL, '')});
my $has = q{SELECT string_agg(i, ' ' ORDER BY i) = '%s' FROM hl_feature_block b JOIN hl_project p ON p.id = b.project_id, unnest(items) i WHERE name = 'alone' AND i LIKE '20__'};
eventually($node, sprintf($has, '2001 2003'), 'rows with any usable input are taken up, others are not');
for my $change (q{subject = 'another'}, q{body = body || ' again'}, q{place = '{0,0,1}'})
{
	my $before = $ask->(q{SELECT hash_of('7')});

	$ask->("UPDATE mail SET $change WHERE id = 7");
	eventually($node, "SELECT hash_of('7') <> '$before'", "taken up: $change");
}
$ask->(q{UPDATE mail SET place = '{1,0,0}' WHERE id = 2002});
eventually($node, sprintf($has, '2001 2002 2003'), 'a vector that becomes usable is');

# An input without vectors gets some, in a statement that is not a large one
$ask->(q{
	CREATE TABLE late AS SELECT id, body, NULL::real[] AS place, class FROM mail WHERE id <= 300 AND body IS NOT NULL;
	ALTER TABLE late ADD PRIMARY KEY (id);
	SELECT hl_create_project('late', 'late', ARRAY['body', 'place'], options => '{"train_growth": 100, "train_quiet": 86400}');
	SELECT hl_label_many('late', array_agg(id::text), array_agg(class)) FROM late WHERE id <= 90;});
my $dims = q{(SELECT dims FROM hl_encoder e JOIN hl_serving s ON s.encoder_id = e.id JOIN hl_project p ON p.id = s.project_id WHERE p.name = 'late')};
eventually($node, "SELECT $dims > 0", 'texts alone are learned', 60);
my $text_dims = $ask->("SELECT $dims");
$ask->(q{UPDATE late SET place = '{1,0,0,0,0}' WHERE id = 100});
eventually($node, "SELECT $dims = $text_dims + 4", 'the first vector has the encoder fitted anew', 30);

# ----------------------------------------------------------------------
# Dump and restore
# ----------------------------------------------------------------------

$ask->(q{DROP TABLE late CASCADE; SELECT hl_drop_project('late'); ALTER TABLE mail RENAME place TO "The Place"; SELECT hl_pause('alone')});
my $answers = q{SELECT label, round(confidence::numeric, 4), model, revision FROM hl_predict('alone', ARRAY['hello', 'please take back the lamp', '[1,0,0]']) UNION ALL SELECT label, round(confidence::numeric, 4), model, revision FROM hl_predict('own', ARRAY[NULL, 'where is the parcel', NULL])};
my $projects = q{SELECT project, input, labelled, model, state FROM hl_projects ORDER BY 1};
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
my %expected = map { $_ => $ask->($_) } ($answers, $projects);
like($expected{$projects}, qr/^alone\|subject, body, The Place\|/, 'a column is called otherwise now');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'a dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('restored'), $dump ], 'is restored');
is($node->safe_psql('restored', $_), $expected{$_}, 'as it was') for $answers, $projects;
is($node->safe_psql('restored', q{SELECT hl_refresh('own') > 1200}), 't', 'its rows are encoded again');
is($node->safe_psql('restored', q{SELECT more_inputs, more_attnums FROM hl_project JOIN hl_project_local ON project_id = id WHERE name = 'own'}), '{body,"The Place"}|{3,4}', 'and its columns are found');
is($node->safe_psql('restored', sprintf $right, 'own'), 't', 'it answers for all rows');
is($node->safe_psql('restored', q{SELECT labels FROM hl_train('own')}), '150', 'and goes on');
is($node->safe_psql('restored', q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'mail'::regclass AND tgfoid = 'hl_source_changed'::regproc}), '8', 'no trigger is there twice');

# ----------------------------------------------------------------------
# The tables of a version that knows one input
# ----------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE older');
$node->safe_psql('older', q{CREATE EXTENSION humanloop VERSION '0.3.0'});
fill($node, 300, 'older', '{"train_growth": 100, "train_quiet": 86400}');
my $session = session($node, 'older');
is(ask($session, q{SELECT input FROM hl_projects}), 'body', 'a project of 0.3.0');
like(outcome($session, q{SELECT hl_create_project('two', 'ticket', ARRAY['body', 'topic'])}), qr/^42883/, 'which is over one column');
model_by_itself($node, 60, 'older');
ask($session, 'ALTER TABLE ticket RENAME body TO message');
is(ask($session, q{SELECT hl_refresh('tickets')}), '0', 'follows a renamed column');
is(ask($session, q{SELECT label FROM hl_predict('tickets', 'where is the parcel')}), 'delivery', 'predicts');
is(ask($session, q{SELECT count(*) FROM hl_next('tickets', 3)}), '3', 'asks');
is(sqlstate($node, 'ALTER EXTENSION humanloop UPDATE', 'older'), '', 'and is updated');
is(ask($session, q{SELECT input, model FROM hl_projects}), 'message|1', 'it is there');
is(ask($session, q{SELECT label FROM hl_predict('tickets', 'where is the parcel')}), 'delivery', 'and answers in the same session');
is(ask($session, q{SELECT model FROM hl_train('tickets')}), '2', 'it learns');
is(ask($session, q{SELECT encoder FROM hl_create_project('two', 'ticket', ARRAY['message', 'topic'])}), 'text', 'beside one of two columns');
is(ask($session, q{SELECT hl_label_many('two', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60; SELECT labels FROM hl_train('two')}), "60\n60", 'which is learned');
is(ask($session, q{SELECT label FROM hl_predict('two', ARRAY['where is the parcel', NULL])}), 'delivery', 'and predicted');
eventually($node, $learned, 'the worker has nothing left to do', 60, 'older');
is($node->safe_psql('older', q{SELECT count(*) FROM hl_runs WHERE state = 'failed'}), '0', 'nor has it failed');

$node->stop;
done_testing();
