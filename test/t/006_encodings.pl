# The same text is the same text in a database of any encoding.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PGCLIENTENCODING} = 'UTF8';
my $node = new_node('main');

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
		my $embed = qq{SELECT string_agg(round(x::numeric, 4) || '', ' ' ORDER BY n) FROM unnest(hl_embed('notes', '$text')) WITH ORDINALITY u(x, n)};
		my $predict = qq{SELECT label, round(confidence::numeric, 4) FROM hl_predict('notes', '$text')};
		my $vector = $node->safe_psql($one, $embed) =~ s/-(0\.0+\b)/$1/gr;

		is($node->safe_psql($two, $embed) =~ s/-(0\.0+\b)/$1/gr, $vector, "$what: the same vector");
		like($vector, qr/[1-9]/, "$what: which is not empty");
		is($node->safe_psql($two, $predict), $node->safe_psql($one, $predict), "$what: the same answer");
	}
	is($node->safe_psql($two, q{SELECT count(*), count(DISTINCT label) FROM hl_predict('notes')}), '100|2', "$what: all rows");
	is($node->safe_psql($two, q{SELECT count(*) FROM hl_queue_notes q JOIN note USING (id, body)}), $node->safe_psql($two, q{SELECT count(*) FROM hl_queue}), "$what: queue");
}

my @german = ('zurückgeben möchte,geliefert überfällig,Rückgabe für,Zustellung verspätet', 'Schuhe,Mäntel,Größe,Türgriff,Öllampe', 'Rückgabe,Zustellung');
learn('german_utf8', 'UTF8', @german);
learn('german_latin1', 'LATIN1', @german);
compare('LATIN1', 'german_utf8', 'german_latin1', 'RÜCKGABE FÜR ÖLLAMPE', 'möchte Größe zurückgeben', 'ßäöüÄÖÜ Mäntel');

# what changes is noted in the database's own encoding
$node->safe_psql('german_latin1', q{CREATE TABLE word (word text PRIMARY KEY, meaning text); SELECT hl_create_project('words', 'word', 'meaning')});
is($node->safe_psql('german_latin1', q{BEGIN; INSERT INTO word VALUES ('Größe', 'size'); SELECT items, items[1] = (SELECT word FROM word) FROM hl_change c, hl_project p WHERE p.id = c.project_id AND name = 'words'; ROLLBACK}), '{Größe}|t', 'LATIN1: keys are noted');

my @japanese = ('返品したい,配達が遅い,返品の方法は,荷物が届かない', '靴,コート,ランプ,電話,机', '返品,配達');
learn('japanese_utf8', 'UTF8', @japanese);
learn('japanese_euc', 'EUC_JP', @japanese);
compare('EUC_JP', 'japanese_utf8', 'japanese_euc', '返品できますか', '荷物はまだですか', 'ランプの配達');

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

$node->stop;
done_testing();
