# The same text is the same text in a database of any encoding.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PGCLIENTENCODING} = 'UTF8';
# a worker stays a minute in each database
my $node = new_node('main', conf => "max_worker_processes = 40\n");

# The same table in two databases; answers to the same questions, as text.
sub learn
{
	my ($name, $encoding, $starts, $things, $classes) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name ENCODING '$encoding' TEMPLATE template0 LOCALE 'C'");
	$node->safe_psql($name, qq{
		SET client_min_messages = error;
		CREATE EXTENSION humanloop;
		CREATE TABLE note (id int PRIMARY KEY, body text);
		INSERT INTO note SELECT i, ('{$starts}'::text[])[1 + i % 4] || ' ' || ('{$things}'::text[])[1 + i % 5] FROM generate_series(1, 100) i;
		SELECT hl_create_project('notes', 'note', 'body', classes => '{$classes}');
		SELECT hl_label_many('notes', array_agg(id::text), array_agg(('{$classes}'::text[])[1 + id % 2])) FROM note WHERE id <= 40;
		SELECT hl_train('notes');});
}

sub compare
{
	my ($what, $one, $two, @texts) = @_;

	for my $text (@texts)
	{
		my $embed = qq{SELECT hl_embed('notes', '$text')};
		my $predict = qq{SELECT label, round(confidence::numeric, 4), round(epistemic::numeric, 4) FROM hl_predict('notes', '$text')};
		my $vector = $node->safe_psql($one, $embed);

		is($node->safe_psql($two, $embed), $vector, "$what: the same vector");
		like($vector, qr/[1-9]/, "$what: which is not empty");
		is($node->safe_psql($two, $predict), $node->safe_psql($one, $predict), "$what: the same answer");
	}
	my $stored = q{SELECT count(*), sum(live_rows), md5(string_agg(encode(dense, 'hex') || encode(terms, 'hex') || encode(hashes, 'hex'), ',' ORDER BY block)) FROM hl_feature_block};
	like($node->safe_psql($one, $stored), qr/^\d+\|100\|\w{32}$/, "$what: features are stored");
	is($node->safe_psql($two, $stored), $node->safe_psql($one, $stored), "$what: and are the same");
	is($node->safe_psql($two, q{SELECT count(*), count(DISTINCT label) FROM hl_predict('notes')}), '100|2', "$what: all rows");
	is($node->safe_psql($two, q{SELECT count(*) FROM hl_queue_notes q JOIN note USING (id, body)}), $node->safe_psql($two, q{SELECT count(*) FROM hl_queue}), "$what: queue");
}

my @german = ('zurückgeben möchte,geliefert überfällig,Rückgabe für,Zustellung verspätet', 'Schuhe,Mäntel,Größe,Türgriff,Öllampe', 'Rückgabe,Zustellung');
learn('german_utf8', 'UTF8', @german);
learn('german_latin1', 'LATIN1', @german);
compare('LATIN1', 'german_utf8', 'german_latin1', 'RÜCKGABE FÜR ÖLLAMPE', 'möchte Größe zurückgeben', 'ßäöüÄÖÜ Mäntel', 'Öllampe Größe ' x 3000);

# what changes is noted in the database's own encoding
$node->safe_psql('german_latin1', q{CREATE TABLE word (word text PRIMARY KEY, meaning text); SELECT hl_create_project('words', 'word', 'meaning')});
is($node->safe_psql('german_latin1', q{BEGIN; INSERT INTO word VALUES ('Größe', 'size'); SELECT items, items[1] = (SELECT word FROM word) FROM hl_change c, hl_project p WHERE p.id = c.project_id AND name = 'words'; ROLLBACK}), '{Größe}|t', 'LATIN1: keys are noted');

my @japanese = ('返品したい,配達が遅い,返品の方法は,荷物が届かない', '靴,コート,ランプ,電話,机', '返品,配達');
learn('japanese_utf8', 'UTF8', @japanese);
learn('japanese_euc', 'EUC_JP', @japanese);
compare('EUC_JP', 'japanese_utf8', 'japanese_euc', '返品できますか', '荷物はまだですか', 'ランプの配達', map { 'x' x $_ . 'ランプの配達は' x 3000 } 1 .. 3);

