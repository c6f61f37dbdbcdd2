"""Output folder and cache that the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bm.train import main


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    patch, folder = pytest.MonkeyPatch(), tmp_path_factory.mktemp("outputs")
    patch.setattr(main.dora, "dir", str(folder))
    patch.setenv("BM_CACHE", str(folder / "cache"))
    yield folder
    patch.undo()
