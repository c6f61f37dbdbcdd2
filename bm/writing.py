"""One way to write a file: whole or absent, whatever dies, and whoever else writes it at once.

Ground floor: every room may import this module.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError

#: `.tmp.HOST.PID.NUMBER.NAME`; the ending of the name stays, by which some libraries choose a form.
ASIDE = re.compile(r"\.tmp\.(?P<host>[^.]+)\.(?P<pid>\d+)\.\d+\.")
HOST = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:40] or "host"
#: Failures of the disk or of rights, with what to do; any other one is a bug.
REMEDIES = {
    errno.ENOSPC: "no space left; free some, or choose another folder",
    errno.EDQUOT: "your quota is used up; free some, or choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "no permission; ask its owner for rights, or choose another folder",
    errno.EPERM: "no permission; ask its owner for rights, or choose another folder",
    errno.ENOENT: "the folder is gone; was it removed while this ran?",
    errno.ENOTDIR: "a part of the path is a file; choose another folder",
    errno.EISDIR: "a folder has its name; move that one away",
    errno.EIO: "the disk or the network file system fails; look at the system's log",
    errno.ESTALE: "the network file system lost the folder; mount it again",
    errno.ENOLCK: "the file system gives no locks; choose a folder on another one",
    errno.EOPNOTSUPP: "the file system does not support it; choose a folder on another one",
    errno.EFBIG: "the file is too large for the file system; choose another folder",
}
_numbers = itertools.count()
_swept: set[tuple[int, str]] = set()


def explain(path: Path, error: OSError) -> UserError | None:
    """Return a failure of the disk as a mistake with its remedy; None for any other failure."""
    number = error.errno
    # HDF5 and others hide the number in their text
    if number is None and "No space left" in str(error):
        number = errno.ENOSPC
    remedy = REMEDIES.get(number) if number is not None else None
    return None if remedy is None else UserError(f"{path}: cannot be written: {remedy}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn failures of the disk in the block into one line that names `path`."""
    try:
        yield
    except OSError as error:
        mistake = explain(path, error)
        if mistake is None:
            raise
        raise mistake from error


def disk_mistake(error: OSError, *folders: str | Path) -> UserError | None:
    """Return a failure of the disk, below some folders if any are named, as a mistake.

    For the end of a command: what nobody nearer has explained. None for any other error.
    """
    if not isinstance(error.filename, str):
        return None
    path = Path(error.filename).absolute()
    if folders and not any(path.is_relative_to(Path(folder).absolute()) for folder in folders):
        return None
    # A file that is not there is a bug, unless its whole folder has gone.
    if error.errno == errno.ENOENT and path.parent.exists():
        return None
    mistake = explain(path, error)
    if mistake is not None and path.exists() and not os.access(path, os.R_OK):
        return UserError(str(mistake).replace("cannot be written", "cannot be read"))
    return mistake


@contextmanager
def locked(path: Path, timeout: float = -1) -> Iterator[None]:
    """Hold the lock of a file, which the system frees when its holder dies.

    Raises:
        UserError: the folder cannot be written, or its file system gives no locks.
        filelock.Timeout: another process held it for `timeout` seconds; -1 waits for ever.
    """
    from filelock import FileLock

    lock = FileLock(path)
    with explained(path):
        lock.acquire(timeout=timeout)
    try:
        yield
    finally:
        lock.release()


def check_writable(folder: Path) -> None:
    """Raise `UserError` for a folder in which this user cannot write, another's for example.

    Nothing is written: the log of a run opens files in its folder by libraries of others.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        read_only = os.access(folder, os.F_OK) and os.statvfs(folder).f_flag & os.ST_RDONLY
        reason = REMEDIES[errno.EROFS if read_only else errno.EACCES]
        raise UserError(f"{folder}: cannot be written: {reason}")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def sweep(folder: Path) -> None:
    """Remove what killed processes of this host left half-written in a folder."""
    for path in folder.glob(".tmp.*"):
        match = ASIDE.match(path.name)
        if match is None or match["host"] != HOST or _alive(int(match["pid"])):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def aside_of(path: Path) -> Path:
    """Return a name beside `path` that no other writer has; its folder is made, and swept once."""
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    key = (os.getpid(), str(folder))
    if key not in _swept:
        _swept.add(key)
        sweep(folder)
    # A name may have 255 bytes; its end says the form.
    end = os.fsdecode(os.fsencode(path.name)[-120:]) if len(path.name) > 120 else path.name
    return folder / f".tmp.{HOST}.{os.getpid()}.{next(_numbers)}.{end}"


def sync(path: Path) -> None:
    """Bring a written file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def written_aside(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield an empty file beside `path` to be written; it takes that name when the block ends.

    The file is on the disk before it has its name, and its mode follows the umask, also where a
    library makes files for its owner alone. An error in the block leaves what was there.

    Args:
        path: of the file.
        durable: false where a loss at a power cut does no harm; a kill never leaves half a file.

    Raises:
        OSError: full, read-only, gone, without rights; `replacing` says it in one line.
    """
    path = Path(path)
    aside = aside_of(path)
    try:
        with open(aside, "xb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
        yield aside
        if aside.stat().st_mode & 0o777 != mode:
            aside.chmod(mode)
        if durable:
            sync(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a file to be written as `written_aside` does.

    Raises:
        UserError: full, read-only, gone, without rights.
    """
    with explained(Path(path)), written_aside(Path(path), durable) as aside:
        yield aside


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder` to be filled; it takes that name when the block ends.

    Raises:
        UserError: see `replacing`.
    """
    folder = Path(folder)
    with explained(folder):
        aside = aside_of(folder)
        try:
            aside.mkdir()
            yield aside
            settle(aside)
            swap_folder(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def settle(aside: Path) -> None:
    """Give the files of a folder the mode of the umask and bring them to the disk."""
    plain = aside.stat().st_mode & 0o666
    for path in [p for p in aside.rglob("*") if p.is_file()]:
        path.chmod(plain)
        sync(path)
    sync(aside)


@contextmanager
def replacing_files(folder: Path, last: str) -> Iterator[Path]:
    """Yield an empty folder to be filled with files that belong together and go to `folder`.

    Each is whole or the old one stays; the one called `last`, which names the others, comes last.

    Raises:
        UserError: see `replacing`.
    """
    folder = Path(folder)
    with explained(folder):
        aside = aside_of(folder / last)
        try:
            aside.mkdir()
            yield aside
            settle(aside)
            for path in sorted(aside.iterdir(), key=lambda path: path.name == last):
                os.replace(path, folder / path.name)
            sync(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def swap_folder(aside: Path, folder: Path) -> None:
    """Rename a complete folder to the name of another, which may be there."""
    old = aside_of(folder)
    # A folder cannot be renamed over another: the old one stays until the end. A second writer may
    # put its own there between the two renames.
    for _ in range(100):
        if folder.exists():
            try:
                os.replace(folder, old)
            except FileNotFoundError:
                continue
        try:
            os.replace(aside, folder)
            break
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """Replace a file by `text`; after a crash either the old or the new content is there."""
    with replacing(path, durable) as aside:
        aside.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes, durable: bool = True) -> None:
    """Replace a file by `content`, as `write_text`."""
    with replacing(path, durable) as aside:
        aside.write_bytes(content)
