"""Store: preprocessed recordings as memory maps, each written once.

One HDF5 file per recording and recipe: `signal` (time, channels) float32, contiguous,
uncompressed and page-aligned, `positions`, `events` and `header` (JSON). A file is written under
another name, fsynced and renamed while a lock is held, so that any number of processes may ask
for the same recording: one builds it, the others wait and read.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock
from torch import Tensor

from .. import __version__
from ..errors import RecordingError, UserError
from ..registry import check_known, check_list
from ..writing import written_aside
from .content import Content, hash_of_files, hash_of_samples, landmarks
from .faults import of_recording
from .preprocess import check_rate, check_steps
from .recording import Recording
from .signal import Signal, make_signal, name_of
from .sources import Source, read_opened, read_sources, same_content, untouched
from .stored import FORMAT, numbers_of, read_header, read_stored, write_stored

logger = logging.getLogger(__name__)
#: Samples that are compared with their checksum when they are read, of each store that a process
#: opens: a quarter of a second at 1 GB/s.
CHECKED = 1 << 28
#: Seconds between two lines that say what is preprocessed: a long one is named before it begins.
EVERY_S = 10.0
#: `dset.positions`: places on the head in metres, or in the flat sensor layout.
POSITIONS = ("head", "layout")
#: `dset.bads`: what is done with channels that are marked bad.
BADS = ("keep", "drop", "interpolate")


def recipe_of(dset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of `dset` that decides how a recording is stored."""
    check_list("dset.preprocess", dset.get("preprocess"), "{step: crop, start_s: 1}")
    steps, rate_hz = list(dset.get("preprocess") or []), dset.get("rate_hz")
    check_known("dset.bads", dset.get("bads", "keep"), BADS)
    if dset.get("bads") == "interpolate":  # before the other steps, which may mix channels
        steps = [{"step": "interpolate"}, *steps]
    check_steps(steps)
    if rate_hz is not None:
        check_rate("dset.rate_hz", rate_hz)
    recipe = {"preprocess": steps, "rate_hz": rate_hz}
    positions = dset.get("positions", "head")
    check_known("dset.positions", positions, POSITIONS)
    return recipe if positions == "head" else {**recipe, "positions": positions}


