"""``python -m artifact_janitor.reports``: an order on stdin, an answer on stdout, both JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from artifact_janitor.reports import serve

NEEDS = ("optuna", "matplotlib")


def main(order: dict[str, Any]) -> dict[str, Any]:
    import warnings

    warnings.simplefilter("ignore")
    from artifact_janitor.reports.facts import Reader, combined
    from artifact_janitor.reports.plots import draw

    out, told, notes, files = Path(order["out"]), [], [], []
    for each in order["studies"]:
        reader = Reader(Path(order["snapshot"]), each["study"])
        facts = reader.facts(each)
        told.append(facts)
        name = f"hpo_results_{each['model_type']}.json"
        files.append(_written(out / name, facts))
        if each.get("plots", True):
            folder = out / f"{each['model_type']}_visualizations"
            folder.mkdir()
            drawn, said = draw(facts, folder)
            files += [f"{folder.name}/{plot}" for plot in drawn]
            notes += said
    files.append(_written(out / "hpo_combined_results.json", combined(told)))
    return {"files": files, "notes": notes}


def _written(path: Path, facts: dict[str, Any]) -> str:
    with path.open("x", encoding="ascii") as file:
        json.dump(facts, file, indent=1, allow_nan=False)
        file.write("\n")
    return path.name


if __name__ == "__main__":
    sys.exit(serve(main, NEEDS))
