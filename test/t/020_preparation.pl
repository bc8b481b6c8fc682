# The worker prepares features of a large source while life goes on: short
# transactions only, nothing lost, nothing left behind.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $rows = 60000;
my $node = new_node('main', conf => "restart_after_crash = on\n");
my $patience = 120;

# Blocks and the source say the same: every row once, none that is gone.  That
# each has the input of now is what hl_refresh() finds out.
my $compare = q{
	WITH stored AS (SELECT u.item FROM hl_feature_block b JOIN hl_serving v USING (project_id, encoder_id),
		unnest(b.items, ARRAY(SELECT substr(b.hashes, 8 * g - 7, 8) FROM generate_series(1, cardinality(b.items)) g)) u(item, hash)
		WHERE u.hash <> '\x0000000000000000')
	SELECT (SELECT count(*) - count(DISTINCT item) FROM stored)
		|| ' twice, ' || (SELECT count(*) FROM (SELECT id::text FROM doc WHERE body IS NOT NULL EXCEPT SELECT item FROM stored) m)
		|| ' missing, ' || (SELECT count(*) FROM (SELECT item FROM stored EXCEPT SELECT id::text FROM doc WHERE body IS NOT NULL) g) || ' gone'};

# Encoders and blocks that nobody refers to.
my $leftovers = q{SELECT (SELECT count(*) FROM hl_encoder e WHERE NOT EXISTS (SELECT 1 FROM hl_serving v WHERE v.encoder_id = e.id)
		AND NOT EXISTS (SELECT 1 FROM hl_model m WHERE m.encoder_id = e.id))
	+ (SELECT count(*) FROM hl_encoder_part p WHERE NOT EXISTS (SELECT 1 FROM hl_encoder e WHERE e.id = p.encoder_id))
	+ (SELECT count(*) FROM hl_feature_block b WHERE NOT EXISTS (SELECT 1 FROM hl_serving v WHERE v.encoder_id = b.encoder_id))};

sub query
{
	return $node->safe_psql('postgres', $_[0]);
}

sub wait_for
{
	my ($what, $query) = @_;
	return eventually($node, $query, $what, $patience);
}

sub label
{
	my ($from, $to) = @_;
	query("SELECT hl_label_many('docs', array_agg(id::text), array_agg(topic)) FROM doc WHERE id BETWEEN $from AND $to");
	return;
}

sub create
{
	query(q{SELECT hl_create_project('docs', 'doc', 'body')});
	return;
}

# Waits until so many blocks of an encoder that does not serve are there.
sub wait_until_encoding
{
	wait_for('it encodes', q{SELECT count(*) >= 5 FROM hl_feature_block b WHERE NOT EXISTS (SELECT 1 FROM hl_serving v WHERE v.encoder_id = b.encoder_id)});
	return;
}

query(qq{
	CREATE TABLE word AS SELECT i, translate(md5(i::text), '0123456789', 'ghijklmnop') AS word FROM generate_series(1, 4000) i;
	CREATE TABLE doc (id int PRIMARY KEY, body text, topic text);
	INSERT INTO doc
	SELECT i, (SELECT string_agg(left(word, 5 + w.i % 4), ' ') FROM generate_series(1, 12) g JOIN word w ON w.i = 1 + (i * 7919 + g * g * (i % 1013)) % 4000)
		|| (ARRAY[' please take it back', ' where is the parcel', ' charged twice'])[1 + i % 3] || ' order ' || i,
		(ARRAY['returns', 'delivery', 'billing'])[1 + i % 3]
	FROM generate_series(1, $rows) i;});

