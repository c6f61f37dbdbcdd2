"""A grid on a real SLURM: the same verbs, from a clone of the commit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bm.xp import cluster

from .demo_grid import GRID, ROOT, environment, results

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(not cluster.answers(), reason="no SLURM answers here"),
]


LONG = """
from grids._explorers import SupervisedExplorer


@SupervisedExplorer
def explorer(launcher):
    launcher.slurm_(gpus=1, mem_per_gpu=2, cpus_per_gpu=1, time=30)
    with launcher.job_array():
        for seed in (0, 1):
            launcher({"solver": "supervised/debug", "optim.epochs": 240}, seed=seed)
"""

PARALLEL = """
from grids._explorers import SupervisedExplorer


@SupervisedExplorer
def explorer(launcher):
    launcher.slurm_(gpus=1, mem_per_gpu=2, cpus_per_gpu=1, time=30)
    for seed in range({seeds}):
        launcher({{"solver": "supervised/debug", "optim.epochs": {epochs}}}, seed=seed)
"""

ARRAYS = """
from bm.xp.stage import stage
from grids._explorers import SupervisedExplorer


@SupervisedExplorer
def explorer(launcher):
    launcher.slurm_(gpus=1, mem_per_gpu=2, cpus_per_gpu=1, time=30)
    network = launcher.bind({"solver": "supervised/debug"})
    with launcher.job_array():
        ups = [stage(network, {"seed": seed}) for seed in (7, 8)]
    with launcher.job_array():
        for up in ups:
            network({"init_from": up})
