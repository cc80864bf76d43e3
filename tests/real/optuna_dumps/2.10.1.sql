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
INSERT INTO "trial_params" VALUES(5,5,'x',8.68662767658888057553e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(6,6,'x',2.90098051071363549624e-02,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(7,7,'x',0.39401345302876,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(8,8,'x',3.12286582998009598632e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(9,9,'x',3.40333275978078608758e-02,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(10,10,'x',0.911226227094395,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(11,11,'x',5.91107331788761070079e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(12,12,'x',2.24687738391290081629e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(13,13,'x',5.62427175307066873344e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(14,14,'x',0.913035265567166,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(15,15,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(16,15,'layers',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(17,15,'depth',2.0,'{"name": "IntLogUniformDistribution", "attributes": {"low": 1, "high": 64, "step": 1}}');
INSERT INTO "trial_params" VALUES(18,15,'rate',0.5,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(19,15,'width',32.0,'{"name": "IntUniformDistribution", "attributes": {"low": 8, "high": 64, "step": 8}}');
INSERT INTO "trial_params" VALUES(20,16,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(21,16,'layers',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(22,16,'depth',7.0,'{"name": "IntLogUniformDistribution", "attributes": {"low": 1, "high": 64, "step": 1}}');
INSERT INTO "trial_params" VALUES(23,16,'rate',0.0,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(24,16,'width',40.0,'{"name": "IntUniformDistribution", "attributes": {"low": 8, "high": 64, "step": 8}}');
INSERT INTO "trial_params" VALUES(25,17,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(26,17,'layers',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(27,17,'depth',2.0,'{"name": "IntLogUniformDistribution", "attributes": {"low": 1, "high": 64, "step": 1}}');
INSERT INTO "trial_params" VALUES(28,17,'rate',0.0,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(29,17,'width',40.0,'{"name": "IntUniformDistribution", "attributes": {"low": 8, "high": 64, "step": 8}}');
INSERT INTO "trial_params" VALUES(30,18,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["svm", "forest", null, true]}}');
INSERT INTO "trial_params" VALUES(31,18,'layers',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [[64, 32], [128], 3, 0.5]}}');
INSERT INTO "trial_params" VALUES(32,18,'depth',54.0,'{"name": "IntLogUniformDistribution", "attributes": {"low": 1, "high": 64, "step": 1}}');
INSERT INTO "trial_params" VALUES(33,18,'rate',0.25,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(34,18,'width',16.0,'{"name": "IntUniformDistribution", "attributes": {"low": 8, "high": 64, "step": 8}}');
INSERT INTO "trial_params" VALUES(35,19,'x',4.59120463399196654386e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(36,20,'x',1.7731941187117217229e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(37,21,'x',5.71865334762813426472e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(38,22,'x',3.41864136065609169889e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(39,23,'x',7.37115403165491400727e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(40,24,'x',7.29441022906694547245e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(41,25,'x',1.9511095042753079376e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(42,26,'x',1.09622086401958918067e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(43,27,'x',0.352762162382779,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(44,28,'x',1.59270099841028467402e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(45,33,'x',8.8383765647069667537e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(46,38,'x',6.91858571988376636063e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(47,39,'x',4.94916183586101787739e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(48,40,'x',3.46546100459755201939e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(49,41,'x',5.77647220551684159595e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
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
INSERT INTO "trials" VALUES(5,0,2,'COMPLETE','2026-11-22 03:19:36.908799','2026-11-22 03:19:36.970148');
INSERT INTO "trials" VALUES(6,1,2,'COMPLETE','2026-11-22 03:19:36.992171','2026-11-22 03:19:37.037841');
INSERT INTO "trials" VALUES(7,2,2,'COMPLETE','2026-11-22 03:19:37.053214','2026-11-22 03:19:37.090299');
INSERT INTO "trials" VALUES(8,3,2,'COMPLETE','2026-11-22 03:19:37.120243','2026-11-22 03:19:37.165548');
INSERT INTO "trials" VALUES(9,4,2,'COMPLETE','2026-11-22 03:19:37.189234','2026-11-22 03:19:37.226946');
INSERT INTO "trials" VALUES(10,0,3,'COMPLETE','2026-11-22 03:19:37.290909','2026-11-22 03:19:37.313732');
INSERT INTO "trials" VALUES(11,1,3,'COMPLETE','2026-11-22 03:19:37.347941','2026-11-22 03:19:37.378265');
INSERT INTO "trials" VALUES(12,2,3,'COMPLETE','2026-11-22 03:19:37.399454','2026-11-22 03:19:37.434145');
INSERT INTO "trials" VALUES(13,3,3,'COMPLETE','2026-11-22 03:19:37.448444','2026-11-22 03:19:37.483087');
INSERT INTO "trials" VALUES(14,4,3,'COMPLETE','2026-11-22 03:19:37.512746','2026-11-22 03:19:37.543911');
INSERT INTO "trials" VALUES(15,0,4,'COMPLETE','2026-11-22 03:19:37.601958','2026-11-22 03:19:37.729484');
INSERT INTO "trials" VALUES(16,1,4,'COMPLETE','2026-11-22 03:19:37.752229','2026-11-22 03:19:37.881529');
INSERT INTO "trials" VALUES(17,2,4,'COMPLETE','2026-11-22 03:19:37.912652','2026-11-22 03:19:38.043995');
INSERT INTO "trials" VALUES(18,3,4,'COMPLETE','2026-11-22 03:19:38.103405','2026-11-22 03:19:38.250819');
INSERT INTO "trials" VALUES(19,0,5,'PRUNED','2026-11-22 03:19:38.340787','2026-11-22 03:19:38.429395');
INSERT INTO "trials" VALUES(20,1,5,'FAIL','2026-11-22 03:19:38.474286','2026-11-22 03:19:38.533455');
INSERT INTO "trials" VALUES(21,2,5,'FAIL','2026-11-22 03:19:38.561389','2026-11-22 03:19:38.655009');
INSERT INTO "trials" VALUES(22,3,5,'COMPLETE','2026-11-22 03:19:38.674121','2026-11-22 03:19:38.733730');
INSERT INTO "trials" VALUES(23,0,6,'COMPLETE','2026-11-22 03:19:38.779826','2026-11-22 03:19:38.842276');
INSERT INTO "trials" VALUES(24,1,6,'COMPLETE','2026-11-22 03:19:38.852683','2026-11-22 03:19:38.902622');
INSERT INTO "trials" VALUES(25,2,6,'COMPLETE','2026-11-22 03:19:38.921329','2026-11-22 03:19:38.987460');
INSERT INTO "trials" VALUES(26,3,6,'COMPLETE','2026-11-22 03:19:38.999823','2026-11-22 03:19:39.072450');
INSERT INTO "trials" VALUES(27,0,7,'COMPLETE','2026-11-22 03:19:39.167503','2026-11-22 03:19:39.223514');
INSERT INTO "trials" VALUES(28,1,7,'COMPLETE','2026-11-22 03:19:39.248635','2026-11-22 03:19:39.294133');
INSERT INTO "trials" VALUES(29,0,8,'COMPLETE','2026-11-22 03:19:39.325142','2026-11-22 03:19:39.344880');
INSERT INTO "trials" VALUES(30,1,8,'COMPLETE','2026-11-22 03:19:39.359073','2026-11-22 03:19:39.368770');
INSERT INTO "trials" VALUES(31,2,8,'COMPLETE','2026-11-22 03:19:39.381250','2026-11-22 03:19:39.391654');
INSERT INTO "trials" VALUES(32,3,8,'COMPLETE','2026-11-22 03:19:39.398580','2026-11-22 03:19:39.407404');
INSERT INTO "trials" VALUES(33,0,9,'COMPLETE','2026-11-22 03:19:39.440529','2026-11-22 03:19:39.460664');
INSERT INTO "trials" VALUES(34,1,9,'RUNNING','2026-11-22 03:19:39.490755',NULL);
INSERT INTO "trials" VALUES(35,2,9,'WAITING',NULL,NULL);
INSERT INTO "trials" VALUES(36,3,9,'COMPLETE','2026-11-22 03:19:39.503711','2026-11-22 03:19:39.503711');
INSERT INTO "trials" VALUES(37,4,9,'FAIL','2026-11-22 03:19:39.516201','2026-11-22 03:19:39.516201');
INSERT INTO "trials" VALUES(38,0,11,'COMPLETE','2026-11-22 03:19:39.753200','2026-11-22 03:19:39.786951');
INSERT INTO "trials" VALUES(39,1,11,'COMPLETE','2026-11-22 03:19:39.811545','2026-11-22 03:19:39.838707');
INSERT INTO "trials" VALUES(40,2,11,'COMPLETE','2026-11-22 03:19:39.852523','2026-11-22 03:19:39.891815');
INSERT INTO "trials" VALUES(41,3,11,'COMPLETE','2026-11-22 03:19:39.927191','2026-11-22 03:19:39.947392');
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
