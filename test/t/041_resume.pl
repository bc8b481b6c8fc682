# Encoding with a slow encoder: how far it is can be seen, and whoever begins anew
# goes on at the last block.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;
use Transformer;

my $rows = 6000;
my $patience = 120;
my $node = new_node('main', conf => "restart_after_crash = on\n");

sub query { return $node->safe_psql('postgres', $_[0]) }
sub wait_for { return eventually($node, $_[1], $_[0], $patience) }

# Blocks of encoders that do not serve; in how many rows; which, and who has written them.
my $waiting = q{SELECT %s FROM hl_feature_block b WHERE NOT EXISTS (SELECT FROM hl_serving v WHERE v.encoder_id = b.encoder_id)};
my $rows_waiting = sprintf($waiting, 'coalesce(sum(live_rows), 0)');
my $left_behind = q{SELECT count(*) FROM hl_encoder e WHERE project_id IS NOT NULL AND (unfinished OR NOT EXISTS (SELECT FROM hl_serving v WHERE v.encoder_id = e.id)
	AND NOT EXISTS (SELECT FROM hl_model m WHERE m.encoder_id = e.id AND m.stored))};
my $progress = q{SELECT rows_done > 0 AND rows_done < rows_total AND rows_total = %d AND step LIKE 'encoding%%' FROM hl_runs WHERE state = 'running'};

sub blocks_waiting { return query(sprintf($waiting, q{string_agg(concat_ws(':', encoder_id, block, xmin), ' ' ORDER BY block)})) }

# Rows of the project, as they are stored: all, and different ones.
my $stored = q{SELECT count(*) || ' ' || count(DISTINCT item) FROM hl_feature_block b JOIN hl_serving v USING (project_id, encoder_id),
	unnest(b.items, ARRAY(SELECT substr(b.hashes, 8 * g - 7, 8) FROM generate_series(1, cardinality(b.items)) g)) u(item, hash) WHERE hash <> '\x0000000000000000'};

my $files = PostgreSQL::Test::Utils::tempdir();
write_transformer("$files/small", width => 32, layers => 2, seed => 1);
write_transformer("$files/other", width => 16, layers => 1, seed => 2);
query(qq{SELECT hl_import_encoder('small', 'transformer', path => '$files/small'), hl_import_encoder('other', 'transformer', path => '$files/other'),
		hl_import_encoder('third', 'transformer', path => '$files/other');
	CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
	INSERT INTO ticket SELECT i, (ARRAY['please take back ', 'where is the parcel with ', 'was charged twice for '])[1 + i % 3]
		|| (ARRAY['the shoes', 'the jacket', 'the lamp', 'a phone', 'the table', 'two books', 'the kettle'])[1 + i / 3 % 7]
		|| (SELECT string_agg((ARRAY['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'])[1 + d::int], ' ') FROM regexp_split_to_table(i::text, '') d),
		(ARRAY['returns', 'delivery', 'billing'])[1 + i % 3] FROM generate_series(1, $rows) i;
	CREATE FUNCTION slow_block() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END \$\$;
	CREATE TRIGGER slow_block BEFORE INSERT ON hl_feature_block FOR EACH ROW EXECUTE FUNCTION slow_block();
	SELECT hl_create_project('tickets', 'ticket', 'body', encoder => 'small');
	SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 60;});

# ----------------------------------------------------------------------
# Progress, and a crash in the middle
# ----------------------------------------------------------------------

wait_for('hl_runs says how many rows are done', sprintf($progress, $rows));
is(query(q{SELECT state || ' ' || (rows_left BETWEEN 1 AND 5999) FROM hl_projects}), 'training true', 'hl_projects says how many are left');
wait_for('some blocks are there', sprintf($waiting, 'count(*) >= 3'));
crash($node, worker($node));
my $written = blocks_waiting();
my $done = query($rows_waiting);
is(query(q{SELECT rows_done || ' of ' || rows_total FROM hl_run ORDER BY id LIMIT 1}), "$done of $rows", 'what was done is what is written');
cmp_ok($done, '<', $rows, 'that is not all');
query(q{SELECT hl_resume('tickets')});
wait_for('the next worker encodes the rest', sprintf($progress, $rows - $done));
wait_for('a model comes', q{SELECT model > 0 FROM hl_serving});
is(query(q{SELECT string_agg(concat_ws(' ', state, rows_done, rows_total), ', ' ORDER BY id) FROM hl_run WHERE rows_total > 0}),
	"crashed $done $rows, done " . ($rows - $done) . ' ' . ($rows - $done), 'no row was encoded twice');
is(query($stored), "$rows $rows", 'and all were');
is(query(q{SELECT string_agg(concat_ws(':', encoder_id, block, xmin), ' ' ORDER BY block) FROM hl_feature_block WHERE block <= } . (split(/:/, (split / /, $written)[-1]))[1]),
	$written, 'what was written is as it was');
