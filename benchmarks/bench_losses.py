"""What the same workspace loses to the ways in which people make room.

It is the nasty workspace of the tests, made by real Hydra, W&B, torch and Git, with programs that
are alive in it. Each way gets a fresh copy, in the place where it was built, and is asked to
remove what is older than 30 days. Then every unit that must stay is compared with what it was.

    python benchmarks/bench_losses.py --all    # minutes; as root, or as an ordinary user
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.real import workspace
from tests.real.account import myself
from tests.real.snapshot import Snapshot, settled, snapshot
from tests.real.workspace import KINDS, Nasty

DAYS = 30
ROOTS = "outputs multirun wandb logs training/runs checkpoints"
POLICIES = "".join(
    f'[[policy]]\nkind = "{kind}"\nkeep_within = "{DAYS}d"\n\n' for kind in KINDS
) + ("[safety]\nmax_share = 1.0\n")
PURGING = POLICIES + 'trash_keep = "0s"\n'
OLD = f"find $(ls -d {ROOTS} 2>/dev/null) -mindepth 1 -mtime +{DAYS}"
WANDB = Path(sys.executable).with_name("wandb")
JANITOR = f"{sys.executable} -m artifact_janitor run --yes --quiet"
BEST = ("best", "final")
"""How the names of best and final models begin."""
UNTOUCHED, COPIED, LOST = "untouched", "copied", "lost"
"""What became of a unit that must stay: nothing; all of it is in an archive or the trash; less."""


@dataclass(frozen=True)
class Way:
    """How to make room: a shell's line, run in the workspace."""

    name: str
    line: str
    config: str = POLICIES


WAYS = (
    Way(f"`find … -mtime +{DAYS} -exec rm -rf {{}} +`", f"{OLD} -exec rm -rf {{}} +"),
    Way(
        f"`find … -maxdepth 2 -mtime +{DAYS}`, then `tar -czf … && rm -rf`",
        f"{OLD} -maxdepth 2 -prune -print0 > ../old.list;"
        " tar --null -czf ../old.tgz -T ../old.list && xargs -0 rm -rf < ../old.list",
    ),
    # Its clock is the name of the folder, and what was built today bears today's.
    Way("`wandb clean`", f"{WANDB} clean --force --min-hours 0"),
    Way("`janitor run`", JANITOR),
    Way("`janitor run`, and the trash is purged", f"{JANITOR} && {JANITOR}", PURGING),
)


@dataclass
class Found:
    """What one way did."""

    fates: Counter[str] = field(default_factory=Counter)
    """Of the units that must stay."""
    stayed: list[str] = field(default_factory=list)
    """Units that may go, and did not."""
    models: int = 0
    """Best and final models of which no copy is left anywhere."""
    freed: int = 0
    """Bytes."""
    gone: list[str] = field(default_factory=list)
    failed: int = 0
    """Programs that were at work and did not survive it."""


def tried(way: Way, nasty: Nasty) -> Found:
    """In a fresh copy in which all that lives is alive."""
    root = nasty.root
    (root / "config.toml").write_text(way.config)
    before, weight = seen(nasty), allocated(root)
    subprocess.run(["bash", "-c", way.line], cwd=root, capture_output=True, check=False)
    after, copies = seen(nasty), copied(root)
    found = Found(freed=weight - allocated(root))
    may_go = tuple(os.fsencode(each) for each in nasty.eligible | nasty.along)
    for path, why in nasty.protected.items():
        fate = fate_of(below(path, before, may_go), below(path, after, may_go), copies)
        found.fates[fate] += 1
        found.gone += [f"{fate} {path}: {why}"] if fate != UNTOUCHED else []
    found.stayed = [path for path in nasty.eligible if os.path.lexists(root / path)]
    here = {mark.content for mark in after.values()}
    found.models = len(models(before) - here - copies)
    return found


def seen(nasty: Nasty) -> Snapshot:
    return settled(snapshot(nasty.root), nasty.volatile)


