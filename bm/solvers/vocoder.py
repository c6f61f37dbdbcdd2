"""Vocoder solver: HiFi-GAN trained on pieces of the sounds of the windows (Kong et al. 2020)."""

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
from ..losses.vocoder import MEL_WEIGHT, VocoderDiscriminator
from ..metrics.evaluation import Evaluation
from ..metrics.speech import cepstral_distance, mel_correlation
from ..models.eeg2speech.audio import LogMel, griffin_lim, normalised, padded
from ..models.eeg2speech.autoencoder import audio_settings
from ..models.eeg2speech.vocoder import Vocoder
from ..xp.resolve import to_plain
from . import SOLVERS
from .build_data import evenly_spaced, windows_of
from .second_optimizer import SecondOptimizer
from .sound.clips import WAVE, check_clips, silent, waves_of


@SOLVERS.register("vocoder")
class VocoderSolver(Solver):
    """Trains `Vocoder` with discriminators of periods and scales, and the distance of mels."""

    main_metric = ("mel", "min")
    model: Any

    def build_data(self) -> Dataset:
        """Build windows with their sounds."""
        dataset = windows_of(self.cfg)
        if WAVE not in dataset.facts.features:
            raise UserError(f"dset.features: add {{name: {WAVE}}}, the sound that is made")
        return dataset

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build the vocoder, the front-end that it inverts, and the discriminators."""
        model: Any = super().build_model(facts)
        if not isinstance(model, Vocoder):
            raise UserError(f"solver vocoder: model {self.cfg.model.name} is none")
        self.audio = audio_settings(to_plain(self.cfg.solver.audio))
        check_clips(self.data, self.audio)
        sizes = model.sizes
        ours = (sizes.rate_hz, sizes.n_mels, sizes.hop)
        theirs = (self.audio.rate_hz, self.audio.bands, self.audio.hop)
        if ours != theirs:
            raise UserError(f"model: rate, bands, hop {ours}; solver.audio has {theirs}")
        self.mel = LogMel(self.audio).to(self.device)
        self.judges = VocoderDiscriminator(self.cfg.solver.discriminator_width).to(self.device)
        optim = self.cfg.optim
        self.second = SecondOptimizer(self.judges, optim.lr, optim.betas, self.state)
        return model

    def pieces(self, waves: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        """Return sounds (B, n) and their log-mel (B, frames, bands), pieces of them in training."""
        waves = padded(normalised(waves.float()), self.audio.samples)
        mel, hop = self.mel(waves), self.audio.hop
        if not training:
            return waves[:, : mel.shape[1] * hop], mel
        frames = min(mel.shape[1], self.cfg.solver.segment_samples // hop)
        starts = torch.randint(mel.shape[1] - frames + 1, (len(waves),)).tolist()
        sounds = [w[s * hop : (s + frames) * hop] for w, s in zip(waves, starts, strict=True)]
        spectra = [m[s : s + frames] for m, s in zip(mel, starts, strict=True)]
        return torch.stack(sounds), torch.stack(spectra)

    def distance(self, generated: Tensor, true: Tensor) -> Tensor:
        """Return the mean |difference| of the log-mel of sounds (B, n)."""
        spectra = [self.mel.compressed(self.mel.magnitude(w.float())) for w in (generated, true)]
        return (spectra[0] - spectra[1]).abs().mean()

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return the vocoder's `loss` and its parts."""
        true, mel = self.pieces(batch.features[WAVE][:, 0], stage == "train")
        generated = self.model.sound(mel).float()
        mel_distance = self.distance(generated, true)
        if stage != "train":
            return {"loss": MEL_WEIGHT * mel_distance, "mel": mel_distance}
        with torch.autocast(true.device.type, enabled=False):
            judged = self.judges.loss(true, generated)
            self.second.step(judged, len(batch))
            parts = self.judges.generator_loss(true, generated)
        loss = MEL_WEIGHT * mel_distance + parts["adversarial"] + parts["feature"]
        detached = {name: part.detach() for name, part in parts.items()}
        return {"loss": loss, "mel": mel_distance.detach(), "disc_loss": judged.detach(),
                **detached}  # fmt: skip

    @torch.no_grad()
    def evaluate(self, split: str) -> Evaluation:
        """Evaluate copies of true sounds beside those of Griffin-Lim."""
        metrics = self.run.stage_metrics(split)
        rows = evenly_spaced(self.data.rows(split), self.cfg.solver.n_evaluation)
        waves = waves_of(self.data, rows)
        true, mel = self.pieces(waves[~silent(waves)].to(self.device), training=False)
        self.model.eval()
        metrics |= self._agreement(self.model.sound(mel), true)
        reference = self._agreement(griffin_lim(self.mel, mel), true)
        return Evaluation(
            split, metrics, n_items=len(true), simulated=self.data.facts.simulated,
            extra={"table": ["mcd_db", "mel_correlation", "mel"],
                   "references": {"Griffin-Lim": reference}},
        )  # fmt: skip

    def _agreement(self, waves: Tensor, true: Tensor) -> dict[str, float]:
        spectra: list[np.ndarray] = [
            self.mel.compressed(self.mel.magnitude(w.float())).cpu().numpy() for w in (waves, true)
        ]
        return {
            "mcd_db": float(cepstral_distance(*spectra).mean()),
            "mel_correlation": float(mel_correlation(*spectra).mean()),
        }

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw the learning curves."""
        draw_history(self, folder)
