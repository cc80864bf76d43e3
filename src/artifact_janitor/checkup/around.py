"""Checks of what is around: the clock, processes, Git, W&B, limits."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

from artifact_janitor import clock as clocks
from artifact_janitor import gitignoring
from artifact_janitor.checkup.check import Found, Place, ok, problem, some, warning
from artifact_janitor.checkup.ground import future, is_remote
from artifact_janitor.core.gitignore import FILE
from artifact_janitor.core.model import is_within
from artifact_janitor.mounts import mount_of
from artifact_janitor.observe import git, wandb_outside
from artifact_janitor.state import STATE
from artifact_janitor.units import format_size

_FEWEST = 256
"""Open files: one is needed for each folder on the way down a tree, and some more."""
_DEPTH = 3
"""Folders below the workspace in which W&B's are looked for."""


def clock(place: Place) -> Iterator[Found]:
    """Whether ages can be believed."""
    before = place.journal.clock() if place.journal else None
    if before and (why := clocks.doubtful(clocks.Reading(*before), clocks.read())):
        hint = "date; if the clock is right now: janitor run --override-guards"
        yield warning(f"{why}: nothing goes by age", hint)
    elif odd := [*future(place), *_unkept(place)]:
        yield from odd
    else:
        kept = {True: "kept by NTP, and ", False: "not kept by NTP; ", None: ""}[clocks.is_kept()]
        yield ok(kept + ("agrees with the last sweep and the files" if before else "nothing odd"))


def _unkept(place: Place) -> Iterator[Found]:
    """On one host's own disks an offset is no matter: all times have it."""
    mounts = ((root, mount_of(place.grounds[root])) for root in place.roots)
    remote = [root for root, mount in mounts if mount and is_remote(mount)]
    if remote and clocks.is_kept() is False:
        what = f"it is not kept by NTP, and {remote[0]} has times of other hosts: ages may be wrong"
        yield warning(what, "timedatectl set-ntp true, and leave grace at a day or more", remote[0])


def processes(place: Place) -> Iterator[Found]:
    """Whether we see who uses a run."""
    if not os.path.isdir("/proc/self"):
        yield problem("/proc is not mounted: nobody can tell what runs", "mount -t proc proc /proc")
        return
    hidden = place.activity.hidden
    if not os.path.isdir("/proc/1"):
        hint = "mount -o remount,hidepid=0 /proc, or run as root"
        yield warning("processes of other users are not even listed (hidepid)", hint)
    elif hidden:
        yield ok(f"not to be looked into: {hidden} of other users; leases answer for our files")
    else:
        yield ok("all can be looked into")


def repository(place: Place) -> Iterator[Found]:
    """What Git tracks stays; and Git may take what is ours."""
    workspace = place.settings.workspace
    if not git.in_repository(workspace):
        yield ok("no repository here")
        return
    try:
        tracked = git.tracked(workspace)
        ignored = git.is_ignored(workspace, f"{STATE}/journal.db")
        distrust = git.distrust(workspace)
    except git.GitUnknown as error:
        hint = "mend Git; until then all stays"
        yield problem(f"nobody can tell what Git tracks here: {error}", hint)
        return
    inside = [name for name in tracked if any(is_within(name, root) for root in place.roots)]
    if inside:
        what = f"{some(len(inside), 'tracked file')} in the folders of runs: {inside[0]}"
        yield warning(f"{what}; what holds them stays", f"git ls-files {' '.join(place.roots)}")
    else:
        yield ok(f"{some(len(tracked), 'tracked file')}, none in the folders of runs")
    if distrust:
        hint = f"git config --global --add safe.directory {workspace}"
        yield warning(f"Git does not trust this repository: {distrust}", hint)
    if place.state.folder.is_dir():
        yield from _taken_by_git(ignored=ignored)


