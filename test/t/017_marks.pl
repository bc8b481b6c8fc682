# What was noted is dealt with once and not forgotten before, whatever comes in
# between: VACUUM, a backlog, somebody else's ranking, an error, an end.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main', conf => "autovacuum = off\n");
my $learned = q{SELECT NOT EXISTS (SELECT FROM hl_change)};
my $quiet = '"train_growth": 100, "train_quiet": 86400';

sub query { return $node->safe_psql('postgres', $_[0]) }

# Rows of a project with features.
sub encoded
{
	my ($project, $condition) = @_;
	return qq{(SELECT count(*) FROM hl_feature_block b, unnest(b.items, ARRAY(SELECT substr(b.hashes, 8 * g - 7, 8) FROM generate_series(1, cardinality(b.items)) g)) u(item, hash)
		WHERE b.project_id = (SELECT id FROM hl_project WHERE name = '$project') AND hash <> '\\x0000000000000000' AND $condition)};
}

# Rows of a project that hl_next can hand out.
sub ranked
{
	my ($project, $condition) = @_;
	return qq{(SELECT count(DISTINCT item) FROM hl_ranking, unnest(items) item WHERE project_id = (SELECT id FROM hl_project WHERE name = '$project') AND part <> 'targets' AND $condition)};
}

# How often the pool of a project was ranked.
sub rankings { return query(qq{SELECT generation FROM hl_ranking WHERE part = 'rest' AND project_id = (SELECT id FROM hl_project WHERE name = '$_[0]')}) }

fill($node, 6000, 'postgres', "{$quiet}");
model_by_itself($node, 60);

# Whoever writes a ranking waits at an open gate, and fails at a broken one.
query(q{
	CREATE TABLE gate (state text);
	CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
	BEGIN
		IF EXISTS (SELECT FROM gate WHERE state = 'broken') THEN
			RAISE 'the gate is broken';
		END IF;
		WHILE EXISTS (SELECT FROM gate WHERE state = 'shut') LOOP
			PERFORM pg_sleep(0.02);
		END LOOP;
		RETURN NEW;
	END $$;
	GRANT SELECT ON gate TO PUBLIC;
	CREATE TRIGGER pass_gate BEFORE UPDATE ON hl_ranking FOR EACH ROW WHEN (NEW.part = 'rest' AND NEW.generation > OLD.generation) EXECUTE FUNCTION pass_gate();});

# ----------------------------------------------------------------------
# Places that VACUUM gives to others
# ----------------------------------------------------------------------

query(q{INSERT INTO gate VALUES ('shut')});
query(q{INSERT INTO ticket SELECT 10000 + i, 'a bicycle without its saddle ' || i FROM generate_series(1, 800) i});
eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND wait_event = 'PgSleep'}, 'the pool is ranked', 30);
query('VACUUM hl_change');
query("INSERT INTO ticket VALUES (20000 + $_, 'a saddle without its bicycle $_')") for 1 .. 10;
query('DELETE FROM gate');
eventually($node, 'SELECT ' . encoded('tickets', q{item::int > 20000}) . ' = 10', 'rows that were noted where dead notes were are taken up', 30);
eventually($node, $learned, 'nothing is left to learn', 30);
is(query(q{SELECT items FROM hl_serving}), '6810', 'all are counted');
is(query('SELECT ' . ranked('tickets', q{item::int > 20000})), '10', 'and ranked');

# ----------------------------------------------------------------------
# How often the pool is scored
# ----------------------------------------------------------------------

my $before = rankings('tickets');
my $listener = session($node);
ask($listener, 'LISTEN humanloop');
query(q{INSERT INTO ticket SELECT 30000 + i, 'a lamp without its bulb ' || i FROM generate_series(1, 2000) i});
eventually($node, 'SELECT ' . encoded('tickets', q{item::int > 30000}) . ' = 2000', 'many rows at once', 30);
eventually($node, $learned, 'are dealt with', 30);
is(rankings('tickets'), $before + 1, 'by ranking the pool once');
like(ask($listener, 'SELECT 1'), qr/"\{"event": "queue", "project": "tickets", "model": 1, "revision": \d+\}"/, 'of which they are told who listen');

