"""The loop that every task family runs on: stages, epochs, saving, resuming, stopping."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from ..data.batch import Batch
from ..data.seen import NAME as SEEN
from ..errors import UserError
from ..metrics.evaluation import Evaluation
from ..xp import guard, holder, marker, ranges
from ..xp.files import DamagedFileError, read_history
from ..xp.history import settle_history
from ..xp.process import cores
from . import narration, processes
from .audit import NAME as AUDIT
from .averages import Averages
from .best import build_best
from .checkpoint import BestFolders, Checkpoints
from .common_draws import common_draws
from .finite import FiniteCheck
from .logger import Logger
from .optim import build_average, peak_rate, set_rates
from .origin import check_origin
from .perf import Perf, assumed_power
from .precision import Precision, check_precision
from .preemption import PreemptedError, Preemption
from .schedule import Schedule, decay_schedule
from .show import show, write_evaluation
from .solver import Solver
from .state import (
    PerProcess,
    ProcessTensors,
    RandomState,
    Stateful,
    isolated,
    own_or_first,
    seed_all,
    seed_ranks,
)

SPLITS = ("train", "valid", "test")
EVALUATION_SEED = {"train": 1, "valid": 2, "test": 3}
PREEMPTION_STEPS = 10  # with several processes: steps between two agreements on leaving


class Run:
    """Trains one experiment from wherever an earlier run stopped, evaluates and saves it.

    Args:
        solver: what is trained; its attribute `run` becomes this object.
    """

    optimizer: torch.optim.Optimizer

    def __init__(self, solver: Solver) -> None:
        self.solver, self.cfg = solver, solver.cfg
        solver.run = self
        self.progress, self.folder = solver.progress, solver.folder
        self.link = solver.xp.link
        self.preemption = Preemption()
        self.finishing = False
        self.checkpoints = Checkpoints(self.folder, self.cfg["checkpoint"]["keep"])
        self.best_folders = BestFolders(self.folder)

    def train(self) -> None:
        """Train to the end, then evaluate; a finished experiment is left as it is.

        One process at a time trains an experiment: see `bm.xp.holder`.
        Exits with 85 when asked to leave by a signal and 130 on Ctrl-C, both with the state saved.
        """
        if marker.exists(self.folder) and not self.cfg["show"]:
            self.open_log(active=True)
            self.solver.log.line("%s is finished; nothing to do", self.solver.xp.sig)
            guard.warn_of_changes(self.folder, self.solver.xp.cfg)
            self._say_result()
            return
        # a look at the experiment writes nothing that another process could lose
        training = processes.number() == 0 and not (self.cfg["show"] or self.cfg["download_only"])
        if training:  # before the folder is made
            ranges.check_epochs(self.cfg["optim"]["epochs"])
            check_precision(self.cfg["precision"], self.solver.device)
        try:
            with (
                holder.hold(self.folder) if training else nullcontext(),
                self.preemption.watching(),
            ):
                if self.prepare():
                    self.fit()
        except KeyboardInterrupt:
            where = self.folder / "checkpoint.pt"
            print(f"stopped; {where if where.exists() else 'no state saved yet'}", flush=True)
            raise SystemExit(130) from None

    # opening ------------------------------------------------------------------------------

    def open_log(self, active: bool) -> None:
        """Open the log; `active`: this is a run of the experiment, not a look at it."""
        if active:
            self.folder.mkdir(parents=True, exist_ok=True)
        active = active and processes.rank() == 0
        self.solver.log = Logger(self.folder, self.solver.xp.sig, self.cfg, active)

    def open(self, training: bool) -> bool:
        """Build data, model and loaders; false when the configuration asks only to look at them.

        Args:
            training: log, and check that configuration and data are those of the first run.
        """
        solver, cfg = self.solver, self.cfg
        seed_all(cfg["seed"])
        solver.data = solver.build_data()
        if training:
            self._audit()
        # a slow or wrong model is not built where only the data are asked for
        if training and cfg["download_only"]:
            solver.log.line("data are ready")
            return False
        if training and not cfg["show"]:
            self._check_guard()
        solver.model = solver.build_model(solver.data.facts).to(solver.device)
        solver.precision = Precision(cfg["precision"], solver.device)
        solver.perf = Perf(solver.device, cfg["precision"])
        solver.perf.parameters = sum(p.numel() for p in solver.model.parameters())
        if solver.stepped:
            if training and cfg["dset"].get("on_device"):
                # behind the model, which may take features out of the batches
                solver.data.move_to(solver.device)
            self.loaders = solver.build_loaders()
            self.averages = {split: Averages(solver.device) for split in SPLITS}
        if training and cfg["show"]:
            show(solver)
            return False
        return True

    def open_best(self) -> None:
        """Open a finished experiment with its best weights, to compute; nothing is written."""
        processes.start(self.solver.device)
        self.open_log(active=False)
        # the seed of an evaluation follows the epoch: without it the numbers would differ
        self.progress.epoch = (marker.read(self.folder) or {}).get("epoch", 0)
        self.open(training=False)
        if self.solver.stepped:
            self.solver.load_model(self.folder / "best")
            self.solver.model.eval()

    def _say_result(self) -> None:
        """Write the last lines of a finished run."""
        metric = self.solver.best_metric
        for line in narration.closing(self.folder, self.solver.xp.sig, metric):
            self.solver.log.line("%s", line)

    def prepare(self) -> bool:
        """Build everything and restore the checkpoint; false when there is nothing to train."""
        solver = self.solver
        warning = None
        if not (self.cfg["show"] or self.cfg["download_only"]):
            warning = check_precision(self.cfg["precision"], solver.device)
        processes.start(solver.device)
        self.open_log(active=True)
        if warning:
            solver.log.line("warning: %s", warning)
        if not (self.cfg["show"] or self.cfg["download_only"]):
            for line in narration.name_lines(self):
                solver.log.line("%s", line)
        # before the data: threads change bits, and the checkpoint says how many there were
        checkpoint = self.checkpoints.load()
        self._set_threads(checkpoint)
        if not self.open(training=True):
            return False
        for line in narration.opening(self):
            solver.log.line("%s", line)
        if not solver.stepped:
            return True
        # a continued run takes the checkpoint's weights: the upstream may be gone by then
        if self.cfg["init_from"] and checkpoint is None:
            folder = solver.folder_of(self.cfg["init_from"])
            for line in check_origin("init_from", folder, solver.data.facts, solver.model):
                solver.log.line("warning: %s", line)
            solver.init_model(folder)
        processes.broadcast_model(solver.model)
        if self.cfg["compile"]:  # from here on each process draws dropout and noise of its own
            seed_ranks(self.cfg["seed"])
        self._build_training()
        solver.log.line("%s", narration.training_line(self))
        self._register()
        self._restore(checkpoint)
        if checkpoint is None and self.cfg["best"]["metric"]:
            self._check_best()
        # last, so that names in checkpoints are those of the plain modules
        if self.cfg["compile"]:
            self._compile()
        return True

    def _audit(self) -> None:
        """Log the counts of splits and what the audit finds; refuse to train on a leak.

        The result goes to `audit.json`. A run that goes on keeps what its first start found of
        models that are gone by now.
        """
        cfg, log = self.cfg, self.solver.log
        audit = self.solver.audit()
        for line in self.solver.describe_splits():
            log.line("%s", line)
        if not cfg["show"] and not cfg["download_only"]:
            self.solver.check_splits()
        first = not (self.folder / AUDIT).exists() or bool(cfg["allow_change"])
        for line in audit.lines():
            log.line("audit: %s", line)
        if processes.rank() == 0 and not cfg["show"] and (first or not audit.unchecked):
            audit.write(self.folder)
        if audit.leaks and not (cfg["show"] or cfg["download_only"] or cfg["allow_leak"]):
            raise UserError(
                f"{audit.leaks[0]}; change dset.split or the upstream stage, or train all the same "
                "with allow_leak=true, which marks the result"
            )

    def _set_threads(self, checkpoint: dict[str, Any] | None) -> None:
        threads = self.cfg["threads"] or int(os.environ.get("BM_THREADS") or cores())
        if checkpoint is not None:
            before = checkpoint["state"]["progress"]["threads"]
            if before != threads:  # other numbers of threads give other bits
                text = "%d threads as in the checkpoint (asked for %d)"
                self.solver.log.line(text, before, threads)
            threads = before
        self.progress.threads = threads
        torch.set_num_threads(threads)

    def _check_guard(self) -> None:
        if processes.rank() == 0:
            config = guard.significant(self.cfg, list(self.solver.xp.dora.exclude))
            guard.check(self.folder, config, self.solver.data.hash, self.cfg["allow_change"])
            self.solver.save_splits()

    def _check_best(self) -> None:
        """Refuse a `best.metric` that stage valid will not have, while nothing is lost yet."""
        loader = self.loaders["valid"]
        if processes.smallest(len(loader), self.solver.device):
            loader.set_epoch(0)
            loader.seek(0)
            batch = next(iter(loader)).to(self.solver.device)
            self.best.check(self.solver.valid_metrics(batch))

    def _compile(self) -> None:
        """Compile the networks in place: names of tensors stay what they are."""
        solver = self.solver
        if solver.device.type == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
            solver.log.line("compile: there is no C++ compiler; the model runs as it is")
            return
        for network in solver.networks():
            network.compile()

    def _build_training(self) -> None:
        cfg, solver = self.cfg, self.solver
        self.optimizer = solver.build_optim(solver.model)
        # processes may hold one batch more or less; a step needs all of them
        batches = processes.smallest(len(self.loaders["train"]), solver.device)
        limit = cfg["optim"]["max_batches"]
        self.batches = batches if limit is None else min(batches, limit)
        self.accumulate = cfg["optim"]["accumulate"]
        steps = -(-self.batches // self.accumulate)
        optim, epochs = cfg["optim"], solver.epochs
        self.schedule = Schedule(cfg["schedule"], peak_rate(optim), epochs, steps)
        self.decay = decay_schedule(cfg["schedule"], optim["weight_decay"], epochs, steps)
        self.ema = build_average(solver.model, cfg["ema"])
        self.best = build_best(cfg, solver.main_metric)
        self.finite = FiniteCheck(self.folder)

    def _register(self) -> None:
        solver = self.solver
        parts: dict[str, Stateful] = {
            "progress": self.progress, "model": solver.model, "optimizer": self.optimizer,
            "process_tensors": PerProcess(ProcessTensors(solver.model)),
            "precision": solver.precision, "best": self.best,
            "averages": PerProcess(self.averages["train"], Averages.spread),
            "random": PerProcess(RandomState(), None if self.cfg["compile"] else own_or_first),
        }  # fmt: skip
        if self.ema is not None:
            parts["ema"] = self.ema
        for name, part in parts.items():
            solver.state.register(name, part)

    def _restore(self, checkpoint: dict[str, Any] | None) -> None:
        log = self.solver.log
        try:
            self.link.history = read_history(self.folder / "history.json")
        except DamagedFileError as error:
            log.line("warning: %s; the checkpoint holds it", error)
        history = checkpoint["history"] if checkpoint else []
        # Dora's history.json may be an epoch ahead: it is written before the checkpoint
        if len(self.link.history) != len(history):
            log.line("history goes back to epoch %d, the checkpoint's", len(history))
        self.link.update_history(history)
        if checkpoint is None:
            return
        self.solver.state.load_state_dict(checkpoint["state"])
        if processes.rank() == 0 and self.best.epoch is not None:
            # now, and not after the last epoch, when it would be loaded
            self.solver.check_saved(self.best_folders.whole(self.best.epoch))
        log.line("continuing at epoch %d, batch %d", self.progress.epoch, self.progress.position)
        if processes.rank() == 0:
            self.best_folders.vouch(self.best.epoch)

    # all epochs ---------------------------------------------------------------------------

    def fit(self) -> None:
        """Train all epochs, then evaluate the test split with the best weights."""
        if not self.solver.stepped:
            self._fit_at_once()
            return
        self.solver.log.epochs = narration.Epochs(self)
        # until here a signal ended the process at once: there was nothing to save
        self.preemption.deferring = True
        try:
            while self.progress.epoch < self.solver.epochs and not self.best.exhausted:
                self.run_epoch()
            self._finish()
        except PreemptedError:
            if not self.finishing:  # else the model holds the best weights, and all is saved
                self.save(epoch_end=self.progress.position == 0)
            self.solver.log.line("asked to leave: saved epoch %d", self.progress.epoch)
            self.solver.log.close()
            self.preemption.leave()
        self.solver.log.close()

    def _fit_at_once(self) -> None:
        """Evaluate a decoder that fits itself on the train split; killed, it begins again."""
        groups: dict[str, dict[str, float]] = {}
        counts = self.solver.split_counts()
        begun = time.perf_counter()
        for split in ("valid", "test"):
            if split in counts:
                evaluation = self.solver.evaluate(split)
                groups[split] = evaluation.with_chance()
        groups["perf"] = self._cost_at_once(time.perf_counter() - begun)
        self._save_fitted()
        self.solver.log.epoch(1, groups)
        write_evaluation(self.folder, evaluation)
        self.link.update_history([groups])
        settle_history(self.folder / "history.json")
        marker.write(self.folder, {"epoch": 1, "metrics": evaluation.metrics})
        self._say_result()
        self.solver.log.close()

    def _cost_at_once(self, seconds: float) -> dict[str, float]:
        """Return what it cost to fit and to decide: both are one call in such a decoder."""
        power = assumed_power(torch.device("cpu"), torch.get_num_threads())
        return {"seconds": seconds} | ({} if power is None else {"assumed_w": power})

    def _save_fitted(self) -> None:
        """Save a decoder that was fitted at once, with the recordings that it has seen."""
        self.solver.save_model(self.folder / "best")
        recordings = self.folder / SEEN
        if recordings.exists() and (self.folder / "best").exists():
            shutil.copyfile(recordings, self.folder / "best" / SEEN)

    def run_epoch(self) -> None:
        """Train one epoch, validate, keep the best weights, save.

        Raises:
            UserError: the folder of the experiment was removed meanwhile.
        """
        epoch, solver = self.progress.epoch, self.solver
        groups: dict[str, dict[str, float]] = {"train": self._train_epoch(epoch)}
        if processes.rank() == 0:
            guard.check_there(self.folder)
        groups["perf"] = solver.perf.result(processes.world())
        last = epoch + 1 == self.solver.epochs
        every = self.cfg["eval"]["every"]
        with self.averaged_weights():
            if len(self.loaders["valid"]) and (last or (epoch + 1) % self.cfg["valid_every"] == 0):
                groups["valid"] = self.stage_metrics("valid")
            if every and (epoch + 1) % every == 0:
                groups["test"] = solver.evaluate("test").with_chance()
            # after the last point where a signal may end this epoch: counters move once
            improved = "valid" in groups and self.best.update(groups["valid"], epoch)
            if improved and processes.rank() == 0:
                self._save_best(epoch)
        self.progress.epoch, self.progress.position = epoch + 1, 0
        self.averages["train"].clear()  # a checkpoint between epochs holds none
        self.link.push_metrics(groups)
        solver.log.epoch(epoch + 1, groups)
        due = (epoch + 1) % self.cfg["checkpoint"]["every"] == 0
        if due or last or epoch + 1 in self.cfg["checkpoint"]["keep"] or self.best.exhausted:
            self.save(epoch_end=True)
        self._show_examples()
        self._leave_if_asked(every=1)

    def _save_best(self, epoch: int) -> None:
        """Save the model, with the list of the recordings that it has seen."""
        with self.best_folders.saving(epoch) as folder:
            self.solver.save_model(folder)
            recordings = self.folder / SEEN
            if recordings.exists():
                shutil.copyfile(recordings, folder / SEEN)

    def _show_examples(self) -> None:
        """Generate every `generate.every` epochs, with averaged weights; no generator moves."""
        every = self.cfg["generate"]["every"]
        if not every or self.progress.epoch % every or processes.rank() != 0:
            return
        self.solver.model.eval()
        with isolated(self.cfg["seed"]), torch.no_grad(), self.averaged_weights():
            self.solver.generate()

    def _finish(self) -> None:
        """Evaluate the test split with the best weights and declare the experiment finished."""
        self.finishing = True
        solver, first = self.solver, processes.rank() == 0
        if first and self.best.epoch is None:
            epoch = max(0, self.progress.epoch - 1)
            with self.averaged_weights():
                self._save_best(epoch)
            self.best_folders.vouch(epoch)
        # the others read what the first has just published
        if processes.world() > 1:
            torch.distributed.barrier()
        solver.load_model(self.folder / "best")
        evaluation = solver.evaluate("test") if len(self.loaders["test"]) else None
        if evaluation is not None:
            self._record_test(evaluation)
        if first:
            with torch.no_grad():
                solver.generate()
            if self.cfg["log"]["figures"]:
                solver.draw(self.folder / "figures", evaluation)
            settle_history(self.folder / "history.json")
            # the marker comes last: what waits for it finds everything in place
            values: dict[str, Any] = {"epoch": self.progress.epoch, "step": self.progress.step}
            values.update(best_epoch=self.best.epoch, best_value=self.best.value)
            marker.write(self.folder, values)
            self._say_result()

    def _record_test(self, evaluation: Evaluation) -> None:
        """Add the metrics of the test split to the last epoch of the history."""
        history = list(self.link.history)
        last = history.pop() if history else {}
        perf = {**last.get("perf", {}), **self.solver.perf.more}
        history.append({**last, "perf": perf, "test": evaluation.with_chance()})
        self.link.update_history(history)
        if processes.rank() == 0:
            write_evaluation(self.folder, evaluation)
            self.solver.log.epoch(self.progress.epoch, {"test": evaluation.with_chance()})

    # one training epoch -------------------------------------------------------------------

    def _train_epoch(self, epoch: int) -> dict[str, float]:
        loader, progress, solver = self.loaders["train"], self.progress, self.solver
        solver.perf.start()
        solver.model.train()
        loader.set_epoch(epoch)
        loader.seek(progress.position)
        if progress.position == 0:
            self.averages["train"].clear()
            solver.begin_stage("train")
        waited = loader.wait_s
        begun, first = time.perf_counter(), progress.position
        for group in self._groups(iter(loader)):
            self.optimise(group, epoch)
            progress.position += len(group)
            position = progress.position
            if solver.log.due(position // self.accumulate, -(-self.batches // self.accumulate)):
                metrics = self.averages["train"].local()
                speed = (position - first) / max(1e-9, time.perf_counter() - begun)
                solver.log.progress(f"train {epoch + 1}", position, self.batches, speed, metrics)
            self._after_step()
        solver.perf.wait_s = loader.wait_s - waited
        self.finite.flush()
        return {**self.averages["train"].result(), **solver.epoch_metrics("train")}

    def _groups(self, batches: Iterator[Batch]) -> Iterator[list[Batch]]:
        left = self.batches - self.progress.position
        while left > 0:
            group = list(itertools.islice(batches, min(self.accumulate, left)))
            if not group:
                return
            left -= len(group)
            yield [batch.to(self.solver.device, non_blocking=True) for batch in group]

    def optimise(self, group: list[Batch], epoch: int) -> None:
        """Take one optimiser step; the batches of a group weigh as one big batch."""
        solver, items = self.solver, sum(batch.weight for batch in group)
        # counted once, at the first real batch: its sizes are those of the run
        if solver.perf.flops_per_item is None:
            flops = solver.perf.flops_per_item = solver.count_flops(group[0])
            if flops:
                solver.log.line("forward pass of the model: %.3g MFLOP a window", flops / 1e6)
        decay = self.decay.at(self.progress.step) if self.decay else None
        set_rates(self.optimizer, self.schedule.at(self.progress.step), decay)
        losses = []
        for batch in group:
            with solver.precision.autocast(), self._draws(batch):
                values = solver.step(batch, "train")
            # weighted by windows: the last batch of an epoch may be smaller
            solver.precision.backward(values["loss"] * (batch.weight / max(1, items)))
            losses.append(values["loss"])
            self.averages["train"].add(values, batch.weight)
        # before the step: weights that a NaN has touched are never saved
        self.finite.watch(losses, group, epoch, self.progress.step)
        processes.average_gradients(solver.model, items)
        clip = self.cfg["optim"]["clip_norm"]
        if clip is not None:
            # fp16 gradients are scaled by a power of two; the limit is of their true norm
            solver.precision.unscale(self.optimizer)
            nn.utils.clip_grad_norm_(solver.model.parameters(), clip)
        solver.precision.step(self.optimizer)
        self.optimizer.zero_grad(set_to_none=True)
        if self.ema is not None:
            self.ema.update(solver.model)
        self.progress.step += 1
        solver.perf.step(items)

    def _draws(self, batch: Batch) -> AbstractContextManager[Any]:
        """Return the block in which a step draws what a single process would."""
        # compiled code draws within its own kernels, where nothing can be taken over
        return nullcontext() if self.cfg["compile"] else common_draws(batch)

    def _after_step(self) -> None:
        every = self.cfg["checkpoint"]["every_steps"]
        if every and self.progress.step % every == 0:
            self.save(epoch_end=False)
        self._leave_if_asked(PREEMPTION_STEPS if processes.world() > 1 else 1)

    def _leave_if_asked(self, every: int) -> None:
        signalled = self.preemption.signal is not None
        if self.progress.step % every == 0 and processes.any_of(signalled, self.solver.device):
            raise PreemptedError

    # evaluation ---------------------------------------------------------------------------

    def averaged_weights(self) -> AbstractContextManager[None]:
        """Compute with the averaged weights inside the context, when there are any."""
        return self.ema.applied(self.solver.model) if self.ema is not None else nullcontext()

    @torch.no_grad()
    def stage_metrics(self, split: str) -> dict[str, float]:
        """Return the metrics of the step over a split; generators and training state stay."""
        solver = self.solver
        seed = self.cfg["seed"] * 1_000_003 + self.progress.epoch * 10 + EVALUATION_SEED[split]
        loader, averages = self.loaders[split], self.averages[split]
        averages.clear()
        solver.begin_stage(split)
        solver.model.eval()
        # evaluations draw from a seed of their own, so that how often one validates changes nothing
        with isolated(seed):
            loader.set_epoch(0)
            loader.seek(0)
            for batch in loader:
                # several processes would have to agree at every batch; they leave between epochs
                if processes.world() == 1 and self.preemption.signal is not None:
                    raise PreemptedError
                batch = batch.to(solver.device, non_blocking=True)
                with solver.precision.autocast(), self._draws(batch):
                    averages.add(solver.step(batch, split), batch.weight)
            return {**averages.result(), **solver.epoch_metrics(split)}

    def reevaluate(self, split: str) -> Evaluation:
        """Evaluate a finished experiment afresh with its best weights; nothing is written."""
        self.open_best()
        return self.solver.evaluate(split)

    # saving -------------------------------------------------------------------------------

    def save(self, epoch_end: bool) -> None:
        """Checkpoint, then let `best` follow it; never before the open losses are finite."""
        self.finite.flush()  # on a GPU the verdict of the last step is still open
        begun = time.perf_counter()
        state = {"state": self.solver.state.state_dict(), "history": list(self.link.history)}
        if processes.rank() == 0:
            self.checkpoints.save(state, self.progress.epoch, epoch_end)
            # after the checkpoint: dying between both leaves the former best, which it names
            self.best_folders.vouch(self.best.epoch)
            self.solver.perf.checkpoint_s += time.perf_counter() - begun
