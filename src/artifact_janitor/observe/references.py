"""Who names a unit: Git, symlinks, sidecars and tracked configs protect what they name (S5)."""

from __future__ import annotations

import codecs
import json
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import chain
from pathlib import Path

from artifact_janitor.core.model import CACHES, Artifact, Evidence, ancestors, is_within
from artifact_janitor.mounts import mount_points
from artifact_janitor.observe.measure import mounts_below
from artifact_janitor.observe.reading import head
from artifact_janitor.state import STATE

References = dict[str, list[Evidence]]

CONFIGS = frozenset(".yaml .yml .json .toml .ini .cfg .conf .env .sh .py .sbatch .slurm".split())
"""Tracked files that may name a run to resume from or to evaluate; ``.env`` is one as a whole."""

_LIMIT = 4 << 20
"""Bytes read of a file that might name something."""

_ELSEWHERE = frozenset({".git", STATE, ".venv", "venv", "node_modules", "site-packages"})
"""Folders outside the roots that hold no references of the user's own."""

_INSTALLED = frozenset({"pyvenv.cfg", "conda-meta"})
"""Marks of a Python environment: what lies in one belongs to its installer."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""How a text begins that is no UTF-8: what Windows writes. The longer marks come first."""

_HOPS = 40
"""Links in a row: the kernel follows no more."""

_STRINGS = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)', re.DOTALL)
"""Each text in quotation marks. The last one may be left open, so that nothing is read twice."""
_NAME_GOES_ON = re.compile(r"[\w\-]")
_PATH_GOES_ON = re.compile(r"\.*[\w\-]")
_SLASHES = re.compile(r"/(?:\.?/)*")
_YAML_BYTE = re.compile(r"\\x([0-9a-fA-F]{2})")


