"""Study: a dataset as an iterable of recordings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from ..data.recording import Recording


class Study(ABC):
    """A dataset; subclasses take their options as explicit keyword arguments, never a config.

    Attributes:
        name: registered name, used in recording ids.
        simulated: true when recordings are made from equations.
    """

    name: str = ""
    simulated: bool = False

    def __init__(self, root: Path | None = None, cache: Path | None = None) -> None:
        self.root = root
        self.cache = cache

    @abstractmethod
    def recordings(self) -> Sequence[Recording]:
        """All recordings, in a fixed order; nothing heavy is read."""

    def download(self) -> None:  # noqa: B027 - most studies have nothing to fetch
        """Fetch the files when that is possible; the default has nothing to do."""
