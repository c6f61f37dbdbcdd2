"""`python -m scripts.join_parts path=FILE.zip.part1 [to=FILE.zip]`: join the pieces of an archive.

Pieces are taken in the order of their numbers (part10 after part9), none may be missing, and the
archive is tested before it gets its name.

  python -m scripts.join_parts path=data.zip.part1
"""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from pathlib import Path

from bm.errors import UserError
from bm.writing import replacing

from ._arguments import main_of

PIECE = re.compile(r"(?P<stem>.+)\.part(?P<number>\d+)$")


def pieces_of(path: Path) -> list[Path]:
    """Return all pieces of the archive that a piece belongs to, in the order of their numbers.

    Raises:
        UserError: no piece, or one of them is missing or there twice.
    """
    match = PIECE.fullmatch(path.name)
    if match is None or not path.is_file():
        raise UserError(f"{path}: no piece of an archive (NAME.part1)")
    numbered: dict[int, Path] = {}
    for other in sorted(path.parent.iterdir()):
        piece = PIECE.fullmatch(other.name)
        if piece is not None and piece["stem"] == match["stem"]:
            number = int(piece["number"])
            if number in numbered:
                raise UserError(f"{other}: piece {number} is there twice ({numbered[number].name})")
            numbered[number] = other
    first = min(numbered)
    missing = sorted({*range(first, max(numbered) + 1)} - {*numbered})
    if missing or first > 1:
        number = missing[0] if missing else 1
        raise UserError(f"{path.parent / match['stem']}: piece {number} is missing; fetch it")
    return [numbered[number] for number in sorted(numbered)]


def join(path: Path, to: Path | None = None) -> Path:
    """Write the archive that a piece belongs to; raise `UserError` when it is damaged."""
    pieces = pieces_of(path)
    target = to or path.with_name(PIECE.fullmatch(path.name)["stem"])  # type: ignore[index]
    with replacing(target) as aside:
        with aside.open("wb") as joined:
            for piece in pieces:
                with piece.open("rb") as part:
                    shutil.copyfileobj(part, joined)
        _check(aside, target)
    return target


def _check(aside: Path, target: Path) -> None:
    if target.suffix != ".zip":
        return
    try:
        with zipfile.ZipFile(aside) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{target}: the pieces make no archive ({error}); fetch them anew"
        ) from None
    if damaged is not None:
        raise UserError(f"{target}: {damaged} in it is damaged; fetch the pieces anew")


def command(path: str | None = None, to: str | None = None) -> int:
    """Join the pieces beside one of them."""
    if path is None:
        raise UserError("which archive? use: path=checkpoints.zip.part1")
    target = join(Path(path).expanduser(), Path(to) if to else None)
    print(f"written: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(command))
