-- Labelling functions of a data set as rules, and what comes of them.  Wanted: the
-- table example (id, split, text, label) and votes (item, lf, vote); see
-- test/t/048_weak.pl and test/bench/rules.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS humanloop;
CREATE TABLE example (id text PRIMARY KEY, split text, text text, label text);
CREATE TABLE votes (item text, lf text, vote text, PRIMARY KEY (item, lf));

-- The majority of the rules on the test items: ties, and items of which none speaks, by
-- lot, so many classes there are.
CREATE FUNCTION majority_accuracy() RETURNS float8 LANGUAGE sql STABLE AS $$
	WITH n AS (SELECT item, vote, count(*) AS n FROM votes GROUP BY 1, 2),
	m AS (SELECT item, vote, n = max(n) OVER (PARTITION BY item) AS most FROM n),
	w AS (SELECT m.item, avg((m.vote = e.label)::int) AS share FROM m JOIN example e ON e.id = m.item WHERE m.most GROUP BY 1)
	SELECT avg(coalesce(w.share, 1.0 / (SELECT count(DISTINCT label) FROM example))) FROM example e LEFT JOIN w ON w.item = e.id WHERE e.split = 'test' $$;

-- A project over the training items with these rules, and the true labels of so many of
-- them, drawn by the seed; returns accuracy on the test items.
CREATE FUNCTION weak_accuracy(seed int, labels int, rules boolean DEFAULT true) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	accuracy float8;
BEGIN
	PERFORM hl_create_project('weak', 'shown', 'text', options => jsonb_build_object('random_seed', seed));
	IF rules THEN
		PERFORM hl_add_rule('weak', lf, format('(SELECT v.vote FROM public.votes v WHERE v.item = s.id AND v.lf = %L)', lf)) FROM (SELECT DISTINCT lf FROM votes) l;
	END IF;
	IF labels > 0 THEN
		PERFORM hl_label_many('weak', array_agg(id), array_agg(label)) FROM (SELECT id, label FROM example WHERE split = 'train' ORDER BY md5(seed || id) LIMIT labels) e;
	END IF;
	PERFORM hl_train('weak');
	SELECT avg((p.label = e.label)::int) INTO accuracy FROM example e CROSS JOIN LATERAL hl_predict('weak', e.text) p WHERE e.split = 'test';
	PERFORM hl_drop_project('weak');
	RETURN accuracy;
END $$;

-- After the rows are there.
CREATE FUNCTION prepare() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	CREATE TABLE shown AS SELECT id, text FROM example WHERE split = 'train';
	ALTER TABLE shown ADD PRIMARY KEY (id);
	ANALYZE votes;
END $$;
