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

import h5py
import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import Tensor

from .. import __version__
from ..errors import RecordingError, UserError
from ..registry import check_known, check_list
from ..writing import written_aside
from .content import Content, hash_of_files, hash_of_samples, landmarks
from .faults import of_recording
from .hdf5 import dataset_of
from .preprocess import check_rate, check_steps
from .recording import Recording
from .signal import Signal, make_signal, name_of
from .sources import Source, read_opened, read_sources, same_content, untouched
from .stretches import TRIAL_EDGE, Stretch, is_join

logger = logging.getLogger(__name__)
#: Raised when files of an older layout cannot be read any more: 2 holds bad channels and stretches,
#: 3 the trials that share samples.
FORMAT = 3
#: Part of the identity of a signal: raised when the same recording and recipe give other numbers.
NUMBERS = 1
PAGE = 4096  # bytes
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


def map_floats(path: Path, offset: int, shape: tuple[int, int]) -> Tensor:
    """Map (T, C) float32 at a byte offset of a file privately; no descriptor is held.

    `numpy.memmap` holds one each and dies at 1,018 recordings (1,024 descriptors a process).
    """
    count = offset // 4 + shape[0] * shape[1]
    whole = torch.from_file(str(path), shared=False, size=count, dtype=torch.float32)
    return whole[offset // 4 :].view(shape)


def events_to_json(events: pd.DataFrame) -> str:
    """Return a table as JSON that gives every number back exactly."""
    return json.dumps({name: events[name].tolist() for name in events})


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
            header = self.fresh(recording, path)
        if header is not None:
            signal = self._read(path)
            if self._fits(path, header, signal):
                return signal
        try:
            with locked(path):
                # Another process may have built it meanwhile.
                again = self.fresh(recording, path)
                damaged = header is not None and again is not None
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
        if header is None:
            return None
        sources = [Source(**one) for one in header["sources"]]
        opened = [Source(**one) for one in header.get("opened", ())]
        pairs = [(sources, recording.source), (opened, [one.path for one in opened])]
        if self.verify:
            same = all(same_content(*pair) for pair in pairs)
            return header if same and self._is_whole(path, header) else None
        same = all(untouched(*pair) or same_content(*pair) for pair in pairs)
        return header if same else None

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
                _write(aside, replace(signal, content=content), json.dumps(header))
        except OSError as error:
            if error.errno == errno.ENOSPC or "No space left" in str(error):
                size = signal.data.numel() * 4 / 1e9
                raise UserError(
                    f"paths.cache: no space left in {self.folder} for {recording.id.name} "
                    f"({size:.2f} GB); free some or choose another folder with BM_CACHE"
                ) from None
            raise

    def _read(self, path: Path) -> Signal:

        with h5py.File(path, "r") as file:
            header = json.loads(file["header"][()])
            signal = dataset_of(file, "signal")
            if signal is None:
                raise RecordingError(path, "no signal in it", "remove it; it is built again")
            offset, shape = signal.id.get_offset(), signal.shape
            positions = file["positions"][()]
            events = pd.DataFrame(json.loads(file["events"][()]))
            content = _read_content(file, header)
        # Content, not paths: the same recording elsewhere is the same signal.
        hashes = [one["sha256"] for one in [*header["sources"], *header.get("opened", ())]]
        stretches = tuple(Stretch(*one) for one in header["stretches"])
        numbers = numbers_of(header["recipe"], stretches)
        text = json.dumps([numbers, header["fingerprint"], hashes, header["recipe"]])
        return Signal(
            data=map_floats(path, offset, shape),
            channels=tuple(header["channels"]),
            kinds=tuple(header["kinds"]),
            positions=positions,
            rate_hz=header["rate_hz"],
            unit=header["unit"],
            events=events,
            bads=tuple(header["bads"]),
            stretches=stretches,
            identity=hashlib.sha256(text.encode()).hexdigest(),
            shift_s=content.shift_s,
            content=content,
        )


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


def _read_content(file: h5py.File, header: Mapping[str, Any]) -> Content:
    """Read what a stored recording is; files of before this was stored do not say it."""
    if "landmarks" not in file:
        return Content("", "", header["recording"]["run"])
    return Content(
        header["content"], header["samples_sha256"], header["path"], header["shift_s"],
        file["landmarks"][()], file["landmark_times"][()],
    )  # fmt: skip


def read_header(path: Path) -> dict[str, Any] | None:
    """Read the header of a stored file; None when it is not there or cannot be read."""
    try:  # the low-level calls are twice as fast, and every recording is asked at every start
        file = h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY)
        header: dict[str, Any] = json.loads(h5py.Dataset(h5py.h5d.open(file, b"header"))[()])
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError) as error:
        logger.warning("%s: damaged (%s); built again", path, str(error).splitlines()[0])
        return None
    return header if header.get("format") == FORMAT else None


def _write(path: Path, signal: Signal, header: str) -> None:
    """Write a file and flush it to the disk."""
    with h5py.File(
        path, "w", libver="latest", alignment_threshold=PAGE, alignment_interval=PAGE
    ) as file:
        data = file.create_dataset("signal", data=signal.data.numpy().astype("<f4", copy=False))
        data.attrs["unit"] = signal.unit
        data.attrs["rate_hz"] = signal.rate_hz
        file["channels"] = list(signal.channels)
        file["positions"] = signal.positions.astype(np.float32)
        file["events"] = events_to_json(signal.events)
        if signal.content is not None:
            file["landmarks"] = signal.content.keys
            file["landmark_times"] = signal.content.times_s
        file["header"] = header


def numbers_of(recipe: Mapping[str, Any], stretches: Sequence[Stretch]) -> int | list[object]:
    """Return what tells signals of one recording and recipe apart that are other numbers.

    Resampling once ran over joins; recordings without any are what they were.
    """
    steps = [step.get("step") for step in recipe.get("preprocess") or ()]
    resampled = recipe.get("rate_hz") is not None or "resample" in steps
    # Trials that are cut already were always resampled each by itself.
    joined = any(is_join(one.text) and one.text != TRIAL_EDGE for one in stretches)
    return [NUMBERS, "pieces"] if resampled and joined else NUMBERS


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
