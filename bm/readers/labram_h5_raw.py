"""A recording in LaBraM's HDF5 layout as MNE reads others: lazily, in volts."""

from __future__ import annotations

import mne
import numpy as np

from .labram_h5 import Group, read_samples


class RawH5(mne.io.BaseRaw):
    """One group of a file; samples are read when they are asked for.

    Args:
        group: of `labram_h5.read_group`.
    """

    def __init__(self, group: Group) -> None:
        info = mne.create_info(list(group.channels), group.rate_hz, "eeg")
        super().__init__(
            info,
            preload=False,
            filenames=[str(group.path)],
            last_samps=[group.samples - 1],
            raw_extras=[{"group": group}],  # all that MNE lets a reader see
            orig_format="double",
            verbose="error",
        )

    def _read_segment_file(
        self,
        data: np.ndarray,
        idx: slice | np.ndarray,
        fi: int,
        start: int,
        stop: int,
        cals: np.ndarray,
        mult: np.ndarray | None,
    ) -> None:
        """Fill `data` (channels, samples) with volts, as MNE requires of its readers."""
        group = self._raw_extras[fi]["group"]
        if mult is None:
            data[:] = 1e-6 * read_samples(group, start, stop, idx)
        else:
            data[:] = mult @ (1e-6 * read_samples(group, start, stop))
