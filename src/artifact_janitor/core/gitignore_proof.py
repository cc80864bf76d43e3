"""Whether a new ``.gitignore`` does what the policy says, and nothing else: Git's verdicts in,
what is wrong with them out.

Three sets of rules are asked about each path: a person's own alone, these with our block
("new"), and our block alone ("want"). What the policy wants ignored must be, and what it wants
kept; whatever else there is stays as it was. A file that a person's own rules ignore is never
brought back, but for what the policy is firm about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from artifact_janitor.core.gitignore_rules import Means, Places, Rule


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a set of rules says of a path, and which rule of which file does; "" for none."""

    ignored: bool
    source: str = ""
    line: int = 0
    pattern: str = ""

    @property
    def is_kept_by_rule(self) -> bool:
        return bool(self.pattern) and not self.ignored


@dataclass(frozen=True, slots=True)
class Seen:
    """One path under the three sets of rules. `exists` is False for one that is thought up,
    and `firm` says that the policy may bring it back from a person's own rule."""

    path: str
    alone: Verdict
    new: Verdict
    want: Verdict
    tracked: bool = False
    exists: bool = True
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the policy says. ``rule`` stands in ``line`` of ``file``."""

    code: str
    path: str
    what: str
    hint: str
    file: str = ""
    line: int = 0
    rule: str = ""
    more: int = 0
    """So many other paths are in the same case."""

    @property
    def where(self) -> str:
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}" if self.file else self.path


def meanings(rules: Sequence[Rule]) -> dict[str, Means]:
    """What each line of the policy is for."""
    return {each.text: each.means for each in rules}


def is_closed(seen: Seen, means: Mapping[str, Means]) -> bool:
    """Of a folder: whether nothing inside it need be looked at. Git never looks into one that
    is ignored as a whole, so that all in it shares its fate."""
    if not seen.new.ignored:
        return False
    return seen.alone.ignored or _meant(seen, means) == "ignore"


def conflicts(every: Iterable[Seen], means: Mapping[str, Means]) -> list[Finding]:
    """Why the new file may not be written; what rests on one rule is one finding."""
    return _summed(each for seen in every for each in _clashes(seen, _meant(seen, means)))


def accidents(every: Iterable[Seen], means: Mapping[str, Means]) -> list[Finding]:
    """What is to be kept, and a person's own rule ignores: not ours to bring back. A rule that
    names the very file means it."""
    lost = (
        _lost(each)
        for each in every
        if each.exists and not each.tracked and each.new.ignored
        if _meant(each, means) == "wish" and not _names(each.new.pattern, each.path)
    )
    return _summed(lost)


def misplaced(every: Iterable[Seen], means: Mapping[str, Means]) -> list[Finding]:
    """Tracked files that the policy ignores. They stay tracked: untracking is a person's."""
    found = (each for each in every if each.tracked and _meant(each, means) == "ignore")
    hint = "keep it with [gitignore] keep; or untrack it as docs/how-to/gitignore.md says"
    return _summed(
        Finding("tracked", each.path, _TRACKED, hint, rule=each.want.pattern) for each in found
    )


_TRACKED = "is tracked, though the policy ignores it"


def _meant(seen: Seen, means: Mapping[str, Means]) -> Means | None:
    return means.get(seen.want.pattern)


def _clashes(seen: Seen, meant: Means | None) -> Iterator[Finding]:
    """A rule says nothing to Git about a tracked file."""
    if seen.tracked:
        return
    own, new = seen.alone, seen.new
    if meant == "ignore" and not new.ignored:
        yield _defeated(seen, new)
    elif meant == "ignore" and own.is_kept_by_rule and seen.exists:
        yield _defeated(seen, own)
    elif meant == "keep" and new.ignored:
        yield _swallowed(seen)
    elif own.ignored and not new.ignored and seen.exists and not (meant == "keep" and seen.firm):
        yield _returned(seen)
    elif new.ignored and not own.ignored and meant != "ignore":
        yield _unexpected(seen)


def _defeated(seen: Seen, rule: Verdict) -> Finding:
    what = f"keeps {seen.path}, which the policy ignores by {seen.want.pattern}"
    hint = f"remove the line, or say it in config.toml: [gitignore] keep = [{_toml(seen.path)}]"
    return _by(rule, Finding("defeats", seen.path, what, hint))


def _swallowed(seen: Seen) -> Finding:
    what = f"ignores {seen.path}, which the policy keeps by {seen.want.pattern}"
    return _by(seen.new, Finding("swallows", seen.path, what, _narrower(seen.new)))


