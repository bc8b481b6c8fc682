# Three answers an item, from twenty annotators at once: nobody has one twice, and no
# item goes to more than are wanted.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $dir = PostgreSQL::Test::Utils::tempdir();

sub script
{
	my ($name, $text) = @_;
	PostgreSQL::Test::Utils::append_to_file("$dir/$name", $text);
	return "$dir/$name";
}

sub bench
{
	my ($what, $seconds, @scripts) = @_;
	my ($stdout, $stderr);

	IPC::Run::run([ 'pgbench', '-n', '-c', '20', '-j', '2', '-T', $seconds, '--max-tries=50', map({ ('-f', $_) } @scripts), '-d', $node->connstr('postgres') ], '>', \$stdout, '2>', \$stderr);
	is($?, 0, "$what: no client was aborted");
	unlike($stderr, qr/FATAL|deadlock|aborted/, "$what: no errors") or diag($stderr);
	my ($done) = $stdout =~ /transactions actually processed: (\d+)/;
	note "$what: $done transactions";
	cmp_ok($done, '>', 20, "$what: each has done something");
}

fill($node, 1200, 'postgres', '{"answers": 3, "train_growth": 100, "train_quiet": 86400}');
train($node, 60);
# long leases, so whoever is handed an item stays one of the three
$node->safe_psql('postgres', q{
	CREATE TABLE handed (item text, annotator text, at timestamptz DEFAULT clock_timestamp());
	CREATE FUNCTION work(who text, n int, share float8) RETURNS int LANGUAGE plpgsql AS $$
	DECLARE
		q record;
		given int := 0;
	BEGIN
		FOR q IN SELECT item FROM hl_next('tickets', n, who, '1 hour') LOOP
			INSERT INTO handed VALUES (q.item, who);
			IF random() < share THEN
				PERFORM hl_label('tickets', q.item, (SELECT topic FROM ticket WHERE id = q.item::int), who);
			ELSIF random() < 0.1 THEN
				PERFORM hl_skip('tickets', q.item, NULL, who);
			END IF;
			given := given + 1;
		END LOOP;
		RETURN given;
	END $$;
	CREATE VIEW too_many AS SELECT item, count(*) FROM (
		SELECT item, annotator FROM handed h WHERE NOT EXISTS (
			SELECT FROM hl_current_answer c WHERE c.item = h.item AND c.annotator = h.annotator AND c.label IS NULL)
		UNION SELECT item, annotator FROM hl_labels) o GROUP BY item HAVING count(*) > 3;
	CREATE VIEW twice AS SELECT item, annotator FROM handed GROUP BY 1, 2 HAVING count(*) > 1;});

sub all_is_well
{
	my ($what) = @_;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM twice'), '0', "$what: nobody was handed an item twice");
	is($node->safe_psql('postgres', 'SELECT * FROM too_many'), '', "$what: no item went to more than three");
}

bench('handing out', 3, script('hand_out', "SELECT work('c' || :client_id, 2, 0);\n"));
all_is_well('handing out');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT FROM handed GROUP BY item HAVING count(*) = 3) t}), '>', 50, 'items are with three people at a time');

$node->safe_psql('postgres', q{TRUNCATE handed; UPDATE hl_lease SET holders = '{}', since = '{}', until = '{}', lease_until = NULL});
bench('answering', 5, script('answer', "SELECT work('c' || :client_id, 1, 0.8);\n"));
all_is_well('answering');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT FROM hl_labels WHERE annotator LIKE 'c%' GROUP BY item HAVING count(*) = 3) t}), '>', 20, 'items have their three answers');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_queue q WHERE (SELECT count(*) FROM hl_labels l WHERE l.item = q.item) >= 3}), '0', 'and have left the queue');
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change WHERE kind = 'labels')}, 'the worker learns', 60);
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT item FROM hl_labels GROUP BY item HAVING count(*) < 3 EXCEPT SELECT item FROM hl_repeat) m}),
	'0', 'what has fewer is asked again');

# at the same place in several sessions of the same annotator, and with old snapshots
my $same = script('same', "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM handed;\nSELECT work('d' || :client_id % 4, 1, 0.8);\nCOMMIT;\n");
$node->safe_psql('postgres', q{TRUNCATE handed; UPDATE hl_lease SET holders = '{}', since = '{}', until = '{}', lease_until = NULL});
bench('one annotator in five sessions, REPEATABLE READ', 4, $same);
all_is_well('one annotator in five sessions, REPEATABLE READ');

# gold among the questions, to the same annotator in several sessions
$node->safe_psql('postgres', q{
	UPDATE hl_project SET options = options || '{"gold": 0.2}';
	TRUNCATE handed; UPDATE hl_lease SET holders = '{}', since = '{}', until = '{}', lease_until = NULL;
	SELECT count(hl_gold('tickets', id, topic)) FROM ticket WHERE id > 1150;});
bench('with gold, one annotator in five sessions', 4, script('gold', "SELECT work('e' || :client_id % 4, 1, 0.8);\n"));
is($node->safe_psql('postgres', 'SELECT count(*) FROM twice'), '0', 'nobody was handed a gold item twice, or another');
is($node->safe_psql('postgres', 'SELECT * FROM too_many WHERE item::int <= 1150'), '', 'no item but gold went to more than three');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM handed WHERE item::int > 1150'), '>', 10, 'gold was handed out');
is($node->safe_psql('postgres', 'SELECT count(*) FROM hl_queue WHERE item::int > 1150'), '0', 'and is not in the queue');

# and until nothing is left
$node->safe_psql('postgres', q{UPDATE hl_lease SET holders = '{}', since = '{}', until = '{}', lease_until = NULL});
# (by itself: a plan that begins with the empty half of a join would not call it)
$node->safe_psql('postgres', q{CREATE TABLE late AS SELECT item FROM hl_next('tickets', 5000, 'late')});
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_queue q WHERE item IN (SELECT item FROM late)
	AND item IN (SELECT item FROM hl_current_answer WHERE annotator = 'late')}), '0', 'all that is left at once');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_next('tickets', 5000, 'late')}), '0', 'is all there is');

# The worker, which has no model to learn with yet, waits for nobody who writes what is asked again
$node->safe_psql('postgres', 'SELECT hl_drop_project(project) FROM hl_projects; DROP TABLE ticket CASCADE');
fill($node, 60, 'postgres', '{"answers": 2}');
my $settled = q{SELECT NOT EXISTS (SELECT FROM hl_change)};
$node->safe_psql('postgres', q{SELECT hl_label_many('tickets', '{1,2,3}', '{returns,returns,returns}', 'ann')});
eventually($node, $settled, 'three answers are counted');
my $writer = session($node);
ask($writer, q{BEGIN; SELECT hl_refresh('tickets')});
$node->safe_psql('postgres', q{SELECT hl_label('tickets', 1, 'billing', 'bob')});
never($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND wait_event_type = 'Lock'}, 'it does not wait', 2);
ask($writer, 'COMMIT');
eventually($node, $settled, 'and counts another answer afterwards');
is($node->safe_psql('postgres', 'SELECT item FROM hl_repeat ORDER BY item'), "2\n3", 'which was the last of its item');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_projects WHERE last_error IS NOT NULL}), '0', 'nothing has failed');
ask($writer, '\q', 1);
$node->stop;
done_testing();
