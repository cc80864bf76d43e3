"""Plans and reports as a person reads them: the answer first, then the detail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.expiry import EXPIRE
from artifact_janitor.core.model import Artifact, Refusal, is_within
from artifact_janitor.core.plan import (
    GITIGNORE,
    GUARDS,
    PUBLISH,
    RETRAIN,
    Kept,
    Plan,
    Step,
    leaving,
)
from artifact_janitor.core.policy import ARCHIVE
from artifact_janitor.core.slimming import SLIM
from artifact_janitor.outcome import SAME, Outcome
from artifact_janitor.render.jobs import handed, handover_row, name_of
from artifact_janitor.render.lines import line, table
from artifact_janitor.render.room import planned_lines, settled_lines
from artifact_janitor.render.words import Row, first_dozen, plural, shown, together, wording
from artifact_janitor.sweep import Report
from artifact_janitor.units import format_duration, format_elapsed, format_size, format_when

FIRST = 12
"""Rows that are shown before "… and 188 more"."""


@dataclass(frozen=True, slots=True)
class View:
    """How much to show, on how wide a screen."""

    width: int
    all_steps: bool = False
    all_kept: bool = False


def plan_lines(plan: Plan, view: View, notes: Iterable[str] = ()) -> Iterator[Text]:
    yield headline(plan)
    yield from _steps(plan, view)
    yield from _refused(plan)
    yield from planned_lines(plan)
    yield from _although(plan, view)
    if view.all_kept:
        yield from _by_rule(plan, view)
    said = (each for each in plan.refused if each.code not in GUARDS)
    yield from _notes([*map(_in_full, said), *notes])
    if plan.steps:
        yield Text()
        yield line(
            "Next: ", ("janitor run", "bold"), "        undo afterwards: ", ("janitor undo", "bold")
        )


def headline(plan: Plan) -> Text:
    units = [each for each in plan.kept if each.artifact.kind != "unknown" and each.is_unit]
    going = [step for step in plan.steps if step.do not in ("purge", EXPIRE) and not step.stays]
    slimmed = sum(step.do == SLIM for step in going)
    packed = sum(step.do == COMPRESS for step in going)
    count = len([*leaving(plan)]) - packed
    frees = sum(step.artifact.frees for step in plan.steps)
    if not plan.steps:
        verb = "stays" if len(units) == 1 else "stay"
        return line(("Nothing to do", "bold"), f" · {plural(len(units), 'unit')} {verb}")
    studies = len({step.path for step in plan.steps if step.do == RETRAIN})
    stay = slimmed + packed + studies + len(units)
    of_all = f"{count} of {plural(count + stay, 'unit')} go"
    purges = sum(step.do == "purge" for step in plan.steps)
    expiries = sum(step.do == EXPIRE for step in plan.steps)
    parts = [*handed(plan.steps, "to train", "to publish")]
    parts += [of_all] if len(going) > packed else []
    parts += [f"{plural(packed, 'log')} compressed"] if packed else []
    parts += [f"{plural(expiries, 'archive')} {_verb(expiries)}"] if expiries else []
    parts += [f"{plural(purges, 'unit')} leave the trash for good"] if purges else []
    parts += [".gitignore to be written"] if any(s.do == GITIGNORE for s in plan.steps) else []
    archives = sum(step.do == ARCHIVE for step in plan.steps)
    less = f", less what {plural(archives, 'archive')} will take" if archives else ""
    parts += [f"frees {format_size(frees)}{less}"] if going or purges or expiries else []
    parts += ["nothing has been changed"]
    return line(("Plan " + plan.id, "bold"), *(f" · {part}" for part in parts))


def _verb(count: int) -> str:
    return "expires" if count == 1 else "expire"


def _steps(plan: Plan, view: View) -> Iterator[Text]:
    rows = sorted(_grouped(plan.steps), key=_rank)
    seen = rows if view.all_steps else rows[:FIRST]
    if seen:
        yield Text()
        yield from table((_row(group, plan.now) for group in seen), view.width)
    if len(rows) > len(seen):
        yield _more(sum(map(len, rows[len(seen) :])), "janitor plan --all")


def _rank(group: Sequence[Step]) -> tuple[bool, int, str]:
    """Models and ``.gitignore`` first; then what frees most."""
    return not group[0].stays, -_frees(group), group[0].path


def _grouped(steps: Iterable[Step]) -> list[list[Step]]:
    """One group a row: the checkpoints of one run that go for the same reasons share one,
    whatever the numbers in them."""
    groups: dict[tuple[str, ...], list[Step]] = {}
    for step in steps:
        alone = step.do in ("purge", EXPIRE) or step.artifact.kind != "checkpoint"
        like = (step.do, step.artifact.within, *map(wording, step.reasons))
        key = (step.path, *step.mark) if alone else like
        groups.setdefault(key, []).append(step)
    return [*groups.values()]


def _frees(group: Iterable[Step]) -> int:
    return sum(step.artifact.frees for step in group)


def _row(group: Sequence[Step], now: int) -> Row:
    if group[0].stays:
        return handover_row(group[0], now)
    step, newest = group[0], max((each.artifact for each in group), key=lambda each: each.time)
    slims = step.do == SLIM
    size = format_size(_frees(group) if slims else sum(each.artifact.bytes for each in group))
    held = step.inside and not slims
    inside = f"; with {plural(len(step.inside), 'unit')} inside" if held else ""
    inside = f"; was {step.stored.unit}" if step.stored else inside
    reasons = ", ".join(map(together, zip(*(each.reasons for each in group), strict=True))) + inside
    path = step.path
    if len(group) > 1:
        names = sorted(each.path[len(step.artifact.within) + 1 :] for each in group)
        more = f" … {names[-1]}" if len(names) > 2 else f", {names[-1]}"
        path = step.artifact.within
        reasons = f"{len(group)} checkpoints ({names[0]}{more}): {reasons}"
    return step.do, path, size, age(newest, now), reasons


def age(artifact: Artifact, now: int) -> str:
    return format_duration(now - artifact.time) if artifact.time <= now else "future"


def _more(count: int, command: str) -> Text:
    return line(f"  … and {count} more (", (command, "bold"), ")")


def _refused(plan: Plan) -> Iterator[Text]:
    guarded = [each for each in plan.refused if each.code in GUARDS]
    if guarded:
        yield Text()
        yield line(("Held back", "bold yellow"))
    for each in guarded:
        yield line("  ", (shown(each.message), "yellow"))
        if each.hint:
            yield line("    → ", (shown(each.hint), "bold"))


def _although(plan: Plan, view: View) -> Iterator[Text]:
    """Units that a policy would let go, and what holds them: where people look first."""
    shown_too = plan.kept if view.all_kept else (each for each in plan.kept if not _expected(each))
    kept = [each for each in shown_too if each.otherwise]
    kept.sort(key=lambda each: (-each.artifact.bytes, each.artifact.path))
    seen = kept if view.all_kept else kept[:FIRST]
    if seen:
        yield Text()
        yield line((f"Kept although old ({len(kept)})", "bold"))
        yield from table((_kept_row(each, plan.now) for each in seen), view.width)
    if len(kept) > len(seen):
        yield _more(len(kept) - len(seen), "janitor plan --kept")
    pinned = sum(bool(each.otherwise) and _facts(each) == {"pinned"} for each in plan.kept)
    if pinned and not view.all_kept:
        said = f"\nPinned, so they stay too: {plural(pinned, 'unit')} ("
        yield line(said, ("janitor status", "bold"), ")")


def _facts(kept: Kept) -> set[str]:
    return {each.fact for each in kept.protections}


def _expected(kept: Kept) -> bool:
    """No surprise: pins, a part of what lives, and of a run that stays the best checkpoint,
    or one that its own links point to."""
    expected = {"thinned", "pinned", "active"}
    here, run = kept.artifact.path, kept.artifact.within
    return all(
        each.fact in expected
        or (each.source and is_within(here, each.source))
        or (run and each.source and is_within(each.source, run))
        for each in kept.protections
    )


def _kept_row(kept: Kept, now: int) -> Row:
    hints = [each.hint for each in kept.protections if each.hint]
    reasons = kept.reasons[0] if kept.reasons else ""
    more = f" (and {len(kept.reasons) - 1} more)" if len(kept.reasons) > 1 else ""
    way_out = f" → {hints[0]}" if hints else ""
    artifact = kept.artifact
    size = format_size(artifact.bytes)
    return artifact.kind, artifact.path, size, age(artifact, now), reasons + more + way_out


def _by_rule(plan: Plan, view: View) -> Iterator[Text]:
    kept = [each for each in plan.kept if not each.otherwise]
    kept.sort(key=lambda each: each.artifact.path)
    if kept:
        yield Text()
        yield line((f"Kept ({len(kept)})", "bold"))
        yield from table(
            (
                (
                    each.artifact.kind,
                    each.artifact.path,
                    format_size(each.artifact.bytes),
                    age(each.artifact, plan.now),
                    ", ".join(each.reasons),
                )
                for each in kept
            ),
            view.width,
        )


def _in_full(refusal: Refusal) -> str:
    return f"{refusal.message}: {refusal.hint}" if refusal.hint else refusal.message


def _told(plan: Plan) -> Iterator[str]:
    """What keeps ``.gitignore`` from being written is said by a run, too."""
    return (_in_full(each) for each in plan.refused if each.code == GITIGNORE)


def _notes(notes: Sequence[str]) -> Iterator[Text]:
    if notes:
        yield Text()
    for note in first_dozen(notes, "--json"):
        yield line(("note: " + shown(note), "dim"))


def report_lines(report: Report, view: View, trash_keep: int) -> Iterator[Text]:
    for found in report.recovered:
        yield line(("after an interruption: ", "yellow"), shown(found))
    yield _summary(report, trash_keep)
    yield from settled_lines(report)
    yield from outcome_lines(report.outcomes, view)
    yield from _notes([*_told(report.plan), *report.notes])
    if any(each.took or _published(each) for each in report.outcomes):
        yield line("Take it back: ", (f"janitor undo {report.sweep}", "bold"))


def _published(outcome: Outcome) -> bool:
    changed = outcome.outcome == "done" and outcome.code != SAME
    return changed and outcome.step.do in (PUBLISH, GITIGNORE)


def _summary(report: Report, trash_keep: int) -> Text:
    done = [each.step for each in report.outcomes if each.outcome == "done"]
    trashed = [unit.frees for each in report.outcomes for unit in each.took]
    purged = [step.frees_now for step in done if step.do == "purge"]
    if not report.outcomes:
        return line(("Nothing to do", "bold"))
    handover = [*handed(done, "in training", "published")]
    archived, packed, expired = (
        sum(step.do == do for step in done) for do in (ARCHIVE, COMPRESS, EXPIRE)
    )
    handover += [".gitignore written"] if any(s.do == GITIGNORE for s in done) else []
    none = not trashed and (purged or handover)
    parts = [*handover, *([] if none else [f"{plural(len(trashed), 'unit')} in the trash"])]
    if trashed:
        until = format_when(report.ended + trash_keep, report.ended)
        parts.append(f"{format_size(sum(trashed))} free when it is purged, from {until}")
    if archived:
        parts.append(f"{archived} of them archived")
    if packed:
        parts.append(f"{packed} of them stay compressed")
    if expired:
        parts.append(f"{plural(expired, 'archive')} among them")
    if purged:
        parts.append(f"freed {format_size(sum(purged))}")
    for word in ("skipped", "failed"):
        count = sum(each.outcome == word for each in report.outcomes)
        parts += [f"{count} {word}"] if count else []
    took = format_elapsed(report.ended - report.started)
    return line((f"Done in {took}", "bold"), *(f" · {part}" for part in parts))


def outcome_lines(outcomes: Sequence[Outcome], view: View) -> Iterator[Text]:
    """What did not go as planned, guards summed up."""
    odd = [each for each in outcomes if each.outcome != "done" and each.code != "guard"]
    held = {each.why for each in outcomes if each.code == "guard"}
    for why in sorted(held):
        count = sum(each.why == why for each in outcomes)
        yield line((f"  {plural(count, 'unit')} {shown(why)}", "yellow"))
    for each in odd if view.all_steps else odd[:FIRST]:
        style = "bold red" if each.outcome == "failed" else "bold"
        path = f"  {shown(name_of(each.step))}   "
        yield line("  ", (each.outcome, style), path, (shown(each.why), "dim"))
    if len(odd) > FIRST and not view.all_steps:
        yield Text(f"  … and {len(odd) - FIRST} more (janitor history shows all)")
