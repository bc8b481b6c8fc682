# The same text is the same text whatever the locale: Turkish letters, a comma
# for a point, ICU, keys that are equal by their collation, and a restore from
# one locale or encoding into another.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

# Locales of our own, made where nobody has to be root; not all systems have
# what they are made of.
my %compiled;
my $path = PostgreSQL::Test::Utils::tempdir();
for my $locale ([ 'tr_TR', 'UTF-8' ], [ 'de_DE', 'UTF-8' ], [ 'de_DE', 'ISO-8859-1' ], [ 'ja_JP', 'EUC-JP' ])
{
	my ($language, $encoding) = @$locale;
	my $output = '';

	# warnings about what is in it are not ours to mend
	eval { IPC::Run::run([ 'localedef', '--no-archive', '-i', $language, '-f', $encoding, "$path/$language.$encoding" ], '>&', \$output) };
	$compiled{"$language.$encoding"} = 1 if -e "$path/$language.$encoding/LC_CTYPE";
}
$ENV{LOCPATH} = $path;
$ENV{PGCLIENTENCODING} = 'UTF8';
# The cluster itself is a Turkish one by ICU, where the server has that.
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my $icu = `"$pg_config" --configure` =~ /--with-icu/;
my $node = new_node('main', $icu ? (extra => [ '-E', 'UTF8', '--locale=C', '--locale-provider=icu', '--icu-locale=tr-TR' ]) : ());
my $libc = $icu ? 'LOCALE_PROVIDER libc' : '';
my @texts = ('RÜCKGABE FÜR ÖLLAMPE', 'İSTANBUL ISPARTA ılık iğne', 'möchte Größe zurückgeben', 'GRÖSSE ﬁne ǅ ΌΣΟΣ', 'iIıİ IIII iiii');

# How the database is created, as SQL, and what has to be set in it.
sub learn
{
	my ($name, $how, $settings) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0 $how");
	$node->safe_psql('postgres', "ALTER DATABASE $name SET $_") for @$settings, 'humanloop.enabled = off';
	$node->safe_psql($name, q{
		CREATE EXTENSION humanloop;
		CREATE TABLE note (id text PRIMARY KEY, body text);
		INSERT INTO note SELECT (ARRAY['Ilık', 'ılık', 'Größe', 'İğne'])[1 + i % 4] || i, (ARRAY['zurückgeben möchte', 'GELİEFERT ÜBERFÄLLIG', 'Rückgabe für', 'ZUSTELLUNG verspätet'])[1 + i % 4] || ' ' || (ARRAY['Schuhe', 'Mäntel', 'Größe', 'TÜRGRIFF', 'ILIK'])[1 + i % 5] FROM generate_series(1, 100) i;
		SELECT hl_create_project('notes', 'note', 'body', classes => '{İade,ıade,Iade}', options => '{"train_growth": 1.5, "prior_precision": 0.125}');
		SELECT hl_label_many('notes', array_agg(id), array_agg((ARRAY['İade', 'ıade', 'Iade'])[1 + length(id) % 2])) FROM (SELECT * FROM note LIMIT 40) n;
		SELECT hl_train('notes');});
	return;
}

sub answers
{
	my ($name) = @_;
	my $texts = join(',', map { "('$_')" } @texts);

	return $node->safe_psql($name, qq{
		SET extra_float_digits = 1;
		SELECT hl_embed('notes', t) FROM (VALUES $texts) v(t);
		SELECT p.label, round(confidence::numeric, 4), round(epistemic::numeric, 4) FROM (VALUES $texts) v(t), hl_predict('notes', t) p;
		SELECT item, label, round(confidence::numeric, 4) FROM hl_predict('notes') ORDER BY item COLLATE "C";
		SELECT item, rank FROM hl_queue ORDER BY rank;
		SELECT options FROM hl_project;
		SELECT metric, class, round(value::numeric, 6) FROM hl_metrics('notes') ORDER BY metric, class COLLATE "C";});
}

