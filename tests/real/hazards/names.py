"""Names and things in folders that careless programs trip over; all of it must go and come back."""

import os
import stat

from tests.real import hydra_runs
from tests.real.workspace import Nasty


def not_utf8(w: Nasty) -> None:
    """A run folder and a file that no UTF-8 decoder reads: Latin-1 names from an old disk."""
    run = w.hydra(82)
    renamed = run + os.fsdecode(b"_M\xfcnchen\xff")
    (w.root / run).rename(w.root / renamed)
    w.backdate(renamed, 82)
    w.goes(renamed, "hydra-run", "old; its name is not UTF-8")
    other = w.hydra(83)
    w.write(os.fsdecode(os.fsencode(other) + b"/na\xefve \xfe.txt"))
    w.backdate(other, 83)
    w.goes(other, "hydra-run", "old; a name in it is not UTF-8")


def terminal_traps(w: Nasty) -> None:
    """Hydra quotes them without a word: a newline, an escape sequence, rich's own markup."""
    traps = ("_[bold]x[/]", "_a\nb", "_\x1b[31mred\x1b[0m", "_\u202etxt", "_ ")
    for number, trap in enumerate(traps):
        run = w.dated("outputs", 84 + number / 100) + trap
        hydra_runs.run(w.root, run)
        w.backdate(run, 84)
        w.goes(run, "hydra-run", "old; its name could upset a terminal")


def sparse(w: Nasty) -> None:
    """64 MB to ``ls``, 8 kB on the disk."""
    run = w.hydra(85)
    with open(w.write(f"{run}/features.bin", b"x" * 4096), "r+b") as file:
        file.seek(2**26)
        file.write(b"end")
    w.backdate(run, 85)
    w.goes(run, "hydra-run", "old; holds a sparse file")


def extended_attributes(w: Nasty) -> None:
    run = w.hydra(86)
    file = w.write(f"{run}/predictions.csv", "a,b\n")
    os.setxattr(file, "user.origin", b"experiment \xff 7")
    os.setxattr(file.parent, "user.xdg.tags", "schön".encode())
    file.chmod(0o640)
    w.backdate(run, 86)
    w.goes(run, "hydra-run", "old; holds extended attributes")


def unreadable_folder(w: Nasty) -> None:
    """An ordinary user can't see what is in it; root can."""
    run = w.hydra(87)
    w.write(f"{run}/private/notes.txt")
    w.backdate(run, 87)
    w.live.append(lambda given: (given.root / run / "private").chmod(0o000))
    w.goes(run, "hydra-run", "holds a folder that can't be read", root_only=True)


def unreadable_file(w: Nasty) -> None:
    """Its name is seen, but nobody may be asked whether it is in use."""
    run = w.hydra(88)
    w.write(f"{run}/secret.txt")
    w.backdate(run, 88)
    w.live.append(lambda given: (given.root / run / "secret.txt").chmod(0o000))
    w.goes(run, "hydra-run", "holds a file that can't be opened", root_only=True)


def foreign_file(w: Nasty) -> None:
    """A colleague's file in our run: we may not ask for its lease, nor see their programs."""
    if os.geteuid() != 0:
        return  # only root can give a file away
    run = w.hydra(89)
    w.write(f"{run}/from_a_colleague.txt")
    w.backdate(run, 89)
    w.live.append(lambda given: os.chown(given.root / run / "from_a_colleague.txt", 23456, 23456))
    w.goes(run, "hydra-run", "holds another user's file", root_only=True)


def pipes_and_sockets(w: Nasty) -> None:
    """Whoever opens the pipe to look waits for ever."""
    run = w.hydra(90)
    os.mkfifo(w.root / run / "control.fifo")
    os.mknod(w.root / run / "control.sock", stat.S_IFSOCK | 0o600)
    w.backdate(run, 90)
    w.goes(run, "hydra-run", "old; holds a pipe and a socket")


def way_out(w: Nasty) -> None:
    """Links that lead out of the workspace, in circles and nowhere: only the links may go."""
    outside = w.root.parent / "datasets"
    outside.mkdir()
    (outside / "prices.csv").write_text("1,2,3\n")
    run = w.hydra(91)
    for name, target in (("data", outside), ("loop", "."), ("root", "/"), ("nowhere", "gone")):
        (w.root / run / name).symlink_to(target)
    w.backdate(run, 91)
    w.goes(run, "hydra-run", "old; holds links that lead out of it")


def deep(w: Nasty) -> None:
    """Its longest path is as long as one may be: in the trash it is longer than that."""
    run = w.hydra(92)
    level = "d" * 100
    levels = (4000 - len(os.fsencode(w.root / run))) // (len(level) + 1)
    w.write("/".join([run, *[level] * levels, "leaf"]))
    w.backdate(run, 92)
    w.goes(run, "hydra-run", "old; its deepest path is as long as PATH_MAX lets it be")


HAZARDS = (
    not_utf8,
    terminal_traps,
    sparse,
    extended_attributes,
    unreadable_folder,
    unreadable_file,
    foreign_file,
    pipes_and_sockets,
    way_out,
    deep,
)