def _returned(seen: Seen) -> Finding:
    what = f"ignores {seen.path}, which the policy's rules would bring back"
    return _by(seen.alone, Finding("returns", seen.path, what, _narrower(seen.alone)))


def _unexpected(seen: Seen) -> Finding:
    what = f"{seen.path} would be ignored, and the policy says nothing of it"
    return Finding("unexpected", seen.path, what, "please report this")


def _lost(seen: Seen) -> Finding:
    what = f"ignores {seen.path}, which is meant to be in Git"
    drop = f"[gitignore] drop = [{_toml(seen.want.pattern.removeprefix('!/'))}]"
    hint = f"{_narrower(seen.new)}; if it is right: {drop}"
    return _by(seen.new, Finding("ignored", seen.path, what, hint))


def _narrower(rule: Verdict) -> str:
    """What to write in its place."""
    folder = rule.pattern.rstrip("/*")
    if not rule.pattern.endswith("/") or "*" in folder or not folder:
        return "remove the line, or make it narrower"
    return f"write {folder}/* and what of it shall stay out, in place of {rule.pattern}"


def _by(rule: Verdict, finding: Finding) -> Finding:
    return replace(finding, file=rule.source, line=rule.line, rule=rule.pattern)


def _toml(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"/{quoted}"' if not quoted.startswith("/") else f'"{quoted}"'


def _names(pattern: str, path: str) -> bool:
    """Whether a rule ends with the very name of a file."""
    last = pattern.rstrip("/").rpartition("/")[2]
    return last == path.rpartition("/")[2]


def _summed(found: Iterable[Finding]) -> list[Finding]:
    by: dict[tuple[str, ...], Finding] = {}
    for each in found:
        key = (each.code, each.file, str(each.line), each.rule)
        first = by.get(key)
        by[key] = replace(first, more=first.more + 1) if first else each
    return [*by.values()]


# ------------------------------------------------------------------ what is thought up


_WORD = "janitor-probe"


def probes(rules: Sequence[Rule], own: str, places: Places) -> list[str]:
    """Paths that need not exist, which the rules are about: one or two for each of ours, and
    for each rule by which a person keeps something. And what no rule may ever eat."""
    ours = (each.text for each in rules if each.means != "open")
    kept = (line for line in own.split("\n") if line.startswith("!"))
    made = (path for line in (*ours, *kept) for path in samples(line.strip()))
    known = (
        f"{places.best_models}/probe_meta.json",
        f"{places.best_models}/probe.pt",
        f"{places.models}/hpo_derived/probe/final_model_mlp.json",
        f"{places.models}/hpo_derived/probe/final_model_mlp.pth",
        f"{places.models}/manual_runs/probe/final_model_mlp.json",
        f"{places.hpo_results}/hpo_results_mlp.json",
    )
    return [*dict.fromkeys((*made, *known, *INNOCENT))]


INNOCENT = tuple(
    f"{folder}/{name}/{_WORD}.py"
    for folder in ("src", "lib/src")
    for name in ("logs", "outputs", "wandb", "models")
)


def samples(rule: str) -> Iterator[str]:
    """Files that a rule's pattern is about."""
    pattern = rule.removeprefix("!")
    is_folder = pattern.endswith("/")
    plain = _filled(pattern.strip("/"))
    if not plain or ".." in plain.split("/"):
        return
    ends = ("",) if not is_folder else (f"/{_WORD}.txt",)
    anywhere = "/" not in pattern.rstrip("/") and not pattern.startswith("/")
    for end in ends:
        yield plain + end
        if anywhere:
            yield f"src/{plain}{end}"
    if not is_folder and "*" not in pattern.rpartition("/")[2]:
        yield f"{plain}/{_WORD}.txt"


def _filled(pattern: str) -> str:
    """A path that a pattern matches, as far as that is plain to see; sets of letters aren't."""
    parts = []
    for part in pattern.split("/"):
        if "[" in part:
            return ""
        known = _unescaped(part.replace("**", "*"), lambda char: _WORD if char == "*" else "x")
        parts.append(known)
    return "/".join(parts)


def _unescaped(part: str, fill: Callable[[str], str]) -> str:
    found, literal = [], False
    for char in part:
        if char == "\\" and not literal:
            literal = True
            continue
        found.append(fill(char) if char in "*?" and not literal else char)
        literal = False
    return "".join(found)
