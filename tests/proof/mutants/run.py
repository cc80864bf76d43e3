"""Break, test, restore; and the table of what came of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from typing import NamedTuple

from tests.proof.mutants.breaks import BREAKS
from tests.proof.mutants.breaks.table import Break
from tests.proof.mutants.copied import REPOSITORY, Copy, Ran, copied

Breaks = Mapping[str, Sequence[Break]]


class Tried(NamedTuple):
    rule: str
    what: Break
    ran: Ran

    @property
    def caught(self) -> bool:
        """A test fell, or all of them hung: 1 is pytest's code for failed tests."""
        return self.ran.code in (-1, 1)

    @property
    def by(self) -> str:
        if not self.caught:
            return (
                "NOTHING" if self.ran.code == 0 else f"NOTHING: pytest ended with {self.ran.code}"
            )
        return self.ran.failed or "it hangs"


def main(args: Sequence[str] | None = None) -> int:
    asked = _asked(args)
    breaks = {rule: BREAKS[rule] for rule in BREAKS if not asked.only or rule in asked.only}
    if stale := [*_stale(breaks)]:
        print("The table is stale:", *stale, sep="\n")
        return 2
    with ExitStack() as opened:
        copies = [opened.enter_context(copied()) for _ in range(asked.jobs)]
        if why := _not_green(copies[0], breaks):
            print("Without any break:", why, sep="\n")
            return 2
        tried = [*trial(copies, breaks)]
    print(*_summary(breaks, tried), sep="\n")
    return int(not all(each.caught for each in tried))


def _asked(args: Sequence[str] | None) -> argparse.Namespace:
    asks = argparse.ArgumentParser(prog="python -m tests.proof.mutants", description=__doc__)
    asks.add_argument("--only", action="append", choices=[*BREAKS], help="a rule; may be repeated")
    asks.add_argument("--jobs", type=int, default=1, help="copies that are tested at once")
    return asks.parse_args(args)


def _stale(breaks: Breaks) -> Iterator[str]:
    for every in breaks.values():
        for each in every:
            try:
                each.broken((REPOSITORY / each.path).read_text())
            except ValueError as error:
                yield f"{each.name}: {error}"


def _not_green(copy: Copy, breaks: Breaks) -> str:
    """What the unbroken copy's tests say, if they fail: then they prove nothing."""
    tests = {test for every in breaks.values() for each in every for test in each.tests}
    ran = copy.run(sorted(tests), all_of_them=True)
    print(f"{len(tests)} tests and files are green without any break: {ran.seconds:.0f} s")
    return ran.said if ran.code else ""


def trial(copies: Sequence[Copy], breaks: Breaks) -> Iterator[Tried]:
    """One break at a time in each copy; a line on each as soon as it is known."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def tried(rule: str, each: Break) -> Tried:
        copy = free.get()
        try:
            return Tried(rule, each, _broken(copy, each))
        finally:
            free.put(copy)

    pool = ThreadPoolExecutor(len(copies))
    try:
        rows = [pool.submit(tried, rule, each) for rule in breaks for each in breaks[rule]]
        for row in rows:
            found = row.result()
            seconds = f"{found.ran.seconds:>5.0f} s"
            print(f"{found.rule:<6}{seconds}  {found.what.name}: {found.by}", flush=True)
            yield found
    finally:
        pool.shutdown(cancel_futures=True)


def _broken(copy: Copy, each: Break) -> Ran:
    text = (copy.root / each.path).read_text()
    copy.write(each.path, each.broken(text))
    try:
        return copy.run(each.tests)
    finally:
        copy.write(each.path, text)


def _summary(breaks: Breaks, tried: Sequence[Tried]) -> Iterator[str]:
    yield ""
    for rule in breaks:
        mine = [each for each in tried if each.rule == rule]
        caught = sum(each.caught for each in mine)
        yield f"{rule:<6}{len(mine):>4} breaks{caught:>4} caught"
    survivors = [each for each in tried if not each.caught]
    yield f"{'all':<6}{len(tried):>4} breaks{len(tried) - len(survivors):>4} caught"
    yield from (f"survived: {each.rule} {each.what.name} ({each.by})" for each in survivors)
