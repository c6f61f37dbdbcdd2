"""Masked solver: predict the codes that a frozen tokenizer gives to hidden patches."""

from __future__ import annotations

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
from ..metrics.codebook import code_guess, codebook_usage
from ..metrics.evaluation import Evaluation
from ..models import load
from ..models.contract import Codebook
from ..nn.item_noise import item_generators
from ..nn.masking import random_mask
from ..nn.roles import explicit_attention_in
from ..registry import check_known
from . import SOLVERS
from .model_inputs import inputs_of
from .window_solver import WindowSolver

#: What is predicted of a hidden patch -> whether a tokenizer makes it.
TARGETS = {"codes": True, "embeddings": True, "patches": False, "spectrum": False}
HALVES = ("sum", "mean")


@SOLVERS.register("masked")
class MaskedSolver(WindowSolver):
    """Each half of the patches is hidden in turn and predicted from the other (spec labram 4.2).

    The tokenizer is no part of the experiment's state: it is frozen, in evaluation mode, and named
    by `tokenizer=//sig/...`. Its codes are those of the whole window, nothing hidden. Masks of
    evaluation depend on the item alone, so that epochs can be compared.
    """

    main_metric = ("loss", "min")
    model: Any
    tokenizer: Any = None

    def build_data(self) -> Dataset:
        """Windows; labels are not looked at."""
        check_known("solver.target", self.cfg.solver.target, TARGETS)
        check_known("solver.halves", self.cfg.solver.halves, HALVES)
        return super().build_data()

    def build_model(self, facts: DataFacts) -> nn.Module:
        """The configured model, and the tokenizer for the same channels."""
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
        loaded = load(folder)
        if "channel_names" in loaded.bm_arguments["arguments"]:  # ids are those of these data
            loaded = load(folder, channel_names=names)
        if not isinstance(loaded, Codebook):
            raise UserError(
                f"tokenizer={self.cfg.tokenizer}: {type(loaded).__name__} makes no codes"
            )
        for line in check_origin("tokenizer", folder, facts, loaded):
            self.log.line("warning: %s", line)
        loaded.requires_grad_(False).eval()
        return loaded.to(self.device)

    def _check_width(self, model: Any) -> None:
        """One output per code, or per value of a code vector."""
        tokenizer, codes = self.tokenizer, self.cfg.solver.target == "codes"
        wanted = tokenizer.n_codes if codes else tokenizer.quantiser.codebook.shape[1]
        if model.n_codes != wanted:
            raise UserError(
                f"model.n_codes={model.n_codes}: the tokenizer {self.cfg.tokenizer} has "
                f"{wanted} {'codes' if codes else 'values per code'}; set model.n_codes={wanted}"
            )

    @torch.no_grad()
    def _targets(self, batch: Batch) -> Tensor:
        """What hides behind the masks: codes (B, L), or values (B, L, F)."""
        kind, signal = self.cfg.solver.target, batch.signal
        if self.tokenizer is not None:
            codes: Tensor = self.tokenizer.tokens(
                signal, **inputs_of(self.tokenizer, batch, "tokens")
            )
            return codes if kind == "codes" else self.tokenizer.quantiser.codebook[codes]
        patches = signal.reshape(len(signal), -1, self.model.n_codes) / self.model.amplitude_uv
        return patches if kind == "patches" else spectral_targets(patches)[0]

    def _mask(self, batch: Batch, length: int, stage: str) -> Tensor:
        """(B, L) bool: new in every step of training, always the same for an item elsewhere."""
        if stage == "train":
            noise = torch.rand(len(batch), length, device=batch.signal.device)
        else:
            generators = item_generators(batch.segment.tolist())
            rows = [torch.rand(length, generator=generator) for generator in generators]
            noise = torch.stack(rows).to(batch.signal.device)
        return random_mask(noise, self.cfg.solver.mask_ratio)

    def begin_stage(self, stage: str) -> None:
        """Count the codes anew."""
        self.counts = torch.zeros_like(self.counts, device=self.device)

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Loss and accuracy of each half."""
        targets = self._targets(batch)
        symmetric = self.cfg.solver.symmetric
        mask = self._mask(batch, targets.shape[1], stage)
        given = inputs_of(self.model, batch)
        found = self.model(batch.signal, mask, **given, symmetric=symmetric)
        kind = self.cfg.solver.target
        if kind == "codes":
            values = masked_cross_entropy(found, targets, mask, symmetric)
            if stage != "train":
                counts = self.counts.to(targets.device)
                used = torch.bincount(targets.flatten(), minlength=len(counts))
                self.counts = counts + used
        else:
            values = masked_errors(_errors(found.float(), targets, kind), mask, symmetric)
        if symmetric and self.cfg.solver.halves == "mean":
            share = mask.float().mean()
            both = values["loss_masked"] * share + values["loss_complement"] * (1 - share)
            values["loss"] = both
        if symmetric and kind == "codes":
            values["accuracy"] = (values["accuracy_masked"] + values["accuracy_complement"]) / 2
        return values

    def epoch_metrics(self, stage: str) -> dict[str, float]:
        """How many codes the targets use, for an accuracy to be read against."""
        if stage == "train" or self.cfg.solver.target != "codes":
            return {}
        usage = codebook_usage(processes.total(self.counts.clone()).cpu())
        return {f"target_{name}": value for name, value in usage.items()}

    def evaluate(self, split: str) -> Evaluation:
        """Loss and accuracy, beside those of a guess that knows how frequent each code is."""
        metrics = self.run.stage_metrics(split)
        chance = {}
        if self.cfg.solver.target == "codes":
            guess = code_guess(processes.total(self.counts.clone()).cpu())
            chance = {name: guess[name.partition("_")[0]] for name in metrics
                      if name in ("accuracy", "accuracy_masked", "accuracy_complement",
                                  "loss_masked", "loss_complement")}  # fmt: skip
        return Evaluation(
            split=split,
            metrics=metrics,
            chance=chance,
            n_items=self.count_items(split),
            simulated=self.data.facts.simulated,
            extra={"table": [n for n in ("accuracy", "loss", "target_perplexity") if n in metrics]},
        )

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
        """Learning curves."""
        draw_history(self, folder)


def _errors(found: Tensor, targets: Tensor, kind: str) -> Tensor:
    """(B, L): one minus the cosine for embeddings, else the mean squared error."""
    if kind == "embeddings":
        return 1 - nn.functional.cosine_similarity(found, targets, dim=-1)
    return (found - targets).square().mean(-1)
