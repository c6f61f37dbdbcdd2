"""The tests do not depend on the variables of the person who runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from bm.tests.shared_data import ROOT

NAME = re.compile(r"\bBM_[A-Z]+\b")
#: No number, no folder that can be made, no name of anything.
ODD = "/dev/null/odd"
#: Quick ones that read configurations, addresses, caches, executors and sites.
QUICK = (
    "data/test_audit.py",
    "engine/test_options.py",
    "scripts/test_arguments.py",
    "xp/test_address.py",
    "xp/test_executor.py",
)


def names_of_variables() -> set[str]:
    """Return the names of all variables that the product reads."""
    files: list[Path] = []
    for top in ("bm", "conf", "grids", "scripts"):
        files += [p for p in (ROOT / top).rglob("*") if p.suffix in (".py", ".yaml")]
    return {
        name
        for p in files
        if "tests" not in p.relative_to(ROOT).parts
        for name in NAME.findall(p.read_text())
    }


def test_the_suite_is_green_whatever_the_user_has_set() -> None:
    names = names_of_variables()
    assert {"BM_CACHE", "BM_DATA", "BM_EXECUTOR", "BM_OUTPUTS", "BM_SITE", "BM_THREADS"} <= names
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("BM_", "PYTEST_"))}
    job = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "3", "MASTER_ADDR": "nowhere"}
    odd = dict.fromkeys([*names, "BM_SHARED", "OMP_NUM_THREADS", "DORA_PACKAGE"], ODD)
    process = subprocess.run(
        [sys.executable, "-m", "pytest", *(f"bm/tests/{name}" for name in QUICK)],
        cwd=ROOT, env={**plain, **job, **odd}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout
    assert re.search(r"\[100%\]", process.stdout)