# ----------------------------------------------------------------------
# More rows than find a place, and the ranking fails
# ----------------------------------------------------------------------

query(q{INSERT INTO gate VALUES ('broken')});
$before = rankings('tickets');
query(q{INSERT INTO ticket SELECT 40000 + i, 'a kettle without its lid ' || i FROM generate_series(1, 900) i});
eventually($node, q{SELECT last_error = 'the gate is broken' FROM hl_work WHERE project_id = 1}, 'the pool cannot be ranked', 30);
is(query('SELECT ' . encoded('tickets', q{item::int > 40000})), '900', 'the rows are encoded');
is(query(q{SELECT count(*) > 0 FROM hl_change WHERE kind = 'pool'}), 't', 'and it is known that they are not ranked');
worker_gone($node);
query('DELETE FROM gate');
query(q{SELECT hl_resume('tickets')});
eventually($node, $learned, 'the next worker ranks them', 30);
is(rankings('tickets'), $before + 1, 'with the pool');

# ----------------------------------------------------------------------
# Somebody else ranks the pool meanwhile
# ----------------------------------------------------------------------

query(qq{
	CREATE TABLE raw (id int PRIMARY KEY, body text, topic text);
	INSERT INTO raw SELECT * FROM ticket WHERE id < 600;
	CREATE VIEW seen AS SELECT * FROM raw;
	SELECT hl_create_project('seen', 'seen', 'body', key => 'id', options => '{$quiet}');
	SELECT hl_label_many('seen', array_agg(id::text), array_agg(topic)) FROM raw WHERE id <= 60;});
eventually($node, q{SELECT model = 1 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'seen'}, 'a project over a view', 60);
my $refresher = session($node);
ask($refresher, q{BEGIN; INSERT INTO raw VALUES (5000, 'the parcel without its string')});
is(ask($refresher, q{SELECT hl_refresh('seen')}), '1', 'a refresh takes up a row');
query(q{INSERT INTO hl_change SELECT id, 'pool' FROM hl_project WHERE name = 'seen'; SELECT hl_resume('seen')});
eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND query = 'seen: scoring the pool' AND wait_event = 'Extension'}, 'the worker has ranked the rows there were', 30);
ask($refresher, 'COMMIT');
eventually($node, $learned, 'it writes when it may', 30);
is(query('SELECT ' . ranked('seen', q{item = '5000'})), '1', 'and the row of the refresh is still in the queue');

# ----------------------------------------------------------------------
# Rows that go
# ----------------------------------------------------------------------

$before = rankings('tickets');
query(q{CREATE TABLE asked AS SELECT item FROM hl_queue WHERE project = 'tickets' ORDER BY rank LIMIT 100; DELETE FROM ticket WHERE id::text IN (SELECT item FROM asked)});
eventually($node, $learned, 'rows of the queue are deleted', 30);
is(query('SELECT ' . ranked('tickets', 'item IN (SELECT item FROM asked)')), '0', 'they leave it');
is(query(q{SELECT count(*) FROM hl_lease JOIN asked USING (item)}), '0', 'and cannot be handed out');
is(rankings('tickets'), $before, 'without ranking the pool');
query(q{SELECT hl_label('tickets', 150, 'returns')});
eventually($node, $learned, 'one more answer', 30);
is(query('SELECT ' . ranked('tickets', 'item IN (SELECT item FROM asked)')), '0', 'does not bring them back');
is(query(q{SELECT count(*) FROM hl_next('tickets', 50)}), '50', 'and there are others');

# ----------------------------------------------------------------------
# Labels while the pool is scored; the queue is all answered while nobody learns
# ----------------------------------------------------------------------

my $agrees = q{SELECT NOT EXISTS (SELECT FROM hl_change) AND (SELECT revision FROM hl_serving WHERE project_id = 1) = ALL (SELECT revision FROM hl_ranking WHERE project_id = 1 AND part = 'head')};
for my $round (1 .. 5)
{
	query(q{INSERT INTO hl_change VALUES (1, 'pool'); SELECT hl_resume('tickets')});
	query("SELECT hl_label('tickets', $_, 'billing')") for 200 + 10 * $round .. 204 + 10 * $round;
}
eventually($node, $agrees, 'the head of the queue is that of the newest revision', 30);