def elsewhere(
    base: Path, roots: Collection[str], others: Iterable[str], sidecar_folders: Iterable[str]
) -> Names:
    """Symlinks, sidecars and caches of the workspace outside its roots.

    `others` are known folders that no cache is looked for in. What lies in a cache is left
    to whoever reads it.
    """
    names, skip = Names(), {*roots, *_real_places(base, roots)}
    known = {*roots, *others}
    closed = known.union(_real_places(base, known))
    apart = closed.union(mounts_below(base, "", mount_points())) - {""}
    stack = [("", True)]
    while stack:
        folder, is_open = stack.pop()
        entries = _entries(base / folder)
        is_open = is_open and folder not in apart and not _is_apart(entries, folder)
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_symlink():
                with suppress(FileNotFoundError):  # it went while we looked
                    names.links[path] = os.readlink(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                is_cache = is_open and entry.name in CACHES
                if is_cache and not any(is_within(each, path) for each in closed):
                    names.caches.append(path)
                elif entry.name not in _ELSEWHERE and path not in skip:
                    stack.append((path, is_open and not is_cache))
            elif is_sidecar(path, sidecar_folders):
                names.sidecars.append(path)
    return names


def _real_places(base: Path, folders: Iterable[str]) -> Iterator[str]:
    """Where folders that are symlinks lead to, if that is in the workspace."""
    for real in (os.path.realpath(base / folder) for folder in folders):
        if is_within(real, str(base)):
            yield real[len(str(base)) + 1 :]


def _is_apart(entries: Iterable[os.DirEntry[str]], folder: str) -> bool:
    """Whether a folder is another Git repository, or an environment that was installed."""
    names = {entry.name for entry in entries}
    return bool(folder and ".git" in names) or not _INSTALLED.isdisjoint(names)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [*entries]
    except OSError:
        return []  # outside the roots nothing is touched; what can't be read names nothing


class Names:
    """Things that may name a unit: symlinks (path → target) and sidecar files.

    And the caches that were met on the way.
    """

    def __init__(self) -> None:
        self.links: dict[str, str] = {}
        self.sidecars: list[str] = []
        self.caches: list[str] = []


def is_sidecar(path: str, sidecar_folders: Iterable[str]) -> bool:
    """``*_meta.json`` anywhere, and any JSON beside the published models."""
    if not path.endswith(".json"):
        return False
    return path.endswith("_meta.json") or any(is_within(path, each) for each in sidecar_folders)


def is_config(path: str) -> bool:
    """Whether a tracked file may name a run, by its name; on Windows nobody minds capitals."""
    name = path.rpartition("/")[2].lower()
    return os.path.splitext(name)[1] in CONFIGS or name == ".env" or name.startswith(".env.")


def _other_names(base: Path, root: str) -> Iterator[str]:
    """Where a root leads to that is a link, or lies behind one, at each step of the way: in
    full, as ``Path.resolve()`` writes it, and as seen from the workspace. A folder around that
    is no such step, though a link may pass it: it would name everything."""
    place = str(base / root)
    found = [os.path.realpath(place)]
    while os.path.islink(place) and len(found) < _HOPS:
        place = os.path.normpath(os.path.join(os.path.dirname(place), os.readlink(place)))
        found.append(place)
    for each in found if found[0] != str(base / root) else ():
        if os.path.commonpath((each, base)) != each:
            yield each
            yield os.path.relpath(each, base)


def _starting(names: Iterable[str], before: str = "") -> re.Pattern[str]:
    """Finds where a path begins with one of these names."""
    places = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.compile(f"(?<![\\w-]){before}(?P<root>{places or '(?!)'}){_SLASHES.pattern}")


class Index:
    """The units by path and by name, to look up what is said about them."""

    def __init__(
        self,
        base: Path,
        roots: Iterable[str],
        artifacts: Iterable[Artifact],
        run_ids: Mapping[str, str],
    ) -> None:
        """`run_ids` are W&B's names of its runs, by path."""
        self.base = base
        self.roots = tuple(roots)
        self.artifacts = tuple(artifacts)
        self.run_ids = run_ids
        self.units = {each.path for each in self.artifacts if each.kind != "unknown"}
        self.caches = {each.path for each in self.artifacts if each.kind == "cache"}
        named = (each for each in self.caches if not each.endswith("__pycache__"))
        self._known = {*self.roots, *named}
        others = ((name, root) for root in self.roots for name in _other_names(base, root))
        self._elsewhere = {name: root for name, root in others if name not in self._known}
        """The roots by where they lead to."""
        self._mention = _starting({*self._known, *self._elsewhere})

    @property
    def from_outside(self) -> list[str]:
        """How a text outside the workspace begins to name what is in its roots."""
        return [*(f"{self.base.name}/{root}" for root in self.roots), *self._elsewhere]

    @cached_property
    def _from_outside(self) -> tuple[re.Pattern[str], ...]:
        before = re.escape(self.base.name) + _SLASHES.pattern
        return _starting(self._known, before), _starting(self._elsewhere)

    @cached_property
    def names(self) -> dict[str, set[str]]:
        """What each folder holds, as far as units are in it."""
        names: defaultdict[str, set[str]] = defaultdict(set)
        for artifact in self.artifacts:
            for path in (artifact.path, *ancestors(artifact.path)):
                above, _, name = path.rpartition("/")
                if name in names[above]:
                    break
                names[above].add(name)
        return names

    @cached_property
    def runs(self) -> dict[str, set[str]]:
        """Runs by W&B's IDs, and by the ends of their paths."""
        runs: defaultdict[str, set[str]] = defaultdict(set)
        for artifact in self.artifacts:
            if artifact.kind not in ("checkpoint", "log", "cache", "unknown"):
                parts = artifact.path.split("/")
                for start in range(len(parts)):
                    runs["/".join(parts[start:])].add(artifact.path)
        for path, run_id in self.run_ids.items():
            runs[run_id].add(path)
        return runs

    @cached_property
    def longest(self) -> dict[str, int]:
        """Letters in the longest name that each folder holds."""
        return {folder: max(map(len, names)) for folder, names in self.names.items()}

    @cached_property
    def depth(self) -> int:
        """Names in the longest path of a unit."""
        return max((each.path.count("/") + 1 for each in self.artifacts), default=1)

    def around(self, path: str) -> Iterator[str]:
        """The units that are at `path` or contain it."""
        return (each for each in (path, *ancestors(path)) if each in self.units)

    def pointed_at(self, link: str, target: str) -> Iterator[str]:
        """The units that a symlink names.

        A link to a folder that only holds units (a date, say) names each of them; one to
        a root or to something above it names none.
        """
        path = self._resolved(link, target)
        if path is None or path in self.roots:
            return
        units = set(self.around(path))
        if not units and any(is_within(path, root) for root in self.roots):
            units = {unit for unit in self.units if is_within(unit, path)}
        yield from units

    def _resolved(self, link: str, target: str) -> str | None:
        """Where a link leads, as a path in the workspace; roots may be symlinks themselves."""
        real = os.path.realpath(self.base / link)
        for root in self.roots:
            real_root = os.path.realpath(self.base / root)
            if is_within(real, real_root):
                return root + real[len(real_root) :]
        lexical = os.path.normpath(os.path.join(self.base / os.path.dirname(link), target))
        return lexical[len(str(self.base)) + 1 :] if is_within(lexical, str(self.base)) else None

    def mentioned(self, text: str, *, outside: bool = False) -> set[str]:
        """The units that a text names by path: in whole, by something inside them, or by a
        folder that only holds units (a date, say), if nothing in it is meant.

        A cache is named by something inside it: its own path is where a program is told to
        keep it. From `outside` the workspace's own name comes first.
        """
        found: set[str] = set()
        seen: set[tuple[str, bool]] = set()
        patterns = self._from_outside if outside else (self._mention,)
        for match in chain.from_iterable(each.finditer(text) for each in patterns):
            root = self._elsewhere.get(match["root"], match["root"])
            path, end = self._longest(root, text, match.end())
            goes_on = _PATH_GOES_ON.match(text, end) is not None
            if (path, goes_on) in seen:
                continue
            seen.add((path, goes_on))
            around = [*self.around(path)] if goes_on or path not in self.caches else []
            if not around and path != root and not goes_on:
                around = [unit for unit in self.units if is_within(unit, path)]
            found.update(around)
        return found

    def _longest(self, folder: str, text: str, start: int) -> tuple[str, int]:
        """Follow the text name by name as far as it names something that exists."""
        while name := self._next_name(folder, text, start):
            folder, start = f"{folder}/{name}", start + len(name)
            slashes = _SLASHES.match(text, start)
            if slashes is None:
                break
            start = slashes.end()
        return folder, start

    def _next_name(self, folder: str, text: str, start: int) -> str:
        known = self.names.get(folder, ())
        for end in range(min(len(text), start + self.longest.get(folder, 0)), start, -1):
            if text[start:end] in known and not _NAME_GOES_ON.match(text[end : end + 1]):
                return text[start:end]
        return ""

    def named(self, text: str) -> set[str]:
        """The runs that a sidecar names by any string: a path, or a run's own name."""
        found = self.mentioned(text)
        for value in (_plain(each) for each in _STRINGS.findall(text)):
            parts = value.strip("/").split("/", self.depth)[: self.depth]
            for end in range(1, len(parts) + 1):
                found |= self.runs.get("/".join(parts[:end]), set())
        return found


def references(index: Index, names: Names, tracked: Iterable[str]) -> References:
    """All evidence "reference", by unit. A thing inside a unit never refers to itself."""
    found: References = defaultdict(list)

    def say(units: Iterable[str], source: str, why: str) -> None:
        for unit in units:
            if not is_within(source, unit):
                found[unit].append(Evidence("reference", why, source=source))

    for link, target in names.links.items():
        say(index.pointed_at(link, target), link, f"the link {link} points to it")
    sidecars = set(names.sidecars)
    for path in sidecars:
        say(index.named(_text(index.base / path)), path, f"{path} names it")
    for path in tracked:
        for unit in index.around(path):
            what = path[len(unit) + 1 :] or "it"
            found[unit].append(Evidence("reference", f"Git tracks {what}"))
        if is_config(path) and path not in sidecars:
            outside = path.startswith("../")
            named = index.mentioned(_text(index.base / path), outside=outside)
            say(named, path, f"{path}, which Git tracks, names it")
    return found


def _text(path: Path) -> str:
    """A file's text, and once more its quoted strings where escapes hide what they say:
    Python's ``json`` writes "mod\\u00e8le"."""
    text = _decoded(head(path, _LIMIT))
    return "\n".join([text, *(_plain(each) for each in _STRINGS.findall(text) if "\\" in each)])


def _decoded(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    return content.decode("utf-8", "surrogateescape")


def _plain(quoted: str) -> str:
    """What a string in double quotes says, in JSON or YAML."""
    as_json = _YAML_BYTE.sub(r"\\u00\1", quoted)
    try:
        said = json.loads(f'"{as_json}"', strict=False)
    except ValueError:
        return quoted
    return said if isinstance(said, str) else quoted
