-- Pictures.
SET client_min_messages = warning;
SET extra_float_digits = 0;
CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
INSERT INTO ticket SELECT id, body, topic FROM tickets(420);
SELECT project FROM hl_create_project('tickets', 'ticket', 'body');
CREATE VIEW kinds AS SELECT kind FROM unnest('{learning_curve,calibration,confusion,uncertainty}'::text[]) kind;

-- XML by the server's own reader, where it has one; one root, nothing that runs
-- or is fetched, all that is open closed.
CREATE FUNCTION is_svg(plot text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		PERFORM xmlparse(document plot);
	EXCEPTION WHEN feature_not_supported THEN
		NULL;
	END;
	RETURN plot LIKE '<svg xmlns="http://www.w3.org/2000/svg" %</svg>' || chr(10)
		AND plot !~* '<(script|style|image|foreignobject|use|a|set|animate)[ >/]' AND plot !~* '<[^>]*(href|src|on[a-z]+|style)=' AND (SELECT count(*) FROM regexp_matches(plot, 'https?:', 'g')) = 1
		AND plot !~ '[0-9.]e[-+][0-9]|nan|inf' AND (SELECT count(*) FROM regexp_matches(plot, '<text', 'g')) = (SELECT count(*) FROM regexp_matches(plot, '</text>', 'g'));
END
$$;
-- Nothing is there yet.
SELECT kind, is_svg(hl_plot('tickets', kind)) FROM kinds;
SELECT hl_plot('tickets', kind, 'text') FROM kinds;

SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 30;
SELECT model FROM hl_train('tickets');
SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 210;
SELECT model FROM hl_train('tickets');
SELECT kind, is_svg(hl_plot('tickets', kind)) AND hl_plot('tickets', kind) = hl_plot('tickets', kind, 'svg') AS svg FROM kinds;
-- no line of a text is wider than 72 columns, or ends with blanks
SELECT kind, max(length(line)) <= 72 AS width, bool_or(line ~ ' $|[^ -~]') AS wrong, count(*) > 6 AS lines FROM kinds, regexp_split_to_table(hl_plot('tickets', kind, 'text'), E'\n') line GROUP BY kind ORDER BY kind;

-- By hand: what is stored, as it is drawn.
BEGIN;
UPDATE hl_model SET accuracy = 0.5 + 0.15 * model, accuracy_low = 0.4 + 0.15 * model, accuracy_high = 0.55 + 0.15 * model, audited = CASE model WHEN 2 THEN 20 ELSE 0 END, audit_accuracy = CASE model WHEN 2 THEN 0.9 END,
	audit_low = CASE model WHEN 2 THEN 0.7 END, audit_high = CASE model WHEN 2 THEN 0.98 END, confusion = '{60,5,0,3,70,0,0,2,70}', labels = 100 * model;
UPDATE hl_model_label SET items = '{a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t}', labels = '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', predicted = '{0,0,0,0,0,0,1,1,1,1,0,0,0,0,0,0,0,0,0,1}', losses = array_fill(0.5::real, ARRAY[20]),
	confidence = '{0.6,0.6,0.6,0.6,0.6,0.6,0.6,0.6,0.6,0.6,0.9,0.9,0.9,0.9,0.9,0.9,0.9,0.9,0.9,0.9}', audited = array_fill(false, ARRAY[20]);
UPDATE hl_ranking SET epistemic = '{0.05,0.05,0.05,0.15,0.15,0.35,NaN}', aleatoric = '{0.1,0.1,0.2,0.2,0.2,0.9,NaN}' WHERE part = 'rest';
SELECT hl_plot('tickets', kind, 'text') FROM kinds;
SELECT hl_plot('tickets', 'learning_curve');
-- what a class is called stays text
UPDATE hl_model SET classes = ARRAY['</text><script>alert(1)</script>', '"&'']]>', E'bell\x07 and \n \x1b[31m' || repeat('ü', 40)];
SELECT is_svg(hl_plot('tickets', 'confusion'));
SELECT line FROM regexp_split_to_table(hl_plot('tickets', 'confusion'), E'\n') line WHERE line LIKE '%of 73: %';
SELECT hl_plot('tickets', 'confusion', 'text');
UPDATE hl_model SET classes = ARRAY[U&'\FFFE\FFFF\009B', '', repeat('<', 100)];
SELECT is_svg(hl_plot('tickets', 'confusion')), length(hl_plot('tickets', 'confusion', 'text')) < 1000 AS short;
UPDATE hl_model SET classes = ARRAY[repeat('猫', 40), 'b', 'c'];
SELECT DISTINCT length(m[1]) AS shown FROM regexp_matches(hl_plot('tickets', 'confusion', 'text'), '猫+', 'g') m;
-- of 77 classes
UPDATE hl_model SET classes = (SELECT array_agg('class ' || i ORDER BY i) FROM generate_series(1, 77) i), confusion = (SELECT array_agg(CASE WHEN i = j THEN 20 WHEN (i * 7 + j * 3) % 31 = 0 THEN (i + j) % 9 ELSE 0 END ORDER BY i, j) FROM generate_series(1, 77) i, generate_series(1, 77) j);
SELECT is_svg(hl_plot('tickets', 'confusion')), length(hl_plot('tickets', 'confusion')) < 500000 AS size;
SELECT hl_plot('tickets', 'confusion', 'text');
UPDATE hl_model SET classes = (SELECT array_agg('class ' || i ORDER BY i) FROM generate_series(1, 20) i), confusion = (SELECT array_agg(CASE WHEN i = j THEN 20 WHEN (i * 7 + j * 3) % 31 = 0 THEN (i + j) % 9 ELSE 0 END ORDER BY i, j) FROM generate_series(1, 20) i, generate_series(1, 20) j);
SELECT is_svg(hl_plot('tickets', 'confusion'));
SELECT hl_plot('tickets', 'confusion', 'text');
-- one model, one value: an axis all the same
DELETE FROM hl_model WHERE model = 1;
UPDATE hl_model SET accuracy = 1, accuracy_low = 1, accuracy_high = 1, audited = NULL;
UPDATE hl_ranking SET epistemic = '{0}', aleatoric = '{0}' WHERE part = 'rest';
SELECT is_svg(hl_plot('tickets', kind)) FROM kinds;
SELECT hl_plot('tickets', 'learning_curve', 'text');
ROLLBACK;

-- Simulated curves.
CREATE TABLE simulation AS SELECT strategy, run, labels, CASE strategy WHEN 'epig' THEN 0.95 ELSE 0.9 END - 2.0 / sqrt(labels) + 0.02 * (run - 2) AS accuracy, 3 AS classes FROM unnest('{epig,random}'::text[]) strategy, generate_series(1, 3) run, generate_series(20, 100, 10) labels;
SELECT hl_plot(ARRAY(SELECT ROW(s.*)::hl_simulation FROM simulation s), 'text');
SELECT is_svg(hl_plot(ARRAY(SELECT ROW(s.*)::hl_simulation FROM simulation s)));
-- the order of the rows says nothing but which strategy is first
SELECT count(DISTINCT md5(hl_plot(s))) AS pictures FROM (SELECT array_agg(ROW(s.*)::hl_simulation ORDER BY strategy, run, labels) FROM simulation s UNION ALL SELECT array_agg(ROW(s.*)::hl_simulation ORDER BY strategy, labels DESC, run DESC) FROM simulation s) a(s);
-- means: of those labels only that all runs have
SELECT regexp_matches(hl_plot(ARRAY[ROW('a', 1, 10, 0.5, 3), ROW('a', 2, 10, 0.7, 3), ROW('a', 1, 20, 0.9, 3)]::hl_simulation[]), '<circle', 'g');
-- a single run has no interval
SELECT hl_plot(ARRAY[ROW('<b>&amp;', 1, 10, 0.5, 3), ROW('<b>&amp;', 1, 20, 0.9, 3)]::hl_simulation[], 'text');
SELECT is_svg(hl_plot(ARRAY[ROW('<b>&amp;', 1, 10, 0.5, 3), ROW('<b>&amp;', 1, 20, 0.9, 3)]::hl_simulation[]));
SELECT is_svg(hl_plot(ARRAY[ROW('a', 1, 10, 1e300, 3), ROW('a', 1, 2000000000, -1e300, 3)]::hl_simulation[])), length(hl_plot(ARRAY[ROW('a', 1, 10, 1e300, 3), ROW('a', 1, 2000000000, -1e300, 3)]::hl_simulation[], 'text')) < 5000 AS short;
SELECT hl_plot('{}'::hl_simulation[], 'text'), is_svg(hl_plot('{}'::hl_simulation[]));

-- What cannot be.
SELECT error_of($$SELECT hl_plot('tickets', 'pie')$$);
SELECT error_of($$SELECT hl_plot('tickets', 'confusion', 'png')$$);
SELECT error_of($$SELECT hl_plot('tickets', NULL)$$);
SELECT error_of($$SELECT hl_plot(NULL, 'confusion')$$);
SELECT error_of($$SELECT hl_plot('nothing', 'confusion')$$);
SELECT error_of($$SELECT hl_plot(NULL::hl_simulation[])$$);
SELECT error_of($$SELECT hl_plot(ARRAY[NULL]::hl_simulation[])$$);
SELECT error_of($$SELECT hl_plot(ARRAY(SELECT ROW('s' || i, 1, 10, 0.5, 3)::hl_simulation FROM generate_series(1, 9) i))$$);
SELECT hl_drop_project('tickets');
DROP TABLE ticket, simulation;
DROP VIEW kinds;
DROP FUNCTION is_svg;
