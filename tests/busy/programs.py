"""What people run in the busy project: small programs around the real tools, as text.

Each takes its orders from the command line, and prints the folder or file that it makes.
"""

from __future__ import annotations

HYDRA = '''\
"""A Hydra program as people write it; it may sit there for hours and log on."""
import json, logging, sys, time
from pathlib import Path
import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

log = logging.getLogger(__name__)

@hydra.main(version_base=None, config_path="config", config_name="train")
def main(cfg: DictConfig) -> float:
    run = Path(HydraConfig.get().runtime.output_dir)
    print("made", run, flush=True)
    log.info("training with lr=%s", cfg.lr)
    (run / "config_used.yaml").write_text(OmegaConf.to_yaml(cfg))
    (run / "weights.bin").write_bytes(repr(cfg.lr).encode() * cfg.size)
    time.sleep(cfg.hours * 3600)
    log.info("over")
    (run / "metrics.json").write_text(json.dumps({"val_f1": 1 - cfg.lr}))
    return 1 - cfg.lr

if __name__ == "__main__":
    main()
'''
SETTINGS = "lr: 0.01\nsize: 1000\nhours: 0\n"

WANDB = '''\
"""An offline run of W&B's own client: NAME HOURS."""
import os, sys, time, wandb
name, hours = sys.argv[1], float(sys.argv[2])
quiet = wandb.Settings(x_disable_stats=True, silent=True)
with wandb.init(project="busy", name=name, mode="offline", settings=quiet) as run:
    print("made", os.path.relpath(os.path.dirname(run.dir)), flush=True)
    for step in range(3):
        run.log({"loss": 1 / (step + 1)})
    with open(os.path.join(run.dir, "notes.txt"), "w") as file:
        file.write(name * 100)
    time.sleep(hours * 3600)
    run.log({"loss": 0})
'''

TORCH = '''\
"""A training that saves as it goes: NAME EPOCHS HOURS (in all)."""
import json, sys, time
from pathlib import Path
import torch
name, epochs, hours = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
run = Path("training/runs", name)
run.mkdir(parents=True)
print("made", run, flush=True)
torch.manual_seed(hash(name) % 2**31)
model = torch.nn.Linear(30, 30)
with open(run / "train.log", "a") as log:
    for epoch in range(1, epochs + 1):
        model.weight.data.mul_(0.9)
        torch.save(model.state_dict(), run / f"model_epoch_{epoch}.pt")
        torch.save(model.state_dict(), run / "best_model.pt")
        print("epoch", epoch, file=log, flush=True)
        time.sleep(hours * 3600 / epochs)
whole = {"format": "artifact-janitor/model/1", "state_dict": model.state_dict(),
         "config": {"name": name}, "scalers": {}, "meta": {}}
torch.save(whole, run / "final_model_mlp.pth")
(run / "metrics.json").write_text(json.dumps({"val_f1": 0.5}))
'''

OPTUNA = '''\
"""One of several optimizers of a study: PATH NAME TRIALS TARGET JOURNAL SECONDS.

TARGET 0 leaves no mark; JOURNAL is wal or delete; each trial takes about so many SECONDS of
the machine.
"""
import random, sys, time, warnings
import optuna
from sqlalchemy import event
from sqlalchemy.engine import Engine
from artifact_janitor.optuna import FinishMarker
warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
path, name, trials, target, journal, seconds = sys.argv[1:]

@event.listens_for(Engine, "connect")
def as_asked(connection, _):
    connection.execute(f"PRAGMA journal_mode={journal}")

def objective(trial):
    trial.set_user_attr("seed", trial.number)
    time.sleep(float(seconds) * random.uniform(0.5, 1.5))
    return trial.suggest_float("x", 0, 1)

storage = optuna.storages.RDBStorage(
    f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}})
study = optuna.create_study(
    storage=storage, study_name=name, direction="maximize", load_if_exists=True)
print("made", path, flush=True)
if int(target):
    with FinishMarker(study, target=int(target)):
        study.optimize(objective, n_trials=int(trials))
else:
    study.optimize(objective, n_trials=int(trials))
'''

TOLD = '''\
"""What Optuna itself says of studies, as JSON: PATH..."""
import json, sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
found = []
for path in sys.argv[1:]:
    storage = f"sqlite:///{path}"
    for name in optuna.get_all_study_names(storage):
        study = optuna.load_study(storage=storage, study_name=name)
        trials = study.get_trials(deepcopy=False)
        best = study.best_trial if any(t.state.name == "COMPLETE" for t in trials) else None
        found.append({"path": path, "name": name, "trials": len(trials),
                      "best": best.number if best else None,
                      "value": best.value if best else None})
print(json.dumps(found))
'''

TRAINER = '''\
"""Trains a best trial: notes its key, takes a while, and hands over a model of real torch."""
import json, os, shutil, sys, time
request, out = json.load(open(sys.argv[1])), sys.argv[2]
with open("trained", "a") as file:
    file.write(request["key"] + "\\n")
time.sleep(0.5)
model = sorted(os.listdir("pool"))[0]
os.rename(f"pool/{model}", os.path.join(out, f"final_model_{request['model_type']}.pth"))
found = {"metric": request["trial"]["values"][0], "seed": request["trial"]["seed"], "epochs": 2,
         "data_sha256": "a" * 64}
json.dump(found, open(os.path.join(out, "result.json"), "w"))
'''

HOLDS = '''\
"""Somebody looks into an old run for a while: FOLDER HOW HOURS."""
import mmap, os, sys, time
folder, how, hours = sys.argv[1], sys.argv[2], float(sys.argv[3])
names = [os.path.join(top, each) for top, _, files in os.walk(folder) for each in files]
largest = max(names, key=os.path.getsize)
if how == "cwd":
    os.chdir(folder)
elif how == "mmap":
    with open(largest, "r+b") as file:
        kept = mmap.mmap(file.fileno(), 0)
else:
    kept = open(largest, "r+b")
print("made", folder, flush=True)
time.sleep(hours * 3600)
'''
FILES = {
    "train.py": HYDRA,
    "config/train.yaml": SETTINGS,
    "tracked.py": WANDB,
    "long_training.py": TORCH,
    "optimize.py": OPTUNA,
    "told.py": TOLD,
    "trainer.py": TRAINER,
    "holds.py": HOLDS,
}
