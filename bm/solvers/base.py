"""Solver: the loop that all task families share, and that can be killed at any moment."""

from __future__ import annotations

import logging
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from ..data.batch import Batch
from ..data.facts import DataFacts
from ..metrics.evaluation import Evaluation
from ..nn.ema import Average
from ..xp import address, guard, marker
from ..xp.files import write_json
from ..xp.resolve import to_plain
from . import checkpoint, distribution, randomness
from .averager import Averager
from .best import Best
from .logger import Progress, Trackers, format_metrics
from .nonfinite import NonFiniteWatch
from .optim import build_optimiser
from .perf import BACKWARD, Perf, forward_flops
from .preemption import Preemption
from .schedule import Schedule

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..data.loader import Loader

logger = logging.getLogger("bm")
DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def pick_device(name: str) -> torch.device:
    """`auto` is the GPU of this process when there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return torch.device(name)


def pick_threads(asked: int | None) -> int:
    """Threads of torch: as asked, else as the queue gives, else all cores."""
    return int(asked or os.environ.get("BM_THREADS") or os.cpu_count() or 1)


class Solver(ABC):
    """One experiment: data, model, optimiser and the loop over epochs.

    A task family implements `build_data`, `build_model`, `step` and `evaluate`, and may implement
    `build_optim`, `epoch_metrics` and `generate`. What has a state is registered once by name and
    then saved and restored by the same few lines.

    Attributes:
        main_metric: name in the valid stage and whether `max` or `min` is best.
    """

    main_metric: tuple[str, str] = ("loss", "min")

    def __init__(self, cfg: DictConfig) -> None:
        from dora import get_xp

        self.cfg = cfg
        self.xp = get_xp()
        self.folder: Path = self.xp.folder
        self.device = pick_device(cfg.device)
        self.history: list[dict[str, Any]] = []
        self.epoch = 0  # epochs done
        self.batch_index = 0  # batches done in the current epoch
        self.optim_step = 0
        self.stateful: dict[str, Any] = {}
        self.averagers = {stage: Averager() for stage in ("train", "valid")}
        self.model: nn.Module = nn.Module()
        self.average: Average | None = None
        self.saved: dict[str, Any] | None = None  # checkpoint to continue from, once read

    # -- what a family implements ------------------------------------------------------------

    @abstractmethod
    def build_data(self) -> Dataset:
        """Recordings as windows with their split."""

    @abstractmethod
    def build_model(self, facts: DataFacts) -> nn.Module:
        """The network for these data."""

    @abstractmethod
    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Scalars of one batch; `loss` is optimised in stage train, all are averaged."""

    @abstractmethod
    def evaluate(self, split: str) -> Evaluation:
        """The model as it is, judged on a whole split."""

    def build_optim(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimiser over all trained parameters."""
        trained = [p for p in model.parameters() if p.requires_grad]
        return build_optimiser(trained, self.cfg.optim, self.device)

    def epoch_metrics(self, stage: str) -> dict[str, float]:
        """Metrics over the whole split at the end of a stage, from what the family gathered."""
        return {}

    def generate(self) -> None:  # noqa: B027 - most families show nothing
        """Write examples of what the model makes; nothing for most families."""

    # -- building ----------------------------------------------------------------------------

    def register(self, name: str, item: Any) -> Any:
        """Make an object with `state_dict` and `load_state_dict` part of every checkpoint."""
        if name in self.stateful:
            raise ValueError(f"{name!r} is registered already")
        self.stateful[name] = item
        return item

    def setup(self) -> None:
        """Build everything from the configuration, in a state that the seed alone decides."""
        cfg = self.cfg
        self.rank, self.world = distribution.rank(), distribution.world()
        self.data = self.build_data()
        self.check_guard()
        randomness.seed_all(cfg.seed)
        self.module = self.build_model(self.data.facts).to(self.device)
        self.model = distribution.wrap(self.module, self.device)
        self.optimiser = self.build_optim(self.module)
        randomness.seed_all(cfg.seed, self.rank + 1)
        size = cfg.optim.batch_size // self.world
        if size * self.world != cfg.optim.batch_size:
            raise ValueError(f"optim.batch_size={cfg.optim.batch_size} over {self.world} processes")
        self.loaders = {stage: self.build_loader(stage) for stage in ("train", "valid")}
        self.schedule = self.build_schedule()
        metric, mode = self.main_metric
        self.best_metric = cfg.best.metric or metric
        self.best = Best(cfg.best.mode or mode, cfg.early_stop.patience, cfg.early_stop.min_delta)
        self.grad_scaler = torch.amp.GradScaler(
            self.device.type, enabled=cfg.precision == "fp16" and self.device.type == "cuda"
        )
        if cfg.ema.decay is not None:
            self.average = Average(self.module, cfg.ema.decay, cfg.ema.warmup)
            self.register("ema", self.average)
        for name in ("module", "optimiser", "best", "grad_scaler"):
            self.register(name, getattr(self, name))
        for stage, averager in self.averagers.items():
            self.register(f"averager.{stage}", averager)
        self.perf = Perf(self.device)
        self.watch = NonFiniteWatch(self.folder)

    def build_loader(self, stage: str) -> Loader:
        """Loader of a split; training is shuffled and sharded, the rest in the table's order."""
        cfg = self.cfg
        size = cfg.optim.batch_size if stage == "train" else cfg.eval.batch_size
        return self.data.loader(
            stage,
            batch_size=size or cfg.optim.batch_size,
            shuffle=stage == "train",
            seed=cfg.seed,
            rank=distribution.rank(),
            world=distribution.world(),
        )

    def epoch_batches(self) -> int:
        """Batches of one training epoch."""
        total = len(self.loaders["train"])
        limit = self.cfg.optim.max_batches
        return total if limit is None else min(total, limit)

    def build_schedule(self) -> Schedule:
        """The schedule in optimiser steps."""
        optim, schedule = self.cfg.optim, self.cfg.schedule
        steps = max(1, -(-self.epoch_batches() // optim.accumulate))
        return Schedule(
            name=schedule.name,
            lr=optim.lr,
            min_lr=schedule.min_lr,
            total_steps=steps * optim.epochs,
            warmup_steps=round(steps * schedule.warmup_epochs),
            step_steps=max(1, steps * schedule.step_epochs),
            gamma=schedule.step_gamma,
        )

    def check_guard(self) -> None:
        """Refuse to continue as another experiment (DESIGN section 3, Guard)."""
        if self.rank == 0:
            exclude = list(self.xp.dora.exclude)
            config = guard.significant(self.cfg, exclude)
            guard.check(self.folder, config, self.data.hash, self.cfg.allow_change)
        distribution.barrier()

    # -- checkpoint --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything that a continued run needs, of all processes."""
        return {
            "stateful": {name: item.state_dict() for name, item in self.stateful.items()},
            "processes": distribution.gather(self._own_state()),
            "epoch": self.epoch,
            "batch_index": self.batch_index,
            "optim_step": self.optim_step,
            "history": self.history,
            "threads": torch.get_num_threads(),
        }

    def _own_state(self) -> dict[str, Any]:
        """State that differs between processes."""
        averagers = {stage: item.state_dict() for stage, item in self.averagers.items()}
        return {"random": randomness.state(), "averagers": averagers}

    def save(self) -> None:
        """Write the checkpoint; the best weights it names are on disk before it, never after."""
        state = self.state_dict()
        if self.rank == 0:
            checkpoint.write(self.folder / checkpoint.NAME, state)
            checkpoint.keep(self.folder, self.epoch, self.cfg.checkpoint.keep)
            self._point_to_best()
        distribution.barrier()

    def restore(self) -> None:
        """Continue from the checkpoint when there is one."""
        state, self.saved = self.saved, None
        if state is None:
            self.xp.link.update_history([])
            return
        for name, item in self.stateful.items():
            item.load_state_dict(state["stateful"][name])
        own = state["processes"][min(self.rank, len(state["processes"]) - 1)]
        for stage, averager in self.averagers.items():
            averager.load_state_dict(own["averagers"][stage])
        self.epoch, self.batch_index = state["epoch"], state["batch_index"]
        self.optim_step, self.history = state["optim_step"], state["history"]
        self.xp.link.update_history(self.history)
        if self.rank == 0:
            self._point_to_best()
        randomness.restore(own["random"])
        logger.info("continuing after epoch %d, batch %d", self.epoch, self.batch_index)

    def _best_folder(self, epoch: int) -> Path:
        return self.folder / f"best-{epoch:04d}"

    def _point_to_best(self) -> None:
        """Let `best` name the folder that the checkpoint knows, and remove the others."""
        if self.best.epoch == 0:
            return
        target = self._best_folder(self.best.epoch)
        link = self.folder / address.BEST
        if not link.is_symlink() or os.readlink(link) != target.name:
            temporary = self.folder / f".{address.BEST}.tmp"
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(target.name)
            os.replace(temporary, link)
        for other in self.folder.glob("best-*"):
            if other != target:
                remove_folder(other)

    def save_model(self, folder: Path) -> None:
        """Write the model in `save_pretrained` form, averaged when an average is kept."""
        from ..models import save

        with self.averaged():
            save(self.module, folder, self.data.facts)

    def restore_best(self) -> None:
        """Load the best weights into the model."""
        from ..models import load_weights

        load_weights(self.module, self.folder / address.BEST)
        self.average = None  # the best weights are averaged already

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The model computes with averaged weights inside the block, when an average is kept."""
        with self.average.swapped() if self.average is not None else nullcontext():
            yield

    # -- the loop ----------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the end, or continue to it; a finished experiment is left alone."""
        if marker.exists(self.folder):
            logger.info("this experiment has finished; --clear starts it afresh")
            return
        self.saved = checkpoint.read(self.folder)
        self.set_threads()
        distribution.start(self.device)
        try:
            with Preemption() as self.preemption:
                self.setup()
                if self.cfg.show or self.cfg.download_only:
                    self.describe()
                    return
                self.restore()
                self.train()
        except KeyboardInterrupt:
            print(f"interrupted; the same command continues from {self.folder}", file=sys.stderr)
            sys.exit(130)
        finally:
            distribution.stop()

    def set_threads(self) -> None:
        """Set torch's threads; a continued run keeps its number, for other numbers, other bits."""
        saved = None if self.saved is None else int(self.saved["threads"])
        wanted = pick_threads(self.cfg.threads)
        if saved is not None and saved != wanted:
            logger.info("using %d threads as before (now %d would be used)", saved, wanted)
        torch.set_num_threads(saved or wanted)

    def describe(self) -> None:
        """Print model, data facts and cost (`show=true`)."""
        facts = self.data.facts
        parameters = sum(p.numel() for p in self.module.parameters())
        print(self.module)
        print(f"parameters {parameters:,}, {4 * parameters / 2**20:.1f} MiB")
        print(f"channels {facts.n_channels}, {facts.rate_hz:g} Hz, {facts.window_samples} samples")
        print(f"windows {self.data.table['split'].value_counts().to_dict()}")
        print(f"batches per epoch {self.epoch_batches()}, epochs {self.cfg.optim.epochs}")

    def train(self) -> None:
        """All epochs, then the evaluation with the best weights."""
        trackers = Trackers(self.folder, to_plain(self.cfg), self.xp.sig, self.rank == 0)
        while self.epoch < self.cfg.optim.epochs and not self.best.exhausted:
            entry = self.run_epoch()
            trackers.write(self.epoch, entry)
        trackers.close()
        self.finish()

    def run_epoch(self) -> dict[str, dict[str, float]]:
        """One epoch: train, valid, best weights, history, checkpoint, in this order."""
        name = f"{self.epoch + 1}/{self.cfg.optim.epochs}"
        entry: dict[str, dict[str, float]] = {"train": self.train_stage(f"train {name}")}
        perf = self.perf.values(self.loaders["train"].wait_s, self.world)
        if (self.epoch + 1) % self.cfg.valid_every == 0 and len(self.loaders["valid"]):
            entry["valid"] = self.valid_stage(f"valid {name}")
        entry["perf"] = perf
        self.epoch += 1
        self.batch_index = 0
        self.update_best(entry)
        self.history.append(entry)
        every = self.cfg.generate.every
        if every and self.epoch % every == 0:
            self.generate()
        if self.epoch % self.cfg.checkpoint.every == 0 or self.epoch == self.cfg.optim.epochs:
            self.save()
        self.xp.link.update_history(self.history)
        for stage, values in entry.items():
            logger.info("%s %s | %s", stage, name, format_metrics(values))
        return entry

    def update_best(self, entry: dict[str, dict[str, float]]) -> None:
        """Keep the weights when the epoch is the best; without a valid split every epoch is."""
        if "valid" in entry:
            value = entry["valid"].get(self.best_metric, float("nan"))
            better = self.best.update(value, self.epoch)
        elif not len(self.loaders["valid"]):
            better, self.best.epoch = True, self.epoch
        else:
            return
        if self.best.epoch == 0:  # no finite value yet: the newest weights are all there is
            better, self.best.epoch = True, self.epoch
        if better and self.rank == 0:
            folder = self._best_folder(self.epoch)
            remove_folder(folder)
            self.save_model(folder)

    def train_stage(self, name: str) -> dict[str, float]:
        """Train on the rest of the epoch's batches."""
        loader, averager = self.loaders["train"], self.averagers["train"]
        loader.set_epoch(self.epoch)
        loader.seek(self.batch_index)
        if self.batch_index == 0:
            averager.reset()
            self.begin_stage("train")
        self.model.train()
        self.perf.start()
        total = self.epoch_batches()
        progress = Progress(name, total, self.cfg.log.every if self.rank == 0 else 0)
        if self.batch_index < total:
            for batch in loader:
                self.train_batch(batch.to(self.device, non_blocking=True), total)
                if progress.due():
                    progress.line(self.batch_index, averager.local())
                self.checkpoint_inside(total)
                if self.batch_index >= total:
                    break
        self.watch.check()
        return {**averager.values(), **self.epoch_metrics("train"), "lr": self.learning_rate}

    def train_batch(self, batch: Batch, total: int) -> None:
        """Forward, backward, and an optimiser step at the end of each accumulation group."""
        if self.perf.item_flops is None and self.cfg.log.flops:
            self.perf.item_flops = self.count_flops(batch)
        accumulate = self.cfg.optim.accumulate
        first = self.batch_index % accumulate == 0
        if first:
            self.optimiser.zero_grad(set_to_none=True)
        group = min(accumulate, total - self.batch_index // accumulate * accumulate)
        last = (self.batch_index + 1) % accumulate == 0 or self.batch_index + 1 == total
        with self.synchronised(last):
            with self.autocast():
                values = self.step(batch, "train")
            self.grad_scaler.scale(values["loss"] / group).backward()
        self.watch.see(values["loss"], batch, self.epoch + 1, self.batch_index)
        if last:
            self.optimise()
        self.averagers["train"].add(values, len(batch))
        self.perf.count(len(batch))
        self.batch_index += 1

    @property
    def learning_rate(self) -> float:
        """Rate of the next optimiser step."""
        return self.schedule(self.optim_step)

    def optimise(self) -> None:
        """Clip, step, average."""
        scale = self.learning_rate / self.schedule.lr if self.schedule.lr else 0.0
        for group in self.optimiser.param_groups:
            group["lr"] = group.setdefault("base_lr", self.schedule.lr) * scale
        if self.cfg.optim.clip_norm is not None:
            self.grad_scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.module.parameters(), self.cfg.optim.clip_norm)
        self.grad_scaler.step(self.optimiser)
        self.grad_scaler.update()
        self.optim_step += 1
        if self.average is not None:
            self.average.step()

    def autocast(self) -> Any:
        """Mixed precision as configured."""
        dtype = DTYPES[self.cfg.precision]
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)

    def synchronised(self, last: bool) -> Any:
        """Gradients travel between processes only with the last batch of a group."""
        if last or not isinstance(self.model, nn.parallel.DistributedDataParallel):
            return nullcontext()
        return self.model.no_sync()

    def count_flops(self, batch: Batch) -> float:
        """FLOPs of training on one item: forward by count, backward as twice the forward."""
        one = batch[:1]
        forward = forward_flops(lambda: self.step(one, "count"), self.module)
        return forward * (1 + BACKWARD)

    def checkpoint_inside(self, total: int) -> None:
        """Between two batches: save when it is time, or when a signal asked to leave."""
        asked = self.preemption.received is not None
        leaving = distribution.anyone(asked, self.device)
        every = self.cfg.checkpoint.every_steps
        due = bool(every) and self.batch_index % every == 0 and self.batch_index < total
        if (leaving or due) and self.batch_index % self.cfg.optim.accumulate == 0:
            self.watch.check()
            if leaving:
                self.preemption.leave(self.save)
            else:
                self.save()

    def begin_stage(self, stage: str) -> None:  # noqa: B027 - most families gather nothing
        """Forget what `epoch_metrics` gathers; families with accumulators override it."""

    def valid_stage(self, name: str) -> dict[str, float]:
        """Average the scalars of `step` over the valid split, with averaged weights."""
        loader, averager = self.loaders["valid"], self.averagers["valid"]
        averager.reset()
        self.begin_stage("valid")
        loader.set_epoch(0)
        loader.seek(0)
        self.model.eval()
        with torch.no_grad(), self.averaged():
            for batch in loader:
                batch = batch.to(self.device, non_blocking=True)
                with self.autocast():
                    values = self.step(batch, "valid")
                averager.add(values, len(batch))
        return {**averager.values(), **self.epoch_metrics("valid")}

    def finish(self) -> None:
        """Judge the best weights on the test split, write the results and the marker."""
        if self.rank == 0:
            self.restore_best()
            self.model.eval()
            result = self.judge()
            self.generate()
            write_evaluation(self.folder, result)
            if self.history:
                self.history[-1][result.split] = result.with_chance()
                self.xp.link.update_history(self.history)
            marker.write(
                self.folder,
                {"epoch": self.epoch, "best_epoch": self.best.epoch, "metrics": result.metrics},
            )
            logger.info("%s | %s", result.split, format_metrics(result.with_chance()))
        distribution.barrier()

    def judge(self) -> Evaluation:
        """The evaluation of the test split, or of the valid split when there is no test."""
        splits = set(self.data.table["split"])
        split = "test" if "test" in splits else "valid" if "valid" in splits else "train"
        with torch.no_grad():
            return self.evaluate(split)


def remove_folder(folder: Path) -> None:
    """Remove a folder of files; absent is fine."""
    if folder.is_dir() and not folder.is_symlink():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def write_evaluation(folder: Path, result: Evaluation) -> None:
    """Write `evaluation.json` and the items, each whole or absent."""
    if result.items is not None:
        temporary = folder / ".items.parquet.tmp"
        result.items.to_parquet(temporary)
        os.replace(temporary, folder / "items.parquet")
    write_json(folder / "evaluation.json", result.to_dict())
