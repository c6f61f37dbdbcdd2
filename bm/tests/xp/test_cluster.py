"""SLURM that is absent, down, without accounts, or unwilling, told by fake clients; the site."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dora.conf import SlurmConfig

from bm.errors import UserError
from bm.train import main
from bm.xp import cluster, process, site

CLIENTS = ("sbatch", "srun", "scontrol", "sacct", "scancel", "squeue", "sinfo")


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A healthy SLURM: a folder of clients, alone in PATH."""
    for name in CLIENTS:
        say(tmp_path, name, "")
    say(tmp_path, "scontrol", "Slurmctld(primary) at vm is UP")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def say(folder: Path, name: str, text: str, status: int = 0) -> None:
    (folder / name).write_text(f"#!/bin/sh\necho '{text}'\nexit {status}\n")
    (folder / name).chmod(0o755)


def test_a_healthy_slurm_is_accepted(clients: Path) -> None:
    cluster.require()
    assert cluster.answers()


def test_a_missing_client_is_named(clients: Path) -> None:
    (clients / "sacct").unlink()
    with pytest.raises(UserError, match="`sacct` is not installed; BM_EXECUTOR=local"):
        cluster.require()
    assert not cluster.answers()


def test_a_controller_that_is_down_is_told(clients: Path) -> None:
    say(clients, "scontrol", "Slurmctld(primary) at vm is DOWN")
    with pytest.raises(UserError, match=r"does not answer .*is DOWN"):
        cluster.require()


def test_a_silent_controller_counts_as_none(clients: Path, monkeypatch) -> None:
    (clients / "scontrol").write_text("#!/bin/sh\nexec /bin/sleep 5\n")
    monkeypatch.setattr(cluster, "ANSWER_S", 0.1)
    assert not cluster.answers()
    with pytest.raises(UserError, match="no answer within"):
        cluster.require()


def test_slurm_without_accounts_is_refused(clients: Path) -> None:
    say(clients, "sacct", "Slurm accounting storage is disabled", 1)
    with pytest.raises(UserError, match=r"keeps no accounts .*disabled.* slurmdbd"):
        cluster.require()


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("sbatch: error: invalid partition specified: gpu", "partitions here: main, urgent"),
        ("sbatch: error: Memory specification can not be satisfied", "mem_per_gpu is whole GB"),
        ("sbatch: error: Invalid account", "launcher.slurm_"),
    ],
)
def test_a_refusal_is_one_line_with_advice(clients: Path, message: str, advice: str) -> None:
    say(clients, "sinfo", "main\nurgent")
    text = str(cluster.refusal(RuntimeError(f"{message}\nsbatch: error: Batch job failed")))
    assert message.removeprefix("sbatch: error: ") in text and advice in text and "\n" not in text


def test_an_array_that_is_refused_is_the_user_s_mistake(clients: Path, tmp_path: Path) -> None:
    (clients / "sbatch").write_text("#!/bin/sh\necho 'invalid partition specified' >&2\nexit 1\n")
    with pytest.raises(UserError, match=r"refused the job: .*invalid partition"):
        list(cluster.map_array(len, ["ab"], tmp_path / "jobs", SlurmConfig(), "count"))


def test_no_items_ask_for_no_job(clients: Path, tmp_path: Path) -> None:
    (clients / "sbatch").unlink()
    say(clients, "sbatch", "must not be called", 1)
    assert list(cluster.map_array(len, [], tmp_path, SlurmConfig(), "count")) == []


@pytest.fixture
def site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "site.yaml"
    monkeypatch.setenv("BM_SITE", str(file))
    return file


def test_the_site_gives_resources_and_environment(site_file: Path, monkeypatch) -> None:
    site_file.write_text(
        "environment: {BM_TEST_OWN: 3, BM_TEST_SET: 4}\nslurm: {partition: gpu, account: lab}\n"
    )
    monkeypatch.setenv("BM_TEST_SET", "mine")
    monkeypatch.delenv("BM_TEST_OWN", raising=False)
    site.set_environment(site.read())
    assert (os.environ.pop("BM_TEST_OWN"), os.environ["BM_TEST_SET"]) == ("3", "mine")
    slurm = main.get_slurm_config()
    assert (slurm.partition, slurm.account, slurm.time) == ("gpu", "lab", 720)


def test_without_a_file_the_defaults_stay(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BM_SITE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert site.path() == tmp_path / "bm" / "site.yaml" and site.read() == {}
    assert main.get_slurm_config().partition is None  # the cluster's own default


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slrum: {}", "did you mean 'slurm'"),
        ("slurm: gpu", "`key: value` lines"),
        ("- a", "sections environment and slurm"),
        ("slurm: {a: [", "cannot be read"),
        ("environment: {PATH: /evil}", "PATH: only BM_"),
    ],
)
def test_a_mistake_in_the_site_file_is_told(site_file: Path, text: str, message: str) -> None:
    site_file.write_text(text)
    with pytest.raises(UserError, match=message):
        site.set_environment(site.read())


def test_an_unknown_resource_of_the_site_is_told(site_file: Path) -> None:
    site_file.write_text("slurm: {partitoin: gpu}")
    with pytest.raises(UserError, match="did you mean 'partition'"):
        main.get_slurm_config()


def test_a_site_file_that_is_named_must_exist(site_file: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        site.read()


def test_a_job_uses_the_cores_that_it_was_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    here = process.cores()
    assert here == len(os.sched_getaffinity(0))
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert process.cores() == 1
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", str(here + 7))  # more than there are
    assert process.cores() == here
