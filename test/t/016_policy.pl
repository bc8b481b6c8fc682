# When the worker trains, and what it does where it cannot: a quiet time, a lock
# on the source, an end between two steps, a model that is not better.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main');

sub query { return $node->safe_psql('postgres', $_[0]) }

# ----------------------------------------------------------------------
# After a quiet time
# ----------------------------------------------------------------------

fill($node, 300, undef, '{"train_quiet": 1, "train_growth": 50}');
query(q{SELECT hl_label(q.project, item, topic) FROM hl_queue q JOIN ticket t ON t.id = q.item::int ORDER BY rank LIMIT 60});
eventually($node, q{SELECT model = 1 FROM hl_serving}, 'the first model', 30);
query(q{SELECT hl_label('tickets', item, topic) FROM hl_next('tickets') JOIN ticket t ON t.id = item::int});
eventually($node, q{SELECT model = 1 AND revision > 0 FROM hl_serving}, 'an answer changes it', 10);
is(query(q{SELECT next_try > now() FROM hl_projects}), 't', 'a training is planned');
eventually($node, q{SELECT count(*) = 1 FROM hl_models('tickets') WHERE model = 2 AND reason = 'quiet' AND labels = 61}, 'which comes when nobody has said anything for a while', 60);
eventually($node, q{SELECT train_at IS NULL FROM hl_work}, 'no other is planned', 10);

# ----------------------------------------------------------------------
# Somebody holds a lock on the source
# ----------------------------------------------------------------------

query(q{CREATE TABLE other AS SELECT id, body, topic FROM ticket; ALTER TABLE other ADD PRIMARY KEY (id);
	SELECT hl_create_project('others', 'other', 'body', options => '{"train_quiet": 86400}');});
my $locker = session($node);
ask($locker, 'BEGIN; LOCK TABLE other');
query(q{INSERT INTO hl_change SELECT id, 'rows', '{5}' FROM hl_project WHERE name = 'others';
	SELECT hl_label('tickets', item, topic) FROM hl_next('tickets') JOIN ticket t ON t.id = item::int});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change WHERE project_id = (SELECT id FROM hl_project WHERE name = 'tickets'))}, 'others are not held up', 10);
sleep 2;
is(query(q{SELECT count(*) FROM hl_projects WHERE state = 'failing' OR last_error IS NOT NULL}), '0', 'that is no failure');
ask($locker, 'ROLLBACK');
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'and is seen to afterwards', 15);
is(query(q{SELECT count(*) FROM hl_run WHERE state = 'running' AND kind <> 'train'}), '0', 'no run is left behind');

# The same with a training that is due.
ask($locker, 'BEGIN; LOCK TABLE ONLY other IN ROW SHARE MODE');
query(q{SELECT hl_label_many('others', array_agg(id::text), array_agg(topic)) FROM other WHERE id <= 60});
ask($locker, 'LOCK TABLE other IN ACCESS EXCLUSIVE MODE');
sleep 3;
ask($locker, 'ROLLBACK');
eventually($node, q{SELECT count(*) = 1 FROM hl_models('others')}, 'a training', 30);
is(query(q{SELECT count(*) FROM hl_runs WHERE project = 'others' AND state IN ('running', 'failed', 'crashed')}), '0', 'leaves no run open either');

# ----------------------------------------------------------------------
# When labels have grown by a quarter, which is the default
# ----------------------------------------------------------------------

sub label_others
{
	my ($from, $to, $annotator) = @_;

	query("SELECT hl_label_many('others', array_agg(id::text), array_agg(topic), '$annotator') FROM other WHERE id BETWEEN $from AND $to");
	eventually($node, $learned, "$annotator: labels of $from to $to are learned", 20);
	return;
}

# Trainings, labelled items at the last one; is another due?
my $planned = q{SELECT (SELECT count(*) FROM hl_run r WHERE r.project_id = w.project_id AND kind = 'train' AND model IS NOT NULL), tried_labels, train_at < now() + '1 hour'
	FROM hl_work w JOIN hl_project p ON p.id = project_id WHERE name = 'others'};

