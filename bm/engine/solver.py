"""What a task family says: its data, its model, one step, what it evaluates and shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from dora import get_xp
from safetensors.torch import load_model
from torch import Tensor, nn

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..data.split import check_filled, write_splits
from ..facts import DataFacts
from ..metrics.evaluation import Evaluation
from ..models.saved import build, init_weights, read_tensors, save
from ..nn.roles import explicit_attention_in
from ..xp.address import resolve
from ..xp.resolve import to_plain
from . import processes
from .audit import Audit, audit_run, counts_in_words
from .logger import Logger
from .optim import build_optimizer
from .perf import Perf, forward_flops
from .precision import Precision
from .show import draw_history
from .state import Progress, State, isolated, unchanged

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ..data.loader import Loader
    from .run import Run


class Solver:
    """Base of the task families: hooks that a `Run` calls.

    A family implements `build_data`, `step` and, where it takes more than one configured network,
    `build_model`; it may override any other hook. What it registers in `state` is part of every
    checkpoint.

    Args:
        cfg: whole configuration, as `conf/config.yaml`.

    Attributes:
        main_metric: name of the metric of stage valid that decides which epoch is best, and its
            direction, `min` or `max`.
        stepped: False for a decoder that is fitted in one go, without optimiser and epochs.
        run: the loop that holds this solver; it sets `log`, `data`, `model`, `precision` and `perf`
            when it opens the experiment.
    """

    main_metric: tuple[str, str] = ("accuracy", "max")
    stepped = True
    run: Run
    log: Logger
    data: Dataset
    model: nn.Module
    precision: Precision
    perf: Perf

    def __init__(self, cfg: DictConfig) -> None:
        self.cfg, self.xp = cfg, get_xp()
        self.folder = Path(self.xp.folder)
        # before anything is built: a wrong device is refused first
        self.device = processes.pick_device(cfg["device"])
        self.state, self.progress = State(), Progress()

    @property
    def epochs(self) -> int:
        """Return how many epochs are trained: none for the network as it is initialised."""
        return 0 if self.cfg["untrained"] else int(self.cfg["optim"]["epochs"])

    # data and model -----------------------------------------------------------------------

    def build_data(self) -> Dataset:
        """Build the data set that `dset` and `paths` describe."""
        raise NotImplementedError

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build the network of the `model` section for these data; called after `build_data`."""
        model: Mapping[str, Any] = to_plain(self.cfg["model"])
        return build(model, facts)

    def build_optim(self, model: nn.Module) -> torch.optim.Optimizer:
        """Build the optimiser; its groups may carry `lr_scale`."""
        return build_optimizer(model, self.cfg["optim"])

    def build_loaders(self) -> dict[str, Loader]:
        """Build the loader of each split for this process; only the training split is shuffled."""
        train = self.cfg["optim"]["batch_size"]
        other = self.cfg["eval"]["batch_size"] or train
        return {
            split: self.build_loader(split, size, shuffle=split == "train", seed=self.cfg["seed"])
            for split, size in {"train": train, "valid": other, "test": other}.items()
        }

    def build_loader(self, split: str, size: int, shuffle: bool, seed: int) -> Loader:
        """Build this process's loader of a split; `size` windows a batch over all processes."""
        world, rank = processes.world(), processes.rank()
        # the batch of the configuration is of all processes: their number changes no result
        share = max(1, size // world)
        # where it does not divide evenly some have a window more than others
        whole = {"common": size} if size % world else {}
        return self.data.loader(split, share, shuffle, seed, rank=rank, world=world, **whole)

    def networks(self) -> list[nn.Module]:
        """Return the parts of the model that a step calls: what `compile=true` compiles."""
        return [self.model]

    def init_model(self, folder: Path) -> None:
        """Start from the weights that `init_from` names, and log what matched."""
        self.log.line("%s", init_weights(self.model, folder, self.cfg["init_partial"]))

    def folder_of(self, address: str) -> Path:
        """Return the `save_pretrained` folder that an address (`//sig/...`) of the config names."""
        return resolve(address, self.folder.parent)

    # training -----------------------------------------------------------------------------

    def begin_stage(self, stage: str) -> None:
        """Clear accumulators; called when a stage begins, not when it is resumed."""

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return means over a batch; `loss` is optimised in stage train."""
        raise NotImplementedError

    def epoch_metrics(self, stage: str) -> dict[str, float]:
        """Return metrics over a whole split, from accumulators of the family."""
        return {}

    def valid_metrics(self, batch: Batch) -> set[str]:
        """Return the names of the metrics of stage valid, from one of its batches.

        Called once, before the first epoch and only when `best.metric` names one: a mistyped name
        would else be found after an epoch of hours. Nothing that is trained or counted moves.
        """
        self.begin_stage("valid")
        self.model.eval()
        with isolated(0), unchanged(self.model), torch.no_grad(), self.precision.autocast():
            return {*self.step(batch, "valid"), *self.epoch_metrics("valid")}

    def count_flops(self, batch: Batch) -> float:
        """Return the FLOP of one forward pass per item; no generator and no statistic moves.

        The step is counted in stage valid, begun for this alone.
        """
        self.model.eval()
        # accumulators of stage valid must exist; those of the training stage stay untouched
        self.begin_stage("valid")
        # fused attention kernels are not counted
        counted = explicit_attention_in(self.model)
        with isolated(0), torch.no_grad(), self.precision.autocast(), counted:
            flops = forward_flops(lambda: self.step(batch, "valid"))
        self.model.train()
        return (flops or 0.0) / len(batch)

    # evaluation ---------------------------------------------------------------------------

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate one split with the present weights."""
        metrics = self.run.stage_metrics(split)
        simulated = self.data.facts.simulated
        return Evaluation(split, metrics, n_items=self.count_items(split), simulated=simulated)

    def count_items(self, split: str) -> int:
        """Return the number of windows of a split."""
        return int((self.data.table["split"] == split).sum())

    @property
    def best_metric(self) -> str:
        """Name of the metric of stage valid that decides which epoch is best."""
        return str(self.cfg["best"]["metric"] or self.main_metric[0])

    # what is shown and written ------------------------------------------------------------

    def generate(self) -> None:
        """Write what the family has to show: generated waves, reconstructions, ..."""

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw figures of the finished run into `folder`."""
        draw_history(self, folder)

    def describe(self) -> list[str]:
        """Return lines that `show=true` prints of the family before a run."""
        return []

    def split_counts(self) -> dict[str, int]:
        """Return the number of windows of each split."""
        counts: pd.Series = self.data.table["split"].value_counts()
        return {str(split): int(count) for split, count in counts.items()}

    def describe_splits(self) -> list[str]:
        """Return the windows of each split and class in lines."""
        return counts_in_words(self.data)

    def check_splits(self) -> None:
        """Raise `UserError` when a split is empty that `dset.split.allow_empty` does not name.

        Validation must be there where it decides when to stop or which epoch is best.
        """
        cfg = self.cfg
        validates = cfg["early_stop"]["patience"] is not None or cfg["best"]["metric"] is not None
        check_filled(self.data.table, to_plain(cfg["dset"])["split"], validates)

    def save_splits(self) -> None:
        """Write which window is in which split beside the results."""
        write_splits(self.data.table, self.folder)

    def audit(self) -> Audit:
        """Compare the test split with what was trained on, here and in the models before."""
        return audit_run(self.data, to_plain(self.cfg), self.folder_of)

    def save_model(self, folder: Path) -> None:
        """Write the present weights in `save_pretrained` form."""
        save(self.model, folder, self.data.facts)

    def check_saved(self, folder: Path) -> None:
        """Raise `UserError` when the weights of a folder written by `save_model` are damaged."""
        path = folder / "model.safetensors"
        if path.exists():
            read_tensors(path)

    def load_model(self, folder: Path) -> None:
        """Load the weights of a folder written by `save_model`."""
        self.check_saved(folder)
        load_model(self.model, folder / "model.safetensors", device=str(self.device))
