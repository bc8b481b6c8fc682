# Rows of a new topic arrive: whoever listens is told, once; while nothing changes, nobody is.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{HUMANLOOP_DATA} // '';
my $set = "$data/banking77/banking77.csv";
plan skip_all => "no data set banking77 in $data" unless -r $set;

my $node = new_node('main', conf => "fsync = off\n");
$node->safe_psql('postgres', "CREATE TABLE example (id text, split text, body text, topic text);\nCOPY example FROM STDIN CSV HEADER;\n" . slurp_file($set) . "\\.\n");
# the topics in an order by lot; the source has none of the last one
$node->safe_psql('postgres', q{
	CREATE TABLE request (id int PRIMARY KEY, body text NOT NULL, topic text NOT NULL, fresh boolean NOT NULL);
	INSERT INTO request SELECT row_number() OVER (PARTITION BY topic = 'card_arrival' ORDER BY md5(id)) + CASE WHEN topic = 'card_arrival' THEN 100000 ELSE 0 END,
		body, topic, topic = 'card_arrival' FROM example;
	CREATE TABLE mail (id int PRIMARY KEY, body text NOT NULL);
	INSERT INTO mail SELECT id, body FROM request WHERE id <= 3000;
	SELECT hl_create_project('mails', 'mail', 'body');
	SELECT hl_label_many('mails', array_agg(id::text), array_agg(topic)) FROM request WHERE id <= 400;
	SELECT hl_train('mails');});
my $done = q{SELECT NOT EXISTS (SELECT FROM hl_change)};
eventually($node, $done, 'the worker is done', 60);
my $listener = session($node);
ask($listener, 'LISTEN humanloop');

# Four portions of what the source has had.
for my $portion (0 .. 3)
{
	$node->safe_psql('postgres', "INSERT INTO mail SELECT id, body FROM request WHERE id BETWEEN 3001 + 125 * $portion AND 3125 + 125 * $portion");
	eventually($node, $done, "portion $portion of the same is taken up", 60);
}
is($node->safe_psql('postgres', q{SELECT string_agg(measure || ' ' || n || ' ' || alarm, ', ') FROM hl_drift('mails')}), 'confidence 500 false, classes 500 false, features 500 false, accuracy 0 false', 'each row counts, and nothing alarms');
unlike(ask($listener, 'SELECT 1'), qr/drift/, 'nobody is told');

# A third of another topic, 500 rows.
for my $portion (0 .. 3)
{
	$node->safe_psql('postgres', "INSERT INTO mail SELECT id, body FROM request WHERE id BETWEEN 4001 + 83 * $portion AND 4083 + 83 * $portion OR id BETWEEN 100001 + 42 * $portion AND 100042 + 42 * $portion");
	eventually($node, $done, "portion $portion with a new topic is taken up", 60);
}
is($node->safe_psql('postgres', q{SELECT n, alarm, p_value < alarm_below, low > 0 FROM hl_drift('mails') WHERE measure = 'features'}), '500|t|t|t', 'an alarm');
my $told = ask($listener, 'SELECT 1');
like($told, qr/Asynchronous notification "humanloop" with payload "\{"event": "drift", "project": "mails", "model": 1, "measure": "features"\}"/, 'NOTIFY of it');
is(scalar(() = $told =~ /"measure": "features"/g), 1, 'once');
$node->safe_psql('postgres', q{INSERT INTO mail SELECT id, body FROM request WHERE id BETWEEN 5001 AND 5300});
eventually($node, $done, 'more are taken up', 60);
unlike(ask($listener, 'SELECT 1'), qr/"measure": "features"/, 'and not again, while the alarm stands');
is($node->safe_psql('postgres', q{SELECT alarm FROM hl_drift('mails') WHERE measure = 'features'}), 't', 'it stands');

# Whoever takes up everything himself leaves nothing for the worker, which tells of the alarm nonetheless.
$node->safe_psql('postgres', q{
	CREATE TABLE letter_row (id int PRIMARY KEY, body text NOT NULL);
	INSERT INTO letter_row SELECT id, body FROM request WHERE id <= 1000;
	CREATE VIEW letter AS SELECT * FROM letter_row;
	SELECT hl_create_project('letters', 'letter', 'body', 'id');
	SELECT hl_label_many('letters', array_agg(id::text), array_agg(topic)) FROM request WHERE id <= 200;
	SELECT hl_train('letters');});
eventually($node, $done, 'the worker is done with the view', 60);
$node->safe_psql('postgres', q{INSERT INTO letter_row SELECT id, body FROM request WHERE id > 100000 ORDER BY id LIMIT 130; SELECT hl_refresh('letters')});
is($node->safe_psql('postgres', q{SELECT alarm FROM hl_drift('letters') WHERE measure = 'features'}), 't', 'an alarm by hl_refresh');
eventually($node, q{SELECT bool_and(told) FROM hl_drift_finding WHERE alarmed_at IS NOT NULL}, 'it is told', 60);
like(ask($listener, 'SELECT 1'), qr/"project": "letters", "model": 1, "measure": "features"/, 'who listens hears it');

# Another model knows the topic, and begins anew.
$node->safe_psql('postgres', q{SELECT hl_label_many('mails', array_agg(id::text), array_agg(topic)) FROM request WHERE id BETWEEN 100001 AND 100060; SELECT hl_train('mails');});
eventually($node, $done, 'the worker follows', 60);
is($node->safe_psql('postgres', q{SELECT bool_or(alarm), max(model) > 1 FROM hl_drift('mails')}), 'f|t', 'no alarm any more');

$node->stop;
done_testing();