is(query(q{SELECT options->'train_growth' IS NULL FROM hl_project WHERE name = 'others'}), 't', 'a project without the option');
eventually($node, $learned, 'its first model', 20);
my $last = 60;
my $number = 1;
for my $next (75, 94)
{
	label_others($last + 1, $next - 1, 'ann');
	is(query($planned), "$number|$last|f", 'one label less than a quarter more: no training');
	# what counts is how many items are labelled
	label_others(1, 50, 'bob');
	is(query($planned), "$number|$last|f", 'nor for answers to items that have a label');
	query("SELECT hl_label('others', id, topic, 'ann') FROM other WHERE id = $next");
	$number++;
	eventually($node, "SELECT count(*) = 1 FROM hl_models('others') WHERE model = $number AND labels = $next AND trained_by = 'worker' AND reason = 'labels grew from $last to $next'", "the label that makes $next of $last brings a training", 30);
	eventually($node, $learned, 'which is taken up', 20);
	is(query($planned) =~ s/\|\w?$//r, "$number|$next", 'and the next quarter is counted from there');
	$last = $next;
}

# ----------------------------------------------------------------------
# An end between two steps
# ----------------------------------------------------------------------

# Rows are encoded, and the worker ends before it has ranked them.
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'all is learned', 20);
query(q{CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.part = 'rest' THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); END IF; RETURN NEW; END $$;
	CREATE TRIGGER stop BEFORE UPDATE ON hl_ranking FOR EACH ROW EXECUTE FUNCTION stop();
	INSERT INTO ticket SELECT i, 'a late parcel for the tailor ' || i, 'delivery' FROM generate_series(1001, 2600) i;});
eventually($node, q{SELECT count(*) = 0 FROM hl_change WHERE kind = 'inserted' OR kind = 'rows'}, 'rows are encoded', 30);
worker_gone($node);
is(query(q{SELECT count(*) > 0 FROM hl_change WHERE kind = 'pool'}), 't', 'that they are not ranked yet is known');
query(q{DROP TRIGGER stop ON hl_ranking; SELECT count(*) FROM hl_models('tickets')});
eventually($node, q{SELECT count(*) > 0 FROM hl_ranking r, unnest(r.items) i WHERE r.project_id = 1 AND part IN ('rest', 'head') AND length(i) = 4}, 'the next worker ranks them', 30);
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'and then nothing is left to do', 30);

# ----------------------------------------------------------------------
# A model that is not better comes with an encoder of its own
# ----------------------------------------------------------------------

query(q{CREATE TABLE grown (id int PRIMARY KEY, body text, topic text);
	INSERT INTO grown SELECT id, body, topic FROM ticket WHERE id <= 300;
	SELECT hl_create_project('grown', 'grown', 'body', options => '{"train_quiet": 86400, "train_growth": 50}');
	SELECT hl_label_many('grown', array_agg(id::text), array_agg(topic)) FROM grown WHERE id <= 150;});
eventually($node, q{SELECT count(*) = 1 FROM hl_models('grown')}, 'a model', 30);
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'at rest', 20);
# as if the old one had been far better than any other can be
query(q{UPDATE hl_model_label SET losses = ARRAY(SELECT -5::real FROM unnest(losses)) WHERE project_id = (SELECT id FROM hl_project WHERE name = 'grown');
	INSERT INTO grown SELECT i, 'something else altogether, number ' || i, 'other' FROM generate_series(2001, 2900) i;});
eventually($node, q{SELECT count(*) = 1 FROM hl_models('grown') WHERE model = 2 AND NOT deployed AND reason LIKE 'source grew%'}, 'one that is not better is rejected', 60);
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'at rest again', 60);
is(query(q{SELECT v.model, v.encoder_id = m.encoder_id FROM hl_serving v JOIN hl_model m USING (project_id, model) JOIN hl_project p ON p.id = v.project_id WHERE p.name = 'grown'}), '1|t', 'the features are those of the model that stays');
query(q{INSERT INTO grown VALUES (3001, 'the last of them all', 'other')});
eventually($node, q{SELECT count(*) > 0 FROM hl_ranking r JOIN hl_project p ON p.id = r.project_id, unnest(r.items) i WHERE p.name = 'grown' AND part <> 'targets' AND i = '3001'}, 'and a new row is asked', 20);
is(query(q{SELECT count(*) FROM hl_models('grown')}), '2', 'nobody tries again and again');

# ----------------------------------------------------------------------
# Texts of which most pieces are equally rare
# ----------------------------------------------------------------------

query(q{CREATE TABLE rare AS SELECT i AS id, 'parcel late courier ' || md5((i / 5)::text) AS body FROM generate_series(1, 20000) i;
	ALTER TABLE rare ADD PRIMARY KEY (id);
	SELECT hl_create_project('rare', 'rare', 'body')});
is(query(q{SELECT hl_refresh('rare')}), '20000', 'can be encoded');

$node->stop;
done_testing();
