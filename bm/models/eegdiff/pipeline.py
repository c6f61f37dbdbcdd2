"""EEGDiffusionPipeline: a trained diffusion model as the diffusers library knows pipelines.

Sampling is that of `generation`; the scheduler beside the model says the same to other programs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.schedulers.scheduling_utils import SchedulerMixin

from ...errors import UserError
from ...nn.noise import NoiseSchedule, slerp
from ...nn.sampling import Noise
from ...registry import check_arguments, check_known
from ...writing import replacing_folder
from ..saved import FactsRecord, load, save
from .conditioning import UNKNOWN, Condition
from .epochs import Generated, epochs_of, labels_of, waves_of
from .facts import Choice, WaveFacts
from .generation import (
    Sampling,
    Start,
    Tick,
    generate_images,
    generate_waves,
    item_seeds,
)
from .model import EEGDiffusion

if TYPE_CHECKING:
    import mne

DIFFUSERS_PREDICTIONS = {"noise": "epsilon", "velocity": "v_prediction"}
#: States (N, L, D) and token masks (N, L) of sentences.
Text = tuple[torch.Tensor, torch.Tensor]
CONDITION_OF = {"classes": "class", "subjects": "subject"}


def scheduler_of(model: EEGDiffusion) -> SchedulerMixin:
    """Build the library's DDIM scheduler with the noise, steps and clipping of `model`.

    For straight paths it is that of flow matching.
    """
    noise = model.noise
    if not isinstance(noise, NoiseSchedule):
        return FlowMatchEulerDiscreteScheduler(num_train_timesteps=noise.steps)
    return DDIMScheduler(
        num_train_timesteps=noise.steps,
        beta_start=noise.start,
        beta_end=noise.end,
        beta_schedule=noise.shape,
        prediction_type=DIFFUSERS_PREDICTIONS[model.prediction],
        clip_sample=True,
        # samplers clip where training images ended; the library's 1 would cut z-scored waves
        clip_sample_range=float(model.representation.limit),
        timestep_spacing="leading",  # the only spacing that the published samplers know
    )


def sampling_of(settings: dict[str, Any]) -> Sampling:
    """Build `Sampling` from keyword arguments; raise `UserError` for an unknown one."""
    check_arguments("sampling", Sampling, settings)
    return Sampling(**settings)


class EEGDiffusionPipeline(DiffusionPipeline):
    """Generator of EEG that denoises and completes waves too, with a trained `EEGDiffusion`.

    Settings of the sampling (`sampler`, `steps`, `eta`, `guidance`, `clip`, `batch_size`) are the
    fields of `Sampling`. Item i of a seed is the same whatever n and batch size are.

    >>> pipeline = EEGDiffusionPipeline.from_pretrained("outputs/xps/ab12cd34/best")
    >>> epochs = pipeline(n=16, classes="left_hand", seed=1, steps=50)  # doctest: +SKIP

    Args:
        model: with the statistics of its representation.
        facts: of its training data: a record, or its entries.

    Raises:
        UserError: the statistics are missing.
    """

    model: EEGDiffusion

    def __init__(self, model: EEGDiffusion, facts: FactsRecord | Mapping[str, Any]) -> None:
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
        """Arguments of another pipeline with the same weights."""
        # the library lists registered modules alone, and calls the class without facts then
        return {"model": self.model, "facts": self.facts}

    def save_pretrained(self, folder: str | Path) -> None:  # type: ignore[override]
        """Write model, facts and scheduler; the folder is whole or absent.

        The model lies in the folder itself, as `bm.models.save` writes it: `bm.models.load` and
        addresses (`//file/...`) take the folder too.
        """
        folder = Path(folder)
        if "bm_arguments" not in vars(self.model):
            raise UserError(
                "a model is saved with its arguments: build it with bm.models.build_model"
            )
        # model and scheduler become visible together: a reader never meets one without the other
        with replacing_folder(folder) as whole:
            save(self.model, whole, self.facts)
            self.scheduler.save_pretrained(whole / "scheduler")
            self.save_config(whole)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        folder: str | Path,
        device: str | torch.device = "cpu",
        trust_target: bool = False,
    ) -> EEGDiffusionPipeline:
        """Read what `save_pretrained` wrote, or the folder of a saved model (`best`).

        `trust_target` as of `bm.models.load`.

        Raises:
            UserError: no saved model, or of another kind.
        """
        facts, model = WaveFacts.read(Path(folder)), load(Path(folder), trust_target)
        if not isinstance(model, EEGDiffusion):
            raise UserError(f"{folder} holds {type(model).__name__}: no diffusion model")
        return cls(model.to(device).eval(), facts)

    def __call__(
        self,
        n: int = 1,
        seed: int = 0,
        classes: Choice | None = None,
        subjects: Choice | None = None,
        **settings: Any,
    ) -> mne.EpochsArray:
        """Generate n waves as epochs; arguments as of `generate`."""
        return epochs_of(self.generate(n, seed, classes, subjects, **settings), self.facts)

    def generate(
        self,
        n: int = 1,
        seed: int = 0,
        classes: Choice | None = None,
        subjects: Choice | None = None,
        tick: Tick | None = None,
        text: Text | None = None,
        **settings: Any,
    ) -> Generated:
        """Generate n waves.

        Args:
            n: how many.
            seed: each seed gives other waves.
            classes: name or number, or several, taken in turn; None = all in turn where the model
                is conditioned on classes; -1 = unknown.
            subjects: likewise; another subject comes after each round of classes.
            tick: called with the progress, see `generate_waves`.
            text: states and token mask of sentences, taken in turn; None = unknown. See
                `bm.solvers.text_condition.encode_prompts`.
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
            self._text(text, n),
        )

    def between(
        self,
        seeds: tuple[int, int],
        n: int = 8,
        classes: Choice | None = None,
        subjects: Choice | None = None,
        **settings: Any,
    ) -> mne.EpochsArray:
        """Generate n waves on the way between those of two seeds, both included, as epochs.

        The start noises are interpolated on the sphere (Shoemake 1985), and no noise is added on
        the way.

        Args:
            seeds: of the first and the last wave.
            n: how many, at least 2.
            classes, subjects: one of each for all; None = unknown.
            settings: fields of `Sampling` without `eta`.

        Raises:
            UserError: fewer than 2 waves, several classes, or a sampler that draws noise.
        """
        sampling = sampling_of(settings)
        if n < 2:
            raise UserError(f"n={n}: between two waves there are at least these two")
        if sampling.sampler == "ddpm" or sampling.eta:
            raise UserError("between two noises the sampler may draw none: use ddim with eta=0")
        labels, people = (
            [UNKNOWN] if choice is None else self._numbers(kind, choice)
            for kind, choice in (("classes", classes), ("subjects", subjects))
        )
        if len(labels) > 1 or len(people) > 1:
            raise UserError("between two noises: give one class and one subject, or none")
        ends = [item_seeds(seed, 1)[0] for seed in seeds]
        shape = self.model.representation.shape
        first, last = Noise.seeded(ends).like(torch.empty(2, *shape))
        x = torch.stack([slerp(first, last, i / (n - 1)) for i in range(n)])
        condition = Condition(torch.tensor(labels * n), torch.tensor(people * n))
        images = generate_images(
            self.model, ends[:1] * n, sampling, condition.to(self.model.device), x=x
        )
        # one phase for all: else what is invented there would differ, not what is generated
        waves = self.model.waves(images, ends[:1] * n).float().cpu()
        signals = self.facts.unscaled(waves).numpy()
        described = {"seeds": list(seeds), **dataclasses.asdict(sampling)}
        values = (np.array(ends[:1] * n), np.array(labels * n), np.array(people * n))
        return epochs_of(Generated(signals, *values, described), self.facts)

    def _text(self, text: Text | None, n: int) -> Text | None:
        """Return states and masks of n waves, from those of some sentences in turn."""
        if text is None:
            return None
        if "text" not in self.model.conditions:
            names = ", ".join(self.model.conditions) or "nothing"
            raise UserError(f"text: the model is conditioned on {names}")
        shape = tuple(self.model.conditioning.null_text.shape)
        if tuple(text[0].shape[1:]) != shape:
            raise UserError(f"text: states of {tuple(text[0].shape[1:])}, the model reads {shape}")
        rows = torch.arange(n) % len(text[0])
        return text[0][rows], text[1][rows]

    def from_waves(
        self,
        waves: mne.BaseEpochs | np.ndarray,
        start_step: int = 0,
        keep_s: tuple[float, float] = (0.0, 0.0),
        keep_channels: Sequence[str] = (),
        seed: int = 0,
        **settings: Any,
    ) -> mne.EpochsArray:
        """Denoise waves, or complete them, as epochs.

        A map with an unknown phase (mel, STFT magnitude) keeps the spectrum of its fixed frames,
        not their waves; complex STFT keeps the waves but for one window beside the rest.

        Args:
            waves: epochs, or an array (N, C, T) in V (T for MEG).
            start_step: sampling steps left out: the waves with the noise of that level are where
                the sampler starts. 0 = from noise, later = nearer to the waves.
            keep_s: seconds at the beginning and at the end that stay as they are.
            keep_channels: names of channels that stay as they are: the others are filled in.
            seed: of the noise.
            settings: `classes` and `subjects` (one for all or one per wave; None = by event name,
                else unknown), and fields of `Sampling`.

        Raises:
            UserError: waves that do not fit the model, or nothing of them is used.
        """
        classes, subjects = settings.pop("classes", None), settings.pop("subjects", None)
        length = self.model.representation.n_times
        signals = waves_of(waves, self.facts, (self.facts.window_samples, length))
        mask = edge_mask(keep_s, length, self.facts.rate_hz)
        channels = self._channel_mask(keep_channels)
        if not start_step and not mask.any() and channels is None:
            raise UserError("start_step=0 with keep_s=(0, 0) uses nothing of the waves")
        has_classes = "class" in self.model.conditions
        labels = labels_of(waves, self.facts) if has_classes else [UNKNOWN]
        labels = labels if classes is None else self._numbers("classes", classes)
        people = [UNKNOWN] if subjects is None else self._numbers("subjects", subjects)
        fixed = mask if mask.any() else None
        start = Start(self.facts.scaled(signals), start_step, fixed, channels)
        sizes = {"classes": labels, "subjects": people}
        for name, numbers in sizes.items():
            if len(numbers) not in (1, len(signals)):
                raise UserError(
                    f"{len(numbers)} {name} for {len(signals)} waves: give 1 or as many"
                )
        # one for all becomes one per wave; lists that are long enough are taken once
        labels, people = (v * (len(signals) // len(v)) for v in (labels, people))
        generated = self._run(seed, labels, people, sampling_of(settings), start, None)
        return epochs_of(generated, self.facts)

    def _channel_mask(self, names: Sequence[str]) -> torch.Tensor | None:
        """Return (C,) bool of channels to keep, None without any.

        Raises:
            UserError: an unknown channel, or all of them.
        """
        for name in names:
            check_known("keep_channels", name, self.facts.channels)
        mask = torch.tensor([name in names for name in self.facts.channels])
        if mask.all():
            raise UserError("keep_channels: all channels are kept, nothing is left to fill in")
        return mask if len(names) else None

    def _numbers(self, kind: str, choice: Choice | None) -> list[int]:
        """Return class or subject numbers to take in turn; [UNKNOWN] for a model without."""
        conditions = self.model.conditions
        if CONDITION_OF[kind] in conditions:
            everything = range(len(getattr(self.facts, kind)))
            return self.facts.numbers(kind, everything if choice is None else choice)
        if choice is not None:
            names = ", ".join(conditions) or "nothing"
            raise UserError(f"{kind}={choice}: the model is conditioned on {names}")
        return [UNKNOWN]

    def _run(
        self,
        seed: int,
        labels: list[int],
        people: list[int],
        sampling: Sampling,
        start: Start | None,
        tick: Tick | None,
        text: Text | None = None,
    ) -> Generated:
        """Generate one wave for each label, in the units of the channels."""
        if seed < 0:
            raise UserError(f"seed={seed}: at least 0")
        if sampling.guidance != 1.0 and not self.model.conditions:
            raise UserError(f"guidance={sampling.guidance:g}: the model has no condition; use 1")
        if sampling.guidance != 1.0 and self.facts.others.get("drop_condition") == 0:
            raise UserError(
                f"guidance={sampling.guidance:g}: the model was trained with drop_condition=0 and "
                "knows no waves without condition; use 1"
            )
        # by item, not by batch: a wave is the same whatever n and the batch size are
        seeds = item_seeds(seed, len(labels))
        condition = Condition(torch.tensor(labels), torch.tensor(people), *(text or (None, None)))
        waves = generate_waves(self.model, seeds, sampling, condition, start, tick)
        settings: dict[str, Any] = {"seed": seed, **dataclasses.asdict(sampling)}
        # `kept_samples` is a name in written files
        if start is not None:
            settings |= {"start_step": start.skipped}
            settings |= {"kept_samples": 0 if start.mask is None else int(start.mask.sum())}
        signals = self.facts.unscaled(waves.float().cpu()).numpy()
        return Generated(signals, np.array(seeds), np.array(labels), np.array(people), settings)


def edge_mask(keep_s: tuple[float, float], samples: int, rate_hz: float) -> torch.Tensor:
    """Return (samples,) bool, true in the first and last seconds `keep_s`.

    Raises:
        UserError: negative, or nothing is left to generate.
    """
    first, last = (round(seconds * rate_hz) for seconds in keep_s)
    if min(first, last) < 0 or first + last >= samples:
        whole = samples / rate_hz
        raise UserError(f"keep_s={tuple(keep_s)}: 0 or more, together less than {whole:g} s")
    mask = torch.zeros(samples, dtype=torch.bool)
    mask[:first] = True
    mask[samples - last :] = True
    return mask
