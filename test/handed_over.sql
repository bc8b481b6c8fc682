-- A simulated project that promises an error rate: five classes of points that
-- overlap, 460 labels as the queue asks for them, half of them by lot; then fresh points
-- of the same kind, and how many of the answers without a person are wrong.
CREATE TABLE promised (seed int, revised boolean, target float8, audited int, threshold float8, share float8, automated int, wrong int);
CREATE TABLE spot (id int PRIMARY KEY, v real[], truth text);
CREATE TABLE fresh (v real[], truth text);
CREATE FUNCTION normal() RETURNS float8 LANGUAGE sql VOLATILE AS $$ SELECT sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) $$;
CREATE FUNCTION point(k int) RETURNS real[] LANGUAGE sql VOLATILE AS $$ SELECT array_agg(((d % 5 = k)::int + 0.55 * normal())::real) FROM generate_series(0, 9) d WHERE k >= 0 $$;
CREATE FUNCTION answer(n int) RETURNS int LANGUAGE sql AS $$
	SELECT hl_label_many('spots', array_agg(q.item), array_agg(s.truth)) FROM (SELECT * FROM hl_queue ORDER BY rank LIMIT n) q JOIN spot s ON s.id = q.item::int $$;

-- In one transaction, so that the worker sees the second model first.
CREATE FUNCTION begin_project(seed int, target float8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM setseed(seed / 10000.0);
	TRUNCATE spot;
	INSERT INTO spot SELECT i, point(i % 5), 'c' || i % 5 FROM generate_series(1, 1500) i;
	TRUNCATE fresh;
	INSERT INTO fresh SELECT point(i % 5), 'c' || i % 5 FROM generate_series(1, 2000) i;
	PERFORM hl_create_project('spots', 'spot', 'v', options => jsonb_build_object('audit', 0.5, 'queue_size', 2000, 'seed_batch', 60,
		'target_error', target, 'random_seed', seed, 'train_growth', 100, 'train_quiet', 86400));
	PERFORM answer(60), hl_train('spots');
	PERFORM answer(400), hl_train('spots');
END $$;

CREATE FUNCTION measure(seed int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO promised SELECT seed, v.revision > 0, h.target_error, h.audited, h.threshold, f.automated::float8 / 2000, f.automated, f.wrong
	FROM hl_handover('spots') h, hl_projects v, (SELECT count(*) FILTER (WHERE decision = 'auto') AS automated, count(*) FILTER (WHERE decision = 'auto' AND label <> truth) AS wrong
		FROM fresh, hl_predict('spots', fresh.v)) f WHERE v.project = 'spots' $$;

CREATE PROCEDURE wait_for_revision() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 1000 LOOP
		EXIT WHEN (SELECT revision FROM hl_serving) > 0;
		COMMIT;
		PERFORM pg_sleep(0.05);
	END LOOP;
END $$;
