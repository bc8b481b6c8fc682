-- Are the rows that arrive unlike those that the model was made for?
SET client_min_messages = warning;
SET extra_float_digits = 0;
-- Three topics around corners of a cube, a fourth that is nowhere yet: noise by the number, always the same.
CREATE FUNCTION noise(i int, salt int) RETURNS real IMMUTABLE RETURN hashint4extended(i, salt)::numeric / 2 ^ 64;
CREATE FUNCTION spot(i int, topic int) RETURNS real[] IMMUTABLE RETURN ARRAY[noise(i, 1) + (topic = 0)::int, noise(i, 2) + (topic = 1)::int, noise(i, 3) + (topic = 2)::int, noise(i, 4) + 1.5 * (topic = 3)::int];
CREATE TABLE place (id int PRIMARY KEY, spot real[]);
CREATE FUNCTION arrive(first int, last int, fresh boolean DEFAULT false) RETURNS void LANGUAGE sql AS
	$$INSERT INTO place SELECT i, spot(i, CASE WHEN fresh AND i % 3 = 0 THEN 3 ELSE abs(hashint4(i)) % 3 END) FROM generate_series(first, last) i$$;
SELECT arrive(1, 1000);
SELECT project FROM hl_create_project('places', 'place', 'spot');
SELECT error_of($$SELECT hl_drift('places')$$);
SELECT error_of($$SELECT hl_drift('nowhere')$$);
SELECT error_of($$SELECT hl_drift(NULL)$$);
SELECT hl_label_many('places', array_agg(id::text ORDER BY id), array_agg('topic ' || abs(hashint4(id)) % 3 ORDER BY id)) FROM place WHERE id <= 45;
SELECT hl_label_many('places', array_agg(id::text ORDER BY id), array_agg('topic ' || abs(hashint4(id)) % 3 ORDER BY id)) FROM place WHERE id BETWEEN 46 AND 90;
SELECT model FROM hl_train('places');

-- Nothing has arrived.
CREATE VIEW drift AS SELECT measure, class, round(recent::numeric, 3) AS recent, round(reference::numeric, 3) AS reference,
	low <= difference AND difference <= high AS inside, p_value <= alarm_below AS small, n, alarm, alarmed_at IS NOT NULL AS alarmed, model FROM hl_drift('places');
SELECT * FROM drift;
-- Nothing is said before 125 have arrived; an unchanged row has not arrived, a changed one has.
SELECT arrive(1001, 1100);
SELECT hl_refresh('places');
SELECT measure, recent, small, n, alarm FROM drift;
UPDATE place SET spot = spot(id + 100000, abs(hashint4(id)) % 3) WHERE id BETWEEN 901 AND 940;
SELECT hl_refresh('places');
SELECT measure, small, n, alarm, model FROM drift;
-- More of the same.
SELECT arrive(1101, 1220);
SELECT hl_refresh('places');
SELECT measure, small, n, alarm, model FROM drift;
-- A third of another topic: each row counts once, in whatever portions they come, and whether it is still there.
SELECT arrive(1221, 1300, true);
SELECT hl_refresh('places');
SELECT measure, n, alarm FROM drift;
DELETE FROM place WHERE id BETWEEN 1221 AND 1300;
SELECT arrive(1301, 1460, true);
SELECT hl_refresh('places');
SELECT measure, small, n, alarm, alarmed FROM drift;
SELECT hl_refresh('places');
SELECT measure, p_value < 1e-4 AS tiny, round(alarm_below::numeric, 6) AS alarm_below FROM hl_drift('places') WHERE measure = 'features';
-- An alarm stays until there is another model, also where rows are as before again.
SELECT arrive(1461, 1710);
SELECT hl_refresh('places');
SELECT measure, small, n, alarm FROM drift;
-- With the option off nothing is shown; on again, it goes on.
SELECT hl_set_option('places', 'drift', 'false');
SELECT measure, n, alarm, alarmed FROM drift;
SELECT arrive(1711, 1720);
SELECT hl_refresh('places');
SELECT hl_set_option('places', 'drift', 'true');
SELECT measure, n, alarm, alarmed FROM drift;
-- The class is called what it is called now.
SELECT class IS NOT NULL AS named FROM hl_drift('places') WHERE measure = 'classes';
UPDATE hl_drift_finding SET class = 1 WHERE measure = 'classes';
SELECT class FROM hl_drift('places') WHERE measure = 'classes';
SELECT hl_rename_class('places', 'topic 1', 'one') > 0 AS renamed;
SELECT class FROM hl_drift('places') WHERE measure = 'classes';

-- A new model begins anew; so does whoever meets what is damaged.
SELECT model FROM hl_train('places');
SELECT measure, n, alarm, model FROM drift;
SELECT arrive(1731, 1740);
SELECT hl_refresh('places');
SELECT measure, n, alarm, model FROM drift;
UPDATE hl_drift_state SET reference = '\x00';
SELECT measure, n FROM drift;
SELECT arrive(1721, 1725);
SELECT hl_refresh('places');
SELECT measure, n FROM drift;

-- Of what was asked by lot, late answers with early ones: late ones are wrong here.
UPDATE hl_model_label SET audited = array_fill(true, ARRAY[90]), predicted = (SELECT array_agg(CASE WHEN i::int > 45 THEN (l + 1) % 3 ELSE l END ORDER BY o)
	FROM unnest(items, labels) WITH ORDINALITY u(i, l, o)) WHERE model = 2;
SELECT measure, recent, reference, round(low::numeric, 2) AS low, round(high::numeric, 2) AS high, p_value < 1e-20 AS small, n, alarm FROM hl_drift('places') WHERE measure = 'accuracy';
DELETE FROM hl_drift_state;
SELECT arrive(1726, 1726);
SELECT hl_refresh('places');
SELECT measure, n, alarm, alarmed FROM drift WHERE measure = 'accuracy';

-- Nobody watches where nobody wants to; the option is checked like any other.
SELECT error_of($$SELECT hl_create_project('unwatched', 'place', 'spot', options => '{"drift": 1}')$$);
SELECT project FROM hl_create_project('unwatched', 'place', 'spot', options => '{"drift": false}');
SELECT hl_label_many('unwatched', array_agg(id::text), array_agg('topic ' || id % 2)) FROM place WHERE id <= 30;
SELECT model FROM hl_train('unwatched');
SELECT arrive(1727, 1730);
SELECT hl_refresh('unwatched');
SELECT measure, n, alarm FROM hl_drift('unwatched');
SELECT count(*) FROM hl_drift_state;

-- Nothing is left behind.
SELECT hl_drop_project('places'), hl_drop_project('unwatched');
SELECT count(*) FROM hl_drift_state;
SELECT count(*) FROM hl_drift_finding;
DROP VIEW drift;
DROP TABLE place;
DROP FUNCTION arrive(int, int, boolean), spot(int, int), noise(int, int);
