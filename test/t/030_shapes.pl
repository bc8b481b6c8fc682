# The source changes its shape while the worker is there, and busy.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main');
my $settled = q{SELECT NOT EXISTS (SELECT FROM hl_change)};
my $rare = '{"train_growth": 100, "train_quiet": 86400}';

sub query { return $node->safe_psql('postgres', @_); }

# A statement that must not wait for the end of a training.
sub at_once
{
	my ($what, $statement) = @_;
	my $began = time;

	is(sqlstate($node, $statement), '', $what);
	cmp_ok(time - $began, '<', 5, "$what: at once");
	return;
}

# Features, as many as the source has rows with an input, in order?
sub features_of
{
	my ($project) = @_;

	return qq{(SELECT count(*) FROM hl_feature_block b, unnest(b.items, ARRAY(SELECT substr(b.hashes, 8 * g - 7, 8) FROM generate_series(1, cardinality(b.items)) g)) u(item, hash)
		WHERE b.project_id = (SELECT id FROM hl_project WHERE name = '$project') AND b.encoder_id = (SELECT encoder_id FROM hl_serving WHERE project_id = b.project_id)
		AND hash <> '\\x0000000000000000')};
}

# What failed so far.
sub failures
{
	return query(q{SELECT coalesce(string_agg(concat_ws(' ', kind, sqlstate, error), '; '), 'none') FROM hl_run WHERE state = 'failed'});
}

my $serves = q{FROM hl_serving v JOIN hl_project p ON p.id = v.project_id JOIN hl_model m USING (project_id, model) JOIN hl_encoder e ON e.id = m.encoder_id WHERE p.name = 'tickets'};