# the bytes of UTF8 are the same text where nobody says that they are that
learn('german_bytes', 'SQL_ASCII', @german);
compare('SQL_ASCII', 'german_utf8', 'german_bytes', 'RÜCKGABE FÜR ÖLLAMPE', 'möchte Größe zurückgeben', 'Öllampe Größe ' x 3000);
learn('japanese_bytes', 'SQL_ASCII', @japanese);
compare('SQL_ASCII', 'japanese_utf8', 'japanese_bytes', '返品できますか', 'ランプの配達');

# Keys and annotators in each encoding, from hand to hand.
for my $name ('german_utf8', 'german_latin1', 'japanese_utf8', 'japanese_euc')
{
	my @words = $name =~ /german/ ? ('Größe', 'Türgriff', 'Öl', 'Maß', 'Ähre') : ('靴', 'コート', 'ﾗﾝﾌﾟ', '電話', '机');

	$node->safe_psql($name, qq{
		CREATE TABLE thing (thing text PRIMARY KEY, meaning text);
		INSERT INTO thing VALUES ('$words[0]', 'a round red thing'), ('$words[1]', 'a square red box'), ('$words[2]', 'a round blue ball'), ('$words[3]', 'a flat blue plate'), ('$words[4]', 'a flat square board');
		SELECT hl_create_project('things', 'thing', 'meaning');
		SELECT hl_label('things', '$words[0]', '$words[1]', '$words[2]'), hl_label_many('things', '{$words[1],$words[3]}', '{$words[0],$words[1]}', '$words[2]');
		SELECT hl_skip('things', '$words[2]', '$words[3]', '$words[2]'); SELECT hl_undo('things', '$words[3]', '$words[2]');});
	is($node->safe_psql($name, q{SELECT item, label, annotator FROM hl_labels WHERE project = 'things' ORDER BY id}), "$words[0]|$words[1]|$words[2]\n$words[1]|$words[0]|$words[2]", "$name: labels");
	is($node->safe_psql($name, qq{SELECT item, input FROM hl_next('things', 3, '$words[2]') ORDER BY input}), "$words[3]|a flat blue plate\n$words[4]|a flat square board", "$name: questions");
	is($node->safe_psql($name, qq{SELECT reason FROM hl_label_history WHERE project = 'things' AND action = 'skip'}), $words[3], "$name: history");
	is($node->safe_psql($name, qq{UPDATE thing SET thing = thing || '$words[4]' WHERE thing = '$words[0]'; SELECT hl_refresh('things') >= 0; SELECT thing FROM hl_queue_things WHERE thing LIKE '$words[0]%'}), "t\n$words[0]$words[4]", "$name: a key that changes");
}

# Whatever UTF8 holds is a text: unassigned and private code points, the last one
# of all, marks without a letter, both directions, joined pictographs.
$node->safe_psql('german_utf8', q{
	CREATE TABLE odd (id int PRIMARY KEY, body text);
	INSERT INTO odd SELECT i, (ARRAY[E'\\u0378\\u0379', E'\\U0010FFFF\\uFFFF\\uFDD0', E'\\uE000\\U000F0000', E'\\u0301\\u0323\\u0301', E'abc \\u202E\\u05E9\\u05DC\\u05D5\\u05DD\\u202C \\u200F\\u061C',
			E'\\U0001F468\\u200D\\U0001F469\\u200D\\U0001F466 \\U0001F1E9\\U0001F1EA', E'\\uFEFF\\u200B\\u2060\\u00AD', E'\\x01\\x02\\x7f\\u0085', repeat(E'e\\u0301', 500) || repeat(E'\\u0301', 500), ''])[1 + i % 10] || ' kind' || i % 2 FROM generate_series(1, 80) i;
	SELECT hl_create_project('odd', 'odd', 'body');
	SELECT hl_label_many('odd', array_agg(id::text), array_agg(E'\\U0010FFFF' || id % 2)) FROM odd WHERE id <= 40;
	SELECT hl_train('odd');});
is($node->safe_psql('german_utf8', q{SELECT count(*) FROM hl_predict('odd') WHERE label = E'\\U0010FFFF' || item::int % 2}), '80', 'any code point can be learned');
like(sqlstate($node, q{SELECT hl_predict('odd', E'\\xed\\xa0\\x80')}, 'german_utf8'), qr/^22021$/, 'what is no UTF8 does not get in');

