# Random SQL for the functions and views of the extension, and what the server's
# log says to it.
#
# What a function is called with comes from its argument's type and name: a
# good value, so that it does something, or junk that the type allows.
package Fuzz;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(fuzz_functions fuzz_each fuzz_script fuzz_log pick mutate hex_of);

# Values of each type, as SQL.  None of them may end in an internal error.
my @junk_text = (
	q{NULL}, q{''}, q{' '}, q{'x'}, q{repeat('x', 63)}, q{repeat('ö', 64)}, q{repeat('wort ', 20000)}, q{repeat('x', 300000)}, q{E'\\u0001\\u0002\\n\\t\\r'}, q{'"; DROP TABLE ticket; --'},
	q{'NaN'}, q{'[1,2,NaN]'}, q{'{1,2,{3}}'}, q{'[1e39,-1e39]'}, q{'[' || repeat('1,', 20000) || '1]'}, q{'[]'}, q{'{}'}, q{'[1,NULL,3,4]'}, q{'2147483648'}, q{'-9223372036854775809'},
	q{'00000000-0000-0000-0000-000000000000'}, q{'%s%n%d'}, q{'ß İ ı ſ ﬃ Å'}, q{E'e\\u0301\\u0301\\u0323 \\u202E\\u200F\\uFEFF\\uFFFE\\uFFFD'}, q{U&'\\+01F468\\200D\\+01F469\\200D\\+01F466 \\+10FFFF \\0378'}, q{'pg_catalog'}, q{'hl_project'});
my %junk = (
	oid => [ 'NULL', 0, 10, 4294967295, q{'pg_class'::regclass::oid}, q{'ticket'::regclass::oid} ],
	text => \@junk_text,
	integer => [ q{NULL}, 0, 1, -1, 2, 3, 7, 10001, 2147483647, q{-2147483648} ],
	bigint => [ q{NULL}, 0, 1, -1, 5, 2147483648, 9223372036854775807, q{-9223372036854775808} ],
	boolean => [ q{NULL}, 'true', 'false' ],
	'double precision' => [ q{NULL}, 0, 1, -1, 0.5, q{'NaN'}, q{'Infinity'}, q{'-Infinity'}, q{1e-300}, q{-1e300} ],
	'hl_simulation[]' => [
		q{NULL}, q{'{}'}, q{ARRAY[NULL]}, q{ARRAY[ROW(NULL, NULL, NULL, NULL, NULL)]}, q{ARRAY[ROW('</svg>', -1, 2147483647, 'NaN', -5)]}, q{ARRAY[ROW('', 0, 0, 'Infinity', 0), ROW('x', 2147483647, -2147483648, -1e300, NULL)]},
		q{array_fill(ROW('a', 1, 10, 0.5, 2)::hl_simulation, '{5000}')}, q{'[5:6][1:1]={{"(a,1,10,0.5,2)"},{"(b,1,10,0.5,2)"}}'} ],
	uuid => [ q{NULL}, q{'00000000-0000-0000-0000-000000000000'}, q{gen_random_uuid()} ],
	jsonb => [
		q{NULL}, q{'{}'}, q{'[]'}, q{'null'}, q{'1e1000'}, q{'"x"'}, q{'{"dimensions": -1}'}, q{'{"dimensions": 1e400}'}, q{'{"folds": null, "batch": "7"}'}, q{'{"refine": {"a": [1, [2, [3]]]}}'}, q{'{"queue_size": [1]}'}, q{'{"": 1}'},
		q{'{"random_seed": 9007199254740993}'}, q{'{"train_growth": 1.0}'}, q{('{"nested": ' || repeat('[', 500) || repeat(']', 500) || '}')::jsonb}, q{'{"vocabulary": 16, "dimensions": 1, "queue_size": 1, "sample_rows": 100}'},
		q{'{"prior_precision": 1e-300}'}, q{'{"prior_precision": 1000000}'}, q{'{"refine": true, "folds": 20}'} ],
	hl_role => [ q{NULL}, q{''}, q{'postgres'}, q{'nobody there'} ],
	interval => [ q{NULL}, q{'0'}, q{'-1 day'}, q{'1 microsecond'}, q{'178000000 years'}, q{'1 year -1 day'}, q{'12 mons 366 days'}, q{'1 hour'} ],
	regclass => [
		q{NULL}, q{0}, q{4294967295}, q{'pg_class'}, q{'hl_project'}, q{'hl_answer_id_seq'}, q{'ticket_pkey'}, q{'pg_toast.pg_toast_2618'}, q{'hl_queue'}, q{'hl_labels'}, q{'hl_queue_tickets'}, q{'ticket'}, q{'ticket_view'}, q{'vector'}, q{'wort'},
		q{'part'}, q{'nothing'}, q{'odd'}, q{'hl_question'} ],
	regrole => [ q{NULL}, q{0}, q{4294967295}, q{'fuzz_owner'}, q{'fuzz_annotate'}, q{'pg_monitor'}, q{'postgres'}, q{'Fuzz "1"; ö'} ],
	'text[]' => [
		q{NULL}, q{'{}'}, q{'{NULL}'}, q{'{a,NULL,b}'}, q{'{{a,b},{c,d}}'}, q{'[5:6]={a,b}'}, q{'{"",""}'}, q{array_fill('x'::text, '{3000}')}, q{'{a,a}'}, q{ARRAY['ß', 'İ', 'ı']}, q{'{"{a","b}"}'}, q{ARRAY[repeat('x', 100000), 'y']},
		q{'{1,2,3}'}, q{'{returns,delivery,billing}'} ],
	anyarray => [
		q{NULL::real[]}, q{'{}'::real[]}, q{'{1,2,3,4}'::real[]}, q{'{NaN,1,1,1}'::real[]}, q{'{Infinity,-Infinity,0,0}'::float8[]}, q{'{NULL,1,2,3}'::numeric[]}, q{'{{1,2},{3,4}}'::real[]}, q{'[0:3]={1,2,3,4}'::int[]}, q{array_fill(1::real, '{100000}')},
		q{'{1e300,1e-300,0,1}'::float8[]}, q{'{1,2,3,4}'::int8[]}, q{'{1,2,3,4}'::int2[]}, q{'{a,b}'::text[]}, q{'{a,"[1,NaN,1,1]"}'::varchar[]}, q{'{a,"[1,1]"}'::text[]}, q{'{NULL,NULL}'::text[]}, q{'{{a,b}}'::text[]}, q{ARRAY[repeat('rot ', 20000), NULL]}, q{ARRAY[NULL, now()]}, q{'{3e38,3e38,3e38,3e38}'::real[]}, q{'{0,0,0,0}'::real[]}, q{'{1e-45,0,0,0}'::real[]}, q{'{}'::hl_question[]},
		q{ARRAY['1'::jsonb]}, q{'{1,1,1,1}'::oidvector::oid[]} ]);