query(qq{
	CREATE TABLE small AS SELECT * FROM ticket WHERE id <= 600;
	ALTER TABLE small ADD PRIMARY KEY (id);
	SELECT hl_create_project('small', 'small', 'body', options => '{$quiet, "queue_size": 20}');
	SELECT hl_label_many('small', array_agg(id::text), array_agg(topic)) FROM small WHERE id <= 60;});
eventually($node, q{SELECT model = 1 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'small'}, 'a short queue', 60);
query(q{SELECT hl_pause('small')});
worker_gone($node);
query(q{SELECT hl_label_many('small', array_agg(id::text), array_agg(topic)) FROM small WHERE id::text IN (SELECT unnest(items) FROM hl_ranking JOIN hl_project p ON p.id = project_id WHERE p.name = 'small' AND part IN ('head', 'rest', 'tail'))});
is(query(q{SELECT queued FROM hl_projects WHERE project = 'small'}), '0', 'is all answered while the project is paused');
query(q{SELECT hl_resume('small')});
eventually($node, q{SELECT queued > 0 FROM hl_projects WHERE project = 'small'}, 'and filled again after that', 30);

# ----------------------------------------------------------------------
# A labelled row says something else
# ----------------------------------------------------------------------

my $sure = q{SELECT probability FROM hl_probabilities('tickets', 'grommet sprocket flange') WHERE label = 'returns'};
query(q{INSERT INTO ticket VALUES (50000, 'widget gadget gizmo')});
eventually($node, $learned, 'a new row', 30);
query(q{SELECT hl_label('tickets', 50000, 'returns')});
eventually($node, $learned, 'is labelled', 30);
$before = query($sure);
query(q{UPDATE ticket SET body = 'please take back the grommet sprocket flange' WHERE id = 50000});
eventually($node, $learned, 'then its text is another', 30);
my $old = query(q{SELECT count(*) FROM hl_revision WHERE project_id = 1});
isnt(query($sure), $before, 'which is what its label teaches then');

# ----------------------------------------------------------------------
# A backlog
# ----------------------------------------------------------------------

query(q{SELECT hl_pause('tickets')});
query(q{INSERT INTO hl_change SELECT 1, 'labels', ARRAY[(1 + i % 500)::text] FROM generate_series(1, 150000) i; INSERT INTO hl_change SELECT 1, 'rows', ARRAY[(1 + i % 500)::text] FROM generate_series(1, 60000) i});
query(q{SELECT hl_resume('tickets')});
eventually($node, $learned, '210,000 notes are dealt with', 40);
is(query(q{SELECT count(*) FROM hl_work WHERE failures > 0}), '0', 'without an error');

# ----------------------------------------------------------------------
# While a new model is put into service; what there is to see of trainings
# ----------------------------------------------------------------------

query(q{
	CREATE TABLE swap AS SELECT * FROM ticket WHERE id <= 600;
	ALTER TABLE swap ADD PRIMARY KEY (id);
	SELECT hl_create_project('swap', 'swap', 'body', options => '{"train_growth": 1.5, "train_quiet": 86400}');
	SELECT hl_label_many('swap', array_agg(id::text), array_agg(topic)) FROM swap WHERE id <= 40;});
my $swap = q{(SELECT id FROM hl_project WHERE name = 'swap')};
eventually($node, "SELECT model = 1 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving WHERE project_id = $swap", 'a first model', 60);
query(q{INSERT INTO gate VALUES ('shut')});
query(q{SELECT hl_label_many('swap', array_agg(id::text), array_agg(topic)) FROM swap WHERE id BETWEEN 41 AND 60});
eventually($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND wait_event = 'PgSleep' AND query = 'swap: training: writing'}, 'the next is being stored', 60);
is(sqlstate($node, q{SET statement_timeout = '5s'; SELECT hl_label('swap', id, topic) FROM swap WHERE id = 100}), '', 'an answer does not wait for it');
is(query(q{SELECT model FROM hl_predict('swap', 'x')}), '1', 'the old model answers');
query('DELETE FROM gate');
eventually($node, "SELECT model = 2 AND revision > 0 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving WHERE project_id = $swap", 'then the new one does, and has learned that, too', 30);
is(query(q{SELECT count(*) FROM hl_models('swap') WHERE seconds > 0 AND accuracy BETWEEN 0 AND 1 AND log_loss > 0 AND encoder = 'text' AND labels IN (40, 60) AND trained_by = 'worker' AND reason IN ('first labels', 'labels grew from 40 to 60')}), '2', 'models have figures, duration, and who made them why');

