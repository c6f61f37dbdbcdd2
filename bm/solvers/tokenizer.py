"""Tokenizer solver: signals to codes of a learned codebook, judged by their reconstruction."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..engine import processes
from ..engine.show import draw_history
from ..engine.state import UnsavedBuffers, isolated
from ..facts import DataFacts
from ..figures.codebook import draw_code_use
from ..figures.reconstruction import draw_reconstructions
from ..metrics.codebook import codebook_usage
from ..metrics.evaluation import Evaluation
from ..metrics.reconstruction import correlation
from ..models.reconstruction import Reconstruction
from . import SOLVERS
from .build_data import batches_of, batches_of_commonest, evenly_spaced
from .electrode_maps import draw_electrode_maps
from .model_inputs import inputs_of
from .window_solver import WindowSolver

N_MEAN = 256  # training windows that the mean reconstruction is taken from


@SOLVERS.register("tokenizer")
class TokenizerSolver(WindowSolver):
    """Trains any `Tokenizer` of `bm.models.contract`.

    What is reconstructed and how it is judged is the model's: Fourier amplitude and phase for
    LaBraM (Jiang et al. 2024, equations 6 to 8), the signal for others. Histories hold the use of
    the codebook: over an epoch of training and over the whole valid split.
    """

    main_metric = ("loss", "min")
    model: Any

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build the configured tokenizer for these channels."""
        model: Any = super().build_model(facts)
        self.counts = torch.zeros(model.n_codes, dtype=torch.long)
        self.state.register("codebook_use", UnsavedBuffers(model.quantiser))
        return model  # type: ignore[no-any-return]

    def begin_stage(self, stage: str) -> None:
        """Clear the count of codes; before the first step start the codebook from training data."""
        quantiser = self.model.quantiser
        if stage == "train":
            if not bool(quantiser.started):
                self._start_codebook()
            quantiser.reset_counts()
        else:
            self.counts = torch.zeros(quantiser.n_codes, dtype=torch.long, device=self.device)

    def _start_codebook(self) -> None:
        """Start the codebook by k-means on as many batches as hold K vectors, or on all.

        One batch, as published, leaves codes equal when it has fewer vectors than there are codes.
        Every process reads the same batches, so that their number changes nothing.
        """
        n_codes = self.model.quantiser.n_codes
        loader = self.data.loader("train", self.cfg.optim.batch_size, True, self.cfg.seed)
        vectors: list[Tensor] = []
        self.model.eval()
        # the generators go on as if the codebook had started from nothing
        with isolated(self.cfg.seed), torch.no_grad():
            for batch in loader:
                moved = batch.to(self.device)
                with self.precision.autocast():
                    outputs, _ = self.model.code_vectors(
                        moved.signal, **inputs_of(self.model, moved, "code_vectors")
                    )
                vectors.append(outputs.flatten(0, -2).float())
                if sum(map(len, vectors)) >= n_codes:
                    break
        self.model.train()
        # Codes lie on the unit sphere, where the nearest is the one of the largest cosine.
        all_vectors = torch.nn.functional.normalize(torch.cat(vectors), dim=-1, eps=1e-12)
        self.model.quantiser.start(all_vectors, everywhere=True)
        self.log.line("codebook of %d codes started from %d vectors", n_codes, len(all_vectors))

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return the losses of the model; in evaluation also correlations of reconstructions."""
        outputs = self.model(batch.signal, **inputs_of(self.model, batch))
        values: dict[str, Tensor] = self.model.losses(outputs, batch.signal)
        if stage != "train":
            self._count(outputs.indices)
            for one in self.model.reconstructions(outputs, batch.signal):
                values[f"{one.name}_correlation"] = correlation(one.target, one.predicted).mean()
        return values

    def _count(self, indices: Tensor) -> None:
        counts = self.counts.to(indices.device)
        self.counts = counts + torch.bincount(indices.flatten(), minlength=len(counts))

    def epoch_metrics(self, stage: str) -> dict[str, float]:
        """Return `unused_codes`, `usage` and `perplexity` of the codebook."""
        if stage == "train":
            # Counted by the quantiser itself while the codebook moved.
            return codebook_usage(self.model.quantiser.counts.cpu())
        return codebook_usage(processes.total(self.counts.clone()).cpu())

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate losses and correlations, beside those of the mean training window."""
        metrics = self.run.stage_metrics(split)
        counts = processes.total(self.counts.clone()).cpu()
        return Evaluation(
            split=split,
            metrics=metrics,
            chance=self._chance(split),
            n_items=self.count_items(split),
            simulated=self.data.facts.simulated,
            extra={
                "table": [name for name in metrics if name.endswith("_correlation")]
                + ["loss", "usage", "perplexity"],
                "codes": counts.tolist(),
            },
        )

    def _chance(self, split: str) -> dict[str, float]:
        """Return the correlation with the mean of the training windows, which needs no code."""
        means: dict[str, Tensor] = {}
        count = 0
        for batch in self._some("train", N_MEAN):
            for one in self._reconstruct(batch):
                # Sums in float64: hundreds of windows of unlike size are added.
                means[one.name] = means.get(one.name, 0.0) + one.target.double().mean(1).sum(0)
            count += len(batch)
        sums: dict[str, float] = {}
        count_split = 0
        for batch in self._some(split, N_MEAN):
            for one in self._reconstruct(batch):
                mean = (means[one.name] / count).to(one.target).expand_as(one.target)
                name = f"{one.name}_correlation"
                total = correlation(one.target, mean).double().sum()
                sums[name] = sums.get(name, 0.0) + float(total)
            count_split += len(batch)
        return {name: value / count_split for name, value in sums.items()}

    def _some(self, split: str, count: int) -> list[Batch]:
        """Gather about `count` windows evenly spaced over a split, in batches by channel set."""
        rows = evenly_spaced(self.data.rows(split), count)
        size = self.cfg.eval.batch_size or self.cfg.optim.batch_size
        return [batch.to(self.device) for batch in batches_of(self.data, rows, size)]

    @torch.no_grad()
    def _reconstruct(self, batch: Batch) -> list[Reconstruction]:
        self.model.eval()
        with self.precision.autocast():
            outputs = self.model(batch.signal, **inputs_of(self.model, batch))
            reconstructions: list[Reconstruction] = self.model.reconstructions(
                outputs, batch.signal
            )
        return reconstructions

    def generate(self) -> None:
        """Draw reconstructions of evenly spaced windows of the valid split."""
        if not self.cfg.log.figures:
            return
        split = "valid" if len(self.data.rows("valid")) else "train"
        batch = self._some(split, max(1, self.cfg.generate.n))[0]
        name = f"reconstruction_{self.progress.epoch:04d}.svg"
        draw_reconstructions(
            [
                (one.name, one.axis, *_shown(one.target, one), *_shown(one.predicted, one))
                for one in self._reconstruct(batch)
            ],
            self.folder / "figures" / name,
            self.data.facts.simulated,
        )

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw learning curves, the use of each code, and maps of the correlation by electrode."""
        draw_history(self, folder)
        self._draw_electrodes(folder / "electrodes.svg")
        if evaluation is not None and math.fsum(evaluation.extra["codes"]) > 0:
            counts = np.array(evaluation.extra["codes"])
            draw_code_use(counts, folder / "codes.svg", self.data.facts.simulated)

    def _draw_electrodes(self, path: Path) -> None:
        """Draw the correlation of the reconstruction by electrode, over the test split."""
        size = self.cfg.eval.batch_size or self.cfg.optim.batch_size
        batches = batches_of_commonest(self.data, "test", N_MEAN, size)
        correlations: dict[str, list[Tensor]] = {}
        for batch in (batch.to(self.device) for batch in batches):
            for one in self._reconstruct(batch):
                if one.by_channel:
                    by_channel = by_electrode(one, batch.signal.shape[1])
                    correlations.setdefault(f"{one.name}: correlation", []).append(by_channel.cpu())
        if correlations:
            values = {
                title: torch.cat(parts).mean(0).numpy() for title, parts in correlations.items()
            }
            draw_electrode_maps(self, values, batches[0], path)


def by_electrode(one: Reconstruction, channels: int) -> Tensor:
    """Return the correlation of predicted with true values of each channel: (B, C)."""
    parts = [v.unflatten(1, (channels, -1)).flatten(0, 1) for v in (one.target, one.predicted)]
    return correlation(*parts).unflatten(0, (-1, channels))


def _shown(values: Tensor, one: Reconstruction) -> tuple[np.ndarray]:
    """Return (N, shown) curves of all windows and patches."""
    flat = values[..., : one.shown].flatten(0, 1)
    return (flat.float().cpu().numpy(),)