# Values that mostly work, by the name of the argument, or of function and it.
my %good = (
	'hl_create_project.input' => { text => [ q{'body'}, q{'body'}, q{'eingabe'} ], 'text[]' => [ q{'{body,topic}'}, q{'{worte,eingabe}'}, q{'{eingabe,stufe}'}, q{'{body}'} ] },
	'hl_create_project.label' => [ q{NULL}, q{NULL}, q{'topic'}, q{'stufe'} ],
	'hl_simulate.input' => { text => [ q{'body'}, q{'v'} ], 'text[]' => [ q{'{body,topic}'}, q{'{eingabe,worte}'} ] },
	'hl_simulate.label' => [ q{'topic'}, q{'id'} ],
	strategies => [ q{'{epig}'}, q{'{random,margin}'} ],
	seed => [ 5, 20 ],
	batch => [ 5, 10 ],
	rounds => [ 0, 1, 2 ],
	runs => [ 1, 2 ],
	split => [ q{NULL}, q{'topic'} ],
	random_seed => [ 0, 7 ],
	accuracy => [ 0.5, 0.9 ],
	gain => [ 0.01, 0.5 ],
	kind => [ q{'learning_curve'}, q{'calibration'}, q{'confusion'}, q{'uncertainty'} ],
	format => [ q{'svg'}, q{'text'} ],
	condition => [ q{NULL}, q{'id > 1'}, q{'body ~ $$a$$'}, q{'1 / id > 0'} ],
	simulation => [ q{ARRAY[ROW('epig', 1, 10, 0.5, 2), ROW('epig', 1, 20, 0.7, 3), ROW('random', 1, 10, 0.4, 2)]} ],
	'hl_create_project.key' => [ q{NULL}, q{'id'} ],
	project => [ q{'tickets'}, q{'tickets'}, q{'vectors'}, q{'words'}, q{'viewed'}, q{'parts'}, q{'mixed'} ],
	name => [ q{'fresh'}, q{'tickets'}, q{'_'} ],
	source => [ q{'ticket'}, q{'vector'}, q{'wort'}, q{'ticket_view'}, q{'part'}, q{'odd'} ],
	input => [ q{'where is the parcel with the lamp'}, q{'please take back the shoes'}, q{'[1,0,0.5,2]'}, q{'ÖLLAMPE zurück'} ],
	label => [ q{'returns'}, q{'delivery'}, q{'billing'}, q{'größer'}, q{NULL} ],
	classes => [ q{'{returns,delivery,billing}'}, q{NULL} ],
	'hl_merge_classes.classes' => [ q{'{returns}'}, q{'{returns,delivery}'}, q{'{c0}'} ],
	class => [ q{'returns'}, q{'delivery'}, q{'c1'}, q{'größer'} ],
	new_name => [ q{'Retouren'}, q{'größer'}, q{'returns'} ],
	into_class => [ q{'billing'}, q{'Retouren'}, q{'c1'} ],
	encoder => [ q{'auto'}, q{'text'}, q{'vector'}, q{'text+glove'} ],
	'hl_drop_encoder.encoder' => [ q{'glove'}, q{'w1'}, q{'w2'} ],
	'hl_share_encoder.encoder' => [ q{'glove'}, q{'w1'}, q{'w2'} ],
	shared => [ 'true', 'true', 'false' ],
	'hl_import_encoder.name' => [ q{'glove'}, q{'w1'}, q{'w2'} ],
	'hl_import_encoder.kind' => [ q{'word_vectors'}, q{'word_vectors'}, q{'transformer'} ],
	'hl_import_encoder.options' => [ q{'{}'}, q{'{"max_words": 3}'} ],
	path => [ q{NULL} ],
	large_objects => [ q{NULL} ],
	staging => [ q{'glove'}, q{'glove'}, q{'ticket'} ],
	acquisition => [ q{'epig'}, q{'bald'}, q{'margin'}, q{'entropy'}, q{'random'} ],
	options => [ q{'{}'}, q{'{"queue_size": 20, "batch": 3}'} ],
	role => [ q{'fuzz_annotate'}, q{'fuzz_predict'}, q{'fuzz_stranger'} ],
	privilege => [ q{'predict'}, q{'annotate'}, q{'review'}, q{'manage'} ],
	annotator => [ q{NULL}, q{'fuzz_owner'}, q{'fuzz_annotate'}, q{current_user}, q{'source'} ],
	reason => [ q{NULL}, q{'unclear'} ],
	item => {
		text => [ q{'3'}, q{'17'}, q{'42'}, q{'Wort 7 ö'}, q{'00000000-0000-0000-0000-000000000009'} ],
		bigint => [ 3, 17, 42, 60 ],
		uuid => [ q{'00000000-0000-0000-0000-000000000009'}, q{'00000000-0000-0000-0000-000000000021'} ]
	},
	items => [ q{'{3,4,5}'}, q{'{60}'}, q{ARRAY['Wort 7 ö', 'Wort 8 ö']} ],
	labels => [ q{'{returns,delivery,billing}'}, q{'{größer}'}, q{'{größer,kleiner}'} ],
	'hl_add_rule.name' => [ q{'r1'}, q{'r2'} ],
	'hl_add_rule.condition' => [ q{'id > 10'}, q{'body ~ $$a$$'}, q{'1 / id > 0'}, q{'eingabe[1] > 0'} ],
	'hl_drop_rule.name' => [ q{'r1'}, q{'r2'} ],
	'hl_disable_rule.name' => [ q{'r1'}, q{'r2'} ],
	'hl_enable_rule.name' => [ q{'r1'}, q{'r2'} ],
	history => [ 'true', 'false' ],
	option => [ q{'batch'}, q{'gold'}, q{'target_error'}, q{'audit'} ],
	value => [ q{'1'}, q{'0.1'}, q{'5'} ],
	'hl_delete_comment.project' => [ q{'tickets'} ],
	comment => { text => [ q{'unclear'} ], bigint => [ 1 .. 40 ] },
	coverage => [ 0.5, 0.9 ],
	threshold => [ 0.1, 0.9 ],
	neighbours => [ 0, 3 ],
	n => [ 1, 2, 20 ],
	lease => [ q{'10 minutes'}, q{'1 second'} ],
	model => [ 1, 2, 3 ],
	project_id => [ 1, 2, 3, 4, 5 ]);

