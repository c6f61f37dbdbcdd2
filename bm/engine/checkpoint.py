"""Checkpoints on disk: complete or absent, never half.

A checkpoint is written under a temporary name, fsynced, renamed over the latest one, and the
folder is fsynced. The one before stays as `checkpoint.previous.pt` (a hard link: no second write).

torch writes a CRC of each tensor and never looks at it, so that a flipped bit loads in silence. It
is left out; the file ends with a CRC of all its bytes instead, which is compared before they are
read. torch and zip programs skip such an end; files without one, of earlier versions, are read as
they are.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import re
import shutil
import zlib
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

import torch

from ..errors import UserError
from ..writing import aside_of, explained, replacing, replacing_folder, sync

if TYPE_CHECKING:
    from typing_extensions import Buffer

logger = logging.getLogger(__name__)
LATEST, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
#: Before the eight digits of the CRC-32 of a file, and a line break after them.
SEAL = b"\nbm-crc32:"
SEAL_BYTES = len(SEAL) + 9
BLOCK = 1 << 22  # bytes of a file read at once
#: Below this waiting for the sum takes less time than a second fsync would.
SMALL = 1 << 23


def write(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain values) to `path`, complete or not at all."""
    # torch writes many small pieces: a large buffer saves calls of the system
    with (
        replacing(path) as aside,
        open(aside, "r+b", buffering=1 << 20) as file,
        Summed(file) as summed,
    ):
        with _without_crc():
            torch.save(state, cast("IO[bytes]", summed))
        summed.seal()
    sync(path.parent)  # else the name may be lost with the power


class Summed(io.BufferedIOBase):
    """A file that is written from beginning to end while another thread takes its CRC-32.

    The sum takes as long as the copy to the page cache and a fast disk together; neither of them
    holds the interpreter.

    Args:
        file: open to read and write, at its beginning.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._other = ThreadPoolExecutor(1)
        self._written = self._asked = self._position = self._crc = 0

    def close(self) -> None:
        """End the other thread; the file stays open."""
        self._other.shutdown()
        super().close()

    def write(self, data: Buffer) -> int:
        """Write bytes, and return their number."""
        count = self._file.write(data)
        self._written += count
        if self._written - self._asked >= BLOCK:
            self._ask()
        return count

    def _ask(self) -> Future[int]:
        """Ask the other thread for the sum of what was written until now."""
        self._file.flush()
        self._asked = self._written
        return self._other.submit(self._follow, self._written)

    def _follow(self, size: int) -> int:
        while self._position < size:
            count = min(BLOCK, size - self._position)
            block = os.pread(self._file.fileno(), count, self._position)
            if not block:
                raise OSError(errno.EIO, "bytes that were written cannot be read again")
            self._crc, self._position = zlib.crc32(block, self._crc), self._position + len(block)
        return self._crc

    def seal(self) -> None:
        """Append the sum, and bring all of the file to the disk."""
        last = self._ask()
        if self._written >= SMALL:
            os.fsync(self._file.fileno())
        self._file.write(SEAL + b"%08x\n" % last.result())
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def _without_crc() -> Iterator[None]:
    """Let torch leave out the CRC of each tensor."""
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(before)


def crc_of(descriptor: int, size: int) -> int:
    """Return the CRC-32 of the first `size` bytes of an open file."""
    crc = position = 0
    while position < size and (
        block := os.pread(descriptor, min(BLOCK, size - position), position)
    ):
        crc, position = zlib.crc32(block, crc), position + len(block)
    return crc


def check_seal(path: Path) -> None:
    """Raise `ValueError` when the bytes of a file are not those that were written.

    A file without a sum, of an earlier version, is not checked.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size - SEAL_BYTES
        seal = os.pread(file.fileno(), SEAL_BYTES, max(0, size))
        if size < 0 or not seal.startswith(SEAL):
            return
        if seal != SEAL + b"%08x\n" % crc_of(file.fileno(), size):
            raise ValueError("its checksum does not fit: bytes of it have changed")