# Very long, and long without a space: in no more time than reading it takes.
for my $long (q{repeat('Öllampe zurückgeben ', 500000)}, q{repeat('x', 1048576)}, q{repeat('ö', 1048576)}, q{repeat(E'\\u0301', 1048576)}, q{repeat('電話', 500000)}, q{repeat(E'\\uFDFA', 200000)})
{
	is(sqlstate($node, qq{SET statement_timeout = '30s'; SET humanloop.work_mem = '64MB'; SELECT hl_predict('notes', $long)}, 'german_utf8'), '', "$long: has an answer");
}
$node->safe_psql('german_utf8', q{INSERT INTO note SELECT 1000 + n, repeat(t, 200000) FROM unnest(ARRAY['Öllampe zurückgeben ', 'x', '電話']) WITH ORDINALITY u(t, n)});
is($node->safe_psql('german_utf8', q{SELECT hl_label_many('notes', '{1001,1002,1003}', '{Rückgabe,Zustellung,Rückgabe}'); SET statement_timeout = '60s'; SELECT labels FROM hl_train('notes')}), "3\n43", 'rows of megabytes can be learned');

# What an encoding has and Unicode has not separates, and stops nobody.
for my $encoding ('WIN1252', 'EUC_JP')
{
	my $nothing = $encoding eq 'WIN1252' ? '\x81' : '\xa9\xa1';
	my $name = lc "nothing_$encoding";
	my $embed = q{SELECT hl_embed('notes', E'where is%sthe parcel%s')};

	local $ENV{PGCLIENTENCODING} = $encoding;
	$node->safe_psql('postgres', "CREATE DATABASE $name ENCODING '$encoding' TEMPLATE template0 LOCALE 'C'");
	$node->safe_psql($name, qq{
		CREATE EXTENSION humanloop;
		CREATE TABLE note (id int PRIMARY KEY, body text);
		INSERT INTO note SELECT i, (ARRAY[E'please${nothing}take back ', E'where is the parcel$nothing '])[1 + i % 2] || i FROM generate_series(1, 60) i;
		SELECT hl_create_project('notes', 'note', 'body');
		SELECT hl_label_many('notes', array_agg(id::text), array_agg(E'class$nothing' || id % 2)) FROM note WHERE id <= 30;});
	is(sqlstate($node, q{SELECT hl_train('notes')}, $name), '', "$encoding: characters without a code point can be learned");
	is($node->safe_psql($name, qq{SELECT count(*) FROM hl_predict('notes') WHERE label = E'class$nothing' || item::int % 2}), '60', "$encoding: also in the name of a class");
	isnt($node->safe_psql($name, sprintf($embed, $nothing, '')), $node->safe_psql($name, sprintf($embed, '', '')), "$encoding: they separate");
	is($node->safe_psql($name, sprintf($embed, $nothing, $nothing)), $node->safe_psql($name, sprintf($embed, ' ', ' ')), "$encoding: as a space does");
	# one in each place that a long text may be cut at
	is(sqlstate($node, qq{SELECT count(hl_embed('notes', repeat('x', 2000 + n) || repeat(E'$nothing y', 2000))) FROM generate_series(1, 60) n}, $name), '', "$encoding: in a long text");
	$node->safe_psql($name, qq{INSERT INTO note VALUES (1000, E'$nothing')});
	eventually($node, q{SELECT NOT EXISTS (SELECT FROM hl_change) AND failures = 0 FROM hl_work}, "$encoding: the worker takes such a row", 20, $name);
}

# The one encoding that PostgreSQL does not convert to UTF8.
$node->safe_psql('postgres', q{CREATE DATABASE mule ENCODING 'MULE_INTERNAL' TEMPLATE template0 LOCALE 'C'});
{
	local $ENV{PGCLIENTENCODING} = 'MULE_INTERNAL';
	is(sqlstate($node, q{CREATE EXTENSION humanloop; CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note VALUES (1, 'a text'); SELECT hl_create_project('notes', 'note', 'body')}, 'mule'), '42883', 'MULE_INTERNAL: says that it cannot be');
}

