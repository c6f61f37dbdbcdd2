"""Archives in pieces: joined by number, nothing missing, tested before they get a name."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from bm.errors import UserError
from scripts.join_parts import join, pieces_of


def pieces(folder: Path, count: int) -> list[Path]:
    """An archive cut into pieces part1, part2, ..., whose names do not sort as their numbers."""
    with zipfile.ZipFile(folder / "whole.zip", "w") as archive:
        archive.writestr("a.txt", bytes(range(256)) * 20)
    content = (folder / "whole.zip").read_bytes()
    (folder / "whole.zip").unlink()
    step = -(-len(content) // count)
    paths = [folder / f"whole.zip.part{n + 1}" for n in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(content[number * step : (number + 1) * step])
    return paths


def test_pieces_are_joined_by_number(tmp_path) -> None:
    paths = pieces(tmp_path, 12)
    assert pieces_of(paths[9]) == paths
    with zipfile.ZipFile(join(paths[3])) as archive:
        assert archive.read("a.txt") == bytes(range(256)) * 20


@pytest.mark.parametrize("lost", [0, 5])
def test_a_missing_piece_is_named(tmp_path, lost) -> None:
    paths = pieces(tmp_path, 12)
    paths[lost].unlink()
    with pytest.raises(UserError, match=f"piece {lost + 1} is missing"):
        join(paths[3])


def test_a_damaged_archive_gets_no_name(tmp_path) -> None:
    paths = pieces(tmp_path, 3)
    paths[1].write_bytes(bytes(len(paths[1].read_bytes())))
    with pytest.raises(UserError, match="fetch"):
        join(paths[0])
    assert not (tmp_path / "whole.zip").exists()
    with pytest.raises(UserError, match="no piece"):
        join(tmp_path / "other.zip")