def below(path: str, found: Snapshot, may_go: tuple[bytes, ...]) -> dict[bytes, tuple[object, ...]]:
    """A unit and what must stay in it: what kind of thing each is, and its content."""
    top = os.fsencode(path)
    return {
        each: (mark.type, mark.size, mark.content)
        for each, mark in found.items()
        if is_in(each, top) and not any(is_in(each, part) for part in may_go)
    }


def is_in(path: bytes, top: bytes) -> bool:
    return path == top or path.startswith(top + b"/")


def fate_of(
    before: Mapping[bytes, tuple[object, ...]],
    after: Mapping[bytes, tuple[object, ...]],
    copies: set[bytes],
) -> str:
    """What came into it meanwhile is no loss; what a program writes in it has no content here."""
    missing = [mark for path, mark in before.items() if after.get(path) != mark]
    if not missing:
        return UNTOUCHED
    files = {content for kind, _, content in missing if kind == "-"}
    return COPIED if copies and files <= copies else LOST


def models(found: Snapshot) -> set[bytes]:
    """The contents of all best and final models, by digest."""
    return {
        mark.content
        for path, mark in found.items()
        if mark.type == "-" and Path(os.fsdecode(path)).name.startswith(BEST)
    }


def copied(root: Path) -> set[bytes]:
    """The contents of all files in archives, whoever made them, and in the trash."""
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        for number, archive in enumerate([*root.parent.glob("old.tgz"), *archives(root)]):
            into = Path(folder, str(number))
            into.mkdir()
            subprocess.run(["tar", "-xf", archive, "-C", into], capture_output=True, check=False)
        found = snapshot(folder)
    trash = root / ".janitor" / "trash"
    found |= snapshot(trash) if trash.exists() else {}
    return {mark.content for mark in found.values() if mark.type == "-"}


def archives(root: Path) -> list[Path]:
    return [*(root / ".janitor" / "archive").glob("*.tar.zst")]


def allocated(root: Path) -> int:
    """Bytes, of every file once; the copies that were made count as well. The janitor's reserve
    does not: in a workspace this small it would hide the rest."""
    beside = [str(each) for each in root.parent.glob("old.tgz")]
    command = ["du", "-sk", "-c", "--exclude=.janitor/reserve", root, *beside]
    done = subprocess.run(command, capture_output=True, check=False)
    return int(done.stdout.split()[-2]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--all", action="store_true", help="name everything that is lost")
    asked = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="losses-"))
    place.chmod(0o755)
    (place / "home").mkdir()
    try:
        template = workspace.build(place / "project")
        template.root.rename(place / "pristine")
        print(HEAD)
        for way in WAYS:
            print(row(way, place, template, asked.all), flush=True)
    finally:
        workspace.remove(place)


def row(way: Way, place: Path, template: Nasty, every: bool) -> str:
    workspace.put_back(place / "pristine", template.root)
    nasty = template.copy()
    try:
        nasty.handed_to(myself(place / "home"))
        found = tried(way, nasty)
    finally:
        live = [*nasty.processes]
        nasty.stop()
        for left in ("old.tgz", "old.list"):
            (place / left).unlink(missing_ok=True)
    cells = [way.name, *(str(found.fates[fate]) for fate in (UNTOUCHED, COPIED, LOST))]
    found.failed = sum(each.returncode > 0 for each in live)
    cells += [str(found.models), f"{found.failed} of {len(live)}"]
    may_go = len(nasty.eligible)
    cells += [f"{may_go - len(found.stayed)} of {may_go}", f"{found.freed >> 20:,}"]
    told = found.gone + [f"stayed {each}" for each in found.stayed]
    lines = [f"| {' | '.join(cells)} |", *(f"  - {each}" for each in told if every)]
    return "\n".join(lines)


TITLES = ("must stay: untouched", "copied", "**lost**", "models lost", "programs that failed")
HEAD = f"""
| | {" | ".join((*TITLES, "may go: gone", "MiB freed"))} |
|---|---|---|---|---|---|---|---|"""


if __name__ == "__main__":
    main()
