# What the worker leaves of rows that are gone, and of projects that were
# dropped while it was at work on them: nothing but keys and labels.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $settled = q{SELECT NOT EXISTS (SELECT FROM hl_change)};
my $rare = '{"train_growth": 100, "train_quiet": 86400, "queue_size": 100}';

sub query { return $node->safe_psql('postgres', @_); }

# Where items are still named, other than in the history and in what a model was
# trained with; "litter" is a block with places of rows that are gone.
query(q{CREATE FUNCTION traces(item text[]) RETURNS TABLE (trace text) LANGUAGE sql AS $$
	SELECT 'block' FROM hl_feature_block WHERE items && $1
	UNION SELECT part FROM hl_ranking WHERE items && $1
	UNION SELECT 'lease' FROM hl_lease l WHERE l.item = ANY ($1)
	UNION SELECT 'change' FROM hl_change WHERE items && $1
	UNION SELECT 'queue' FROM hl_queue q WHERE q.item = ANY ($1)
	UNION SELECT 'litter' FROM hl_feature_block b JOIN hl_encoder e ON e.id = encoder_id
		WHERE live_rows <> cardinality(items) OR live_rows * 8 <> octet_length(hashes) OR live_rows * dims * 4 <> octet_length(dense)
	ORDER BY 1 $$});
sub traces
{
	my ($items) = @_;

	return qq{(SELECT coalesce(string_agg(trace, ' '), 'none') FROM traces($items))};
}

# Some items of every part of the queue.
my $some = q{(SELECT array_agg(DISTINCT item) FROM hl_ranking, unnest(items) WITH ORDINALITY u(item, n) WHERE n <= 3)};

# ----------------------------------------------------------------------
# Before the first model
# ----------------------------------------------------------------------

fill($node, 600, 'postgres', $rare);
query(qq{CREATE TABLE gone AS SELECT $some AS items});
query(q{DELETE FROM ticket WHERE id::text IN (SELECT unnest(items) FROM gone)});
eventually($node, "SELECT " . traces('(SELECT items FROM gone)') . " = 'none'", 'deleted rows leave the seed batch', 20);
is(query(q{SELECT count(*) FROM hl_queue}), '100', 'which is whole again');
query(q{CREATE TABLE kept AS SELECT * FROM ticket; TRUNCATE ticket});
eventually($node, q{SELECT coalesce(sum(cardinality(items)), 0) = 0 FROM hl_ranking}, 'all of them by TRUNCATE', 20);
query(q{INSERT INTO ticket SELECT * FROM kept});
eventually($node, q{SELECT count(*) = 100 FROM hl_queue}, 'the rows are back', 20);

# ----------------------------------------------------------------------
# Rows
# ----------------------------------------------------------------------

query(q{INSERT INTO ticket SELECT id, body, topic FROM (SELECT 600 + i, 'where is the parcel with the bicycle ' || i, 'delivery' FROM generate_series(1, 900) i) n(id, body, topic)});
model_by_itself($node, 60);
query(qq{UPDATE gone SET items = $some || (SELECT array_agg(item) FROM hl_next('tickets', 3, 'ann'))});
cmp_ok(query(q{SELECT cardinality(items) FROM gone}), '>', 10, 'rows of all parts of the queue');
is(query("SELECT " . traces('(SELECT items FROM gone)')), 'block head lease queue rest spare targets', 'have traces');
query(q{DELETE FROM ticket WHERE id::text IN (SELECT unnest(items) FROM gone)});
eventually($node, "SELECT " . traces('(SELECT items FROM gone)') . " IN ('litter', 'block litter', 'none')", 'deleted rows leave the queue and their leases', 10);
eventually($node, "SELECT " . traces('(SELECT items FROM gone)') . " = 'none'", 'and the blocks, when the worker has the time', 20);
query(q{SELECT hl_label('tickets', 1400, 'delivery')});
eventually($node, $settled, 'a label', 10);
is(query("SELECT " . traces('(SELECT items FROM gone)')), 'none', 'does not bring them back');
query(q{INSERT INTO ticket SELECT items[1]::int, 'where is the parcel with the sofa' FROM gone});
eventually($node, "SELECT " . traces('(SELECT items[1:1] FROM gone)') . " ~ '^block.*(head|tail)'", 'a row that is back does', 10);

# a labelled one that is changed, then deleted: the next revision is without it
query(q{SELECT hl_label('tickets', 900, 'billing')});
eventually($node, $settled, 'another label', 10);
my $before = query(q{SELECT revision FROM hl_serving});
query(q{UPDATE ticket SET body = 'the price of the bicycle is wrong' WHERE id = 900});
eventually($node, "SELECT revision > $before AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving", 'a labelled text is changed: what was learned from it is learned anew', 10);
$before = query(q{SELECT revision FROM hl_serving});
query(q{DELETE FROM ticket WHERE id = 900});
eventually($node, "SELECT revision > $before AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving", 'and without it when the row is gone', 10);
eventually($node, "SELECT " . traces(q{'{900}'}) . " = 'none'", 'which leaves no trace', 20);
is(query(q{SELECT string_agg(action || ' ' || label, ', ') FROM hl_label_history WHERE item = '900'}), 'label billing', 'but in the history');