query(q{SELECT hl_label_many('tickets', ARRAY['270', '271'], ARRAY['of another kind', 'of another kind'])});
eventually($node, q{SELECT count(*) = 1 FROM hl_models('tickets') WHERE model = 2 AND reason = 'new class'}, 'two labels of a new class bring a training', 60);
eventually($node, $learned, 'which is taken up', 30);

# planned, and the worker is not there when its time comes
query(qq{
	CREATE TABLE late AS SELECT * FROM ticket WHERE id <= 600;
	ALTER TABLE late ADD PRIMARY KEY (id);
	SELECT hl_create_project('late', 'late', 'body', options => '{"train_growth": 100, "train_quiet": 3}');
	SELECT hl_label_many('late', array_agg(id::text), array_agg(topic)) FROM late WHERE id <= 60;});
my $late = q{(SELECT id FROM hl_project WHERE name = 'late')};
eventually($node, "SELECT model = 1 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving WHERE project_id = $late", 'another project', 60);
query(q{SELECT hl_label('late', 61, 'returns')});
eventually($node, "SELECT train_at IS NOT NULL AND NOT EXISTS (SELECT FROM hl_change) FROM hl_work WHERE project_id = $late", 'a training is planned', 30);
worker_gone($node);
eventually($node, "SELECT train_at < now() FROM hl_work WHERE project_id = $late", 'it is due', 30);
is(query("SELECT model FROM hl_serving WHERE project_id = $late"), '1', 'nobody is there');
query(q{SELECT label FROM hl_predict('late', 'x')});
eventually($node, q{SELECT count(*) = 1 FROM hl_models('late') WHERE model = 2 AND reason = 'quiet'}, 'the next call brings it', 60);

# how far it is
query(q{
	CREATE FUNCTION slow_block() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN NEW; END $$;
	CREATE TABLE bulky AS SELECT * FROM ticket WHERE id BETWEEN 1 AND 6000;
	ALTER TABLE bulky ADD PRIMARY KEY (id);
	CREATE TRIGGER slow_block BEFORE INSERT ON hl_feature_block FOR EACH ROW EXECUTE FUNCTION slow_block();
	SELECT hl_create_project('bulky', 'bulky', 'body');
	SELECT hl_label_many('bulky', array_agg(id::text), array_agg(topic)) FROM bulky WHERE id <= 60;});
my $progress = q{SELECT step ~ '^encoding [1-9][0-9]* of [1-9][0-9]* rows$' AND started_at < now() AND pid IN (SELECT pid FROM pg_stat_activity WHERE backend_type = 'humanloop worker') FROM hl_runs WHERE project = 'bulky' AND state = 'running'};
eventually($node, $progress, 'hl_runs tells how far an encoding is, since when and by whom', 60);
query('DROP TRIGGER slow_block ON hl_feature_block');
eventually($node, q{SELECT model = 1 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'bulky'}, 'and it ends', 60);

# ----------------------------------------------------------------------
# A restart, with something left to learn
# ----------------------------------------------------------------------

worker_gone($node);
query(q{INSERT INTO hl_change VALUES (1, 'labels', '{280}')});
$node->restart;
never($node, $learned, 'after a restart nobody looks by himself', 2);
query(q{SELECT hl_label('tickets', 280, 'returns')});
eventually($node, $learned, 'the next commit has it learned', 30);

# ----------------------------------------------------------------------
# Looking wakes it
# ----------------------------------------------------------------------

worker_gone($node);
query(q{INSERT INTO hl_change VALUES (1, 'pool')});
is(worker($node), '', 'nobody knows of a note that no commit has rung for');
query(q{SELECT count(*) FROM hl_projects});
eventually($node, $learned, 'until somebody looks at hl_projects', 30);

$node->stop;
done_testing();
