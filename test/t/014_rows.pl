# Rows and labels that come later: one by one, in bulk, prepared.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main', conf => "max_prepared_transactions = 5\nlog_min_messages = debug1\n");

# Items of a project that have features.
sub encoded
{
	my ($condition, $project) = @_;

	$project //= 'tickets';
	return qq{(SELECT count(*) FROM hl_feature_block b, unnest(b.items, ARRAY(SELECT substr(b.hashes, 8 * g - 7, 8) FROM generate_series(1, cardinality(b.items)) g)) u(item, hash)
		WHERE b.project_id = (SELECT id FROM hl_project WHERE name = '$project') AND b.encoder_id = (SELECT encoder_id FROM hl_serving WHERE project_id = b.project_id)
		AND hash <> '\\x0000000000000000' AND $condition)};
}

my $items = q{(SELECT items FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'tickets')};

fill($node, 600, 'postgres', '{"train_growth": 100, "train_quiet": 86400}');
model_by_itself($node, 60);
eventually($node, 'SELECT ' . encoded('true') . ' = 600', 'all rows have features', 10);

# ----------------------------------------------------------------------
# A handful of rows
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{INSERT INTO ticket SELECT 10000 + i, 'a bicycle was delivered without its saddle ' || i FROM generate_series(1, 5) i});
my $took = eventually($node, 'SELECT ' . encoded('item::int > 10000') . ' = 5', 'five new rows are encoded', 5);
eventually($node, q{SELECT count(DISTINCT item) = 5 FROM hl_ranking r, unnest(items) item WHERE project_id = 1 AND part <> 'targets' AND item::int > 10000}, 'and ranked', 5);
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_predict('tickets') WHERE item::int > 10000}), '5', 'predicted');
is($node->safe_psql('postgres', "SELECT $items"), '605', 'and counted');
eventually($node, q{SELECT count(*) > 0 FROM hl_lease WHERE item::int > 10000}, 'they can be handed out', 5);
is(sqlstate($node, q{SELECT hl_label('tickets', 10001, 'delivery')}), '', 'and labelled');
eventually($node, $learned, 'which is learned', 5);

# one that nobody has seen the like of comes early
$node->safe_psql('postgres', q{INSERT INTO ticket VALUES (10010, 'please take back the parcel I was charged twice for, where is it')});
eventually($node, q{SELECT count(DISTINCT item) = 1 FROM hl_ranking r, unnest(items) item WHERE project_id = 1 AND part IN ('head', 'tail') AND item = '10010'}, 'a single row is in the queue', 5);

# UPDATE, DELETE
my $before = $node->safe_psql('postgres', q{SELECT label FROM hl_predict('tickets') WHERE item = '10002'});
$node->safe_psql('postgres', q{UPDATE ticket SET body = 'I was charged twice for the shoes' WHERE id = 10002});
eventually($node, $learned, 'a text is changed', 5);
is($node->safe_psql('postgres', q{SELECT label FROM hl_predict('tickets') WHERE item = '10002'}), 'billing', 'and predicted by what it is now');
is($node->safe_psql('postgres', 'SELECT ' . encoded("item = '10002'")), '1', 'with features once');
# a text that goes and comes back is counted once, whatever was there before
my $count = qq{SELECT $items = (SELECT count(body) FROM ticket)};
for my $change (q{UPDATE ticket SET body = NULL WHERE id IN (10002, 10003)}, q{UPDATE ticket SET body = 'the shoes did not fit' WHERE id = 10002},
	q{INSERT INTO ticket VALUES (10020, NULL)}, q{UPDATE ticket SET body = 'where is my parcel' WHERE id = 10020},
	q{UPDATE ticket SET body = NULL WHERE id = 10020; DELETE FROM ticket WHERE id = 10020},
	q{UPDATE ticket SET body = 'a bicycle came without its saddle' WHERE id = 10003})
{
	$node->safe_psql('postgres', $change);
	$node->poll_query_until('postgres', $learned);
	is($node->safe_psql('postgres', $count), 't', "counted after $change");
}
$node->safe_psql('postgres', q{UPDATE ticket SET topic = 'whatever' WHERE id BETWEEN 500 AND 600});
eventually($node, $learned, 'a column that is none of ours', 5);
$node->safe_psql('postgres', q{DELETE FROM ticket WHERE id IN (10003, 10004)});
eventually($node, 'SELECT ' . encoded('item::int IN (10003, 10004)') . ' = 0', 'deleted rows lose their features', 5);
is($node->safe_psql('postgres', "SELECT $items"), '604', 'and are not counted');
eventually($node, q{SELECT count(*) = 0 FROM hl_next('tickets', 1000) WHERE item IN ('10003', '10004')}, 'nor handed out', 5);
$node->safe_psql('postgres', q{UPDATE ticket SET id = 10020 WHERE id = 10005});
eventually($node, 'SELECT ' . encoded("item = '10020'") . ' = 1 AND ' . encoded("item = '10005'") . ' = 0', 'a changed key is another item', 5);
$node->safe_psql('postgres', q{UPDATE hl_lease SET annotator = NULL, lease_until = NULL});
$node->safe_psql('postgres', q{BEGIN; INSERT INTO ticket VALUES (10030, 'x y z'); ROLLBACK; BEGIN; SAVEPOINT s; INSERT INTO ticket VALUES (10031, 'x y z'); ROLLBACK TO s; INSERT INTO ticket VALUES (10032, 'x y z'); COMMIT});
eventually($node, 'SELECT ' . encoded("item = '10032'") . ' = 1', 'a row after a savepoint', 5);
is($node->safe_psql('postgres', 'SELECT ' . encoded("item IN ('10030', '10031')")), '0', 'but none that was rolled back');

