-- Does the model know what it has never been taught?  Some classes are hidden, and
-- the epistemic uncertainty shall tell their rows from the others.  For the test
-- and the bench, which fill the table example.

-- Each row's text is in the split 'train' or 'test'.
CREATE TABLE example (id text, split text, text text, label text);

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
-- hidden classes; the rows to be told apart are the test rows.  `input` is the
-- column of the table that is learned from.
CREATE FUNCTION unseen(draw int, hidden int, labels int, pool boolean, input text DEFAULT 'text',
	OUT epistemic float8, OUT total float8, OUT confidence float8) LANGUAGE plpgsql AS $$
DECLARE
	hide text[] := ARRAY(SELECT e.label FROM example e GROUP BY 1 ORDER BY md5(draw || e.label) LIMIT hidden);
BEGIN
	DROP TABLE IF EXISTS shown;
	EXECUTE format('CREATE TABLE shown AS SELECT row_number() OVER (ORDER BY e.id)::int AS id, e.%I AS input, e.label
		FROM example e WHERE split = ''train'' AND ($1 OR e.label <> ALL ($2))', input) USING pool, hide;
	ALTER TABLE shown ADD PRIMARY KEY (id);
	ANALYZE shown;
	PERFORM hl_create_project('unseen', 'shown', 'input', options => jsonb_build_object('random_seed', draw));
	-- whatever the input is, the same rows
	PERFORM hl_label_many('unseen', array_agg(id::text), array_agg(s.label))
	FROM (SELECT r.id, r.label, row_number() OVER (PARTITION BY r.label ORDER BY md5(draw || r.text)) AS number
		FROM (SELECT row_number() OVER (ORDER BY e.id) AS id, e.text, e.label FROM example e
			WHERE split = 'train' AND (pool OR e.label <> ALL (hide))) r
		WHERE r.label <> ALL (hide)) s
	WHERE number <= labels;
	PERFORM hl_train('unseen');
	EXECUTE format('SELECT auroc(array_agg(u.epistemic), array_agg(e.label = ANY ($1))),
			auroc(array_agg(u.total), array_agg(e.label = ANY ($1))),
			auroc(array_agg(1 - p.confidence), array_agg(e.label = ANY ($1)))
		FROM example e, hl_uncertainty(''unseen'', e.%1$I) u, hl_predict(''unseen'', e.%1$I) p
		WHERE split = ''test''', input) INTO epistemic, total, confidence USING hide;
	PERFORM hl_drop_project('unseen');
END $$;
