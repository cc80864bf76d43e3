"""``janitor run`` that trashes big runs, all checks included, beside ``rm -rf`` of the same.

python benchmarks/bench_trash.py                   100 runs of 1,000 files
"""

from __future__ import annotations

import argparse
import shutil
import subprocess

from beside import JANITOR, Target, Work, in_turn, table
from corpus import KEEP_NONE, corpus, fill


def main() -> None:
    asked = options()
    with corpus(asked.runs, asked.files, KEEP_NONE, asked.where) as made:
        outputs = made.root / "outputs"

        def afresh() -> None:
            """The runs at their place, and nothing in the trash."""
            shutil.rmtree(made.root / ".janitor", ignore_errors=True)
            shutil.rmtree(outputs, ignore_errors=True)
            fill(outputs, asked.runs, asked.files)
            subprocess.run(["du", "-s", outputs], check=True, stdout=subprocess.DEVNULL)

        rm = Work("`rm -rf outputs`", ["rm", "-rf", "outputs"], afresh)
        plan = Work("`janitor plan` of it", [*JANITOR, "plan"], afresh)
        run = Work("`janitor run --yes`", [*JANITOR, "run", "--yes"])
        undo = Work("`janitor undo`", [*JANITOR, "undo"])
        works = [rm, plan, run, undo]
        in_turn(works, made.root, asked.times)

        def trashed() -> None:
            """The runs in the trash, and a configuration that lets nothing stay there."""
            afresh()
            subprocess.run(run.command, cwd=made.root, check=True, stdout=subprocess.DEVNULL)
            (made.root / "purge.toml").write_text(KEEP_NONE + 'trash_keep = "0s"\n')

        purge = Work("its purge", [*JANITOR, "run", "--yes", "--config", "purge.toml"], trashed)
        in_turn([purge], made.root, asked.times)
        table(f"trash: {made}", [*works, purge], [Target(run, rm, 1.0)])
        both, peer = run.least().cpu + purge.least().cpu, rm.least().cpu
        print(f"\nCPU with the purge: {both:.2f} s, {both / peer:.2f} × {rm.name} (may take 2 ×)")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--files", type=int, default=1_000, help="in each run")
    parser.add_argument("--times", type=int, default=3, help="rounds that count")
    parser.add_argument("--where", help="folder to build in; the system's temporary one otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    main()
