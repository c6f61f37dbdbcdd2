"""Diffusion solver: denoises windows, generates waves, compares them with real ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..engine import processes
from ..engine.show import draw_history
from ..engine.solver import Solver
from ..errors import UserError
from ..facts import DataFacts
from ..metrics import generation
from ..metrics.evaluation import Evaluation
from ..metrics.units import units_of
from ..models.eegdiff.conditioning import Condition
from ..models.eegdiff.generation import Sampling, generate_waves
from ..models.eegdiff.model import EEGDiffusion
from ..models.saved import save
from ..nn.item_noise import item_generators
from ..xp.resolve import to_plain
from . import SOLVERS
from .build_data import evenly_spaced, windows_of
from .judgement import judge
from .text_condition import WindowTexts, check_guidance, trained_facts, window_texts
from .wave_files import Generated, draw_waves, write_waves

#: Columns of a table, the main one first.
TABLE = (
    "log_spectral_distance_db",
    "bandpower_wasserstein",
    "aperiodic_exponent_abs_diff",
    "riemann_distance_of_logeuclidean_means",
    "frechet_distance",
    "max_train_correlation_max",
)
SEED_STRIDE = 1_000_003  # between the seeds of experiments: items of two never share noise


@SOLVERS.register("diffusion")
class DiffusionSolver(Solver):
    """Denoising loss at random levels (Ho et al. 2020, equation 14), sampling, distances.

    Validation and test use noise and levels that depend on the item alone, so that losses of two
    epochs, and of two experiments on the same windows, can be compared.
    """

    main_metric = ("loss", "min")
    model: EEGDiffusion
    texts: WindowTexts | None = None
    makes_waves = True
    fewest = 6  # windows of an evaluation: each needs five neighbours

    def build_data(self) -> Dataset:
        """Build windows in the unit of the signal; the model scales them itself."""
        # before the data are read: it costs nothing
        check_guidance(self.cfg)
        if self.cfg.dset.scale.kind != "none":
            raise UserError(
                f"diffusion: dset.scale.kind={self.cfg.dset.scale.kind}; use none: the "
                "representation keeps its statistics with the model, so that waves come out in uV"
            )
        dataset = windows_of(self.cfg)
        if len(set(dataset.layout.tolist())) > 1:
            raise UserError("diffusion: set dset.channels=common and dset.rate_hz")
        self.texts = window_texts(self.cfg, dataset)
        return dataset

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build the configured model with the statistics of evenly spaced training windows."""
        model: Any = super().build_model(facts)
        rows = self.data.rows("train")
        sample = evenly_spaced(rows, self.cfg.solver.n_statistics)
        if model.representation.has_waves != self.makes_waves:
            name = "diffusion" if model.representation.has_waves else "diffusion_maps"
            raise UserError(
                f"model.representation.name={self.cfg.model.representation.name} needs "
                f"solver.name={name}: feature maps of words have no waves, other images have"
            )
        model.representation.fit(self.data.gather(sample.tolist()).signal.contiguous())
        if self.texts is not None:
            self.texts.begin(model)
        return model  # type: ignore[no-any-return]

    def save_model(self, folder: Path) -> None:
        """Write the present weights, with what sampling must know of the training."""
        save(self.model, folder, trained_facts(self.cfg, self.data.facts))

    def condition_of(self, batch: Batch) -> Condition:
        """Return the condition of some windows: labels, subjects, text, if the model takes them.

        Where training always withholds it, it is unknown everywhere: what the model makes of a
        condition that it was never shown is as random as its first weights.
        """
        conditions = self.model.conditions
        text, mask = (None, None) if self.texts is None else self.texts.of(batch.segment)
        condition = Condition(
            batch.label if "class" in conditions else None,
            batch.subject if "subject" in conditions else None,
            None if text is None else text.to(batch.signal.device),
            None if mask is None else mask.to(batch.signal.device),
        )
        if self.cfg.solver.drop_condition < 1:
            return condition
        every = torch.ones(len(batch.signal), dtype=torch.bool, device=batch.signal.device)
        return self.model.conditioning.dropped(condition, every)

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return the mean squared error of the predicted noise."""
        model = self.model
        x0 = model.images(batch.signal)
        condition, weights = self.condition_of(batch), model.representation.weights(batch.signal)
        if stage == "train":
            t = model.draw_levels(len(x0), device=x0.device)
            noise = torch.randn_like(x0)
            if self.cfg.solver.drop_condition > 0 and model.conditions:
                drop = torch.rand(len(x0), device=x0.device) < self.cfg.solver.drop_condition
                condition = model.conditioning.dropped(condition, drop)
        else:
            t, noise = self._fixed(batch.segment, x0)
        return {"loss": model.errors(x0, noise, t, condition, weights=weights).mean()}

    def _fixed(self, segments: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Draw level and noise of each item, from its row of the segment table alone."""
        steps, noises = [], []
        for generator in item_generators(segments.tolist()):
            steps.append(self.model.draw_levels(1, generator)[0])
            noises.append(torch.randn(like.shape[1:], generator=generator))
        return torch.stack(steps).to(like.device), torch.stack(noises).to(like)

    # generation -----------------------------------------------------------------------------

    def sample(self, rows: np.ndarray, alone: bool = False) -> Generated:
        """Generate one wave for each of some rows of the segment table, under their conditions.

        Args:
            rows: of the segment table.
            alone: this process does all; else all processes share the work, and each gets the
                whole result.
        """
        options = to_plain(self.cfg.generate)
        sampling = Sampling(**{k: v for k, v in options.items() if k not in ("every", "n")})
        columns = self.data.gather(rows.tolist())
        seeds = (self.cfg.seed * SEED_STRIDE + np.arange(len(rows))).tolist()
        world = 1 if alone else processes.world()
        share = slice(0 if alone else processes.rank(), None, world)
        condition = self.condition_of(columns)
        part = Condition(*(None if v is None else v[share] for v in vars(condition).values()))
        began = time.perf_counter()
        waves = self.sampled(seeds[share], sampling, part).float().cpu().numpy()
        seconds = time.perf_counter() - began
        whole = np.empty((len(rows), *waves.shape[1:]), np.float32)
        for rank, part_waves in enumerate([waves] if alone else processes.same_objects(waves)):
            whole[rank::world] = part_waves
        # all processes together: the wall time of the slowest is what a user waits for
        self.perf.more["samples_per_s"] = len(rows) / max(1e-9, seconds)
        self.log.line("generated %d waves at %.1f a second", len(rows), len(rows) / seconds)
        settings = {"signature": self.xp.sig, "epoch": self.progress.epoch, **options}
        labels = np.full(len(rows), -1) if columns.label is None else columns.label.numpy()
        return Generated(whole, np.array(seeds), labels, columns.subject.numpy(), settings)

    def sampled(self, seeds: list[int], sampling: Sampling, condition: Condition) -> Tensor:
        """Return what the model generates for some seeds: waves (N, C, T)."""
        return generate_waves(self.model, seeds, sampling, condition)

    def generate(self) -> None:
        """Write waves for evenly spaced windows of the valid split, as FIF, HDF5 and figures."""
        rows = self._some("valid", self.cfg.generate.n)
        generated = self.sample(rows, alone=True)
        write_waves(self.folder / "generated", generated, self.data.facts)
        if self.cfg.log.figures:
            draw_waves(self, self.real(rows), generated.waves)

    def _count(self, split: str) -> int:
        """Return how many windows of a split are measured."""
        return len(self._some(split, self.cfg.solver.n_evaluation))

    def _some(self, split: str, count: int) -> np.ndarray:
        """Return evenly spaced rows of a split, of the training split when it is empty."""
        rows = self.data.rows(split)
        return evenly_spaced(rows if len(rows) else self.data.rows("train"), count)

    def real(self, rows: np.ndarray) -> np.ndarray:
        """Return (N, C, T) windows, cut to the length that the model generates."""
        length = self.model.representation.n_times
        return self.data.gather(rows.tolist()).signal[..., :length].numpy().astype(float)

    # evaluation -----------------------------------------------------------------------------

    def evaluate(self, split: str) -> Evaluation:
        """Measure distances of as many generated as real windows, beside three references.

        A wave that is not finite is at no distance, and without it the others would look better
        than the model: then there is the loss alone.
        """
        loss = self.run.stage_metrics(split)
        rows = self._some(split, self.cfg.solver.n_evaluation)
        generated = self.sample(rows)
        evaluation = Evaluation(
            split=split,
            metrics=dict(loss),
            items=self._items(rows, generated),
            n_items=len(rows),
            simulated=self.data.facts.simulated,
            extra={"table": list(TABLE), "sampling": dict(generated.sampling)},
        )
        bad = int((~np.isfinite(generated.waves)).reshape(len(rows), -1).any(1).sum())
        if bad:
            text = "%d of %d generated waves are not finite: no distances are measured"
            self.log.line(text, bad, len(rows))
        elif scarce := [name for name in (split, "train") if self._count(name) < self.fewest]:
            text = "%d windows of split %s, of %d at least: no distances are measured"
            self.log.line(text, self._count(scarce[0]), scarce[0], self.fewest)
        else:
            self._measure(evaluation, rows, generated.waves)
        return evaluation

    def _measure(self, evaluation: Evaluation, rows: np.ndarray, waves: np.ndarray) -> None:
        """Add the distances of generated waves to the windows `rows`.

        References: training windows against these (floor), these with random phases (surrogate),
        white noise of the same variance (what knows nothing).
        """
        rate, seed = self.data.facts.rate_hz, self.cfg.seed
        windows = self.real(rows)
        real, fake = (generation.describe(x, rate) for x in (windows, waves))
        train = generation.describe(self.real(self._some("train", len(rows))), rate)
        surrogate = generation.describe(generation.phase_surrogate(windows, seed), rate)
        noise = generation.describe(generation.white_noise(windows, seed), rate)
        evaluation.metrics |= _distances(real, fake, train)
        evaluation.metrics |= generation.copy_metrics(train, real, fake)
        resamples, items = self.cfg.solver.n_resamples, evaluation.items
        assert items is not None
        units = units_of(items)
        ends = generation.unit_intervals((real, fake, train), resamples, seed, units)
        evaluation.extra |= {
            "references": {
                "training windows": _distances(real, train, train),
                "phase surrogate": _distances(real, surrogate, train),
                "white noise": _distances(real, noise, train),
            },
            "intervals": {name: list(pair) for name, pair in ends.items()},
            "unit": str(units),
        }
        judge(self, evaluation, rows, waves)
        features = generation.band_features(fake, train)
        items["distance"] = np.linalg.norm(features, axis=1)

    def _items(self, rows: np.ndarray, generated: Generated) -> pd.DataFrame:
        """Return one row per generated wave."""
        table = self.data.table.iloc[rows]
        columns = ["recording", "study", "subject", "session", "run", "start_s", "label"]
        items = table[columns].reset_index(drop=True)
        items.insert(0, "segment", rows)
        items["seed"] = generated.seeds
        with np.errstate(invalid="ignore"):  # of a wave that is not finite
            items["rms_uv"] = generated.waves.std(tuple(range(1, generated.waves.ndim)))
        return items

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw the learning curve."""
        draw_history(self, folder)


def _distances(
    real: generation.Described, other: generation.Described, train: generation.Described
) -> dict[str, float]:
    return {
        **generation.moment_metrics(real, other, train),
        **generation.point_metrics(real, other, train),
    }
