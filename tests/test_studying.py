"""Studies that are at work, were killed, wait, or are done: by real Optuna processes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from artifact_janitor import clock
from artifact_janitor.core.study import BEAT
from artifact_janitor.looking import reading
from artifact_janitor.observe import optuna_files
from artifact_janitor.observe.optuna_files import Known
from artifact_janitor.studying import Seen, Studies, remember, study_all
from artifact_janitor.units import DAY, HOUR, MINUTE, SECOND
from tests.real import retraining, zoo
from tests.real.account import myself
from tests.real.command import line
from tests.real.optimizer import optimizer
from tests.real.small import Small, small
from tests.real.snapshot import difference, snapshot
from tests.real.syscalls import changes, is_there

DB = "hpo_studies/eurusd.db"
SWEPT = Path(__file__).parent / "real/optuna_sweep"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    (tmp_path / "hpo_studies").mkdir()
    return small(tmp_path, "")


def at(later: int = 0) -> clock.Reading:
    """So much later than now, by every clock."""
    now = clock.read()
    return replace(now, wall=now.wall + later, awake=now.awake + later)


def looked(work: Small, later: int = 0) -> Studies:
    with reading(work.settings) as journal:
        return study_all(work.settings, journal, at(later))


def only(work: Small, later: int = 0) -> Seen:
    (seen,) = looked(work, later).seen
    return seen


def state(work: Small, later: int = 0) -> str:
    standing = only(work, later).standing
    return f"{standing.state} {standing.by}".strip()


def test_a_study_from_its_first_trial_to_its_end(work: Small) -> None:
    with optimizer(work.root / DB) as one:
        assert state(work) == "empty"
        one.begin("asked.append(study.ask())")
        assert state(work) == "empty"
        one.begin("study.tell(asked.pop(), 1.0).number")
        assert state(work) == "settling"
        one.begin("asked.append(study.ask())")
        why = only(work, later=DAY).standing.why
        assert f"pid {one.pid}" in why
        assert state(work, later=DAY) == "active"
        os.kill(one.pid, signal.SIGSTOP)  # it is paused in the middle of its trial
        assert state(work, later=DAY) == "active"
        os.kill(one.pid, signal.SIGCONT)
        one.begin("study.tell(asked.pop(), 0.5).number")
        one.begin("study.set_user_attr('janitor:target', 3)")
        assert state(work, later=DAY) == "settling"  # it may go on: it holds the file
        one.begin("study.optimize(objective, n_trials=1)")
        assert state(work, later=2 * SECOND) == "finished target"
        one.begin("study.set_user_attr('janitor:finished', 3)")
        assert state(work) == "finished marker"
    best = only(work).standing.best
    assert best is not None
    assert best.values[0] <= 0.5


@pytest.mark.parametrize("kind", ["sqlite", "wal"])
def test_one_that_was_killed_is_finished_when_nobody_can_be_at_it(work: Small, kind: str) -> None:
    with optimizer(work.root / DB, kind=kind) as one:
        one.begin("study.optimize(objective, n_trials=2)")
        one.begin("asked.append(study.ask())")
        one.kill()
        assert state(work) == "active"
        assert state(work, later=4 * MINUTE) == "finished quiet"
        assert "left behind by a killed optimizer" in only(work, later=DAY).standing.notes[0]
    with closing(sqlite3.connect(work.root / DB)) as db:
        db.execute("INSERT INTO study_user_attributes VALUES (9, 1, 'janitor:target', '5')")
        db.commit()
    assert state(work, later=DAY) == "incomplete"


def test_a_heartbeat_tells_who_lives(work: Small) -> None:
    """It is UTC, wherever the machine is."""
    with optimizer(work.root / DB, heartbeat_interval=1) as one:
        one.begin("study.optimize(objective, n_trials=1)")
        assert one.begin("study.optimize(slow, n_trials=1)") == "in a trial"
        assert only(work).standing.study.silent == 0
        assert state(work) == "active"
        assert state(work, later=BEAT + MINUTE) == "active"  # it is held, and may beat seldom
        assert state(work, later=2 * HOUR) == "finished quiet"
        one.kill()
    assert state(work) == "active"
    assert state(work, later=BEAT + MINUTE) == "finished quiet"


def test_a_journal_whose_writer_can_t_be_asked(work: Small) -> None:
    path = work.root / "hpo_studies/eurusd.log"
    with optimizer(path, kind="journal") as one:
        one.begin("study.optimize(objective, n_trials=2)")
        assert state(work) == "settling"
        assert state(work, later=HOUR) == "finished quiet"
        one.begin("asked.extend([study.ask(), study.ask()])")
        one.begin("[study.tell(asked.pop(), -1.0).number for _ in range(2)]")
        best = only(work).standing.best
        assert best is not None
        assert best.number == 2  # of equals the lowest number, though it ended last
        one.begin("asked.append(study.ask())")
        assert state(work) == "active"
        one.kill()
    assert "nobody can be asked" in only(work).standing.why
    assert state(work, later=HOUR) == "finished quiet"


def test_several_studies_in_a_database_each_end_for_themselves(work: Small) -> None:
    work.journal().close()
    names = ("eurusd_mlp", "eurusd_lstm")
    with optimizer(work.root / DB, *names, kind="wal") as one:
        one.begin("[each.optimize(objective, n_trials=1) for each in studies]")
        first = looked(work)
        remember(work.settings, first)
        assert [each.standing.state for each in first.seen] == ["settling"] * 2
        one.begin("studies[1].optimize(objective, n_trials=1)")
        both = {each.standing.study.name: each.standing for each in looked(work, MINUTE).seen}
        old = {each.standing.study.name: each.standing.since for each in first.seen}
        assert both["eurusd_mlp"].state == "finished"
        assert both["eurusd_mlp"].since == old["eurusd_mlp"]
        assert both["eurusd_lstm"].since > old["eurusd_lstm"]
        places = {each.place for each in first.seen}
        assert places == {"eurusd", "eurusd_lstm"}  # no model types: the second has its name


def test_one_that_goes_on_is_active_again(work: Small) -> None:
    work.journal().close()
    with optimizer(work.root / DB) as one:
        one.begin("study.optimize(objective, n_trials=1)")
        one.begin("study.set_user_attr('janitor:finished', 1)")
        remember(work.settings, looked(work))
        one.begin("study.optimize(objective, n_trials=1)")
        assert only(work).standing.why == "it was finished, and goes on"
        assert any("void" in each for each in only(work).standing.notes)


def test_what_is_remembered_belongs_to_the_file_not_to_its_name(work: Small) -> None:
    work.journal().close()
    shutil.copy(zoo.made("sqlite")[0], work.root / DB)
    first = looked(work)
    remember(work.settings, first)
    shutil.copy(work.root / DB, work.root / "hpo_studies/new.db")
    os.replace(work.root / "hpo_studies/new.db", work.root / DB)
    with reading(work.settings) as journal:
        assert journal is not None
        known = journal.studies()
    assert {each.standing.study.identity for each in first.seen} == {*known}
    assert not {each.standing.study.identity for each in looked(work).seen} & {*known}


def test_a_clock_that_jumped_finishes_nothing(work: Small) -> None:
    journal = work.journal()
    now = clock.read()
    journal.set_clock(now.wall - DAY, now.awake - SECOND, now.boot)
    journal.close()
    path = Path(shutil.copy(zoo.made("sqlite")[0], work.root / DB))
    os.utime(path, ns=(now.wall - DAY, now.wall - DAY))
    states = {each.standing.study.name: each.standing.state for each in looked(work).seen}
    assert states["eurusd_mlp"] == "settling"
    assert states["constrained_all"] == "empty"


# ---------------------------------------------------------------- Hydra's sweeper


def test_hydra_s_sweeper_says_when_it_is_done(work: Small) -> None:
    """Files that the real sweeper 1.2 left, with Hydra 1.3 and Optuna 2.10."""
    with closing(sqlite3.connect(work.root / DB)) as db:
        db.executescript((SWEPT / "eurusd.sql").read_text())
    assert state(work) == "settling"
    day = work.root / "multirun/2026-11-22/03-16-19"
    (day / "0/.hydra").mkdir(parents=True)
    shutil.copy(SWEPT / "hydra.yaml", day / "0/.hydra/hydra.yaml")
    results = Path(shutil.copy(SWEPT / "optimization_results.yaml", day))
    assert state(work) == "finished results"
    said = results.read_text()
    results.write_text(said.replace("2.07", "2.08"))  # of another study, or before it went on
    assert state(work) == "settling"
    results.write_text(said)
    job = day / "0/.hydra/hydra.yaml"
    config = job.read_text()
    for here, there in (("eurusd_mlp", "gbpusd_mlp"), ("eurusd.db", "gbpusd.db")):
        job.write_text(config.replace(here, there))
        assert state(work) == "settling"
    job.write_text(config)
    assert state(work) == "finished results"
    os.utime(results, (1, 1))
    assert state(work) == "settling"


# ---------------------------------------------------------------- not in the way


@pytest.mark.parametrize("kind", ["sqlite", "wal"])
def test_optimizers_don_t_notice_who_looks(work: Small, kind: str) -> None:
    """Two of them, looked at all the time: no trial fails, and nothing is left beside."""
    db = work.root / DB
    with optimizer(db, kind=kind) as one, optimizer(db, kind=kind) as other:
        for each in (one, other):
            assert each.process.stdin is not None
            each.process.stdin.write("study.optimize(objective, n_trials=12)\n")
            each.process.stdin.flush()
        looks = [looked(work) for _ in range(15)]
        assert [one.hear(), other.hear()] == [None, None]
        assert only(work).standing.study.counts == {"COMPLETE": 24}
        one.begin("storage.remove_session() or storage.engine.dispose()")
        other.begin("storage.remove_session() or storage.engine.dispose()")
        seen = [each for each in looks if each.seen]
        assert {each.kind for look in looks for each in look.broken} <= {"busy", "hot"}
        assert len(seen) >= 10
    assert os.listdir(db.parent) == ["eurusd.db"]


@pytest.mark.skipif(not is_there(), reason="strace is not installed")
def test_a_look_writes_nothing_anywhere_but_in_our_journal(work: Small) -> None:
    """Rollback, WAL, a killed writer's WAL, a journal: no call that could change a file."""
    folder = work.root / "hpo_studies"
    for kind, name in zoo.STORAGES.items():
        shutil.copy(zoo.made(kind)[0], folder / f"{kind}{Path(name).suffix}")
    with optimizer(folder / "killed.db", kind="wal") as one:
        one.begin("study.optimize(objective, n_trials=1)")
        one.kill()
    before = snapshot(folder)
    me, trace = myself(work.root.parent), work.root.parent / "trace"
    start = changes(me, [me.python, "-c", "pass"], work.root, trace)
    seen = changes(me, line(me, work.root, "studies"), work.root, trace)
    assert [each for each in seen if each not in start] == []
    assert difference(before, snapshot(folder)) == []


