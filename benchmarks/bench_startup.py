"""What it costs to start: ``janitor --version`` and ``status`` beside ``python -c pass``."""

from __future__ import annotations

import argparse
import sys

from beside import JANITOR, Target, Work, in_turn, table
from corpus import KEEP_ALL, corpus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="rounds that count")
    asked = parser.parse_args()
    with corpus(10, 20, KEEP_ALL, None) as made:
        bare = Work("`python -c pass`", [sys.executable, "-c", "pass"])
        version = Work("`janitor --version`", [*JANITOR, "--version"])
        status = Work("`janitor status`", [*JANITOR, "status"])
        works = [bare, version, status]
        in_turn(works, made.root, asked.times)
        table("start", works, [Target(version, bare, 1, 0.1), Target(status, bare, 1, 0.35)])


if __name__ == "__main__":
    main()
