"""Who runs a grid: the variable, else what answers."""

from __future__ import annotations

import pytest

from bm.errors import UserError
from bm.xp import cluster, executor


@pytest.fixture(autouse=True)
def fresh_choice():
    executor.choose.cache_clear()
    yield
    executor.choose.cache_clear()


def test_the_variable_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BM_EXECUTOR", "slurm")
    assert executor.choose() == "slurm"


def test_a_wrong_name_is_a_clear_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BM_EXECUTOR", "locl")
    with pytest.raises(UserError, match="did you mean 'local'"):
        executor.choose()
    with pytest.raises(SystemExit) as stop:
        executor.is_local()
    assert stop.value.code == 2


def test_clients_without_a_controller_count_as_none(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("BM_EXECUTOR", raising=False)
    for name in ("sbatch", "srun", "scontrol", "sacct", "scancel", "squeue"):
        client = tmp_path / name
        client.write_text("#!/bin/sh\necho 'Slurmctld(primary) at vm is DOWN'\nexit 0\n")
        client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not cluster.answers() and executor.choose() == "local"
    (tmp_path / "scontrol").write_text("#!/bin/sh\necho 'Slurmctld(primary) at vm is UP'\n")
    executor.choose.cache_clear()
    assert executor.choose() == "slurm"
