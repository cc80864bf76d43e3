"""Archives, as a person and as a program read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.text import Text

from artifact_janitor.apply.archive.manifest import Member
from artifact_janitor.apply.archive.store import NOT_MOUNTED
from artifact_janitor.archived import Kept
from artifact_janitor.outcome import Outcome
from artifact_janitor.render.lines import line
from artifact_janitor.render.text import FIRST, View, outcome_lines
from artifact_janitor.render.words import moment, plural, shown
from artifact_janitor.restoring import Restored
from artifact_janitor.units import format_duration, format_size


def of_kept(kept: Kept) -> dict[str, Any]:
    head = kept.head
    return {
        "name": kept.name,
        "store": str(kept.store.place),
        "path": kept.unit,
        "kind": head.kind if head else "",
        "bytes": kept.bytes,
        "was": kept.content,
        "made": moment(head.made) if head else None,
        "command": head.command if head else "",
        "reasons": [*head.reasons] if head else [],
        "evidence": [{"fact": fact, "why": why} for fact, why in head.evidence] if head else [],
        "checked": moment(kept.index.checked) if kept.index else None,
        "trouble": kept.trouble,
        "workspace": head.workspace if head else "",
    }


def archives_lines(every: Sequence[Kept], others: int, now: int, view: View) -> Iterator[Text]:
    """`others`: how many more are in the store, of other workspaces as far as is known."""
    if every:
        yield from _listed(every, now, view)
    else:
        yield Text("There are no archives yet.")
    if others:
        more = f"{plural(others, 'archive')} in the store not known to be from here: "
        yield line((more, "dim"), ("janitor archives --all", "bold"))
    yield from _away(every)
    if sound := [each for each in every if not each.trouble and not each.is_others]:
        example = shown(sound[-1].name.rpartition("-")[2])
        yield line("\nBring one back: ", (f"janitor restore {example}", "bold"))


def _listed(every: Sequence[Kept], now: int, view: View) -> Iterator[Text]:
    total = format_size(sum(each.bytes for each in every))
    yield line((plural(len(every), "archive"), "bold"), f" · {total}")
    newest = [*reversed(every)]
    seen = newest if view.all_steps else newest[:FIRST]
    width = max(len(shown(each.unit)) for each in seen)
    for each in seen:
        yield line(
            f"  {shown(each.unit):<{width}}  {_sizes(each):>18}  ",
            f"{_ago(each, now):>14}  ",
            (shown(each.name.rpartition("-")[2] if each.head else each.name), "bold"),
            _said(each),
        )
    if len(newest) > len(seen):
        more = f"… and {len(newest) - len(seen)} more ("
        yield line(more, ("janitor archives --all", "bold"), ")")


def _said(kept: Kept) -> tuple[str, str]:
    if kept.is_away:
        return "   out of reach", "yellow"
    if kept.trouble or kept.head is None:
        return f"   {shown(kept.trouble)}", "bold red"
    if kept.is_others:
        return f"   from {shown(kept.head.workspace) or 'nobody knows where'}", "dim"
    return f"   {shown('; '.join(kept.head.reasons))}", "dim"


def _away(every: Iterable[Kept]) -> Iterator[Text]:
    """Each store that is out of reach, once."""
    for what in dict.fromkeys(each.trouble for each in every if each.is_away):
        yield line((f"{shown(what)}: {NOT_MOUNTED}", "yellow"))


def _sizes(kept: Kept) -> str:
    return f"{format_size(kept.content)} as {format_size(kept.bytes)}"


def _ago(kept: Kept, now: int) -> str:
    return f"{format_duration(max(now - kept.made, 0))} ago" if kept.head else "unknown"


def of_member(member: Member) -> dict[str, Any]:
    return {
        "path": member.path,
        "type": member.type,
        "bytes": member.size,
        "mode": f"{member.mode:04o}",
        "mtime": moment(member.mtime_ns),
        "target": member.target,
        "sha256": member.sha256,
    }


def kept_lines(kept: Kept, members: Iterable[Member]) -> Iterator[Text]:
    """One archive in full."""
    head = kept.head
    assert head is not None
    yield line((shown(kept.name), "bold"), f" · {shown(head.kind)} · {_sizes(kept)}")
    yield line("  from   ", shown(kept.unit))
    yield line("  made   ", moment(head.made), f" by janitor {shown(head.command)}")
    for reason in head.reasons:
        yield line("  why    ", shown(reason))
    for fact, why in head.evidence:
        yield line(f"  {shown(fact)}: ", (shown(why), "dim"))
    yield line("  lies in ", shown(str(kept.store.place)))
    yield Text("")
    for each in members:
        size = format_size(each.size) if each.type in ("file", "link") else each.type
        arrow = f" → {shown(each.target)}" if each.target else ""
        yield line(f"  {size:>8}  ", shown(each.path), (arrow, "dim"))


def archived_lines(
    sweep: str, outcomes: Sequence[Outcome], sizes: tuple[int, int], view: View
) -> Iterator[Text]:
    """`sizes`: bytes of the units before, and of their archives."""
    done = [each for each in outcomes if each.outcome == "done"]
    was, now = map(format_size, sizes)
    said = f" · {was} as {now}" if done else ""
    yield line((f"{plural(len(done), 'unit')} archived", "bold"), said)
    yield from outcome_lines(outcomes, view)
    if done:
        yield line("Take it back: ", (f"janitor undo {sweep}", "bold"))


def restored_lines(back: Restored, *, pinned: bool) -> Iterator[Text]:
    yield line(("restored", "bold"), f" · {format_size(back.bytes)}")
    for path in back.paths:
        yield line("  ", shown(path))
    if back.unset:
        what = plural(back.unset, "extended attribute")
        yield line((f"  {what} could not be set on this filesystem", "yellow"))
    if pinned:
        first = shown(back.paths[0])
        yield line("Pinned, so that the next sweep leaves it: ", (f"janitor unpin {first}", "bold"))


def of_restored(back: Restored) -> dict[str, Any]:
    return {
        "sweep": back.sweep,
        "path": back.unit,
        "restored": [*back.paths],
        "bytes": back.bytes,
        "attributes_unset": back.unset,
    }


def verified_lines(found: Sequence[tuple[Kept, str]]) -> Iterator[Text]:
    """What was read, and what is wrong with it ("" where it is sound)."""
    bad = [(kept, why) for kept, why in found if why]
    if not found:
        yield Text("There are no archives yet.")
        return
    away = [kept for kept, _ in bad if kept.is_away]
    size = format_size(sum(kept.bytes for kept, _ in found if not kept.is_away))
    if len(away) < len(found):
        yield line((f"{plural(len(found) - len(bad), 'archive')} sound", "bold"), f" · {size} read")
    if away:
        yield line((f"{plural(len(away), 'archive')} not read", "bold yellow"))
        yield from _away(away)
    for kept, why in bad:
        if kept.is_away:
            continue
        yield line(("  damaged  ", "bold red"), shown(kept.name), (f"   {shown(why)}", "dim"))
