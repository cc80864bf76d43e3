"""``janitor plan`` over many runs with nothing to go, beside ``du`` and ``find``.

python benchmarks/bench_plan.py                    10,000 runs of 100 files: minutes to build
python benchmarks/bench_plan.py --runs 1000        a tenth of it
"""

from __future__ import annotations

import argparse
import shutil

from beside import JANITOR, Target, Work, in_turn, table
from corpus import KEEP_ALL, corpus


def main() -> None:
    asked = options()
    with corpus(asked.runs, asked.files, KEEP_ALL, asked.where) as made:
        state = made.root / ".janitor"

        def forget() -> None:
            """As after the first command that changes something: a journal, and nothing in it."""
            shutil.rmtree(state, ignore_errors=True)
            state.mkdir()
            (state / "journal.db").touch()

        du = Work("`du -s outputs`", ["du", "-s", "outputs"])
        find = Work("`find outputs \\| wc -l`", ["sh", "-c", "find outputs | wc -l"])
        first = Work("first `janitor plan`", [*JANITOR, "plan"], forget)
        second = Work("second `janitor plan`", [*JANITOR, "plan"])
        works = [du, find, first, second]
        in_turn(works, made.root, asked.times)
        targets = [Target(first, du, 1.5), Target(second, du, 0.1, 0.6)]
        table(f"plan: {made}, nothing to go", works, targets)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=100, help="in each run")
    parser.add_argument("--times", type=int, default=5, help="rounds that count")
    parser.add_argument("--where", help="folder to build in; the system's temporary one otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    main()