fill($node, 600, 'postgres', $rare);
model_by_itself($node, 60);
query(q{CREATE FUNCTION vector(topic text, id int, length int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(CASE WHEN n = position(left(topic, 1) IN 'rdb') THEN 1 ELSE 0.1 * sin(id * n) END::real) FROM generate_series(1, length) n $$;
	CREATE FUNCTION one_of(topic int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$ SELECT array_agg((n = topic)::int::real) FROM generate_series(0, 39) n $$});

# ----------------------------------------------------------------------
# Types
# ----------------------------------------------------------------------

# the view goes along; nothing is encoded anew
my $blocks = query(q{SELECT string_agg(xmin::text, ' ' ORDER BY block) FROM hl_feature_block});
at_once('another type of the key and the input', q{ALTER TABLE ticket ALTER id TYPE bigint, ALTER body TYPE varchar(500)});
is(query(q{SELECT pg_typeof(id) || ' ' || pg_typeof(body) FROM hl_queue_tickets LIMIT 1}), 'bigint character varying', 'which the view has, too');
eventually($node, $settled, 'is followed', 20);
is(query(q{SELECT string_agg(xmin::text, ' ' ORDER BY block) FROM hl_feature_block}), $blocks, 'and nothing is encoded for it');
query(q{INSERT INTO ticket VALUES (3000000000, 'where is the parcel with a bicycle', 'delivery'); SELECT hl_label('tickets', 3000000000, 'delivery')});
eventually($node, "SELECT " . features_of('tickets') . " = 601 AND NOT EXISTS (SELECT FROM hl_change)", 'an item beyond an integer', 20);
query(q{DELETE FROM ticket WHERE id = 3000000000; ALTER TABLE ticket ALTER id TYPE int});
eventually($node, "SELECT " . features_of('tickets') . " = 600 AND NOT EXISTS (SELECT FROM hl_change)", 'and back', 20);

# a text becomes a vector
at_once('the text becomes a vector', q{ALTER TABLE ticket ALTER body TYPE real[] USING vector(topic, id, 3)});
is(query(q{SELECT count(*) > 0 FROM hl_queue_tickets}), 't', 'there still is a queue');
eventually($node, "SELECT e.name = 'vector' AND e.dims = 3 $serves", 'the worker makes a model of vectors', 30);
eventually($node, "SELECT " . features_of('tickets') . " = 600 AND NOT EXISTS (SELECT FROM hl_change)", 'with features of all rows', 20);
is(query(q{SELECT reason FROM hl_models('tickets') ORDER BY model DESC LIMIT 1}), 'input changed', 'and says why');
is(query(q{SELECT labels FROM hl_models('tickets') ORDER BY model DESC LIMIT 1}), '60', 'of all labels');
is(query(q{SELECT label FROM hl_predict('tickets', ARRAY[0, 0, 1])}), 'billing', 'it answers');
is(query(q{SELECT count(*) FROM hl_predict('tickets')}), '600', 'for all rows');
my ($next) = query(q{SELECT item FROM hl_next('tickets')});
query(qq{SELECT hl_label('tickets', $next, topic) FROM ticket WHERE id = $next});
eventually($node, "SELECT v.revision > 0 AND NOT EXISTS (SELECT FROM hl_change) $serves", 'and learns', 20);

# of another length: all at once, or few at a time
query(q{UPDATE ticket SET body = vector(topic, id, 5)});
eventually($node, "SELECT e.dims = 5 AND v.encoder_id = m.encoder_id $serves", 'vectors of another length', 30);
eventually($node, "SELECT " . features_of('tickets') . " = 600", 'of all rows', 20);
query(join(';', map { "UPDATE ticket SET body = vector(topic, id, 4) WHERE id % 12 = $_" } 0 .. 11));
eventually($node, "SELECT e.dims = 4 AND v.encoder_id = m.encoder_id $serves", 'in twelve statements', 30);
eventually($node, "SELECT " . features_of('tickets') . " = 600 AND NOT EXISTS (SELECT FROM hl_change)", 'all rows, too', 20);
query(q{UPDATE ticket SET body = vector(topic, id, 3) WHERE id > 550});
eventually($node, "SELECT " . features_of('tickets') . " = 550 AND NOT EXISTS (SELECT FROM hl_change)", 'a few of another length are left out', 20);
is(query("SELECT e.dims $serves"), '4', 'and change nothing');
# emptied, it is not of another length
query(q{CREATE TABLE saved AS SELECT * FROM ticket; TRUNCATE ticket});
eventually($node, "SELECT " . features_of('tickets') . " = 0 AND NOT EXISTS (SELECT FROM hl_change)", 'no vectors at all', 20);
is(query(q{SELECT state, queue_empty_because FROM hl_projects}), 'ready|the source has no rows with an input', 'are no failure');
query(q{INSERT INTO ticket SELECT id, vector(topic, id, 4), topic FROM saved});
eventually($node, "SELECT " . features_of('tickets') . " = 600 AND NOT EXISTS (SELECT FROM hl_change)", 'and come back', 20);

# back to texts, in two transactions
query(q{ALTER TABLE ticket ALTER body TYPE text USING NULL});
query(q{UPDATE ticket SET body = (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + id % 3] || id});
eventually($node, "SELECT e.name = 'text' AND v.encoder_id = m.encoder_id $serves", 'texts again', 30);
eventually($node, "SELECT " . features_of('tickets') . " = 600 AND NOT EXISTS (SELECT FROM hl_change)", 'all of them', 20);
is(query(q{SELECT label FROM hl_predict('tickets', 'I was charged twice for it')}), 'billing', 'which a model of texts answers');
is(failures(), 'none', 'nothing has failed');

# ----------------------------------------------------------------------
# While it trains
# ----------------------------------------------------------------------

my $fitting = q{SELECT count(*) > 0 FROM hl_run WHERE state = 'running' AND step = 'fitting'};
my $ended = q{SELECT count(*) = 0 FROM hl_run WHERE state = 'running'};

fill_many($node, 12000);
eventually($node, $fitting, 'a training', 60);
at_once('the key and the input are retyped', q{ALTER TABLE many ALTER id TYPE text, ALTER body TYPE varchar(1000)});
is(query(q{SELECT pg_typeof(id) FROM hl_queue_many LIMIT 1}), 'text', 'the view has a key of text');
eventually($node, $ended, 'the training ends', 60);
eventually($node, $settled, 'and all is taken up', 30);
is(query(q{SELECT state, last_error IS NULL FROM hl_projects WHERE project = 'many'}), 'ready|t', 'without an error');
query(q{INSERT INTO many VALUES ('one more', 'topic7 w1 w2 w3')});
eventually($node, q{SELECT 'one more' = ANY (items) FROM hl_feature_block ORDER BY block DESC LIMIT 1}, 'a new row, of a key that is no number', 20);
query(q{SELECT hl_label_many('many', '{11801,11802,11803}', '{class 40,class 40,class 40}')});
eventually($node, $fitting, 'another training', 60);
at_once('the input becomes a vector', q{ALTER TABLE many ALTER body TYPE real[] USING one_of(substring(body, 'topic(\d+)')::int)});
eventually($node, q{SELECT e.name = 'vector' FROM hl_serving v JOIN hl_project p ON p.id = v.project_id JOIN hl_model m USING (project_id, model) JOIN hl_encoder e ON e.id = m.encoder_id WHERE p.name = 'many'}, 'a model of vectors comes after it', 90);
eventually($node, $ended, 'that is all', 60);
is(failures(), 'none', 'nothing has failed');
query(q{SELECT hl_drop_project('many'); DROP TABLE many});

# ----------------------------------------------------------------------
# Another table
# ----------------------------------------------------------------------

# dropped and created again in one transaction
query(q{CREATE TABLE fresh AS SELECT * FROM ticket WHERE id <= 500; ALTER TABLE fresh ADD PRIMARY KEY (id);
	BEGIN; DROP TABLE ticket CASCADE; ALTER TABLE fresh RENAME TO ticket; COMMIT});
eventually($node, "SELECT " . features_of('tickets') . " = 500 AND NOT EXISTS (SELECT FROM hl_change)", 'a new table under the old name', 20);
query(q{INSERT INTO ticket VALUES (7000, 'where is the parcel with the bicycle')});
eventually($node, "SELECT " . features_of('tickets') . " = 501", 'its rows are noticed', 20);
is(query(q{SELECT to_regclass('hl_queue_tickets') IS NULL, hl_refresh('tickets'), to_regclass('hl_queue_tickets') IS NOT NULL}), 't|0|t', 'hl_refresh makes the view');
is(failures(), 'none', 'nothing has failed');

# swapped by names: the project stays with the table
query(q{CREATE TABLE fresh AS SELECT * FROM ticket WHERE id <= 300; ALTER TABLE fresh ADD PRIMARY KEY (id);
	BEGIN; ALTER TABLE ticket RENAME TO ticket_old; ALTER TABLE fresh RENAME TO ticket; COMMIT});
is(query(q{SELECT source FROM hl_projects}), 'public.ticket_old', 'a table that is renamed is followed');
query(q{INSERT INTO ticket VALUES (7001, 'not ours'); INSERT INTO ticket_old VALUES (7001, 'where is the parcel with the lamp')});
eventually($node, "SELECT " . features_of('tickets') . " = 502", 'by the worker, too', 20);

# dropped and created later: a failure, until somebody says that it is back
query(q{DROP TABLE ticket_old CASCADE});
eventually($node, q{SELECT failures > 0 FROM hl_work}, 'without its table the project waits', 20);
is(query(q{SELECT state, last_error FROM hl_projects}), 'source missing|relation public.ticket_old does not exist', 'and says what for');
is(query(q{SELECT label FROM hl_predict('tickets', 'I was charged twice for it')}), 'billing', 'its model answers');
query(q{ALTER TABLE ticket RENAME TO ticket_old; SELECT hl_resume('tickets')});
eventually($node, "SELECT " . features_of('tickets') . " = 301 AND NOT EXISTS (SELECT FROM hl_change)", 'hl_resume goes on at once', 10);
query(q{ALTER TABLE ticket_old RENAME TO ticket});
is(query(q{SELECT source, state, (SELECT count(*) FROM hl_labels) FROM hl_projects}), 'public.ticket|ready|62', 'with all labels');

# ----------------------------------------------------------------------
# A key that is none any more
# ----------------------------------------------------------------------

query(q{ALTER TABLE ticket DROP CONSTRAINT fresh_pkey1; CREATE TABLE note (id int PRIMARY KEY, body text, topic text);
	INSERT INTO note SELECT * FROM ticket WHERE id <= 300; SELECT hl_create_project('notes', 'note', 'body', label => 'topic');});
eventually($node, q{SELECT count(*) = 2 FROM hl_serving WHERE model IS NOT NULL}, 'another project', 30);
query(q{INSERT INTO ticket VALUES (7, 'a second row of that key')});
eventually($node, q{SELECT last_error ~ 'not unique' FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'tickets'}, 'a key that is there twice', 20);
is(query(q{SELECT state FROM hl_projects WHERE project = 'tickets'}), 'failing', 'makes the project fail');
query(q{INSERT INTO note VALUES (9000, 'where is the parcel with the rug')});
eventually($node, "SELECT " . features_of('notes') . " = 301", 'but no other', 20);
query(q{DELETE FROM ticket WHERE body = 'a second row of that key'; SELECT hl_resume('tickets')});
eventually($node, "SELECT " . features_of('tickets') . " = 301 AND NOT EXISTS (SELECT FROM hl_change)", 'once it is gone all is well', 20);
is(query(q{SELECT state FROM hl_projects WHERE project = 'tickets'}), 'ready', 'as hl_projects says');
query(q{ALTER TABLE ticket ALTER id DROP NOT NULL; UPDATE ticket SET id = NULL WHERE id = 7; INSERT INTO ticket VALUES (NULL, 'nor is this one')});
eventually($node, "SELECT " . features_of('tickets') . " = 300 AND NOT EXISTS (SELECT FROM hl_change)", 'rows without a key are no items', 20);
query(q{SELECT hl_drop_project('notes')});

# ----------------------------------------------------------------------
# Partitions
# ----------------------------------------------------------------------

query(qq{CREATE TABLE day (id int, body text) PARTITION BY RANGE (id);
	CREATE TABLE day1 PARTITION OF day FOR VALUES FROM (1) TO (1000);
	CREATE TABLE day_other PARTITION OF day DEFAULT;
	CREATE TABLE day2 (LIKE day); INSERT INTO day2 SELECT 1000 + id, body FROM ticket WHERE id <= 100;
	INSERT INTO day SELECT id, body FROM ticket WHERE id <= 200;
	INSERT INTO day VALUES (5000, 'in the default partition');
	SELECT hl_create_project('days', 'day', 'body', 'id', options => '$rare');
	SELECT hl_label_many('days', array_agg(id::text), array_agg('class ' || id % 3)) FROM day WHERE id <= 60;});
eventually($node, "SELECT " . features_of('days') . " = 200 AND NOT EXISTS (SELECT FROM hl_change)", 'a partitioned table', 30);
query(q{ALTER TABLE day ATTACH PARTITION day2 FOR VALUES FROM (1001) TO (2000)});
eventually($node, "SELECT " . features_of('days') . " = 299", 'beside a default partition another is attached', 20);
is(sqlstate($node, 'ALTER TABLE day DETACH PARTITION day2 CONCURRENTLY'), '55000', 'with a default partition none goes concurrently, says PostgreSQL');
query(q{ALTER TABLE day DETACH PARTITION day_other});
eventually($node, "SELECT " . features_of('days') . " = 298", 'the default partition is detached', 20);
fill_many($node, 12000);
eventually($node, $fitting, 'a training', 60);
at_once('DETACH CONCURRENTLY during a training', 'ALTER TABLE day DETACH PARTITION day2 CONCURRENTLY');
eventually($node, "SELECT " . features_of('days') . " = 199", 'whose rows go', 20);
query(q{INSERT INTO day2 VALUES (1999, 'none of ours'); SELECT hl_drop_project('many'); DROP TABLE many});

# a materialized view
query(q{CREATE MATERIALIZED VIEW kept AS SELECT * FROM day; CREATE UNIQUE INDEX ON kept (id);
	SELECT hl_create_project('kept', 'kept', 'body', 'id');
	SELECT hl_label_many('kept', array_agg(id::text), array_agg('class ' || id % 3)) FROM kept WHERE id <= 60;});
eventually($node, "SELECT " . features_of('kept') . " = 199 AND NOT EXISTS (SELECT FROM hl_change)", 'a materialized view', 30);
query(q{INSERT INTO day VALUES (900, 'where is the parcel with the rug')});
query(q{REFRESH MATERIALIZED VIEW CONCURRENTLY kept});
eventually($node, "SELECT " . features_of('kept') . " = 200", 'is refreshed concurrently', 20);
query(q{SELECT hl_drop_project('kept'), hl_drop_project('days')});

# ----------------------------------------------------------------------
# An unlogged table is empty after a crash, and nobody is told
# ----------------------------------------------------------------------

query(q{ALTER TABLE ticket SET UNLOGGED});
query(q{INSERT INTO ticket VALUES (8000, 'where is the parcel with the sofa')});
eventually($node, "SELECT " . features_of('tickets') . " = 301 AND NOT EXISTS (SELECT FROM hl_change)", 'an unlogged table is a source as any', 20);
$node->stop('immediate');
$node->start;
is(query(q{SELECT count(*) FROM ticket}), '0', 'after a crash it is empty');
# the last that the worker committed may be lost, to be done again
cmp_ok(query(q{SELECT hl_refresh('tickets')}), '>=', 300, 'which hl_refresh finds');
is(query("SELECT " . features_of('tickets')), '0', 'and forgets its rows');
is(query(q{SELECT count(*) FROM hl_labels}), '62', 'but no label');

# ----------------------------------------------------------------------
# Migrations of an object-relational mapper
# ----------------------------------------------------------------------

query(q{SELECT hl_drop_project('tickets')});
SKIP:
{
	my ($python) = grep { system("$_ -c 'import django, psycopg2' >/dev/null 2>&1") == 0 } qw(python3 /usr/bin/python3);
	skip 'Django is not installed', 12 if !defined $python;

	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGUSER} = $node->safe_psql('postgres', 'SELECT current_user');
	my ($out, $err) = ('', '');
	IPC::Run::run([ $python, "$FindBin::Bin/../orm/migrate.py" ], '>', \$out, '2>', \$err) or diag($err);
	my @lines = split(/\n/, $out);
	is(shift @lines, 'ok | no project', 'Django creates a table');
	is(shift @lines, 'ok | body | id | ready', 'gives it a larger key');
	is(shift @lines, 'ok | body | id | ready', 'and a longer text');
	is(shift @lines, 'ok | message | id | ready', 'renames, alters and adds in one migration');
	is(shift @lines, 'ok | message | number | ready', 'renames the key');
	like(shift @lines, qr/cannot alter type.*view hl_queue_desk.*HINT: Project "desk" cannot use a column of type jsonb.*DROP VIEW public.hl_queue_desk.*\| ready$/, 'is told what is in the way');
	like(shift @lines, qr/cannot alter type.*view hl_queue_desk.*HINT: .*DROP VIEW public.hl_queue_desk.*SELECT public.hl_refresh\('desk'\).*\| ready$/, 'of another view as well, and how to go on');
	is(shift @lines, 'ok | message | number | ready', 'which a migration can go around');
	is(shift @lines, 'True | bigint | text', 'and have again');
	is(shift @lines, 'ok | message | number | source missing', 'takes the input away');
	is(shift @lines, 'ok | message | number | ready', 'and puts it back');
	is(shift @lines, 'ok | message | number | source missing', 'and takes the table');
}

# ----------------------------------------------------------------------
# Nothing that rows have in common, for the worker
# ----------------------------------------------------------------------

query(q{CREATE TABLE sign AS SELECT i AS id, repeat(chr(20000 + i), 3) AS body FROM generate_series(1, 100) i;
	ALTER TABLE sign ADD PRIMARY KEY (id);
	SELECT hl_create_project('signs', 'sign', 'body');
	SELECT hl_label_many('signs', array_agg(id::text), array_agg(CASE WHEN id % 3 = 0 THEN 'rare' ELSE 'common' END)) FROM sign WHERE id <= 60});
my $signs = q{FROM hl_projects WHERE project = 'signs'};
my $noted = q{(SELECT FROM hl_change JOIN hl_project p ON p.id = project_id WHERE name = 'signs')};
eventually($node, "SELECT state = 'ready' AND model = 1 AND NOT EXISTS $noted $signs", 'a model of labels only', 20);
is(query(q{SELECT label, round(confidence::numeric, 2) FROM hl_predict('signs', 'any text')}), 'common|0.67', 'answers with how frequent they are');
like(query("SELECT queue_empty_because $signs"), qr/^nothing was left to ask/, 'and has nothing to ask');
query(q{SELECT hl_label('signs', 61, 'rare')});
eventually($node, "SELECT NOT EXISTS $noted", 'goes on to learn', 20);
is(query("SELECT queued $signs"), '0', 'without a queue');
# the worker sees that there is something now, before the source has doubled
query(q{INSERT INTO sign SELECT i, 'please take back the lamp ' || i FROM generate_series(201, 220) i});
eventually($node, "SELECT model > 1 AND queued = 20 $signs", 'rows that say something are asked', 30);
is(query("SELECT queue_empty_because $signs"), '', 'which is said no more');

$node->stop;
done_testing();
