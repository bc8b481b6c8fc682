# Option targets beside the worker: a condition over time, rows that come to satisfy
# it and rows that do no more, columns that are renamed, a condition of somebody who
# would like to be somebody else; dump and restore.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "humanloop.worker_source_timeout = 3s\n");

sub query { return $node->safe_psql('postgres', $_[0]) }

# What is queued of the rows that satisfy something, or do not.
my $queued = q{(SELECT count(*) FROM hl_ranking r CROSS JOIN LATERAL unnest(r.items) i JOIN ticket t ON t.id = i::int WHERE r.part <> 'spare' AND r.project_id = (SELECT id FROM hl_project WHERE name = 'tickets')};
my $calm = q{NOT EXISTS (SELECT FROM hl_change)};

query(q{
	CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text, region text, until timestamptz);
	INSERT INTO ticket
	SELECT i, (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + i % 3]
		|| (ARRAY['the shoes', 'the jacket', 'the lamp', 'a phone', 'the table', 'two books', 'the kettle'])[1 + i / 3 % 7] || ' order ' || i,
		(ARRAY['returns', 'delivery', 'billing'])[1 + i % 3], CASE WHEN i % 4 = 0 THEN 'Wales' ELSE 'Kent' END, 'infinity'
	FROM generate_series(1, 600) i;
	SELECT hl_create_project('tickets', 'ticket', 'body', options => '{"targets": "region = ''Wales'' AND until > now()", "train_growth": 100, "train_quiet": 86400}')});
is(query("SELECT $queued AND region = 'Wales') > 0, $queued AND region <> 'Wales')"), 't|0', 'the seed batch is of the rows that satisfy it');
# before there is a model
query(q{UPDATE ticket SET region = 'Kent' WHERE id IN (SELECT item::int FROM hl_queue WHERE project = 'tickets' ORDER BY rank LIMIT 5)});
eventually($node, "SELECT $calm AND $queued AND region <> 'Wales') = 0", 'a row that satisfies it no more leaves the seed batch');
query(q{UPDATE ticket SET region = 'Wales' WHERE id % 4 = 0});
model_by_itself($node, 40);
is(query("SELECT $queued AND region = 'Wales') > 0, $queued AND region <> 'Wales')"), 't|0', 'and so is what the worker ranks');
is(query(q{SELECT count(*) FROM hl_model_label m CROSS JOIN unnest(m.items, m.audited) i(item, audited) JOIN ticket t ON t.id = i.item::int WHERE i.audited AND t.region <> 'Wales'}), '0', 'and the sample of the audit');
is(query('SELECT labels FROM hl_model'), 40, 'the others teach, too');

# ----------------------------------------------------------------------
# Rows that change, and come
# ----------------------------------------------------------------------

# their inputs stay as they are: these are columns that nothing but the condition reads
query(q{UPDATE ticket SET region = 'Kent' WHERE id BETWEEN 100 AND 200});
eventually($node, "SELECT $calm AND $queued AND region <> 'Wales') = 0", 'rows that satisfy it no more leave the queue');
is(query(q{SELECT count(*) FROM hl_next('tickets', 500) WHERE item::int BETWEEN 100 AND 200}), '0', 'and nobody is asked of them');
query(q{UPDATE hl_lease SET lease_until = NULL, annotator = NULL, leased_at = NULL});
query(q{UPDATE ticket SET region = 'Wales' WHERE id IN (101, 102, 103)});
eventually($node, "SELECT $calm AND $queued AND id IN (101, 102, 103) AND part = 'rest') = 3", 'rows that have come to satisfy it join it');
query(q{UPDATE ticket SET region = 'Kent', body = body || ' again' WHERE id = 102});
eventually($node, "SELECT $calm AND $queued AND id = 102) = 0", 'one whose input changes as well leaves');
query(q{INSERT INTO ticket SELECT i, 'where is the parcel with the lamp order ' || i, 'delivery', CASE WHEN i % 2 = 0 THEN 'Wales' ELSE 'Kent' END, 'infinity' FROM generate_series(701, 720) i});
eventually($node, "SELECT $calm AND $queued AND id > 700 AND region = 'Wales' AND part IN ('rest', 'tail')) >= 10", 'new rows are asked');
is(query("SELECT $queued AND region <> 'Wales')"), '0', 'where they satisfy it');
query(q{SELECT hl_label('tickets', 720, 'delivery')});
eventually($node, "SELECT $calm AND $queued AND region <> 'Wales') = 0", 'and so it is after a label');

# ----------------------------------------------------------------------
# Time goes by
# ----------------------------------------------------------------------

query(q{UPDATE ticket SET until = now() + interval '4 seconds' WHERE id > 400});
eventually($node, "SELECT $calm AND $queued AND id > 400) > 0", 'they satisfy it for a while');
eventually($node, q{SELECT max(until) FILTER (WHERE until <> 'infinity') < clock_timestamp() FROM ticket}, 'which ends');
query(q{SELECT hl_refresh('tickets')});
is(query("SELECT $queued AND id > 400), $queued AND id <= 400) > 0"), '0|t', 'with the next ranking they are gone');

# ----------------------------------------------------------------------
# Another condition while the worker is there
# ----------------------------------------------------------------------

query(q{SELECT hl_set_targets('tickets', 'region = ''Kent''')});
is(query("SELECT $queued AND region = 'Wales')"), '0', 'what does not satisfy a new condition leaves at once');
eventually($node, "SELECT $calm AND $queued AND region = 'Kent' AND part = 'rest') > 100", 'and the worker ranks what does');
is(query("SELECT $queued AND region = 'Wales')"), '0', 'and nothing else');
query(q{SELECT hl_set_targets('tickets', 'false')});
eventually($node, "SELECT $calm AND $queued) = 0", 'nothing satisfies it');
like(query(q{SELECT queue_empty_because FROM hl_projects}), qr/^no row that could be asked satisfied the condition of option targets/, 'which is said');
query(q{SELECT hl_set_targets('tickets', 'region = ''Kent''')});
eventually($node, "SELECT $calm AND $queued AND part = 'rest') > 100", 'until something does');

