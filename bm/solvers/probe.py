"""Probe of a pre-training: how well a ridge readout of the present network tells labelled windows.

Downstream quality can fall while the loss of pre-training still falls; the probe sees it, and
`best.metric=probe` keeps the weights that are best for others.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.audit import audit_seen, stimuli_of
from ..data.batch import Batch
from ..data.dataset import Dataset, build_dataset
from ..data.preprocess import standard_name
from ..data.seen import seen_by
from ..data.store import Store
from ..errors import UserError
from ..metrics.classification import classification_metrics, probabilities
from ..metrics.ridge import class_targets, fit_ridge, logit_scale
from ..models.contract import TokenEncoder
from ..studies import recordings_of
from ..xp.resolve import to_plain
from .build_data import absolute_paths, batches_of, evenly_spaced
from .model_inputs import input_names

if TYPE_CHECKING:
    from omegaconf import DictConfig

METRIC = "probe"  # balanced accuracy; what `best.metric` names
SHARE = 0.05  # of an epoch's cost, which the probe may take
#: Forward passes that a training window costs: two halves of the patches, each with its backward
#: pass, are six; less is counted, as windows of the probe are read and fitted as well.
PASSES = 4
LEAST = 32  # windows, however small the corpus is: fewer tell nothing
BATCH = 64


class Probe:
    """Labelled windows of people whom the corpus does not have, and a readout of their tokens.

    Half of the people, else of the sessions or recordings, fit the readout; the others test it.

    Args:
        corpus: data set of the pre-training; preprocessing and channels are its own.
        dset: plain section of its configuration.
        options: plain section `probe`: `studies`, `segment` (changes of `dset.segment`), `every`
            (epochs), `windows` (None = as many as 5 % of an epoch allow).
        paths: absolute `paths`.
        n_train: windows of a training epoch.

    Attributes:
        every: epochs between two probes.
        seconds: of the last one.

    Raises:
        UserError: no classes, recordings that the corpus has, no electrode in common.
    """

    def __init__(
        self,
        corpus: Dataset,
        dset: Mapping[str, Any],
        options: Mapping[str, Any],
        paths: Mapping[str, Any],
        n_train: int,
    ) -> None:
        self.every, self.seconds = int(options["every"]), 0.0
        if self.every < 1:
            raise UserError(f"probe.every={self.every}: use 1 epoch or more")
        self.data = _labelled(dset, options, paths)
        self.classes = self.data.facts.classes
        if len(self.classes) < 2:
            raise UserError(
                f"probe.studies: the windows have fewer than two classes "
                f"({', '.join(self.classes) or 'none'}); set probe.segment.label"
            )
        self._check_apart(corpus)
        names = corpus.facts.vocabulary or corpus.facts.channels
        self.places = {standard_name(name): place for place, name in enumerate(names)}
        for signal in self.data.signals:
            if not any(standard_name(name) in self.places for name in signal.channels):
                raise UserError(
                    f"probe.studies: the corpus has none of the electrodes "
                    f"{', '.join(signal.channels[:4])}, ..."
                )
        self.rows = self._rows(corpus, options.get("windows"), n_train)

    @property
    def names(self) -> set[str]:
        """Return the names of the metrics."""
        return {METRIC, *({f"{METRIC}_auroc"} if len(self.classes) == 2 else ())}

    def due(self, epoch: int, epochs: int) -> bool:
        """Return whether the network is probed after an epoch, counted from 0, of so many."""
        return (epoch + 1) % self.every == 0 or epoch + 1 == epochs

    def _check_apart(self, corpus: Dataset) -> None:
        """Raise unless all windows are held out of what the corpus trains and validates on."""
        everything = copy.copy(self.data)
        everything.table = self.data.table.assign(split="test")
        events = [signal.events for signal in corpus.signals]
        recordings = seen_by(corpus, stimuli_of(corpus.windows(), events))
        findings = audit_seen(everything, recordings, "the corpus")
        trained = [one for one in findings if not one.splits[0].startswith("test ")]
        if trained:
            raise UserError(
                f"probe.studies: {trained[0].where} is in the corpus too ({trained[0].count} "
                "windows); leave its person out of dset.studies or of probe.studies"
            )

    def _rows(
        self, corpus: Dataset, windows: int | None, n_train: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that fit and those that test, as many as the budget allows."""
        cost = _cost(corpus, corpus.rows("train")) * n_train
        here = _cost(self.data, np.arange(len(self.data.table)))
        budget = int(SHARE * PASSES * self.every * cost / here)
        count = max(LEAST, budget) if windows is None else int(windows)
        parts = [self.data.rows(split) for split in ("train", "test")]
        for split, part in zip(("to fit", "to test"), parts, strict=True):
            if len(set(self.data.table["label"].to_numpy()[part])) < 2:
                raise UserError(
                    f"probe.studies: the windows {split} have one class; take more people"
                )
        return evenly_spaced(parts[0], count // 2), evenly_spaced(parts[1], count // 2)

    @torch.no_grad()
    def metrics(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        """Return `probe`, the balanced accuracy, and of two classes `probe_auroc`.

        Args:
            model: a `TokenEncoder` that is given electrodes by `channel_ids`.
            device: of the model.

        Raises:
            UserError: another model.
        """
        if not isinstance(model, TokenEncoder) or "channel_ids" not in input_names(model, "tokens"):
            raise UserError(
                f"probe.studies: {type(model).__name__} gives no tokens of named electrodes; leave "
                "it out"
            )
        begun, training = time.perf_counter(), model.training
        model.eval()
        fitted, tested = (self._features(model, rows, device) for rows in self.rows)
        model.train(training)
        count = len(self.classes)
        ridge = fit_ridge(fitted[0], class_targets(fitted[1], count))
        scale = logit_scale(ridge.left_out, fitted[1])
        probs = probabilities(scale * ridge.outputs(tested[0]))
        values = classification_metrics(probs, tested[1])
        self.seconds = time.perf_counter() - begun
        result = {METRIC: values["balanced_accuracy"]}
        if f"{METRIC}_auroc" in self.names:
            result[f"{METRIC}_auroc"] = values.get("auroc", float("nan"))
        return result

    def _features(
        self, model: TokenEncoder, rows: np.ndarray, device: torch.device
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return pooled tokens (N, D) and labels (N,) of some windows."""
        features, labels = [], []
        for batch in batches_of(self.data, rows, BATCH):
            signal, ids = self._known(batch)
            tokens = model.tokens(signal.to(device), channel_ids=ids.to(device), pool="mean")
            features.append(tokens.double().cpu().numpy())
            assert batch.label is not None
            labels.append(batch.label.numpy())
        return np.concatenate(features), np.concatenate(labels)

    def _known(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the channels (B, C', T) that the corpus has, and their ids (C',) there."""
        vocabulary = self.data.facts.vocabulary or self.data.facts.channels
        names = [standard_name(vocabulary[place]) for place in batch.channel_ids[0].tolist()]
        keep = [place for place, name in enumerate(names) if name in self.places]
        return batch.signal[:, keep], torch.tensor([self.places[names[place]] for place in keep])


def _labelled(
    dset: Mapping[str, Any], options: Mapping[str, Any], paths: Mapping[str, Any]
) -> Dataset:
    """Build the labelled windows, preprocessed as the corpus."""
    segment = {**dset["segment"], "max_tokens": None, **(options.get("segment") or {})}
    split = {"key": "auto", "seed": 0, "ratios": {"train": 0.5, "valid": 0.0, "test": 0.5}}
    section = {**dset, "studies": options["studies"], "segment": segment, "split": split}
    section |= {"features": None, "segment_test": None, "augment": [], "remove_ratio": 0}
    section |= {"n_subjects": None, "n_subjects_test": None}
    recordings, simulated = recordings_of(section["studies"], paths)
    return build_dataset(recordings, section, simulated, Store(paths["cache"]))


def _cost(data: Dataset, rows: np.ndarray) -> float:
    """Return the mean channels times samples of some windows."""
    channels = np.array([len(signal.channels) for signal in data.signals])
    table = data.table.iloc[rows]
    return float((channels[table["recording"]] * table["length"]).mean())


def build_probe(cfg: DictConfig, corpus: Dataset) -> Probe | None:
    """Build the probe that `probe` describes; None without studies.

    Raises:
        UserError: a best epoch by a probe that not every validation has.
    """
    options = to_plain(cfg["probe"]) if "probe" in cfg else {}
    by_probe = str(cfg["best"]["metric"] or "").startswith(METRIC)
    if not options.get("studies"):
        if by_probe:
            raise UserError(f"best.metric={cfg['best']['metric']} is of probe.studies: set them")
        return None
    every, valid_every = int(options["every"]), int(cfg["valid_every"])
    if by_probe and valid_every % max(1, every):
        raise UserError(
            f"best.metric={cfg['best']['metric']}: probe.every={every} leaves out validations; set "
            f"valid_every={every}"
        )
    optim, n_train = cfg["optim"], len(corpus.rows("train"))
    if optim["max_batches"] is not None:
        n_train = min(n_train, optim["max_batches"] * optim["batch_size"])
    return Probe(corpus, to_plain(cfg["dset"]), options, absolute_paths(cfg["paths"]), n_train)
