# A source whose owner wants to be somebody else, or to keep the worker busy.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

# ANALYZE by autovacuum runs functions of indexes, too.
my $node = new_node('main', conf => "humanloop.worker_source_timeout = 3s\nautovacuum = off\n");

sub query { return $node->safe_psql('postgres', $_[0]) }

# What a function in a source tries, and what came of it.  It says it is
# immutable, so that indexes and the like take it; one that it calls is not.
query(q{
	CREATE ROLE alice;
	CREATE ROLE bob;
	CREATE SCHEMA alice AUTHORIZATION alice;
	CREATE SCHEMA bob AUTHORIZATION bob;
	GRANT USAGE ON SCHEMA alice TO bob;
	SET ROLE alice;
	CREATE TABLE alice.seen (who name, sess name, client text, path text, place text);
	CREATE TABLE alice.result (what text, sqlstate text);
	CREATE TABLE alice.mode (mode text);
	INSERT INTO alice.mode VALUES ('look');
	CREATE TABLE alice.late (id int);
	CREATE FUNCTION alice.at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO alice.seen SELECT current_user, session_user, current_setting('application_name'), current_setting('search_path'), 'commit'; RETURN NULL; END $$;
	CREATE CONSTRAINT TRIGGER late AFTER INSERT ON alice.late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION alice.at_commit();
	CREATE FUNCTION alice.try(what text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		state text := '00000';
	BEGIN
		BEGIN EXECUTE what; EXCEPTION WHEN OTHERS THEN state := SQLSTATE; END;
		INSERT INTO alice.result VALUES (what, state);
	END $$;
	CREATE FUNCTION alice.look(place text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
	BEGIN
		INSERT INTO alice.seen SELECT current_user, session_user, current_setting('application_name'), current_setting('search_path'), place;
		IF (SELECT mode FROM alice.mode) = 'attack' AND NOT EXISTS (SELECT FROM alice.result WHERE what = 'done') THEN
			PERFORM alice.try(what) FROM unnest(ARRAY[
				'SET ROLE postgres', 'RESET ROLE', 'SET SESSION AUTHORIZATION postgres', 'RESET SESSION AUTHORIZATION', 'ALTER ROLE alice SUPERUSER',
				'CREATE TEMP TABLE t (id int)', 'INSERT INTO alice.late VALUES (1)', 'LISTEN humanloop', 'PREPARE p AS SELECT 1', 'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
				'COPY (SELECT 1) TO PROGRAM ''true''', 'SELECT count(*) FROM pg_authid', 'SELECT * FROM public.hl_answer', 'DELETE FROM public.hl_change', 'SET humanloop.enabled = off', 'SET humanloop.worker_source_timeout = 0',
				'SELECT pg_terminate_backend(pg_backend_pid())', 'SELECT public.hl_drop_project(''hers'')', 'SELECT public.hl_train(''hers'')', 'SELECT public.hl_train(''his'')', 'SELECT public.hl_label(''his'', 1, ''x'')',
				'SET search_path = alice', 'SET lock_timeout = 0', 'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', 'SELECT pg_advisory_unlock_all()', 'SELECT pg_advisory_lock(4711)', 'NOTIFY humanloop, ''forged''']) what;
			INSERT INTO alice.result VALUES ('done', '');
		END IF;
	END $$;
	CREATE FUNCTION alice.peek(anyelement, place text) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM alice.look(place); RETURN $1; END $$;

	-- wherever PostgreSQL lets a table have a function
	CREATE DOMAIN alice.body AS text CHECK (alice.peek(length(value), 'domain') >= 0);
	CREATE TABLE alice.raw (
		id int PRIMARY KEY,
		body alice.body CHECK (alice.peek(length(body), 'check') > 0),
		team name DEFAULT alice.peek(current_user::text, 'default')::name,
		size int GENERATED ALWAYS AS (alice.peek(length(body::text), 'generated')) STORED);
	CREATE INDEX ON alice.raw ((alice.peek(id, 'index')));
	CREATE INDEX ON alice.raw (id) WHERE alice.peek(1, 'predicate') = 1;
	CREATE STATISTICS alice.stat ON (alice.peek(id, 'statistics')), size FROM alice.raw;
	ALTER TABLE alice.raw ENABLE ROW LEVEL SECURITY;
	ALTER TABLE alice.raw FORCE ROW LEVEL SECURITY;
	CREATE POLICY all_of_them ON alice.raw USING (alice.peek(id, 'policy') > 0);
	INSERT INTO alice.raw SELECT i, (ARRAY['where is the parcel ', 'I was charged twice '])[1 + i % 2] || i FROM generate_series(1, 60) i;
	CREATE VIEW alice.shown AS SELECT id, body::text FROM alice.raw WHERE alice.peek(id, 'view') > 0;
	TRUNCATE alice.seen;
	SELECT FROM hl_create_project('hers', 'alice.raw', 'body', options => '{"train_quiet": 86400}');
	SELECT FROM hl_create_project('shown', 'alice.shown', 'body', 'id', options => '{"train_quiet": 86400}');
	SET ROLE bob;
	CREATE TABLE bob.ticket (id int PRIMARY KEY, body text);
	INSERT INTO bob.ticket SELECT i, (ARRAY['where is the parcel ', 'I was charged twice '])[1 + i % 2] || i FROM generate_series(1, 60) i;
	SELECT FROM hl_create_project('his', 'bob.ticket', 'body', options => '{"train_quiet": 86400}');
	SELECT hl_label_many('his', array_agg(id::text), array_agg('class ' || id % 2)) FROM bob.ticket WHERE id <= 20;
	RESET ROLE;
	SELECT hl_label_many(p, array_agg(id::text), array_agg('class ' || id % 2)) FROM bob.ticket, unnest('{hers,shown}'::text[]) p WHERE id <= 20 GROUP BY p;});
eventually($node, q{SELECT count(*) = 3 FROM hl_serving WHERE model = 1}, 'the worker has made the models', 60);

# ----------------------------------------------------------------------
# As whom
# ----------------------------------------------------------------------

query(q{SET ROLE alice; INSERT INTO alice.raw SELECT 100 + i, 'where is my late parcel ' || i FROM generate_series(1, 5) i; UPDATE alice.raw SET body = 'charged again ' || id WHERE id < 4});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'it has taken up rows', 30);
query(q{UPDATE alice.mode SET mode = 'attack'; INSERT INTO hl_change SELECT id, 'rows', '{1}' FROM hl_project WHERE name = 'hers'; SELECT hl_resume('his')});
eventually($node, q{SELECT count(*) = 1 FROM alice.result WHERE what = 'done'}, 'her function has tried what it wants', 60);
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'the worker goes on', 30);
is(query(q{SELECT DISTINCT who, path FROM alice.seen WHERE client = ''}), 'alice|pg_catalog, pg_temp', 'in the worker it runs as alice');
is(query(q{SELECT DISTINCT who FROM alice.seen}), 'alice', 'and nowhere as anybody else');
is(query(q{SELECT string_agg(DISTINCT place, ' ' ORDER BY place) FROM alice.seen WHERE client = ''}), 'policy predicate view', 'by way of a policy, an index and a view');

