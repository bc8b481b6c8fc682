# Clients of other kinds than a psql of one statement at a time: poolers,
# drivers that fetch in portions, transactions that are serializable, prepared
# or cut off.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use IO::Socket::UNIX;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "max_prepared_transactions = 10\nmax_connections = 80\n");
my $dir = PostgreSQL::Test::Utils::tempdir();
my $learned = q{SELECT NOT EXISTS (SELECT FROM hl_change)};
my $serving = q{(SELECT model || '|' || revision FROM hl_serving WHERE project_id = 1)};

sub query
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

# pgbench with a script; its summary.
my $scripts = 0;
sub bench
{
	my ($what, $script, @options) = @_;
	my $file = "$dir/script" . $scripts++;

	append_to_file($file, $script);
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run([ 'pgbench', '-n', '-f', $file, @options ], '>', \$out, '2>', \$err);
	ok($ok && $out =~ /number of failed transactions: 0 /, $what) or diag($out, $err);
	return $out;
}

fill($node, 2400, 'postgres', '{"train_growth": 100, "train_quiet": 86400, "queue_size": 2000}');
model_by_itself($node, 60);

# ----------------------------------------------------------------------
# A pooler that gives each transaction another connection
# ----------------------------------------------------------------------

sub pgbouncer
{
	for my $place (split(/:/, $ENV{PATH}), '/usr/sbin')
	{
		return "$place/pgbouncer" if -x "$place/pgbouncer";
	}
	return;
}

SKIP:
{
	my $program = pgbouncer() or skip 'no pgbouncer', 10;
	my $user = query('SELECT current_user');

	append_to_file("$dir/users", qq{"$user" ""\n});
	append_to_file("$dir/pgbouncer.ini", "[databases]\n"
		. 'pool = host=' . $node->host . ' port=' . $node->port . " dbname=postgres pool_size=2\n"
		. "[pgbouncer]\npool_mode = transaction\nunix_socket_dir = $dir\nlisten_addr =\nlisten_port = 6432\n"
		. "auth_type = trust\nauth_file = $dir/users\nmax_client_conn = 100\nignore_startup_parameters = extra_float_digits\n"
		. "pidfile = $dir/pgbouncer.pid\n");
	my $log = '';
	my $pooler = IPC::Run::start([ $program, "$dir/pgbouncer.ini" ], '>', \$log, '2>&1');
	my $pool = "host=$dir port=6432 dbname=pool user=$user";
	my $tries = 200;
	select(undef, undef, undef, 0.05) until IPC::Run::run([ 'psql', '-XAtqc', 'SELECT 1', '-d', $pool ], '>', \my $null, '2>', \my $null2) || $tries-- == 0;

	# twelve people share two connections: each is known by his own name, and
	# nobody is asked what another is asked
	bench('a label a transaction through pgbouncer', q{
		BEGIN;
		SET LOCAL humanloop.annotator = person:client_id;
		SELECT item FROM hl_next('tickets') \gset
		SELECT hl_label('tickets', :item, 'billing');
		COMMIT;
		}, '-c', '12', '-j', '2', '-t', '20', '-d', $pool);
	is(query("SELECT count(*), count(DISTINCT item), count(DISTINCT annotator) FROM hl_answer WHERE annotator LIKE 'person%'"), '240|240|12', 'all are there, each under its name, no question twice');
	is(query(q{SELECT min(n) = 20 AND max(n) = 20 FROM (SELECT count(*) AS n FROM hl_answer WHERE annotator LIKE 'person%' GROUP BY annotator) a}), 't', 'as many of each');
	is(query(q{SELECT count(*) FROM hl_answer WHERE annotator = current_user AND id > (SELECT min(id) FROM hl_answer WHERE annotator LIKE 'person%')}), '0', 'none under the name of the connection');
	# asked in one transaction, answered in another: perhaps by another connection
	bench('questions and answers in different transactions', q{
		\set person :client_id + 100
		BEGIN;
		SET LOCAL humanloop.annotator = person:person;
		SELECT item FROM hl_next('tickets') \gset
		COMMIT;
		BEGIN;
		SET LOCAL humanloop.annotator = person:person;
		SELECT hl_label('tickets', :item, 'returns') \gset
		COMMIT;
		SELECT label FROM ticket t, hl_predict('tickets', t.body) p WHERE t.id = :item;
		}, '-c', '12', '-j', '2', '-t', '10', '-d', $pool);
	is(query(q{SELECT count(*), count(DISTINCT item), count(DISTINCT annotator) FROM hl_answer WHERE annotator ~ '^person1..$'}), '120|120|12', 'all are there');
	bench('with the extended protocol', q{
		SELECT p.label FROM ticket t, hl_predict('tickets', t.body) p WHERE t.id = 1 + :client_id;
		SELECT count(*) FROM hl_queue WHERE project = 'tickets';
		SELECT hl_label('tickets', 1000 + :client_id, 'delivery', 'person' || :client_id);
		}, '-M', 'extended', '-c', '12', '-j', '2', '-t', '5', '-d', $pool);
	is(query(q{SELECT count(*) <= 2 AND count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()}), 't', 'over two connections');
	# somebody who looks for a free item at the very moment keeps a lease row from
	# being given back, but not the item from being answered
	is(query(q{SELECT count(*) FROM hl_lease l WHERE annotator LIKE 'person%' AND lease_until < 'infinity' AND NOT EXISTS (SELECT FROM hl_labels a WHERE a.item = l.item)}), '0', 'no lease is left of what is not answered');
	eventually($node, $learned, 'the worker has learned it all', 30);
	$pooler->kill_kill;
}

