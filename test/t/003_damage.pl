# Damaged model state is an error, never a crash; what is right keeps working.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main');

fill($node, 300);
train($node, 90);
$node->safe_psql('postgres', q{SELECT hl_train('tickets')});
my $good = $node->safe_psql('postgres', q{SELECT label, confidence FROM hl_predict('tickets', 'where is the parcel')});

# One damage a session, as sessions cache what they have read.
sub damaged
{
	my ($what, $statement, $query) = @_;

	is(sqlstate($node, "BEGIN; $statement; " . ($query // q{SELECT * FROM hl_predict('tickets', 'where is the parcel')})), 'XX001', $what);
}

for my $table ('hl_model_part', 'hl_encoder_part')
{
	damaged("$table: a byte in the head", "UPDATE $table SET data = set_byte(data, 1, get_byte(data, 1) \# 1) WHERE part = 0");
	damaged("$table: the length", "UPDATE $table SET data = set_byte(data, 5, get_byte(data, 5) \# 1) WHERE part = 0");
	damaged("$table: a huge length", "UPDATE $table SET data = set_byte(data, 11, 127) WHERE part = 0");
	damaged("$table: a byte in the middle", "UPDATE $table SET data = set_byte(data, length(data) / 2, get_byte(data, length(data) / 2) \# 1)");
	damaged("$table: overlay", "UPDATE $table SET data = overlay(data PLACING '\\xdeadbeef'::bytea FROM length(data) / 2)");
	damaged("$table: the last byte", "UPDATE $table SET data = set_byte(data, length(data) - 1, get_byte(data, length(data) - 1) \# 255)");
	damaged("$table: cut short", "UPDATE $table SET data = substr(data, 1, length(data) - 1)");
	damaged("$table: only the head", "UPDATE $table SET data = substr(data, 1, 16)");
	damaged("$table: three bytes", "UPDATE $table SET data = substr(data, 1, 3)");
	damaged("$table: empty", "UPDATE $table SET data = ''");
	damaged("$table: longer", "UPDATE $table SET data = data || '\\x00'::bytea");
	damaged("$table: gone", "DELETE FROM $table");
	damaged("$table: the first part is missing", "UPDATE $table SET part = part + 1");
}
damaged('a model of another project in its place', q{UPDATE hl_model SET classes = classes || ARRAY['another']});
$node->safe_psql('postgres', q{
	CREATE TABLE place (id int PRIMARY KEY, v real[]);
	INSERT INTO place SELECT i, ARRAY[i % 2, 1, sin(i)] FROM generate_series(1, 20) i;
	SELECT hl_create_project('places', 'place', 'v');
	SELECT hl_label_many('places', array_agg(id::text), array_agg('c' || id % 2)) FROM place;
	SELECT hl_train('places');});
damaged('an encoder of another project in its place', q{UPDATE hl_model SET encoder_id = (SELECT m.encoder_id FROM hl_model m ORDER BY id DESC LIMIT 1) WHERE project_id = (SELECT id FROM hl_project WHERE name = 'tickets')});
$node->safe_psql('postgres', q{SELECT hl_drop_project('places'); DROP TABLE place});
is(sqlstate($node, q{BEGIN; UPDATE hl_model SET confusion = '{1,2}'; SELECT hl_confusion('tickets')}), 'XX001', 'the confusion matrix');
is(sqlstate($node, q{BEGIN; UPDATE hl_project_local SET label_attnum = 3; SELECT hl_refresh('tickets')}), '', 'the number of a label column where there is none');
is($node->safe_psql('postgres', q{SELECT label, confidence FROM hl_predict('tickets', 'where is the parcel')}), $good, 'undamaged, it answers as before');

# The way out that the error names.
$node->safe_psql('postgres', q{UPDATE hl_model_part SET data = substr(data, 1, 20)});
is(sqlstate($node, q{SELECT hl_predict('tickets', 'x')}), 'XX001', 'a damaged model');
is(sqlstate($node, q{SELECT hl_train('tickets')}), '', 'is replaced by training');
is($node->safe_psql('postgres', q{SELECT label FROM hl_predict('tickets', 'where is the parcel')}), 'delivery', 'and answers again');

# Two hundred random mutations in one session.  A new id makes it read anew.
$node->safe_psql('postgres', q{
	CREATE FUNCTION mutate(target text, n int) RETURNS TABLE (outcome text, times bigint) LANGUAGE plpgsql AS $$
	DECLARE
		position int;
		kind int;
		result text;
	BEGIN
		PERFORM setseed(0.5);
		CREATE TEMP TABLE outcomes (outcome text) ON COMMIT DROP;
		FOR i IN 1..n LOOP
			kind := floor(random() * 4);
			BEGIN
				UPDATE hl_model SET id = nextval('hl_model_id_seq') WHERE model = (SELECT model FROM hl_serving);
				EXECUTE format(CASE kind
					WHEN 0 THEN 'UPDATE hl_model_part p SET data = set_byte(data, (random() * (length(data) - 1))::int, (random() * 255)::int) WHERE model = (SELECT model FROM hl_serving)'
					WHEN 1 THEN 'UPDATE hl_model_part p SET data = substr(data, 1, (random() * length(data))::int) WHERE model = (SELECT model FROM hl_serving)'
					WHEN 2 THEN 'UPDATE hl_model_part p SET data = set_byte(data, (random() * 60)::int, (random() * 255)::int) WHERE model = (SELECT model FROM hl_serving)'
					ELSE 'UPDATE hl_model_part p SET data = overlay(data PLACING decode(md5(random()::text), ''hex'') FROM 1 + (random() * (length(data) - 20))::int) WHERE model = (SELECT model FROM hl_serving)' END);
				PERFORM hl_predict('tickets', 'where is the parcel');
				RAISE SQLSTATE 'YES00';
			EXCEPTION WHEN OTHERS THEN
				result := SQLSTATE;
			END;
			INSERT INTO outcomes VALUES (result);
		END LOOP;
		RETURN QUERY SELECT o.outcome, count(*) FROM outcomes o GROUP BY 1 ORDER BY 1;
	END $$;});
my $outcomes = $node->safe_psql('postgres', q{SELECT * FROM mutate('hl_model_part', 200)});
note $outcomes;
# a mutation may write what was there: a few of those are no damage
like($outcomes, qr/^XX001\|(1[89]\d|200)(\nYES00\|\d)?$/, 'two hundred mutations of a model: every one is noticed');

# Feature blocks are not checksummed, but read with care.
$outcomes = $node->safe_psql('postgres', q{
	DO $$
	DECLARE
		part text;
		result text;
	BEGIN
		PERFORM setseed(0.25);
		CREATE TEMP TABLE outcomes (part text, outcome text);
		FOR i IN 1..120 LOOP
			part := (ARRAY['dense', 'terms', 'terms', 'hashes'])[1 + i % 4];
			BEGIN
				EXECUTE format(CASE WHEN i % 10 = 0 THEN 'UPDATE hl_feature_block SET %1$I = substr(%1$I, 1, (random() * length(%1$I))::int)'
					WHEN i % 10 = 1 THEN 'UPDATE hl_feature_block SET %1$I = %1$I || ''\x0102''::bytea'
					WHEN i % 3 = 0 THEN 'UPDATE hl_feature_block SET %1$I = overlay(%1$I PLACING ''\xffffffffffffffffffff''::bytea FROM 1 + (random() * (length(%1$I) - 12))::int)'
					ELSE 'UPDATE hl_feature_block SET %1$I = set_byte(%1$I, (random() * (length(%1$I) - 1))::int, (random() * 255)::int)' END, part);
				IF i % 2 = 0 THEN
					PERFORM hl_predict('tickets');
				ELSE
					PERFORM hl_train('tickets');
				END IF;
				RAISE SQLSTATE 'YES00';
			EXCEPTION WHEN OTHERS THEN
				result := CASE WHEN SQLSTATE IN ('XX001', 'YES00') THEN SQLSTATE ELSE SQLSTATE || ' ' || SQLERRM END;
			END;
			INSERT INTO outcomes VALUES (part, result);
		END LOOP;
	END $$;
	SELECT DISTINCT outcome FROM outcomes ORDER BY 1});
note $outcomes;
is($outcomes, "XX001\nYES00", 'mutations of feature blocks: damage is said, or does no harm');
damaged('a block cut short', q{UPDATE hl_feature_block SET dense = substr(dense, 1, 10)}, q{SELECT hl_predict('tickets')});
damaged('and in training', q{UPDATE hl_feature_block SET dense = substr(dense, 1, 10)}, q{SELECT hl_train('tickets')});
damaged('hashes of an odd length', q{UPDATE hl_feature_block SET hashes = substr(hashes, 1, 13)}, q{SELECT hl_train('tickets')});
# what has no features any more gets them again
$node->safe_psql('postgres', q{DELETE FROM hl_feature_block});
is($node->safe_psql('postgres', q{SELECT hl_refresh('tickets')}), '300', 'lost features are made again');
is(sqlstate($node, q{SELECT hl_train('tickets')}), '', 'and used');

# No backend has died of all this.
my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/terminated by signal|server process .* exited with exit code|PANIC/, 'no backend has crashed');
$node->stop;
done_testing();