# ----------------------------------------------------------------------
# Blocks of a few rows, each of which is come back to
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE TABLE note (id int PRIMARY KEY, body text, topic text);
	INSERT INTO note SELECT * FROM ticket WHERE id <= 90;
	SELECT hl_create_project('notes', 'note', 'body', options => '{"dimensions": 16, "train_growth": 100, "train_quiet": 86400}');
	SELECT hl_label_many('notes', array_agg(id::text), array_agg(topic)) FROM note WHERE id <= 60;
	SELECT hl_train('notes')});
for my $i (1 .. 3)
{
	$node->safe_psql('postgres', "INSERT INTO note SELECT 100 + 10 * $i + j, body FROM ticket JOIN generate_series(1, 2) j ON id = $i + 7 * j");
	eventually($node, $learned, 'two rows', 5);
}
# the second of each two is behind the first of all others
$node->safe_psql('postgres', q{UPDATE note SET topic = 'moved' WHERE id IN (112, 122, 132)});
is($node->safe_psql('postgres', 'SELECT ' . encoded('true', 'notes') . ', count(*) FROM hl_feature_block WHERE project_id = (SELECT id FROM hl_project WHERE name = \'notes\')'), '96|4', 'are a block');
is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE a.label <> o.label OR abs(a.confidence - o.confidence) > 1e-4) FROM note n JOIN hl_predict('notes') a ON a.item::int = n.id, hl_predict('notes', n.body) o}), '96|0', 'all rows at once are predicted as one by one');
$node->safe_psql('postgres', q{SELECT hl_drop_project('notes'); DROP TABLE note});

# ----------------------------------------------------------------------
# Many rows
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{INSERT INTO ticket SELECT 20000 + i, 'a bicycle was delivered without its saddle ' || i, 'delivery' FROM generate_series(1, 5000) i});
$took = eventually($node, 'SELECT ' . encoded('item::int > 20000') . ' = 5000', '5,000 rows in one statement', 20);
eventually($node, $learned, 'are taken up', 10);
eventually($node, q{SELECT count(*) > 0 FROM hl_ranking r, unnest(items) item WHERE project_id = 1 AND part <> 'targets' AND item::int > 20000}, 'and ranked', 40);
is($node->safe_psql('postgres', "SELECT $items = (SELECT count(*) FROM ticket)"), 't', 'and counted');
$node->safe_psql('postgres', q{DELETE FROM ticket WHERE id > 20000});
eventually($node, 'SELECT ' . encoded('item::int > 20000') . ' = 0', 'and deleted', 20);

