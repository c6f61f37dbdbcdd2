"""Settings of every test: a cache of the session, never the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ["BM_SITE"] = os.devnull  # the settings of a user's site are no test's business


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("BM_CACHE")
    os.environ["BM_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("BM_CACHE")
    if before is not None:
        os.environ["BM_CACHE"] = before
