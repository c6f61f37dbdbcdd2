"""Latent diffusion solver: sound from the embeddings of brain signals (eeg2speech)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dora import to_absolute_path
from torch import Tensor, nn

from ...data.batch import Batch
from ...data.dataset import Dataset
from ...errors import UserError
from ...facts import DataFacts
from ...metrics.evaluation import Evaluation
from ...models.eeg2speech.conditioning import dropped_items, mixed_source
from ...models.eeg2speech.generation import Sampling, audible, generate_latents
from ...models.eeg2speech.latent import LatentDiffusion
from ...models.saved import build
from ...nn.item_noise import item_generators
from ...registry import check_known
from ...xp.resolve import to_plain
from .. import SOLVERS
from ..build_data import absolute_paths, evenly_spaced, windows_of
from ..diffusion import SEED_STRIDE, DiffusionSolver
from .chain import Chain, check_stages
from .clips import silent, waves_of
from .evaluation import evaluation_of
from .extractor import PlatformExtractor, SoundEncoder
from .judgement import Judge, Units
from .page import write_page
from .sources import EEG, EXCHANGES, HALF, SHUFFLED, TRUE, ZERO, SourceConditions
from .stored import StoredEmbeddings, StoredLatents, Windows

N_SCALE = 512  # clips that the scale of the latents is measured on
N_STATISTICS = 2048  # clips whose steps embeddings are standardised by
N_CLASSES = 512  # training clips that the judging classifier is of
EVALUATION_SOURCES = ("eeg", "audio")


@SOLVERS.register("latent_diffusion")
class LatentDiffusionSolver(DiffusionSolver):
    """Denoises latents of sounds under embeddings; judges what it generates beside controls.

    Latents and embeddings of all windows are computed once: a step runs the denoiser alone.
    """

    model: Any

    def build_data(self) -> Dataset:
        """Build windows with their sounds, and with what the encoders read."""
        # before the data are read: it costs nothing
        check_stages(to_plain(self.cfg.solver))
        dataset = windows_of(self.cfg)
        if len(set(dataset.layout.tolist())) > 1:
            raise UserError("latent diffusion: set dset.channels=common and dset.rate_hz")
        check_known("solver.cond.eval_source", self.cfg.solver.cond.eval_source, EVALUATION_SOURCES)
        check_known("solver.exchange", self.cfg.solver.exchange, EXCHANGES)
        self.share = mixed_source(self.cfg.solver.cond.train_source)
        return dataset

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Load the stages before, encode all windows, build the denoiser for them."""
        options, model = to_plain(self.cfg.solver), to_plain(self.cfg.model)
        scale = to_plain(self.cfg.dset.scale)
        self.chain = Chain.load(options, self.folder_of, self.data, scale, self.device)
        self._store(options, model)
        section = {
            **model,
            "latent_shape": list(self.latents.shape),
            "width": self.embeddings.width,
            "audio": self.chain.autoencoder.audio.to_dict(),
        }
        built: Any = build(section, facts)
        if not isinstance(built, LatentDiffusion):
            raise UserError(f"solver latent_diffusion: model {model.get('name')} is none")
        train = torch.from_numpy(self.data.rows("train"))
        for source in ("audio", "eeg"):
            built.conditioner.fit(source, self._statistics_of(source, train))
        built.scale.copy_(self._scale(train))
        # from here on a batch holds no sounds: nothing of them is read in a step
        self.sounds, self.data.window_features = self.data.window_features, None
        return built

    def _statistics_of(self, source: str, train: Tensor) -> Tensor:
        """Return embeddings (N, D) to standardise a side by, as the denoiser sees them."""
        if self.windows.steps == 1:
            return self.embeddings.of_side(source, train).mean(-1)
        # of each step: an average over time varies far less, by another factor on either side
        some = torch.from_numpy(evenly_spaced(train.numpy(), N_STATISTICS))
        return self.embeddings.of_side(source, some).mT.flatten(0, 1)

    def _store(self, options: dict[str, Any], model: dict[str, Any]) -> None:
        """Compute latents and embeddings of all windows, or map them from the cache."""
        cache = absolute_paths(self.cfg.paths)["cache"]
        cond = model.get("cond", {})
        sequence = cond.get("mode", "film") != "film"
        size = self.cfg.eval.batch_size or self.cfg.optim.batch_size
        steps = int(cond.get("tokens", 32)) if sequence else 1
        windows = Windows(steps, bool(options["cond"]["window_pool"]), size)
        chain = self.chain
        self.latents = StoredLatents.of(
            chain.autoencoder, self.data, options["autoencoder"], cache, size
        )
        if options.get("embeddings"):
            path = Path(to_absolute_path(Path(options["embeddings"])))
            self.embeddings = StoredEmbeddings.of_file(
                path, chain.pair, self.data, options["encoder"], steps
            )
        else:
            self.embeddings = StoredEmbeddings.of(
                chain.pair, self.data, options["encoder"], cache, windows
            )
        self.windows = windows

    def _scale(self, train: Tensor) -> Tensor:
        """Return 1 / sd of latents sampled for at least 512 training clips, or for all."""
        rows = torch.from_numpy(evenly_spaced(train.numpy(), max(N_SCALE, 1)))
        posterior = self.latents.posterior(rows, torch.device("cpu"))
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(posterior.mean.shape, generator=generator)
        self.log.line("scale of the latents from %d clips", len(rows))
        return 1 / posterior.sample(noise).std()

    # one batch ----------------------------------------------------------------------------

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return the error of the prediction, of the latents alone."""
        model, rows = self.model, batch.segment.cpu()
        posterior = self.latents.posterior(rows, self.device)
        if stage == "train":
            latents = posterior.sample(torch.randn_like(posterior.mean))
            t = torch.randint(model.noise.steps, (len(rows),), device=self.device)
            noise = torch.randn_like(latents)
        else:
            latents, t, noise = self._fixed_latents(rows, posterior)
        condition = self._condition(rows, stage)
        return {"loss": model.errors(model.scale * latents, noise, t, condition).mean()}

    def _condition(self, rows: Tensor, stage: str) -> Tensor:
        """Return the conditions of a batch: of either side in training, some dropped."""
        cond = self.cfg.solver.cond
        if stage != "train":
            brain = torch.full((len(rows),), cond.eval_source == "eeg")
        else:
            # nothing is drawn where there is no choice
            brain = torch.full((len(rows),), self.share == 1)
            if 0 < self.share < 1:
                brain = torch.rand(len(rows)) < self.share
        embeddings = self._embeddings(rows, brain).to(self.device)
        condition: Tensor = self.model.conditioner(embeddings, brain.to(self.device))
        # as published never in the first call
        if stage != "train" or not cond.drop or self.progress.step == 0:
            return condition
        drop = dropped_items(len(rows), cond.drop, cond.drop_mode, self.device)
        return condition.masked_fill(drop.reshape(-1, *(1,) * (condition.ndim - 1)), 0.0)

    def _embeddings(self, rows: Tensor, brain: Tensor) -> Tensor:
        """Return embeddings (B, D, S) of the brain where `brain` (B,), else of the sound."""
        sides = [self.embeddings.of_side(source, rows) for source in ("audio", "eeg")]
        return torch.where(brain[:, None, None], sides[1], sides[0])

    def _fixed_latents(self, rows: Tensor, posterior: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Draw latent, level and noise of each item from its row of the segment table alone."""
        shape, levels, first, second = self.latents.shape, [], [], []
        for generator in item_generators(rows.tolist()):
            levels.append(torch.randint(self.model.noise.steps, (), generator=generator))
            first.append(torch.randn(shape, generator=generator))
            second.append(torch.randn(shape, generator=generator))
        noises = [torch.stack(parts).to(self.device) for parts in (first, second)]
        return posterior.sample(noises[0]), torch.stack(levels).to(self.device), noises[1]

    # generation ---------------------------------------------------------------------------

    @property
    def sampling(self) -> Sampling:
        """Settings of the `generate` section."""
        options = to_plain(self.cfg.generate)
        return Sampling(**{k: v for k, v in options.items() if k not in ("every", "n")})

    def speaking(self, split: str, count: int) -> np.ndarray:
        """Return evenly spaced rows of a split whose sound is not silent."""
        rows = self.data.rows(split)
        rows = rows if len(rows) else self.data.rows("train")
        # of twice as many: what is silent is left out
        some = evenly_spaced(rows, 2 * count)
        heard = some[~silent(waves_of(self.data, some, self.sounds))]
        return evenly_spaced(heard, count)

    def conditions(self, rows: np.ndarray) -> SourceConditions:
        """Return the conditions of windows, from the brain and from each control."""
        return SourceConditions(self, rows, self.units(rows))

    def units(self, rows: np.ndarray) -> Units:
        """Return which sound and which person each window is of."""
        people = self.data.table["study"] + "/" + self.data.table["subject"]
        return Units.of(waves_of(self.data, rows, self.sounds), people.to_numpy()[rows])

    @torch.no_grad()
    def sound(self, conditions: Tensor) -> Tensor:
        """Generate sounds (N, samples) for conditions; seeds are those of their place."""
        seeds = (self.cfg.seed * SEED_STRIDE + np.arange(len(conditions))).tolist()
        began = time.perf_counter()
        with self.precision.autocast():
            latents = generate_latents(self.model, conditions, seeds, self.sampling)
            maps = self.chain.autoencoder.decode(latents.float())
        sounds = audible(self.chain.autoencoder, self.chain.vocoder, maps)
        self.perf.more["samples_per_s"] = len(seeds) / max(1e-9, time.perf_counter() - began)
        return sounds.cpu()

    @torch.no_grad()
    def copies(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return sounds that lost what the stages after the denoiser lose: ceilings."""
        chain, wave = self.chain, waves_of(self.data, rows, self.sounds).to(self.device)
        maps = chain.autoencoder.maps(wave)
        decoded = chain.autoencoder.decode(chain.autoencoder.encode(maps).mean)
        voiced = "vocoder copy" if chain.vocoder else "Griffin-Lim copy"
        copies = {"autoencoder copy": decoded, voiced: maps}
        result = {n: audible(chain.autoencoder, chain.vocoder, m).cpu() for n, m in copies.items()}
        if chain.vocoder is not None:
            result["Griffin-Lim copy"] = audible(chain.autoencoder, None, maps).cpu()
        return result

    def judge(self, rows: np.ndarray) -> Judge:
        """Return the judge of sounds of windows."""
        true = waves_of(self.data, rows, self.sounds)
        mel = self.chain.autoencoder.mel
        encoder = SoundEncoder(self.chain.pair, mel.settings.rate_hz)
        train = self.speaking("train", N_CLASSES)
        extractor = PlatformExtractor(encoder, waves_of(self.data, train, self.sounds))
        return Judge(true, self.units(rows), mel, extractor)

    def evaluate(self, split: str) -> Evaluation:
        """Judge generated sounds beside ceilings and controls."""
        loss = self.run.stage_metrics(split)
        rows = self.speaking(split, self.cfg.solver.n_evaluation)
        return evaluation_of(self, split, rows, loss)

    def generate(self) -> None:
        """Write sounds of the valid split, and a page where they are heard beside controls."""
        rows = self.speaking("valid", self.cfg.generate.n)
        conditions = self.conditions(rows)
        samples = self.data.facts.window_samples / self.data.facts.rate_hz
        count = round(samples * self.chain.autoencoder.audio.rate_hz)
        ways = {"target": waves_of(self.data, rows, self.sounds)}
        ways["generated"] = self.sound(conditions.of(EEG))
        ways |= {name: self.sound(conditions.of(name)) for name in (TRUE, SHUFFLED, ZERO)}
        ways[HALF] = torch.roll(ways["generated"], count // 2, 1)
        ways |= self.copies(rows)
        self._write(rows, {name: waves[:, :count] for name, waves in ways.items()})

    def _write(self, rows: np.ndarray, ways: dict[str, Tensor]) -> None:
        audio, mel = self.chain.autoencoder.audio, self.chain.autoencoder.mel
        table = self.data.table.iloc[rows]
        names = [
            f"{subject} {run} {start:.2f} s"
            for subject, run, start in zip(
                table["subject"], table["run"], table["start_s"], strict=True
            )
        ]
        frames = min(audio.frames, next(iter(ways.values())).shape[1] // audio.hop)
        spectra = {
            name: mel.clip(waves.to(self.device))[:, :frames].cpu().numpy()
            for name, waves in ways.items()
        }
        peaks = {
            name: (waves / waves.abs().amax(1, keepdim=True).clamp_min(1e-8) * 0.8).numpy()
            for name, waves in ways.items()
        }
        notes = [f"experiment {self.xp.sig}, epoch {self.progress.epoch}"]
        notes += ["Simulated data."] if self.data.facts.simulated else []
        if self.chain.vocoder is None:
            notes.append("No vocoder is given: phases are guessed by Griffin-Lim.")
        page = write_page(self.folder / "generated", peaks, spectra, names, audio.rate_hz, notes)
        self.log.line("sounds to listen to: %s", page)

    def save_model(self, folder: Path) -> None:
        """Write the denoiser, and beside it the stages that make it audible."""
        super().save_model(folder)
        self.chain.keep_beside(folder)