class CacheError(UserError):
    """The cache cannot be written."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file of the cache, and remove what a killed process left aside.

    Raises:
        UserError: the cache cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
        lock.acquire()
    except OSError as error:
        raise CacheError(
            f"paths.cache: cannot write below {path.parent} ({error.strerror or error}); "
            "choose another folder with paths.cache=... or BM_CACHE"
        ) from None
    try:
        for leftover in path.parent.glob(f".{path.stem}.*.tmp"):
            leftover.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


class Store:
    """Folder of preprocessed recordings.

    Args:
        folder: where they lie (`paths.cache`).
        verify: hash the source files again, instead of trusting size and time.
    """

    def __init__(self, folder: Path, verify: bool = False) -> None:
        self.folder, self.verify = Path(folder) / "signals", verify
        self.unchecked = CHECKED  # bytes of samples that are still compared with their sum
        self._announced = -math.inf

    def path(self, recording: Recording, recipe: Mapping[str, Any]) -> Path:
        """Return the file of a recording and a recipe, whether it is there or not."""
        files = [os.path.abspath(path) for path in recording.source]
        text = json.dumps([FORMAT, recording.fingerprint(), files, recipe], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in recording.id.name)
        # File systems allow 255 bytes a name; the key alone is unique.
        return self.folder / recording.id.study / f"{name[:100]}-{key}.h5"

    def get(self, recording: Recording, recipe: Mapping[str, Any]) -> Signal:
        """Return the preprocessed recording, built now when nobody has.

        Raises:
            RecordingError: the recording is bad.
            UserError: the cache cannot be written.
        """
        path = self.path(recording, recipe)
        with of_recording(name_of(recording), self.folder):
            stored = read_stored(path)
            if stored is not None and not self._is_fresh(recording, path, stored.header):
                stored = None
        if stored is not None:
            signal = stored.signal(path)
            if self._fits(path, stored.header, signal):
                return signal
        try:
            with locked(path):
                # Another process may have built it meanwhile.
                again = self.fresh(recording, path)
                damaged = stored is not None and again is not None
                if again is None or (damaged and not self._is_whole(path, again)):
                    self._build(recording, recipe, path)
        except CacheError:
            # In a cache that is filled and read-only only a bad recording is missing: its own
            # fault is raised, so that it is skipped as it was when the cache was filled.
            make_signal(recording, recipe, None)
            raise
        return self._read(path)

    def fresh(self, recording: Recording, path: Path) -> dict[str, Any] | None:
        """Return the header of a whole file of the source files as they are, else None."""
        header = read_header(path)
        return header if header and self._is_fresh(recording, path, header) else None

    def _is_fresh(self, recording: Recording, path: Path, header: Mapping[str, Any]) -> bool:
        """Return whether a file with this header is of the source files as they are."""
        sources = [Source(**one) for one in header["sources"]]
        opened = [Source(**one) for one in header.get("opened", ())]
        pairs = [(sources, recording.source), (opened, [one.path for one in opened])]
        if self.verify:
            return all(same_content(*pair) for pair in pairs) and self._is_whole(path, header)
        return all(untouched(*pair) or same_content(*pair) for pair in pairs)

    def _fits(self, path: Path, header: Mapping[str, Any], signal: Signal) -> bool:
        """Return whether the samples of a file are those that were written, as far as is looked.

        Reading all of a large cache at every start would take minutes: `verify` does.
        """
        size = signal.data.numel() * 4
        if self.verify or "samples_sha256" not in header or size > self.unchecked:
            return True
        self.unchecked -= size
        return self._is_whole(path, header, signal.data)

    def _is_whole(self, path: Path, header: Mapping[str, Any], data: Tensor | None = None) -> bool:
        """Return whether the samples of a file, `data` once they are read, are as written."""
        samples = self._read(path).data if data is None else data
        if hash_of_samples(samples) == header.get("samples_sha256"):
            return True
        logger.warning("%s: its samples are not those that were written; built again", path)
        return False

    def _announce(self, recording: Recording) -> None:
        """Log which recording is preprocessed, unless another one was named just now."""
        now = time.monotonic()
        if now - self._announced >= EVERY_S:
            self._announced = now
            logger.info("preparing %s (once; the cache keeps it)", name_of(recording))

    def _build(self, recording: Recording, recipe: Mapping[str, Any], path: Path) -> None:
        self._announce(recording)
        with of_recording(name_of(recording), path.parent):
            sources = read_sources(recording.source)
        signal = make_signal(recording, recipe, path.parent)
        # A download may still be running: what was hashed may not be what was read.
        if not untouched(sources, recording.source):
            where = recording.source[0]
            raise RecordingError(where, "the file changed while it was read", "run it again")
        opened = read_opened(recording.opened, recording.source)
        content = content_of_signal(recording, signal, [*sources, *opened])
        header = {
            "format": FORMAT,
            "version": __version__,
            "recording": vars(recording.id),
            "fingerprint": recording.fingerprint(),
            "recipe": recipe,
            "sources": [one.to_dict() for one in sources],
            "opened": [one.to_dict() for one in opened],
            "content": content.files,
            "samples_sha256": content.samples,
            "path": content.path,
            "shift_s": content.shift_s,
            "channels": signal.channels,
            "kinds": signal.kinds,
            "rate_hz": signal.rate_hz,
            "unit": signal.unit,
            "samples": signal.samples,
            "bads": signal.bads,
            "stretches": [[s.start_s, s.stop_s, s.text] for s in signal.stretches],
        }
        try:
            with written_aside(path) as aside:
                write_stored(aside, replace(signal, content=content), json.dumps(header))
        except OSError as error:
            if error.errno == errno.ENOSPC or "No space left" in str(error):
                size = signal.data.numel() * 4 / 1e9
                raise UserError(
                    f"paths.cache: no space left in {self.folder} for {recording.id.name} "
                    f"({size:.2f} GB); free some or choose another folder with BM_CACHE"
                ) from None
            raise

    def _read(self, path: Path) -> Signal:
        stored = read_stored(path)
        if stored is None:
            raise RecordingError(path, "cannot be read", "remove it; it is built again")
        return stored.signal(path)


def content_of_signal(recording: Recording, signal: Signal, sources: Sequence[Source]) -> Content:
    """Return what a recording is, from its preprocessed signal and the files it was read from."""
    hashes = {os.path.realpath(one.path): one.sha256 for one in sources}
    paths = {os.path.realpath(path) for path in recording.signal_files()}
    keys, times = landmarks(signal.data, signal.channels, signal.rate_hz)
    return Content(
        files=hash_of_files(
            # Recordings made from equations are what these are.
            [hashes[path] for path in paths if path in hashes] or [recording.fingerprint()],
            recording.part,
        ),
        samples=hash_of_samples(signal.data),
        path=recording.source[0] if recording.source else recording.id.name,
        shift_s=signal.shift_s,
        keys=keys,
        times_s=times,
    )


def in_memory(recording: Recording, recipe: Mapping[str, Any]) -> Signal:
    """Return the signal that a store would, for tests and for studies made from equations."""
    signal = make_signal(recording, recipe)
    sources = read_sources(recording.source)
    sources += read_opened(recording.opened, recording.source)
    hashes, numbers = [one.sha256 for one in sources], numbers_of(recipe, signal.stretches)
    text = json.dumps([numbers, recording.fingerprint(), hashes, recipe])
    return replace(
        signal,
        identity=hashlib.sha256(text.encode()).hexdigest(),
        content=content_of_signal(recording, signal, sources),
    )
