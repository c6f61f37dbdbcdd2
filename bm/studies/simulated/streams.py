"""Random numbers of the simulation: one generator per place and purpose (simulated.md section 1)."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator, Philox, SeedSequence

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
    """Where a draw belongs; an index that does not apply is -1."""

    seed: int
    mode: str
    subject: int = -1
    session: int = -1
    run: int = -1

    def stream(self, purpose: str, block: int = 0) -> Generator:
        """The generator of one purpose: adding a draw to one moves no other."""
        key = (
            MODES.index(self.mode) + 1,
            self.subject + 1,
            self.session + 1,
            self.run + 1,
            PURPOSES[purpose],
            block,
        )
        return Generator(Philox(SeedSequence(self.seed, spawn_key=key)))