# the bytes of a vector
query(qq{CREATE TABLE place (id int PRIMARY KEY, v real[]);
	INSERT INTO place SELECT i, ARRAY[cos(i), sin(i)] FROM generate_series(20001, 21000) i;
	UPDATE place SET v = '{0.6,0.8}' WHERE id = 20500; UPDATE place SET v = '{0.28,0.96}' WHERE id = 20600;
	SELECT hl_create_project('places', 'place', 'v', options => '$rare');
	SELECT hl_label_many('places', array_agg(id::text), array_agg('c' || (v[1] > 0)::int)) FROM place WHERE id <= 20040;});
my $stored = q{(SELECT coalesce(bool_or(position('\x9a99193f'::bytea IN dense) > 0), false) || ' ' || coalesce(bool_or(position('\x295c8f3e'::bytea IN dense) > 0), false) FROM hl_feature_block)};
eventually($node, "SELECT $stored = 'true true' AND NOT EXISTS (SELECT FROM hl_change) AND (SELECT count(*) = 2 FROM hl_serving WHERE model IS NOT NULL)", 'two vectors are stored', 20);
query(q{DELETE FROM place WHERE id = 20500; UPDATE place SET v = '{1,0}' WHERE id = 20600});
eventually($node, "SELECT $stored = 'false false'", 'one deleted and one changed, their bytes go', 20);

# what an earlier worker has marked and not come to erase
worker_gone($node);
my $first = query(q{SELECT items[1] FROM hl_feature_block WHERE encoder_id IN (SELECT id FROM hl_encoder WHERE name = 'vector') AND items[1] > '20040' LIMIT 1});
query(qq{UPDATE hl_feature_block SET hashes = overlay(hashes PLACING '\\x0000000000000000' FROM 1 FOR 8), live_rows = live_rows - 1 WHERE items[1] = '$first'});
like(query("SELECT " . traces("'{$first}'")), qr/block.* litter/, 'a row is marked');
query(qq{DELETE FROM place WHERE id = $first});
eventually($node, "SELECT " . traces("'{$first}'") . " = 'none'", 'the next worker erases it', 20);
# paused, it waits; hl_refresh does it
query(q{SELECT hl_pause('places'); DELETE FROM place WHERE id = 20701});
never($node, "SELECT " . traces(q{'{20701}'}) . " !~ 'block'", 'a paused project is left alone', 3);
query(q{SELECT hl_refresh('places')});
is(query("SELECT " . traces(q{'{20701}'})), 'none', 'hl_refresh erases it');
query(q{SELECT hl_resume('places'), hl_drop_project('places')});

# a worker who is never idle erases, too: a minute after the last time, or, where
# the idle timeout is half a second, 7.5 seconds
$node->append_conf('postgresql.conf', "humanloop.worker_idle_timeout = '500ms'\n");
$node->reload;
my $busy = PostgreSQL::Test::Utils::tempdir() . '/busy';
append_to_file($busy, "\\set item random(100, 500)\nSELECT hl_label('tickets', :item, topic, 'busy') FROM ticket WHERE id = :item;\n");
my $crowd = IPC::Run::start([ 'pgbench', '-n', '-c', '2', '-T', '1000', '-f', $busy, $node->connstr('postgres') ], '>', '/dev/null', '2>', '/dev/null');
for my $row (1100, 1101, 1102)
{
	eventually($node, "SELECT " . traces("'{$row}'") . " ~ 'block'", "row $row is there", 10);
	query(qq{DELETE FROM ticket WHERE id = $row});
	eventually($node, "SELECT " . traces("'{$row}'") . " ~ '(litter|none)'", 'deleted, it is taken up by a worker who is busy', 20);
	eventually($node, "SELECT " . traces("'{$row}'") . " = 'none'", 'and erased', 30);
}
ok($crowd->pumpable, 'all the time it had labels to learn');
$crowd->signal('TERM');
eval { $crowd->finish };
$node->append_conf('postgresql.conf', "humanloop.worker_idle_timeout = '1min'\n");
$node->reload;
eventually($node, $settled, 'which it has', 20);

# ----------------------------------------------------------------------
# Deleted when a training has ranked them, and not yet written that
# ----------------------------------------------------------------------

