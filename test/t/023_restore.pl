# Dumps restored where things are not as they were: other roles, roles that have
# changed their names, no owners, a part of the dump, a source that is not there,
# while people work.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

# The extension is in a schema of its own, everywhere.
my $conf = qq{humanloop.enabled = off\nsearch_path = 'public, "My Loop"'\n};
my $dir = PostgreSQL::Test::Utils::tempdir();

sub cluster
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '-E', 'UTF8', '--locale=C' ]);
	$node->append_conf('postgresql.conf', "max_connections = 60\n$conf");
	$node->start;
	return $node;
}

my $main = cluster('main');
my $other = cluster('other');

# Messages of a program; it must not fail, or it must.
sub output
{
	my ($node, $succeeds, $what, @command) = @_;
	my ($out, $err);
	my $ok = IPC::Run::run([@command], '>', \$out, '2>', \$err);

	is($ok ? 1 : 0, $succeeds, $what) or diag($err);
	return $out . $err;
}

sub dump_to
{
	my ($file, @options) = @_;

	$main->command_ok([ 'pg_dump', '-d', $main->connstr('postgres'), '-f', "$dir/$file", @options ], "pg_dump @options");
	return;
}

sub restore
{
	my ($database, $file, @options) = @_;

	$other->safe_psql('postgres', "CREATE DATABASE $database") if !grep { $_ eq '--clean' } @options;
	$other->command_ok([ 'pg_restore', '--exit-on-error', '-d', $other->connstr($database), @options, "$dir/$file" ], "$database: pg_restore @options");
	return;
}

# ----------------------------------------------------------------------
# What is dumped
# ----------------------------------------------------------------------

$main->safe_psql('postgres', q{
	CREATE SCHEMA "My Loop";
	CREATE EXTENSION humanloop SCHEMA "My Loop";
	GRANT USAGE ON SCHEMA "My Loop" TO PUBLIC;
	CREATE ROLE desk; CREATE ROLE boss; CREATE ROLE ann; CREATE ROLE guest; CREATE ROLE leaver; CREATE ROLE visitor; CREATE ROLE gone;
	CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
	CREATE SCHEMA office AUTHORIZATION desk;
	GRANT ALL ON SCHEMA public, office TO PUBLIC;});
fill($main, 200);
train($main, 60);
$main->safe_psql('postgres', q{
	ALTER TABLE ticket OWNER TO desk;
	ALTER VIEW hl_queue_tickets OWNER TO desk;
	SET ROLE desk;
	SELECT hl_grant('tickets', 'ann', 'annotate'), hl_grant('tickets', 'guest', 'predict'), hl_grant('tickets', 'leaver', 'manage'), hl_grant('tickets', 'visitor', 'predict'),
		hl_grant('tickets', 'gone', 'annotate');
	SELECT hl_label('tickets', 70, 'billing'), hl_skip('tickets', 71, 'why'), hl_undo('tickets', 1, 'postgres');
	-- handed over to somebody who does not own the source
	CREATE TABLE letter AS SELECT * FROM ticket;
	ALTER TABLE letter ADD PRIMARY KEY (id);
	SELECT hl_create_project('handed', 'letter', 'body');
	RESET ROLE;
	ALTER VIEW hl_queue_handed OWNER TO boss;
	-- with labels of its own
	SET ROLE desk;
	CREATE TABLE mail (id int PRIMARY KEY, body text, known text);
	INSERT INTO mail SELECT id, body, CASE WHEN id <= 60 THEN topic END FROM ticket;
	SELECT hl_create_project('known', 'mail', 'body', label => 'known');
	SELECT hl_train('known');});

# Since then nobody has called humanloop.  Names are changed, and taken by
# others; the dump must mean those who have the rights.
$main->safe_psql('postgres', q{
	ALTER TABLE ticket RENAME TO request;
	ALTER TABLE request RENAME body TO message;
	ALTER TABLE request SET SCHEMA office;
	ALTER TABLE mail RENAME known TO verdict;
	ALTER ROLE desk RENAME TO bureau;
	CREATE ROLE desk;
	ALTER ROLE guest RENAME TO friend;
	CREATE ROLE guest;
	DROP OWNED BY leaver, visitor;
	DROP ROLE leaver, visitor;
	CREATE ROLE leaver; CREATE ROLE visitor;});
my $privileges = q{SELECT * FROM hl_privileges('tickets')};
is($main->safe_psql('postgres', $privileges), "ann|annotate\nfriend|predict\ngone|annotate", 'who may what');

