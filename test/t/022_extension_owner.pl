# An extension whose owner is no superuser any more, and one that is handed over:
# the worker goes on, and reads nothing as him.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main', conf => "autovacuum = off\n");

sub query { return $node->safe_psql('postgres', $_[0]) }

query(q{DROP EXTENSION humanloop; CREATE ROLE installer SUPERUSER LOGIN; CREATE ROLE alice; CREATE SCHEMA alice AUTHORIZATION alice; GRANT USAGE ON SCHEMA alice TO PUBLIC});
query(q{SET ROLE installer; CREATE EXTENSION humanloop; RESET ROLE; ALTER ROLE installer NOSUPERUSER});
is(query(q{SELECT extowner::regrole, rolsuper FROM pg_extension JOIN pg_roles r ON r.oid = extowner WHERE extname = 'humanloop'}), 'installer|f', 'the owner is no superuser');

my ($status, $stdout, $stderr) = $node->psql('postgres', q{
	SET ROLE alice;
	CREATE TABLE alice.seen (who name);
	CREATE FUNCTION alice.look(int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN INSERT INTO alice.seen VALUES (current_user); RETURN true; END$$;
	CREATE TABLE alice.raw (id int PRIMARY KEY, body text);
	INSERT INTO alice.raw SELECT i, (ARRAY['where is the parcel ', 'I was charged twice '])[1 + i % 2] || i FROM generate_series(1, 60) i;
	CREATE VIEW alice.shown AS SELECT id, body FROM alice.raw WHERE alice.look(id);
	SELECT FROM hl_create_project('table', 'alice.raw', 'body');
	SELECT FROM hl_create_project('view', 'alice.shown', 'body', 'id');
	SELECT hl_label_many(p, array_agg(id::text), array_agg('class ' || id % 2)) FROM alice.raw, unnest('{table,view}'::text[]) p WHERE id <= 30 GROUP BY p;});
is($status, 0, 'projects can be declared');
like($stderr, qr/WARNING:  humanloop cannot have its triggers on the source: permission denied for table raw/, 'without triggers, which is said');
eventually($node, q{SELECT count(*) = 2 FROM hl_serving WHERE model = 1}, 'the worker trains', 60);
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'and learns', 20);
query(q{SET ROLE alice; INSERT INTO alice.raw VALUES (100, 'where is my late parcel'); SELECT hl_refresh('table'), hl_refresh('view'), hl_label('table', 100, 'class 0'), hl_label('view', 100, 'class 0')});
eventually($node, q{SELECT count(*) = 2 FROM hl_serving WHERE revision > 0}, 'rows that a refresh has taken up are learned', 20);
is(query(q{SELECT count(*) FROM hl_work WHERE failures > 0}), '0', 'nothing fails');
is(query(q{SELECT DISTINCT who FROM alice.seen}), 'alice', 'what is in the source runs as alice');

# The owner has the tables, and no more: he is a stranger to the projects.
is(sqlstate($node, q{SET ROLE installer; SELECT hl_label('table', 1, 'x')}), '42501', 'he may not label');
is(sqlstate($node, q{SET ROLE installer; SELECT * FROM alice.raw}), '42501', 'nor read the source');
is(query(q{SET ROLE installer; SELECT count(*) FROM hl_projects}), '0', 'nor see projects');
is(query(q{SET ROLE installer; SELECT count(*) FROM hl_project}), '2', 'but in the tables');

# A superuser again: the triggers come by themselves.
query(q{ALTER ROLE installer SUPERUSER; SELECT hl_label('table', 50, 'class 1')});
eventually($node, q{SELECT count(*) = 4 FROM pg_trigger WHERE tgrelid = 'alice.raw'::regclass AND tgname ~ 'humanloop'}, 'a superuser again has his triggers', 20);
query(q{SET ROLE alice; INSERT INTO alice.raw VALUES (101, 'where is my other late parcel')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'which note rows', 20);
is(query(q{SELECT count(*) FROM hl_feature_block b JOIN hl_project p ON p.id = b.project_id, unnest(b.items) i WHERE p.name = 'table' AND i = '101'}), '1', 'that the worker takes up');

# Handed over.
query(q{CREATE ROLE heir SUPERUSER; REASSIGN OWNED BY installer TO heir; ALTER ROLE installer NOSUPERUSER});
query(q{SET ROLE alice; SELECT hl_label('table', 51, 'class 0')});
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change)}, 'another owner', 20);
is(sqlstate($node, q{SET ROLE installer; SELECT * FROM hl_project}), '42501', 'the tables are his no more');
is(query(q{DROP ROLE installer; SELECT count(*) FROM hl_predict('table')}), '62', 'and he can go');

$node->stop;
done_testing();
