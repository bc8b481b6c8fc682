# Twenty annotators at once: no item twice, no deadlock, nothing lost.
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

	IPC::Run::run([ 'pgbench', '-n', '-c', '20', '-j', '2', '-T', $seconds, map({ ('-f', $_) } @scripts), '-d', $node->connstr('postgres') ], '>', \$stdout, '2>', \$stderr);
	is($?, 0, "$what: no client was aborted");
	unlike($stderr, qr/ERROR|FATAL|deadlock|aborted/, "$what: no errors") or diag($stderr);
	my ($done) = $stdout =~ /transactions actually processed: (\d+)/;
	note "$what: $done transactions";
	return $done;
}

fill($node, 6000);
train($node, 60);
# every hand-out is written down; long leases, so none may come twice
$node->safe_psql('postgres', q{
	CREATE TABLE handed (item text, annotator text, at timestamptz DEFAULT clock_timestamp());
	CREATE FUNCTION work(who text, n int, answer boolean) RETURNS int LANGUAGE plpgsql AS $$
	DECLARE
		q record;
		given int := 0;
	BEGIN
		FOR q IN SELECT item FROM hl_next('tickets', n, who, '1 hour') LOOP
			INSERT INTO handed VALUES (q.item, who);
			IF answer THEN
				PERFORM hl_label('tickets', q.item, (SELECT topic FROM ticket WHERE id = q.item::int), who);
			END IF;
			given := given + 1;
		END LOOP;
		RETURN given;
	END $$;});
my $hand_out = script('hand_out', "SELECT work('c' || :client_id, 2, false);\n");
my $answer = script('answer', "SELECT work('c' || :client_id, 1, true);\n");
my $watch = script('watch', "SELECT count(*) FROM hl_queue;\nSELECT label FROM hl_predict('tickets', 'where is the parcel');\n");
my $train = script('train', "SELECT hl_refresh('tickets');\n");

bench('handing out', 3, $hand_out);
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT item FROM handed GROUP BY item HAVING count(*) > 1) d}), '0', 'no item was handed out twice');
cmp_ok($node->safe_psql('postgres', q{SELECT count(DISTINCT annotator) FROM handed}), '>', 10, 'to many annotators');

$node->safe_psql('postgres', q{TRUNCATE handed; UPDATE hl_lease SET annotator = NULL, lease_until = NULL});
bench('answering', 4, $answer);
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT item FROM handed GROUP BY item HAVING count(*) > 1) d}), '0', 'no item was answered twice');
is($node->safe_psql('postgres', q{SELECT count(*) = (SELECT count(*) FROM hl_labels WHERE annotator LIKE 'c%') AND count(*) = (SELECT count(*) FROM hl_label_history WHERE annotator LIKE 'c%') FROM handed}), 't', 'every answer is kept');

# with readers and refreshes in between; the refresh renews the queue
$node->safe_psql('postgres', q{TRUNCATE handed; DELETE FROM hl_labels WHERE annotator LIKE 'c%'; SELECT hl_refresh('tickets'); UPDATE hl_lease SET annotator = NULL, lease_until = NULL});
bench('answering, reading and refreshing', 5, $answer, $answer, $answer, $watch, $train);
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT item FROM handed GROUP BY item HAVING count(*) > 1) d}), '0', 'no item was answered twice');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_queue q JOIN hl_labels l USING (project, item)}), '0', 'nothing answered is in the queue');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT item FROM hl_feature_block b, unnest(items, ARRAY(SELECT substr(hashes, 8 * g - 7, 8) FROM generate_series(1, cardinality(items)) g)) u(item, hash)
	WHERE hash <> '\x0000000000000000' GROUP BY item HAVING count(*) > 1) d}), '0', 'no item has features twice');
is(sqlstate($node, q{SELECT hl_train('tickets')}), '', 'and it trains');

# Many label the same few items: they wait for each other, but not in a circle.
my $same = script('same', "\\set a random(1, 8)\n\\set b random(1, 8)\nSELECT hl_label_many('tickets', ARRAY[:a, :b]::text[], '{returns,billing}', 'crowd');\n");
bench('many on the same items', 3, $same);
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT DISTINCT ON (item) item, label FROM hl_label_history WHERE annotator = 'crowd' ORDER BY item, id DESC) h
	FULL JOIN (SELECT item, label FROM hl_labels WHERE annotator = 'crowd') l USING (item) WHERE h.label IS DISTINCT FROM l.label}), '0', 'the current answer is the last one');

# Projects come and go meanwhile.
my $churn = script('churn', "SELECT hl_create_project('p' || :client_id, 'ticket', 'body', options => '{\"seed_batch\": 5}');\nSELECT count(*) FROM hl_next('p' || :client_id);\nSELECT hl_label('p' || :client_id, 1, 'x');\nSELECT hl_drop_project('p' || :client_id);\n");
bench('declaring and dropping', 3, $churn);

$node->stop;
done_testing();
