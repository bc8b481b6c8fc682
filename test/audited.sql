-- Does the interval of the audit cover the accuracy on rows never seen?  Projects
-- simulated for the test and the bench.

-- Three classes in four dimensions.  Most rows are plain; the others are somewhere
-- on the way to another class, and it shows less and less what they are.
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
END $$;
