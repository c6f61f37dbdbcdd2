"""Contrastive solver: speech from brain signals, or signals from speech (Défossez et al. 2023)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...data.dataset import Dataset
from ...data.loader import Loader
from ...engine.show import draw_history
from ...engine.solver import Solver
from ...engine.state import PerProcess, own_or_first
from ...errors import UserError
from ...facts import DataFacts
from ...losses.negatives import NegativePool, gather_candidates
from ...losses.penalty import svd_penalty, training_penalty
from ...losses.regression import absolute_error, feature_loss, squared_error
from ...metrics.evaluation import Evaluation
from ...metrics.features import FeatureMetrics
from ...models.saved import init_weights, load_weights, save
from ...nn.feature_parts import FeaturePart, feature_parts
from ...nn.sinc import lowpass_sinc
from ...xp.resolve import to_plain
from .. import SOLVERS
from .candidates import speech_of
from .checks import preflight
from .feature_scaling import (
    FeatureScaling,
    gather_features,
    join_features,
    training_windows,
)
from .item_features import item_features_of, values_at_events
from .pair import SpeechPair, align, beginning, build_pair
from .rejection import accepted_windows
from .retrieval import Encoders, RetrievalOptions, retrieval_evaluation
from .saved_pair import PairRecord
from .shuffled import Shuffled, speech_windows_of

LOWPASS_ZEROS = 5  # zero crossings of the low-pass


@SOLVERS.register("contrastive")
class ContrastiveSolver(Solver):
    """Brain encoder and speech representation, pulled together by a contrastive or other loss.

    Signals come scaled and clamped from the data set; features are scaled here.
    """

    main_metric = ("loss", "min")
    model: SpeechPair

    def build_data(self) -> Dataset:
        """Build windows with features."""
        dataset = speech_windows_of(self.cfg)
        self.item_features = item_features_of(self.cfg, dataset)
        for split in ("valid", "test"):
            if not len(dataset.rows(split)):
                self.log.line("no window of split %s: see dset.split", split)
        if self.cfg.solver.shuffle_signals:
            dataset = Shuffled.of(dataset, self.cfg.seed)
        return dataset

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build both networks, with features scaled by what training windows hold."""
        self.options = to_plain(self.cfg.solver)
        sets = len(set(self.data.layout.tolist()))
        if sets > 1 and not self.cfg.model.get("merger"):
            raise UserError(
                f"recordings have {sets} channel sets: use dset.channels=padded, or a model with "
                "attention over sensors (model.merger)"
            )
        scaling, options = self.fitted_scaling(), self.options
        self.offset_s = float(self.cfg.dset.segment.offset_s)
        pair = build_pair(to_plain(self.cfg.model), options, facts, scaling, self.offset_s)
        self.rate_hz = facts.rate_hz
        self.parts = feature_parts(scaling.kinds)
        # rounded down as published: 150 ms, by which the brain is late, are 18 samples at 120 Hz
        self.shift = int(options["offset_ms"] / 1000 * self.rate_hz)
        self.signal_samples = (
            int(options["signal_s"] * self.rate_hz) if options["task"] == "encode" else 0
        )
        self.pools: dict[str, NegativePool] = {}
        if options["negatives"] is not None:
            self.pools["train"] = NegativePool(options["negatives"], options["pool_size"])
            self.state.register("negatives", PerProcess(self.pools["train"], own_or_first))
        self.segments = self._segments()
        return pair

    def fitted_scaling(self) -> FeatureScaling:
        """Fit the statistics of the features over training windows."""
        options = self.cfg.solver.scaling
        assert self.data.window_features is not None
        scaling = FeatureScaling(self.data.window_features.kinds, options.per_channel)
        windows = training_windows(self.data, options.windows_per_recording, options.windows)
        scaling.fit(windows)
        return scaling

    def _segments(self) -> Tensor:
        """Return the speech of each window as a number, (rows of the table,)."""
        rows = np.arange(len(self.data.table))
        if not self.options["exclude_same"]:
            return torch.from_numpy(rows)
        return torch.from_numpy(speech_of(self.data, rows)["segment_hash"].to_numpy(copy=True))

    def build_loaders(self) -> dict[str, Loader]:
        """Shuffle validation windows too: neighbours are no fair negatives for each other."""
        loaders = super().build_loaders()
        size = self.cfg["eval"]["batch_size"] or self.cfg["optim"]["batch_size"]
        if len(loaders["valid"]):
            loaders["valid"] = self.build_loader("valid", size, shuffle=True, seed=1)
        return loaders

    def begin_stage(self, stage: str) -> None:
        """Empty the pool before each validation, so that it does not depend on history."""
        if self.pools and stage != "train":
            options = self.options
            self.pools[stage] = NegativePool(options["negatives"], options["pool_size"])

    def networks(self) -> list[nn.Module]:
        """Return both encoders."""
        return [part for part in (self.model.brain, self.model.speech) if part is not None]

    # one batch ----------------------------------------------------------------------------

    def prepare(self, batch: Batch, stage: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return signal (B, C, T), scaled features (B, F, T), mask (B, T), aligned and filtered."""
        features = join_features(batch.features, batch.signal.shape[-1])
        mask = batch.feature_mask
        if mask is None or not self.options["mask_loss"]:
            mask = torch.ones_like(features[:, 0], dtype=torch.bool)
        features = self.model.scaling(features)
        signal, features, mask = align(batch.signal, features, mask, self.shift)
        if self.options["lowpass_hz"]:
            cutoff = self.options["lowpass_hz"] / self.rate_hz
            name = "lowpass_target" if stage == "train" else "lowpass_target_test"
            encode = self.options["task"] == "encode"
            if not encode or self.options[name]:
                signal = lowpass_sinc(signal, cutoff, LOWPASS_ZEROS)
            if encode or self.options[name]:
                features = lowpass_sinc(features, cutoff, LOWPASS_ZEROS)
        return signal, features, mask

    def estimate(self, batch: Batch, stage: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return estimates and targets (B, F', T) with their mask (B, 1, T)."""
        signal, features, mask = self.prepare(batch, stage)
        places = batch.positions[..., :2]
        if self.options["task"] == "encode":
            first = self.signal_samples
            output = self.model.brain(beginning(signal, first), batch.subject, places, features)
            return output[..., first:], signal[..., first:], mask[:, None, first:]
        output = self.model.brain(signal, batch.subject, places)
        return output, self.model.targets(features), mask[:, None]

    @property
    def rejects(self) -> bool:
        """Whether windows may be left out of a batch."""
        return self.options["reject_above"] is not None or bool(self.options["reject_empty"])

    def usable(self, batch: Batch) -> Batch:
        """Leave out windows beyond `solver.reject_above` and, with `reject_empty`, without a word.

        The last good batch is returned when none is left.
        """
        if not self.rejects:
            return batch
        limit, mask = self.options["reject_above"], batch.feature_mask
        words = mask[:, None] if self.options["reject_empty"] and mask is not None else None
        keep = accepted_windows(batch.signal, float("inf") if limit is None else limit, words)
        if bool(keep.any()):
            self.last_good = batch[keep]
        elif not hasattr(self, "last_good"):
            raise UserError(
                f"solver.reject_above={limit}, reject_empty={self.options['reject_empty']}: no "
                "window of the first batch is kept"
            )
        return self.last_good

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return `loss`, and of the contrastive one the share whose own speech came first."""
        size = len(batch)
        batch = self.usable(batch)
        estimate, target, mask = self.estimate(batch, stage)
        values: dict[str, Tensor] = {}
        if self.options["loss"] == "clip":
            loss = self.contrast(estimate, target, batch, stage)
            targets = torch.arange(len(estimate), device=estimate.device)
            scores = self.model.clip.scores(estimate.detach(), target.detach())
            values["batch_accuracy"] = (scores.argmax(1) == targets).float().mean()
        else:
            loss = self.regression(estimate, target, mask if self.options["mask_loss"] else None)
        if stage == "train":
            loss = self.penalised(loss)
        if self.rejects:
            values["kept"] = loss.new_tensor(len(batch) / size)
        return {"loss": loss, **values}

    def contrast(self, estimate: Tensor, target: Tensor, batch: Batch, stage: str) -> Tensor:
        """Return the contrastive loss; negatives: batch, pool, other processes."""
        segments = self.segments[batch.segment.cpu()].to(estimate.device)
        if self.options["gather_negatives"]:
            target, segments = gather_candidates(target, segments)
        if stage in self.pools and (stage == "train") == self.model.training:
            target, segments = self.pools[stage].extend(target, segments)
        # a sentence that two people of a batch heard would else be a false negative
        same = segments if self.options["exclude_same"] else None
        return self.model.clip(estimate, target, same)

    def regression(self, estimate: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """Return the loss of `solver.loss` other than the contrastive one."""
        if self.options["loss"] == "l1":
            return absolute_error(estimate, target, mask)
        if self.options["loss"] == "mse" or self.options["task"] == "encode":
            return squared_error(estimate, target, mask)
        weights = None
        if self.options["class_weights"]:
            names = [part.name for part in self.parts if part.categorical]
            weights = {name: self.model.scaling.class_weights(name) for name in names}
        return feature_loss(estimate, target, mask, self.parts, weights)

    def penalised(self, loss: Tensor) -> Tensor:
        """Add the penalties of weights and modules to the loss."""
        penalty = training_penalty(self.model)
        if penalty is not None:
            loss = loss + penalty
        if self.options["svd"]:
            loss = loss + self.options["svd"] * svd_penalty(self.model)
        return loss

    # evaluation ---------------------------------------------------------------------------

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate retrieval among the test segments; of other losses the metrics of features."""
        self.model.eval()
        options, classes = self.options, any(part.categorical for part in self.parts)
        with torch.no_grad():
            if options["task"] == "encode" or classes:
                return self.feature_evaluation(split)
            retrieval = RetrievalOptions(
                options["candidates"], options["probabilities"], options["word_windows"],
                options["word_top"], options["wer_random"], int(self.cfg.seed),
            )  # fmt: skip
            encoders = Encoders(self.encode_signals, self.encode_speech)
            evaluation = retrieval_evaluation(self.data, split, encoders, retrieval)
            if self.item_features is not None and evaluation.items is not None:
                rows = self.data.rows(split)
                columns = values_at_events(self.item_features, self.data, rows, self.offset_s)
                evaluation.items = evaluation.items.assign(**columns)
            if options["loss"] != "clip":
                evaluation.metrics.update(self.feature_evaluation(split).metrics)
        return evaluation

    def encode_signals(self, rows: np.ndarray) -> Tensor:
        """Encode the signals of windows, (n, D); they may be of several channel sets."""
        sets = self.data.layout[self.data.table["recording"].to_numpy()[rows]]
        parts: list[Tensor] = []
        # a batch holds one channel set: rows are encoded by set, then put back in order
        order = np.argsort(sets, kind="stable")
        for some in np.split(order, np.flatnonzero(np.diff(sets[order])) + 1):
            batch = self.data.gather(rows[some].tolist()).to(self.device)
            with self.precision.autocast():
                estimate = self.estimate(batch, "test")[0]
            parts.append(self.model.clip.estimates(estimate.float()))
        return torch.cat(parts)[torch.from_numpy(np.argsort(order)).to(self.device)]

    def encode_speech(self, rows: np.ndarray) -> Tensor:
        """Encode the speech of windows, (n, D) of norm 1; signals are not read."""
        features = self.model.scaling(gather_features(self.data, rows)[0].to(self.device))
        # the cut of `align`, so that candidates have the length that was trained on
        features = features[..., : features.shape[-1] - self.shift]
        if self.options["lowpass_hz"] and self.options["lowpass_target_test"]:
            features = lowpass_sinc(
                features, self.options["lowpass_hz"] / self.rate_hz, LOWPASS_ZEROS
            )
        with self.precision.autocast():
            target = self.model.targets(features)
        return self.model.clip.candidates(target.float())

    def feature_evaluation(self, split: str) -> Evaluation:
        """Evaluate correlation, distance and accuracy of features, or of the signal in encoding."""
        parts: tuple[FeaturePart, ...] = self.parts
        if self.options["task"] == "encode":
            every = slice(0, self.data.facts.n_channels)
            parts = (FeaturePart("signal", every, every),)
        metrics, n = FeatureMetrics(parts), 0
        size = self.cfg.eval.batch_size or self.cfg.optim.batch_size
        for batch in self.data.loader(split, size):
            estimate, target, mask = self.estimate(batch.to(self.device), "test")
            values = [value.float().cpu().numpy() for value in (estimate, target)]
            values.append(mask.cpu().numpy())
            owners = batch.recording.numpy()
            for recording in np.unique(owners):
                rows = owners == recording
                metrics.update(int(recording), *(value[rows] for value in values))
            n += len(batch)
        return Evaluation(split, metrics.results(), n_items=n, simulated=self.data.facts.simulated)

    # files --------------------------------------------------------------------------------

    def save_model(self, folder: Path) -> None:
        """Write the brain encoder in `save_pretrained` form, and beside it the rest of the pair."""
        kind = "speech" if self.options["task"] == "decode" else "encoding"
        outputs = {"kind": kind, "shift_samples": self.shift,
                   "lowpass_hz": self.options["lowpass_hz"],
                   "lowpass_zeros": LOWPASS_ZEROS}  # fmt: skip
        save(self.model.brain, folder, dataclasses.replace(self.data.facts, outputs=outputs))
        self.model.save_rest(folder)
        dset = to_plain(self.cfg.dset)
        kinds = [vars(kind) for kind in self.model.scaling.kinds]
        features, scale = list(dset["features"]), dict(dset["scale"])
        PairRecord(self.options, features, kinds, self.offset_s, scale).write(folder)

    def load_model(self, folder: Path) -> None:
        """Load what `save_model` wrote."""
        load_weights(self.model.brain, folder)
        self.model.load_rest(folder)

    def init_model(self, folder: Path) -> None:
        """Start the brain encoder from saved weights, and what else was trained if both have it.

        What was learned of a person goes to the same person; features are scaled anew.
        """
        people, partial = self.data.facts.subjects, self.cfg["init_partial"]
        self.log.line("%s", init_weights(self.model.brain, folder, partial, people))
        count = self.model.init_rest(folder)
        if count:
            self.log.line("%s: %d tensors of the speech loaded", folder, count)

    def describe(self) -> list[str]:
        """Return what goes wrong most often in speech decoding, to be read before a run."""
        rule = to_plain(self.cfg.dset.split)
        return preflight(self.data, self.options, self.model.scaling, rule)

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw the learning curves."""
        draw_history(self, folder)