# ----------------------------------------------------------------------
# A column is renamed
# ----------------------------------------------------------------------

query(q{ALTER TABLE ticket RENAME region TO county});
query(q{UPDATE ticket SET county = 'Wales' WHERE id = 1});
eventually($node, q{SELECT last_error = 'the condition of option "targets": column "region" does not exist' FROM hl_work}, 'what is wrong is said');
is(query(q{SELECT state, last_error FROM hl_projects}), 'failing|the condition of option "targets": column "region" does not exist', 'in hl_projects');
is(query(q{SELECT count(*) FROM hl_next('tickets', 5)}), '5', 'the queue that is there goes on');
query(q{SELECT hl_set_targets('tickets', 'county = ''Kent''')});
query(q{SELECT hl_resume('tickets')});
eventually($node, "SELECT $calm AND last_error IS NULL FROM hl_work", 'another condition mends it');
is(query(q{SELECT state FROM hl_projects}), 'ready', 'and the project is ready');

# ----------------------------------------------------------------------
# Dump and restore
# ----------------------------------------------------------------------

my $dump = "$PostgreSQL::Test::Utils::tmp_check/dump.sql";
$node->command_ok([ 'pg_dump', '--no-sync', '-d', $node->connstr('postgres'), '-f', $dump ], 'it is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'and restored');
is($node->safe_psql('restored', q{SELECT targets FROM hl_projects}), q{county = 'Kent'}, 'with its condition');
$node->safe_psql('restored', q{SELECT hl_refresh('tickets')});
is($node->safe_psql('restored', q{SELECT count(*) > 0, count(*) FILTER (WHERE t.county <> 'Kent') FROM hl_queue q JOIN ticket t ON t.id = q.item::int}), 't|0', 'which holds');
$node->safe_psql('restored', q{SELECT hl_drop_project('tickets')});
query(q{SELECT hl_drop_project('tickets')});

# ----------------------------------------------------------------------
# Somebody's function in a condition
# ----------------------------------------------------------------------

query(q{
	CREATE ROLE alice;
	CREATE SCHEMA alice AUTHORIZATION alice;
	SET ROLE alice;
	CREATE TABLE alice.seen (who name, sess name, what text, sqlstate text);
	CREATE TABLE alice.mode (mode text);
	INSERT INTO alice.mode VALUES ('attack');
	CREATE TABLE alice.note (id int PRIMARY KEY, body text);
	INSERT INTO alice.note SELECT i, (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + i % 3] || i FROM generate_series(1, 100) i;
	CREATE FUNCTION alice.attack(id int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
	DECLARE
		what text;
		state text;
	BEGIN
		IF (SELECT mode FROM alice.mode) = 'sleep' THEN PERFORM pg_sleep(1000); END IF;
		IF id = 50 THEN
			FOREACH what IN ARRAY ARRAY['RESET ROLE', 'SET ROLE postgres', 'RESET SESSION AUTHORIZATION', 'ALTER ROLE alice SUPERUSER', 'SELECT * FROM public.hl_answer', 'DELETE FROM public.hl_change', 'SET search_path = alice', 'SELECT public.hl_set_targets(''hers'', NULL)'] LOOP
				state := '00000';
				BEGIN EXECUTE what; EXCEPTION WHEN OTHERS THEN state := SQLSTATE; END;
				INSERT INTO alice.seen SELECT current_user, session_user, what, state;
			END LOOP;
		END IF;
		RETURN true;
	END $$;
	SELECT public.hl_create_project('hers', 'alice.note', 'body', options => '{"targets": "alice.attack(id)"}');
	SELECT public.hl_label_many('hers', array_agg(id::text), array_agg('class ' || id % 3)) FROM alice.note WHERE id <= 40;
	RESET ROLE});
eventually($node, 'SELECT count(*) = 1 FROM hl_serving WHERE model IS NOT NULL', 'the worker trains');
eventually($node, "SELECT $calm", 'and learns');
# a superuser comes by
query(q{SELECT hl_refresh('hers'), labels FROM hl_train('hers')});
query(q{SELECT hl_set_targets('hers', 'alice.attack(s.id) AND true')});
eventually($node, "SELECT $calm", 'and the worker ranks once more');
is(query('SELECT string_agg(DISTINCT who::text, $$ $$) FROM alice.seen'), 'alice', 'the condition runs as the owner of the source and nobody else');
cmp_ok(query('SELECT count(*) FROM alice.seen'), '>', 30, 'each time');
is(query(q{SELECT string_agg(DISTINCT what || ': ' || sqlstate, '; ' ORDER BY what || ': ' || sqlstate) FROM alice.seen WHERE sqlstate = '00000' AND what <> 'SET search_path = alice'}), '', 'and nothing that it tries works');
is(query(q{SELECT rolsuper FROM pg_roles WHERE rolname = 'alice'}), 'f', 'she is who she was');
is(query(q{SELECT targets FROM hl_projects}), 'alice.attack(s.id) AND true', 'and the condition what it was');
# one that does not end
query(q{UPDATE alice.mode SET mode = 'sleep'});
query(q{INSERT INTO alice.note VALUES (101, 'where is the parcel with 101')});
eventually($node, q{SELECT last_error LIKE 'reading the source of project "hers" took longer than humanloop.worker_source_timeout%' FROM hl_work}, 'one that does not end has a time limit', 30);

done_testing();
