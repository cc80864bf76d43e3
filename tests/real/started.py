"""Programs that start at once: forks of an interpreter that has imported what they need.

Importing torch or Hydra takes ten times as long as what most programs of the tests do with
them. Each program is a process of its own all the same, with its own arguments, folder and
environment; only one runs at a time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock

_SERVE = """
import gc, importlib, json, os, runpy, sys

def next_program():
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            return asked
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    sys.exit()

for name in sys.argv[1:]:
    importlib.import_module(name)
gc.freeze()
asked = next_program()
for fd, path in enumerate((os.devnull, asked["out"], asked["out"])):
    os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), fd)
os.chdir(asked["cwd"])
os.environ.clear()
os.environ.update(asked["env"])
sys.argv = asked["args"]
if sys.argv[0] == "-c":
    exec(sys.argv.pop(1))  # in this module, whose names are gone before the process ends
elif sys.argv[0] == "-m":
    sys.path.insert(0, asked["cwd"])
    module = sys.argv.pop(0) and sys.argv[0]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


class _Starter:
    def __init__(self, modules: Sequence[str]) -> None:
        self._pipes = subprocess.Popen(
            [sys.executable, "-c", _SERVE, *modules],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._turn = Lock()

    def __del__(self) -> None:
        assert self._pipes.stdin is not None
        self._pipes.stdin.close()
        self._pipes.wait()

    def run(self, **what: object) -> int:
        stdin, stdout = self._pipes.stdin, self._pipes.stdout
        assert stdin is not None
        assert stdout is not None
        with self._turn:
            stdin.write(json.dumps(what) + "\n")
            stdin.flush()
            return int(stdout.readline())


_starter = cache(_Starter)


def run(
    modules: tuple[str, ...], args: Sequence[str], cwd: Path, env: Mapping[str, str]
) -> tuple[int, str]:
    """The exit code of ``python ARGS`` (minus a signal's number), and all that it printed."""
    with tempfile.NamedTemporaryFile() as out:
        code = _starter(modules).run(args=[*args], cwd=str(cwd), env={**env}, out=out.name)
        return code, Path(out.name).read_text(errors="replace")
