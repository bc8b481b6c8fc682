-- Does the model know what it has never been taught?  Some classes are hidden, and
-- the epistemic uncertainty shall tell their rows from the others.  For the test
-- and the bench, which fill the table example.

-- Each row's text is in the split 'train' or 'test'.
CREATE TABLE example (id text, split text, text text, label text);
CREATE TABLE shown (id int PRIMARY KEY, body text, label text);

-- The share of pairs of a row with `is` and one without in which the former has
-- the greater score (the area under the ROC curve); ties count half.
CREATE FUNCTION auroc(score float8[], "is" boolean[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT (sum(place) FILTER (WHERE i) - hits * (hits + 1) / 2) / (hits * (n - hits))
	FROM (SELECT i, rank() OVER (ORDER BY s) + (count(*) OVER (PARTITION BY s) - 1) / 2.0 AS place,
			count(*) FILTER (WHERE i) OVER () AS hits, count(*) OVER () AS n
		FROM unnest(score, "is") u(s, i)) r
	GROUP BY hits, n $$;

-- One draw: `hidden` of the classes are hidden, `labels` rows of each other class
-- labelled.  The source is the training rows, with or without (pool) those of the
-- hidden classes; the rows to be told apart are the test rows.
CREATE FUNCTION unseen(draw int, hidden int, labels int, pool boolean,
	OUT epistemic float8, OUT total float8, OUT confidence float8) LANGUAGE plpgsql AS $$
DECLARE
	hide text[] := ARRAY(SELECT e.label FROM example e GROUP BY 1 ORDER BY md5(draw || e.label) LIMIT hidden);
BEGIN
	TRUNCATE shown;
	INSERT INTO shown SELECT row_number() OVER (ORDER BY e.id), e.text, e.label FROM example e
	WHERE split = 'train' AND (pool OR e.label <> ALL (hide));
	ANALYZE shown;
	PERFORM hl_create_project('unseen', 'shown', 'body', options => jsonb_build_object('random_seed', draw));
	PERFORM hl_label_many('unseen', array_agg(id::text), array_agg(s.label))
	FROM (SELECT id, shown.label, row_number() OVER (PARTITION BY shown.label ORDER BY md5(draw || body)) AS number
		FROM shown WHERE shown.label <> ALL (hide)) s
	WHERE number <= labels;
	PERFORM hl_train('unseen');
	SELECT auroc(array_agg(u.epistemic), array_agg(e.label = ANY (hide))),
		auroc(array_agg(u.total), array_agg(e.label = ANY (hide))),
		auroc(array_agg(1 - p.confidence), array_agg(e.label = ANY (hide)))
	INTO epistemic, total, confidence
	FROM example e, hl_uncertainty('unseen', e.text) u, hl_predict('unseen', e.text) p
	WHERE split = 'test';
	PERFORM hl_drop_project('unseen');
END $$;