fill_many($node, 12000);
eventually($node, q{SELECT count(*) > 0 FROM hl_run WHERE state = 'running' AND step = 'fitting'}, 'a training', 60);
my $holder = session($node);
ask($holder, q{BEGIN; SELECT hl_refresh('many')});
eventually($node, q{SELECT count(*) > 0 FROM hl_run WHERE state = 'running' AND step = 'writing'}, 'waits for somebody before it writes', 60);
ask($holder, q{DELETE FROM many WHERE id > 11500 AND id % 5 = 0; COMMIT});
eventually($node, q{SELECT count(*) = 0 FROM hl_run WHERE state = 'running'}, 'it ends', 60);
is(query(q{SELECT state FROM hl_run ORDER BY id DESC LIMIT 1}), 'done', 'well');
eventually($node, $settled, 'the rows deleted meanwhile are taken up', 30);
is(query(q{SELECT count(*) FROM hl_ranking r JOIN hl_project p ON p.id = project_id, unnest(items) item WHERE name = 'many' AND item::int > 11500 AND item::int % 5 = 0}), '0', 'none of them is in its queue');
cmp_ok(query(q{SELECT count(*) FROM hl_queue WHERE project = 'many'}), '>', 100, 'which has others');
${ $holder->{in} } .= "\\q\n";
IPC::Run::finish($holder->{run});

# ----------------------------------------------------------------------
# Projects
# ----------------------------------------------------------------------

# rows of any table of the extension that belong to a project or its encoders
sub left_of
{
	my ($project, $encoders) = @_;
	my @found;

	for my $table (split(/\n/, query(q{SELECT c.oid::regclass || ' ' || CASE WHEN bool_or(attname = 'project_id') THEN 'project_id' WHEN bool_or(attname = 'encoder_id') THEN 'encoder_id' ELSE 'id' END
		FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
		JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass AND relkind = 'r'
		JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 WHERE extname = 'humanloop' GROUP BY c.oid})))
	{
		my ($name, $column) = split(/ /, $table);
		my $values = $column eq 'encoder_id' ? $encoders : $project;

		push(@found, $name) if query("SELECT EXISTS (SELECT FROM $name WHERE $column = ANY ('{$values}'))") eq 't';
	}
	return join(' ', sort @found);
}

query(q{CREATE ROLE joe; SELECT hl_grant('many', 'joe', 'annotate'); SELECT hl_label('many', 11999, 'class 7'); SELECT hl_skip('many', 11998)});
eventually($node, q{SELECT revision > 0 FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'many'}, 'a project with a bit of everything', 20);
my $project = query(q{SELECT id FROM hl_project WHERE name = 'many'});
query(q{SELECT hl_label_many('many', '{11901,11902,11903}', '{new,new,new}')});
eventually($node, qq{SELECT count(*) > 0 FROM hl_run WHERE state = 'running' AND step = 'fitting' AND project_id = $project}, 'is being trained', 60);
my $encoders = query(qq{SELECT string_agg(id::text, ',') FROM hl_encoder WHERE project_id = $project});
my $tables = left_of($project, $encoders);
like($tables, qr/hl_answer.*hl_encoder_part.*hl_feature_block.*hl_lease.*hl_model_label.*hl_privilege .*hl_ranking.*hl_revision.*hl_run.*hl_work/, 'and is in all tables');
query(q{SELECT hl_drop_project('many')});
is(left_of($project, $encoders), '', 'dropped, it leaves nothing');
query(q{INSERT INTO many VALUES (99999, 'topic1'); SELECT hl_label('tickets', 1401, 'delivery')});
eventually($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND state = 'active'}, 'the worker is through with it', 60);
eventually($node, $settled, 'and with what came later', 10);
is(left_of($project, $encoders), '', 'and has not brought anything back');
is(query(q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'many'::regclass AND NOT tgisinternal}), '0', 'no trigger');
is(query(q{SELECT to_regclass('hl_queue_many') IS NULL}), 't', 'no view');
is(query(q{SELECT count(*) FROM pg_ls_tmpdir()}), '0', 'no file');
is(query(qq{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND objid = $project AND classid IN ('hl_project'::regclass, 'hl_serving'::regclass, 'hl_project_local'::regclass)}), '0', 'no lock');
is(sqlstate($node, q{DROP ROLE joe}), '', 'no role that is held');
# a project of that name is another, for the worker as well
query(q{SELECT hl_create_project('many', 'many', 'body', options => '{"train_growth": 100, "train_quiet": 86400}')});
is(sqlstate($node, q{SELECT hl_predict('many', 'topic7')}), '55000', 'one of the same name has no model');
query(q{SELECT hl_label_many('many', array_agg(id::text), array_agg('other ' || id % 2)) FROM many WHERE id <= 20});
eventually($node, q{SELECT model = 1 FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'many'}, 'until it is trained', 60);
is(query(q{SELECT string_agg(DISTINCT label, ' ') FROM hl_predict('many')}), 'other 0 other 1', 'and has its own classes only');

unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/WARNING|PANIC|terminated by signal/, 'nothing has failed');
$node->stop;
done_testing();
