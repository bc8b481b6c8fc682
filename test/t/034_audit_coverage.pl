# What the metrics promise: over 200 simulated projects with the default options,
# questions answered from the queue, the interval of the audit covers the accuracy
# that the model has on rows it has never seen.  That of the cross-validation over
# all labels does not, which is what the audit is for.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $projects = 200;
my $node = new_node('main', conf => "humanloop.enabled = off\nfsync = off\n");

# Three classes in four dimensions.  Most rows are plain; the others are somewhere
# on the way to another class, and it shows less and less what they are.
$node->safe_psql('postgres', q{
	CREATE TABLE place (id int PRIMARY KEY, v real[], truth text);
	CREATE TABLE unseen (v real[], truth text);
	CREATE FUNCTION normal() RETURNS float8 LANGUAGE sql VOLATILE AS 'SELECT sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())';
	CREATE FUNCTION make(rows int, OUT v real[], OUT truth text) RETURNS SETOF record LANGUAGE plpgsql VOLATILE AS $$
	DECLARE
		class int; other int; far float8;
	BEGIN
		FOR i IN 1 .. rows LOOP
			class := floor(3 * random());
			other := (class + 1 + floor(2 * random())::int) % 3;
			far := CASE WHEN random() < 0.3 THEN random() * 0.7 ELSE 0 END;
			v := ARRAY[0.15 * normal(), 0.15 * normal(), 0.15 * normal(), 0.3 * normal()];
			v[class + 1] := v[class + 1] + 1 - far; v[other + 1] := v[other + 1] + far;
			truth := 'class ' || class;
			RETURN NEXT;
		END LOOP;
	END $$;
	CREATE TABLE simulated (seed int, answered int, audited int, audit float8, audit_low float8, audit_high float8, audit_overconfidence float8,
		plain float8, plain_low float8, plain_high float8, truth float8, overconfidence float8);

	CREATE FUNCTION simulate(seed int, rounds int, batch int) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		t hl_training;
	BEGIN
		PERFORM setseed(seed / 1000.0);
		TRUNCATE place, unseen;
		INSERT INTO place SELECT row_number() OVER (), m.v, m.truth FROM make(500) m;
		INSERT INTO unseen SELECT m.v, m.truth FROM make(500) m;
		PERFORM hl_create_project('p', 'place', 'v', options => jsonb_build_object('random_seed', seed));
		FOR i IN 1 .. rounds LOOP
			PERFORM hl_label_many('p', array_agg(q.item ORDER BY q.rank), array_agg(p.truth ORDER BY q.rank))
			FROM (SELECT item, rank FROM hl_queue WHERE project = 'p' ORDER BY rank LIMIT batch) q JOIN place p ON p.id = q.item::int;
			t := hl_train('p');
		END LOOP;
		INSERT INTO simulated SELECT seed, t.labels, t.audited, t.audit_accuracy, t.audit_low, t.audit_high,
			(SELECT sum(r.n * (r.confidence - r.accuracy)) / sum(r.n) FROM hl_reliability('p') r WHERE r.estimate = 'audit'),
			t.accuracy, t.accuracy_low, t.accuracy_high, u.*
		FROM (SELECT avg((p.label = truth)::int), avg(p.confidence - (p.label = truth)::int)
			FROM unseen, hl_predict('p', v) p) u;
		PERFORM hl_drop_project('p');
	END $$;});
$node->safe_psql('postgres', join '', map { "SELECT simulate($_, 4, 30);\n" } 1 .. $projects);

sub ask_all { return split /\|/, $node->safe_psql('postgres', "SELECT $_[0] FROM simulated") }

note 'of the audit, of all labels, of unseen rows: ', join ' ', ask_all(q{round(avg(audited), 1), round(avg(audit)::numeric, 4), round(avg(plain)::numeric, 4), round(avg(truth)::numeric, 4)});
is((ask_all('count(*)'))[0], $projects, 'so many projects');

# 95 % of 200 are 190, with a standard deviation of 3
my ($covered, $plain) = ask_all(q{count(*) FILTER (WHERE truth BETWEEN audit_low AND audit_high), count(*) FILTER (WHERE truth BETWEEN plain_low AND plain_high)});
cmp_ok($covered, '>=', 0.9 * $projects, 'the interval of the audit covers the true accuracy');
cmp_ok($plain, '<', 0.5 * $projects, 'that of the cross-validation does not');

# unbiased: the mean over the projects has a standard error of 0.006
my ($bias, $plain_bias, $calibration) = ask_all(q{avg(audit - truth), avg(plain - truth), avg(audit_overconfidence - overconfidence)});
cmp_ok(abs($bias), '<', 0.02, 'on average the audit is right');
cmp_ok($plain_bias, '<', -0.05, 'and the cross-validation far too low, as what is asked is hard');
cmp_ok(abs($calibration), '<', 0.02, 'so is what the audit says of the calibration');
note "covered: $covered, by the cross-validation $plain; bias: $bias, $plain_bias; of the calibration $calibration";

# an audit is a tenth of the questions, and what was labelled for other reasons counts, too
my ($least, $most) = ask_all('min(audited), max(audited)');
cmp_ok($least, '>=', 12, 'a tenth of 120 labels are the audit');
cmp_ok($most, '<', 40, 'and not many more');
done_testing();
