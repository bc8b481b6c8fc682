# What the TAP tests share: a server with the extension and something to learn.
package Humanloop;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;

our @EXPORT = qw(new_node fill train sqlstate);

# A running server, UTF8, with the extension in database postgres.
sub new_node
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '-E', 'UTF8', '--locale=C' ], %options);
	$node->append_conf('postgresql.conf', "max_connections = 60\n");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION humanloop');
	return $node;
}

# Tickets of three topics, and a project over them.
sub fill
{
	my ($node, $rows, $database) = @_;

	$node->safe_psql($database // 'postgres', qq{
		CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
		INSERT INTO ticket
		SELECT i, (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + i % 3]
			|| (ARRAY['the shoes', 'the jacket', 'the lamp', 'a phone', 'the table', 'two books', 'the kettle'])[1 + i / 3 % 7] || ' order ' || i,
			(ARRAY['returns', 'delivery', 'billing'])[1 + i % 3]
		FROM generate_series(1, $rows) i;
		SELECT hl_create_project('tickets', 'ticket', 'body');});
}

# Labels the first rows and trains.
sub train
{
	my ($node, $labels, $database) = @_;

	$node->safe_psql($database // 'postgres', qq{
		SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= $labels;
		SELECT hl_train('tickets');});
}

# SQLSTATE of a statement's error, or '' if there is none.
sub sqlstate
{
	my ($node, $query, $database) = @_;
	my ($status, $stdout, $stderr) = $node->psql($database // 'postgres', "\\set VERBOSITY sqlstate\n$query;");

	return $stderr =~ /ERROR:  (\w{5})/ ? $1 : $status == 0 ? '' : "psql ended with $status: $stderr";
}

1;