my %expected = (
	'SET ROLE postgres' => '42501', 'RESET ROLE' => '42501', 'SET SESSION AUTHORIZATION postgres' => '42501', 'RESET SESSION AUTHORIZATION' => '42501', 'ALTER ROLE alice SUPERUSER' => '42501',
	'CREATE TEMP TABLE t (id int)' => '42501', 'INSERT INTO alice.late VALUES (1)' => '42501', 'LISTEN humanloop' => '42501', 'PREPARE p AS SELECT 1' => '42501', 'DECLARE c CURSOR WITH HOLD FOR SELECT 1' => '42501',
	"COPY (SELECT 1) TO PROGRAM 'true'" => '42501', 'SELECT count(*) FROM pg_authid' => '42501', 'SELECT * FROM public.hl_answer' => '42501', 'DELETE FROM public.hl_change' => '42501', 'SET humanloop.enabled = off' => '42501', 'SET humanloop.worker_source_timeout = 0' => '42501',
	'SELECT pg_terminate_backend(pg_backend_pid())' => '42501', q{SELECT public.hl_drop_project('hers')} => '55006', q{SELECT public.hl_train('hers')} => '55006', q{SELECT public.hl_train('his')} => '42501', q{SELECT public.hl_label('his', 1, 'x')} => '42501');