learn('plain', "ENCODING UTF8 LOCALE 'C' $libc", []);
my $plain = answers('plain');
like($plain, qr/^\{-?0\.\d+,.*\n.*0\.\d{4}\|/s, 'numbers have a point');

my %databases = (
	turkish => [ 'tr_TR.UTF-8', "ENCODING UTF8 LOCALE 'tr_TR.UTF-8' $libc", [] ],
	german => [ 'de_DE.UTF-8', "ENCODING UTF8 LOCALE 'de_DE.UTF-8' $libc", [ map { "$_ = 'de_DE.UTF-8'" } qw(lc_numeric lc_monetary lc_time) ] ],
	mixed => [ 'tr_TR.UTF-8', "ENCODING UTF8 LC_COLLATE 'C' LC_CTYPE 'tr_TR.UTF-8' $libc", [ 'extra_float_digits = -15' ] ],
	icu_turkish => [ 'icu', "ENCODING UTF8 LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'", [] ],
	icu_german => [ 'icu', "ENCODING UTF8 LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk-ks-level1'", [ 'extra_float_digits = 3' ] ]);
for my $name (sort keys %databases)
{
	my ($needs, $how, $settings) = @{ $databases{$name} };

	SKIP:
	{
		skip "no locale $needs here", 3 if $needs eq 'icu' ? !$icu : !$compiled{$needs};
		learn($name, $how, $settings);
		is(answers($name), $plain, "$name: the same text, the same answers");
		# names of ours have no I that could become another letter
		is($node->safe_psql($name, q{SELECT COUNT(*) FROM HL_PREDICT('notes')}), '100', "$name: functions are found");
		is(sqlstate($node, q{SELECT hl_create_project('INFO', 'note', 'body')}, $name), '42602', "$name: capital letters are not taken for small ones");
	}
}

# Languages of other encodings, in their own locale.
for my $other ([ 'latin1', 'LATIN1', 'de_DE.ISO-8859-1', 'möchte zurückgeben', 'Öllampe', 'Größe' ], [ 'euc_jp', 'EUC_JP', 'ja_JP.EUC-JP', '返品したい', '靴コート', '配達' ])
{
	my ($name, $encoding, $locale, @words) = @$other;
	my %vector;

	SKIP:
	{
		skip "no locale $locale here", 2 if !$compiled{$locale};
		for my $how ("ENCODING UTF8 LOCALE 'C'", "ENCODING '$encoding' LOCALE '$locale'")
		{
			$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $name");
			$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0 $libc $how");
			$vector{$how} = $node->safe_psql($name, qq{
				CREATE EXTENSION humanloop;
				CREATE TABLE note (id text PRIMARY KEY, body text);
				INSERT INTO note SELECT '$words[2]' || i, (ARRAY['$words[0]', '$words[1]', '$words[2]'])[1 + i % 3] || (ARRAY['$words[0]', ' $words[1]'])[1 + i % 2] || i % 7 FROM generate_series(1, 60) i;
				SELECT project FROM hl_create_project('notes', 'note', 'body');
				SELECT hl_label_many('notes', array_agg(id), array_agg('$words[0]' || length(id) % 2)) FROM note;
				SELECT labels FROM hl_train('notes');
				SELECT hl_embed('notes', upper('$words[0] $words[1]')), hl_embed('notes', '$words[2]$words[1]');
				SELECT item, label FROM hl_predict('notes') ORDER BY item COLLATE "C";});
		}
		like($vector{"ENCODING UTF8 LOCALE 'C'"}, qr/0\.\d/, "$locale: a vector");
		# no upper() in C
		is($vector{"ENCODING '$encoding' LOCALE '$locale'"}, $vector{"ENCODING UTF8 LOCALE 'C'"}, "$locale: the same");
	}
}

# What a number looks like is nobody's business but the reader's.
$node->safe_psql('plain', q{
	CREATE TABLE place (id int PRIMARY KEY, v double precision[]);
	INSERT INTO place SELECT i, ARRAY[sin(i), cos(i * i), 1.0 / 3 + i % 2] FROM generate_series(1, 60) i;});
for my $digits (-15, 0, 3)
{
	$node->safe_psql('plain', qq{
		SET extra_float_digits = $digits;
		SELECT hl_create_project('places', 'place', 'v', options => '{"prior_precision": 0.123456789012345678}');
		SELECT hl_label_many('places', array_agg(id::text), array_agg('c' || id % 2)) FROM place WHERE id <= 40;
		SELECT hl_train('places');
		CREATE TABLE IF NOT EXISTS seen AS SELECT 0 AS digits, ''::bytea AS data, ''::text AS options, p.* FROM hl_predict('places', '[0.12345678901,0.5,1e-3]') p LIMIT 0;
		INSERT INTO seen SELECT $digits, m.data, j.options::text, p.* FROM hl_model_part m JOIN hl_project j ON j.id = m.project_id AND j.name = 'places', hl_predict('places', '[0.12345678901,0.5,1e-3]') p;
		SELECT hl_drop_project('places');});
}
is($node->safe_psql('plain', q{SELECT count(*), count(DISTINCT data), count(DISTINCT options), count(DISTINCT confidence) FROM seen}), '3|1|1|1', 'extra_float_digits changes no model and no answer');
SKIP:
{
	skip 'no locale de_DE.UTF-8 here', 2 if !$compiled{'de_DE.UTF-8'};
	is($node->safe_psql('german', q{SELECT to_char(0.5, '0D0'); SELECT hl_visible(1); SET humanloop.work_mem = '1.5GB'; SHOW humanloop.work_mem; SELECT options->>'train_growth' FROM hl_project}), " 0,5\nt\n1536MB\n1.5", 'a comma is only where it was asked for');
	is(sqlstate($node, q{SELECT hl_create_project('comma', 'note', 'body', options => '{"train_growth": "1,5"}')}, 'german'), '22023', 'and is none in options');
}

# ----------------------------------------------------------------------
# Keys that are equal by their collation
# ----------------------------------------------------------------------

SKIP:
{
	skip 'no ICU here', 12 if !$icu;
	$node->safe_psql('plain', q{
		CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		CREATE TABLE word (word text COLLATE loose PRIMARY KEY, body text);
		INSERT INTO word SELECT 'Wort ' || i || ' Ä', (ARRAY['please return ', 'where is '])[1 + i % 2] || (ARRAY['shoes', 'lamp', 'coat'])[1 + i % 3] FROM generate_series(1, 60) i;
		SELECT hl_create_project('words', 'word', 'body');
		SELECT hl_label_many('words', array_agg(upper(word)), array_agg('c' || length(body) % 2)) FROM (SELECT * FROM word LIMIT 30) w;
		SELECT hl_train('words');});
	is($node->safe_psql('plain', q{SELECT count(*), count(DISTINCT item) FROM hl_labels JOIN word ON item = word COLLATE "C" WHERE project = 'words'}), '30|30', 'a label goes to the key as it is written in the source');
	is($node->safe_psql('plain', q{SELECT count(*), count(DISTINCT item) FROM hl_predict('words')}), '60|60', 'each row is there once');
	is($node->safe_psql('plain', q{SELECT hl_label('words', 'WORT 50 Ä', 'c1') = hl_label('words', 'wort 50 Ä', 'c0')}), 't', 'two ways to write it are one item');
	is($node->safe_psql('plain', q{SELECT item, label FROM hl_labels WHERE project = 'words' AND item LIKE '%50%'}), 'Wort 50 Ä|c0', 'with one label');
	is(sqlstate($node, q{SELECT hl_label('words', 'WORT 50 A', 'c1')}, 'plain'), 'P0002', 'another letter is another key');
	is($node->safe_psql('plain', q{SELECT count(*) > 5, bool_and(input = body) FROM hl_next('words', 10) n JOIN word w ON w.word = n.item COLLATE "C"}), 't|t', 'questions');
	is($node->safe_psql('plain', q{SELECT count(*) = (SELECT count(*) FROM hl_queue WHERE project = 'words') FROM hl_queue_words}), 't', 'the queue view');

	# a key that changes in case only
	$node->safe_psql('plain', q{UPDATE word SET word = upper(word) WHERE word = 'Wort 55 Ä'; SELECT hl_refresh('words')});
	is($node->safe_psql('plain', q{SELECT item FROM hl_predict('words') WHERE item ILIKE '%55%'}), 'WORT 55 Ä', 'a key in other letters is followed');

	# equal keys: not unique by the column's collation, whatever an index of another one says
	$node->safe_psql('plain', q{
		CREATE TABLE twice (word text COLLATE loose NOT NULL, body text);
		CREATE UNIQUE INDEX ON twice (word COLLATE "C");
		INSERT INTO twice VALUES ('a', 'one'), ('A', 'two'), ('b', 'three');});
	is(sqlstate($node, q{SELECT hl_create_project('twice', 'twice', 'body', 'word')}, 'plain'), '23505', 'two keys that are equal are no keys');
	$node->safe_psql('plain', q{CREATE VIEW twice_exactly AS SELECT word COLLATE "C" AS word, body FROM twice; SELECT hl_create_project('exactly', 'twice_exactly', 'body', 'word')});
	is($node->safe_psql('plain', q{SELECT hl_label_many('exactly', '{a,A,b}', '{x,y,x}'); SELECT item, label FROM hl_labels WHERE project = 'exactly' ORDER BY id}), "3\na|x\nA|y\nb|x", 'a view can tell them apart');

	# labels and classes are compared as they are written
	$node->safe_psql('plain', q{
		CREATE TABLE said (id int PRIMARY KEY, body text, topic text COLLATE loose);
		INSERT INTO said SELECT i, (ARRAY['please return ', 'where is '])[1 + i % 2] || i, (ARRAY['Topic', 'topic'])[1 + i % 2] FROM generate_series(1, 40) i;
		SELECT hl_create_project('said', 'said', 'body', label => 'topic');});
	is($node->safe_psql('plain', q{SELECT labels, classes FROM hl_train('said'); SELECT label, count(*) FROM hl_labels WHERE project = 'said' GROUP BY label ORDER BY label COLLATE "C"}), "40|2\nTopic|20\ntopic|20", 'classes are what is written');
	is(sqlstate($node, q{SELECT hl_train('words'), hl_train('said')}, 'plain'), '', 'and all goes on');
}

# ----------------------------------------------------------------------
# From one into another
# ----------------------------------------------------------------------

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';

sub dump_of
{
	my ($name) = @_;

	$node->command_ok([ 'pg_dump', '--no-sync', '-d', $node->connstr($name), '-f', $dump ], "dump of $name");
	return;
}

$node->safe_psql('plain', q{SELECT hl_drop_project(project) FROM hl_projects WHERE project <> 'notes'; DROP TABLE IF EXISTS place, seen, word, twice, said CASCADE; DROP COLLATION IF EXISTS loose});
dump_of('plain');
for my $name (sort keys %databases)
{
	my ($needs, $how, $settings) = @{ $databases{$name} };

	SKIP:
	{
		skip "no locale $needs here", 4 if $needs eq 'icu' ? !$icu : !$compiled{$needs};
		$node->safe_psql('postgres', "CREATE DATABASE restored_$name TEMPLATE template0 $how");
		$node->safe_psql('postgres', "ALTER DATABASE restored_$name SET $_") for @$settings, 'humanloop.enabled = off';
		$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr("restored_$name"), '-f', $dump ], "restored into $name");
		$node->safe_psql("restored_$name", q{SELECT hl_refresh('notes')});
		is(answers("restored_$name") =~ s/\n\S+\|\d+(?=\n)//gr, $plain =~ s/\n\S+\|\d+(?=\n)//gr, "$name: the same answers after a restore");
		is($node->safe_psql("restored_$name", q{SELECT hl_label('notes', 'Ilık4', 'ıade') > 0, hl_label('notes', 'ılık1', 'İade') > 0; SELECT count(*) FROM hl_labels WHERE item IN ('Ilık4', 'ılık1')}), "t|t\n2", "$name: items are told apart as before");
		is(sqlstate($node, q{SELECT hl_train('notes')}, "restored_$name"), '', "$name: and it goes on");
	}
}

