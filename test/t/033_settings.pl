# Databases whose administrator has set what can be set: neither the worker nor
# the functions rely on anything that ALTER DATABASE can change.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main');
my @settings = ("default_transaction_isolation = 'serializable'", 'default_transaction_deferrable = on', 'array_nulls = off', 'transform_null_equals = on', "bytea_output = 'escape'", 'extra_float_digits = -15',
	'standard_conforming_strings = off', 'escape_string_warning = off', 'quote_all_identifiers = on', "search_path = 'nowhere'", 'row_security = off', 'check_function_bodies = off', "DateStyle = 'SQL, DMY'", "IntervalStyle = 'iso_8601'",
	"timezone = 'Pacific/Chatham'", "statement_timeout = '10s'", "lock_timeout = '10s'", "idle_in_transaction_session_timeout = '10s'", 'enable_seqscan = off', 'enable_hashjoin = off', 'enable_sort = off', "work_mem = '64kB'",
	'jit = on', "plpgsql.variable_conflict = 'use_column'", "client_min_messages = 'debug1'", 'default_transaction_read_only = on');

# The same in a database as it comes, and in one where all that is set.
sub learn
{
	my ($database, @set) = @_;
	my $query = sub { return $node->safe_psql($database, 'SET default_transaction_read_only = off; SET client_min_messages = warning; ' . $_[0]) };

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION humanloop');
	$node->safe_psql('postgres', "ALTER DATABASE $database SET $_") for @set;
	$query->(q{
		CREATE TABLE public.note (id int PRIMARY KEY, body text);
		INSERT INTO public.note SELECT i, (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + i % 3] || (ARRAY['the shoes', 'the lamp', 'a phone'])[1 + i / 3 % 3] || ' order ' || i FROM pg_catalog.generate_series(1, 300) i;
		SELECT public.hl_create_project('notes', 'public.note', 'body', classes => '{returns,delivery,billing}', options => '{"train_growth": 100, "train_quiet": 86400}');
		SELECT public.hl_label_many('notes', pg_catalog.array_agg(id::text), pg_catalog.array_agg((ARRAY['returns', 'delivery', 'billing'])[1 + id % 3])) FROM public.note WHERE id <= 60;});
	eventually($node, q{SELECT pg_catalog.count(*) = 1 AND NOT EXISTS (SELECT FROM public.hl_change) FROM public.hl_serving WHERE model = 1}, "$database: the worker trains", 60, $database);
	my @said = ($query->(q{SELECT item, label, pg_catalog.round(confidence::numeric, 4), model FROM public.hl_predict('notes') ORDER BY item::int}));
	push @said, $query->(q{SELECT public.hl_label('notes', 100, 'delivery') > 0, (SELECT pg_catalog.count(*) FROM public.hl_next('notes', 3, 'ann')); SELECT public.hl_skip('notes', 101, 'why'); SELECT public.hl_undo('notes', 1)});
	$query->(q{INSERT INTO public.note VALUES (1001, 'where is the parcel with a bicycle'), (1002, NULL); UPDATE public.note SET body = 'I was charged twice for a harp' WHERE id = 7; DELETE FROM public.note WHERE id = 8});
	eventually($node, q{SELECT revision > 0 AND NOT EXISTS (SELECT FROM public.hl_change) FROM public.hl_serving}, "$database: and learns", 30, $database);
	# another one, which begins with these settings
	worker_gone($node, $database);
	$query->(q{SELECT public.hl_label('notes', 1001, 'delivery')});
	eventually($node, q{SELECT NOT EXISTS (SELECT FROM public.hl_change)}, "$database: so does the next worker", 30, $database);
	push @said, $query->(q{SELECT items, labelled, model, state, last_error FROM public.hl_projects; SELECT kind, state FROM public.hl_runs});
	push @said, $query->(q{INSERT INTO public.hl_labels (project, item, label) VALUES ('notes', '200', 'returns') RETURNING item, label; UPDATE public.hl_labels SET label = 'billing' WHERE item = '200' RETURNING label; DELETE FROM public.hl_labels WHERE item = '200' RETURNING label});
	push @said, $query->(q{SELECT model, labels, classes FROM public.hl_train('notes'); SELECT public.hl_refresh('notes'); SELECT pg_catalog.count(*) FROM public.hl_queue_notes; SELECT metric, class, n FROM public.hl_metrics('notes') ORDER BY 1, 2});
	push @said, $query->(q{SELECT public.hl_grant('notes', 'pg_monitor', 'annotate'); SELECT public.hl_deploy('notes', 1); SELECT label, model FROM public.hl_predict('notes', 'where is the parcel'); SELECT public.hl_drop_project('notes'); SELECT pg_catalog.count(*) FROM public.hl_answer});
	return @said;
}

my @plain = learn('plain');
my @set = learn('odd', @settings);
is($set[$_], $plain[$_], 'whatever is set, it does the same') for 0 .. $#plain;
like($plain[2], qr/^300\|61\|1\|ready\|\ntrain\|done$/, 'which is what it should');

# Where triggers of origin do not fire, the view takes nothing: the functions do.
fill($node, 60);
my $replica = 'SET session_replication_role = replica; ';
$node->safe_psql('postgres', $replica . q{INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '1', 'returns')});
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_label_history}), '0', 'session_replication_role = replica: nothing through the view, as with any');
$node->safe_psql('postgres', $replica . q{SELECT hl_label('tickets', 1, 'returns'), hl_label_many('tickets', '{2,3}', '{delivery,billing}'); INSERT INTO ticket VALUES (1000, 'where is the parcel')});
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_labels}), '3', 'but by the functions');
eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change) AND items = 61 FROM hl_serving}, 'and rows are noted', 20);

unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/WARNING|PANIC|terminated by signal/, 'nothing has failed');

$node->stop;
done_testing();
