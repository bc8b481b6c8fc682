-- Are wrong labels found?  Some labels are made wrong on purpose, and hl_suspects
-- shall name them.  For the test and the bench, which fill the table example.

-- Each row's text is in the split 'train' or 'test'.
CREATE TABLE example (id text, split text, text text, label text);

-- One draw: of `most` training rows (NULL: all) a share `rate` gets another label,
-- each other class with the same probability.  flipped: how many these are; found_first:
-- of as many of the first suspects how many are among them; right: of those the share
-- whose suggestion is the label that it had; expected: how many labels are wrong as
-- hl_suspects says; calibration: the expected calibration error of its probabilities,
-- over 15 bins with as many of all labels; probable, probable_wrong: suspects of 0.5 and
-- more, and the share of them that is wrong, and what their probabilities say of that;
-- agreeing: of the nearest neighbours the share whose label was not made wrong.
CREATE FUNCTION suspects(draw int, rate float8, most int DEFAULT NULL,
	OUT flipped int, OUT found_first float8, OUT right_suggestion float8, OUT expected float8, OUT calibration float8,
	OUT probable int, OUT probable_wrong float8, OUT probable_said float8, OUT agreeing float8) LANGUAGE plpgsql AS $$
BEGIN
	DROP TABLE IF EXISTS shown, found;
	CREATE TABLE shown AS
		SELECT row_number() OVER (ORDER BY r.id)::int AS id, r.text AS input, r.label AS truth, r.label AS label
		FROM (SELECT e.id, e.text, e.label FROM example e WHERE split = 'train' ORDER BY md5(draw || e.id) LIMIT most) r;
	ALTER TABLE shown ADD PRIMARY KEY (id);
	UPDATE shown s SET label = o.labels[1 + ('x' || substr(md5('to' || draw || s.id), 1, 7))::bit(28)::int % cardinality(o.labels)]
	FROM (SELECT f.id, ARRAY(SELECT DISTINCT e.label FROM shown e WHERE e.label <> f.label ORDER BY 1) AS labels
		FROM (SELECT i.id, i.label FROM shown i ORDER BY md5('flip' || draw || i.id) LIMIT (SELECT round(rate * count(*)) FROM shown)) f) o
	WHERE s.id = o.id;
	ANALYZE shown;
	PERFORM hl_create_project('suspects', 'shown', 'input', label => 'label', options => jsonb_build_object('random_seed', draw));
	PERFORM hl_train('suspects');
	CREATE TABLE found AS
		SELECT f.*, s.label <> s.truth AS flipped, f.suggested = s.truth AS suggests_truth
		FROM hl_suspects('suspects', 0, 1) WITH ORDINALITY f(item, label, suggested, probability, neighbours, similarity, place) JOIN shown s ON s.id = f.item::int;
	SELECT count(*) FILTER (WHERE s.label <> s.truth) INTO flipped FROM shown s;
	SELECT avg(f.flipped::int), avg(f.suggests_truth::int) FILTER (WHERE f.flipped) INTO found_first, right_suggestion
	FROM found f WHERE f.place <= suspects.flipped;
	SELECT sum(f.probability), avg((n.label = n.truth)::int) FILTER (WHERE f.place <= suspects.flipped) INTO expected, agreeing
	FROM found f LEFT JOIN shown n ON n.id = f.neighbours[1]::int;
	SELECT count(*), avg(f.flipped::int), avg(f.probability) INTO probable, probable_wrong, probable_said FROM found f WHERE f.probability >= 0.5;
	SELECT sum(abs(b.gap)) / (SELECT count(*) FROM found) INTO calibration
	FROM (SELECT sum(f.probability - f.flipped::int) AS gap FROM (SELECT *, ntile(15) OVER (ORDER BY o.probability, o.place) AS bin FROM found o) f GROUP BY f.bin) b;
	PERFORM hl_drop_project('suspects');
END $$;