is(query(q{SELECT label IS NOT NULL FROM hl_predict('tickets', 'where is the parcel')}), 't', 'the model answers');
is(query(q{SELECT e.name FROM hl_encoder e JOIN hl_serving v ON v.encoder_id = e.id}), 'small', 'with that encoder');
is(query($left_behind), '0', 'nothing is left over');
is(query(q{SELECT state || coalesce(rows_left::text, '') FROM hl_projects}), 'ready', 'no row is left');
is(query(q{SELECT hl_refresh('tickets')}), '0', 'a refresh finds nothing to do');

# ----------------------------------------------------------------------
# Rows that change while nobody is there
# ----------------------------------------------------------------------

query(q{SELECT hl_set_encoder('tickets', 'other')});
wait_for('another encoder is begun with', sprintf($waiting, 'count(*) >= 3'));
worker_gone($node);
my $begun = query(q{SELECT id FROM hl_encoder WHERE unfinished});
isnt($begun, '', 'and not finished');
is(query(q{SELECT hl_refresh('tickets')}), '0', 'hl_refresh has nothing to do with it');
is(query(q{SELECT id FROM hl_encoder WHERE unfinished}), $begun, 'it stays');
query(q{ALTER TABLE hl_feature_block DISABLE TRIGGER slow_block;
	DELETE FROM ticket WHERE id BETWEEN 101 AND 110; UPDATE ticket SET body = 'one two ' || body WHERE id BETWEEN 111 AND 120; INSERT INTO ticket SELECT 10000 + i, 'three ' || i FROM generate_series(1, 5) i});
query(q{SELECT hl_resume('tickets')});
wait_for('its model comes', q{SELECT m.encoder_id = s.encoder_id AND m.encoder = 'other' FROM hl_serving s JOIN hl_model m USING (project_id, model)});
is(query(q{SELECT encoder_id FROM hl_serving}), $begun, 'with what was begun');
wait_for('all is taken up', q{SELECT NOT EXISTS (SELECT FROM hl_change)});
is(query($stored), ($rows - 5) . ' ' . ($rows - 5), 'every row is there once');
is(query(q{SELECT hl_refresh('tickets')}), '0', 'as it is');
wait_for('what was made from the others is erased', q{SELECT bool_and(live_rows = octet_length(hashes) / 8) FROM hl_feature_block});
is(query($left_behind), '0', 'nothing is left over');

# ----------------------------------------------------------------------
# What nobody goes on with
# ----------------------------------------------------------------------

query(q{ALTER TABLE hl_feature_block ENABLE TRIGGER slow_block; SELECT hl_set_encoder('tickets', 'third')});
wait_for('a third one is begun with', sprintf($waiting, 'count(*) >= 3'));
is(sqlstate($node, q{SELECT hl_drop_encoder('third')}), '2BP01', 'and cannot be dropped');
query(q{SELECT hl_set_encoder('tickets', 'other')});
wait_for('no longer wanted, it goes at once', "SELECT ($left_behind) = 0");
is(query($rows_waiting), '0', 'with its blocks');
wait_for('its run has ended', q{SELECT count(*) = 1 FROM hl_run WHERE state = 'superseded'});
is(sqlstate($node, q{SELECT hl_drop_encoder('third')}), '', 'it can be dropped');

query(q{SELECT hl_set_encoder('tickets', 'small')});
wait_for('and the first one again', sprintf($waiting, 'count(*) >= 3'));
worker_gone($node);
is(query(q{SELECT count(*) FROM hl_encoder WHERE unfinished}), '1', 'it is not finished');
query(q{SELECT hl_set_encoder('tickets', 'other')});
wait_for('no longer wanted, it goes with the next worker', "SELECT ($left_behind) = 0");

# What it consists of may be gone, where somebody has been at the tables.
query(qq{SELECT hl_import_encoder('third', 'transformer', path => '$files/other'); SELECT hl_set_encoder('tickets', 'third')});
wait_for('a third one is begun with', sprintf($waiting, 'count(*) >= 2'));
worker_gone($node);
query(q{DELETE FROM hl_encoder WHERE name = 'third' AND project_id IS NULL; SELECT hl_resume('tickets')});
wait_for('without the imported one it goes', "SELECT ($left_behind) = 0");
wait_for('the project fails', q{SELECT failures > 0 AND last_error = 'encoder "third" does not exist' FROM hl_work});
query(q{SELECT hl_set_encoder('tickets', 'other'), hl_resume('tickets')});
wait_for('until it has another', q{SELECT NOT EXISTS (SELECT FROM hl_change)});