# The first training, watched, with people who write and label meanwhile.
create();
my $watcher = session($node);
label(1, 60);
my ($samples, $busy, $longest, $xmin, $labelled, $wrote) = (0, 0, 0, 0, 60, 0);
my $counted = 0;
my $end = time() + $patience;
while (time() < $end)
{
	my $line = ask($watcher, q{SELECT coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0) || '|' || (backend_xmin IS NOT NULL) || '|' || query
		FROM pg_stat_activity WHERE backend_type LIKE 'humanloop%'});
	my ($age, $snapshot, $doing) = split(/\|/, $line, 3);

	if (defined $doing && $doing =~ /fitting features|encoding/)
	{
		$samples++;
		$busy++ if $age > 0;
		$xmin++ if $snapshot eq 'true';
		$longest = $age if $age > $longest;
		if (!$wrote++)
		{
			query(q{INSERT INTO doc SELECT 100000 + i, 'a late row ' || i, 'late' FROM generate_series(1, 20) i;
				UPDATE doc SET body = 'changed meanwhile ' || id WHERE id BETWEEN 30000 AND 30009;
				UPDATE doc SET body = NULL WHERE id BETWEEN 30010 AND 30014;
				DELETE FROM doc WHERE id BETWEEN 40000 AND 40009;});
			label(61, 70);
			$labelled = 70;
		}
		# what was said is counted while the training goes on
		$counted = 1 if $labelled == 70 && ask($watcher, q{SELECT count(*) = 0 FROM hl_change WHERE kind = 'labels'}) eq 't';
	}
	last if $samples > 0 && ask($watcher, q{SELECT count(*) > 0 FROM hl_serving WHERE model > 0}) eq 't';
	sleep(0.05);
}
${ $watcher->{in} } .= "\\q\n";
IPC::Run::finish($watcher->{run});
cmp_ok($samples, '>', 5, 'it was watched while it prepared');
cmp_ok($longest, '<', 1, 'no transaction is long');
cmp_ok($xmin, '<', $samples / 2 + 1, 'and mostly there is no snapshot') or diag("$xmin of $samples");
note "$samples samples, $busy in a transaction, $xmin with a snapshot, the longest $longest s";
ok($counted, 'labels are counted meanwhile');
wait_for('the model comes', q{SELECT model > 0 FROM hl_serving});
is(query(q{SELECT labels FROM hl_model WHERE model = 1}), '70', 'with the labels that came meanwhile');
wait_for('and what was written meanwhile is taken up', q{SELECT count(*) = 0 FROM hl_change});
is(query($compare), '0 twice, 0 missing, 0 gone', 'features are those of the source');
is(query($leftovers), '0', 'nothing is left over');
is(query(q{SELECT items FROM hl_serving}), query(q{SELECT count(body) FROM doc}), 'items are counted');

is(query(q{SELECT hl_refresh('docs')}), '0', 'a refresh finds nothing to do');

# Many rows at once are compared with all the source, in portions, too.
query(q{UPDATE doc SET body = 'bulk ' || body WHERE id % 10 = 0; DELETE FROM doc WHERE id % 7 = 0; INSERT INTO doc SELECT 200000 + i, 'bulk load ' || i FROM generate_series(1, 20000) i});
wait_for('bulk changes are taken up', q{SELECT count(*) = 0 FROM hl_change});
is(query($compare), '0 twice, 0 missing, 0 gone', 'and are right');
is(query(q{SELECT hl_refresh('docs')}), '0', 'a refresh finds nothing to do');
is(query(q{SELECT items FROM hl_serving}), query(q{SELECT count(body) FROM doc}), 'items are counted');
cmp_ok(query(q{SELECT count(*) FROM hl_feature_block WHERE live_rows < 256}), '<', 10, 'half-empty blocks were merged');

# Outgrown: the model goes on with its own encoder until the next is trained.
query(q{INSERT INTO doc SELECT 300000 + g, 'grown ' || g || ' ' || (SELECT string_agg(word, ' ') FROM word WHERE i IN (1 + g % 4000, 1 + g * 3 % 4000)) FROM generate_series(1, 90000) g});
wait_for('growth is taken up', q{SELECT count(*) = 0 FROM hl_change WHERE kind <> 'pool'});
label(1001, 1200);
wait_until_encoding();
is(query(q{SELECT label IS NOT NULL AND model = 1 FROM hl_predict('docs', 'where is the parcel')}), 't', 'the old model answers meanwhile');
wait_for('the next model comes', q{SELECT model = 2 FROM hl_serving});
wait_for('the old blocks go', q{SELECT count(DISTINCT encoder_id) = 1 FROM hl_feature_block});
is(query($compare), '0 twice, 0 missing, 0 gone', 'features are those of the source');

