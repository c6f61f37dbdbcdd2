"""Which recordings of several studies are used: shuffled, in turn, some of them.

The rules are those of the code of Defossez et al. (2023), which trains on several studies at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from ..data.recording import Recording
from ..errors import UserError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """Rule that takes recordings from lists of them, one list per entry of `dset.studies`.

    Attributes:
        skip: recordings that are left out at the front.
        count: recordings after them; None = all.
        seed: each list is shuffled by a generator of this seed; None, 0 and less = as the study
            orders them.
        interleave: one recording of each list in turn; else one list after the other.
    """

    skip: int = 0
    count: int | None = None
    seed: int | None = None
    interleave: bool = False

    @classmethod
    def of(cls, dset: Mapping[str, Any]) -> Choice:
        """Read `skip_recordings`, `n_recordings`, `shuffle_recordings_seed` and `interleave`.

        Raises:
            UserError: a negative number of recordings.
        """
        values = {name: dset.get(name) for name in ("skip_recordings", "n_recordings")}
        for name, value in values.items():
            if value is not None and int(value) < 0:
                raise UserError(f"dset.{name}={value}: use 0 or more")
        count, seed = values["n_recordings"], dset.get("shuffle_recordings_seed")
        return cls(
            int(values["skip_recordings"] or 0),
            None if count is None else int(count),
            None if seed is None else int(seed),
            bool(dset.get("interleave", False)),
        )

    def __call__(self, lists: Sequence[Sequence[Recording]]) -> list[Recording]:
        """Return the recordings in their final order."""
        shuffled = [self._shuffled(list(one)) for one in lists]
        if self.interleave:
            turns = zip_longest(*shuffled)
            recordings = [one for turn in turns for one in turn if one is not None]
        else:
            recordings = [one for part in shuffled for one in part]
        last = None if self.count is None else self.skip + self.count
        if recordings and self.skip >= len(recordings):
            raise UserError(
                f"dset.skip_recordings={self.skip} leaves none of {len(recordings)} recordings"
            )
        if last is not None and last > len(recordings):
            logger.warning(
                "dset.n_recordings=%d: there are %d", self.count, len(recordings) - self.skip
            )
        return recordings[self.skip : last]

    def _shuffled(self, recordings: list[Recording]) -> list[Recording]:
        if self.seed is None or self.seed <= 0:
            return recordings
        # The original shuffles with the legacy generator: the same seed gives the same order.
        order = np.random.RandomState(self.seed).permutation(len(recordings))
        return [recordings[i] for i in order.tolist()]