is(query(sprintf(q{SELECT sqlstate FROM alice.result WHERE what = $$%s$$}, $_)), $expected{$_}, "it may not: $_") for sort keys %expected;

# ----------------------------------------------------------------------
# What it leaves behind
# ----------------------------------------------------------------------

query(q{SET ROLE bob; SELECT hl_label('his', 30, 'class 0')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'the worker has done something else', 20);
is(query(q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.backend_type = 'humanloop worker' AND l.locktype = 'object' AND l.classid = 'pg_extension'::regclass AND l.objsubid = 1 AND l.granted}), '1', 'the worker has its lock, which she has let go');
is(query(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', 'and not the one that she has taken');
is(query(q{SELECT count(*) FROM hl_work WHERE failures > 0}), '0', 'nothing has failed');

# An error of hers that quotes a row.
query(q{SET ROLE alice; UPDATE alice.mode SET mode = 'fail';
	CREATE OR REPLACE FUNCTION alice.look(place text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN
		IF (SELECT mode FROM alice.mode) = 'fail' THEN RAISE EXCEPTION 'bad row: a secret of alice' USING ERRCODE = '22023'; END IF; END $$;});
my $offset = -s $node->logfile;
query(q{INSERT INTO hl_change SELECT id, 'rows', '{7}' FROM hl_project WHERE name = 'hers'; SELECT hl_resume('his')});
eventually($node, q{SELECT count(*) = 1 FROM hl_work WHERE failures > 0}, 'an error is recorded', 20);
is(query(q{SELECT last_error, sqlstate, error = last_error FROM hl_projects p JOIN hl_runs r USING (project) WHERE project = 'hers' ORDER BY r.id DESC LIMIT 1}), 'could not read the source of project "hers"|22023|t', 'without what it says');
like(slurp_file($node->logfile, $offset), qr/WARNING:  humanloop worker: project "hers": could not read the source.*\n.*DETAIL:  bad row: a secret of alice/, 'which the log has');
query(q{SET ROLE alice; UPDATE alice.mode SET mode = 'look'; SELECT hl_resume('hers')});
eventually($node, q{SELECT count(*) = 0 FROM hl_work WHERE failures > 0}, 'it is over', 20);

# ----------------------------------------------------------------------
# A source that never ends
# ----------------------------------------------------------------------

query(q{SET ROLE alice; CREATE OR REPLACE FUNCTION alice.look(place text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN
		IF (SELECT mode FROM alice.mode) = 'sleep' THEN PERFORM pg_sleep(1000); END IF;
		IF (SELECT mode FROM alice.mode) = 'stay' THEN
			LOOP
				BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END;
			END LOOP;
		END IF; END $$;});

sub learned
{
	my ($item, $what, $seconds) = @_;
	my $before = query(q{SELECT revision FROM hl_projects WHERE project = 'his'});

	query(qq{SET ROLE bob; SELECT hl_label('his', $item, 'class 1')});
	eventually($node, qq{SELECT revision <> $before FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'his'}, $what, $seconds);
}

# A note of a row of hers that is to be read, whatever has failed before.
my $note = q{INSERT INTO hl_change SELECT id, 'rows', '{8}' FROM hl_project WHERE name = 'hers'; SELECT hl_resume('hers')};

sub failures { return query(q{SELECT failures FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'hers'}) }

# Hers comes first, as it has not failed yet.
query(q{UPDATE alice.mode SET mode = 'sleep'});
my $worker = worker($node);
query($note);
learned(31, 'others go on', 40);
eventually($node, q{SELECT failures > 0 FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'hers'}, 'the source is given up', 40);
is(query(q{SELECT error, sqlstate FROM hl_runs WHERE project = 'hers' ORDER BY id DESC LIMIT 1}), 'reading the source of project "hers" took longer than humanloop.worker_source_timeout|53400', 'hl_runs says why');
is(query(q{SELECT w.retry_at - w.last_error_at > '25 s' FROM hl_work w JOIN hl_project p ON p.id = w.project_id WHERE p.name = 'hers'}), 't', 'the project is put off for ten times as long');
is(worker($node), $worker, 'by the same worker');

# One that catches the cancel.
my $before = failures();
query(q{UPDATE alice.mode SET mode = 'stay'});
query($note);
learned(32, 'others go on', 60);
eventually($node, qq{SELECT failures > $before AND last_error ~ 'nor be stopped' FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'hers'}, 'the next worker knows why the last one has ended', 60);
isnt(worker($node), $worker, 'it is another');
is(query(q{SELECT w.retry_at - w.last_error_at > '25 s' FROM hl_work w JOIN hl_project p ON p.id = w.project_id WHERE p.name = 'hers'}), 't', 'the project is put off again');

# However often she has it tried again: the others come first.
$before = failures();
query(qq{BEGIN; SELECT hl_label('his', 33, 'class 0'); $note; COMMIT});
eventually($node, qq{SELECT failures > $before FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'hers'}, 'the next one ends as well', 60);
is(query(q{SELECT r.made_at < w.last_error_at - interval '4 s' FROM hl_ranking r JOIN hl_project p ON p.id = r.project_id, hl_work w JOIN hl_project h ON h.id = w.project_id WHERE p.name = 'his' AND r.part = 'head' AND h.name = 'hers'}), 't', 'after what others have said was learned');
query(q{UPDATE alice.mode SET mode = 'look'; SELECT hl_resume('hers')});
learned(34, 'the worker is back', 40);
eventually($node, q{SELECT failures = 0 FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'hers'}, 'all is well with her project', 40);

# In the middle of somebody's training it would be the end of that as well.
fill_many($node, 4000);
eventually($node, q{SELECT count(*) = 1 FROM hl_run r JOIN hl_project p ON p.id = r.project_id WHERE p.name = 'many' AND r.state = 'running' AND r.step = 'fitting'}, 'somebody trains', 60);
query(q{UPDATE alice.mode SET mode = 'stay'});
query($note);
eventually($node, q{SELECT count(*) = 1 FROM hl_run r JOIN hl_project p ON p.id = r.project_id WHERE p.name = 'many' AND r.state = 'done'}, 'and is done', 90);
is(query(q{SELECT count(*) FROM hl_run r JOIN hl_project p ON p.id = r.project_id WHERE p.name = 'many' AND r.state = 'crashed'}), '0', 'by the worker that has begun it');
eventually($node, q{SELECT failures > 0 FROM hl_work JOIN hl_project p ON p.id = project_id WHERE name = 'hers'}, 'only then her source is read', 60);
query(q{UPDATE alice.mode SET mode = 'look'; SELECT hl_pause('hers')});

# A database without a limit: it can be dropped all the same.
query(q{CREATE DATABASE endless});
query(q{ALTER DATABASE endless SET humanloop.worker_source_timeout = 0});
$node->safe_psql('endless', q{
	CREATE EXTENSION humanloop;
	CREATE TABLE raw AS SELECT i AS id, 'a text ' || i AS body FROM generate_series(1, 30) i;
	CREATE VIEW slow AS SELECT id, body FROM raw;
	SELECT FROM hl_create_project('slow', 'slow', 'body', 'id');
	CREATE OR REPLACE VIEW slow AS SELECT id, body FROM raw WHERE pg_sleep(1000) IS NOT NULL;
	INSERT INTO hl_change SELECT id, 'rows' FROM hl_project;
	SELECT hl_resume('slow');});
my $stuck = q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND datname = 'endless' AND wait_event = 'PgSleep'};
eventually($node, $stuck, 'a worker is stuck', 15);
sleep 2;
is(query($stuck), 't', 'and stays so, without a limit');
is(sqlstate($node, 'DROP DATABASE endless WITH (FORCE)'), '', 'but not in the way of who drops its database');

$node->stop;
done_testing();
