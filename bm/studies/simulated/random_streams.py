"""Random numbers of the simulation: one generator for each place and purpose.

Any process can make any recording alone and in any order, because a generator depends only on the
seed and the keys of its recording. A draw that is added to one purpose moves no other, so the same
seed has the same noise at two signal-to-noise ratios, and a larger study begins with the recordings
of a smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator, Philox, SeedSequence

# The numbers are part of the keys: a new mode or purpose is added at the end.
MODES = ("motor", "background", "listening", "reading", "seeg")
PURPOSES = {
    "study": 0,
    "subject": 1,
    "session": 2,
    "events": 3,
    "background": 4,
    "rhythms": 5,
    "nuisance": 6,
    "artefacts": 7,
    "audio": 8,
}


@dataclass(frozen=True)
class Place:
    """Place of a draw in the study; an index that does not apply is -1."""

    seed: int
    mode: str
    subject: int = -1
    session: int = -1
    run: int = -1

    def stream(self, purpose: str, block: int = 0) -> Generator:
        """Return the generator of one purpose; `block` numbers independent parts of it."""
        key = (
            MODES.index(self.mode) + 1,
            self.subject + 1,
            self.session + 1,
            self.run + 1,
            PURPOSES[purpose],
            block,
        )
        return Generator(Philox(SeedSequence(self.seed, spawn_key=key)))