# ----------------------------------------------------------------------
# Serializable transactions that are run again
# ----------------------------------------------------------------------

# eight people, each of whom labels what he is asked and one item that
# everybody labels, while the worker learns
for my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	my $word = lc substr($level, 0, 1);
	my $start = query('SELECT coalesce(max(id), 0) FROM hl_answer');
	my $out = bench("$level, run again where that fails", qq{
		\\set common random(1, 20)
		BEGIN ISOLATION LEVEL $level;
		SELECT set_config('humanloop.annotator', '$word' || :client_id, true);
		SELECT count(*) AS n, max(item) AS item FROM hl_next('tickets') \\gset
		SELECT count(hl_label('tickets', i, 'delivery')) FROM unnest(ARRAY[:item, :common]) i;
		COMMIT;
		}, '--max-tries=1000', '-M', 'prepared', '-c', '8', '-j', '2', '-t', '15', '-d', $node->connstr('postgres'));
	note($out =~ /(number of transactions retried.*)/);
	is(query("SELECT count(*) FROM hl_answer WHERE id > $start"), 2 * 8 * 15, "$level: nothing is lost, and nothing is there twice");
	is(query(qq{SELECT count(*) FROM hl_current_answer c LEFT JOIN hl_answer a ON a.id = c.answer_id AND a.item = c.item AND a.annotator = c.annotator WHERE a.id IS NULL OR a.id <> (SELECT max(id) FROM hl_answer b WHERE b.item = c.item AND b.annotator = c.annotator)}), '0', "$level: what holds is what was said last");
}
eventually($node, $learned, 'the worker has learned it all', 30);
is(query(q{SELECT failures, last_error FROM hl_work}), '0|', 'without an error');

# ----------------------------------------------------------------------
# Answers while the model moves on
# ----------------------------------------------------------------------