# ---------------------------------------------------------------- the command


@pytest.fixture
def several(work: Small) -> Small:
    shutil.copy(zoo.made("sqlite")[0], work.root / DB)
    work.write("hpo_studies/half.db", (work.root / DB).read_bytes()[:20_000])
    work.write("hpo_studies/readme.md", "nothing of ours")
    return work


def test_all_of_them_with_their_states(several: Small) -> None:
    answer = several.janitor("studies")
    assert answer.code == 0, answer
    found = {row["name"]: row for row in answer.facts["studies"]}
    assert {*found} == {*zoo.made("sqlite")[1]}
    mlp = found["eurusd_mlp"]
    assert (mlp["model_type"], mlp["place"], mlp["state"]) == ("mlp", "eurusd", "settling")
    assert mlp["best"]["value"] == 0.75
    assert mlp["best"]["params"]["layers"] in ([64, 32], [128], 3, 0.5)
    assert found["least"]["best"]["value"] == "-inf"
    assert "2 objectives (f1, latency)" in found["several"]["question"]
    assert found["constrained_all"]["why"] == "no complete trial meets the constraints"
    (half,) = answer.facts["unreadable_studies"]
    assert (half["path"], half["kind"]) == ("hpo_studies/half.db", "damaged")
    text = several.said("studies")
    assert "14 studies" in text
    assert "\n  eurusd/mlp " in text
    assert "x" * 100 not in text
    assert "two\\nlines" in text


