# What the TAP tests share: a server with the extension and something to learn.
package Humanloop;

use strict;
use warnings;
use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(new_node fill fill_many fill_slow train sqlstate session ask eventually never worker worker_gone model_by_itself);

# A running server, UTF8, with the extension in database postgres.  "conf" is
# for postgresql.conf, the other options are those of init.
sub new_node
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $conf = delete $options{conf};

	$node->init(extra => [ '-E', 'UTF8', '--locale=C' ], %options);
	$node->append_conf('postgresql.conf', "max_connections = 60\n");
	$node->append_conf('postgresql.conf', $conf) if defined $conf;
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION humanloop');
	return $node;
}

# Tickets of three topics, and a project over them.
sub fill
{
	my ($node, $rows, $database, $options) = @_;

	$options //= '{}';
	$node->safe_psql($database // 'postgres', qq{
		CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
		INSERT INTO ticket
		SELECT i, (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + i % 3]
			|| (ARRAY['the shoes', 'the jacket', 'the lamp', 'a phone', 'the table', 'two books', 'the kettle'])[1 + i / 3 % 7] || ' order ' || i,
			(ARRAY['returns', 'delivery', 'billing'])[1 + i % 3]
		FROM generate_series(1, $rows) i;
		SELECT hl_create_project('tickets', 'ticket', 'body', options => '$options');});
}

# A project, "many", whose training takes seconds: 40 classes, all rows labelled
# but 500.  The worker begins as soon as it may.
sub fill_many
{
	my ($node, $rows, $database) = @_;

	$node->safe_psql($database // 'postgres', qq{
		CREATE TABLE many (id int PRIMARY KEY, body text);
		INSERT INTO many SELECT i, 'topic' || i % 40 || ' ' || (SELECT string_agg('w' || ('x' || left(md5(i || '.' || j), 6))::bit(24)::int % 3000, ' ') FROM generate_series(1, 15) j)
		FROM generate_series(1, $rows) i;
		SELECT hl_create_project('many', 'many', 'body');
		SELECT hl_label_many('many', array_agg(id::text), array_agg('class ' || id % 40)) FROM many WHERE id <= $rows - 500;});
}

# A project, "slow", whose source takes ten seconds to read where a condition
# holds.  The worker is at that when this returns: it has labels to train with.
sub fill_slow
{
	my ($node, $condition, $database) = @_;

	$database //= 'postgres';
	$node->safe_psql($database, qq{
		CREATE TABLE note (id int PRIMARY KEY, body text);
		INSERT INTO note SELECT i, (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + i % 3] || i FROM generate_series(1, 200) i;
		CREATE FUNCTION slowly(text) RETURNS text LANGUAGE plpgsql STABLE AS \$\$ BEGIN IF $condition THEN PERFORM pg_sleep(0.05); END IF; RETURN \$1; END \$\$;
		CREATE VIEW slow AS SELECT id, body FROM note;
		SELECT hl_create_project('slow', 'slow', 'body', key => 'id');
		CREATE OR REPLACE VIEW slow AS SELECT id, slowly(body) AS body FROM note;
		SELECT hl_label_many('slow', array_agg(id::text), array_agg('class ' || id % 3)) FROM note WHERE id <= 60;});
	eventually($node, q{SELECT count(*) > 0 FROM hl_run WHERE state = 'running' AND step = 'reading the source'}, "a training in $database reads", 60, $database);
	return;
}

# Labels the first rows and trains.
sub train
{
	my ($node, $labels, $database) = @_;

	$node->safe_psql($database // 'postgres', qq{
		SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= $labels;
		SELECT hl_train('tickets');});
}

# Labels the first rows, and waits until the worker has made the first model
# of them and learned what came meanwhile.
sub model_by_itself
{
	my ($node, $labels, $database) = @_;

	$node->safe_psql($database // 'postgres', qq{
		SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= $labels;});
	$node->poll_query_until($database // 'postgres', q{SELECT count(*) = 1 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving WHERE model IS NOT NULL})
		or die 'no model came';
}

# SQLSTATE of a statement's error, or '' if there is none.
sub sqlstate
{
	my ($node, $query, $database) = @_;
	my ($status, $stdout, $stderr) = $node->psql($database // 'postgres', "\\set VERBOSITY sqlstate\n$query;");

	return $stderr =~ /ERROR:  (\w{5})/ ? $1 : $status == 0 ? '' : "psql ended with $status: $stderr";
}

# A psql that stays; ask() it.
sub session
{
	my ($node, $database) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $psql = { in => \$in, out => \$out, err => \$err };

	$psql->{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($database // 'postgres') ], '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(180));
	return $psql;
}

# What it answers; no answer to wait for where "later" is true.
sub ask
{
	my ($psql, $query, $later) = @_;
	my $mark = $later ? '' : "\\echo =-=\n";

	${ $psql->{out} } = '';
	${ $psql->{in} } .= "$query;\n$mark";
	if ($later)
	{
		IPC::Run::pump_nb($psql->{run});
		return '';
	}
	IPC::Run::pump($psql->{run}) until ${ $psql->{out} } =~ /=-=\n/;
	return ${ $psql->{out} } =~ s/\n?=-=\n//r;
}

# Does a query say t within so many seconds?  Returns after how many it did.
# The query reads tables: hl_ functions would wake the worker.
sub eventually
{
	my ($node, $query, $what, $seconds, $database) = @_;
	my $began = time;
	my $answer = '';

	$seconds //= 20;
	do
	{
		$answer = $node->safe_psql($database // 'postgres', $query);
		sleep 0.05 if $answer ne 't';
	} while ($answer ne 't' && time - $began < $seconds);
	my $took = time - $began;
	ok($answer eq 't', $what) or diag("still '$answer' after $seconds s: $query");
	note sprintf('%s: %.2f s', $what, $took);
	return $took;
}

# Does a query say f for so many seconds?
sub never
{
	my ($node, $query, $what, $seconds, $database) = @_;
	my $until = time + $seconds;
	my $answer = 'f';

	while ($answer eq 'f' && time < $until)
	{
		$answer = $node->safe_psql($database // 'postgres', $query);
		sleep 0.1;
	}
	is($answer, 'f', $what);
	return;
}

# Process id of a database's worker; '' where there is none.
sub worker
{
	my ($node, $database) = @_;

	return $node->safe_psql('postgres', sprintf(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND datname = '%s'}, $database // 'postgres'));
}

# Ends a database's worker and waits until it is gone.
sub worker_gone
{
	my ($node, $database) = @_;

	$node->safe_psql('postgres', sprintf(q{SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND datname = '%s'}, $database // 'postgres'));
	return;
}

1;