def rules(place: Place) -> Iterator[Found]:
    """Whether ``.gitignore`` is in line; what it means to each path, `gitignore check` says."""
    sight = gitignoring.look(place.settings)
    if sight is None:
        yield ok("no repository here")
    elif sight.flaw:
        yield warning(f"{FILE}: {sight.flaw.what}", sight.flaw.hint, FILE)
    elif sight.change and sight.drifts:
        yield warning(f"{FILE}: {gitignoring.drift(sight.change)}", "janitor gitignore sync", FILE)
    else:
        yield ok(f"{FILE} says what the policy says")


def _taken_by_git(*, ignored: bool) -> Iterator[Found]:
    if not ignored:
        what = f"Git doesn't ignore {STATE}: git add -A would take the trash in"
        yield warning(what, f"echo '*' > {STATE}/.gitignore", STATE)
    what = f"{STATE} lies in a repository: git clean -fdx would remove journal and trash"
    yield warning(what, f"git clean -fdx -e {STATE}", STATE)


def wandb(place: Place) -> Iterator[Found]:
    """W&B's folders that no policy sees, and what it keeps outside the project."""
    workspace, folders = place.settings.workspace, place.settings.folders
    for path in _unknown_folders(place):
        names = ", ".join(f'"{each}"' for each in (*folders.wandb, path))
        hint = f"name it in config.toml: [folders] wandb = [{names}]"
        yield warning(f"{path} holds W&B runs that the janitor doesn't look at", hint, path)
    staging = wandb_outside.staging_folder(workspace, place.environ)
    found = wandb_outside.held(workspace, place.environ)
    for each in found:
        size = f"{each.path}: {format_size(each.bytes)} in {some(each.files, 'file')}"
        if each.path == staging:
            yield from _staged(place, size, staging)
        else:
            hint = f" ({each.hint} makes it smaller)" if each.hint else ""
            yield ok(f"{size}, {each.what}{hint}", each.path)
    if not found:
        yield ok("nothing staged, and no cache")


def _staged(place: Place, size: str, staging: str) -> Iterator[Found]:
    waiting = wandb_outside.waiting(place.settings.workspace, _runs(place), staging)
    what = f"{size}: of artifacts that W&B has not uploaded yet, or left behind"
    if waiting:
        count, (first, *_) = sum(waiting.values()), sorted(waiting)
        what = f"{size}; {count} of them are the only copy of what runs here wait to upload"
        yield warning(f"{what}: {first}", f"wandb sync {first}; don't empty the folder", staging)
    else:
        hint = "don't empty it as long as an offline run of any project is not synced"
        yield warning(what, hint, staging)


def _runs(place: Place) -> Iterator[str]:
    """Folders of W&B runs in the configured folders."""
    for root in place.roots:
        for folder, names, _ in os.walk(os.path.join(place.base, root)):
            if os.path.basename(folder) in ("wandb", ".wandb"):
                inside = folder[len(place.base) + 1 :]
                yield from (f"{inside}/{name}" for name in names if _is_run(name))


def _is_run(name: str) -> bool:
    return name.startswith(("run-", "offline-run-"))


def _unknown_folders(place: Place) -> Iterator[str]:
    """W&B's folders in the project that lie in none of the configured ones."""
    for folder, names, _ in os.walk(place.base):
        inside = folder[len(place.base) + 1 :]
        if any(_is_run(name) for name in names) and os.path.basename(inside) in ("wandb", ".wandb"):
            yield inside
        deep = inside.count("/") + 2 > _DEPTH if inside else False
        names[:] = [] if deep else [name for name in names if _is_open(place, inside, name)]


def _is_open(place: Place, inside: str, name: str) -> bool:
    path = f"{inside}/{name}" if inside else name
    hidden = name.startswith(".") and name != ".wandb"
    return not hidden and path not in place.roots and name not in ("node_modules", "site-packages")


def limits(place: Place) -> Iterator[Found]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FEWEST:
        what = f"only {soft} files may be open at once: deep folders can't be read, and stay"
        yield warning(what, f"ulimit -n {min(hard, 4096) if hard > 0 else 4096}")
    else:
        yield ok(f"{'any number of' if soft < 0 else soft} files may be open at once")
