"""Where the shared recordings are, for tests that need real files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("BM_DATA") or ROOT.parent / "shared" / "data")
if not DATA.is_dir():
    DATA = Path(os.environ.get("BM_SHARED", ROOT.parent / "shared")) / "data"


def needs(name: str) -> pytest.MarkDecorator:
    """Mark of tests that need a folder of the shared recordings."""
    return pytest.mark.skipif(
        not (DATA / name).is_dir(), reason=f"no shared folder with recordings ({name})"
    )
