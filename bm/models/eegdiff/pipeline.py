"""EEGDiffusionPipeline: a trained diffusion model as the diffusers library knows pipelines.

Sampling is that of `generation`; the scheduler beside the model says the same to other programs.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from ...errors import UserError
from ...registry import check_known
from ..saved import load, replace_folder, save
from .conditioning import UNKNOWN, Condition
from .epochs import Generated, epochs_of, given_labels, given_waves
from .facts import WaveFacts
from .generation import Sampling, Start, Tick, generate_waves, item_seeds
from .model import EEGDiffusion

if TYPE_CHECKING:
    import mne

DIFFUSERS_PREDICTIONS = {"noise": "epsilon", "velocity": "v_prediction"}
CONDITION_OF = {"classes": "class", "subjects": "subject"}


def scheduler_of(model: EEGDiffusion) -> DDIMScheduler:
    """The library's DDIM scheduler with the noise, steps and clipping of `model`."""
    noise = model.noise
    return DDIMScheduler(
        num_train_timesteps=noise.steps,
        beta_start=noise.start,
        beta_end=noise.end,
        beta_schedule=noise.shape,
        prediction_type=DIFFUSERS_PREDICTIONS[model.prediction],
        clip_sample=True,
        clip_sample_range=float(model.representation.limit),
        timestep_spacing="leading",
    )


def sampling_of(settings: dict[str, Any]) -> Sampling:
    """`Sampling` from keyword arguments; `UserError` for an unknown one."""
    for name in settings:
        check_known("sampling setting", name, Sampling.__dataclass_fields__)
    return Sampling(**settings)