dump_to('custom', '-Fc');
$main->command_ok([ 'pg_dump', '-U', 'reader', '-Fc', '-d', $main->connstr('postgres'), '-f', "$dir/reader" ], 'pg_dump by a role with pg_read_all_data');

my %questions = (
	projects => q{SELECT project, source, input, key, label, owner, labelled, model, revision, state, last_error FROM hl_projects ORDER BY project},
	history => q{SELECT * FROM hl_label_history ORDER BY id},
	answers => q{SELECT * FROM hl_predict('tickets', 'where is the parcel') UNION ALL SELECT * FROM hl_predict('known', 'I was charged twice')},
	labels => q{SELECT * FROM hl_labels ORDER BY id});
my %before = map { $_ => $main->safe_psql('postgres', $questions{$_}) } keys %questions;
is($before{projects}, "handed|public.letter|body|id||boss|0||0|no model|\nknown|public.mail|body|id|verdict|bureau|60|1|0|ready|\ntickets|office.request|message|id||bureau|60|1|0|ready|", 'the projects');

# Everything as it was, and it goes on.  owner: instead of those of the dump.
my $twice = q{count(*) FILTER (WHERE n > 1) FROM (SELECT count(*) n FROM };
my $goes_on = qq{
	SELECT hl_refresh('tickets'), hl_refresh('handed'), hl_refresh('known');
	SELECT hl_refresh('tickets'), hl_refresh('handed'), hl_refresh('known');
	SELECT string_agg(project || ' ' || queued, ', ' ORDER BY project) FROM hl_projects;
	SELECT (SELECT count(*) FROM hl_queue_tickets), (SELECT count(*) FROM hl_queue_handed), (SELECT count(*) FROM hl_queue_known);
	SELECT count(*), (SELECT $twice hl_labels GROUP BY project, item, annotator) l) FROM hl_labels;
	SELECT count(*), count(DISTINCT (tgrelid, tgname)) FROM pg_trigger WHERE tgfoid = 'hl_source_changed'::regproc AND tgenabled = 'A';
	SELECT hl_label('tickets', 80, 'billing') > max(id) FROM hl_label_history;
	SELECT model FROM hl_train('tickets');
	SELECT project FROM hl_create_project('another', 'office.request', 'message');};
my $went_on = join "\n", '200|200|200', '0|0|0', 'handed 100, known 140, tickets 140', '140|100|140', '120|0', '12|12', 't', '2', 'another';

sub check
{
	my ($database, $owner) = @_;
	my $projects = $before{projects};

	$projects =~ s/\|(boss|bureau)\|/|$owner|/g if defined $owner;
	is($other->safe_psql($database, $questions{projects}), $projects, "$database: projects");
	is($other->safe_psql($database, $questions{$_}), $before{$_}, "$database: $_") for qw(history answers labels);
	is($other->safe_psql($database, $goes_on), $went_on, "$database: features are made again, once; the queues are back, and their views; nothing is there twice; ids, models and projects go on");
	return;
}

# ----------------------------------------------------------------------
# Another cluster: other OIDs, somebody missing, strangers under old names
# ----------------------------------------------------------------------