# An end in the middle: the next worker goes on where the last one was.
my $unfinished = q{SELECT string_agg(concat_ws(' ', id, (SELECT count(*) FROM hl_encoder_part p WHERE p.encoder_id = e.id)), ', ') FROM hl_encoder e WHERE unfinished};
my $blocks = q{SELECT md5(string_agg(concat_ws(' ', block, xmin), ',' ORDER BY block)) FROM hl_feature_block WHERE block <= };
query(q{SELECT hl_drop_project('docs'); DELETE FROM doc WHERE id > 60000});
create();
label(1, 60);
wait_until_encoding();
worker_gone($node);
my $encoder = query($unfinished);
my $last = query(q{SELECT max(block) FROM hl_feature_block});
my $written = query($blocks . $last);
like($encoder, qr/^\d+ \d+$/, 'a worker that is terminated leaves one encoder');
label(61, 62);
wait_for('the next one goes on with it', q{SELECT encoder_id IS NOT NULL FROM hl_serving});
is(query(q{SELECT encoder_id FROM hl_serving}), $encoder =~ s/ .*//r, 'and it serves');
is(query($blocks . $last), $written, 'what was encoded before is as it was');
is(query($unfinished), '', 'it is finished now');
wait_for('it trains', q{SELECT model > 0 FROM hl_serving});
wait_for('all is done', q{SELECT count(*) = 0 FROM hl_change});
is(query($leftovers), '0', 'nothing is left over');
is(query($compare), '0 twice, 0 missing, 0 gone', 'features are those of the source');

# The same after a crash, and rows that have changed since are encoded again.
query(q{SELECT hl_drop_project('docs')});
create();
label(1, 60);
wait_until_encoding();
my $killed = worker($node);
crash($node, $killed);
is(query("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $killed)"), 't', 'the server is back after a worker was killed');
$encoder = query($unfinished);
$last = query(q{SELECT max(block) FROM hl_feature_block});
like($encoder, qr/^\d+ \d+$/, 'the encoder is there');
query(q{DELETE FROM doc WHERE id BETWEEN 100 AND 109; UPDATE doc SET body = 'another text ' || id WHERE id BETWEEN 110 AND 119});
label(63, 64);
query(q{SELECT hl_resume('docs')});
wait_for('it trains after all', q{SELECT model > 0 FROM hl_serving});
is(query(q{SELECT encoder_id FROM hl_serving}), $encoder =~ s/ .*//r, 'with the encoder that was there');
wait_for('all is done', q{SELECT count(*) = 0 FROM hl_change});
is(query($leftovers), '0', 'nothing is left over');
is(query($compare), '0 twice, 0 missing, 0 gone', 'features are those of the source');
is(query(q{SELECT hl_refresh('docs')}), '0', 'a refresh finds nothing to do');
wait_for('what was made from rows that are gone is erased', q{SELECT bool_and(live_rows = octet_length(hashes) / 8) FROM hl_feature_block});

# Whoever trains himself leaves nothing of what was begun.
query(q{SELECT hl_drop_project('docs')});
create();
label(1, 60);
wait_until_encoding();
query(q{SELECT hl_pause('docs')});
worker_gone($node);
isnt(query($unfinished), '', 'an encoder is begun');
query(q{SELECT hl_train('docs')});
is(query($leftovers), '0', 'and gone with a training by hand');
is(query($compare), '0 twice, 0 missing, 0 gone', 'features are those of the source');
query(q{SELECT hl_resume('docs')});

# Whoever trains himself supersedes it.
query(q{SELECT hl_drop_project('docs')});
create();
label(1, 60);
wait_until_encoding();
query(q{SELECT hl_train('docs')});
wait_for('the run ends', q{SELECT count(*) = 0 FROM hl_run WHERE state = 'running'});
is(query(q{SELECT count(*) FROM hl_model}), '1', 'there is one model');
wait_for('nothing is left over', "SELECT ($leftovers) = 0");
is(query($compare), '0 twice, 0 missing, 0 gone', 'features are those of the source');

# The project goes in the middle.
query(q{SELECT hl_drop_project('docs')});
create();
label(1, 60);
wait_until_encoding();
query(q{SELECT hl_drop_project('docs')});
is(query(q{SELECT (SELECT count(*) FROM hl_feature_block) + (SELECT count(*) FROM hl_encoder) + (SELECT count(*) FROM hl_encoder_part)}), '0', 'a dropped project leaves nothing');
sleep(1);
is(query(q{SELECT (SELECT count(*) FROM hl_feature_block) + (SELECT count(*) FROM hl_encoder) + (SELECT count(*) FROM hl_encoder_part)}), '0', 'also later');

# Labels of the source itself: the worker needs no other, and a view, which
# tells nothing of its changes, is compared with what is stored.
query(q{
	CREATE TABLE small AS SELECT n AS id, body, CASE WHEN n <= 500 THEN topic END AS topic FROM (SELECT row_number() OVER (ORDER BY id)::int AS n, * FROM doc) d WHERE n <= 5000;
	ALTER TABLE small ADD PRIMARY KEY (id);
	CREATE VIEW small_view AS SELECT * FROM small;
	CREATE TABLE vectors AS SELECT i AS id, ARRAY[cos(i), sin(i), i % 2]::float4[] AS v, CASE WHEN i <= 200 THEN 'class ' || i % 2 END AS topic FROM generate_series(1, 3000) i;
	ALTER TABLE vectors ADD PRIMARY KEY (id);
	SELECT hl_create_project('small', 'small', 'body', 'id', 'topic');
	SELECT hl_create_project('viewed', 'small_view', 'body', 'id');
	SELECT hl_create_project('vectors', 'vectors', 'v', 'id', 'topic');
	SELECT hl_label_many('viewed', array_agg(id::text), array_agg(topic)) FROM small WHERE id <= 60;});
wait_for('all of them are trained', q{SELECT count(*) = 3 FROM hl_serving WHERE model > 0});
is(query(q{SELECT string_agg(p.name || ' ' || v.items || ' ' || m.labels || ' ' || (SELECT sum(live_rows) FROM hl_feature_block b WHERE b.project_id = p.id), ', ' ORDER BY p.name)
	FROM hl_project p JOIN hl_serving v ON v.project_id = p.id JOIN hl_model m ON m.project_id = p.id AND m.model = v.model}),
	'small 5000 500 5000, vectors 3000 200 3000, viewed 5000 60 5000', 'on all their labels');
query(q{INSERT INTO small SELECT id + 10000, body FROM small WHERE id <= 100; DELETE FROM small WHERE id BETWEEN 1001 AND 1010;
	SELECT hl_label_many('viewed', array_agg(id::text), array_agg(topic)) FROM small WHERE id BETWEEN 61 AND 400});
wait_for('the view is trained again', q{SELECT v.model > 1 FROM hl_serving v JOIN hl_project p ON p.id = v.project_id WHERE p.name = 'viewed'});
is(query(q{SELECT v.items || ' ' || (SELECT sum(live_rows) FROM hl_feature_block b WHERE b.project_id = p.id) FROM hl_serving v JOIN hl_project p ON p.id = v.project_id WHERE p.name = 'viewed'}),
	'5090 5090', 'on the rows it has now');
is(query($leftovers), '0', 'nothing is left over');
query(q{SELECT hl_drop_project('small'), hl_drop_project('viewed'), hl_drop_project('vectors')});

# The database goes.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION humanloop');
$node->safe_psql('other', q{CREATE TABLE doc AS SELECT i AS id, 'text ' || md5(i::text) || ' ' || md5((i / 7)::text) AS body, (ARRAY['a', 'b'])[1 + i % 2] AS topic FROM generate_series(1, 60000) i; ALTER TABLE doc ADD PRIMARY KEY (id)});
$node->safe_psql('other', q{SELECT hl_create_project('docs', 'doc', 'body')});
$node->safe_psql('other', q{SELECT hl_label_many('docs', array_agg(id::text), array_agg(topic)) FROM doc WHERE id <= 60});
eventually($node, q{SELECT count(*) > 0 FROM hl_run WHERE step LIKE 'fitting features%' OR step LIKE 'encoding%'}, 'it prepares in another database', $patience, 'other');
my $began = time();
$node->safe_psql('postgres', 'DROP DATABASE other');
cmp_ok(time() - $began, '<', 3, 'which is dropped at once');

# The source goes in the middle.
create();
label(1, 60);
wait_until_encoding();
query(q{DROP TABLE doc CASCADE});
wait_for('nothing is left over', "SELECT ($leftovers) = 0");
wait_for('the run ends', q{SELECT count(*) = 0 FROM hl_run WHERE state = 'running'});
is(query(q{SELECT model IS NULL FROM hl_serving}), 't', 'there is no model of a source that is gone');

$node->stop;
done_testing();
