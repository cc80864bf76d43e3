BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v2.6.0.a');
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
	intermediate_value FLOAT NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,19,1,99.0);
INSERT INTO "trial_intermediate_values" VALUES(2,20,1,99.0);
INSERT INTO "trial_intermediate_values" VALUES(3,21,1,99.0);
INSERT INTO "trial_intermediate_values" VALUES(4,22,1,99.0);
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
INSERT INTO "trial_params" VALUES(5,5,'x',6.78357914478048940054e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(6,6,'x',5.47546144973969584057e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(7,7,'x',0.756662941698545,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(8,8,'x',4.17719495166588905554e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(9,9,'x',3.18776986543930496154e-02,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(10,10,'x',0.729460844221978,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(11,11,'x',8.17145426017057086021e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(12,12,'x',2.70987319991304764776e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(13,13,'x',2.49594465998101089354e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(14,14,'x',6.91347558390010163975e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(15,15,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(16,15,'layers',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(17,15,'c',8.04626240796830205503e-02,'{"name": "LogUniformDistribution", "attributes": {"low": 0.001, "high": 1000.0}}');
INSERT INTO "trial_params" VALUES(18,15,'rate',0.75,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(19,15,'width',40.0,'{"name": "IntUniformDistribution", "attributes": {"low": 8, "high": 64, "step": 8}}');
INSERT INTO "trial_params" VALUES(20,16,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(21,16,'layers',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(22,16,'depth',46.0,'{"name": "IntLogUniformDistribution", "attributes": {"low": 1, "high": 64, "step": 1}}');
INSERT INTO "trial_params" VALUES(23,16,'rate',0.75,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(24,16,'width',40.0,'{"name": "IntUniformDistribution", "attributes": {"low": 8, "high": 64, "step": 8}}');
INSERT INTO "trial_params" VALUES(25,17,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(26,17,'layers',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(27,17,'c',0.0761723175365144,'{"name": "LogUniformDistribution", "attributes": {"low": 0.001, "high": 1000.0}}');
INSERT INTO "trial_params" VALUES(28,17,'rate',0.0,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(29,17,'width',64.0,'{"name": "IntUniformDistribution", "attributes": {"low": 8, "high": 64, "step": 8}}');
INSERT INTO "trial_params" VALUES(30,18,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(31,18,'layers',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(32,18,'c',8.11868880723528263832e+02,'{"name": "LogUniformDistribution", "attributes": {"low": 0.001, "high": 1000.0}}');
INSERT INTO "trial_params" VALUES(33,18,'rate',0.5,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(34,18,'width',32.0,'{"name": "IntUniformDistribution", "attributes": {"low": 8, "high": 64, "step": 8}}');
INSERT INTO "trial_params" VALUES(35,19,'x',7.97612926154771861853e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(36,20,'x',2.1479782881067843725e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(37,21,'x',1.78135278561265764096e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(38,22,'x',5.15847623818660894201e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(39,23,'x',5.01884864512389339274e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(40,24,'x',6.19774383085476943122e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(41,25,'x',9.46843244716480181288e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(42,26,'x',3.12161012259734693685e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(43,27,'x',9.90427275210949198402e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(44,28,'x',3.19179802514291899306e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(45,33,'x',7.18742544712652531302e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(46,38,'x',5.0479443603237372784e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(47,39,'x',1.55262821445127152664e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(48,40,'x',3.54000647828375369918e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(49,41,'x',6.52196747507360119477e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
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
INSERT INTO "trial_system_attributes" VALUES(2,23,'nsga2:constraints','[1.0]');
INSERT INTO "trial_system_attributes" VALUES(3,24,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(4,24,'nsga2:constraints','[0.0, -1.0]');
INSERT INTO "trial_system_attributes" VALUES(5,25,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(6,25,'nsga2:constraints','[-2.0]');
INSERT INTO "trial_system_attributes" VALUES(7,26,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(8,26,'nsga2:constraints','[0.5]');
INSERT INTO "trial_system_attributes" VALUES(9,27,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(10,27,'nsga2:constraints','[1.0]');
INSERT INTO "trial_system_attributes" VALUES(11,28,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(12,28,'nsga2:constraints','[1.0]');
INSERT INTO "trial_system_attributes" VALUES(13,29,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(14,30,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(15,31,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(16,32,'nsga2:generation','0');
INSERT INTO "trial_system_attributes" VALUES(17,35,'fixed_params','{"x": 0.5}');
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
	value FLOAT NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(5,5,0,9e999);
INSERT INTO "trial_values" VALUES(6,6,0,2.0);
INSERT INTO "trial_values" VALUES(7,7,0,-9e999);
INSERT INTO "trial_values" VALUES(8,8,0,5.0);
INSERT INTO "trial_values" VALUES(9,9,0,-9e999);
INSERT INTO "trial_values" VALUES(10,10,0,9e999);
INSERT INTO "trial_values" VALUES(11,11,0,2.0);
INSERT INTO "trial_values" VALUES(12,12,0,-9e999);
INSERT INTO "trial_values" VALUES(13,13,0,5.0);
INSERT INTO "trial_values" VALUES(14,14,0,-9e999);
INSERT INTO "trial_values" VALUES(15,15,0,0.5);
INSERT INTO "trial_values" VALUES(16,16,0,0.75);
INSERT INTO "trial_values" VALUES(17,17,0,0.75);
INSERT INTO "trial_values" VALUES(18,18,0,0.25);
INSERT INTO "trial_values" VALUES(19,19,0,99.0);
INSERT INTO "trial_values" VALUES(20,22,0,1.0);
INSERT INTO "trial_values" VALUES(21,23,0,9.0);
INSERT INTO "trial_values" VALUES(22,24,0,4.0);
INSERT INTO "trial_values" VALUES(23,25,0,4.0);
INSERT INTO "trial_values" VALUES(24,26,0,8.0);
INSERT INTO "trial_values" VALUES(25,27,0,9.0);
INSERT INTO "trial_values" VALUES(26,28,0,4.0);
INSERT INTO "trial_values" VALUES(27,29,0,1.0);
INSERT INTO "trial_values" VALUES(28,29,1,5.0);
INSERT INTO "trial_values" VALUES(29,30,0,3.0);
INSERT INTO "trial_values" VALUES(30,30,1,9.0);
INSERT INTO "trial_values" VALUES(31,31,0,3.0);
INSERT INTO "trial_values" VALUES(32,31,1,9e999);
INSERT INTO "trial_values" VALUES(33,32,0,2.0);
INSERT INTO "trial_values" VALUES(34,32,1,4.0);
INSERT INTO "trial_values" VALUES(35,33,0,2.0);
INSERT INTO "trial_values" VALUES(36,36,0,1.5);
INSERT INTO "trial_values" VALUES(37,38,0,1.0);
INSERT INTO "trial_values" VALUES(38,39,0,3.0);
INSERT INTO "trial_values" VALUES(39,40,0,3.0);
INSERT INTO "trial_values" VALUES(40,41,0,2.0);
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
INSERT INTO "trials" VALUES(5,0,2,'COMPLETE','2026-11-22 03:23:14.083695','2026-11-22 03:23:14.091956');
INSERT INTO "trials" VALUES(6,1,2,'COMPLETE','2026-11-22 03:23:14.108519','2026-11-22 03:23:14.121589');
INSERT INTO "trials" VALUES(7,2,2,'COMPLETE','2026-11-22 03:23:14.149297','2026-11-22 03:23:14.156976');
INSERT INTO "trials" VALUES(8,3,2,'COMPLETE','2026-11-22 03:23:14.171651','2026-11-22 03:23:14.187904');
INSERT INTO "trials" VALUES(9,4,2,'COMPLETE','2026-11-22 03:23:14.209621','2026-11-22 03:23:14.237218');
INSERT INTO "trials" VALUES(10,0,3,'COMPLETE','2026-11-22 03:23:14.268805','2026-11-22 03:23:14.285652');
INSERT INTO "trials" VALUES(11,1,3,'COMPLETE','2026-11-22 03:23:14.316816','2026-11-22 03:23:14.350516');
INSERT INTO "trials" VALUES(12,2,3,'COMPLETE','2026-11-22 03:23:14.372521','2026-11-22 03:23:14.406977');
INSERT INTO "trials" VALUES(13,3,3,'COMPLETE','2026-11-22 03:23:14.416865','2026-11-22 03:23:14.442302');
INSERT INTO "trials" VALUES(14,4,3,'COMPLETE','2026-11-22 03:23:14.459529','2026-11-22 03:23:14.499940');
INSERT INTO "trials" VALUES(15,0,4,'COMPLETE','2026-11-22 03:23:14.537403','2026-11-22 03:23:14.689457');
INSERT INTO "trials" VALUES(16,1,4,'COMPLETE','2026-11-22 03:23:14.724905','2026-11-22 03:23:14.888797');
INSERT INTO "trials" VALUES(17,2,4,'COMPLETE','2026-11-22 03:23:14.938074','2026-11-22 03:23:15.112902');
INSERT INTO "trials" VALUES(18,3,4,'COMPLETE','2026-11-22 03:23:15.141268','2026-11-22 03:23:15.297387');
INSERT INTO "trials" VALUES(19,0,5,'PRUNED','2026-11-22 03:23:15.363997','2026-11-22 03:23:15.387557');
INSERT INTO "trials" VALUES(20,1,5,'FAIL','2026-11-22 03:23:15.397682','2026-11-22 03:23:15.420026');
INSERT INTO "trials" VALUES(21,2,5,'FAIL','2026-11-22 03:23:15.432354','2026-11-22 03:23:15.460448');
INSERT INTO "trials" VALUES(22,3,5,'COMPLETE','2026-11-22 03:23:15.474667','2026-11-22 03:23:15.492018');
INSERT INTO "trials" VALUES(23,0,6,'COMPLETE','2026-11-22 03:23:15.509602','2026-11-22 03:23:15.554598');
INSERT INTO "trials" VALUES(24,1,6,'COMPLETE','2026-11-22 03:23:15.559835','2026-11-22 03:23:15.579830');
INSERT INTO "trials" VALUES(25,2,6,'COMPLETE','2026-11-22 03:23:15.591354','2026-11-22 03:23:15.608958');
INSERT INTO "trials" VALUES(26,3,6,'COMPLETE','2026-11-22 03:23:15.625273','2026-11-22 03:23:15.652614');
INSERT INTO "trials" VALUES(27,0,7,'COMPLETE','2026-11-22 03:23:15.681499','2026-11-22 03:23:15.714628');
INSERT INTO "trials" VALUES(28,1,7,'COMPLETE','2026-11-22 03:23:15.736705','2026-11-22 03:23:15.808993');
INSERT INTO "trials" VALUES(29,0,8,'COMPLETE','2026-11-22 03:23:15.910364','2026-11-22 03:23:15.929146');
INSERT INTO "trials" VALUES(30,1,8,'COMPLETE','2026-11-22 03:23:15.960250','2026-11-22 03:23:15.998056');
INSERT INTO "trials" VALUES(31,2,8,'COMPLETE','2026-11-22 03:23:16.034910','2026-11-22 03:23:16.048988');
INSERT INTO "trials" VALUES(32,3,8,'COMPLETE','2026-11-22 03:23:16.086004','2026-11-22 03:23:16.126885');
INSERT INTO "trials" VALUES(33,0,9,'COMPLETE','2026-11-22 03:23:16.234717','2026-11-22 03:23:16.267533');
INSERT INTO "trials" VALUES(34,1,9,'RUNNING','2026-11-22 03:23:16.322041',NULL);
INSERT INTO "trials" VALUES(35,2,9,'WAITING',NULL,NULL);
INSERT INTO "trials" VALUES(36,3,9,'COMPLETE','2026-11-22 03:23:16.341519','2026-11-22 03:23:16.341519');
INSERT INTO "trials" VALUES(37,4,9,'FAIL','2026-11-22 03:23:16.364892','2026-11-22 03:23:16.364892');
INSERT INTO "trials" VALUES(38,0,11,'COMPLETE','2026-11-22 03:23:16.532566','2026-11-22 03:23:16.566558');
INSERT INTO "trials" VALUES(39,1,11,'COMPLETE','2026-11-22 03:23:16.588641','2026-11-22 03:23:16.609383');
INSERT INTO "trials" VALUES(40,2,11,'COMPLETE','2026-11-22 03:23:16.636150','2026-11-22 03:23:16.667094');
INSERT INTO "trials" VALUES(41,3,11,'COMPLETE','2026-11-22 03:23:16.697248','2026-11-22 03:23:16.725178');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'2.10.1');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
COMMIT;