$other->safe_psql('postgres', q{CREATE ROLE leaver; CREATE ROLE guest; CREATE ROLE friend; CREATE ROLE visitor; CREATE ROLE desk; CREATE ROLE ann; CREATE ROLE o LOGIN; CREATE ROLE bureau; CREATE ROLE boss});
for my $by ('custom', 'reader')
{
	# what is for the role that is missing fails, as it does without humanloop
	$other->safe_psql('postgres', "CREATE DATABASE $by");
	my $errors = output($other, 0, "$by: restored without one of the roles", 'pg_restore', '-d', $other->connstr($by), "$dir/$by");
	is(join(' ', $errors =~ /error: could not execute query: (.*)/g), 'ERROR:  role "gone" does not exist', "$by: which is the only error");
}
is($other->safe_psql('custom', $privileges), "ann|annotate\nfriend|predict", 'grants to a missing role are void');
for my $role ('desk', 'guest', 'leaver', 'visitor')
{
	is(sqlstate($other, "SET ROLE $role; SELECT hl_predict('tickets', 'x')", 'custom'), '42501', "$role has the name of somebody who had rights, and none himself");
	is($other->safe_psql('custom', "SET ROLE $role; SELECT count(*) FROM hl_projects"), '0', 'and sees nothing');
}
is($other->safe_psql('custom', q{SET ROLE friend; SELECT model FROM hl_predict('tickets', 'x')}), '1', 'a role that was renamed has its own');
is(sqlstate($other, q{SET ROLE friend; SELECT hl_label('tickets', 90, 'x')}, 'custom'), '42501', 'and no more');
is(sqlstate($other, q{SET ROLE ann; SELECT hl_label('tickets', 90, 'billing'); SELECT hl_undo('tickets', 90)}, 'custom'), '', 'so has one that was not');
is(sqlstate($other, q{BEGIN; SET ROLE bureau; SELECT hl_refresh('tickets'), hl_refresh('known'); SELECT hl_grant('tickets', 'friend', 'annotate'); ROLLBACK}, 'custom'), '', 'an owner who was renamed owns');
is(sqlstate($other, q{BEGIN; SET ROLE boss; SELECT hl_refresh('handed'); SELECT hl_drop_project('handed'); ROLLBACK}, 'custom'), '', 'so does one who does not own the source');
$other->safe_psql('custom', q{CREATE ROLE gone});
is(sqlstate($other, q{SET ROLE gone; SELECT hl_predict('tickets', 'x')}, 'custom'), '42501', 'a role of the missing name, created later, has nothing');
# the second of the two answers above is part of the history
$other->safe_psql('custom', q{DELETE FROM hl_answer WHERE annotator = 'ann'});
check('custom');
is($other->safe_psql('custom', q{SELECT hl_grant('tickets', 'gone', 'annotate'); SELECT * FROM hl_privileges('tickets')}), "\nann|annotate\nfriend|predict\ngone|annotate", 'until it is granted something');
is($other->safe_psql('custom', q{SELECT has_table_privilege('gone', 'hl_queue_tickets', 'SELECT')}), 't', 'which it can use');
check('reader');

# A dump of that again, where nobody had written yet
restore('again', 'custom');
$other->command_ok([ 'pg_dump', '-Fc', '-d', $other->connstr('again'), '-f', "$dir/again" ], 'pg_dump of what was restored');
$other->safe_psql('postgres', 'DROP DATABASE again');
restore('again', 'again');
check('again');

# ----------------------------------------------------------------------
# Ways to restore
# ----------------------------------------------------------------------

# Nobody's owners and rights: then all is the superuser's
restore('bare', 'custom', '-O', '-x');
is($other->safe_psql('bare', $privileges), "ann|annotate\nfriend|predict\ngone|annotate", 'without owners: privileges are data');
check('bare', 'postgres');

# In parts
$other->safe_psql('postgres', 'CREATE DATABASE parts');
for my $section ('pre-data', 'data', 'post-data')
{
	$other->command_ok([ 'pg_restore', '--exit-on-error', "--section=$section", '-d', $other->connstr('parts'), "$dir/custom" ], "section $section");
}
check('parts');
restore('halves', 'custom', '-s');
is($other->safe_psql('halves', q{SELECT count(*) FROM hl_projects}), '0', 'schema only: there is no project');
is($other->safe_psql('halves', q{SELECT count(*) FROM hl_queue_tickets}), '0', 'and a view without rows');
is(sqlstate($other, q{INSERT INTO letter VALUES (1000, 'x'); DELETE FROM letter}, 'halves'), '', 'and tables can be written to');
is($other->safe_psql('halves', q{SELECT count(*) FROM hl_change}), '0', 'which nobody notes');
$other->command_ok([ 'pg_restore', '--exit-on-error', '-a', '-d', $other->connstr('halves'), "$dir/custom" ], 'and then its data');
check('halves');

# Over what is there; what is not in the dump must not stand on it
$other->safe_psql('halves', q{SELECT hl_drop_project('another')});
restore('halves', 'custom', '--clean', '--if-exists');
check('halves');

# As statements, in one transaction
dump_to('inserts.sql', '--inserts', '--clean', '--if-exists', '--create');
my $file = PostgreSQL::Test::Utils::slurp_file("$dir/inserts.sql");
$file =~ s/(DATABASE (IF EXISTS )?|connect )postgres\b/$1inserted/g;
append_to_file("$dir/inserted.sql", $file);
$other->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr('postgres'), '-f', "$dir/inserted.sql" ], 'restored by INSERT');
check('inserted');

