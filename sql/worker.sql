-- What SQL says of versions and of the worker: errors and privileges.  The
-- worker itself is off in this database; test/t tests it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS humanloop;
SHOW humanloop.enabled;
CREATE ROLE regress_hl_w_owner;
CREATE ROLE regress_hl_w_predictor;
CREATE ROLE regress_hl_w_nobody;
CREATE TABLE worker_ticket (id int PRIMARY KEY, body text);
INSERT INTO worker_ticket SELECT i, (ARRAY['send back the shoes ', 'where is my parcel ', 'charged twice for '])[1 + i % 3] || i FROM generate_series(1, 60) i;
ALTER TABLE worker_ticket OWNER TO regress_hl_w_owner;
GRANT CREATE, USAGE ON SCHEMA public TO regress_hl_w_owner;
SET ROLE regress_hl_w_owner;
SELECT project FROM hl_create_project('worker', 'worker_ticket', 'body');
SELECT hl_grant('worker', 'regress_hl_w_predictor', 'predict');
SELECT hl_label_many('worker', array_agg(id::text), array_agg((ARRAY['returns', 'delivery', 'billing'])[1 + id % 3])) FROM worker_ticket WHERE id <= 30;

-- no model yet
SELECT count(*) FROM hl_models('worker');
SELECT count(*) FROM hl_runs WHERE project = 'worker';
SELECT hl_deploy('worker', 1);

-- two versions
SELECT model, deployed FROM hl_train('worker');
SELECT hl_label('worker', 31, 'delivery') > 0 AS labelled;
SELECT model, deployed FROM hl_train('worker');
SELECT model, serving, deployed, stored, encoder, classes, labels, accuracy BETWEEN accuracy_low AND accuracy_high AS accuracy,
	log_loss > 0 AS log_loss, calibration_error >= 0 AS calibration_error, prior_precision > 0 AS prior_precision, trained_by, reason
FROM hl_models('worker');
SELECT hl_deploy('worker', 1);
SELECT model, serving FROM hl_models('worker');
SELECT model FROM hl_predict('worker', 'where is my parcel');
SELECT hl_deploy('worker', 2);

-- errors
SELECT hl_deploy('worker', 3);
SELECT hl_deploy('worker', NULL);
SELECT hl_deploy(NULL, 1);
SELECT hl_deploy('nothing', 1);
SELECT * FROM hl_models('nothing');
SELECT * FROM hl_models(NULL);
SELECT hl_pause('nothing');
SELECT hl_pause(NULL);
SELECT hl_resume('');
BEGIN READ ONLY;
SELECT hl_pause('worker');
ROLLBACK;
BEGIN READ ONLY;
SELECT hl_deploy('worker', 1);
ROLLBACK;

-- pause and resume, twice each
SELECT hl_pause('worker');
SELECT hl_pause('worker');
SELECT project, state, next_try FROM hl_projects WHERE project = 'worker';
SELECT label IS NOT NULL AS answers FROM hl_predict('worker', 'where is my parcel');
SELECT hl_resume('worker');
SELECT hl_resume('worker');
SELECT project, state, last_error, next_try FROM hl_projects WHERE project = 'worker';

-- whoever may predict sees versions, but changes nothing
SET ROLE regress_hl_w_predictor;
SELECT model, serving FROM hl_models('worker');
SELECT count(*) FROM hl_runs WHERE project = 'worker';
SELECT hl_deploy('worker', 1);
SELECT hl_pause('worker');
SELECT hl_resume('worker');
SET humanloop.enabled = on;
SET humanloop.worker_idle_timeout = 1;

-- who may nothing sees nothing
SET ROLE regress_hl_w_nobody;
SELECT model FROM hl_models('worker');
SELECT count(*) FROM hl_runs WHERE project = 'worker';
SELECT hl_deploy('worker', 1);
SELECT hl_pause('worker');
SELECT * FROM hl_change;
SELECT * FROM hl_run;
SELECT * FROM hl_work;
RESET ROLE;

SELECT hl_drop_project('worker');
SELECT count(*) AS left_behind FROM (SELECT project_id FROM hl_model UNION ALL SELECT project_id FROM hl_model_part UNION ALL SELECT project_id FROM hl_model_label
	UNION ALL SELECT project_id FROM hl_revision UNION ALL SELECT project_id FROM hl_deployment UNION ALL SELECT project_id FROM hl_serving) x
WHERE project_id NOT IN (SELECT id FROM hl_project);
DROP TABLE worker_ticket;
REVOKE ALL ON SCHEMA public FROM regress_hl_w_owner;
DROP ROLE regress_hl_w_owner, regress_hl_w_predictor, regress_hl_w_nobody;
