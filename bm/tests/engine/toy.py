"""A solver small enough to be killed often: a linear model with dropout on drawn points."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import torch
from dora.conf import DoraConfig
from dora.xp import XP
from omegaconf import DictConfig, OmegaConf
from torch import nn

from bm.data.batch import Batch
from bm.engine.audit import Audit
from bm.engine.run import Run
from bm.engine.schedule import Schedule
from bm.engine.solver import Solver
from bm.facts import DataFacts

CONF = Path(__file__).parents[3] / "conf" / "config.yaml"
SIZES = {"train": 45, "valid": 20, "test": 13}


def points(n: int, seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    signal = torch.randn(n, 2, 3, generator=generator)
    label = (signal.sum((1, 2)) > 0).long()
    zeros = torch.zeros(n, dtype=torch.long)
    mask = torch.ones(n, 2, dtype=torch.bool)
    ids, place = torch.zeros(n, 2, dtype=torch.long), torch.zeros(n, 2, 3)
    return Batch(signal, place, mask, ids, zeros, zeros, torch.arange(n), label)


class Loader:
    def __init__(self, data, size, shuffle, seed, rank, world):
        self.data, self.size, self.shuffle, self.seed = data, size, shuffle, seed
        self.rank, self.world = rank, world
        self.position, self.epoch, self.wait_s = 0, 0, 0.0

    def __len__(self):
        return math.ceil(len(self.data) / self.world / self.size)

    def set_epoch(self, epoch):
        self.epoch, self.position = epoch, 0

    def seek(self, n):
        self.position = n

    def __iter__(self):
        order = torch.arange(len(self.data))
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed * 1000 + self.epoch)
            order = torch.randperm(len(self.data), generator=generator)
        whole = self.size * self.world
        while self.position < len(self):
            rows = order[self.position * whole : (self.position + 1) * whole]
            self.position += 1
            yield self.data[rows[self.rank :: self.world]]


class Data:
    hash = "toy"

    def __init__(self):
        self.splits = {name: points(n, i) for i, (name, n) in enumerate(SIZES.items())}
        self.table = pd.DataFrame({"split": [s for s, n in SIZES.items() for _ in range(n)]})
        self.facts = DataFacts(("x", "y"), 100.0, 1, simulated=True)

    def loader(self, split, batch_size, shuffle, seed, rank=0, world=1):
        return Loader(self.splits[split], batch_size, shuffle, seed, rank, world)


class Toy(Solver):
    main_metric = ("loss", "min")
    dropout = 0.2
    poison: int | None = None

    def build_data(self):
        return Data()

    def build_model(self, facts):
        return nn.Sequential(
            nn.Flatten(), nn.Linear(6, 8), nn.Dropout(self.dropout), nn.Linear(8, 2)
        )

    def step(self, batch, stage):
        logits = self.model(batch.signal)
        loss = nn.functional.cross_entropy(logits.float(), batch.label)
        if stage == "train" and self.poison == self.progress.step:
            loss = loss * float("nan")
        return {"loss": loss, "accuracy": (logits.argmax(1) == batch.label).float().mean()}

    def audit(self):
        """There is nothing to compare: the points are of no recording."""
        return Audit()

    def check_splits(self):
        """Its configuration has no data set."""

    def describe_splits(self):
        """Its table has no people."""
        return []

    def save_splits(self):
        """The toy's table has no windows."""

    def save_model(self, folder):
        torch.save(self.model.state_dict(), folder / "model.pt")

    def load_model(self, folder):
        self.model.load_state_dict(torch.load(folder / "model.pt", weights_only=True))


BASE = ["threads=1", "device=cpu", "optim.epochs=4", "optim.batch_size=8", "log.figures=false"]


def config(*overrides):
    """The base configuration with overrides; its `defaults` list is Hydra's alone."""
    base = OmegaConf.load(CONF)
    plain = OmegaConf.masked_copy(base, [str(k) for k in base if k != "defaults"])
    plain = OmegaConf.merge(plain, OmegaConf.from_dotlist([*BASE, *overrides]))
    OmegaConf.resolve(plain)
    assert isinstance(plain, DictConfig)
    return plain


def make_xp(folder, cfg):
    exclude = list(OmegaConf.load(CONF).dora.exclude)
    dora = DoraConfig(dir=Path(folder), exclude=exclude)
    return XP(dora=dora, cfg=cfg, argv=[], delta=[], sig="toy")


def run(folder, *overrides, kind=Toy, **attributes):
    """Run one experiment to its end in this process; gives the solver back, with its `run`."""
    cfg = config(*overrides)
    xp = make_xp(folder, cfg)
    with xp.enter(stack=True):
        solver = kind(cfg)
        for name, value in attributes.items():
            setattr(solver, name, value)
        Run(solver).train()
    return solver


def outcome(folder):
    """Weights, best weights and history (perf aside) of an experiment, for comparison."""
    import json

    folder = Path(folder) / "xps" / "toy"
    state = torch.load(folder / "checkpoint.pt", weights_only=True)["state"]
    history = json.loads((folder / "history.json").read_text())
    for entry in history:
        entry.pop("perf")
    best = torch.load(folder / "best" / "model.pt", weights_only=True)
    del state["progress"]["threads"]
    return {"state": state, "best": best, "history": history}


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def schedule(peak, epochs, steps, **changes):
    config = {"name": "cosine", "warmup_epochs": 0, "warmup_steps": None, "warmup_form": "zero",
              "min_lr": 0.0, "per_epoch": False, "step_epochs": 2, "step_gamma": 0.1}  # fmt: skip
    return Schedule({**config, **changes}, peak, epochs, steps)
