BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(2,'least');
INSERT INTO "studies" VALUES(3,'most');
INSERT INTO "studies" VALUES(4,'eurusd_mlp');
INSERT INTO "studies" VALUES(5,'ended');
INSERT INTO "studies" VALUES(6,'constrained_some');
INSERT INTO "studies" VALUES(7,'constrained_all');
INSERT INTO "studies" VALUES(8,'several');
INSERT INTO "studies" VALUES(9,'unfinished');
INSERT INTO "studies" VALUES(10,'empty');
INSERT INTO "studies" VALUES(11,'ties');
INSERT INTO "studies" VALUES(12,'../../etc/x');
INSERT INTO "studies" VALUES(13,'two
lines');
INSERT INTO "studies" VALUES(14,'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(2,'MINIMIZE',2,0);
INSERT INTO "study_directions" VALUES(3,'MAXIMIZE',3,0);
INSERT INTO "study_directions" VALUES(4,'MAXIMIZE',4,0);
INSERT INTO "study_directions" VALUES(5,'MAXIMIZE',5,0);
INSERT INTO "study_directions" VALUES(6,'MAXIMIZE',6,0);
INSERT INTO "study_directions" VALUES(7,'MAXIMIZE',7,0);
INSERT INTO "study_directions" VALUES(8,'MAXIMIZE',8,0);
INSERT INTO "study_directions" VALUES(9,'MINIMIZE',8,1);
INSERT INTO "study_directions" VALUES(10,'MINIMIZE',9,0);
INSERT INTO "study_directions" VALUES(11,'MINIMIZE',10,0);
INSERT INTO "study_directions" VALUES(12,'MAXIMIZE',11,0);
INSERT INTO "study_directions" VALUES(13,'MINIMIZE',12,0);
INSERT INTO "study_directions" VALUES(14,'MINIMIZE',13,0);
INSERT INTO "study_directions" VALUES(15,'MINIMIZE',14,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_system_attributes" VALUES(1,8,'study:metric_names','["f1", "latency"]');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,4,'model_type','"mlp"');
INSERT INTO "study_user_attributes" VALUES(2,4,'note','{"\u00e9": ["\n", null, 1.5]}');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,19,1,99.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,20,1,99.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,21,1,99.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,22,1,99.0,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(5,5,'x',6.44690639865801440322e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(6,6,'x',3.15012273605404735654e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(7,7,'x',5.64352956578168529766e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(8,8,'x',7.93410874365980456346e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(9,9,'x',4.3047485718207334493e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(10,10,'x',7.2623140619937720519e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(11,11,'x',5.3555416011399015197e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(12,12,'x',1.58167010490363968422e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(13,13,'x',1.0338977350390810006e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(14,14,'x',6.44705997586532686405e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(15,15,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(16,15,'layers',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(17,15,'depth',5.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(18,15,'rate',1.0,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(19,15,'width',48.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(20,16,'kind',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(21,16,'layers',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(22,16,'depth',39.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(23,16,'rate',0.75,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(24,16,'width',56.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(25,17,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(26,17,'layers',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(27,17,'depth',7.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(28,17,'rate',0.25,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(29,17,'width',24.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(30,18,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(31,18,'layers',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(32,18,'depth',9.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(33,18,'rate',0.75,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(34,18,'width',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(35,19,'x',7.17370965052465336952e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(36,20,'x',9.98439899029652244699e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(37,21,'x',6.54689620778166503356e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(38,22,'x',1.86122041973749929866e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(39,23,'x',7.72018209383014575308e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(40,24,'x',9.27107086147898384886e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(41,25,'x',9.40505540387771676869e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(42,26,'x',4.70341129068236218913e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(43,27,'x',6.26652448190169852892e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(44,28,'x',4.34008486246975300204e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(45,33,'x',7.71692536614607571543e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(46,38,'x',5.54173484134644622756e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(47,39,'x',1.33849524822720056249e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(48,40,'x',6.28150971369470068061e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(49,41,'x',1.37180148746169350282e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,23,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(2,23,'constraints','[1.0]');
INSERT INTO "trial_system_attributes" VALUES(3,24,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(4,24,'constraints','[0.0, -1.0]');
INSERT INTO "trial_system_attributes" VALUES(5,25,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(6,25,'constraints','[-2.0]');
INSERT INTO "trial_system_attributes" VALUES(7,26,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(8,26,'constraints','[0.5]');
INSERT INTO "trial_system_attributes" VALUES(9,27,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(10,27,'constraints','[1.0]');
INSERT INTO "trial_system_attributes" VALUES(11,28,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(12,28,'constraints','[1.0]');
INSERT INTO "trial_system_attributes" VALUES(13,35,'fixed_params','{"x": 0.5}');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,15,'seed','17');
INSERT INTO "trial_user_attributes" VALUES(2,15,'model_file','"runs/\u00e9/0.pth"');
INSERT INTO "trial_user_attributes" VALUES(3,16,'seed','17');
INSERT INTO "trial_user_attributes" VALUES(4,16,'model_file','"runs/\u00e9/1.pth"');
INSERT INTO "trial_user_attributes" VALUES(5,17,'seed','17');
INSERT INTO "trial_user_attributes" VALUES(6,17,'model_file','"runs/\u00e9/2.pth"');
INSERT INTO "trial_user_attributes" VALUES(7,18,'seed','17');
INSERT INTO "trial_user_attributes" VALUES(8,18,'model_file','"runs/\u00e9/3.pth"');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(5,5,0,NULL,'INF_POS');
INSERT INTO "trial_values" VALUES(6,6,0,2.0,'FINITE');
INSERT INTO "trial_values" VALUES(7,7,0,NULL,'INF_NEG');
INSERT INTO "trial_values" VALUES(8,8,0,5.0,'FINITE');
INSERT INTO "trial_values" VALUES(9,9,0,NULL,'INF_NEG');
INSERT INTO "trial_values" VALUES(10,10,0,NULL,'INF_POS');
INSERT INTO "trial_values" VALUES(11,11,0,2.0,'FINITE');
INSERT INTO "trial_values" VALUES(12,12,0,NULL,'INF_NEG');
INSERT INTO "trial_values" VALUES(13,13,0,5.0,'FINITE');
INSERT INTO "trial_values" VALUES(14,14,0,NULL,'INF_NEG');
INSERT INTO "trial_values" VALUES(15,15,0,0.5,'FINITE');
INSERT INTO "trial_values" VALUES(16,16,0,0.75,'FINITE');
INSERT INTO "trial_values" VALUES(17,17,0,0.75,'FINITE');
INSERT INTO "trial_values" VALUES(18,18,0,0.25,'FINITE');
INSERT INTO "trial_values" VALUES(19,19,0,99.0,'FINITE');
INSERT INTO "trial_values" VALUES(20,22,0,1.0,'FINITE');
INSERT INTO "trial_values" VALUES(21,23,0,9.0,'FINITE');
INSERT INTO "trial_values" VALUES(22,24,0,4.0,'FINITE');
INSERT INTO "trial_values" VALUES(23,25,0,4.0,'FINITE');
INSERT INTO "trial_values" VALUES(24,26,0,8.0,'FINITE');
INSERT INTO "trial_values" VALUES(25,27,0,9.0,'FINITE');
INSERT INTO "trial_values" VALUES(26,28,0,4.0,'FINITE');
INSERT INTO "trial_values" VALUES(27,29,0,1.0,'FINITE');
INSERT INTO "trial_values" VALUES(28,29,1,5.0,'FINITE');
INSERT INTO "trial_values" VALUES(29,30,0,3.0,'FINITE');
INSERT INTO "trial_values" VALUES(30,30,1,9.0,'FINITE');
INSERT INTO "trial_values" VALUES(31,31,0,3.0,'FINITE');
INSERT INTO "trial_values" VALUES(32,31,1,NULL,'INF_POS');
INSERT INTO "trial_values" VALUES(33,32,0,2.0,'FINITE');
INSERT INTO "trial_values" VALUES(34,32,1,4.0,'FINITE');
INSERT INTO "trial_values" VALUES(35,33,0,2.0,'FINITE');
INSERT INTO "trial_values" VALUES(36,36,0,1.5,'FINITE');
INSERT INTO "trial_values" VALUES(37,38,0,1.0,'FINITE');
INSERT INTO "trial_values" VALUES(38,39,0,3.0,'FINITE');
INSERT INTO "trial_values" VALUES(39,40,0,3.0,'FINITE');
INSERT INTO "trial_values" VALUES(40,41,0,2.0,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(5,0,2,'COMPLETE','2026-11-22 03:19:45.677593','2026-11-22 03:19:45.729723');
INSERT INTO "trials" VALUES(6,1,2,'COMPLETE','2026-11-22 03:19:45.749515','2026-11-22 03:19:45.789224');
INSERT INTO "trials" VALUES(7,2,2,'COMPLETE','2026-11-22 03:19:45.820640','2026-11-22 03:19:45.866322');
INSERT INTO "trials" VALUES(8,3,2,'COMPLETE','2026-11-22 03:19:45.881361','2026-11-22 03:19:45.916513');
INSERT INTO "trials" VALUES(9,4,2,'COMPLETE','2026-11-22 03:19:45.932469','2026-11-22 03:19:45.965529');
INSERT INTO "trials" VALUES(10,0,3,'COMPLETE','2026-11-22 03:19:45.988908','2026-11-22 03:19:46.049257');
INSERT INTO "trials" VALUES(11,1,3,'COMPLETE','2026-11-22 03:19:46.069050','2026-11-22 03:19:46.137496');
INSERT INTO "trials" VALUES(12,2,3,'COMPLETE','2026-11-22 03:19:46.196432','2026-11-22 03:19:46.265966');
INSERT INTO "trials" VALUES(13,3,3,'COMPLETE','2026-11-22 03:19:46.304208','2026-11-22 03:19:46.377044');
INSERT INTO "trials" VALUES(14,4,3,'COMPLETE','2026-11-22 03:19:46.428867','2026-11-22 03:19:46.506091');
INSERT INTO "trials" VALUES(15,0,4,'COMPLETE','2026-11-22 03:19:46.521193','2026-11-22 03:19:46.661962');
INSERT INTO "trials" VALUES(16,1,4,'COMPLETE','2026-11-22 03:19:46.697514','2026-11-22 03:19:46.796121');
INSERT INTO "trials" VALUES(17,2,4,'COMPLETE','2026-11-22 03:19:46.828720','2026-11-22 03:19:46.932353');
INSERT INTO "trials" VALUES(18,3,4,'COMPLETE','2026-11-22 03:19:46.968499','2026-11-22 03:19:47.066727');
INSERT INTO "trials" VALUES(19,0,5,'PRUNED','2026-11-22 03:19:47.117702','2026-11-22 03:19:47.180914');
INSERT INTO "trials" VALUES(20,1,5,'FAIL','2026-11-22 03:19:47.204430','2026-11-22 03:19:47.245589');
INSERT INTO "trials" VALUES(21,2,5,'FAIL','2026-11-22 03:19:47.277195','2026-11-22 03:19:47.335902');
INSERT INTO "trials" VALUES(22,3,5,'COMPLETE','2026-11-22 03:19:47.368281','2026-11-22 03:19:47.452094');
INSERT INTO "trials" VALUES(23,0,6,'COMPLETE','2026-11-22 03:19:47.501142','2026-11-22 03:19:47.572337');
INSERT INTO "trials" VALUES(24,1,6,'COMPLETE','2026-11-22 03:19:47.599736','2026-11-22 03:19:47.638406');
INSERT INTO "trials" VALUES(25,2,6,'COMPLETE','2026-11-22 03:19:47.648931','2026-11-22 03:19:47.742672');
INSERT INTO "trials" VALUES(26,3,6,'COMPLETE','2026-11-22 03:19:47.784153','2026-11-22 03:19:47.837625');
INSERT INTO "trials" VALUES(27,0,7,'COMPLETE','2026-11-22 03:19:47.876952','2026-11-22 03:19:47.951035');
INSERT INTO "trials" VALUES(28,1,7,'COMPLETE','2026-11-22 03:19:48.007230','2026-11-22 03:19:48.091673');
INSERT INTO "trials" VALUES(29,0,8,'COMPLETE','2026-11-22 03:19:48.125330','2026-11-22 03:19:48.160767');
INSERT INTO "trials" VALUES(30,1,8,'COMPLETE','2026-11-22 03:19:48.196463','2026-11-22 03:19:48.231902');
INSERT INTO "trials" VALUES(31,2,8,'COMPLETE','2026-11-22 03:19:48.251015','2026-11-22 03:19:48.275672');
INSERT INTO "trials" VALUES(32,3,8,'COMPLETE','2026-11-22 03:19:48.296904','2026-11-22 03:19:48.342657');
INSERT INTO "trials" VALUES(33,0,9,'COMPLETE','2026-11-22 03:19:48.387243','2026-11-22 03:19:48.428670');
INSERT INTO "trials" VALUES(34,1,9,'RUNNING','2026-11-22 03:19:48.441618',NULL);
INSERT INTO "trials" VALUES(35,2,9,'WAITING',NULL,NULL);
INSERT INTO "trials" VALUES(36,3,9,'COMPLETE','2026-11-22 03:19:48.473599','2026-11-22 03:19:48.473599');
INSERT INTO "trials" VALUES(37,4,9,'FAIL','2026-11-22 03:19:48.485126','2026-11-22 03:19:48.485126');
INSERT INTO "trials" VALUES(38,0,11,'COMPLETE','2026-11-22 03:19:48.568142','2026-11-22 03:19:48.620911');
INSERT INTO "trials" VALUES(39,1,11,'COMPLETE','2026-11-22 03:19:48.675999','2026-11-22 03:19:48.732664');
INSERT INTO "trials" VALUES(40,2,11,'COMPLETE','2026-11-22 03:19:48.768881','2026-11-22 03:19:48.840287');
INSERT INTO "trials" VALUES(41,3,11,'COMPLETE','2026-11-22 03:19:48.873037','2026-11-22 03:19:48.940791');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'3.6.1');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
