"""Settings of every test: none of the user's, one thread, one cache of the whole session."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Where the shared recordings are: a setting of the tests themselves.
KEPT = "BM_SHARED"
#: Read when torch and numpy are loaded, so before the first test file. Two workers with two threads
#: each on two cores wait for one another; simulated samples differ in their last bits with them.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BM_THREADS")
#: Of a job or a launcher that the tests may run in.
PROCESS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "DORA_PACKAGE")


def clear_environment() -> None:
    """Remove settings of the user and of a surrounding job from the environment of the tests."""
    for name in list(os.environ):
        if (name.startswith("BM_") and name != KEPT) or name in PROCESS:
            del os.environ[name]
    os.environ.update(dict.fromkeys(THREADS, "1"))
    os.environ.update(BM_SITE=os.devnull, MPLBACKEND="Agg")


clear_environment()


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Set an empty cache; the workers of pytest-xdist share one, as jobs of a grid do."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    os.environ["BM_CACHE"] = str(shared / "cache")
    yield
    del os.environ["BM_CACHE"]


@functools.cache
def has_fixtures_of_the_module(path: Path) -> bool:
    """Return whether a test file builds something once for all of its tests."""
    return 'scope="module"' in path.read_text()


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put stories first, and what shares a fixture of a module on one worker.

    A worker that meets a story of a minute at the end works alone; a fixture of a module that both
    workers meet is built twice.
    """
    items.sort(key=lambda item: item.get_closest_marker("story") is None)
    for item in items:
        named = item.get_closest_marker("xdist_group")
        if named is None and has_fixtures_of_the_module(item.path):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def pytest_configure(config: pytest.Config) -> None:
    """End a run in which pytest-xdist cannot write groups into names: fixtures would come twice."""
    names = pytest.Item.nodeid.fget.__code__.co_names
    if getattr(config.option, "dist", "no") == "loadgroup" and "_nodeid" not in names:
        raise pytest.UsageError(
            "this pytest hides the groups of pytest-xdist; install the versions of constraints.txt"
        )
