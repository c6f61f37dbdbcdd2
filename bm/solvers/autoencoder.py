"""Autoencoder solver: log-mel spectra of the sounds to latents and back (first stage)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..engine.show import draw_history
from ..engine.solver import Solver
from ..errors import UserError
from ..facts import DataFacts
from ..figures.speech import draw_mels
from ..losses.adversarial import AutoencoderLoss
from ..metrics.evaluation import Evaluation
from ..metrics.speech import mel_correlation
from ..models.eeg2speech.autoencoder import MelAutoencoder
from ..nn.item_noise import item_generators
from ..registry import check_arguments
from ..xp.resolve import to_plain
from . import SOLVERS
from .build_data import evenly_spaced, windows_of
from .second_optimizer import SecondOptimizer
from .sound.baselines import clip_components, mel_components
from .sound.clips import WAVE, check_clips, waves_of

N_BASELINE = 512  # training clips that the principal components are of
CLIP_COMPONENTS = 64


@SOLVERS.register("autoencoder")
class AutoencoderSolver(Solver):
    """Trains `MelAutoencoder` with reconstruction, KL and a patch discriminator.

    Each step follows the discriminator first, then the autoencoder through the changed one, as
    published. Steps are counted as there: both optimisers' together.
    """

    main_metric = ("rec", "min")
    model: Any

    def build_data(self) -> Dataset:
        """Build windows with their sounds."""
        dataset = windows_of(self.cfg)
        if WAVE not in dataset.facts.features:
            raise UserError(f"dset.features: add {{name: {WAVE}}}, the sound that is compressed")
        return dataset

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build the autoencoder, and the discriminator beside it."""
        model: Any = super().build_model(facts)
        if not isinstance(model, MelAutoencoder):
            raise UserError(f"solver autoencoder: model {self.cfg.model.name} is none")
        check_clips(self.data, model.audio)
        options = to_plain(self.cfg.solver.loss)
        check_arguments("solver.loss", AutoencoderLoss, options)
        self.loss = AutoencoderLoss(**options).to(self.device)
        optim = self.cfg.optim
        self.second = SecondOptimizer(self.loss, optim.lr, optim.betas, self.state)
        return model

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return the autoencoder's `loss` and its parts."""
        maps = self.model.maps(batch.features[WAVE][:, 0])
        noise = None if stage == "train" else self._fixed(batch.segment)
        rebuilt, posterior = self.model(maps, noise)
        rebuilt = rebuilt.float()
        self.loss.train(stage == "train")
        # each step of the run is one of both optimisers
        before = 2 * self.progress.step
        if stage != "train":
            terms = self.loss(maps, rebuilt, posterior.kl(), before, None)
            return {"loss": terms.loss, **terms.means()}
        with torch.autocast(maps.device.type, enabled=False):
            judged = self.loss.discriminator_loss(maps, rebuilt, before)
            self.second.step(judged["loss"], len(batch))
            terms = self.loss(maps, rebuilt, posterior.kl(), before + 1, self.model.last_weight)
        logits = {"logits_real": judged["real"], "logits_fake": judged["generated"]}
        return {
            "loss": terms.loss,
            **terms.means(),
            "disc_loss": judged["loss"].detach(),
            "posterior_std": posterior.sd.mean().detach(),
            **logits,
        }

    def _fixed(self, segments: Tensor) -> Tensor:
        """Draw the posterior's noise of each item from its row of the segment table alone."""
        shape = self.model.latent_shape
        noises = [torch.randn(shape, generator=g) for g in item_generators(segments.tolist())]
        return torch.stack(noises).to(self.device)

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate losses and correlation, beside principal components of as many numbers."""
        metrics = self.run.stage_metrics(split)
        rows = evenly_spaced(self.data.rows(split), self.cfg.solver.n_evaluation)
        true = self._maps(rows)
        rebuilt = self._rebuilt(true)
        metrics |= self._agreement(rebuilt, true)
        train = self._maps(evenly_spaced(self.data.rows("train"), N_BASELINE))
        size = int(np.prod(self.model.latent_shape))
        # per clip as many numbers as a latent has: frames x components
        count = min(train.shape[-1], max(1, size // true.shape[1]))
        components = mel_components(train, true, count)
        references = {
            f"{count} principal components of the mel, {size} numbers a clip": components,
            f"{CLIP_COMPONENTS} principal components of clips": clip_components(
                train, true, CLIP_COMPONENTS
            ),
        }
        return Evaluation(
            split,
            metrics,
            n_items=self.count_items(split),
            simulated=self.data.facts.simulated,
            extra={
                "table": ["rec", "mel_correlation", "kl", "loss"],
                "references": {k: self._agreement(v, true) for k, v in references.items()},
            },
        )

    def _agreement(self, rebuilt: np.ndarray, true: np.ndarray) -> dict[str, float]:
        correlation = float(mel_correlation(rebuilt, true).mean())
        return {"mel_correlation": correlation, "rec": float(np.abs(rebuilt - true).mean())}

    def _maps(self, rows: np.ndarray) -> np.ndarray:
        """Return log-mel (N, frames, bands) of the sounds of windows."""
        size = self.cfg.eval.batch_size or self.cfg.optim.batch_size
        parts = [
            self.model.maps(waves_of(self.data, rows[i : i + size]).to(self.device))[:, 0].cpu()
            for i in range(0, len(rows), size)
        ]
        return torch.cat(parts).numpy()

    @torch.no_grad()
    def _rebuilt(self, maps: np.ndarray) -> np.ndarray:
        """Return log-mel decoded from the means of the posteriors of log-mel (N, frames, bands)."""
        self.model.eval()
        size = self.cfg.eval.batch_size or self.cfg.optim.batch_size
        parts = []
        for first in range(0, len(maps), size):
            some = torch.from_numpy(maps[first : first + size])[:, None].to(self.device)
            parts.append(self.model.decode(self.model.encode(some).mean)[:, 0].float().cpu())
        return torch.cat(parts).numpy()

    def generate(self) -> None:
        """Draw spectra and their reconstructions for evenly spaced windows of the valid split."""
        rows = self.data.rows("valid")
        rows = evenly_spaced(rows if len(rows) else self.data.rows("train"), self.cfg.generate.n)
        if not self.cfg.log.figures:
            return
        true = self._maps(rows[:4])
        path = self.folder / "figures" / f"reconstruction_{self.progress.epoch:04d}.svg"
        audio, rebuilt = self.model.audio, self._rebuilt(true)
        rows_of_maps = {"true": true, "rebuilt": rebuilt}
        draw_mels(rows_of_maps, audio.hop / audio.rate_hz, path, self.data.facts.simulated)

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw the learning curves."""
        draw_history(self, folder)