# The whole cluster
$main->command_ok([ 'pg_dumpall', '-d', $main->connstr('postgres'), '-f', "$dir/all.sql" ], 'pg_dumpall');
my $whole = cluster('whole');
my $errors = output($whole, 1, 'restored', 'psql', '-Xq', '-d', $whole->connstr('postgres'), '-f', "$dir/all.sql");
is(join(' ', $errors =~ /(ERROR: .*)/g), 'ERROR:  role "postgres" already exists', 'with the one error that it always has');
($other, my $elsewhere) = ($whole, $other);
is($other->safe_psql('postgres', $privileges), "ann|annotate\nfriend|predict\ngone|annotate", 'with all roles, all rights are there');
check('postgres');
$whole->stop;
$other = $elsewhere;

# As somebody who may not create the extension, whoever has created it
$other->safe_psql('postgres', 'CREATE DATABASE own OWNER o; CREATE DATABASE prepared OWNER o');
$errors = output($other, 0, 'restored by an ordinary owner of a database', 'pg_restore', '--exit-on-error', '-O', '-x', '-U', 'o', '-d', $other->connstr('own'), "$dir/custom");
like($errors, qr/permission denied to create extension "humanloop"/, 'fails for what it is');
$other->safe_psql('prepared', q{CREATE SCHEMA "My Loop"; CREATE EXTENSION humanloop SCHEMA "My Loop"; GRANT USAGE ON SCHEMA "My Loop" TO PUBLIC});
$errors = output($other, 0, 'likewise, with the extension there', 'pg_restore', '-O', '-x', '-U', 'o', '-d', $other->connstr('prepared'), "$dir/custom");
like($errors, qr/permission denied for table hl_$_\n/, "may not fill hl_$_") for qw(answer model_part privilege project serving);
is($other->safe_psql('prepared', q{SELECT (SELECT count(*) FROM hl_project) + (SELECT count(*) FROM hl_answer), (SELECT count(*) FROM office.request)}), '0|200', 'nothing of humanloop is there by halves');

# ----------------------------------------------------------------------
# Parts of a dump
# ----------------------------------------------------------------------

# A table, with its triggers, where there is no such project, and another one
# of that number; where there is no humanloop
$other->safe_psql('postgres', 'CREATE DATABASE single; CREATE DATABASE without');
$other->safe_psql('single', q{CREATE SCHEMA "My Loop"; CREATE EXTENSION humanloop SCHEMA "My Loop"; CREATE SCHEMA office;
	CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note SELECT i, 'note ' || i FROM generate_series(1, 50) i;
	SELECT hl_create_project('notes', 'note', 'body'); SELECT hl_refresh('notes'); DELETE FROM hl_change});
$other->command_ok([ 'pg_restore', '--exit-on-error', '-d', $other->connstr('single'), '-t', 'request', '-t', 'letter', "$dir/custom" ], 'pg_restore -t leaves the triggers out');
$other->safe_psql('single', q{DROP TABLE office.request, letter});
dump_to('single', '-Fc', '-t', 'office.request', '-t', 'letter');
$other->command_ok([ 'pg_restore', '--exit-on-error', '-d', $other->connstr('single'), "$dir/single" ], 'pg_dump -t does not');
is($other->safe_psql('single', q{UPDATE office.request SET message = 'x' WHERE id = 1; INSERT INTO office.request VALUES (1000, 'x'); TRUNCATE letter; SELECT count(*) FROM hl_change}), '0', 'they do not speak for another project of that number');
is($other->safe_psql('single', q{INSERT INTO note VALUES (1000, 'x'); SELECT kind, items FROM hl_change}), 'inserted|{1000}', 'whose own do');
is($other->safe_psql('single', q{SELECT hl_refresh('notes'); SELECT tgrelid::regclass, count(*) FROM pg_trigger WHERE tgfoid = 'hl_source_changed'::regproc GROUP BY tgrelid ORDER BY tgrelid::regclass::text}), "1\nletter|4\nnote|4", 'and hl_refresh removes them');
$errors = output($other, 0, 'a table alone', 'pg_restore', '-d', $other->connstr('without'), '-n', 'public', "$dir/single");
is(join(' ', sort map { s/"My Loop"/S/r } $errors =~ /ERROR:  (.*)/g), join(' ', ('schema S does not exist') x 4), 'has no triggers where there is no humanloop');
is(sqlstate($other, q{INSERT INTO letter VALUES (1000, 'x')}, 'without'), '', 'and is a table');

