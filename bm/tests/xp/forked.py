"""`dora WORDS` in a fork of a process that has torch loaded: no second `import torch`, 2 s each.

The fork runs the module `dora` as `python -m dora` does: its own arguments, folder, environment,
input, output and exit status, and nothing of the package or of the project imported before, except
`bm` and the packages of this file, which hold no code. At least one test of each file starts a
fresh interpreter instead.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["torch", "dora.grid", "dora.info", "dora.launch", "dora.run", "dora.share", "hydra", "pytest",
     "filelock", __name__]
)  # fmt: skip


def _become_dora(words: tuple[str, ...], folder: str, environment: dict[str, str],
                 files: tuple[str, str, str]) -> None:  # fmt: skip
    """Turn this process into `dora WORDS`; files are those of input, output and errors."""
    # a shell that starts the tests in the background has them ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in enumerate(files):
        opened = os.open(name, os.O_RDWR | os.O_APPEND)
        os.dup2(opened, number, inheritable=True)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the fork's own, until it ends
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    folders = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = dict.fromkeys([folder, *filter(None, folders), *sys.path])
    sys.argv = ["dora", *words]
    runpy.run_module("dora", run_name="__main__", alter_sys=True)


class Command:
    """A started `dora WORDS`.

    Args:
        folder: where it runs.
        words: the arguments after `dora`.
        environment: all variables that it sees.
        answer: text on its standard input.
    """

    def __init__(
        self, folder: Path, *words: str, environment: Mapping[str, str], answer: str = ""
    ) -> None:
        self._kept = tempfile.TemporaryDirectory()
        self._files = tuple(Path(self._kept.name) / name for name in ("in", "out", "err"))
        for file in self._files:
            file.touch()
        self._files[0].write_text(answer)
        names = tuple(map(str, self._files))
        self.words = words
        self._process = CONTEXT.Process(
            target=_become_dora, args=(words, str(folder), dict(environment), names)
        )
        self._process.start()

    def printed(self) -> str:
        """Standard output so far."""
        return self._files[1].read_text()

    def interrupt(self) -> None:
        """Send what Ctrl-C does."""
        os.kill(self._process.pid, signal.SIGINT)

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.join()

    def wait(self, seconds: float = 240) -> subprocess.CompletedProcess[str]:
        """Return its exit status, output and errors, without colours.

        Raises:
            TimeoutExpired: it was killed after so many seconds.
        """
        self._process.join(seconds)
        code = self._process.exitcode
        if code is None:
            self.end()
            raise subprocess.TimeoutExpired(self.words, seconds, self.printed())
        out, err = (COLOUR.sub("", file.read_text()) for file in self._files[1:])
        return subprocess.CompletedProcess(self.words, code, out, err)
