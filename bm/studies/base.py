"""Study: a data set as an iterable of recordings."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, TypedDict, TypeVar

from ..data.recording import Recording
from ..errors import UserError, there_is

T = TypeVar("T")


class StudyOptions(TypedDict, total=False):
    """Keyword arguments that studies hand on to `Study`."""

    root: Path | None
    cache: Path | None
    path: str | Path | None
    subjects: Sequence[int | str] | None


class Study(ABC):
    """A data set; subclasses take options of their own as keyword arguments, never a config.

    Args:
        root: folder of all studies (`paths.studies`).
        cache: folder of files that a study derives (`paths.cache`).
        path: folder of this data set; None = `<root>/<name>`, or its `subfolder`.
        subjects: numbers or names of the people, see `subject_type`; None = all that are there.

    Attributes:
        name: registered name, used in recording ids.
        simulated: true when recordings are made from equations.
        subject_type: int where people are numbered, so that 1 and "01" are the same person.
        subfolder: folder below `<root>/<name>` that `download` fills.
        checks_options: true when the constructor takes any keyword and refuses wrong ones itself.
        folder: where the files are.

    Raises:
        UserError: `subjects` that are no list of such numbers or names.
    """

    name: str = ""
    simulated: bool = False
    subject_type: ClassVar[type[int] | type[str]] = str
    subfolder: ClassVar[str] = ""
    checks_options: ClassVar[bool] = False

    def __init__(
        self,
        root: Path | None = None,
        cache: Path | None = None,
        path: str | Path | None = None,
        subjects: Sequence[int | str] | None = None,
    ) -> None:
        self.root = root
        self.cache = cache
        default = (root or Path()) / self.name / self.subfolder
        self.folder = Path(path).expanduser() if path else default
        self.subjects = None if subjects is None else self._people(subjects)

    def _people(self, subjects: Sequence[int | str]) -> tuple[int | str, ...]:
        # A text is a sequence of letters too, which would silently match nobody.
        try:
            if isinstance(subjects, str):
                raise TypeError
            return tuple(self.subject_type(subject) for subject in subjects)
        except (TypeError, ValueError):
            noun = "numbers, such as [1, 2]" if self.subject_type is int else "names"
            raise UserError(
                f"study {self.name}: subjects={subjects!r}; use a list of {noun}"
            ) from None

    def includes(self, subject: int | str) -> bool:
        """Return whether recordings of a person are used; a number may be given as its digits."""
        return self.subjects is None or self.subject_type(subject) in self.subjects

    def check_people(self, present: Sequence[str]) -> None:
        """Raise unless everybody of `subjects` has a recording.

        Args:
            present: subjects of the recordings that were found.

        Raises:
            UserError: somebody who has none, with who is there.
        """
        people = {self._as_listed(subject.removeprefix("sub-")) for subject in present}
        for subject in self.subjects or ():
            if str(subject).removeprefix("sub-") not in people:
                raise UserError(
                    f"study {self.name}: subjects: {subject!r} has no recording; "
                    f"{there_is(people, str(subject))}"
                )

    def _as_listed(self, subject: str) -> str:
        """Return a subject of a recording as `subjects` may list it."""
        digits = re.search(r"\d+$", subject)
        return str(int(digits[0])) if self.subject_type is int and digits else subject

    @abstractmethod
    def recordings(self) -> Sequence[Recording]:
        """Return all recordings, in a fixed order; nothing heavy is read."""

    def present(self, find: Callable[[], list[T]], missing: str) -> list[T]:
        """Return what `find` finds; when that is nothing, fetch the files and look again.

        Args:
            find: looks for files, or for recordings whose files are there.
            missing: what to say when there is still none: what is not where, and what to do.

        Raises:
            UserError: none is there and none can be fetched.
        """
        items = find()
        if not items:
            self.download()
            items = find()
        if not items:
            raise UserError(f"study {self.name}: {missing}")
        return items

    def download(self) -> None:  # noqa: B027 - most studies have nothing to fetch
        """Fetch the files when that is possible; the default has nothing to do."""
