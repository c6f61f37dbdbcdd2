"""Job files of Dora are read without running what they hold."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from dora import grid as dora_grid
from dora import shep
from submitit import SlurmJob

from bm.xp import executor
from bm.xp.handles import read_handle
from bm.xp.queue import LocalJob


class Evil:
    """Calls a function when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def test_a_job_file_runs_no_code(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Symptom: `dora grid` and `dora info` unpickled whatever lay in an experiment's folder."""
    for content in (Evil(tmp_path / "ran"), (LocalJob(tmp_path, "L1"), [Evil(tmp_path / "ran")])):
        (tmp_path / "job.pkl").write_bytes(pickle.dumps(content))
        assert read_handle(tmp_path / "job.pkl") is None
        assert not (tmp_path / "ran").exists()
    assert "system is no part of a job's handle" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\x80", b"no pickle", b"\x80\x04K\x01"])
def test_a_damaged_job_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "job.pkl").write_bytes(content)
    assert read_handle(tmp_path / "job.pkl") is None


def test_handles_of_both_executors_are_read(tmp_path: Path) -> None:
    local = LocalJob(tmp_path, "L7")
    slurm: SlurmJob = SlurmJob(tmp_path, "12_3", (0, 1))
    (tmp_path / "job.pkl").write_bytes(pickle.dumps((local, [local], [])))
    job, array, dependent = read_handle(tmp_path / "job.pkl")
    assert (job.job_id, len(array), dependent) == ("L7", 1, [])
    (tmp_path / "job.pkl").write_bytes(pickle.dumps((slurm, [slurm], [])))
    job = read_handle(tmp_path / "job.pkl")[0]
    assert job.job_id == "12_3" and job.paths.folder == slurm.paths.folder


def test_dora_reads_them_so() -> None:
    executor.install()
    assert vars(shep)["try_load"] is vars(dora_grid)["try_load"] is read_handle
