"""Every file is whole or absent: kills, many writers at once, modes, and disks that fail."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from bm import writing
from bm.errors import UserError
from bm.tests.xp.project import ROOT
from bm.writing import replacing, replacing_folder, sweep, write_text

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


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Bad file descriptor") as error, replacing(tmp_path / "a"):
        raise OSError(errno.EBADF, "Bad file descriptor")
    assert error.value.errno == errno.EBADF and not (tmp_path / "a").exists()


def test_a_full_disk_is_one_line() -> None:
    """Linux has a file that is always full."""
    error = OSError(
        None, "Can't write data (file write failed: errno = 28, No space left on device"
    )
    message = writing.explain(Path("x.h5"), error)
    assert message is not None and "no space left" in str(message)


def test_a_disk_that_fails_anywhere_below_a_folder_is_one_line(tmp_path: Path) -> None:
    denied = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "xps" / "a"))
    mistake = writing.disk_mistake(denied, tmp_path)
    assert "a: cannot be written: no permission" in str(mistake)
    assert str(writing.disk_mistake(denied)) == str(mistake)
    assert writing.disk_mistake(denied, tmp_path / "other") is None
    assert writing.disk_mistake(OSError(errno.EIO, "no name")) is None
    # a missing file is a bug; a folder that has gone is not
    gone = FileNotFoundError(errno.ENOENT, "No such file", str(tmp_path / "xps" / "b"))
    assert "folder is gone" in str(writing.disk_mistake(gone, tmp_path))
    (tmp_path / "xps").mkdir()
    assert writing.disk_mistake(gone, tmp_path) is None


def test_another_users_folder_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing.check_writable(tmp_path)
    monkeypatch.setattr(writing.os, "access", lambda path, mode: not mode & os.W_OK)
    with pytest.raises(UserError, match="cannot be written: no permission"):
        writing.check_writable(tmp_path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOLCK])
def test_a_lock_that_the_folder_does_not_allow_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(number, "refused", str(tmp_path / "a.lock"))

    with writing.locked(tmp_path / "a.lock"):
        pass
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with (
        pytest.raises(UserError, match="cannot be written: "),
        writing.locked(tmp_path / "a.lock"),
    ):
        pass


def test_nothing_else_writes_files_aside() -> None:
    """Every write goes through one module."""
    allowed = {"bm/writing.py", "bm/engine/checkpoint.py", "bm/readers/download.py"}
    for path in [p for top in ("bm", "scripts", "grids") for p in (ROOT / top).rglob("*.py")]:
        name = path.relative_to(ROOT).as_posix()
        if name in allowed or name.startswith("bm/tests/"):
            continue
        text = path.read_text()
        assert not re.search(r"os\.(replace|rename)\(|NamedTemporary", text), name


def test_a_folder_in_the_place_of_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(UserError, match=r"x\.json: cannot be written: a folder has its name"):
        write_text(tmp_path / "x.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