# SQL_ASCII promises nothing about its bytes: they are taken as they come.
$node->safe_psql('postgres', q{CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'});
$ENV{PGCLIENTENCODING} = 'SQL_ASCII';
$node->safe_psql('bytes', q{
	SET client_min_messages = error;
	CREATE EXTENSION humanloop;
	CREATE TABLE note (id int PRIMARY KEY, body text);
	INSERT INTO note SELECT i, CASE i % 4 WHEN 0 THEN E'broken \xff\xfe bytes ' || i WHEN 1 THEN E'cut \xe8\xbf ' || i WHEN 2 THEN E'long \xf4\x90\x80\x80 form \xc0\x80 ' || i ELSE E'\xed\xa0\x80 half a pair ' || i END
	FROM generate_series(1, 100) i;
	INSERT INTO note SELECT 1000 + i, string_agg(convert_from(decode(to_hex(128 + (i * 7 + j * 13) % 128), 'hex'), 'SQL_ASCII'), '') FROM generate_series(1, 50) i, generate_series(1, 40) j GROUP BY i;
	SELECT hl_create_project('notes', 'note', 'body');
	SELECT hl_label_many('notes', array_agg(id::text), array_agg('c' || id % 4)) FROM note WHERE id <= 40;
	SELECT hl_train('notes');});
is($node->safe_psql('bytes', q{SELECT count(*) FILTER (WHERE label = 'c' || item::int % 4) > 90 FROM hl_predict('notes') WHERE item::int <= 100}), 't', 'SQL_ASCII: bytes that are no characters can be learned');
is($node->safe_psql('bytes', q{SELECT label IS NOT NULL FROM hl_predict('notes', E'\xc3')}), 't', 'SQL_ASCII: half a character is a text');
is($node->safe_psql('bytes', q{SELECT count(*) FROM hl_predict('notes')}), '150', 'SQL_ASCII: all rows');

# in keys, classes, annotators and reasons as well, and through the worker
$node->safe_psql('bytes', q{
	CREATE TABLE named (id text PRIMARY KEY, body text);
	INSERT INTO named SELECT E'k\xff' || i, CASE i % 2 WHEN 0 THEN E'broken \xff\xfe bytes ' ELSE E'cut \xe8\xbf ' END || i FROM generate_series(1, 60) i;
	SELECT hl_create_project('named', 'named', 'body', options => '{"train_growth": 100, "train_quiet": 86400}');
	SELECT hl_label_many('named', array_agg(id), array_agg(CASE WHEN body ~ 'cut' THEN E'cl\xc3' ELSE E'\xf0' END), E'ann\xe9') FROM named WHERE length(id) < 5 AND id < E'k\xff5';});
eventually($node, q{SELECT count(*) = 1 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving s JOIN hl_project p ON p.id = s.project_id WHERE name = 'named' AND model = 1}, 'SQL_ASCII: the worker trains on such labels', 30, 'bytes');
is($node->safe_psql('bytes', q{SELECT hl_skip('named', E'k\xff59', E'wh\xff', E'ann\xe9'); SELECT count(*) FROM hl_next('named', 3, E'ann\xe9')}), "\n3", 'SQL_ASCII: questions');
$node->safe_psql('bytes', q{INSERT INTO named VALUES (E'new\x80', E'cut \xe8\xbf new'); UPDATE named SET id = E'upd\x81' WHERE id = E'k\xff58'; SELECT hl_label('named', E'new\x80', E'cl\xc3')});
eventually($node, q{SELECT revision > 0 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving s JOIN hl_project p ON p.id = s.project_id WHERE name = 'named'}, 'SQL_ASCII: and learns', 20, 'bytes');
is($node->safe_psql('bytes', q{SELECT count(*) FILTER (WHERE (label = E'cl\xc3') = (body ~ 'cut')), count(*) FILTER (WHERE item IN (E'new\x80', E'upd\x81')) FROM hl_predict('named') JOIN named ON id = item}), '61|2', 'SQL_ASCII: which names each row by its bytes');
is($node->safe_psql('bytes', q{SELECT count(*) FROM hl_work WHERE failures > 0}), '0', 'SQL_ASCII: nothing has failed');

$node->stop;
done_testing();
