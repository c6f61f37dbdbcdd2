"""Study `labram_h5`: files in the HDF5 layout of LaBraM's pre-training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..data.recording import Recording, RecordingId
from ..errors import RecordingError, UserError
from ..readers.hidden import matches
from ..readers.labram_h5 import names_of, read_group
from ..readers.labram_h5_raw import RawH5
from . import STUDIES
from .base import Study

if TYPE_CHECKING:
    import mne

#: Where files are looked for below `paths.studies`, by either ending of the format.
PATTERNS = ("labram_h5/**/*.hdf5", "labram_h5/**/*.h5")


class H5Recording(Recording):
    """One group of a file, with one event of kind `block` over all of it."""

    def __init__(self, path: Path, name: str) -> None:
        self.id = RecordingId("labram_h5", name or path.stem, path.stem, "0")
        self.path, self.name, self.source = path, name, (str(path),)

    @property
    def part(self) -> str:
        """Return the name of the group."""
        return self.name

    def load_raw(self) -> mne.io.BaseRaw:
        """Open the group in volts, samples are read when needed; the layout holds no positions."""
        # Read on each call: an open file of every recording would exhaust the descriptors.
        group = read_group(self.path, self.name)
        if group.samples == 0:
            raise RecordingError(self.path, f"{self.name}: no sample", "skip it")
        return RawH5(group)

    def events(self) -> pd.DataFrame:
        """Return the whole recording as one block."""
        group = read_group(self.path, self.name)
        seconds = group.samples / group.rate_hz
        return pd.DataFrame([("block", 0.0, seconds)], columns=["kind", "start_s", "duration_s"])

    def fingerprint(self) -> str:
        """Return which group is read."""
        return json.dumps(["labram_h5", self.name])


@STUDIES.register("labram_h5")
class LabramH5(Study):
    """Recordings in the HDF5 layout that LaBraM is pre-trained from, preprocessed already.

    See `readers.labram_h5` for the layout (Jiang et al., ICLR 2024, and their `dataset_maker`).

    Files lie below `<root>/labram_h5`, or where `files` says. The subject of a recording is the
    name of its group, the session the name of its file.

    Args:
        files: paths or patterns below `paths.studies`; None = all of `labram_h5`.
    """

    name = "labram_h5"

    def __init__(
        self,
        root: Path | None = None,
        cache: Path | None = None,
        files: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__(root, cache)
        patterns = [files] if isinstance(files, str) else files
        self.files = list(PATTERNS if patterns is None else patterns)

    def recordings(self) -> Sequence[H5Recording]:
        """Return files by path, groups in the order of the file.

        Raises:
            UserError: no file.
        """
        root = self.root or Path()
        paths: dict[Path, None] = {}
        for pattern in self.files:
            # A pattern cannot be absolute for `glob`.
            whole = Path(pattern).is_absolute()
            files = [Path(pattern)] if whole else matches(root, pattern)
            if not files and self.files != list(PATTERNS):
                raise UserError(f"study labram_h5: no file {pattern!r} below {root}; see `files`")
            paths.update(dict.fromkeys(files))
        if not paths:
            raise UserError(
                f"study labram_h5: no .hdf5 file below {root / self.name}; put them there, or set "
                "paths.studies (BM_DATA) or the study's `files`"
            )
        return [recording for path in paths for recording in _recordings_in(path)]


def _recordings_in(path: Path) -> list[H5Recording]:
    """Return the recordings of a file; a bad file is one, which fails when it is loaded."""
    try:
        return [H5Recording(path, name) for name in names_of(path)]
    except RecordingError:
        return [H5Recording(path, "")]
