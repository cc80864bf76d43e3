"""``janitor archive`` of a gigabyte, hashing and reading back included, beside ``tar`` with
gzip and with zstd, which check nothing.

python benchmarks/bench_archive.py                 1 GB: minutes to build
python benchmarks/bench_archive.py --scale 0.1     a tenth of it
python benchmarks/bench_archive.py --huge 20       also the peak memory for 20 times as much
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from multiprocessing import Process
from pathlib import Path

from beside import JANITOR, Target, Work, in_turn, measured, table
from mixed import fill

SWEEP = "multirun/2026-08-13/11-00-00"
OURS = [*JANITOR, "archive", "--urgent"]
"""Otherwise it stands back behind all that runs beside."""
TAR = "tar -cf - multirun | zstd -q -f -T0 -3 --long=27 -o"


def main() -> None:
    asked = options()
    with tempfile.TemporaryDirectory(prefix="janitor-bench-", dir=asked.where) as folder:
        root = Path(folder, "project")
        sweep = root / SWEEP
        build(sweep, asked.scale)
        (root / "config.toml").write_text("")
        backdate(sweep)
        compare(root, asked.times)
        if asked.huge:
            peak(root, asked.huge)


def build(sweep: Path, scale: float) -> None:
    """In a process of its own: what it takes would count as the peak of all that we start."""
    building = Process(target=fill, args=(sweep, scale))
    building.start()
    building.join()
    if building.exitcode:
        raise SystemExit("the sweep could not be built: is the disk full?")


def compare(root: Path, times: int) -> None:
    out = root.parent

    def back() -> None:
        """The sweep at its place again, and no archive."""
        if (root / ".janitor").exists():
            janitor(root, "undo")
            shutil.rmtree(root / ".janitor")

    gzip = Work("`tar -czf`", ["tar", "-czf", f"{out}/gzip", "multirun"], back)
    plain = Work("`tar \\| zstd -T0 -3 --long=27`", ["sh", "-c", f"{TAR} {out}/zstd"], back)
    ours = Work("`janitor archive`", [*OURS, SWEEP], back)
    verify = Work("`janitor verify`", [*JANITOR, "verify"])
    in_turn([gzip, plain, ours, verify], root, times)
    held = files(root / ".janitor" / "trash")
    size = sum(map(os.path.getsize, held))
    targets = [Target(ours, plain, 1.6)]
    title = f"archive: one sweep, {size / 1e6:,.0f} MB, {len(held):,} files"
    table(title, [gzip, plain, ours, verify], targets)
    (archive,) = json.loads(said(root, "archives"))["data"]["archives"]
    packed = {
        gzip.name: os.path.getsize(out / "gzip"),
        plain.name: os.path.getsize(out / "zstd"),
        ours.name: archive["bytes"],
    }
    shares([gzip, plain, ours], packed, size)


def shares(works: list[Work], packed: dict[str, int], size: int) -> None:
    """How large the archives are, and what the first of the works needed more."""
    first = works[0]
    print(f"\n| | MB | ratio | size, of {first.name} | time, of {first.name} |")
    print("|---|---|---|---|---|")
    for work in works:
        mine, time = packed[work.name], work.least().wall
        smaller, faster = mine / packed[first.name], time / first.least().wall
        row = f"| {work.name} | {mine / 1e6:.0f} | {size / mine:.2f} | {smaller:.2f} |"
        print(f"{row} {faster:.2f} |")
    mine, time = packed[works[-1].name] / packed[first.name], works[-1].least().wall
    print(f"\nOurs may have 0.75 of the size of {first.name}: {said_of(mine, 0.75)}; and take")
    print(f"0.15 of its time: {said_of(time / first.least().wall, 0.15)}.")


def said_of(ratio: float, limit: float) -> str:
    return f"{ratio:.2f}, " + ("reached" if ratio <= limit else "**missed**")


def peak(root: Path, times: int) -> None:
    """The memory of one archive that is as large as so many sweeps."""
    janitor(root, "undo")
    sweep = root / SWEEP
    for job in [each for each in sweep.iterdir() if each.is_dir()]:
        for number in range(1, times):
            shutil.copytree(job, sweep / f"{number}_{job.name}")
    backdate(sweep)
    janitor(root, "unpin", ".", "--undone")
    size = sum(map(os.path.getsize, files(sweep)))
    print(f"\n| {size / 1e9:.1f} GB | wall s | CPU s | peak MiB |\n|---|---|---|---|")
    for work in ([*OURS, SWEEP], [*JANITOR, "verify"]):
        run = measured(work, root)
        print(f"| janitor {work[3]} | {run.wall:.0f} | {run.cpu:.0f} | {run.peak:.0f} |")


def files(folder: Path) -> list[str]:
    return [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names]


def backdate(folder: Path) -> None:
    for top, _, names in os.walk(folder, topdown=False):
        for name in names:
            os.utime(os.path.join(top, name), (1_780_000_000, 1_780_000_000))
        os.utime(top, (1_780_000_000, 1_780_000_000))


def janitor(root: Path, *args: str) -> None:
    subprocess.run([*JANITOR, *args], cwd=root, check=True, stdout=subprocess.DEVNULL)


def said(root: Path, *args: str) -> bytes:
    command = [*JANITOR, *args, "--json"]
    return subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of the gigabyte")
    parser.add_argument(
        "--huge", type=int, default=0, help="how many times as much to measure memory with"
    )
    parser.add_argument("--times", type=int, default=3, help="rounds that count")
    parser.add_argument("--where", help="folder to build in; the system's temporary one otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    main()