def test_one_of_them_by_any_of_its_names(several: Small) -> None:
    for name in ("eurusd_mlp", "eurusd/mlp"):
        (row,) = several.janitor("studies", name).facts["studies"]
        assert row["name"] == "eurusd_mlp"
        text = several.said("studies", name)
        assert "layers = " in text
        assert "wants      maximize" in text
        assert "next       the next look" in text
    for name in ("eurusd", DB):
        assert len(several.janitor("studies", name).facts["studies"]) == 14
    assert several.janitor("studies", "half").facts["unreadable_studies"]
    assert "whole" in several.said("studies", "half")
    answer = several.janitor("studies", "eurusd_mpl")
    assert answer.code == 1
    assert answer.said["errors"][0]["hint"].startswith("nearest: eurusd_mlp")


def test_the_table_of_the_configuration_decides(several: Small) -> None:
    several.configure(
        '[[retrain]]\nstudies = "eur*"\nmode = "adopt"\nquiet = "1s"\nobjective = "latency"\n'
        'model_type = "(?P<model_type>ties|several)"\n'
    )
    found = {each.standing.study.name: each for each in looked(several, MINUTE).seen}
    assert found["several"].standing.state == "finished"
    assert found["several"].standing.best.number == 3  # type: ignore[union-attr]
    assert found["several"].model_type == "several"
    assert found["ties"].governed is several.settings.retrain[0] or found["ties"].governed
    assert found["eurusd_mlp"].model_type == "mlp"


