"""What is wrong with a config.toml is said at once, with its place and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifact_janitor.core.policy import NEVER_ARCHIVED
from tests.configuring import settings, wrong

BEST = "keep_best = { metric = 'f1', direction = 'max'"


def test_all_errors_at_once_sorted_by_place(tmp_path: Path) -> None:
    policies = [
        f'[[policy]]\nkind = "log"\npath = "logs/{n}/**"\nkeep_last = 1' for n in range(1, 12)
    ]
    policies[1] = policies[1].replace("keep_last", "keep_lats")
    policies[10] = policies[10].replace("keep_last = 1", "")
    text = "\n".join(policies) + '\n[safety]\ngrace = "2 fortnights"\n[folders]\nwandb = "gone"'
    assert wrong(tmp_path, text, {"JANITOR_SAFETY__TRASH_KEEP": "x"}) == [
        ("JANITOR_SAFETY__TRASH_KEEP", '"x" is no duration; write "14d", "36h", "90m"'),
        ("folders.wandb", '"gone": no such folder: create it, or remove the line'),
        ("policy[2].keep_lats", "unknown key; did you mean keep_last? (log)"),
        ("policy[11]", "keeps nothing: add a keep_… rule, or remove the policy (log)"),
        ("safety.grace", '"2 fortnights" is no duration; write "14d", "36h", "90m"'),
    ]


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("polices = []", "polices", "did you mean policy?"),
        ("[Safety]", "Safety", "did you mean safety?"),
        ("grace = '1d'", "grace", "it belongs in [safety]"),
        ("[safety]\nkeep_last = 3", "safety.keep_last", "it belongs in [[policy]]"),
        ("[folders]\ntrainings = 'x'", "folders.trainings", "did you mean training?"),
        ("[safety]\nxyzzy = 1", "safety.xyzzy", "known are grace, trash_keep, max_share"),
        ('"a\\nb" = 1', '"a\\nb"', "unknown key"),
        ("_env_file = 'x'", "_env_file", "unknown key"),
        ("environment = {}", "environment", "unknown key"),
        ("safety = 3", "safety", "is no table; write [safety]"),
        ("safety = 'x'", "safety", "is no table; write [safety]"),
        ("disk = 3", "disk", "is no table; write [disk]"),
        ("[policy]\nkind = 'log'", "policy", "write [[policy]], in two brackets"),
        ("[disk]\nkeep_free = 50", "disk.keep_free", '50 is no size; write "50GB"'),
        ("[disk]\nkeep_free = '50 G'", "disk.keep_free", "is no size"),
        ("[disk]\nkeep_free = '-1GB'", "disk.keep_free", "is no size"),
        ("[disk]\nkeep_free = '20%'", "disk.keep_free", "is no size"),
        ("[disk]\nkeepfree = '1GB'", "disk.keepfree", "did you mean keep_free?"),
        ("[disk]\npurge_early = 'yes'", "disk.purge_early", "write true or false"),
        ("[disk]\npurge_early = 1", "disk.purge_early", "1 is no switch"),
        ("[disk]\ngrace = '1d'", "disk.grace", "it belongs in [safety]"),
        ("keep_free = '1GB'", "keep_free", "it belongs in [disk]"),
        ("policy = [1]", "policy[1]", "1 is no table; write [[policy]]"),
        ("[retrain]", "retrain", "write [[retrain]], in two brackets"),
        ("[safety]\ngrace = 24", "safety.grace", "24 is no duration"),
        ("[safety]\ngrace = '99999999d'", "safety.grace", "longer than a hundred years"),
        ("[safety]\ntrash_keep = '-1d'", "safety.trash_keep", "is no duration"),
        ("[safety]\nmax_share = 0", "safety.max_share", "0 is no share"),
        ("[safety]\nmax_share = 20", "safety.max_share", "0.2 is 20 %"),
        ("[safety]\nmax_share = -0.1", "safety.max_share", "is no share"),
        ("[safety]\nmax_share = nan", "safety.max_share", "nan is no share"),
        ("[safety]\nmax_share = true", "safety.max_share", "true is no share"),
        ("[safety]\nmax_share = []", "safety.max_share", "a list is no share"),
        ("[safety]\nmax_share = '20 %'", "safety.max_share", "is no share"),
    ],
)
def test_each_slip_has_its_place_and_its_remedy(
    tmp_path: Path, text: str, where: str, says: str
) -> None:
    ((place, what),) = wrong(tmp_path, text)
    assert place == where
    assert says in what


@pytest.mark.parametrize(
    ("line", "where", "says"),
    [
        ("keep_last = 0", "keep_last", "0 keeps nothing"),
        ("keep_last = -1", "keep_last", "-1 keeps nothing"),
        ("keep_daily = true", "keep_daily", "true is no whole number"),
        ("keep_weekly = 3.0", "keep_weekly", "3.0 is no whole number"),
        ("keep_monthly = '3'", "keep_monthly", "without quotes"),
        (f"keep_hourly = {10**50}", "keep_hourly", "a huge number is too large"),
        ("keep_within = '0d'", "keep_within", "keeps nothing"),
        ("keep_within = 2026-01-01", "keep_within", "2026-01-01 is no duration"),
        ("kepe_last = 3", "kepe_last", "did you mean keep_last?"),
        ("kepe_best = {}", "kepe_best", "did you mean keep_best?"),
        ("keep_best = true", "keep_best", "true is no table; write keep_best = { metric ="),
        ("keep_best = 'f1'", "keep_best", '"f1" is no table'),
        ("keep_best = [3]", "keep_best", "a list is no table"),
        ("keep_best = { metric = 'f1' }", "keep_best.direction", 'write direction = "max"'),
        ("keep_best = { direction = 'max' }", "keep_best.metric", 'metric = "val_f1"'),
        (f"{BEST}, metrik = 'f1' }}", "keep_best.metrik", "did you mean metric?"),
        (f"{BEST}, keep_last = 1 }}", "keep_best.keep_last", "it belongs in [[policy]]"),
        (f"{BEST}, n = 0 }}", "keep_best.n", "0 keeps nothing"),
        (f"{BEST}, n = '3' }}", "keep_best.n", "without quotes"),
        (f"{BEST}, n = 1.0 }}", "keep_best.n", "1.0 is no whole number"),
        (f"{BEST}, missing = 'drop' }}", "keep_best.missing", 'write "keep" or "ignore"'),
        (f"{BEST}, missing = true }}", "keep_best.missing", "true is nothing to do"),
        (BEST.replace("max", "up") + " }", "keep_best.direction", 'or "min"'),
        (BEST.replace("f1", "") + " }", "keep_best.metric", '"" is no metric'),
        (BEST.replace("f1", " ") + " }", "keep_best.metric", "is no metric"),
        (BEST.replace("f1", "f" * 201) + " }", "keep_best.metric", "too long"),
        (BEST.replace("'f1'", "3") + " }", "keep_best.metric", "3 is no metric"),
        ("path = '/x/**'", "path", "outside the workspace"),
        ("path = '../**'", "path", "outside the workspace"),
        ("path = ''", "path", "is no path pattern"),
        ("path = 'logs/[z-a]'", "path", "bad character range"),
        ("path = './logs/**'", "path", 'write "logs/**"'),
        ("path = 'logs/'", "path", 'write "logs/**"'),
        ("path = 'log/**'", "path", 'did you mean "logs/**"?'),
        ("path = 'src/*.log'", "path", "lies in none of the folders"),
        ("path = 'logs'", "path", 'write "logs/**"'),
        ("then = 'delete'", "then", 'write "trash"'),
        ("max_size = 200", "max_size", '200 is no size; write "50GB", "500MB", "2TiB"'),
        ("max_size = '200'", "max_size", '"200" is no size; write "50GB"'),
        ("max_size = '50G'", "max_size", "is no size"),
        ("max_size = '0GB'", "max_size", '"0GB" keeps nothing'),
        ("max_size = true", "max_size", "true is no size"),
        ("maxsize = '1GB'", "maxsize", "did you mean max_size?"),
        ("keep_free = '1GB'", "keep_free", "it belongs in [disk]"),
        ("unsynced = 'drop'", "unsynced", 'write "keep" or "archive"'),
        ("expire = '23h'", "expire", 'keeps nothing for a day; write "365d"'),
        ("expire = 365", "expire", 'write "14d"'),
        ("uploaded_before = 2025-01-01", "uploaded_before", "only for wandb-run"),
    ],
)
def test_a_policy_that_can_not_be_meant_is_an_error(
    tmp_path: Path, line: str, where: str, says: str
) -> None:
    keeps = "" if line.startswith("keep") else "keep_last = 1\n"
    ((place, what),) = wrong(tmp_path, f"[[policy]]\nkind = 'log'\n{keeps}{line}")
    assert place == f"policy[1].{where}"
    assert says in what


def test_all_that_is_wrong_with_the_best_is_said_at_once(tmp_path: Path) -> None:
    text = "[[policy]]\nkind = 'log'\nkeep_best = { n = -1, missing = 'x' }"
    places = [place for place, _ in wrong(tmp_path, text)]
    assert places == [
        f"policy[1].keep_best.{key}" for key in ("direction", "metric", "missing", "n")
    ]


@pytest.mark.parametrize(
    "day",
    [
        "'yesterday'",
        "'20250101'",
        "'2025-W01-1'",
        "'2025-02-30'",
        "2025-01-01T00:00:00",
        "2025-01-01T00:00:00Z",
        "12:00:00",
        "20250101",
        "true",
        "'30d'",
        "[2025-01-01]",
    ],
)
def test_a_word_is_about_a_day(tmp_path: Path, day: str) -> None:
    text = f"[[policy]]\nkind = 'wandb-run'\nkeep_last = 1\nuploaded_before = {day}"
    ((place, what),) = wrong(tmp_path, text)
    assert place == "policy[1].uploaded_before"
    assert "is no day; write it like 2025-12-31" in what


def test_only_wandb_runs_are_not_uploaded(tmp_path: Path) -> None:
    text = "[[policy]]\nkind = 'log'\nkeep_last = 1\nunsynced = "
    ((place, what),) = wrong(tmp_path, text + "'archive'")
    assert (place, "only for wandb-run" in what) == ("policy[1].unsynced", True)
    assert settings(tmp_path, text + "'keep'").policies[0].unsynced == "keep"


def test_a_limit_alone_keeps_enough_for_a_policy(tmp_path: Path) -> None:
    (policy,) = settings(tmp_path, "[[policy]]\nkind = 'log'\nmax_size = '1GB'").policies
    assert policy.max_size == 1_000_000_000
    word = "[[policy]]\nkind = 'wandb-run'\nunsynced = 'keep'\nuploaded_before = 2025-01-01"
    ((place, what),) = wrong(tmp_path, word)
    assert (place, "keeps nothing" in what) == ("policy[1]", True)


def test_a_slip_in_the_only_rule_is_said_once(tmp_path: Path) -> None:
    text = "[[policy]]\nkind = 'log'\nkepe_last = 3"
    assert wrong(tmp_path, text) == [
        ("policy[1].kepe_last", "unknown key; did you mean keep_last? (log)")
    ]


@pytest.mark.parametrize("path", ["**", "logs/**", "*/app.log", "log*/**", "logs/[[a]", "**/x"])
def test_patterns_that_may_match_are_fine(tmp_path: Path, path: str) -> None:
    text = f"[[policy]]\nkind = 'log'\nkeep_last = 1\npath = '{path}'"
    assert settings(tmp_path, text).policies[0].path == path


def test_a_kind_is_needed_and_must_be_one(tmp_path: Path) -> None:
    for line, says in (
        ("", 'kind = "hydra-run"'),
        ("kind = 'hydra-rum'", 'did you mean "hydra-run"?'),
        ("kind = 'unknown'", "one of hydra-run,"),
        ("kind = ['log']", "a list is no kind"),
    ):
        ((place, what),) = wrong(tmp_path, f"[[policy]]\nkeep_last = 1\n{line}")
        assert place == "policy[1].kind"
        assert says in what


@pytest.mark.parametrize(
    ("lines", "where", "says"),
    [
        ("kind = 'hydra-run'\nthen = 'compress'", "then", '"compress" is for logs'),
        ("kind = 'cache'\nthen = 'compress'", "then", '"compress" is for logs'),
        ("kind = 'log'\nthen = 'compress'\nexpire = '0d'", "expire", "keeps nothing"),
        ("kind = 'log'\nthen = 'compress'\nexpire = 365", "expire", "is no duration"),
        ("kind = 'log'\nthen = 'comprss'", "then", '"archive" or "compress"'),
    ],
)
def test_only_logs_are_compressed(tmp_path: Path, lines: str, where: str, says: str) -> None:
    ((place, what),) = wrong(tmp_path, f"[[policy]]\nkeep_last = 1\n{lines}")
    assert place == f"policy[1].{where}"
    assert says in what


@pytest.mark.parametrize(
    ("first", "second", "certain"),
    [
        ("", "", "every log;"),
        ("", "path = 'logs/**'", "every log;"),
        ("path = '**/*'", "path = 'logs/a'", "every log;"),
        ("path = 'logs/[ab]*'", "path = 'logs/[ab]*'", 'every log in "logs/[ab]*";'),
        ("path = 'logs/**'", "path = 'logs/app/*'", 'every log in "logs/**";'),
        ("path = 'logs/**'", "", None),
        ("path = 'logs/*'", "path = 'logs/app/*'", None),
        ("path = 'logs/app/**'", "path = 'logs/apple'", None),
        ("path = 'l*s/**'", "path = 'l*s/app'", 'every log in "l*s/**";'),
        ("path = 'l*s/**'", "path = 'logs/app'", None),
        ("path = 'logs/[/**'", "path = 'logs/[/]x'", None),
    ],
)
def test_a_policy_that_never_applies_is_an_error(
    tmp_path: Path, first: str, second: str, certain: str | None
) -> None:
    others = "[[policy]]\nkind = 'wandb-run'\nkeep_last = 1\n"
    log = "[[policy]]\nkind = 'log'\nkeep_last = 1\n"
    text = f"{others}{log}{first}\n{log}{second}"
    if certain is None:
        assert len(settings(tmp_path, text).policies) == 3
        return
    says = f"can never apply: policy[2] already governs {certain} move it up, or remove it"
    ((place, what),) = wrong(tmp_path, text)
    assert (place, what.removesuffix(" (log)")) == ("policy[3]", says)


@pytest.mark.parametrize(
    ("environ", "where", "says"),
    [
        ({"JANITOR_SAFETY__GRACE": "soon"}, "JANITOR_SAFETY__GRACE", "is no duration"),
        ({"JANITOR_SAFETY__GRACE": ""}, "JANITOR_SAFETY__GRACE", '"" is no duration'),
        ({"JANITOR_SAFETY_GRACE": "2d"}, "JANITOR_SAFETY_GRACE", "mean JANITOR_SAFETY__GRACE?"),
        ({"JANITOR_SAFTEY__GRACE": "2d"}, "JANITOR_SAFTEY__GRACE", "mean JANITOR_SAFETY__GRACE?"),
        ({"JANITOR_Safety__grace": "2d"}, "JANITOR_Safety__grace", "is no setting"),
        ({"JANITOR_Schedule__verify": "x"}, "JANITOR_Schedule__verify", "is no setting"),
        ({"JANITOR_PORT": "80"}, "JANITOR_PORT", "unset it"),
        ({"JANITOR_SAFETY": "{"}, "JANITOR_SAFETY", "is no JSON"),
        ({"JANITOR_POLICY": "[" * 9000}, "JANITOR_POLICY", "is nested too deeply"),
        ({"JANITOR_POLICY": "x"}, "JANITOR_POLICY", "write [[policy]]"),
        ({"JANITOR_POLICY": "[3]"}, "JANITOR_POLICY[1]", "is no table"),
        ({"JANITOR_SAFETY": '{"grace": null}'}, "JANITOR_SAFETY.grace", "null is no duration"),
        (
            {"JANITOR_POLICY": '[{"kind": "log", "keep_best": null}]'},
            "JANITOR_POLICY[1].keep_best",
            "null is no table",
        ),
        ({"JANITOR_FOLDERS": '{"\\ud800": 1}'}, "JANITOR_FOLDERS", "is no key"),
        ({"JANITOR_FOLDERS__WANDB": "gone"}, "JANITOR_FOLDERS__WANDB", "no such folder"),
    ],
)
def test_slips_in_the_environment_name_the_variable(
    tmp_path: Path, environ: dict[str, str], where: str, says: str
) -> None:
    ((place, what),) = wrong(tmp_path, "", environ)
    assert place == where
    assert says in what


def test_variables_that_contradict_each_other_are_said(tmp_path: Path) -> None:
    environ = {"JANITOR_SAFETY": "3", "JANITOR_SAFETY__GRACE": "1d"}
    places = dict(wrong(tmp_path, "", environ))
    assert "contradicts JANITOR_SAFETY;" in places["JANITOR_SAFETY__GRACE"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("store = ''", "is no folder"),
        ("store = 5", "is no folder"),
        ("store = '.'", "the workspace itself"),
        ("store = '..'", "outside the workspace"),
        ("store = '/'", "the root of all"),
        ("store = '.janitor/trash'", "the janitor's own"),
        ("store = '.git/archive'", "Git's"),
        ("store = 'outputs/old'", "in one another"),
        ("store = 'training'", "in one another"),
        ("level = 0", "1 (fast) to 19"),
        ("level = 20", "1 (fast) to 19"),
        ("level = true", "1 (fast) to 19"),
        ("level = 'fast'", "1 (fast) to 19"),
        ("stroe = 'x'", "did you mean store?"),
    ],
)
def test_what_is_wrong_with_archives(tmp_path: Path, line: str, says: str) -> None:
    ((place, what),) = wrong(tmp_path, f"[archive]\n{line}")
    assert place == f"archive.{line.split(maxsplit=1)[0]}"
    assert says in what


@pytest.mark.parametrize("kind", NEVER_ARCHIVED)
def test_what_no_archive_would_hold_is_not_archived(tmp_path: Path, kind: str) -> None:
    policy = f"[[policy]]\nkind = '{kind}'\nkeep_last = 1\nthen = 'archive'"
    ((place, what),) = wrong(tmp_path, policy)
    assert (place, f"not for {kind}: " in what) == ("policy[1].then", True)


def test_archives_may_not_lie_among_the_runs_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "elsewhere").symlink_to("outputs")
    ((place, what),) = wrong(tmp_path, "[archive]\nstore = 'elsewhere'")
    assert (place, "in one another" in what) == ("archive.store", True)