# one model and revision from the first row to the last, in parallel workers, in
# one portion or many
my $asker = session($node);
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off';
ask($asker, $parallel);
like(ask($asker, q{EXPLAIN SELECT count(DISTINCT (p.model, p.revision)) FROM ticket t, hl_predict('tickets', t.body) p}), qr/Gather/, 'a parallel plan');
ask($asker, q{BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT t.id, p.model || '|' || p.revision AS served FROM ticket t, hl_predict('tickets', t.body) p; DECLARE open CURSOR FOR SELECT t.id, p.model || '|' || p.revision AS served FROM ticket t, hl_predict('tickets', t.body) p});
my $first = query("SELECT $serving");
is(ask($asker, 'FETCH 1 FROM held; FETCH 1 FROM open') =~ s/\d+\|(\d+\|\d+)\n?/$1 /gr, "$first $first ", 'two cursors');
# how often each of them was seen
my %revisions;
for my $i (1 .. 12)
{
	query("SELECT hl_label('tickets', 2000 + $i, 'returns')");
	my ($distinct, $rows, $served) = split /,/, query(qq{$parallel; SELECT count(DISTINCT (p.model, p.revision)) || ',' || count(*) || ',' || max(p.model || '|' || p.revision) FROM ticket t, hl_predict('tickets', t.body) p});
	is("$distinct $rows", '1 2400', 'one revision in all rows');
	$revisions{$served}++;
	is(query(q{SELECT count(DISTINCT (model, revision)), count(*) FROM hl_predict('tickets')}), '1|2400', 'and in those of the whole source') if $i % 4 == 0;
}
eventually($node, $learned, 'all is learned', 20);
cmp_ok(scalar keys %revisions, '>', 1, 'which was not always the same');
isnt(query("SELECT $serving"), $first, 'the model has moved on');
my $unchanged = ask($asker, 'FETCH 1000 FROM open') =~ s/^\d+\|//gmr;
is(join(' ', keys %{ { map { $_ => 1 } split /\n/, $unchanged } }), $first, 'an open cursor goes on with its revision');
ask($asker, 'COMMIT');
is(join(' ', keys %{ { map { $_ => 1 } split /\n/, ask($asker, 'FETCH ALL FROM held') =~ s/^\d+\|//gmr } }), $first, 'so does one that outlives its transaction');
$asker->{run}->kill_kill;

# ----------------------------------------------------------------------
# A driver that fetches in portions: the protocol itself, as psql has no such way
# ----------------------------------------------------------------------

my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port) or die "no connection: $!";
binmode $socket;

sub receive
{
	my ($bytes) = @_;
	my $buffer = '';

	while (length $buffer < $bytes)
	{
		sysread($socket, $buffer, $bytes - length $buffer, length $buffer) or die 'the server has closed the connection';
	}
	return $buffer;
}

# Messages up to one of these types.
sub messages
{
	my ($last) = @_;
	my @messages;

	do
	{
		my ($type, $length) = unpack 'a N', receive(5);
		push @messages, [ $type, $length > 4 ? receive($length - 4) : '' ];
	} until $messages[-1][0] =~ /[$last]/;
	return @messages;
}

sub message
{
	my ($type, $body) = @_;
	return $type . pack('N', 4 + length $body) . $body;
}

sub parse { return message('P', "$_[0]\0$_[1]\0" . pack('n', 0)); }
sub bind_text { my ($portal, $statement, @values) = @_; return message('B', "$portal\0$statement\0" . pack('n n', 0, scalar @values) . join('', map { pack('N/a*', $_) } @values) . pack('n', 0)); }
sub execute { return message('E', "$_[0]\0" . pack('N', $_[1])); }
sub sync { return message('S', ''); }

# The first column of the rows that come.
sub rows
{
	return map { my ($columns, $value) = unpack 'n N/a*', $_->[1]; $value } grep { $_->[0] eq 'D' } @_;
}

sub simple
{
	my ($query) = @_;
	syswrite $socket, message('Q', "$query\0");
	return messages('Z');
}

my $startup = pack('N', 196608) . "user\0" . query('SELECT current_user') . "\0database\0postgres\0\0";
syswrite $socket, pack('N', 4 + length $startup) . $startup;
messages('Z');

syswrite $socket, parse('answers', q{SELECT t.id || '|' || p.model || '|' || p.revision FROM ticket t, hl_predict('tickets', t.body) p WHERE t.id <= $1})
	. parse('all', q{SELECT item || '|' || model || '|' || revision FROM hl_predict('tickets') LIMIT $1})
	. parse('next', q{SELECT item FROM hl_next('tickets', $1)})
	. parse('train', q{SELECT model FROM hl_train($1)})
	. parse('label', q{SELECT hl_label('tickets', $1, 'returns')}) . sync();
is(join('', map { $_->[0] } messages('Z')), '11111Z', 'statements are prepared');
simple('BEGIN');
syswrite $socket, bind_text('a', 'answers', 100) . bind_text('b', 'all', 100) . bind_text('c', 'next', 30) . execute('a', 30) . execute('b', 30) . execute('c', 10) . message('H', '');
my @answers = (messages('s'), messages('s'), messages('s'));
my @begun = rows(@answers);
is(scalar @begun, 70, 'three portals are begun');
# in the same transaction, with the portals open
syswrite $socket, bind_text('', 'train', 'tickets') . execute('', 0) . message('H', '');
my ($trained) = rows(messages('C'));
syswrite $socket, bind_text('', 'label', $begun[60]) . execute('', 0) . message('H', '');
is(scalar rows(messages('C')), 1, 'meanwhile the session trains, and labels what it was asked');
syswrite $socket, execute('a', 30) . execute('b', 30) . execute('c', 0) . message('H', '');
@answers = (messages('s'), messages('s'), messages('C'));
my @rest = rows(@answers);
is(scalar @rest, 80, 'and goes on to fetch');
syswrite $socket, execute('a', 0) . message('C', "Pb\0") . message('H', '');
push @rest, rows(messages('C'), messages('3'));
my %models = map { s/^\d+\|//r => 1 } (@begun[ 0 .. 59 ], @rest[ 0 .. 59 ], @rest[ 80 .. $#rest ]);
is(scalar @rest, 120, 'to the end');
is(scalar keys %models, 1, 'from one model');
is((keys %models)[0] =~ s/\|.*//r, $trained - 1, 'that of before');
is(query(q{SELECT count(*) FROM hl_lease WHERE annotator = current_user AND lease_until < 'infinity'}), '0', 'nobody else sees the questions yet');
simple('COMMIT');
is(query(q{SELECT count(*) FROM hl_lease WHERE annotator = current_user AND lease_until < 'infinity'}), '29', 'they are his from the commit on');
# an error in the middle of a portal: the session goes on
simple('BEGIN');
syswrite $socket, bind_text('a', 'answers', 100) . execute('a', 30) . bind_text('', 'train', 'nothing') . execute('', 0) . sync();
is(join('', map { $_->[0] } grep { $_->[0] =~ /[EZ]/ } messages('Z')), 'EZ', 'an error while a portal is open');
simple('ROLLBACK');
syswrite $socket, bind_text('', 'answers', 5) . execute('', 0) . sync();
is(scalar rows(messages('Z')), 5, 'and the prepared statement is there');

# ----------------------------------------------------------------------
# A connection that is cut off
# ----------------------------------------------------------------------

simple('BEGIN');
syswrite $socket, bind_text('', 'next', 50) . execute('', 0) . sync();
is(scalar rows(messages('Z')), 50, 'fifty questions');
syswrite $socket, bind_text('', 'label', 2300) . execute('', 0) . sync();
messages('Z');
syswrite $socket, bind_text('', 'train', 'tickets') . execute('', 0) . sync();
close $socket;
eventually($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()}, 'somebody who hangs up in the middle of a training is soon gone', 30);
is(query(q{SELECT count(*) FROM hl_answer WHERE item = '2300'}), '0', 'what he had not committed is not there');
is(query(q{SELECT count(*) FROM hl_lease WHERE annotator = current_user AND lease_until < 'infinity'}), '29', 'nor are his questions taken');
is(query(q{SELECT count(*) FROM hl_next('tickets', 50)}), '50', 'which go to the next');
is(query("SELECT max(model) FROM hl_model"), $trained, 'nor is there a model of his');

# ----------------------------------------------------------------------
# Two-phase commit
# ----------------------------------------------------------------------

eventually($node, $learned, 'all is learned', 20);
query(q{CREATE ROLE ann; CREATE TABLE other (id int PRIMARY KEY, body text); INSERT INTO other SELECT id, body FROM ticket WHERE id <= 100});
my %prepared = (
	next => q{SELECT count(*) FROM hl_next('tickets', 5, 'phase')},
	label => q{SELECT hl_label('tickets', 2100, 'returns', 'phase'); SELECT hl_skip('tickets', 2101, annotator => 'phase')},
	many => q{SELECT hl_label_many('tickets', '{2110,2111}', '{returns,billing}', 'phase')},
	grant => q{SELECT hl_grant('tickets', 'ann', 'annotate')},
	train => q{SELECT model FROM hl_train('tickets')},
	refresh => q{INSERT INTO ticket VALUES (9000, 'two phases'); SELECT hl_refresh('tickets')},
	deploy => q{SELECT hl_deploy('tickets', 2)},
	pause => q{SELECT hl_pause('tickets')},
	create => q{SELECT hl_create_project('others', 'other', 'body')},
	drop => q{SELECT hl_drop_project('tickets')});
my $state = q{SELECT (SELECT count(*) FROM hl_answer), (SELECT count(*) FROM hl_lease WHERE annotator = 'phase'), (SELECT max(model) FROM hl_model), (SELECT model FROM hl_serving WHERE project_id = 1),
	(SELECT count(*) FROM hl_privilege), (SELECT items FROM hl_serving WHERE project_id = 1), (SELECT string_agg(name || paused, ' ' ORDER BY id) FROM hl_project)};
my $count = 0;
for my $what (qw(next label many grant train refresh deploy pause create drop))
{
	my $before = query($state);
	is(sqlstate($node, "BEGIN; $prepared{$what}; PREPARE TRANSACTION '$what'"), '', "$what: prepared");
	is(query($state), $before, 'nothing of it is seen');
	# others label and ask meanwhile, unless the project is just being dropped
	if ($what ne 'drop')
	{
		$count++;
		is(sqlstate($node, "SET lock_timeout = '5s'; SELECT count(*) FROM hl_next('tickets', 1); SELECT hl_label('tickets', 1200 + $count, 'billing', 'meanwhile')"), '', 'nobody waits for it');
		$before = query($state);
	}
	is(query(q{SELECT p.label IS NOT NULL FROM hl_predict('tickets', 'where is the parcel') p}), 't', 'the model answers');
	# prepared transactions outlive the server
	$node->restart if $what eq 'train' || $what eq 'drop';
	query("ROLLBACK PREPARED '$what'");
	is(query($state), $before, 'rolled back, it has not been');
	next if $what eq 'drop';
	query("BEGIN; $prepared{$what}; PREPARE TRANSACTION '$what'");
	$node->restart if $what eq 'refresh' || $what eq 'create';
	query("COMMIT PREPARED '$what'");
	isnt(query($state), $before, 'committed, it has');
	query(q{SELECT hl_resume('tickets')}) if $what eq 'pause';
}
is(query(q{SELECT count(*) FROM hl_answer WHERE annotator = 'phase'}), '4', 'answers of prepared transactions are there');
query(q{SELECT hl_predict('tickets', 'x')});
eventually($node, $learned, 'and learned', 30);
is(query(q{SELECT string_agg(project || state, ' ' ORDER BY project) FROM hl_projects}), 'othersno model ticketsready', 'all is well');
is(query(orphans()), '', 'and nothing is left behind');
my $seen = query('BEGIN; DELETE FROM hl_model_part; DELETE FROM hl_project WHERE id = 1; ' . orphans() . '; ROLLBACK');
like($seen, qr/^hl_answer without project: \d+$/m, 'which would be seen');
like($seen, qr/^model without part: \d+$/m, 'whatever it is');
query(qq{BEGIN; $prepared{drop}; PREPARE TRANSACTION 'drop'});
is(sqlstate($node, q{SET lock_timeout = '200ms'; SELECT hl_label('tickets', 1, 'returns')}), '55P03', 'who labels waits for a drop that is prepared');
query(q{COMMIT PREPARED 'drop'});
is(sqlstate($node, q{SELECT hl_label('tickets', 1, 'returns')}), '42704', 'and is told that the project is gone');
eventually($node, q{SELECT count(*) = 0 FROM hl_change c WHERE NOT EXISTS (SELECT FROM hl_project p WHERE p.id = c.project_id)}, 'with all of it', 20);
is(query(orphans()), '', 'nothing is left behind');

my @complaints = grep { /WARNING:  (?!humanloop worker)|PANIC|terminated by signal|TRAP/ } split /\n/, slurp_file($node->logfile);
is(join("\n", splice @complaints, 0, 5), '', 'the log has no warnings');
$node->stop;
done_testing();
