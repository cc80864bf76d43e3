"""``python -m artifact_janitor.reports.mlflow``: log a published model in MLflow, once.

One run a model, found again by its tag ``janitor.key``: what was logged before is completed,
never logged twice. The order comes on stdin, the answer goes to stdout, both JSON.

This outlives a janitor that is killed, so the next one's may come while it is at work: they take
turns by a lock on the model's folder.
"""

from __future__ import annotations

import fcntl
import os
import sys
from typing import Any

from artifact_janitor.reports import serve

KEY, DIGEST = "janitor.key", "janitor.sha256"
_LONGEST = 400
"""Letters of a parameter's value: MLflow takes 6,000, and older ones 500."""


def main(order: dict[str, Any]) -> dict[str, Any]:
    import logging

    logging.disable(logging.WARNING)
    from mlflow import MlflowClient

    client = MlflowClient(order["uri"])
    turn = os.open(order["turn"], os.O_RDONLY | os.O_DIRECTORY)  # as long as this process lives
    fcntl.flock(turn, fcntl.LOCK_EX)
    run = _found(client, order["key"])
    if run is not None and run.data.tags.get(DIGEST) == order["sha256"]:
        return {"run": run.info.run_id, "logged": 0}
    run_id = run.info.run_id if run else _made(client, order)
    for name, value in order["params"].items():
        if run is None or name not in run.data.params:
            client.log_param(run_id, name, str(value)[:_LONGEST])
    for name, value in order["metrics"].items():
        if run is None or name not in run.data.metrics:
            client.log_metric(run_id, name, value)
    for file, place in order["artifacts"]:
        client.log_artifact(run_id, file, place or None)
    client.set_tag(run_id, DIGEST, order["sha256"])  # the last: without it nothing is complete
    client.set_terminated(run_id)
    return {"run": run_id, "logged": len(order["artifacts"])}


def _found(client: Any, key: str) -> Any:
    """The run of this model, in whatever experiment it lies."""
    places = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(places, f"tags.`{KEY}` = '{key}'") if places else []
    return found[0] if found else None


def _made(client: Any, order: dict[str, Any]) -> str:
    known = client.get_experiment_by_name(order["experiment"])
    place = known.experiment_id if known else client.create_experiment(order["experiment"])
    tags = {KEY: order["key"], **order["tags"]}
    run_id: str = client.create_run(place, tags=tags, run_name=order["name"]).info.run_id
    return run_id


if __name__ == "__main__":
    sys.exit(serve(main, ("mlflow",)))
