"""Study: a dataset as an iterable of recordings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..data.recording import Recording
from ..errors import UserError


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

    def present(self, find: Callable[[], list[Any]], missing: str) -> list[Any]:
        """Recordings whose files are there; when there is none, the files are fetched first.

        Args:
            find: looks for files.
            missing: what to say when there is still none: what is not where, and what to do.

        Raises:
            UserError: none is there and none can be fetched.
        """
        found = find()
        if not found:
            self.download()
            found = find()
        if not found:
            raise UserError(f"study {self.name}: {missing}")
        return found

    def download(self) -> None:  # noqa: B027 - most studies have nothing to fetch
        """Fetch the files when that is possible; the default has nothing to do."""
