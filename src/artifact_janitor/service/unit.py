"""The text of a unit: how systemd wants values written, and how ours are known again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from artifact_janitor.errors import UsageError

ALONE = "\n# For the janitor alone."
"""Begins what a template forbids to the janitor, and must not to a training."""
_SEAL = "\n[X-Janitor]\n"
"""A section that systemd passes over: whose unit this is, and what we wrote."""
_UNSAYABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""What no line of a unit can hold: controls, bytes that are no text, and no characters."""
_LINE = re.compile(r"^(\w+)=.*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A unit that `sealed` made: for which workspace, and whether it was edited since."""

    workspace: str
    edited: bool


def quoted(text: str, before: str = "") -> str:
    """One word of a setting that takes several, `before` in front of it: see systemd.syntax(7)
    for quotes and backslashes, systemd.unit(5) for "%"."""
    inner = escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{before}{inner}"'


def escaped(text: str) -> str:
    """A value that takes no quotes. Raises UsageError for what no unit can say."""
    if _UNSAYABLE.search(text):
        what = (
            "no unit of systemd's can say this name: it holds a control, or bytes that are no UTF-8"
        )
        raise UsageError(what, "rename it, or run the janitor by cron", text)
    return text.replace("%", "%%")


def filled(template: str, values: Mapping[str, Sequence[str]]) -> str:
    """The template with these settings instead of its own, each on as many lines as it has
    values. A setting that occurs several times is replaced where it stands first."""
    done: set[str] = set()

    def lines(found: re.Match[str]) -> str:
        key = found[1]
        if key not in values:
            return found[0]
        first = key not in done
        done.add(key)
        return "".join(f"{key}={each}\n" for each in values[key]) if first else ""

    return _LINE.sub(lines, template)


def shared(template: str) -> str:
    """The template for a unit in which trainings run too: nothing is forbidden, since a training
    may need devices, networks, homes, or a program that becomes root to load a driver; and the
    unit's end is not theirs."""
    head, _, rest = template.partition(ALONE)
    install = rest.partition("\n[Install]")
    return head.replace("KillMode=mixed", "KillMode=process") + "".join(install[1:])


def sealed(text: str, workspace: str) -> str:
    """With a last section by which we know our own unit, and whether somebody edited it."""
    mine = f"{text.rstrip()}\n{_SEAL}Workspace={quoted(workspace)}\n"
    return f"{mine}Written={_sum(mine)}\n"


def read(text: str) -> Sealed | None:
    """What the seal of a unit says; None where we didn't write it."""
    _, found, seal = text.partition(_SEAL)
    said = re.search(r'^Workspace="(.*)"$', seal, re.MULTILINE)
    if not found or said is None:
        return None
    workspace = re.sub(r"\\(.)", r"\1", said[1]).replace("%%", "%")
    mine, _, written = text.partition("Written=")
    return Sealed(workspace, written != f"{_sum(mine)}\n")


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