# A project whose label column is in the source: 100,000 labels in a statement
$node->safe_psql('postgres', q{CREATE DATABASE huge});
$node->safe_psql('huge', q{CREATE EXTENSION humanloop; CREATE TABLE note (id int PRIMARY KEY, body text, topic text); SELECT hl_create_project('notes', 'note', 'body', label => 'topic', options => '{"dimensions": 16, "vocabulary": 500, "train_growth": 100, "train_quiet": 86400}');
	INSERT INTO note SELECT i, (ARRAY['send it back ', 'late parcel ', 'charged twice '])[1 + i % 3] || i % 100, (ARRAY['returns', 'delivery', 'billing'])[1 + i % 3] FROM generate_series(1, 300) i});
$node->poll_query_until('huge', q{SELECT count(*) = 1 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving WHERE model = 1});
worker_gone($node, 'huge');
my $workers = workers_started($node);
my $began = time;
$node->safe_psql('huge', q{INSERT INTO note SELECT i, (ARRAY['send it back ', 'late parcel ', 'charged twice '])[1 + i % 3] || i % 100, (ARRAY['returns', 'delivery', 'billing'])[1 + i % 3] FROM generate_series(1001, 101000) i});
note sprintf('100,000 rows with labels: %.1f s', time - $began);
$took = eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, '100,000 rows with labels in one statement are taken up', 120, 'huge');
is(workers_started($node), $workers + 1, 'by one worker');
is($node->safe_psql('huge', q{SELECT items FROM hl_serving}), '100300', 'all of them');
is($node->safe_psql('huge', q{SELECT count(*) FROM hl_labels}), '100300', 'with their labels');
is($node->safe_psql('huge', q{SELECT revision > 0 OR model > 1 FROM hl_serving}), 't', 'which are learned');
is($node->safe_psql('huge', q{BEGIN; SELECT hl_label_many('notes', array_agg(id::text), array_agg('returns'::text), 'crowd') FROM note; SELECT count(*), count(items) FROM hl_change; COMMIT}) =~ s/\n/ /gr, '100300 1|0', 'hl_label_many notes 100,300 labels in one row');
$took = eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'and they are learned', 120, 'huge');
is($node->safe_psql('huge', q{SELECT failures, last_error FROM hl_work}), '0|', 'without an error');
is(workers_started($node), $workers + 1, 'by the same worker');
$node->safe_psql('postgres', 'DROP DATABASE huge');

# ----------------------------------------------------------------------
# Partitions, views, TRUNCATE
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE TABLE day (id int PRIMARY KEY, body text, topic text) PARTITION BY RANGE (id);
	CREATE TABLE day1 PARTITION OF day FOR VALUES FROM (1) TO (1000);
	INSERT INTO day SELECT * FROM ticket WHERE id < 600;
	SELECT hl_create_project('days', 'day', 'body', options => '{"train_growth": 100, "train_quiet": 86400}');
	SELECT hl_label_many('days', array_agg(id::text), array_agg(topic)) FROM day WHERE id <= 60;});
