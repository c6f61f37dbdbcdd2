"""`python -m scripts.bench [NAME ...]`: speed as ratios to a limit measured in the same run.

`step model=clip` measures the training step of one model, or of a family. Writes
outputs/bench/<date>.json and .md; exit code 1 when a bar is missed, 2 for an unknown name. A figure
that cannot be judged (a busy machine, another kind of processor) says why and misses nothing.

  python -m scripts.bench
  python -m scripts.bench data checkpoint
  python -m scripts.bench step model=clip
"""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bm.errors import UserError
from bm.registry import check_known
from bm.xp.files import write_json, write_text

from ._arguments import parse

CHECKPOINT_MB = 128
WRITES = 9
#: Between the quartiles of raw writes; a disk that others use moves by 60 to 1,000 %.
STEADY_DISK = 0.25


@dataclass(frozen=True)
class Measure:
    """One figure against its bar: `value` must be at most (or `at least`) `bar`.

    Attributes:
        value: None = not measured, `note` says why.
        bar: None = reported only.
        note: why it is not judged, empty when it is.
    """

    bench: str
    what: str
    value: float | None
    unit: str
    bar: float | None
    direction: str = "<="
    note: str = ""

    @property
    def missed(self) -> bool:
        """Return whether there is a bar to judge by, and it is not met."""
        if self.bar is None or self.value is None or self.note:
            return False
        return not (self.value >= self.bar if self.direction == ">=" else self.value <= self.bar)

    @property
    def verdict(self) -> str:
        """Return ok, MISSED, why it is not judged, or nothing where there is no bar."""
        if self.note or self.bar is None:
            return self.note
        return "MISSED" if self.missed else "ok"


def seconds(action: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def bench_checkpoint() -> list[Measure]:
    """Measure the pause of a checkpoint against a raw write and fsync of the same bytes."""
    import torch

    from bm.engine.checkpoint import write

    state = {f"w{i}": torch.randn(2**20) for i in range(CHECKPOINT_MB // 4)}
    # The same bytes as one block: what the disk takes for them at least.
    payload = b"".join(tensor.numpy().tobytes() for tensor in state.values())

    def raw(path: Path) -> None:
        with open(path, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())

    limits, ratios = [], []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for index in range(WRITES + 1):
            limit = seconds(lambda: raw(Path(folder) / "raw"))
            ours = seconds(lambda: write(Path(folder) / "checkpoint.pt", state))
            if index:  # the first pair warms up
                limits.append(limit)
                ratios.append(ours / limit)
    what = f"{CHECKPOINT_MB} MB checkpoint / raw write + fsync, median of {WRITES}"
    note = disturbance(load, limits)
    return [Measure("checkpoint", what, statistics.median(ratios), "x", 1.2, note=note)]


def disturbance(load: float, times: Sequence[float]) -> str:
    """Return why ratios to the times of raw writes are not judged, empty when all held still.

    Args:
        load: of the machine before it was measured. A checkpoint is summed by a second thread,
            which waits where every core is taken: 1.1 x becomes 2 x at a load of 5 on 2 cores.
        times: of the raw writes, in s.
    """
    cores = os.cpu_count() or 1
    if load > cores / 2:
        return f"not judged: a load of {load:.1f} on {cores} cores"
    first, _, third = statistics.quantiles(times, n=4)
    moved = third / first - 1
    return f"not judged: the disk moved by {moved:.0%}" if moved > STEADY_DISK else ""


def bench_resolve() -> list[Measure]:
    """Measure the resolution of many experiments in one process, as a dry run of a grid does it."""
    from bm.train import main

    measures = []
    for count, bar in ((128, 2.0), (1000, 8.0)):
        arguments = [
            ["solver=supervised/motor", f"seed={i}", f"optim.lr={1e-3 * (i + 1)}"]
            for i in range(count)
        ]
        began = time.perf_counter()
        for one in arguments:
            main.get_xp(one)
        took = time.perf_counter() - began
        measures.append(Measure("resolve", f"{count} experiments", took, "s", bar))
    return measures


def bench_data() -> list[Measure]:
    """Measure random windows through the Loader against memcpy and against MNE; memory."""
    from ._bench_data import measure

    return [Measure("data", *figure) for figure in measure()]


def bench_device() -> list[Measure]:
    """Measure windows that lie on the device (dset.on_device) against those of the Loader."""
    from ._bench_device import measure

    return [Measure("device", *figure) for figure in measure()]


def bench_prepare() -> list[Measure]:
    """Measure preparation with two processes against one, and of what is there already."""
    from ._bench_prepare import measure

    return [Measure("prepare", *figure) for figure in measure()]


def bench_retrieval() -> list[Measure]:
    """Measure the ranking of candidates against the bare product; the published size on a GPU."""
    from ._bench_retrieval import measure

    return [Measure("retrieval", *figure) for figure in measure()]


def bench_start() -> list[Measure]:
    """Measure the start of a run on many recordings that are prepared already."""
    from ._bench_start import measure

    return [Measure("start", *figure) for figure in measure()]


def bench_step(model: str | None = None) -> list[Measure]:
    """Measure training steps at published sizes against the processor and their plain form."""
    from ._bench_step import measure

    return [Measure("step", *figure) for figure in measure(model)]


BENCHES: dict[str, Callable[..., list[Measure]]] = {
    "checkpoint": bench_checkpoint,
    "data": bench_data,
    "device": bench_device,
    "prepare": bench_prepare,
    "resolve": bench_resolve,
    "retrieval": bench_retrieval,
    "start": bench_start,
    "step": bench_step,
}


def report(measures: list[Measure]) -> str:
    """Return the figures as an aligned Markdown table, with machine, commit and date."""
    from bm.eval.tables.formats import to_markdown

    # A figure without machine and commit cannot be compared with a later one.
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    head = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"commit {commit or 'unknown'}, {datetime.date.today()}\n\n"
    )
    rows = [
        {
            "bench": m.bench,
            "what": m.what,
            "value": "" if m.value is None else f"{m.value:.2f} {m.unit}",
            "bar": "" if m.bar is None else f"{m.direction} {m.bar:g} {m.unit}",
            "": m.verdict,
        }
        for m in measures
    ]
    return head + to_markdown(rows)


def command(words: list[str]) -> int:
    """Run the named benches, all when none is named; `key=value` words go to those named."""
    names = [word for word in words if "=" not in word]
    for name in names:
        check_known("bench", name, BENCHES)
    options = [word for word in words if "=" in word]
    # All words are read before the first bench: a mistake is not found after minutes.
    arguments = {name: parse(BENCHES[name], options) for name in names or BENCHES}
    measures = [m for name, values in arguments.items() for m in BENCHES[name](**values)]
    text = report(measures)
    print(text)
    stem = Path("outputs/bench") / datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    write_json(stem.with_suffix(".json"), {"measures": [asdict(m) for m in measures]})
    write_text(stem.with_suffix(".md"), text)
    return 1 if any(m.missed for m in measures) else 0


if __name__ == "__main__":
    if set(sys.argv[1:]) & {"-h", "--help", "help"}:
        print((__doc__ or "").strip())
        sys.exit(0)
    try:
        sys.exit(command(sys.argv[1:]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
