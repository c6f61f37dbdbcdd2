"""Where the shared recordings are, for tests that need real files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("BM_SHARED") or ROOT.parent / "shared")
DATA = SHARED / "data"
GOLDEN = SHARED / "golden"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="no shared folder with golden cases")


def needs(name: str) -> pytest.MarkDecorator:
    """Mark of tests that need a folder of the shared recordings."""
    return pytest.mark.skipif(
        not (DATA / name).is_dir(), reason=f"no shared folder with recordings ({name})"
    )
