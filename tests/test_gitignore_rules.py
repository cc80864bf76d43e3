"""Rules of a person's beside ours: the policy holds, or what defeats it is named.

First what real Git makes of each rule (the cases of our own notes on Git 2.39), so that what
the janitor relies on is seen; then what becomes of it by a sync.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifact_janitor import gitignoring
from artifact_janitor.config import load
from artifact_janitor.gitignoring import Proof, Sight
from artifact_janitor.gitignoring.prove import judged, looked_at
from tests.real.git_repo import Repo, git, ignored, repo

I, K = True, False  # noqa: E741 - as in the table: ignored, kept
REFUSED = "refused"

CASES: dict[str, tuple[dict[str, str], str, bool, bool | str]] = {
    # what is said, a path, what Git makes of it, and after a sync
    "a file in an ignored folder": (
        {"": "outputs/\n!outputs/best/m.json\n"},
        "outputs/best/m.json",
        I,
        I,
    ),
    "level by level": ({"": "b/*\n!b/*/\nb/*/*\n!b/**/*.json\n"}, "b/a/b/m.json", I, I),
    "any depth": ({"": "b/**\n!b/**/\n!b/**/*.json\n"}, "b/a/b/m.json", K, K),
    "any depth, another": ({"": "b/**\n!b/**/\n!b/**/*.json\n"}, "b/a/b/m.pt", I, I),
    "the last rule counts": ({"": "!keep.log\n*.log\n"}, "keep.log", I, I),
    "the nearer file counts": ({"": "*.log\n", "n/": "!a.log\n"}, "n/a.log", K, REFUSED),
    "nearer, but of no concern": ({"": "*.tmp\n", "n/": "!a.tmp\n"}, "n/a.tmp", K, K),
    "nearer, before there is one": ({"src/": "!*.log\n"}, "src/a.txt", K, REFUSED),
    "rules in an ignored folder": ({"": "n/\n", "n/": "!a.tmp\n"}, "n/a.tmp", I, I),
    "not anchored": ({"": "logs/\n"}, "src/logs/handler.py", I, I),
    "anchored": ({"": "/logs/\n"}, "src/logs/handler.py", K, K),
    "only one level": ({"": "config/**\n!config/*.yaml\n"}, "config/sub/a.yaml", I, I),
    "spaces at the end": ({"": "a.txt   \n"}, "a.txt", I, I),
    "a space that counts": ({"": "a.txt\\ \n"}, "a.txt ", I, I),
    "CRLF": ({"": "*.a\r\n*.b\r\n"}, "x.a", I, I),
    "a BOM": ({"": "\ufeff*.a\n"}, "x.a", I, I),
    "another case": ({"": "Wandby/\n"}, "wandby/a", K, K),
    "stronger than info/exclude": ({".git/info/exclude": "*.a\n", "": "!b.a\n"}, "b.a", K, K),
    "a backslash at the end": ({"": "foo\\\n"}, "foo", K, K),
    "one accent in two bytes": ({"": "caf\u00e9\n"}, "cafe\u0301", K, K),
    "no folder between": ({"": "a/**/b\n"}, "a/b", I, I),
    "two stars in a name": ({"": "a**b\n"}, "a/x/b", K, K),
    "a milestone": (
        {
            "": "/training/runs/*\n!/training/runs/run7/\n/training/runs/run7/*\n"
            "!/training/runs/run7/final.pt\n"
        },
        "training/runs/run7/final.pt",
        K,
        REFUSED,
    ),
    # and beyond the table
    "all JSON": ({"": "*.json\n"}, "best_models/a_meta.json", I, K),
    "all JSON elsewhere": ({"": "*.json\n"}, "data/a.json", I, I),
    "all JSON in a run": ({"": "!*.json\n"}, "outputs/a/b.json", K, I),
    "the folder of milestones": ({"": "best_models/\n"}, "best_models/a_meta.json", I, K),
    "all in it": ({"": "best_models/*\n"}, "best_models/a/b_meta.json", I, K),
    "all below it": ({"": "/best_models/**\n"}, "best_models/a/b_meta.json", I, K),
    "notes of one's own in it": ({"": "best_models/\n"}, "best_models/notes.txt", I, REFUSED),
    "notes, said otherwise": ({"": "best_models/*\n"}, "best_models/notes.txt", I, I),
    "results": ({"": "hpo_results/\n*.png\n"}, "hpo_results/a/b_visualizations/h.png", I, K),
    "a sidecar": ({"": "models/\n"}, "models/hpo_derived/s/final_model_mlp.json", I, K),
    "its model": ({"": "!*.pth\n"}, "models/hpo_derived/s/final_model_mlp.pth", K, REFUSED),
    "JSON among models": ({"": "*.json\n"}, "models/old/key.json", I, REFUSED),
    "models of one's own": ({"": "models/old/\n"}, "models/old/key.json", I, I),
    "nearer than the policy": ({"best_models/": "*\n"}, "best_models/a_meta.json", I, REFUSED),
    "nearer, deep in a run": ({"outputs/a/": "!*\n"}, "outputs/a/x.txt", K, I),
    "code that bears a name": ({"": "/logs/\n"}, "src/logs/writer.py", K, K),
    "a secret in config": ({"": "/config/secret.yaml\n"}, "config/secret.yaml", I, I),
    "config as a whole": ({"": "config/\n"}, "config/model.yaml", I, I),
    "documentation": ({"": "*.md\n"}, "docs/a/b.md", I, I),
    "what one brings back": ({"": "*.log\n!important.log\n"}, "important.log", K, REFUSED),
    "what one keeps of a folder": (
        {"": "wandb/*\n!wandb/settings\n"},
        "wandb/settings",
        K,
        REFUSED,
    ),
    "a set of letters": ({"": "outputs/*\n!outputs/[ab].txt\n"}, "outputs/b.txt", K, REFUSED),
    "a folder that one keeps": ({"": "logs/*\n!logs/keep/\n"}, "logs/keep/a.txt", K, REFUSED),
    "negated caches": ({"": "!__pycache__/\n"}, "src/__pycache__/a.pyc", K, I),
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """One repository for all cases: each is a workspace in a folder of its own, but one that
    wants rules for the whole clone."""
    return repo(tmp_path_factory.mktemp("tables") / "top")


@pytest.mark.parametrize("case", CASES)
def test_a_rule_beside_ours(tables: Repo, tmp_path: Path, case: str) -> None:
    files, path, by_git, after = CASES[case]
    alone = ".git/info/exclude" in files
    work = repo(tmp_path / "w") if alone else Repo(tables.root / case.replace(" ", "_"))
    work.write("config.toml", "")
    for folder, text in files.items():
        work.write(folder if alone and folder else f"{folder}.gitignore", text)
    work.write(path)
    if "sidecar" in case:
        work.write(path.replace(".json", ".pth"))
    assert ignored(work.root, [path]) == {path: by_git}
    settings = load(None, {}, work.root)
    sight = gitignoring.look(settings)
    assert sight is not None
    proof = gitignoring.prove(settings, sight)
    named = [each for each in proof.conflicts if each.file]
    assert bool(proof.conflicts) == bool(named) == (after == REFUSED), proof.conflicts
    if after == REFUSED:
        assert all(each.line and each.rule and each.hint for each in named)
        _is_where_it_says(work, named[0].file, named[0].line, named[0].rule)
    else:
        assert sight.change is not None
        work.rules((sight.change.new or "").encode("utf-8", "surrogateescape"))
        assert ignored(work.root, [path]) == {path: after}


def _is_where_it_says(work: Repo, file: str, line: int, rule: str) -> None:
    text = (work.root / file).read_bytes().decode("utf-8-sig")
    assert text.split("\n")[line - 1].strip() == rule, (file, line, text)


@pytest.mark.parametrize(
    ("rules", "path", "way_out"),
    [
        ("*.log\n!important.log\n", "important.log", 'keep = ["/important.log"]'),
        ("*.log\n!important.log\n", "important.log", 'drop = ["*.log"]'),
        ("wandb/*\n!wandb/settings\n", "wandb/settings", 'keep = ["/wandb/settings"]'),
        ("logs/*\n!logs/keep/\n", "logs/keep/a.txt", 'keep = ["/logs/keep"]'),
        ("best_models/\n", "best_models/notes.txt", 'drop = ["best_models/**/*.json"]'),
    ],
)
def test_the_way_out_leads_out(tmp_path: Path, rules: str, path: str, way_out: str) -> None:
    work = repo(tmp_path)
    work.rules(rules)
    work.has(path)
    before = work.ignores(path)
    answer = work.janitor("gitignore", "sync")
    assert (answer.code, work.text.decode()) == (4, rules)
    assert way_out in answer.said["errors"][0]["hint"] or way_out.startswith("drop")
    work.configure(f"[gitignore]\n{way_out}\n")
    assert work.sync() == 0
    assert work.ignores(path) == before


# ------------------------------------------------------------------ any rules at all

_NAMES = ("a", "b", "src", "data", "wandb", "outputs", "logs", "best_models", "models", "config")
_NAMES += (
    "hpo_results",
    "hpo_derived",
    "training",
    "runs",
    "docs",
    "x y",
    "caf\u00e9",
    "__pycache__",
)
_FILES = ("a.txt", "m.json", "a_meta.json", "n.log", "w.pt", "w.pth", "README.md", "c.yaml")
_FILES += ("p.png", ".keep", "b.onnx", "mlflow.db", "final_model_x.json", "final_model_x.pth")
_ENDINGS = ("*.json", "*.log", "*.txt", "*", "*.pt", "*_meta.json", "?.txt", "[an].log", "*.p*")


def _path(draw: random.Random) -> str:
    return "/".join([*draw.choices(_NAMES, k=draw.choice((0, 1, 1, 2, 2, 3))), draw.choice(_FILES)])


def _pattern(draw: random.Random) -> str:
    parts = draw.choices((*_NAMES, "*", "**"), k=draw.choice((0, 0, 1, 1, 2)))
    last = draw.choice((*_ENDINGS, *_FILES, *_NAMES, *_NAMES))
    sign = draw.choice(("", "", "", "!"))
    slash = draw.choice(("", "", "/")) if last in _NAMES else ""
    start = draw.choice(("", "", "/", "**/"))
    return f"{sign}{start}{'/'.join([*parts, last])}{slash}"


def _text(draw: random.Random, most: int) -> str:
    lines = [_pattern(draw) for _ in range(draw.randint(0, most))]
    eol = draw.choice(("\n", "\n", "\n", "\r\n"))
    text = eol.join(lines) + draw.choice((eol, ""))
    return draw.choice(("", "", "", "\ufeff", "# mine\n\n")) + text


def _wanted(path: str) -> bool | None:
    """The policy by hand: ignored, kept, or nothing said. No rule of it is read here."""
    *folders, name = path.split("/")
    top, ending = (folders or [""])[0], "." + name.rpartition(".")[2]
    if top in ("wandb", "outputs", "logs") or folders[:2] == ["training", "runs"]:
        return True
    if "__pycache__" in folders:
        return True
    if top in ("best_models", "hpo_results", "models") and ending == ".json":
        return False
    if top == "hpo_results" and ending == ".png":
        return False
    if ending in (".log", ".pt", ".pth") or name == "mlflow.db":
        return True
    return True if top in ("models", "best_models") and ending == ".onnx" else None


def _workspaces(top: Repo, seed: int, count: int) -> Iterator[tuple[Repo, list[str]]]:
    """Each with rules of its own, some of them nested, and files."""
    draw = random.Random(seed)
    for number in range(count):
        work = Repo(top.root / f"w{number}")
        shutil.rmtree(work.root, ignore_errors=True)
        work.write("config.toml", "")
        paths = []
        for path in dict.fromkeys(_path(draw) for _ in range(draw.randint(5, 40))):
            try:
                work.write(path)
            except (NotADirectoryError, IsADirectoryError, FileExistsError):
                continue
            paths.append(path)
        work.rules(_text(draw, 8))
        for path in draw.sample(paths, k=min(2, len(paths))):
            if "/" in path and draw.random() < 0.5:
                work.rules(_text(draw, 3), path.rpartition("/")[0] + "/")
        tracked = [path for path in paths if draw.random() < 0.1]
        if tracked:
            git(work.root, "add", "-f", "--", *tracked)
        yield work, paths


def _agrees(work: Repo, paths: list[str]) -> tuple[Sight, Proof]:
    """What was predicted is what real Git says once the file is there, and what changed is what
    the policy says; or there is a conflict, and the file that was not written shows it."""
    settings = load(None, {}, work.root)
    sight = gitignoring.look(settings)
    assert sight is not None
    assert sight.change is not None
    every = looked_at(settings, sight, sight.change)
    proof = judged(sight, every)
    predicted = {each.path: each.new for each in every}
    for each in proof.conflicts:
        _is_where_it_says(work, each.file, each.line, each.rule)
    tracked = {each for each in git(work.root, "ls-files", "-z").decode().split("\0") if each}
    free = [each for each in paths if each not in tracked]
    before = ignored(work.root, free)
    work.rules((sight.change.new or "").encode("utf-8", "surrogateescape"))
    after = ignored(work.root, {*free, *(each for each in predicted if each[-1] != "/")})
    differ = {
        each for each in after if each in predicted and predicted[each].ignored != after[each]
    }
    assert not differ
    closed = {each for each in free if each not in predicted}
    assert all(before[each] or _wanted(each) for each in closed)
    wrong = [each for each in free if not _is_right(work, each, before[each], after[each])]
    assert not wrong or proof.conflicts, (wrong, work.text.decode())
    return sight, proof


def _is_right(work: Repo, path: str, before: bool, after: bool) -> bool:
    wanted = _wanted(path)
    if wanted is not None:
        beside = (work.root / path).with_suffix(".pth").exists()
        firm = not path.startswith("models/") or beside
        return after == wanted if wanted or firm or not before else after
    return after == before


def _many(tmp_path: Path, seeds: range, each: int) -> None:
    refused = written = 0
    for seed in seeds:
        top = repo(tmp_path / f"top{seed}")
        for work, paths in _workspaces(top, seed, each):
            _, proof = _agrees(work, paths)
            refused += bool(proof.conflicts)
            written += not proof.conflicts
        shutil.rmtree(top.root)
    assert min(refused, written) >= len(seeds) * each // 20  # both happen


def test_any_rules(tmp_path: Path) -> None:
    _many(tmp_path, range(1), 40)


@pytest.mark.proof
@pytest.mark.timeout(7200)
def test_five_thousand_sets_of_rules(tmp_path: Path) -> None:
    _many(tmp_path, range(100, 150), 100)