# A training by hand makes its own.
query(q{SELECT hl_set_encoder('tickets', 'small')});
wait_for('begun', sprintf($waiting, 'count(*) >= 2'));
query(q{SELECT hl_pause('tickets'); ALTER TABLE hl_feature_block DISABLE TRIGGER slow_block});
worker_gone($node);
is(query(q{SELECT count(*) FROM hl_encoder WHERE unfinished}), '1', 'and ended');
query(q{SELECT hl_train('tickets')});
is(query($left_behind), '0', 'nothing is left over of it');
is(query(q{SELECT e.name FROM hl_encoder e JOIN hl_serving v ON v.encoder_id = e.id}), 'small', 'the encoder is the one that was asked for');
is(query($stored), ($rows - 5) . ' ' . ($rows - 5), 'every row is there once');
query(q{SELECT hl_resume('tickets')});

# ----------------------------------------------------------------------
# Rows of a project without a training
# ----------------------------------------------------------------------

query(q{ALTER TABLE hl_feature_block ENABLE TRIGGER slow_block;
	CREATE TABLE labelled AS SELECT id, body, CASE WHEN id <= 5 THEN topic END AS topic FROM ticket WHERE id <= 3000;
	ALTER TABLE labelled ADD PRIMARY KEY (id);
	SELECT hl_create_project('labelled', 'labelled', 'body', label => 'topic', encoder => 'small')});
wait_for('rows that are taken up are a run', q{SELECT kind = 'rows' AND rows_done > 0 FROM hl_runs WHERE project = 'labelled' AND state = 'running'});
is(query(q{SELECT state || ' ' || (rows_left > 0) FROM hl_projects WHERE project = 'labelled'}), 'encoding true', 'hl_projects shows it');
worker_gone($node);
query(q{SELECT hl_resume('labelled')});
wait_for('it goes on', q{SELECT encoder_id IS NOT NULL FROM hl_serving s JOIN hl_project p ON p.id = s.project_id WHERE name = 'labelled'});
wait_for('and ends', q{SELECT NOT EXISTS (SELECT FROM hl_change) AND NOT EXISTS (SELECT FROM hl_run WHERE state = 'running')});
is(query(q{SELECT string_agg(concat_ws(' ', kind, state), ', ' ORDER BY id) || ' ' || sum(rows_done) FROM hl_runs WHERE project = 'labelled'}), 'rows crashed, rows done 2990', 'in two runs');
is(query(q{SELECT failures || ' ' || (train_at IS NULL) FROM hl_work w JOIN hl_project p ON p.id = w.project_id WHERE name = 'labelled'}), '0 true', 'no training is planned for it, and the failure is forgotten');
is(query(q{SELECT state FROM hl_projects WHERE project = 'labelled'}), 'no model', 'it waits for labels');

# ----------------------------------------------------------------------
# What was fitted, on a source that grows
# ----------------------------------------------------------------------

query(q{CREATE TABLE growing AS SELECT id, body, topic FROM labelled WHERE id <= 2000;
	ALTER TABLE growing ADD PRIMARY KEY (id);
	SELECT hl_create_project('growing', 'growing', 'body', label => 'topic', encoder => 'text')});
for my $factor (2, 3)
{
	wait_for('begun', sprintf($waiting, 'count(*) >= 2'));
	worker_gone($node);
	$begun = query(q{SELECT id FROM hl_encoder WHERE unfinished});
	query(q{INSERT INTO growing SELECT id + 10000, body FROM growing WHERE id < 10000}) if $factor == 2;
	query(q{INSERT INTO growing SELECT id + 20000, body FROM growing; ALTER TABLE hl_feature_block DISABLE TRIGGER slow_block}) if $factor == 3;
	query(q{SELECT hl_resume('growing')});
	wait_for('its rows are all there', q{SELECT encoder_id IS NOT NULL AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving s JOIN hl_project p ON p.id = s.project_id WHERE name = 'growing'}) if $factor == 3;
	wait_for('the next one is at it', sprintf($waiting, 'count(*) >= 4')) if $factor == 2;
	is(query(q{SELECT max(id) FROM hl_encoder}), $begun, 'twice as many rows: it goes on') if $factor == 2;
	cmp_ok(query(q{SELECT encoder_id FROM hl_serving s JOIN hl_project p ON p.id = s.project_id WHERE name = 'growing'}), '>', $begun, 'more than that: it is fitted anew') if $factor == 3;
}
is(query(q{SELECT count(*) || ' ' || sum(live_rows) FROM (SELECT encoder_id, sum(live_rows) AS live_rows FROM hl_feature_block b JOIN hl_project p ON p.id = b.project_id WHERE name = 'growing' GROUP BY 1) s}), '1 ' . query(q{SELECT count(*) FROM growing}), 'every row once');
is(query($left_behind), '0', 'nothing is left over');

$node->stop;
done_testing();