# Some schemas: with the extension's data if its own is among them
dump_to('schemas', '-Fc', '-n', 'public', '-n', 'office');
unlike(output($main, 1, 'what is in it', 'pg_restore', '-l', "$dir/schemas"), qr/hl_answer|EXTENSION/, 'pg_dump -n of other schemas has nothing of the extension');
dump_to('schemas', '-Fc', '-n', 'public', '-n', 'office', '-n', '"My Loop"');
$other->safe_psql('postgres', 'CREATE DATABASE schemas');
$other->safe_psql('schemas', q{CREATE SCHEMA "My Loop"; CREATE EXTENSION humanloop SCHEMA "My Loop"});
$errors = output($other, 0, 'restored into another database with the extension', 'pg_restore', '-d', $other->connstr('schemas'), "$dir/schemas");
is(join(' ', sort $errors =~ /ERROR:  (.*)/g), 'schema "My Loop" already exists schema "public" already exists', 'schemas are there already, which is all');
check('schemas');

# All but the source
$other->safe_psql('postgres', 'CREATE DATABASE partial');
dump_to('partial.sql', '-T', 'office.request', '-T', 'hl_queue_tickets');
$other->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr('partial'), '-f', "$dir/partial.sql" ], 'restored without a source');
my $state = q{SELECT owner, state, last_error FROM hl_projects WHERE project = 'tickets'};
is($other->safe_psql('partial', $state), 'bureau|source missing|relation office.request does not exist', 'which is the state');
is(sqlstate($other, "SELECT $_", 'partial'), '42P01', "$_ says so") for q{hl_refresh('tickets')}, q{hl_train('tickets')}, q{hl_label('tickets', 1, 'billing')}, q{hl_next('tickets')}, q{hl_predict('tickets')};
is($other->safe_psql('partial', q{SELECT model FROM hl_predict('tickets', 'x')}), '1', 'the model answers');
is($other->safe_psql('partial', q{SELECT count(*) FROM hl_labels WHERE project = 'tickets'}), '60', 'labels are there');
# somebody else's is not taken for it, whatever it is, nor is his view
$other->safe_psql('partial', q{GRANT ALL ON SCHEMA office, public TO PUBLIC; CREATE ROLE eve; SET ROLE eve; CREATE TABLE office.request (id int PRIMARY KEY, message text); CREATE VIEW hl_queue_tickets AS SELECT 1 AS x});
is($other->safe_psql('partial', $state), 'bureau|source missing|relation office.request does not belong to the owner of the project', 'somebody else has a table of that name');
is(sqlstate($other, q{SET ROLE eve; SELECT hl_predict('tickets', 'x')}, 'partial'), '42501', 'and nothing else');
$other->safe_psql('partial', q{DROP TABLE office.request; DROP VIEW hl_queue_tickets; SET ROLE eve; CREATE VIEW office.request AS SELECT 1 AS id, 'x'::text AS message});
is($other->safe_psql('partial', $state), 'bureau|source missing|relation office.request does not belong to the owner of the project', 'or a view');
# its owner's is: as a view, then a partition, then the table
$other->safe_psql('partial', q{DROP VIEW office.request; SET ROLE bureau; CREATE TABLE kept (number int PRIMARY KEY, body text); INSERT INTO kept SELECT i, 'where is the parcel ' || i FROM generate_series(1, 80) i;
	CREATE VIEW office.request AS SELECT number AS id, body AS message FROM kept});
