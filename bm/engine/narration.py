"""What a run says of itself: what it is, a line an epoch, and how good it is at last."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..facts import DataFacts
from ..xp.files import read_evaluation, read_or_warn

if TYPE_CHECKING:
    from .run import Run

#: Metrics whose chance level is one over the number of classes.
BY_CLASSES = ("accuracy", "balanced_accuracy")
#: Most references behind a score: those of sounds are six.
SHOWN = 3


def name_lines(run: Run) -> list[str]:
    """Return the first lines, before anything is read: which experiment this is, and where."""
    words = [str(word) for word in run.solver.xp.argv]
    recipe = next((w for w in words if w.startswith("solver=")), "solver=supervised/motor")
    changes = [w for w in words if w != recipe]
    return [
        f"experiment {run.solver.xp.sig} in {run.folder}",
        f"recipe {recipe}" + (f", changed: {' '.join(changes)}" if changes else ", as shipped"),
    ]


def opening(run: Run) -> list[str]:
    """Return the lines of data and model, once both are there."""
    solver, cfg = run.solver, run.cfg
    facts = solver.data.facts
    lines = [_data_line(cfg["dset"], facts, len(getattr(solver.data, "signals", ())))]
    if not solver.stepped:
        return [
            *lines,
            f"decoder {cfg['solver'].get('method', cfg['solver']['name'])}, fitted at once",
        ]
    count = sum(p.numel() for p in solver.model.parameters())
    trained = sum(p.numel() for p in solver.model.parameters() if p.requires_grad)
    frozen = "" if trained == count else f" ({trained:,} of them train)"
    section = cfg.get("model", {})
    name = section.get("name") or section.get("target") or type(solver.model).__name__
    return [
        *lines,
        f"model {name}: {count:,} parameters{frozen}, {cfg['precision']} on {solver.device}",
    ]


def training_line(run: Run) -> str:
    """Return how long and with what is trained; called when optimiser and loaders are there."""
    optim, epochs, batches = run.cfg["optim"], run.solver.epochs, run.batches
    steps = -(-batches // run.accumulate)
    gathered = "" if run.accumulate == 1 else f", {run.accumulate} batches a step"
    return (
        f"training {_count(epochs, 'epoch')}, {_count(epochs * steps, 'step')}: "
        f"{_count(batches, 'batch', 'batches')} of {optim['batch_size']} windows an epoch"
        f"{gathered}, {optim['name']}, rate {optim['lr']:g}, "
        f"{_count(run.progress.threads, 'thread')}"
    )


def _count(number: int, noun: str, plural: str = "") -> str:
    """Return a number and what is counted: `1 step`, `2 batches`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _data_line(dset: Mapping[str, Any], facts: DataFacts, recordings: int) -> str:
    """Return what is trained on; a section without names or steps is that of a plain array."""
    name = f"{dset.get('name', 'arrays')}{' (simulated)' if facts.simulated else ''}"
    windows = f"windows of {facts.window_samples / facts.rate_hz:g} s"
    scale = dset.get("scale", {}).get("kind", "none")
    return (
        f"data {name}: {recordings} recordings, {facts.n_channels} channels at "
        f"{facts.rate_hz:g} Hz, {windows}; {_steps(dset)}, scale {scale}"
    )


def _steps(dset: Mapping[str, Any]) -> str:
    """Return the preprocessing in a few words."""
    parts = []
    for entry in dset.get("preprocess") or ():
        values = [
            f"{v:g}" if isinstance(v, float) else str(v) for k, v in entry.items() if k != "step"
        ]
        parts.append(" ".join([str(entry["step"]), *(v for v in values if len(v) < 20)]))
    if dset.get("rate_hz"):
        parts.append(f"resampled to {dset['rate_hz']:g} Hz")
    return ", ".join(parts) or "nothing filtered or resampled"