# What the new encoding cannot write is refused by the restore, table by table.
# What came through says clearly what is missing, and what is not concerned works.
$node->safe_psql('plain', q{
	CREATE TABLE german (id int PRIMARY KEY, body text);
	INSERT INTO german SELECT i, (ARRAY['möchte zurückgeben ', 'nicht geliefert '])[1 + i % 2] || i FROM generate_series(1, 60) i;});
for my $case ([ 'classes', q{SELECT hl_create_project('others', 'german', 'body', classes => '{ja,返品}')} ], [ 'labels', q{SELECT hl_create_project('others', 'german', 'body')} ])
{
	my ($what, $create) = @$case;
	my ($output, $error) = ('', '');

	$node->safe_psql('plain', qq{
		$create;
		SELECT hl_label_many('others', array_agg(id::text), array_agg((ARRAY['ja', '返品'])[1 + id % 2])) FROM german WHERE id <= 40;
		SELECT hl_train('others');
		SELECT hl_create_project('fine', 'german', 'body');
		SELECT hl_label_many('fine', array_agg(id::text), array_agg((ARRAY['ja', 'nein'])[1 + id % 2])) FROM german WHERE id <= 40;
		SELECT hl_train('fine');
		SELECT hl_drop_project(project) FROM hl_projects WHERE project = 'notes';
		DROP TABLE IF EXISTS note;});
	dump_of('plain');
	$node->safe_psql('postgres', "CREATE DATABASE latin1_$what ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0 $libc");
	IPC::Run::run([ 'psql', '-Xq', '-d', $node->connstr("latin1_$what"), '-f', $dump ], '>', \$output, '2>', \$error);
	like($error, qr/has no equivalent in encoding "LATIN1"/, "$what: the restore says that it is not complete");
	for my $query (q{SELECT * FROM hl_projects}, q{SELECT * FROM hl_queue}, q{SELECT * FROM hl_labels}, (map { my $p = $_; map { sprintf $_, $p } q{SELECT hl_predict('%s', 'x')}, q{SELECT count(*) FROM hl_predict('%s')}, q{SELECT hl_metrics('%s')}, q{SELECT hl_models('%s')}, q{SELECT hl_refresh('%s')}, q{SELECT hl_next('%s')}, q{SELECT hl_label('%s', 50, 'ja')}, q{SELECT hl_train('%s')} } 'others', 'fine'))
	{
		like(sqlstate($node, $query, "latin1_$what"), qr/^(42704|55000|22P05|02000|P0002)?$/, "$what: $query");
	}
	# what can be written in LATIN1 is begun anew
	is(sqlstate($node, q{SELECT hl_drop_project(project) FROM hl_projects; SELECT hl_create_project('anew', 'german', 'body'); SELECT hl_label_many('anew', array_agg(id::text), array_agg('c' || id % 2)) FROM german; SELECT hl_train('anew')}, "latin1_$what"), '', "$what: a new project works");
	$node->safe_psql('plain', q{SELECT hl_drop_project(project) FROM hl_projects});
}

my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/terminated by signal|server process .* exited with exit code|PANIC/, 'no backend has crashed');
$node->stop;
done_testing();