class EEGDiffusionPipeline(DiffusionPipeline):
    """Generates, denoises and completes EEG with a trained `EEGDiffusion`.

    Settings of the sampling (`sampler`, `steps`, `eta`, `guidance`, `clip`, `batch_size`) are the
    fields of `Sampling`. Item i of a seed is the same whatever n and batch size are.

    >>> pipeline = EEGDiffusionPipeline.from_pretrained("outputs/xps/ab12cd34/best")
    >>> epochs = pipeline(n=16, classes="left_hand", seed=1, steps=50)  # doctest: +SKIP

    Args:
        model: with the statistics of its representation.
        facts: of its training data: a record with `to_dict`, or its entries.

    Raises:
        UserError: the statistics are missing.
    """

    model: EEGDiffusion

    def __init__(self, model: EEGDiffusion, facts: Any) -> None:
        super().__init__()
        if not math.isfinite(float(model.representation.limit)):
            raise UserError(
                "the model has no statistics of its representation: train it, or call "
                "model.representation.fit(waves)"
            )
        self.facts = WaveFacts.of(facts)
        self.register_modules(model=model, scheduler=scheduler_of(model))

    @property
    def components(self) -> dict[str, Any]:
        """What another pipeline with the same weights is made from."""
        return {"model": self.model, "facts": self.facts}

    def save_pretrained(self, folder: str | Path) -> None:  # type: ignore[override]
        """Write model, facts and scheduler; the folder is whole or absent.

        The model lies in the folder itself, as `bm.models.save` writes it: `bm.models.load` and
        addresses (`//file/...`) take the folder too.
        """
        folder = Path(folder)
        if not hasattr(self.model, "bm_arguments"):
            raise UserError(
                "a model is saved with its arguments: build it with bm.models.build_model"
            )
        whole = folder.with_name(f".{folder.name}.whole")
        save(self.model, whole, self.facts)
        self.scheduler.save_pretrained(whole / "scheduler")
        self.save_config(whole)
        replace_folder(whole, folder)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, folder: str | Path, device: str | torch.device = "cpu"
    ) -> EEGDiffusionPipeline:
        """Read what `save_pretrained` wrote, or the folder of a saved model (`best`).

        Raises:
            UserError: no saved model, or of another kind.
        """
        facts, model = WaveFacts.read(Path(folder)), load(Path(folder))
        if not isinstance(model, EEGDiffusion):
            raise UserError(f"{folder} holds {type(model).__name__}: no diffusion model")
        return cls(model.to(device).eval(), facts)

    def __call__(
        self, n: int = 1, seed: int = 0, classes: Any = None, subjects: Any = None, **settings: Any
    ) -> mne.EpochsArray:
        """Generate n waves as epochs; arguments as of `generate`."""
        return epochs_of(self.generate(n, seed, classes, subjects, **settings), self.facts)

    def generate(
        self,
        n: int = 1,
        seed: int = 0,
        classes: Any = None,
        subjects: Any = None,
        tick: Tick | None = None,
        **settings: Any,
    ) -> Generated:
        """Generate n waves.

        Args:
            n: how many.
            seed: each seed gives other waves.
            classes: name or number, or several, taken in turn; None = all in turn where the model
                is conditioned on classes; -1 = unknown.
            subjects: likewise; another subject comes after each round of classes.
            tick: told of progress, see `generate_waves`.
            settings: fields of `Sampling`.

        Raises:
            UserError: n < 1, unknown class, subject or setting, or a condition that the model
                does not take.
        """
        if n < 1:
            raise UserError(f"n={n}: at least 1")
        labels, people = self._numbers("classes", classes), self._numbers("subjects", subjects)
        return self._run(
            seed,
            [labels[i % len(labels)] for i in range(n)],
            [people[i // len(labels) % len(people)] for i in range(n)],
            sampling_of(settings),
            None,
            tick,
        )

    def from_waves(
        self,
        waves: Any,
        start_step: int = 0,
        keep_s: tuple[float, float] = (0.0, 0.0),
        seed: int = 0,
        classes: Any = None,
        subjects: Any = None,
        **settings: Any,
    ) -> mne.EpochsArray:
        """Denoise given waves, or complete them, as epochs.

        A map with an unknown phase (mel, STFT magnitude) keeps the spectrum of its kept frames,
        not their waves; complex STFT keeps the waves but for one window beside the rest.

        Args:
            waves: epochs, or an array (N, C, T) in V (T for MEG).
            start_step: sampling steps left out: the waves with the noise of that level are where
                the sampler starts. 0 = from noise, later = nearer to the waves.
            keep_s: seconds at the beginning and at the end that stay as given.
            seed: of the noise.
            classes: one for all or one per wave; None = by event name, else unknown.
            subjects: likewise; None = unknown.
            settings: fields of `Sampling`.

        Raises:
            UserError: waves that do not fit the model, or nothing of them is used.
        """
        length = self.model.representation.n_times
        given = given_waves(waves, self.facts, (self.facts.window_samples, length))
        kept = kept_samples(keep_s, length, self.facts.rate_hz)
        if not start_step and not kept.any():
            raise UserError("start_step=0 with keep_s=(0, 0) uses nothing of the waves")
        known = "class" in self.model.conditions
        labels = given_labels(waves, self.facts) if known else [UNKNOWN]
        labels = labels if classes is None else self._numbers("classes", classes)
        people = [UNKNOWN] if subjects is None else self._numbers("subjects", subjects)
        start = Start(self.facts.scaled(given), start_step, kept if kept.any() else None)
        sizes = {"classes": labels, "subjects": people}
        for name, numbers in sizes.items():
            if len(numbers) not in (1, len(given)):
                raise UserError(f"{len(numbers)} {name} for {len(given)} waves: give 1 or as many")
        labels, people = (v * (len(given) // len(v)) for v in (labels, people))
        found = self._run(seed, labels, people, sampling_of(settings), start, None)
        return epochs_of(found, self.facts)

    def _numbers(self, kind: str, wanted: Any) -> list[int]:
        """Class or subject numbers to take in turn; [UNKNOWN] for a model without."""
        conditions = self.model.conditions
        if CONDITION_OF[kind] in conditions:
            everything = range(len(getattr(self.facts, kind)))
            return self.facts.numbers(kind, everything if wanted is None else wanted)
        if wanted is not None:
            known = ", ".join(conditions) or "nothing"
            raise UserError(f"{kind}={wanted}: the model is conditioned on {known}")
        return [UNKNOWN]

    def _run(
        self,
        seed: int,
        labels: list[int],
        people: list[int],
        sampling: Sampling,
        start: Start | None,
        tick: Tick | None,
    ) -> Generated:
        if seed < 0:
            raise UserError(f"seed={seed}: at least 0")
        if sampling.guidance != 1.0 and not self.model.conditions:
            raise UserError(f"guidance={sampling.guidance:g}: the model has no condition; use 1")
        seeds = item_seeds(seed, len(labels))
        condition = Condition(torch.tensor(labels), torch.tensor(people))
        waves = generate_waves(self.model, seeds, sampling, condition, start, tick)
        made: dict[str, Any] = {"seed": seed, **dataclasses.asdict(sampling)}
        if start is not None:
            made |= {"start_step": start.skipped}
            made |= {"kept_samples": 0 if start.kept is None else int(start.kept.sum())}
        found = self.facts.unscaled(waves.float().cpu()).numpy()
        return Generated(found, np.array(seeds), np.array(labels), np.array(people), made)


def kept_samples(keep_s: tuple[float, float], samples: int, rate_hz: float) -> torch.Tensor:
    """(samples,) true in the first and last seconds `keep_s`.

    Raises:
        UserError: negative, or nothing is left to generate.
    """
    first, last = (round(seconds * rate_hz) for seconds in keep_s)
    if min(first, last) < 0 or first + last >= samples:
        whole = samples / rate_hz
        raise UserError(f"keep_s={tuple(keep_s)}: 0 or more, together less than {whole:g} s")
    kept = torch.zeros(samples, dtype=torch.bool)
    kept[:first] = True
    kept[samples - last :] = True
    return kept