class Epochs:
    """Makes the line of each epoch.

    Args:
        run: whose epochs they are.
    """

    def __init__(self, run: Run) -> None:
        # A resumed run begins at `first`: time spent before it is not on this clock.
        self.run, self.begun, self.first = run, time.monotonic(), run.progress.epoch
        facts, metric = run.solver.data.facts, run.solver.best_metric
        chance = 1 / len(facts.classes) if facts.classes and metric in BY_CLASSES else None
        self.chance = "" if chance is None else f" (chance {chance:.3g})"

    def line(self, epoch: int, groups: Mapping[str, Mapping[str, float]]) -> str:
        """Return `epoch 3/40 | train loss .. | valid loss .. accuracy .. (chance ..) | .. left`.

        After the last epoch: `test summary | epoch 40/40 | accuracy .. (chance ..)`.
        """
        total, metric = self.run.solver.epochs, self.run.solver.best_metric
        tested = groups.keys() - {"perf"} == {"test"}  # after the last epoch
        parts = ["test summary"] if tested else []
        parts.append(f"epoch {epoch}/{total}")
        for stage in ("train", "valid", "test"):
            values = groups.get(stage, {})
            # The best epoch may be picked by the loss itself, which is to be printed once.
            names = [n for n in dict.fromkeys(("loss", metric)) if n in values]
            if tested and not names:  # a family that tests what it does not validate by
                names = [n for n in values if not n.startswith("chance_")][:1]
            text = " ".join(f"{name} {values[name]:.4g}" for name in names)
            chance = self.chance if metric in values else ""
            if text:
                parts.append(f"{text}{chance}" if tested else f"{stage} {text}{chance}")
        perf = groups.get("perf", {})
        if perf.get("items_per_s"):
            parts.append(f"{perf['items_per_s']:.0f} windows/s")
        epochs = epoch - self.first
        if epochs > 0 and epoch < total:
            parts.append(
                f"{seconds((time.monotonic() - self.begun) / epochs * (total - epoch))} left"
            )
        return " | ".join(parts)


def seconds(value: float) -> str:
    """Return a duration in words.

    >>> seconds(7.4), seconds(75), seconds(7300)
    ('7 s', '1 min 15 s', '2 h 1 min')
    """
    # Rounded before it is split: 59.7 s would read `60 s`, and 119.7 s `1 min 60 s`.
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def closing(folder: Path, sig: str, metric: str) -> list[str]:
    """Return the last lines of a finished run: score, best epoch, where things are, what is next.

    Args:
        folder: of the experiment.
        sig: its signature.
        metric: the main one.
    """
    evaluation = read_evaluation(folder / "evaluation.json")
    marker = read_or_warn(folder / "finished.json") or {}
    lines = [] if evaluation is None else [score(evaluation, metric)]
    # The best epoch is an index from 0, `epoch` the number of those that ran.
    if marker.get("best_epoch") is not None:
        lines.append(f"best epoch {marker['best_epoch'] + 1} of {marker['epoch']}")
    places = [("figures", folder / "figures"), ("weights", folder / "best")]
    lines += [f"{name} {path}" for name, path in places if path.exists()]
    lines.append(f"next: python -m scripts.run_eval sigs=[{sig}]")
    if (folder / "best").exists() and evaluation is not None:
        lines.append(f"      python -m scripts.export sig={sig} out=models/{sig}")
    return lines


def score(evaluation: Mapping[str, Any], metric: str) -> str:
    """Return `test accuracy 0.892 [0.846, 0.927], chance 0.25, 240 windows (simulated)`.

    The metric is the first of the table; what it is compared with besides stands behind chance
    (real data and noise beside generated data, neighbours beside a masked model).
    """
    metrics, extra = evaluation.get("metrics", {}), evaluation.get("extra", {})
    names = [*extra.get("table", ()), metric, *metrics]
    name = next((name for name in names if name in metrics), None)
    if name is None:
        return "test: no metric"
    text = f"test {name} {metrics[name]:.4g}"
    interval, chance = extra.get("intervals", {}).get(name), evaluation.get("chance", {}).get(name)
    if interval:
        text += f" [{interval[0]:.3f}, {interval[1]:.3f}]"
    elif extra.get("unit"):
        text += f" (no interval: {extra['unit']})"  # too few for any claim
    if isinstance(chance, int | float):
        text += f", chance {chance:.3g}"
    if name in extra.get("permutation_p", {}):
        text += f" (p {extra['permutation_p'][name]:.3g} by permutation)"
    beside = {key: row.get(name) for key, row in extra.get("references", {}).items()}
    for key in [key for key, value in beside.items() if isinstance(value, int | float)][:SHOWN]:
        text += f", {key} {beside[key]:.3g}"
    simulated = " (simulated)" if evaluation.get("simulated") else ""
    return f"{text}, {evaluation.get('n_items', 0)} windows{simulated}"