def test_status_names_a_few(several: Small) -> None:
    text = several.said("status")
    assert text.count("half.db") == 1
    assert "studies  " in text
    assert "more (janitor studies)" in text
    assert len(several.janitor("status").facts["studies"]) == 14


def test_only_a_journal_that_is_there_remembers(several: Small) -> None:
    several.janitor("studies")
    assert not (several.root / ".janitor").exists()
    (several.root / ".janitor").mkdir()
    several.janitor("studies")
    assert os.listdir(several.root / ".janitor") == []
    several.journal().close()
    several.janitor("studies")
    with reading(several.settings) as journal:
        assert journal is not None
        assert len(journal.studies()) == 14


def test_without_studies_it_says_so(work: Small) -> None:
    assert "No studies here" in work.said("studies")
    shutil.rmtree(work.root / "hpo_studies")
    assert work.janitor("studies").facts == {"studies": [], "unreadable_studies": []}


def test_what_did_not_change_is_not_read_again(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what did is, though its size and its time be as before."""
    monkeypatch.setattr(optuna_files, "STILL", 0)
    study, known = retraining.place(work), Known()

    def best() -> float | None:
        (seen,) = study_all(work.settings, None, at(), known=known).seen
        return seen.standing.value

    def write(value: float) -> None:
        before = study.stat()
        with closing(sqlite3.connect(study)) as db, db:
            db.execute("UPDATE trial_values SET value = ? WHERE value >= 0.75", (value,))
        os.utime(study, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert study.stat().st_size == before.st_size

    assert best() == retraining.BEST
    (read,) = known.values()
    assert best() == retraining.BEST
    assert [*known.values()] == [read]
    assert next(iter(known.values()))[1] is read[1]
    write(0.875)
    assert best() == 0.875
    monkeypatch.setattr(optuna_files, "STILL", HOUR)
    write(0.75)
    assert (best(), known) == (0.75, {}), "it may change once more within the same tick"
    monkeypatch.setattr(optuna_files, "STILL", 0)
    best()
    study.unlink()
    assert study_all(work.settings, None, at(), known=known).seen == ()
    assert known == {}
