"""S8: policies and guards."""

from __future__ import annotations

from tests.proof.mutants.breaks.table import Break

GUARDS = ("core/test_plan.py",)

S8 = (
    Break(
        "a kind without a policy goes",
        "core/retention.py",
        "verdicts[artifact.path] = Verdict(artifact, None, True, (_ungoverned(artifact),))",
        "verdicts[artifact.path] = Verdict(artifact, None, False, (_ungoverned(artifact),))",
        ("core/test_retention_edges.py", "core/test_retention_table.py"),
    ),
    Break(
        "a policy may keep nothing",
        "config/checks.py",
        'return "keeps nothing: add a keep_… rule, or remove the policy"',
        'return ""',
        ("test_config_errors.py",),
    ),
    Break(
        "any share of a kind may go at once",
        "core/shares.py",
        "if units < EXEMPT_BELOW or share <= max_share:",
        "if True:",
        GUARDS,
    ),
    Break(
        "the guard counts units alone",
        "core/shares.py",
        "share = max(gone / units, freed / size if size else 0)",
        "share = gone / units",
        GUARDS,
    ),
    Break(
        "the guard counts bytes alone",
        "core/shares.py",
        "share = max(gone / units, freed / size if size else 0)",
        "share = freed / size if size else 0",
        GUARDS,
    ),
    Break(
        "larger kinds are exempt",
        "core/shares.py",
        "EXEMPT_BELOW = 10",
        "EXEMPT_BELOW = 11",
        GUARDS,
    ),
    Break(
        "what went today is forgotten",
        "core/shares.py",
        "recent = catalogue.recent.get(kind, Tally())",
        "recent = Tally()",
        GUARDS,
    ),
    Break(
        "the journal forgets what went today",
        "looking.py",
        "recent=journal.recent(now - DAY),",
        "recent=journal.recent(now),",
        ("test_guards.py::test_what_went_within_a_day_counts",),
    ),
    Break(
        "what went with a person's yes counts",
        "journal/__init__.py",
        'AND at >= ? AND NOT by_person "',
        'AND at >= ? "',
        ("test_guards.py::test_what_a_person_let_go_does_not_count",),
    ),
    Break(
        "what is archived doesn't count",
        "core/plan.py",
        "leave = [step for step in steps if step.do != COMPRESS]",
        "leave = [step for step in steps if step.do not in (COMPRESS, ARCHIVE)]",
        ("test_archives.py::test_the_guard_counts_archives",),
    ),
    Break(
        "archives that expire don't count",
        "core/plan.py",
        "_overdrawn(catalogue, [*retention, *expiries], safety.max_share)",
        "_overdrawn(catalogue, retention, safety.max_share)",
        ("core/test_expiry.py::test_the_guards_count_archives_by_what_is_in_them",),
    ),
    Break(
        "purges are held back",
        "core/plan.py",
        'kinds = ("",) if step.do in ("purge", COMPRESS) else ("", step.kind)',
        'kinds = ("", step.kind)',
        ("core/test_plan.py", "test_guards.py::test_a_purge_is_no_loophole_and_not_held_back"),
    ),
    Break(
        "all kinds are held back with one",
        "core/plan.py",
        "return next((each for each in blocking if each.kind in kinds), None)",
        "return next(blocking, None)",
        GUARDS,
    ),
    Break(
        "--yes overrides all guards",
        "core/plan.py",
        "codes = GUARDS - OVERRIDABLE if by_person else GUARDS",
        "codes = frozenset() if by_person else GUARDS",
        GUARDS,
    ),
    Break(
        "guards hold nothing back",
        "execution.py",
        "            if held := plan.held_back(step, by_person=self.options.by_person):\n"
        "                yield",
        "            if held := None:\n                yield",
        ("test_guards.py::test_more_than_a_fifth_is_held_back_with_4",),
    ),
    Break(
        "a clock that jumped is believed",
        "clock.py",
        "        if abs(drift) > TOLERANCE:",
        "        if False:",
        ("test_guards.py::test_a_jump_holds_back_everything_even_purges",),
    ),
    Break(
        "a clock that was set back over a reboot is believed",
        "clock.py",
        "    elif passed < -TOLERANCE:",
        "    elif False:",
        ("test_guards.py::test_after_a_reboot_only_a_step_back_is_a_jump",),
    ),
    Break(
        "a jump that nobody confirmed is forgotten with the next sweep",
        "sweep.py",
        "if by_person or agrees:",
        "if True:",
        ("test_guards.py::test_a_jump_holds_back_everything_even_purges",),
    ),
)