"""


class Checkout:
    """A clean clone: a dirty checkout is refused by design, as jobs run from a clone of it."""

    def __init__(self, folder: Path) -> None:
        self.code, self.outputs = folder / "checkout", folder / "outputs"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(self.code)], check=True)

    def write(self, name: str, text: str) -> None:
        (self.code / "grids" / "demo" / f"{name}.py").write_text(text)
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        for words in (["add", "."], ["commit", "-q", "-m", "a grid"]):
            subprocess.run(["git", *identity, *words], cwd=self.code, check=True)

    def call(self, *words: str, code: int = 0, **variables: str) -> str:
        """What `python -m WORDS` prints in the checkout; jobs go to SLURM."""
        mine = {"BM_EXECUTOR": "slurm", "PYTHONPATH": str(self.code), **variables}
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=self.code,
            env={**environment(self.outputs), **mine}, capture_output=True, text=True,
            timeout=400, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def grid(self, name: str, *flags: str, code: int = 0, **variables: str) -> str:
        return self.call("dora", "-P", "bm", "grid", name, *flags, code=code, **variables)

    def terminal(self, name: str) -> subprocess.Popen[str]:
        """Start `dora grid NAME -r` as a terminal that stays open until all jobs have ended."""
        mine = {"BM_EXECUTOR": "slurm", "PYTHONPATH": str(self.code)}
        return subprocess.Popen(
            [sys.executable, "-m", "dora", "-P", "bm", "grid", name, "-r", "-i", "0.05"],
            cwd=self.code, env={**environment(self.outputs), **mine}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def jobs(self, *fields: str) -> list[list[str]]:
        """Fields of every job of these outputs, from the accounting."""
        ids = sorted({p.name.split("_")[0] for p in (self.outputs / "by_id").iterdir()})
        words = ["sacct", "-X", "-n", "-P", "-j", ",".join(ids), "-o", ",".join(fields)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return [line.split("|") for line in done.stdout.splitlines()]

    def queued(self, *flags: str) -> list[str]:
        """Jobs of these outputs that `squeue` lists; none before the first is submitted."""
        numbers = slurm("squeue", "-h", *flags, "-o", "%i").split()
        return sorted(job for job in numbers if (self.outputs / "by_id" / job).exists())

    def running(self) -> dict[str, str]:
        """Signature -> job of what runs now and has saved two checkpoints at least."""
        done = subprocess.run(
            ["squeue", "-h", "-t", "RUNNING", "-o", "%i"],
            capture_output=True,
            text=True,
            check=True,
        )
        links = {job: self.outputs / "by_id" / job for job in done.stdout.split()}
        folders = {job: link.resolve() for job, link in links.items() if link.exists()}
        return {f.name: j for j, f in folders.items() if (f / "checkpoint.previous.pt").exists()}

    def victim(self, spared: set[str]) -> str:
        """Job of a running experiment that nothing has happened to yet."""
        self.wait(lambda: bool(self.running().keys() - spared))
        sig, job = next((s, j) for s, j in self.running().items() if s not in spared)
        spared.add(sig)
        return job

    def wait(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, self.jobs("JobID", "State", "ExitCode")
            time.sleep(0.5)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path)
    yield made
    if (made.outputs / "by_id").exists():
        ids = sorted({p.name.split("_")[0] for p in (made.outputs / "by_id").iterdir()})
        subprocess.run(["scancel", *ids], check=False)


def last(text: str) -> str:
    return text[text.rindex("Meta") :]


def test_grid_completes_from_a_clone_of_the_commit(checkout: Checkout) -> None:
    table = last(checkout.grid(GRID, "-i", "0.05"))
    assert table.count("COM") == 3, table
    histories = results(checkout.outputs)
    assert len(histories) == 3 and all(history for history, _ in histories.values())
    assert len(list((checkout.outputs / "codes").iterdir())) == 1


def test_downstream_waits_for_its_upstream(checkout: Checkout) -> None:
    table = last(checkout.grid("demo.staged", "-i", "0.05"))
    assert table.count("COM") == 3, table
    up, *down = checkout.jobs("Start", "End")
    assert len(down) == 2 and all(start >= up[1] for start, _ in down)


def test_downstream_is_dropped_when_its_upstream_fails(checkout: Checkout) -> None:
    """The upstream names a solver that does not exist: it fails as soon as it starts."""
    text = (checkout.code / "grids" / "demo" / "staged.py").read_text()
    checkout.write("broken", text.replace('{"seed": 7}', '{"solver.name": "supervisd"}'))
    table = last(checkout.grid("demo.broken", "-i", "0.05"))
    assert table.count("FAI") == 1 and table.count("CAN") == 2, table


def test_array_is_preempted_goes_on_and_is_cancelled(checkout: Checkout) -> None:
    checkout.write("long", LONG)
    checkout.grid("demo.long", "--no_monitoring")
    xps = checkout.outputs / "xps"
    # Both: a signal that comes before an element has begun to train ends it unsaved.
    checkout.wait(lambda: len(list(xps.glob("*/checkpoint.previous.pt"))) >= 2)
    job = checkout.jobs("JobID")[0][0]
    array = job.split("_")[0]
    subprocess.run(["scancel", "--signal=USR2", f"{array}_0"], check=True)
    checkout.grid("demo.long", "1", "-C")
    checkout.wait(lambda: any("CANCELLED" in s for _, s in checkout.jobs("JobID", "State")))
    checkout.wait(lambda: ["COMPLETED"] in checkout.jobs("State"), 180)
    logs = "".join(p.read_text() for p in (checkout.outputs / "arrays").rglob("*_log.out"))
    assert "asked to leave: saved epoch" in logs and "continuing at epoch" in logs
    finished = [p.parent for p in xps.glob("*/finished.json")]
    assert len(finished) == 1 and len(json.loads((finished[0] / "history.json").read_text())) == 240


def slurm(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_whatever_happens_the_end_is_that_of_an_undisturbed_grid(
    checkout: Checkout, tmp_path: Path
) -> None:
    """Requeue, time-out, drained node, restarted controller, cancellation, preemption."""
    checkout.write("storm", PARALLEL.format(seeds=5, epochs=100))
    checkout.grid("demo.storm", "--no_monitoring")
    spared: set[str] = set()
    slurm("scontrol", "requeue", checkout.victim(spared))
    slurm("scancel", "--signal=USR2", checkout.victim(spared))
    node = slurm("sinfo", "-h", "-o", "%n").split()[0]
    slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    restart_controller()
    # A controller that has just come back may not know the drained node yet, and refuses.
    resume = ["scontrol", "update", f"nodename={node}", "state=resume"]
    checkout.wait(lambda: subprocess.run(resume, check=False, capture_output=True).returncode == 0
                  or "drain" not in slurm("sinfo", "-h", "-n", node, "-o", "%T"))  # fmt: skip
    checkout.wait(lambda: "drain" not in slurm("sinfo", "-h", "-n", node, "-o", "%T"))
    slurm("scancel", checkout.victim(spared))
    checkout.victim(spared)  # somebody is there to be preempted
    gpus = slurm("sinfo", "-h", "-p", "urgent", "-o", "%G").split(":")[-1].split("(")[0].strip()
    urgent = ["sbatch", "-p", "urgent", f"--gres=gpu:{gpus}", "--mem=100", "-o", "/dev/null"]
    slurm(*urgent, "--wrap", "sleep 2")
    ended = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT"}
    checkout.wait(lambda: all(s.split()[0] in ended for (s,) in checkout.jobs("State")), 400)
    assert sorted(s.split()[0] for (s,) in checkout.jobs("State")) == ["CANCELLED"] + 4 * [
        "COMPLETED"
    ]
    assert last(checkout.grid("demo.storm", "-r", "-i", "0.05")).count("COM") == 5
    logs = [p.read_text() for p in checkout.outputs.glob("xps/*/submitit/*_log.out")]
    # of four that are disturbed a fast machine may end one before its turn comes
    assert sum("continuing at epoch" in text for text in logs) >= 3
    quiet = {"BM_OUTPUTS": str(tmp_path / "quiet"), "BM_EXECUTOR": "local"}
    checkout.grid("demo.storm", "-i", "0.02", **quiet)
    assert results(checkout.outputs) == results(tmp_path / "quiet")


def restart_controller() -> None:
    """Kill the controller of the one-node SLURM and start it again, where it is that one."""
    folder = Path(os.environ.get("SLURM_LOCALHOST_DIR", "/var/tmp/slurm-localhost"))
    process = folder / "run" / "slurmctld.pid"  # the number and the start time of the process
    if not process.exists():
        return
    # A controller saves its state up to 5 s after a change (SAVE_MAX_WAIT); what it did not save
    # is lost with it, a requeued job for ever.
    asked = time.time()
    states = [folder / "state" / name for name in ("job_state", "node_state")]
    until = time.monotonic() + 15
    while time.monotonic() < until and any(s.stat().st_mtime < asked for s in states):
        time.sleep(0.2)
    os.kill(int(process.read_text().split()[0]), signal.SIGKILL)
    began = subprocess.Popen(
        ["slurmctld", "-D"], start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "SLURM_CONF": str(folder / "etc" / "slurm.conf")},
    )  # fmt: skip
    fields = Path(f"/proc/{began.pid}/stat").read_text().rpartition(")")[2].split()
    process.write_text(f"{began.pid} {fields[19]}\n")
    until = time.monotonic() + 60
    while not cluster.answers():
        assert time.monotonic() < until, "the controller did not come back"
        time.sleep(0.2)


def test_an_experiment_removed_from_the_grid_is_cancelled(checkout: Checkout) -> None:
    checkout.write("two", PARALLEL.format(seeds=2, epochs=400))
    checkout.grid("demo.two", "--no_monitoring")
    checkout.write("two", PARALLEL.format(seeds=1, epochs=400))
    checkout.grid("demo.two", "--no_monitoring")
    checkout.wait(lambda: len([s for (s,) in checkout.jobs("State") if "CANCELLED" in s]) == 1)
    assert len(list((checkout.outputs / "grids" / "demo.two").iterdir())) == 1


def test_a_dirty_checkout_is_refused_and_nothing_is_submitted(checkout: Checkout) -> None:
    (checkout.code / "bm" / "new.py").write_text("x = 1\n")
    said = checkout.grid("demo.tiny", "--no_monitoring", code=1)
    assert "bm/new.py" in said and not list((checkout.outputs / "by_id").iterdir())


def test_two_tasks_give_the_metrics_of_one_process(checkout: Checkout, tmp_path: Path) -> None:
    """For a network without batch statistics, dropout or dropped paths."""
    text = PARALLEL.format(seeds=1, epochs=2).replace("gpus=1", "gpus=2")
    recipe = '"labram/debug", "model.backbone.drop_path": 0.0, "optim.name": "sgd"'
    checkout.write("pair", text.replace('"supervised/debug"', recipe))
    assert last(checkout.grid("demo.pair", "-i", "0.05")).count("COM") == 1
    quiet = {"BM_OUTPUTS": str(tmp_path / "quiet")}
    sig = next((checkout.outputs / "xps").iterdir()).name
    words = json.loads((checkout.outputs / "xps" / sig / ".argv.json").read_text())
    checkout.call("dora", "-P", "bm", "run", *words, **quiet)
    pair, one = results(checkout.outputs)[sig][0], results(tmp_path / "quiet")[sig][0]
    for mine, other in zip(pair, one, strict=True):
        assert mine["train"]["loss"] == pytest.approx(other["train"]["loss"], rel=1e-3)
        assert mine["valid"]["loss"] == pytest.approx(other["valid"]["loss"], rel=1e-3)


BRACKETS = str.maketrans("", "", "[]")


def test_stages_of_arrays_are_retried_in_order(checkout: Checkout) -> None:
    """A cancelled upstream drops its downstream; `-r` submits both, with the new number."""
    checkout.write("arrays", ARRAYS)
    checkout.grid("demo.arrays", "--no_monitoring")
    up, down = sorted(
        {p.name.split("_")[0] for p in (checkout.outputs / "by_id").iterdir()}, key=int
    )
    slurm("scancel", f"{up}_1")
    checkout.wait(lambda: not slurm("squeue", "-h", "-j", f"{up},{down}"), 120)

    def accounted() -> dict[str, str]:
        """Elements that never started are listed as `7_[1]`, some moments after they have gone."""
        rows = checkout.jobs("JobID", "State")
        return {job.translate(BRACKETS): state.split()[0] for job, state in rows}

    checkout.wait(lambda: f"{up}_1" in accounted())
    states = accounted()
    dropped = {state for job, state in states.items() if job.startswith(f"{down}_")}
    assert states[f"{up}_1"] == "CANCELLED" and dropped == {"CANCELLED"}, states
    assert last(checkout.grid("demo.arrays", "-r", "-i", "0.05")).count("COM") == 4
    rows = checkout.jobs("JobID", "Start", "End", "State")
    again = [row for row in rows if row[0].split("_")[0] not in (up, down)]
    (redone,) = (j for j in again if j[0].split("_")[0] == min(k[0].split("_")[0] for k in again))
    assert all(j[1] >= redone[2] for j in again if j is not redone)


def test_an_upstream_finished_by_hand_is_honoured(checkout: Checkout) -> None:
    listing = checkout.grid("demo.staged", "--dry_run", "--init")
    assert "N/A" in listing
    (up,) = (
        p.parent for p in (checkout.outputs / "xps").glob("*/.argv.json")
        if "init_from" not in p.read_text()
    )  # fmt: skip
    checkout.call("dora", "-P", "bm", "run", *json.loads((up / ".argv.json").read_text()))
    checkout.grid("demo.staged", "!init_from=null", "-i", "0.05")
    finished = list(checkout.outputs.glob("xps/*/finished.json"))
    assert len(finished) == 3


def test_evaluation_on_slurm_equals_the_local_one(checkout: Checkout) -> None:
    checkout.grid("demo.tiny", "-i", "0.05")
    checkout.call("scripts.run_eval", "grid=demo.tiny")
    folder = checkout.outputs / "eval"
    local = {p.parent.name: json.loads(p.read_text()) for p in folder.glob("*/metrics.json")}
    said = checkout.call("scripts.run_eval", "grid=demo.tiny", "again=true", "slurm=true")
    assert "3 jobs on SLURM" in said and len(local) == 3
    for sig, metrics in local.items():
        assert json.loads((folder / sig / "metrics.json").read_text()) == metrics
    assert "kept" in checkout.call("scripts.run_eval", "grid=demo.tiny", "slurm=true")


def test_twenty_experiments_with_random_kills_each_complete_once(checkout: Checkout) -> None:
    """SIGKILL, requeue, user signals and cancellation at random; `-r` until all have finished."""
    checkout.write("chaos", PARALLEL.format(seeds=20, epochs=8))
    dice = random.Random(0)
    harm = (
        ("scancel", "--signal=KILL"), ("scancel", "--signal=USR2"), ("scontrol", "requeue"),
        ("scancel",), ("scancel", "--signal=USR1"),
    )  # fmt: skip
    checkout.grid("demo.chaos", "--no_monitoring")
    finished = checkout.outputs.glob
    until, kills = time.monotonic() + 500, 0
    while len(list(finished("xps/*/finished.json"))) < 20:
        assert time.monotonic() < until, checkout.jobs("JobID", "State")
        busy = checkout.queued("-t", "RUNNING")
        waiting = checkout.queued()
        if not waiting:
            checkout.grid("demo.chaos", "-r", "--no_monitoring")
        elif busy and kills < 15:
            time.sleep(dice.uniform(0.5, 4))
            subprocess.run([*dice.choice(harm), dice.choice(busy)], check=False)
            kills += 1
        time.sleep(0.5)
    checkout.wait(lambda: not checkout.queued())
    assert kills == 15  # and who was killed after the end, but before the exit, is asked again
    assert last(checkout.grid("demo.chaos", "-r", "-i", "0.05")).count("COM") == 20
    done = [job for job, state in checkout.jobs("JobID", "State") if state == "COMPLETED"]
    folders = [(checkout.outputs / "by_id" / job).resolve().name for job in done]
    assert len(folders) == len(set(folders)) == 20
    for folder in (checkout.outputs / "xps").iterdir():
        history = json.loads((folder / "history.json").read_text())
        assert len(history) == 8


def test_twenty_experiments_are_resumed_by_two_terminals_at_once(
    checkout: Checkout, tmp_path: Path
) -> None:
    """Jobs and terminals are killed at random; two terminals at once bring the rest to its end."""
    checkout.write("pair", PARALLEL.format(seeds=20, epochs=8))
    dice, kills = random.Random(1), {"job": 0, "terminal": 0}
    until = time.monotonic() + 600
    terminals = [checkout.terminal("demo.pair") for _ in range(2)]
    try:
        while sum(kills.values()) < 15 and not all(t.poll() is not None for t in terminals):
            assert time.monotonic() < until, (kills, checkout.jobs("JobID", "State"))
            time.sleep(dice.uniform(1, 8))
            if dice.random() < 0.3:
                terminals[0].kill()
                terminals[0].wait()
                terminals = [terminals[1], checkout.terminal("demo.pair")]
                kills["terminal"] += 1
                continue
            busy = checkout.queued("-t", "RUNNING")
            if busy:
                subprocess.run(["scancel", "--signal=KILL", dice.choice(busy)], check=False)
                kills["job"] += 1
        for terminal in terminals:
            terminal.kill()
            terminal.wait()
        terminals = [checkout.terminal("demo.pair") for _ in range(2)]
        for terminal in terminals:
            said = terminal.communicate(timeout=max(1.0, until - time.monotonic()))[1]
            assert terminal.returncode == 0 and "Traceback" not in said, said
    finally:
        for terminal in terminals:
            terminal.kill()
    assert all(kills.values()), kills
    assert last(checkout.grid("demo.pair", "-r", "-i", "0.05")).count("COM") == 20
    done = [job for job, state in checkout.jobs("JobID", "State") if state == "COMPLETED"]
    folders = [(checkout.outputs / "by_id" / job).resolve().name for job in done]
    assert len(folders) == len(set(folders)) == 20, kills
    quiet = {"BM_OUTPUTS": str(tmp_path / "quiet"), "BM_EXECUTOR": "local"}
    checkout.grid("demo.pair", "-i", "0.02", **quiet)
    assert results(checkout.outputs) == results(tmp_path / "quiet")