$node->poll_query_until('postgres', q{SELECT count(*) = 2 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving WHERE model IS NOT NULL});
$node->safe_psql('postgres', q{CREATE TABLE day2 PARTITION OF day FOR VALUES FROM (1000) TO (2000); INSERT INTO day VALUES (1500, 'where is the parcel')});
eventually($node, 'SELECT ' . encoded("item = '1500'", 'days') . ' = 1', 'rows of a partition that was created later', 5);
$node->safe_psql('postgres', q{CREATE TABLE day3 (id int PRIMARY KEY, body text, topic text); INSERT INTO day3 VALUES (2500, 'where is the parcel'); ALTER TABLE day ATTACH PARTITION day3 FOR VALUES FROM (2000) TO (3000)});
eventually($node, 'SELECT ' . encoded("item = '2500'", 'days') . ' = 1', 'rows of a partition that was attached with them', 5);
$node->safe_psql('postgres', q{INSERT INTO day3 VALUES (2501, 'charged twice')});
eventually($node, 'SELECT ' . encoded("item = '2501'", 'days') . ' = 1', 'rows that went into the partition itself', 5);
$node->safe_psql('postgres', q{ALTER TABLE day DETACH PARTITION day3});
eventually($node, 'SELECT ' . encoded("item::int >= 2000", 'days') . ' = 0', 'rows of a partition that was detached go', 5);
$node->safe_psql('postgres', q{DROP TABLE day2});
eventually($node, 'SELECT ' . encoded("item::int >= 1000", 'days') . ' = 0', 'so do those of one that was dropped', 5);
$node->safe_psql('postgres', q{TRUNCATE day});
eventually($node, 'SELECT ' . encoded('true', 'days') . ' = 0', 'and all by TRUNCATE', 5);
is($node->safe_psql('postgres', q{SELECT items, state, queue_empty_because FROM hl_projects WHERE project = 'days'}), '0|ready|the source has no rows with an input', 'as hl_projects says');
is($node->safe_psql('postgres', q{SELECT model FROM hl_predict('days', 'where is the parcel')}), '1', 'its model still answers');
$node->safe_psql('postgres', q{INSERT INTO day SELECT * FROM ticket WHERE id BETWEEN 100 AND 199});
eventually($node, 'SELECT ' . encoded('true', 'days') . ' = 100', 'and rows can come again', 10);
eventually($node, q{SELECT count(*) > 50 FROM hl_ranking r JOIN hl_project p ON p.id = project_id, unnest(items) item WHERE name = 'days' AND part <> 'targets'}, 'into the queue, too', 10);

$node->safe_psql('postgres', q{
	CREATE TABLE raw (id int PRIMARY KEY, body text, topic text);
	INSERT INTO raw SELECT * FROM ticket WHERE id < 600;
	CREATE VIEW seen AS SELECT * FROM raw;
	SELECT hl_create_project('views', 'seen', 'body', key => 'id', options => '{"train_growth": 100, "train_quiet": 86400}');
	SELECT hl_label_many('views', array_agg(id::text), array_agg(topic)) FROM raw WHERE id <= 60;});
$node->poll_query_until('postgres', q{SELECT count(*) = 3 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving WHERE model IS NOT NULL});
$node->safe_psql('postgres', q{INSERT INTO raw VALUES (5000, 'where is the parcel')});
is($node->safe_psql('postgres', q{SELECT hl_refresh('views')}), '1', 'what a view shows is taken up by hl_refresh');
is($node->safe_psql('postgres', 'SELECT ' . encoded("item = '5000'", 'views')), '1', 'with features');
is(sqlstate($node, q{SELECT hl_label('views', 5000, 'delivery')}), '', 'to be labelled');
eventually($node, q{SELECT revision > 0 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'views'}, 'and learned', 5);

# ----------------------------------------------------------------------
# Prepared transactions
# ----------------------------------------------------------------------

my $revision = $node->safe_psql('postgres', 'SELECT revision FROM hl_serving WHERE project_id = 1');
is(sqlstate($node, q{BEGIN; SELECT hl_label('tickets', 300, topic) FROM ticket WHERE id = 300; INSERT INTO ticket VALUES (30000, 'where is the parcel'); PREPARE TRANSACTION 'one'}), '', 'a transaction that has labelled is prepared');
worker_gone($node);
never($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'humanloop worker')}, 'which wakes nobody', 1);
$node->safe_psql('postgres', q{COMMIT PREPARED 'one'});
is($node->safe_psql('postgres', 'SELECT count(*) > 0 FROM hl_change'), 't', 'committed, it is to be learned');
$node->safe_psql('postgres', q{SELECT model FROM hl_predict('tickets', 'x')});
eventually($node, $learned, 'and is at the next call', 10);
is($node->safe_psql('postgres', "SELECT revision > $revision FROM hl_serving WHERE project_id = 1"), 't', 'as a revision');
is($node->safe_psql('postgres', 'SELECT ' . encoded("item = '30000'")), '1', 'with the row');
is(sqlstate($node, q{BEGIN; SELECT hl_label('tickets', 301, topic) FROM ticket WHERE id = 301; PREPARE TRANSACTION 'two'}), '', 'another is prepared');
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 302, topic) FROM ticket WHERE id = 302});
eventually($node, $learned, 'nobody waits for it', 5);
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'two'});
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_work WHERE failures > 0}), '0', 'nothing has failed');

$node->stop;
done_testing();