# What is called less often, as it takes long or ends what the others need.
my %rare = (hl_train => 0.3, hl_drop_project => 0.03, hl_create_project => 0.2, hl_refresh => 0.3, hl_pause => 0.1, hl_revoke => 0.2, hl_rename_class => 0.2, hl_merge_classes => 0.1, hl_remove_class => 0.05, hl_simulate => 0.1, hl_drop_encoder => 0.3, hl_set_encoder => 0.1);

sub pick
{
	return $_[ int(rand(@_)) ];
}

# The functions that can be called, from the catalogs.
sub fuzz_functions
{
	my ($node) = @_;
	my $rows = $node->safe_psql('postgres', q{
		SELECT p.oid, p.proname, a.n, coalesce(p.proargnames[a.n], 'project'), format_type(a.type, NULL)
		FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid CROSS JOIN LATERAL unnest(p.proargtypes::oid[]) WITH ORDINALITY a(type, n)
		WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'humanloop') AND d.classid = 'pg_proc'::regclass
			AND p.oid NOT IN (SELECT typinput FROM pg_type UNION SELECT typoutput FROM pg_type)
		ORDER BY p.proname, p.oid, a.n});
	my (@functions, %seen);

	for my $row (split /\n/, $rows)
	{
		my ($oid, $name, undef, $argument, $type) = split /\|/, $row;

		push @functions, $seen{$oid} = { oid => $oid, name => $name, arguments => [] } if !$seen{$oid};
		push @{ $seen{$oid}{arguments} }, { name => $argument, type => $type };
	}
	return @functions;
}

