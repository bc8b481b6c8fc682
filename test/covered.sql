-- Are sets of labels right as often as they say?  For the test and the bench, which
-- fill the table example.

-- Each row's text is in the split 'train' or 'test'.
CREATE TABLE example (id text, split text, text text, label text);
CREATE TABLE covered (pooled boolean, draw int, labels int, coverage float8, covered float8, size float8, estimate text);

-- One draw: a model learns `most` training rows, and the sets of all test rows are
-- counted.  pooled: what is a training row is drawn anew, as many test rows as there are.
CREATE FUNCTION cover(draw int, most int, pooled boolean DEFAULT false) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	stated float8;
BEGIN
	DROP TABLE IF EXISTS shown, hidden;
	CREATE TABLE hidden AS
		SELECT row_number() OVER (ORDER BY md5(draw || e.id))::int AS place, e.text AS input, e.label AS truth, e.test FROM (
			SELECT e.*, CASE WHEN pooled THEN row_number() OVER (ORDER BY md5('pool' || draw || id)) <= count(*) FILTER (WHERE split = 'test') OVER () ELSE split = 'test' END AS test
			FROM example e) e;
	CREATE TABLE shown AS SELECT h.place AS id, h.input, h.truth AS label FROM hidden h WHERE NOT h.test ORDER BY h.place LIMIT most;
	ALTER TABLE shown ADD PRIMARY KEY (id);
	ANALYZE shown;
	PERFORM hl_create_project('sets', 'shown', 'input', label => 'label', options => jsonb_build_object('random_seed', draw));
	PERFORM hl_train('sets');
	FOREACH stated IN ARRAY '{0.8,0.9,0.95}'::float8[] LOOP
		INSERT INTO covered SELECT pooled, draw, (SELECT count(*) FROM shown), stated, avg(s.covered), avg(s.size), max(s.estimate)
		FROM hidden h, LATERAL (SELECT coalesce(bool_or(p.label = h.truth), false)::int AS covered, count(*) AS size, max(p.estimate) AS estimate FROM hl_prediction_set('sets', h.input, stated) p) s
		WHERE h.test;
	END LOOP;
	PERFORM hl_drop_project('sets');
END $$;
