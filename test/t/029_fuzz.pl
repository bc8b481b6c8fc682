# Junk: calls of every function with everything its types allow, as every kind
# of role.  What is wrong is said with an SQLSTATE of its own; no backend dies,
# and nothing ends in an internal error.
#
# FUZZ_SECONDS: how long at random (make fuzz); FUZZ_SEED: another sequence.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Fuzz;
use Humanloop;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = $ENV{FUZZ_SECONDS} // 6;
my $seed = $ENV{FUZZ_SEED} // 1;

$ENV{PGCLIENTENCODING} = 'UTF8';
# what has been freed is not as it was
$ENV{MALLOC_PERTURB_} = 165;
my $node = new_node('main', conf => q{
	log_line_prefix = '[%p] %e %u: '
	log_statement = none
	log_min_error_statement = error
	track_functions = all
	statement_timeout = 10s
	lock_timeout = 300ms
	client_min_messages = error});
my @roles = qw(postgres fuzz_owner fuzz_manage fuzz_review fuzz_annotate fuzz_predict fuzz_stranger);

$node->safe_psql('postgres', q{
	CREATE ROLE fuzz_owner LOGIN; CREATE ROLE fuzz_manage LOGIN; CREATE ROLE fuzz_review LOGIN; CREATE ROLE fuzz_annotate LOGIN; CREATE ROLE fuzz_predict LOGIN; CREATE ROLE fuzz_stranger LOGIN; CREATE ROLE "Fuzz ""1""; ö";
	GRANT CREATE ON SCHEMA public TO fuzz_owner;
	GRANT CREATE ON DATABASE postgres TO fuzz_owner;
	SET ROLE fuzz_owner;
	CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
	INSERT INTO ticket SELECT i, (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + i % 3] || (ARRAY['the shoes', 'the jacket', 'the lamp', 'a phone', 'the table'])[1 + i / 3 % 5] || ' order ' || i,
		(ARRAY['returns', 'delivery', 'billing'])[1 + i % 3] FROM generate_series(1, 120) i;
	CREATE VIEW ticket_view AS SELECT id, body FROM ticket;
	CREATE TABLE vector (id uuid PRIMARY KEY, eingabe real[], worte text);
	INSERT INTO vector SELECT lpad(i::text, 32, '0')::uuid, ARRAY[i % 3, i % 5, 0.5, i % 2], (ARRAY['rot', 'grün', NULL])[1 + i % 3] || ' und ' || (ARRAY['alt', 'neu'])[1 + i % 2] FROM generate_series(1, 80) i;
	CREATE TABLE wort ("schlüssel" text PRIMARY KEY, eingabe text, stufe text);
	INSERT INTO wort SELECT 'Wort ' || i || ' ö', (ARRAY['möchte zurückgeben ', 'nicht geliefert '])[1 + i % 2] || (ARRAY['Öllampe', 'Schuhe', 'Mäntel'])[1 + i % 3], CASE WHEN i % 4 = 0 THEN (ARRAY['größer', 'kleiner'])[1 + i / 4 % 2] END FROM generate_series(1, 80) i;
	CREATE TABLE part (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (MINVALUE) TO (50);
	CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (50) TO (MAXVALUE);
	INSERT INTO part SELECT id, body FROM ticket;
	CREATE SCHEMA kept;
	CREATE TABLE kept.ticket AS SELECT * FROM ticket;
	CREATE TABLE kept.vector AS SELECT * FROM vector;
	CREATE TABLE kept.wort AS SELECT * FROM wort;
	CREATE TABLE kept.part AS SELECT * FROM part;
	CREATE TABLE nothing ();
	CREATE TABLE glove AS SELECT unnest('{the 0.3 0.3,parcel 1 0,lamp 0 1,rot 0.5 0.1}'::text[]) AS line;
	GRANT SELECT ON glove TO PUBLIC;
	CREATE TABLE odd (id date, body int, x json, "id " text, PRIMARY KEY (id, body));
	GRANT SELECT ON ticket, ticket_view, vector, wort, part TO fuzz_manage, fuzz_review, fuzz_annotate;
	GRANT INSERT, UPDATE, DELETE ON ticket, vector, wort, part TO fuzz_manage, fuzz_stranger;});
restore_projects();
my @functions = fuzz_functions($node);

# Sessions of several roles at a time, each with a script.
sub run_scripts
{
	my (%scripts) = @_;
	my @runs;

	for my $role (sort keys %scripts)
	{
		my $file = "$PostgreSQL::Test::Utils::tmp_check/$role.sql";

		open my $out, '>', $file or die $!;
		print $out $scripts{$role};
		close $out;
		push @runs, IPC::Run::start([ 'psql', '-XAtq', '-U', $role, '-d', $node->connstr('postgres'), '-f', $file ], '>', '/dev/null', '2>', \my $error, IPC::Run::timeout(600));
	}
	IPC::Run::finish($_) for @runs;
	return;
}


# The sources as they were, and the projects that were dropped meanwhile.
sub restore_projects
{
	$node->safe_psql('postgres', q{
		SET lock_timeout = 0;
		SET statement_timeout = 0;
		SET ROLE fuzz_owner;
		DO $$
		DECLARE
			p record;
		BEGIN
			DELETE FROM ticket;
			INSERT INTO ticket SELECT * FROM kept.ticket;
			DELETE FROM vector;
			INSERT INTO vector SELECT * FROM kept.vector;
			DELETE FROM wort;
			INSERT INTO wort SELECT * FROM kept.wort;
			DELETE FROM part;
			INSERT INTO part SELECT * FROM kept.part;
			-- who calls these may use, share and drop them
			PERFORM hl_import_encoder(name, 'word_vectors', staging => 'glove') FROM unnest('{glove,w1,w2}'::text[]) name
				WHERE name NOT IN (SELECT encoder FROM hl_encoders) AND current_user = 'fuzz_owner';
			PERFORM hl_share_encoder(encoder) FROM hl_encoders WHERE owner = current_user;
			FOR p IN SELECT * FROM (VALUES ('tickets', 'ticket', 'body', NULL, NULL, NULL), ('vectors', 'vector', 'eingabe', NULL, NULL, NULL), ('words', 'wort', 'eingabe', 'stufe', '{größer,kleiner}', NULL), ('viewed', 'ticket_view', 'body', NULL, NULL, 'id'), ('parts', 'part', 'body', NULL, NULL, NULL), ('mixed', 'vector', NULL, NULL, NULL, NULL))
					AS v(name, source, input, label, classes, key) WHERE name NOT IN (SELECT project FROM hl_projects) LOOP
				IF p.input IS NULL THEN
					PERFORM hl_create_project(p.name, p.source::regclass, ARRAY['worte', 'eingabe'], options => '{"dimensions": 16, "queue_size": 50}');
				ELSE
					PERFORM hl_create_project(p.name, p.source::regclass, p.input, p.key, p.label, p.classes::text[], options => '{"dimensions": 16, "queue_size": 50}');
				END IF;
				PERFORM hl_grant(p.name, ('fuzz_' || privilege)::regrole, privilege) FROM unnest('{predict,annotate,review,manage}'::text[]) privilege;
				IF p.name IN ('tickets', 'viewed') THEN
					PERFORM hl_label_many(p.name, array_agg(id::text), array_agg(topic)) FROM ticket WHERE id BETWEEN 1 AND 40;
				ELSIF p.name IN ('vectors', 'mixed') THEN
					PERFORM hl_label_many(p.name, array_agg(id::text), array_agg('c' || eingabe[1])) FROM (SELECT * FROM vector WHERE array_length(eingabe, 1) = 4 LIMIT 40) v;
				END IF;
				IF p.name <> 'parts' THEN
					PERFORM hl_train(p.name);
				END IF;
				-- two models that have learned from different numbers of labels have a curve
				IF p.name = 'tickets' THEN
					PERFORM hl_label_many(p.name, array_agg(id::text), array_agg(topic)) FROM ticket WHERE id BETWEEN 41 AND 60;
					PERFORM hl_train(p.name);
				END IF;
			END LOOP;
			-- what can be taken back
			PERFORM hl_gold('tickets', i, 'returns'), hl_settle('tickets', i, 'delivery'), hl_flag('tickets', i, 'odd') FROM unnest('{3,17,42,60}'::int[]) i;
			PERFORM hl_add_rule(project, name, 'id IS NOT NULL', 'returns') FROM unnest('{tickets,vectors,viewed}'::text[]) project, unnest('{r1,r2}'::text[]) name;
			PERFORM hl_comment('tickets', i, 'unclear') FROM generate_series(1, 20) i;
			PERFORM hl_gold('vectors', lpad(i::text, 32, '0')::uuid, 'c0'), hl_settle('vectors', lpad(i::text, 32, '0')::uuid, 'c1'), hl_flag('vectors', lpad(i::text, 32, '0')::uuid, 'odd') FROM unnest('{9,21}'::int[]) i;
		END $$});
	return;
}

srand($seed);
my @each = fuzz_each(@functions);
my $began = time;
run_scripts(map { my $role = $_; ($role => join('', map { "BEGIN;\n$_;\nROLLBACK;\n" } grep { $role eq 'postgres' || rand() < 0.2 } @each)) } @roles);
note sprintf('%d calls with each junk value: %.1f s', scalar @each, time - $began);
my $until = time + $seconds;
my $steps = 0;
do
{
	restore_projects();
	my %scripts = map { ($_ => fuzz_script(60, @functions)) } 'postgres', 'fuzz_owner', $roles[ 2 + int(rand(@roles - 2)) ];

	run_scripts(%scripts);
	$steps += 60 * keys %scripts;
} while (time < $until);
note "$steps random steps, seed $seed";

# ----------------------------------------------------------------------
# SQLsmith, where it is installed
# ----------------------------------------------------------------------

# It looks for functions in "pg_proc", and finds this one: ours, and some to put
# into their arguments.  Where it is, SQLsmith does not read from it.  Sets are
# in views; columns have values that work.
restore_projects();
$node->safe_psql('postgres', q{
	CREATE SCHEMA smith;
	GRANT USAGE ON SCHEMA smith TO PUBLIC;
	CREATE VIEW information_schema.pg_proc AS SELECT * FROM pg_catalog.pg_proc WHERE proname ~ '^hl_' AND prorettype::regtype::text NOT LIKE '%trigger' OR proname IN ('lower', 'length', 'repeat', 'random', 'abs', 'array_append', 'to_jsonb', 'max', 'count', 'array_agg', 'string_agg', 'make_interval');
	CREATE TABLE smith.argument (project text, item text, label text, annotator text, input text, vector real[], number int, id uuid, big bigint, items text[], labels text[], lease interval, options jsonb, source regclass, role regrole);
	INSERT INTO smith.argument SELECT (ARRAY['tickets', 'vectors', 'words', 'viewed', 'parts'])[1 + i % 5], CASE i % 5 WHEN 1 THEN lpad(i::text, 32, '0')::uuid::text WHEN 2 THEN 'Wort ' || i || ' ö' ELSE i::text END, (ARRAY['returns', 'größer', NULL])[1 + i % 3], NULL,
			'where is my parcel ' || i, '{1,2,3,4}', i % 7, lpad(i::text, 32, '0')::uuid, i, ARRAY[i::text], '{returns}', '1 minute', '{}', 'ticket', (ARRAY['fuzz_annotate', 'fuzz_predict'])[1 + i % 2]::regrole
		FROM generate_series(1, 30) i;
	CREATE VIEW smith.predicted AS SELECT * FROM hl_predict('tickets');
	CREATE VIEW smith.next AS SELECT * FROM hl_next('tickets', 2);
	CREATE VIEW smith.embedded AS SELECT a.*, hl_embed('tickets', a.input) FROM smith.argument a;
	CREATE VIEW smith.metrics AS SELECT p.project, m.* FROM hl_projects p CROSS JOIN LATERAL hl_metrics(p.project) m;
	CREATE VIEW smith.curve AS SELECT c.* FROM hl_projects p CROSS JOIN LATERAL hl_learning_curve(p.project) c;
	CREATE VIEW smith.confusion AS SELECT c.* FROM hl_projects p CROSS JOIN LATERAL hl_confusion(p.project) c;
	CREATE VIEW smith.models AS SELECT p.project, m.* FROM hl_projects p CROSS JOIN LATERAL hl_models(p.project) m;
	CREATE VIEW smith.probabilities AS SELECT a.item, p.* FROM smith.argument a CROSS JOIN LATERAL hl_probabilities('tickets', a.input) p;
	GRANT SELECT ON ALL TABLES IN SCHEMA smith TO PUBLIC;
	GRANT SELECT ON information_schema.pg_proc TO PUBLIC;
	ALTER DATABASE postgres SET search_path = information_schema, pg_catalog, public;
	ALTER DATABASE postgres SET statement_timeout = '3s';});

SKIP:
{
	skip 'SQLsmith is not installed', 1 if !grep { -x "$_/sqlsmith" } split /:/, $ENV{PATH};

	my @queries = $ENV{FUZZ_SECONDS} ? () : ('--max-queries=400');
	my @runs;
	my $calls = q{SELECT sum(calls) FROM pg_stat_user_functions WHERE funcname LIKE 'hl\_%'};
	my $before = $node->safe_psql('postgres', $calls);

	for my $role ('postgres', 'fuzz_owner')
	{
		push @runs, IPC::Run::start([ 'sqlsmith', '--target=' . $node->connstr('postgres') . " user=$role", '--exclude-catalog', "--seed=$seed", @queries ], '>', '/dev/null', '2>', '/dev/null', IPC::Run::timeout($seconds + 300));
	}
	if (!@queries)
	{
		sleep $seconds;
		$_->signal('TERM') for @runs;
	}
	IPC::Run::finish($_) for @runs;
	cmp_ok($node->safe_psql('postgres', $calls), '>', $before, 'SQLsmith has called our functions');
	note $node->safe_psql('postgres', $calls) - $before, ' calls by SQLsmith';
}

my $log = fuzz_log($node, qr/^\[\d+\] XX/);

note join(', ', map { "$_: $log->{states}{$_}" } sort keys %{ $log->{states} });
# calls that came to an end
my %calls = map { split /\|/ } split /\n/, $node->safe_psql('postgres', q{SELECT funcname, sum(calls) FROM pg_stat_user_functions GROUP BY 1});
note join(', ', map { "$_: $calls{$_}" } sort keys %calls);
is(join(' ', grep { !$calls{$_} } map { $_->{name} } @functions), '', 'every function has worked, too');
is($log->{internal}, '', 'no internal error');
is($log->{deaths}, '', 'no process has died');
$node->stop;
done_testing();