sub good_value
{
	my ($argument, $function) = @_;
	my $values = $good{"$function->{name}.$argument->{name}"} // $good{ $argument->{name} };

	$values = $values->{ $argument->{type} } if ref $values eq 'HASH';
	return $argument->{type} eq 'anyarray' ? pick(q{'{1,0,0.5,2}'::real[]}, q{'{1,2,3,4}'::float8[]}, q{ARRAY['rot und alt', '[1,0,0.5,2]']}) : pick(@{ $values // $junk{ $argument->{type} } });
}

sub junk_value
{
	my ($argument) = @_;

	return pick(@{ $junk{ $argument->{type} } });
}

sub typed
{
	my ($argument, $value) = @_;

	return $argument->{type} eq 'anyarray' ? $value : "($value)::$argument->{type}";
}

sub call_of
{
	my ($function, @values) = @_;

	return "$function->{name}(" . join(', ', @values) . ')';
}

# Every function with values that are good, and with every junk value of every
# argument, the others good.
sub fuzz_each
{
	my (@functions) = @_;
	my @statements;

	for my $function (@functions)
	{
		my @arguments = @{ $function->{arguments} };

		push @statements, 'SELECT * FROM ' . call_of($function, map { typed($_, good_value($_, $function)) } @arguments) for 1 .. 30;
		for my $i (0 .. $#arguments)
		{
			for my $value (@{ $junk{ $arguments[$i]{type} } or die "no values for type $arguments[$i]{type}" })
			{
				push @statements, 'SELECT * FROM ' . call_of($function, map { typed($arguments[$_], $_ == $i ? $value : good_value($arguments[$_], $function)) } 0 .. $#arguments);
			}
		}
	}
	return @statements;
}

sub random_call
{
	my (@functions) = @_;
	my $function;

	do
	{
		$function = pick(@functions);
	} while (rand() >= ($rare{ $function->{name} } // 1));
	return call_of($function, map { typed($_, rand() < 0.25 ? junk_value($_) : good_value($_, $function)) } @{ $function->{arguments} });
}

# A query of any kind.
sub random_query
{
	my (@functions) = @_;
	my $call = random_call(@functions);

	return pick(
		sub { "SELECT * FROM $call" },
		sub { "SELECT * FROM $call" },
		sub { "SELECT $call" },
		sub { "SELECT count(*) FROM generate_series(1, 3) i, LATERAL (SELECT $call OFFSET 0) s" },
		sub { "SELECT CASE WHEN random() < 2 THEN ($call)::text END" },
		sub { "SELECT t.id, p.* FROM ticket t, LATERAL hl_predict(" . pick(q{'tickets'}, q{'viewed'}, q{'vectors'}) . ", t.body) p ORDER BY p.confidence LIMIT " . pick(0, 3, 50) },
		sub { 'SELECT * FROM ' . pick(qw(hl_projects hl_queue hl_labels hl_label_history hl_runs hl_queue_tickets hl_queue_words)) . ' WHERE ' . pick('true', 'false', q{project = 'tickets'}, 'random() < 0.5') . ' LIMIT ' . pick(0, 1, 1000) },
		sub { 'SELECT q.* FROM hl_queue q JOIN hl_projects p USING (project) LEFT JOIN hl_labels l USING (project, item) ORDER BY q.item' })->();
}

# Something that changes what the functions work on.
sub random_change
{
	my $id = pick(1 .. 90);

	return pick(
		"INSERT INTO hl_labels (project, item, label) VALUES ('tickets', '$id', " . typed({ type => 'text' }, pick(@junk_text)) . ')',
		"INSERT INTO hl_labels (project, item, label, annotator) VALUES ('tickets', '$id', 'returns', 'fuzz_annotate')",
		"UPDATE hl_labels SET label = 'billing' WHERE item = '$id'",
		"UPDATE hl_labels SET item = item || '1', annotator = 'somebody' WHERE project = 'words'",
		"DELETE FROM hl_labels WHERE item = '$id'",
		"UPDATE hl_labels SET id = 1",
		"INSERT INTO ticket SELECT g, 'where is my new ' || g FROM generate_series(" . (1000 + int(rand(100000))) . ", 0, -1) g LIMIT " . pick(1, 5, 400),
		"UPDATE ticket SET body = " . typed({ type => 'text' }, pick(@junk_text)) . " WHERE id = $id",
		"UPDATE ticket SET id = -id WHERE id = $id",
		"DELETE FROM ticket WHERE id > 300",
		"UPDATE vector SET eingabe = " . pick(q{NULL}, q{'{}'}, q{'{NaN,1,1,1}'}, q{'{{1,2},{3,4}}'}, q{'{1,2,3,4}'}, q{'{1,2}'}) . ' WHERE random() < 0.05',
		"UPDATE wort SET stufe = " . pick(q{NULL}, q{'größer'}, q{''}, q{'nie gesehen'}) . ' WHERE random() < 0.1',
		"UPDATE part SET id = id + 100 WHERE id = $id",
		"SET humanloop.annotator = " . pick(q{''}, q{'fuzz_annotate'}, q{'source'}, q{'ö " ; '}),
		"SET humanloop.work_mem = " . pick(q{'1MB'}, q{'512MB'}, q{'2TB'}),
		"SET humanloop.cache_size = " . pick(q{0}, q{'256MB'}),
		"SET extra_float_digits = " . pick(-15, 0, 3),
		"SET search_path = " . pick(q{public}, q{pg_temp, public}, q{''}, q{nowhere, public, pg_catalog}),
		"SET statement_timeout = " . pick(1, 20, 5000),
		"SET DateStyle = " . pick(q{'German'}, q{'ISO, DMY'}),
		"SET work_mem = " . pick(q{'64kB'}, q{'4MB'}),
		"SET default_transaction_isolation = " . pick(q{'serializable'}, q{'repeatable read'}, q{'read committed'}),
		"SET default_transaction_read_only = " . pick('on', 'off', 'off', 'off'),
		'CREATE TEMP TABLE t AS SELECT * FROM hl_queue', 'DROP TABLE IF EXISTS pg_temp.t', 'DISCARD ALL', 'DISCARD PLANS');
}

# What would leave nothing to work on is taken back at once.
sub random_catastrophe
{
	return pick(
		'TRUNCATE ticket', 'DROP TABLE ticket CASCADE', 'ALTER TABLE ticket RENAME COLUMN body TO text', 'ALTER TABLE ticket RENAME TO tickets_of_old', 'ALTER TABLE ticket DROP COLUMN body', 'ALTER TABLE ticket ALTER id TYPE bigint',
		q{ALTER TABLE wort ALTER "schlüssel" TYPE varchar(20)}, 'ALTER TABLE vector ALTER eingabe TYPE float8[]', 'ALTER TABLE part DETACH PARTITION part_1', 'DROP VIEW hl_queue_tickets', 'DROP EXTENSION humanloop CASCADE', 'ALTER EXTENSION humanloop SET SCHEMA pg_catalog',
		q{SELECT hl_drop_project('tickets')}, 'DROP TABLE part_1', 'ALTER TABLE ticket DISABLE TRIGGER ALL', 'ALTER TABLE ticket ENABLE ROW LEVEL SECURITY', 'ALTER SCHEMA public RENAME TO private', 'DELETE FROM hl_serving', 'DELETE FROM hl_feature_block', 'DELETE FROM hl_project_local', 'DELETE FROM hl_ranking', 'DELETE FROM hl_lease');
}

# One step: statements that belong together.
sub random_step
{
	my (@functions) = @_;
	my $query = random_query(@functions);

	return pick(
		sub { $query },
		sub { $query },
		sub { $query },
		sub { random_change() },
		sub { ('BEGIN', 'SAVEPOINT a', $query, 'ROLLBACK TO a', random_change(), random_query(@functions), pick('COMMIT', 'ROLLBACK')) },
		sub { ('BEGIN ISOLATION LEVEL ' . pick('REPEATABLE READ', 'SERIALIZABLE', 'READ COMMITTED') . pick('', ' READ ONLY'), $query, random_query(@functions), pick('COMMIT', 'ROLLBACK')) },
		sub { ('BEGIN', random_catastrophe(), map({ ('SAVEPOINT a', $_, 'ROLLBACK TO a') } $query, random_query(@functions), random_change()), 'ROLLBACK', random_query(@functions)) },
		sub { ("PREPARE fuzz AS $query", 'EXECUTE fuzz', random_change(), 'EXECUTE fuzz', 'DEALLOCATE ALL') },
		sub { ('BEGIN', "DECLARE fuzz CURSOR FOR $query", 'FETCH 2 FROM fuzz', random_change(), 'FETCH ALL FROM fuzz', 'COMMIT') },
		sub { ('DO $do$ BEGIN FOR i IN 1..3 LOOP BEGIN PERFORM * FROM (' . $query . ') q; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $do$') })->();
}

# A script for psql of so many steps; sometimes what fails in a transaction does
# not end it.
sub fuzz_script
{
	my ($steps, @functions) = @_;

	return '\set ON_ERROR_ROLLBACK ' . pick('on', 'off') . "\n" . join('', map { "$_;\n" } map { random_step(@functions) } 1 .. $steps);
}

# Some changes to a string of bytes: bits, numbers, blocks, an end.
sub mutate
{
	my ($bytes) = @_;

	for (1 .. pick(1, 1, 2, 3, 8))
	{
		my $length = length $bytes or last;
		my $at = int(rand(pick($length, $length < 64 ? $length : 64)));
		my $size = 1 + int(rand(16));

		$at -= $at % 4 if rand() < 0.5;
		pick(
			sub { substr($bytes, $at, 1) = chr(ord(substr($bytes, $at, 1)) ^ 1 << int(rand(8))) },
			sub { substr($bytes, $at, 1) = chr(int(rand(256))) },
			sub { substr($bytes, $at, 4) = pack('V', pick(0, 1, 2, 16, 255, 65536, 1 << 20, 1 << 24, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)) if $at + 4 <= $length },
			sub { substr($bytes, $at, 4) = pack('V', pick(0x7F800000, 0xFF800000, 0x7FC00000, 0x7F7FFFFF, 1, 0x3F800000, 0x58635FA9)) if $at + 4 <= $length },
			sub { substr($bytes, $at, $size) = join('', map { chr(int(rand(256))) } 1 .. $size) if $at + $size <= $length },
			sub { substr($bytes, $at, $size) = substr($bytes, int(rand($length)), $size) if $at + $size <= $length },
			sub { substr($bytes, $at, $size) = '' if $at + $size <= $length },
			sub { substr($bytes, $at, 0) = join('', map { chr(int(rand(256))) } 1 .. $size) },
			sub { $bytes = substr($bytes, 0, int(rand($length))) if rand() < 0.3 })->();
	}
	return $bytes;
}

sub hex_of
{
	return q{'\x} . unpack('H*', $_[0]) . q{'};
}

# What the log of a server says, whose log_line_prefix is '[%p] %e %u: ': how
# often each SQLSTATE came, what the pattern takes for an internal error (with
# its statement), and which processes have died.
sub fuzz_log
{
	my ($node, $internal_error) = @_;
	my %found = (states => {}, internal => '', deaths => '');
	my $following = 0;

	open my $log, '<', $node->logfile or die $!;
	while (my $line = <$log>)
	{
		$line = substr($line, 0, 1000) . "\n" if length $line > 1000;
		if ($line =~ /^\[\d+\] (\w{5}) \S*: (?:ERROR|FATAL|PANIC):/)
		{
			my $state = $1;

			$found{states}{$state}++;
			$following = $line =~ $internal_error ? 6 : 0;
		}
		$found{internal} .= $line if $following-- > 0;
		$found{deaths} .= $line if $line =~ /terminated by signal|server process .* exited with exit code|PANIC|TRAP:/;
	}
	close $log;
	return \%found;
}

1;
