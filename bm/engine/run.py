"""The loop that every task family runs on: stages, epochs, saving, resuming, stopping."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..metrics.evaluation import Evaluation
from ..nn.roles import explicit_attention_in
from ..xp.process import cores
from . import processes
from .averages import Averages
from .best import build_best
from .checkpoint import BestFolders, Checkpoints
from .finite import FiniteCheck
from .logger import Logger
from .optim import build_average, build_optimizer, peak_rate, set_rates
from .origin import check_origin
from .perf import Perf, forward_flops
from .precision import Precision
from .preemption import PreemptedError, Preemption
from .schedule import Schedule, decay_schedule
from .show import draw_history, show, write_evaluation
from .state import PerProcess, Progress, RandomState, State, isolated, seed_all, seed_ranks

EVALUATION_SEED = {"train": 1, "valid": 2, "test": 3}
PREEMPTION_STEPS = 10  # with several processes: steps between two agreements on leaving


class Solver:
    """Base of the task families.

    A family implements `build_data`, `build_model` and `step`, and may override `build_optim`,
    `begin_stage`, `epoch_metrics`, `evaluate` and `generate`. What it registers in `self.state`
    is part of every checkpoint.

    Args:
        cfg: whole configuration, as `conf/config.yaml`.
    """

    main_metric: tuple[str, str] = ("accuracy", "max")
    model: nn.Module
    optimizer: torch.optim.Optimizer

    def __init__(self, cfg: Any) -> None:
        from dora import get_xp

        self.cfg, self.xp = cfg, get_xp()
        self.folder = Path(self.xp.folder)
        self.device = processes.pick_device(cfg["device"])
        self.state, self.progress = State(), Progress()
        self.preemption = Preemption()
        self.finishing = False
        self.checkpoints = Checkpoints(self.folder, cfg["checkpoint"]["keep"])
        self.best_folders = BestFolders(self.folder)

    # what a family says ------------------------------------------------------------------

    def build_data(self) -> Any:
        """The data set: `facts`, `hash`, `loader(split, ...)`."""
        raise NotImplementedError

    def build_model(self, facts: Any) -> nn.Module:
        """The model for these data."""
        from ..models import build_model  # type: ignore[attr-defined,unused-ignore]

        return build_model(self.cfg["model"], facts)

    def build_optim(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimiser; its groups may carry `lr_scale`."""
        return build_optimizer(model, self.cfg["optim"])

    def networks(self) -> list[nn.Module]:
        """The parts of the model that a step calls: what `compile` compiles."""
        return [self.model]

    def step(self, batch: Any, stage: str) -> dict[str, Tensor]:
        """Means over the batch; `loss` is optimised in stage train."""
        raise NotImplementedError

    def begin_stage(self, stage: str) -> None:
        """Called when a stage begins (not when it is resumed): clear accumulators here."""

    def epoch_metrics(self, stage: str) -> dict[str, float]:
        """Metrics over a whole split, from accumulators the family registered."""
        return {}

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate one split with the present weights."""
        metrics = self.run_evaluation(split)
        simulated = bool(getattr(self.data.facts, "simulated", False))
        n_items = self.count_items(split)
        return Evaluation(split, metrics, n_items=n_items, simulated=simulated)

    def generate(self) -> None:
        """Make what the family has to show."""

    def init_model(self, folder: Path) -> None:
        """Start from the weights that `init_from` names; says what matched."""
        from ..models import init_weights

        self.log.line("%s", init_weights(self.model, folder, self.cfg["init_partial"]))

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw figures of the finished run into `folder`; the base draws the learning curves."""
        draw_history(self, folder)

    def show_facts(self) -> None:
        """Print what `show=true` says of the family before a run."""

    def save_splits(self) -> None:
        """Keep which window is in which split beside the results."""
        from ..data.split import write_splits

        write_splits(self.data.table, self.folder)

    def save_model(self, folder: Path) -> None:
        """Write the present weights in `save_pretrained` form."""
        from ..models import save  # type: ignore[attr-defined,unused-ignore]

        save(self.model, folder, self.data.facts)

    def load_model(self, folder: Path) -> None:
        """Take the weights of a folder written by `save_model`."""
        from safetensors.torch import load_model

        load_model(self.model, folder / "model.safetensors", device=str(self.device))

    # the run ------------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the end, from wherever an earlier run stopped.

        Exits with 85 when asked to leave by a signal and 130 on Ctrl-C, both with the state saved.
        """
        from ..xp import marker

        if marker.exists(self.folder) and not self.cfg["show"]:
            self._open_log()
            self.log.line("%s is finished; nothing to do", self.xp.sig)
            return
        try:
            with self.preemption.watching():
                if self.prepare():
                    self.fit()
        except KeyboardInterrupt:
            where = self.folder / "checkpoint.pt"
            print(f"stopped; {where if where.exists() else 'no state saved yet'}", flush=True)
            raise SystemExit(130) from None

    def prepare(self) -> bool:
        """Build everything and restore; false when there is nothing to train."""
        processes.start(self.device)
        self._open_log()
        saved = self.checkpoints.load()
        self._set_threads(saved)
        seed_all(self.cfg["seed"])
        self.data = self.build_data()
        if self.cfg["download_only"]:
            self.log.line("data are ready")
            return False
        if not self.cfg["show"]:
            self._guard()
        self.model = self.build_model(self.data.facts).to(self.device)
        self.loaders = self._build_loaders()
        if self.cfg["show"]:
            show(self)
            return False
        if self.cfg["init_from"] and saved is None:
            folder = self.folder_of(self.cfg["init_from"])
            for line in check_origin("init_from", folder, self.data.facts, self.model):
                self.log.line("warning: %s", line)
            self.init_model(folder)
        processes.broadcast_model(self.model)
        seed_ranks(self.cfg["seed"])
        self._build_training()
        self._register()
        self._restore(saved)
        if self.cfg["compile"]:
            self._compile()
        return True

    def _compile(self) -> None:
        """Compile the networks in place: names of tensors stay what they are."""
        if self.device.type == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
            self.log.line("compile: there is no C++ compiler; the model runs as it is")
            return
        for network in self.networks():
            network.compile()

    def folder_of(self, address: str) -> Path:
        """Folder in `save_pretrained` form that an address (`//sig/...`) of the config names."""
        from ..xp.address import resolve

        return resolve(address, self.folder.parent)

    def fit(self) -> None:
        """All epochs, then the test split with the best weights."""
        from ..xp import marker

        self.preemption.deferring = True
        try:
            while self.progress.epoch < self.cfg["optim"]["epochs"] and not self.best.exhausted:
                self._run_epoch()
            self._finish(marker)
        except PreemptedError:
            if not self.finishing:  # else the model holds the best weights, and all is saved
                self._save(epoch_end=self.progress.position == 0)
            self.log.line("asked to leave: saved epoch %d", self.progress.epoch)
            self.log.close()
            self.preemption.leave()
        self.log.close()

    def _open_log(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = Logger(self.folder, self.xp.sig, self.cfg, processes.rank() == 0)

    def _set_threads(self, saved: dict[str, Any] | None) -> None:
        asked = self.cfg["threads"] or int(os.environ.get("BM_THREADS") or cores())
        threads = saved["state"]["progress"]["threads"] if saved else asked
        if threads != asked:
            self.log.line("%d threads as in the checkpoint (asked for %d)", threads, asked)
        self.progress.threads = threads
        torch.set_num_threads(threads)

    def _guard(self) -> None:
        from ..xp import guard

        if processes.rank() == 0:
            config = guard.significant(self.cfg, list(self.xp.dora.exclude))
            guard.check(self.folder, config, self.data.hash, self.cfg["allow_change"])
            self.save_splits()

    def _build_loaders(self) -> dict[str, Any]:
        train, seed = self.cfg["optim"]["batch_size"], self.cfg["seed"]
        other = self.cfg["eval"]["batch_size"] or train
        world, rank = processes.world(), processes.rank()
        sizes = {"train": train, "valid": other, "test": other}
        return {
            split: self.data.loader(
                split, max(1, size // world), split == "train", seed, rank=rank, world=world
            )
            for split, size in sizes.items()
        }

    def _build_training(self) -> None:
        cfg = self.cfg
        self.optimizer = self.build_optim(self.model)
        self.precision = Precision(cfg["precision"], self.device)
        self.averages = {s: Averages(self.device) for s in ("train", "valid", "test")}
        batches = processes.smallest(len(self.loaders["train"]), self.device)
        limit = cfg["optim"]["max_batches"]
        self.batches = batches if limit is None else min(batches, limit)
        self.accumulate = cfg["optim"]["accumulate"]
        steps = -(-self.batches // self.accumulate)
        optim, epochs = cfg["optim"], cfg["optim"]["epochs"]
        self.schedule = Schedule(cfg["schedule"], peak_rate(optim), epochs, steps)
        self.decay = decay_schedule(cfg["schedule"], optim["weight_decay"], epochs, steps)
        self.ema = build_average(self.model, cfg["ema"])
        self.best = build_best(cfg, self.main_metric)
        self.finite = FiniteCheck(self.folder)
        self.perf = Perf(self.device, cfg["precision"])

    def _register(self) -> None:
        parts = {
            "progress": self.progress, "model": self.model, "optimizer": self.optimizer,
            "precision": self.precision, "averages": PerProcess(self.averages["train"]),
            "best": self.best, "random": PerProcess(RandomState()),
        }  # fmt: skip
        if self.ema is not None:
            parts["ema"] = self.ema
        for name, part in parts.items():
            self.state.register(name, part)

    def _restore(self, saved: dict[str, Any] | None) -> None:
        self.xp.link.load()
        history = saved["history"] if saved else []
        if len(self.xp.link.history) != len(history):
            self.log.line("history goes back to epoch %d, the checkpoint's", len(history))
        self.xp.link.update_history(history)
        if saved is None:
            return
        self.state.load_state_dict(saved["state"])
        self.log.line(
            "continuing at epoch %d, batch %d", self.progress.epoch, self.progress.position
        )
        if processes.rank() == 0:
            self.best_folders.vouch(self.best.epoch)

    # one epoch ----------------------------------------------------------------------------

    def _run_epoch(self) -> None:
        epoch = self.progress.epoch
        groups: dict[str, dict[str, float]] = {"train": self._train(epoch)}
        groups["perf"] = self.perf.result(processes.world())
        last = epoch + 1 == self.cfg["optim"]["epochs"]
        every = self.cfg["eval"]["every"]
        with self.averaged_weights():
            if len(self.loaders["valid"]) and (last or (epoch + 1) % self.cfg["valid_every"] == 0):
                groups["valid"] = self.run_evaluation("valid")
            if every and (epoch + 1) % every == 0:
                groups["test"] = self.evaluate("test").with_chance()
            # after the last point where a signal may end this epoch: counters move once
            improved = "valid" in groups and self.best.update(groups["valid"], epoch)
            if improved and processes.rank() == 0:
                self.save_model(self.best_folders.aside(epoch))
                self.best_folders.publish(epoch)
        self.progress.epoch, self.progress.position = epoch + 1, 0
        self.averages["train"].clear()
        self.xp.link.push_metrics(groups)
        self.log.epoch(epoch + 1, groups)
        due = (epoch + 1) % self.cfg["checkpoint"]["every"] == 0
        if due or last or epoch + 1 in self.cfg["checkpoint"]["keep"] or self.best.exhausted:
            self._save(epoch_end=True)
        self._show_examples()
        self._leave_if_asked(every=1)

    def _show_examples(self) -> None:
        """Every `generate.every` epochs, with averaged weights; moves no generator."""
        every = self.cfg["generate"]["every"]
        if not every or self.progress.epoch % every or processes.rank() != 0:
            return
        self.model.eval()
        with isolated(self.cfg["seed"]), torch.no_grad(), self.averaged_weights():
            self.generate()

    def _train(self, epoch: int) -> dict[str, float]:
        loader, progress = self.loaders["train"], self.progress
        self.perf.start()
        self.model.train()
        loader.set_epoch(epoch)
        loader.seek(progress.position)
        if progress.position == 0:
            self.averages["train"].clear()
            self.begin_stage("train")
        waited = loader.wait_s
        begun, first = time.perf_counter(), progress.position
        for group in self._groups(iter(loader)):
            self.optimise(group, epoch)
            progress.position += len(group)
            done = progress.position
            if self.log.due(done // self.accumulate, -(-self.batches // self.accumulate)):
                metrics = self.averages["train"].local()
                speed = (done - first) / max(1e-9, time.perf_counter() - begun)
                self.log.progress(f"train {epoch + 1}", done, self.batches, speed, metrics)
            self._after_step()
        self.perf.wait_s = loader.wait_s - waited
        self.finite.flush()
        return {**self.averages["train"].result(), **self.epoch_metrics("train")}

    def _groups(self, batches: Iterator[Any]) -> Iterator[list[Any]]:
        left = self.batches - self.progress.position
        while left > 0:
            group = list(itertools.islice(batches, min(self.accumulate, left)))
            if not group:
                return
            left -= len(group)
            yield [batch.to(self.device, non_blocking=True) for batch in group]

    def optimise(self, group: list[Any], epoch: int) -> None:
        """One optimiser step; the batches of a group weigh as one big batch."""
        items = sum(len(batch) for batch in group)
        if self.perf.flops_per_item is None:
            self.count_flops(group[0])
        decay = self.decay.at(self.progress.step) if self.decay else None
        set_rates(self.optimizer, self.schedule.at(self.progress.step), decay)
        losses = []
        for batch in group:
            with self.precision.autocast():
                values = self.step(batch, "train")
            self.precision.backward(values["loss"] * (len(batch) / items))
            losses.append(values["loss"])
            self.averages["train"].add(values, len(batch))
        self.finite.watch(losses, group, epoch, self.progress.step)
        processes.average_gradients(self.model, items)
        clip = self.cfg["optim"]["clip_norm"]
        if clip is not None:
            self.precision.unscale(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.precision.step(self.optimizer)
        self.optimizer.zero_grad(set_to_none=True)
        if self.ema is not None:
            self.ema.update(self.model)
        self.progress.step += 1
        self.perf.step(items)

    def _after_step(self) -> None:
        every = self.cfg["checkpoint"]["every_steps"]
        if every and self.progress.step % every == 0:
            self._save(epoch_end=False)
        self._leave_if_asked(PREEMPTION_STEPS if processes.world() > 1 else 1)

    def _leave_if_asked(self, every: int) -> None:
        asked = self.preemption.signal is not None
        if self.progress.step % every == 0 and processes.any_of(asked, self.device):
            raise PreemptedError

    def count_flops(self, batch: Any) -> None:
        """Cost of a forward pass, counted aside: no generator and no statistic moves."""
        self.model.eval()
        counted = explicit_attention_in(self.model)
        with isolated(0), torch.no_grad(), self.precision.autocast(), counted:
            flops = forward_flops(lambda: self.step(batch, "valid"))
        self.model.train()
        self.perf.flops_per_item = (flops or 0.0) / len(batch)

    # evaluation ---------------------------------------------------------------------------

    def averaged_weights(self) -> AbstractContextManager[None]:
        """Inside, the model computes with the averaged weights when there are any."""
        return self.ema.applied(self.model) if self.ema is not None else nullcontext()

    @torch.no_grad()
    def run_evaluation(self, split: str) -> dict[str, float]:
        """Metrics of a whole split; leaves generators and training state as they were."""
        seed = self.cfg["seed"] * 1_000_003 + self.progress.epoch * 10 + EVALUATION_SEED[split]
        loader, averages = self.loaders[split], self.averages[split]
        averages.clear()
        self.begin_stage(split)
        self.model.eval()
        with isolated(seed):
            loader.set_epoch(0)
            loader.seek(0)
            for batch in loader:
                if processes.world() == 1 and self.preemption.signal is not None:
                    raise PreemptedError
                batch = batch.to(self.device, non_blocking=True)
                with self.precision.autocast():
                    averages.add(self.step(batch, split), len(batch))
            return {**averages.result(), **self.epoch_metrics(split)}

    def reevaluate(self, split: str) -> Evaluation:
        """Evaluate a finished experiment afresh with its best weights; nothing is written."""
        self.open_best()
        return self.evaluate(split)

    def open_best(self) -> None:
        """Data and best weights of a finished experiment, ready to compute; nothing is written."""
        from ..xp import marker

        processes.start(self.device)
        self.log = Logger(self.folder, self.xp.sig, self.cfg, active=False)
        self.progress.epoch = (marker.read(self.folder) or {}).get("epoch", 0)  # seeds follow it
        seed_all(self.cfg["seed"])
        self.data = self.build_data()
        self.model = self.build_model(self.data.facts).to(self.device)
        self.loaders = self._build_loaders()
        self.precision = Precision(self.cfg["precision"], self.device)
        self.averages = {s: Averages(self.device) for s in ("train", "valid", "test")}
        self.perf = Perf(self.device, self.cfg["precision"])
        self.load_model(self.folder / "best")
        self.model.eval()

    def count_items(self, split: str) -> int:
        """Rows of the segment table in a split."""
        return int((self.data.table["split"] == split).sum())

    def _finish(self, marker: Any) -> None:
        """Evaluate the test split with the best weights and declare the experiment finished."""
        self.finishing = True
        history = list(self.xp.link.history)
        if processes.rank() == 0 and self.best.epoch is None:
            epoch = max(0, self.progress.epoch - 1)
            with self.averaged_weights():
                self.save_model(self.best_folders.aside(epoch))
            self.best_folders.publish(epoch)
            self.best_folders.vouch(epoch)
        if processes.world() > 1:
            torch.distributed.barrier()
        self.load_model(self.folder / "best")
        evaluation = None
        if len(self.loaders["test"]):
            evaluation = self.evaluate("test")
            last = history.pop() if history else {}
            perf = {**last.get("perf", {}), **self.perf.more}
            history.append({**last, "perf": perf, "test": evaluation.with_chance()})
            self.xp.link.update_history(history)
            if processes.rank() == 0:
                write_evaluation(self.folder, evaluation)
                self.log.epoch(self.progress.epoch, {"test": evaluation.with_chance()})
        if processes.rank() == 0:
            with torch.no_grad():
                self.generate()
            if self.cfg["log"]["figures"]:
                self.draw(self.folder / "figures", evaluation)
            values: dict[str, Any] = {"epoch": self.progress.epoch, "step": self.progress.step}
            values.update(best_epoch=self.best.epoch, best_value=self.best.value)
            marker.write(self.folder, values)

    # saving -------------------------------------------------------------------

    def _save(self, epoch_end: bool) -> None:
        """Checkpoint, then let `best` follow it; never before the open losses are known finite."""
        self.finite.flush()
        begun = time.perf_counter()
        state = {"state": self.state.state_dict(), "history": list(self.xp.link.history)}
        if processes.rank() == 0:
            self.checkpoints.save(state, self.progress.epoch, epoch_end)
            self.best_folders.vouch(self.best.epoch)
            self.perf.checkpoint_s += time.perf_counter() - begun
