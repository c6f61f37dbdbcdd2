"""Every file is whole or absent: kills, many writers at once, modes, and disks that fail."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bm import writing
from bm.errors import UserError
from bm.tests.xp.project import ROOT
from bm.writing import (
    REMEDIES,
    explain_uncaught,
    locked,
    replacing,
    replacing_folder,
    sweep,
    try_out,
    write_text,
)

KILLED = """
import os, signal, sys
from pathlib import Path
from bm import writing
os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
writing.write_text(Path(sys.argv[1]) / "a.json", "half")
"""


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Symptom: `.evaluation.json.PID.tmp` stayed in 8 of 9 kill loops."""
    other = ".tmp.another-host.1.0.a.json"
    (tmp_path / other).write_text("of a machine that shares the folder")
    mine = f".tmp.{writing.HOST}.{os.getpid()}.9.b.json"
    (tmp_path / mine).write_text("being written")
    for _ in range(3):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False
        )
        assert killed.returncode == -9
    sweep(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {other, mine}


def test_many_writers_of_one_file_never_meet(tmp_path: Path) -> None:
    """Symptom: three reports of a grid at once collided on a fixed temporary name."""
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                write_text(tmp_path / "a.txt", str(number) * 5000)
                with replacing_folder(tmp_path / "folder") as aside:
                    (aside / "file").write_text(str(number))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert re.fullmatch(r"(\d)\1{4999}", (tmp_path / "a.txt").read_text())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "folder"]
    assert (tmp_path / "folder/file").read_text() in "0123"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o007, 0o660), (0o077, 0o600)])
def test_modes_follow_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    """Symptom: model.safetensors could be read by its owner alone."""
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "a") as aside:
            aside.unlink()
            os.close(os.open(aside, os.O_CREAT | os.O_WRONLY, 0o600))  # as some libraries do
        with replacing_folder(tmp_path / "b") as aside:
            os.close(os.open(aside / "c", os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    for path in (tmp_path / "a", tmp_path / "b/c"):
        assert path.stat().st_mode & 0o777 == mode


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a") as aside:
        aside.write_text("ne")
        _ = 1 / 0
    assert (tmp_path / "a").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left"), (errno.EROFS, "read-only"), (errno.EACCES, "permission"),
        (errno.EDQUOT, "quota"), (errno.ENOENT, "folder is gone"), (errno.ENOLCK, "no locks"),
        (errno.EOPNOTSUPP, "does not support"), (errno.EIO, "disk or the network"),
    ],
)  # fmt: skip
def test_a_disk_that_fails_is_one_line(
    tmp_path: Path, monkeypatch, number: int, words: str
) -> None:
    def refuse(*names: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(writing.os, "replace", refuse)
    with pytest.raises(UserError, match=words) as caught:
        write_text(tmp_path / "a.json", "x")
    assert "\n" not in str(caught.value) and "a.json" in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOLCK, "no locks"), (errno.EOPNOTSUPP, "does not support"), (errno.EIO, "disk")],
)
def test_a_lock_that_is_refused_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """Symptom: fifteen lines of the library of locks."""

    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UserError, match=words) as caught, locked(tmp_path / "queue.lock"):
        pass
    assert "\n" not in str(caught.value) and "queue.lock" in str(caught.value)


def test_an_error_under_a_lock_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "a.lock"):
        (tmp_path / "b").read_text()


def test_a_folder_is_tried_out_and_left_as_it_was(tmp_path: Path) -> None:
    try_out(tmp_path / "a")
    assert not list((tmp_path / "a").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="a part of the path is a file"):
        try_out(tmp_path / "file" / "a")


def test_what_nobody_caught_is_a_failing_disk_or_a_bug(tmp_path: Path) -> None:
    def said(number: int, path: Path | None) -> str | None:
        name = None if path is None else str(path)
        mistake = explain_uncaught(OSError(number, os.strerror(number), name), tmp_path)
        return None if mistake is None else str(mistake)

    gone = tmp_path / "xps" / "a"
    assert said(errno.ENOENT, gone) == f"{gone}: {REMEDIES[errno.ENOENT]}"
    assert "no permission" in str(said(errno.EACCES, tmp_path.parent / "elsewhere"))
    assert str(tmp_path) in str(said(errno.ENOSPC, None))
    assert said(errno.ENOENT, tmp_path / "a") is None  # its folder is there: a bug of ours
    assert said(errno.ENOENT, Path("/no/such/file")) is None
    assert said(errno.EACCES, None) is None and said(errno.ECHILD, gone) is None


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        (tmp_path / "a").mkdir()
        write_text(tmp_path / "a", "x")


def test_a_full_disk_is_one_line() -> None:
    """Linux has a file that is always full."""
    error = OSError(
        None, "Can't write data (file write failed: errno = 28, No space left on device"
    )
    found = writing.explain(Path("x.h5"), error)
    assert found is not None and "no space left" in str(found)


def test_nothing_else_writes_files_aside() -> None:
    """Every write goes through one module."""
    allowed = {"bm/writing.py", "bm/engine/checkpoint.py", "bm/readers/download.py"}
    for path in [p for top in ("bm", "scripts", "grids") for p in (ROOT / top).rglob("*.py")]:
        name = path.relative_to(ROOT).as_posix()
        if name in allowed or name.startswith("bm/tests/"):
            continue
        text = path.read_text()
        assert not re.search(r"os\.(replace|rename)\(|NamedTemporary", text), name