is($other->safe_psql('partial', qq{SET ROLE bureau; SELECT hl_refresh('tickets'); SELECT count(*) FROM hl_queue_tickets; $state}), "80\n20\nbureau|ready|", 'a view of the owner');
$other->safe_psql('partial', q{SET ROLE bureau; DROP VIEW office.request CASCADE; CREATE TABLE whole (id int, message text, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE TABLE office.request PARTITION OF whole FOR VALUES FROM (1) TO (1000); INSERT INTO whole SELECT * FROM kept WHERE number <= 70});
is($other->safe_psql('partial', qq{SET ROLE bureau; SELECT hl_refresh('tickets'); SELECT count(*) FROM hl_queue_tickets; INSERT INTO whole VALUES (90, 'x'); SELECT hl_refresh('tickets'); $state}), "10\n10\n1\nbureau|ready|", 'a partition');
is($other->safe_psql('partial', q{SELECT count(*) FROM hl_change WHERE kind IN ('inserted', 'rows')}), '0', 'hl_refresh has seen to it');
# restored now, triggers and all
$other->safe_psql('partial', q{SET ROLE bureau; DROP TABLE whole CASCADE});
$other->command_ok([ 'pg_restore', '--exit-on-error', '-d', $other->connstr('partial'), "$dir/single", '-n', 'office' ], 'the table is restored later');
is($other->safe_psql('partial', q{INSERT INTO office.request VALUES (1000, 'the parcel'); SELECT kind, items FROM hl_change WHERE kind = 'inserted'}), 'inserted|{1000}', 'its triggers note what is written');
is($other->safe_psql('partial', qq{SET ROLE bureau; SELECT hl_refresh('tickets'); SELECT count(*) FROM hl_queue_tickets; $state}), "201\n141\nbureau|ready|", 'and all is as it was');

# The owner's role is created too late: what nobody owns is not given by its name.
$main->safe_psql('postgres', 'CREATE DATABASE late; CREATE ROLE late');
$main->safe_psql('late', q{CREATE SCHEMA "My Loop"; CREATE EXTENSION humanloop SCHEMA "My Loop"});
fill($main, 60, 'late');
$main->safe_psql('late', q{ALTER TABLE ticket OWNER TO late; ALTER VIEW hl_queue_tickets OWNER TO late});
$main->command_ok([ 'pg_dump', '-Fc', '-d', $main->connstr('late'), '-f', "$dir/late" ], 'pg_dump of what a role owns');
$other->safe_psql('postgres', 'CREATE DATABASE late');
$errors = output($other, 0, 'restored before the role', 'pg_restore', '-d', $other->connstr('late'), "$dir/late");
is(join(' ', $errors =~ /ERROR:  (.*)/g), join(' ', ('role "late" does not exist') x 2), 'which is said');
is($other->safe_psql('late', $state), 'postgres|no model|', 'the project is whose the view is');
my $give = 'ALTER TABLE ticket OWNER TO %1$s; ALTER VIEW hl_queue_tickets OWNER TO %1$s';
$other->safe_psql('late', 'CREATE ROLE late; ' . sprintf($give, 'late'));
is($other->safe_psql('late', $state), '|source missing|relation public.ticket does not belong to the owner of the project', 'before anybody has called humanloop it cannot be given away');
$other->safe_psql('late', sprintf($give, 'postgres') . q{; SELECT hl_refresh('tickets'); } . sprintf($give, 'late'));
is($other->safe_psql('late', $state), 'late|no model|', 'then it can');

# The owner of the extension, who is always a superuser, goes.
$other->safe_psql('postgres', 'CREATE DATABASE admins; CREATE ROLE admin SUPERUSER');
$other->safe_psql('admins', q{CREATE SCHEMA "My Loop"; SET ROLE admin; CREATE EXTENSION humanloop SCHEMA "My Loop"});
fill($other, 100, 'admins');
is(sqlstate($other, 'REASSIGN OWNED BY admin TO o', 'admins'), '42501', 'the extension cannot be an ordinary role\'s');
is(sqlstate($other, 'REASSIGN OWNED BY admin TO CURRENT_USER; DROP ROLE admin', 'admins'), '', 'it can be handed to another superuser');
train($other, 40, 'admins');
is($other->safe_psql('admins', q{INSERT INTO ticket VALUES (1000, 'x'); SELECT kind, items FROM hl_change WHERE kind = 'inserted'; SELECT state, model FROM hl_projects}), "inserted|{1000}\nready|1", 'and everything works');

# A dump of 0.1.0
$main->safe_psql('postgres', 'CREATE DATABASE older');
$main->safe_psql('older', q{CREATE SCHEMA "My Loop"; CREATE EXTENSION humanloop SCHEMA "My Loop" VERSION '0.1.0'});
fill($main, 60, 'older');
train($main, 30, 'older');
$main->safe_psql('older', q{SELECT hl_grant('tickets', 'ann', 'annotate')});
$main->command_ok([ 'pg_dump', '-d', $main->connstr('older'), '-f', "$dir/older.sql" ], 'pg_dump of 0.1.0');
$other->safe_psql('postgres', 'CREATE DATABASE older');
$other->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr('older'), '-f', "$dir/older.sql" ], 'restored');
is($other->safe_psql('older', qq{SELECT extversion > '0.1.0' FROM pg_extension WHERE extname = 'humanloop'; $state; $privileges; SELECT hl_refresh('tickets'); SELECT owner_role, source_owner, model FROM hl_project, hl_train('tickets')}), "t\npostgres|ready|\nann|annotate\n60\npostgres|postgres|2", 'is of this version, and works');

$main->stop;
$other->stop;
done_testing();
