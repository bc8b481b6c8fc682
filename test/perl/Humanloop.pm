# What the TAP tests share: a server with the extension and something to learn.
package Humanloop;

use strict;
use warnings;
use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(new_node fill fill_many fill_slow train sqlstate session ask outcome eventually never at_once worker worker_gone crash
	workers_started model_by_itself orphans $learned $fitting $whole_state);

# For eventually(): all that was noted is learned; the worker is in the middle
# of a training.
our $learned = q{SELECT NOT EXISTS (SELECT FROM hl_change)};
# by a worker that lives: the run of one that was killed looks the same until the next has marked it
our $fitting = q{SELECT count(*) > 0 FROM hl_run JOIN pg_stat_activity USING (pid) WHERE backend_type = 'humanloop worker' AND hl_run.state = 'running' AND step = 'fitting'};

# All that must be as before after a failure.
our $whole_state = q{SELECT (SELECT string_agg(s::text, ' ' ORDER BY project_id) FROM hl_serving s), (SELECT count(*) FROM hl_model), (SELECT count(*) FROM hl_model_part), (SELECT count(*) FROM hl_encoder),
	(SELECT count(*) FROM hl_feature_block), (SELECT count(*) FROM hl_revision), (SELECT count(*) FROM hl_deployment), (SELECT count(*) FROM hl_project),
	(SELECT md5(string_agg(r::text, ' ' ORDER BY project_id, part)) FROM hl_ranking r), (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'hl_%')};

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
	my $psql = { in => \$in, out => \$out, err => \$err, timeout => IPC::Run::timeout(180) };

	$psql->{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($database // 'postgres') ], '<', \$in, '>', \$out, '2>', \$err, $psql->{timeout});
	return $psql;
}

# What it answers; no answer to wait for where "later" is true.
sub ask
{
	my ($psql, $query, $later) = @_;
	my $mark = $later ? '' : "\\echo =-=\n";

	# for each answer, not for all of them
	$psql->{timeout}->start;
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

# SQLSTATE and message of a statement in a session, or its result.
sub outcome
{
	my ($session, $query) = @_;
	my $result = ask($session, "$query;\n\\echo outcome :SQLSTATE :LAST_ERROR_MESSAGE");

	return $result =~ /^outcome (?!00000)(.*)/m ? $1 : $result =~ s/\n?outcome 00000.*//sr;
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

# Does a statement succeed at the first try, in less than so many seconds?
sub at_once
{
	my ($node, $statement, $what, $seconds) = @_;
	my $began = time;

	is(sqlstate($node, $statement), '', $what);
	my $took = time - $began;
	note sprintf('%s: %.2f s', $what, $took);
	cmp_ok($took, '<', $seconds, "$what: at once");
	return;
}

# A query that lists rows which belong to nothing, "table: what" a line: nothing
# of the kind may be left, whatever was dropped, cancelled or killed.
sub orphans
{
	my @of_project = qw(hl_project_local hl_privilege hl_answer hl_current_answer hl_lease hl_ranking hl_work hl_run
		hl_encoder hl_feature_block hl_model hl_model_part hl_model_label hl_revision hl_serving hl_deployment
		hl_settlement hl_item_comment hl_item_flag);
	my @checks = map { ["$_ without project", "$_ t WHERE NOT EXISTS (SELECT FROM hl_project p WHERE p.id = t.project_id)"] } @of_project;

	push @checks,
		['project without serving', 'hl_project t WHERE NOT EXISTS (SELECT FROM hl_serving s WHERE s.project_id = t.id)'],
		['part without encoder', 'hl_encoder_part t WHERE NOT EXISTS (SELECT FROM hl_encoder e WHERE e.id = t.encoder_id)'],
		['encoder without part', 'hl_encoder t WHERE NOT EXISTS (SELECT FROM hl_encoder_part e WHERE e.encoder_id = t.id)'],
		['encoder of nothing', 'hl_encoder t WHERE NOT EXISTS (SELECT FROM hl_serving s WHERE s.encoder_id = t.id)
			AND NOT EXISTS (SELECT FROM hl_model m WHERE m.encoder_id = t.id AND m.stored)'],
		['block of another encoder', 'hl_feature_block t JOIN hl_serving s USING (project_id) WHERE s.encoder_id IS DISTINCT FROM t.encoder_id'],
		['part without model', 'hl_model_part t WHERE NOT EXISTS (SELECT FROM hl_model m WHERE (m.project_id, m.model) = (t.project_id, t.model) AND m.stored)'],
		['labels without model', 'hl_model_label t WHERE NOT EXISTS (SELECT FROM hl_model m WHERE (m.project_id, m.model) = (t.project_id, t.model) AND m.stored)'],
		['model without part', 'hl_model t WHERE stored AND NOT EXISTS (SELECT FROM hl_model_part m WHERE (m.project_id, m.model) = (t.project_id, t.model))'],
		['model without labels', 'hl_model t WHERE stored AND NOT EXISTS (SELECT FROM hl_model_label m WHERE (m.project_id, m.model) = (t.project_id, t.model))'],
		['model without encoder', 'hl_model t WHERE stored AND NOT EXISTS (SELECT FROM hl_encoder e WHERE e.id = t.encoder_id)'],
		['model beyond the last', 'hl_model t JOIN hl_serving s USING (project_id) WHERE t.model > s.last_model'],
		['serving without model', 'hl_serving t WHERE model IS NOT NULL AND NOT EXISTS (SELECT FROM hl_model m WHERE (m.project_id, m.model) = (t.project_id, t.model) AND m.stored)'],
		['serving without revision', 'hl_serving t WHERE revision > 0 AND NOT EXISTS (SELECT FROM hl_revision r WHERE (r.project_id, r.model, r.revision) = (t.project_id, t.model, t.revision))'],
		['revision without model', 'hl_revision t WHERE NOT EXISTS (SELECT FROM hl_model m WHERE (m.project_id, m.model) = (t.project_id, t.model) AND m.stored)'],
		['revision without parent', 'hl_revision t WHERE parent > 0 AND NOT EXISTS (SELECT FROM hl_revision r WHERE (r.project_id, r.model, r.revision) = (t.project_id, t.model, t.parent))'],
		['revision beyond the last', 'hl_revision t JOIN hl_serving s USING (project_id, model) WHERE t.revision > s.revision'],
		['deployment without model', 'hl_deployment t WHERE NOT EXISTS (SELECT FROM hl_model m WHERE (m.project_id, m.model) = (t.project_id, t.model))'],
		['current answer without answer', 'hl_current_answer t WHERE NOT EXISTS (SELECT FROM hl_answer a WHERE a.id = t.answer_id
			AND (a.project_id, a.item, a.annotator) = (t.project_id, t.item, t.annotator) AND a.label IS NOT DISTINCT FROM t.label)'],
		['answer that should hold', q{(SELECT DISTINCT ON (project_id, item, annotator) * FROM hl_answer ORDER BY project_id, item, annotator, id DESC) t
			WHERE t.action <> 'undo' AND NOT EXISTS (SELECT FROM hl_current_answer c WHERE c.answer_id = t.id)}],
		['ranked item without lease row', q{hl_ranking t CROSS JOIN LATERAL unnest(t.items) i WHERE part <> 'targets'
			AND NOT EXISTS (SELECT FROM hl_lease l WHERE l.project_id = t.project_id AND l.item = i)}];
	return join ' UNION ALL ', map { "SELECT '$_->[0]: ' || count(*) FROM $_->[1] HAVING count(*) > 0" } @checks;
}

# Process id of a database's worker; '' where there is none.
sub worker
{
	my ($node, $database) = @_;

	return $node->safe_psql('postgres', sprintf(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND datname = '%s'}, $database // 'postgres'));
}

# Kills a process of the server, and waits until that has restarted itself: by
# its log, as a psql that cannot connect may be gone before it is told anything.
sub crash
{
	my ($node, $pid) = @_;
	my $offset = -s $node->logfile;

	kill 'KILL', $pid;
	$node->wait_for_log(qr/all server processes terminated; reinitializing.*ready to accept connections/s, $offset);
	return;
}

# Ends a database's worker and waits until it is gone.
sub worker_gone
{
	my ($node, $database) = @_;

	$node->safe_psql('postgres', sprintf(q{SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'humanloop worker' AND datname = '%s'}, $database // 'postgres'));
	return;
}

# How many workers the server has started so far, or since its log was so long;
# with log_min_messages = debug1.
sub workers_started
{
	my ($node, $offset) = @_;
	my @starts = PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset) =~ /starting background worker process "humanloop worker"/g;

	return scalar @starts;
}

1;
