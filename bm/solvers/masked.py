"""Masked solver: predicts the codes that a frozen tokenizer gives to hidden patches."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..engine import processes
from ..engine.origin import check_origin
from ..engine.perf import forward_flops
from ..engine.show import draw_history
from ..engine.state import isolated
from ..errors import UserError
from ..facts import DataFacts
from ..losses.masked import masked_cross_entropy, masked_errors
from ..losses.spectrum import spectral_targets
from ..metrics.code_neighbours import CodeNeighbours
from ..metrics.codebook import code_guess, codebook_usage
from ..metrics.evaluation import Evaluation
from ..models import load
from ..models.contract import Codebook, PatchPredictor
from ..models.saved import load_for_subjects
from ..nn.item_noise import item_generators
from ..nn.masking import random_mask
from ..nn.roles import explicit_attention_in
from ..registry import check_known
from . import SOLVERS, neighbour_reference
from .model_inputs import inputs_of
from .probe import Probe, build_probe
from .window_solver import WindowSolver

#: What is predicted of a hidden patch -> whether a tokenizer makes it.
TARGETS = {"codes": True, "embeddings": True, "patches": False, "spectrum": False}
HALVES = ("sum", "mean")


@SOLVERS.register("masked")
class MaskedSolver(WindowSolver):
    """Hides each half of the patches in turn and predicts it from the other.

    Symmetric masking of Jiang et al. 2024 (LaBraM).

    The tokenizer is no part of the experiment's state: it is frozen, in evaluation mode, and named
    by `tokenizer=//sig/...`. Its codes are those of the whole window, nothing hidden. Masks of
    evaluation depend on the item alone, so that epochs can be compared.
    """

    main_metric = ("loss", "min")
    model: Any
    tokenizer: Any = None
    probe: Probe | None = None
    neighbours: CodeNeighbours | None = None

    def build_data(self) -> Dataset:
        """Build windows; labels are not looked at."""
        check_known("solver.target", self.cfg.solver.target, TARGETS)
        check_known("solver.halves", self.cfg.solver.halves, HALVES)
        dataset = super().build_data()
        self.probe = build_probe(self.cfg, dataset)
        if self.probe is not None:
            # what it measures may choose the weights, so that its windows are part of the data
            text = f"{dataset.hash}|{self.probe.data.hash}"
            dataset.hash = hashlib.sha256(text.encode()).hexdigest()
            if self.cfg.best.metric in self.probe.names:
                self.main_metric = (self.cfg.best.metric, "max")
        return dataset

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build the configured model, and load the tokenizer for the same channels."""
        model: Any = super().build_model(facts)
        if TARGETS[self.cfg.solver.target]:
            self.tokenizer = self._load_tokenizer(facts)
            self._check_width(model)
        n_codes = self.tokenizer.n_codes if self.tokenizer is not None else 1
        self.counts = torch.zeros(n_codes, dtype=torch.long)
        return model  # type: ignore[no-any-return]

    def _load_tokenizer(self, facts: DataFacts) -> nn.Module:
        if self.cfg.tokenizer is None:
            raise UserError("masked: no tokenizer; set tokenizer=//sig/... of a trained one")
        folder = self.folder_of(self.cfg.tokenizer)
        names = list(facts.vocabulary or facts.channels)
        trust = bool(self.cfg.trust_target)
        loaded = load(folder, trust)
        if "channel_names" in loaded.bm_arguments["arguments"]:  # ids are those of these data
            loaded = load(folder, trust, channel_names=names)
        elif "n_subjects" in loaded.bm_arguments["arguments"]:  # and so are the indices of people
            loaded = load_for_subjects(folder, facts.subjects, trust)
        if not isinstance(loaded, Codebook):
            raise UserError(
                f"tokenizer={self.cfg.tokenizer}: {type(loaded).__name__} makes no codes"
            )
        for line in check_origin("tokenizer", folder, facts, loaded):
            self.log.line("warning: %s", line)
        # in training mode the codebook would follow its moving averages, and the targets drift
        loaded.requires_grad_(False).eval()
        return loaded.to(self.device)

    def _check_width(self, model: Any) -> None:
        """Require one output per code, or per value of a code vector."""
        tokenizer, codes = self.tokenizer, self.cfg.solver.target == "codes"
        width = tokenizer.n_codes if codes else tokenizer.quantiser.codebook.shape[1]
        if model.n_codes != width:
            raise UserError(
                f"model.n_codes={model.n_codes}: the tokenizer {self.cfg.tokenizer} has "
                f"{width} {'codes' if codes else 'values per code'}; set model.n_codes={width}"
            )

    @torch.no_grad()
    def _targets(self, batch: Batch) -> Tensor:
        """Return what the masks hide: codes (B, L), or values (B, L, F)."""
        kind, signal = self.cfg.solver.target, batch.signal
        if self.tokenizer is not None:
            codes: Tensor = self.tokenizer.tokens(
                signal, **inputs_of(self.tokenizer, batch, "tokens")
            )
            return codes if kind == "codes" else self.tokenizer.quantiser.codebook[codes]
        if kind == "patches" and isinstance(self.model, PatchPredictor):
            return self.model.patch_targets(signal)
        patches = signal.reshape(len(signal), -1, self.model.n_codes) / self.model.amplitude_uv
        return patches if kind == "patches" else spectral_targets(patches)[0]

    def _mask(self, batch: Batch, length: int, stage: str) -> Tensor:
        """Draw masks (B, L): new in each training step, elsewhere always the same for an item."""
        if stage == "train":
            noise = torch.rand(len(batch), length, device=batch.signal.device)
        else:
            generators = item_generators(batch.segment.tolist())
            # drawn on the processor: devices draw other numbers from the same seed
            rows = [torch.rand(length, generator=generator) for generator in generators]
            noise = torch.stack(rows).to(batch.signal.device)
        return random_mask(noise, self.cfg.solver.mask_ratio)

    def begin_stage(self, stage: str) -> None:
        """Clear the count of codes."""
        self.counts = torch.zeros_like(self.counts, device=self.device)

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return loss and accuracy of each half."""
        targets = self._targets(batch)
        symmetric = self.cfg.solver.symmetric
        mask = self._mask(batch, targets.shape[1], stage)
        inputs = inputs_of(self.model, batch)
        outputs = self.model(batch.signal, mask, **inputs, symmetric=symmetric)
        kind = self.cfg.solver.target
        if kind == "codes":
            values = masked_cross_entropy(outputs, targets, mask, symmetric)
            if stage != "train":  # a count over one pass of a split, not over passes of training
                counts = self.counts.to(targets.device)
                used = torch.bincount(targets.flatten(), minlength=len(counts))
                self.counts = counts + used
        else:
            values = masked_errors(_errors(outputs.float(), targets, kind), mask, symmetric)
        if symmetric and self.cfg.solver.halves == "mean":
            # each patch is hidden in one half: weighted by size, this is the mean over all patches
            share = mask.float().mean()
            both = values["loss_masked"] * share + values["loss_complement"] * (1 - share)
            values["loss"] = both
        if symmetric and kind == "codes":
            values["accuracy"] = (values["accuracy_masked"] + values["accuracy_complement"]) / 2
        return values

    def epoch_metrics(self, stage: str) -> dict[str, float]:
        """Return how many codes the targets use, to read the accuracy against, and the probe."""
        values: dict[str, float] = {}
        if stage != "train" and self.cfg.solver.target == "codes":
            usage = codebook_usage(processes.total(self.counts.clone()).cpu())
            values = {f"target_{name}": value for name, value in usage.items()}
        epochs = self.epochs
        if stage == "valid" and self.probe and self.probe.due(self.progress.epoch, epochs):
            values |= self._probed(self.probe)
        return values

    def _probed(self, probe: Probe) -> dict[str, float]:
        """Return the metrics of the probe, and note its share of the epoch's time."""
        elapsed = time.perf_counter() - self.perf.begun
        values = probe.metrics(self.model, self.device)
        # it stands in `perf` of the epoch after: that of this one is written already
        self.perf.more["probe_share"] = probe.seconds / max(1e-9, elapsed + probe.seconds)
        return values

    def valid_metrics(self, batch: Batch) -> set[str]:
        """Return the names for the whole split, those of a probe that is not due included."""
        names = super().valid_metrics(batch)
        return names if self.probe is None else names | self.probe.names

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate loss and accuracy, beside two guesses without a network.

        Chance knows how frequent each code is; the reference knows also which codes are beside
        each other, and sees the visible ones.
        """
        metrics = self.run.stage_metrics(split)
        chance: dict[str, float] = {}
        extra: dict[str, Any] = {
            "table": [n for n in ("accuracy", "loss", "target_perplexity") if n in metrics]
        }
        if self.cfg.solver.target == "codes":
            guess = code_guess(processes.total(self.counts.clone()).cpu())
            chance = {name: guess[name.partition("_")[0]] for name in metrics
                      if name in ("accuracy", "accuracy_masked", "accuracy_complement",
                                  "loss_masked", "loss_complement")}  # fmt: skip
            extra["references"] = {neighbour_reference.NAME: self._neighbour_accuracy(split)}
        return Evaluation(
            split=split,
            metrics=metrics,
            chance=chance,
            n_items=self.count_items(split),
            simulated=self.data.facts.simulated,
            extra=extra,
        )

    @torch.no_grad()
    def _neighbour_accuracy(self, split: str) -> dict[str, float]:
        """Return the accuracy of naive Bayes on the codes and masks of a split."""
        if self.neighbours is None:  # the tokenizer is frozen: counted once
            size = self.cfg.eval.batch_size or self.cfg.optim.batch_size
            batches = neighbour_reference.training_batches(self.data, size)
            self.neighbours = neighbour_reference.counted(
                batches, self._codes_by_channel, self.tokenizer.n_codes
            )
        return neighbour_reference.neighbour_accuracy(
            self.neighbours, self._masked_codes(split), self.cfg.solver.symmetric, self.device
        )

    def _masked_codes(self, split: str) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Yield codes (B, C, A), their masks and the weight of the batches of a split."""
        loader = self.run.loaders[split]
        loader.set_epoch(0)
        loader.seek(0)
        for batch in loader:
            codes = self._codes_by_channel(batch)
            mask = self._mask(batch.to(self.device), codes[0].numel(), split)
            yield codes, mask.view_as(codes), batch.weight

    def _codes_by_channel(self, batch: Batch) -> Tensor:
        """Return codes (B, C, A); C is 1 where a code is of all channels."""
        batch = batch.to(self.device)
        with self.precision.autocast():
            codes = self._targets(batch)
        patches = batch.signal.shape[-1] // self.tokenizer.patch_samples
        return codes.view(len(codes), -1, patches)

    def count_flops(self, batch: Batch) -> float:
        """Return the FLOP per item; the tokenizer has no backward pass.

        A step counts three forward passes; of the frozen tokenizer there is one.
        """
        if self.tokenizer is None:
            return super().count_flops(batch)
        with explicit_attention_in(self.tokenizer):
            flops = super().count_flops(batch)
            with isolated(0), self.precision.autocast():
                frozen = forward_flops(lambda: self._targets(batch)) or 0.0
        return flops - 2 / 3 * frozen / len(batch)

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw the learning curves."""
        draw_history(self, folder)


def _errors(outputs: Tensor, targets: Tensor, kind: str) -> Tensor:
    """Return (B, L): one minus the cosine for embeddings, else the mean squared error."""
    if kind == "embeddings":
        # as in LaBraM's ablation: balanced accuracy on TUEV 0.616, with codes 0.641
        return 1 - nn.functional.cosine_similarity(outputs, targets, dim=-1)
    return (outputs - targets).square().mean(-1)