def link(path: Path, other: Path) -> None:
    """Give the file `path` the second name `other`, replacing what had that name."""
    with explained(other):
        aside = aside_of(other)
        try:
            os.link(path, aside)
        except OSError:  # some network file systems know no hard links
            shutil.copyfile(path, aside)
        os.replace(aside, other)
        aside.unlink(missing_ok=True)  # rename between two names of one file leaves both


def read(path: Path) -> dict[str, Any]:
    """Read the state in `path` to the CPU; raises `UserError` when the file is damaged."""
    try:
        check_seal(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise UserError(
            f"{path}: damaged checkpoint ({reason}); restore it or start afresh with --clear"
        ) from error
    if not isinstance(state, dict):
        raise UserError(f"{path}: not a checkpoint; start afresh with --clear")
    return state


class Checkpoints:
    """The checkpoints of one experiment.

    Args:
        folder: of the experiment.
        keep: epochs (completed) whose checkpoints are never deleted.
    """

    def __init__(self, folder: Path, keep: Collection[int] = ()) -> None:
        self.folder, self.keep = folder, set(keep)

    def save(self, state: dict[str, Any], epoch: int, epoch_end: bool) -> None:
        """Make `state` the latest checkpoint; a kept epoch gets a name of its own as well."""
        latest = self.folder / LATEST
        if latest.exists():
            link(latest, self.folder / PREVIOUS)
        write(latest, state)
        if epoch_end and epoch in self.keep:
            link(latest, self.folder / f"checkpoint-epoch-{epoch:05d}.pt")

    def load(self) -> dict[str, Any] | None:
        """Read the latest readable state; None at a first run.

        A damaged latest file falls back to the previous one with a warning; when that is missing
        or damaged too, `UserError`.
        """
        for pattern in (".checkpoint*.tmp", ".best*.tmp"):  # of versions before `writing`
            for leftover in self.folder.glob(pattern):
                if leftover.is_dir() and not leftover.is_symlink():
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink(missing_ok=True)
        latest, previous = self.folder / LATEST, self.folder / PREVIOUS
        if not latest.exists():
            return read(previous) if previous.exists() else None
        try:
            return read(latest)
        except UserError as error:
            if not previous.exists():
                raise
            state = read(previous)
            logger.warning("%s; continuing from %s", error, previous.name)
            # otherwise the next save would keep the damaged one as previous
            latest.unlink(missing_ok=True)
            return state


class BestFolders:
    """Best models as folders `best-EPOCH`; `best` links to the one a checkpoint names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vouched: int | None = None

    def path(self, epoch: int) -> Path:
        """Return the folder of the best model of `epoch`."""
        return self.folder / f"best-{epoch:05d}"

    @contextmanager
    def saving(self, epoch: int) -> Iterator[Path]:
        """Yield an empty folder to save into; it is the best model of `epoch` when the block ends.

        A disk that fails meanwhile leaves nothing of it.

        Raises:
            UserError: full, read-only, gone, without rights.
        """
        with replacing_folder(self.path(epoch)) as aside:
            yield aside
        with explained(self.folder):
            sync(self.folder)

    def whole(self, epoch: int) -> Path:
        """Return the folder of the best model of `epoch`; raise `UserError` when it is gone."""
        path = self.path(epoch)
        if not (path.is_dir() and any(path.iterdir())):
            raise UserError(
                f"{path}: the best weights so far are gone; restore the folder, or start afresh "
                "with --clear"
            )
        return path

    def vouch(self, epoch: int | None) -> None:
        """Point `best` at the epoch that a checkpoint names; keep this and the one before."""
        if epoch is None:
            return
        with explained(self.folder / "best"):
            aside = aside_of(self.folder / "best")
            os.symlink(self.path(epoch).name, aside, target_is_directory=True)
            os.replace(aside, self.folder / "best")
        for path in self.folder.glob("best-*"):
            match = re.fullmatch(r"best-(\d+)", path.name)
            if match and self._stale(int(match[1]), epoch):
                shutil.rmtree(path, ignore_errors=True)
        self.vouched = epoch

    def _stale(self, other: int, epoch: int) -> bool:
        """Return whether a folder may go; after a resume older ones stay once.

        The previous checkpoint may name one of them.
        """
        if self.vouched is None:
            return other > epoch
        return other not in (epoch, self.vouched)
