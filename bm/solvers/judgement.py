"""What a diffusion model is judged by beside distances: obedience, and features of an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.signal import resample_poly

from ..data.dataset import Dataset
from ..errors import UserError
from ..metrics.distribution import frechet_distance
from ..metrics.generation import phase_surrogate, white_noise
from ..metrics.trial_classifier import ShrunkLDA, adherence, by_class, trial_features
from ..metrics.utility import utility
from ..models import load
from ..models.contract import Microvolts, TokenEncoder
from ..models.eegdiff.facts import WaveFacts
from .build_data import evenly_spaced

if TYPE_CHECKING:
    from ..metrics.evaluation import Evaluation
    from .diffusion import DiffusionSolver

ENCODED = 64  # windows at a time
MOST_TRAINING = 2000  # trials of the classifier


@dataclass(frozen=True)
class Trials:
    """Waves with what they are of.

    Attributes:
        waves: (N, C, T).
        labels: (N,) class numbers.
    """

    waves: np.ndarray
    labels: np.ndarray


def obedience(
    train: Trials, real: Trials, generated: Trials, data: Dataset, seed: int
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return metrics and details of a classifier of real trials applied to generated ones.

    Args:
        train, real: real trials of the training split and of the evaluated one.
        generated: trials with the classes that they were asked for.
        data: names the classes.
        seed: of the control.
    """
    rate = data.facts.rate_hz
    sets = [(trial_features(one.waves, rate), one.labels) for one in (train, real, generated)]
    classifier = ShrunkLDA(*sets[0])
    predicted = [classifier.predict(features) for features, _ in sets[1:]]
    metrics = adherence((real.labels, predicted[0]), (generated.labels, predicted[1]), seed)
    names = data.facts.classes
    details = {
        "classifier": "LDA in the tangent space of mu and beta covariances, trained on real trials",
        "n_training_trials": len(train.labels),
        "by_class_real": by_class(real.labels, predicted[0], names),
        "by_class_generated": by_class(generated.labels, predicted[1], names),
        "utility": utility(sets[0], sets[1], sets[2], seed),
    }
    return metrics, details


class WaveEncoder:
    """Pooled tokens of a saved foundation model, as features of waves.

    Args:
        folder: of the model, a `TokenEncoder` of microvolts.
        data: channels and rate of the waves.

    Raises:
        UserError: another kind of model, or no electrode that it knows.
    """

    def __init__(self, folder: Path, data: Dataset) -> None:
        model = load(folder)
        if not isinstance(model, TokenEncoder) or not isinstance(model, Microvolts):
            raise UserError(
                f"solver.encoder: {folder} holds {type(model).__name__}; use a model of "
                "LaBraM, whose pooled tokens are features of waves"
            )
        unknown = model.strange_channels(data.facts.channels)
        usable = [i for i, name in enumerate(data.facts.channels) if name not in unknown]
        if not usable:
            names = ", ".join(data.facts.channels[:4])
            raise UserError(f"solver.encoder: LaBraM knows none of the electrodes {names}, ...")
        self.rows, self.rate_hz = usable, data.facts.rate_hz
        # the rows of its electrodes are part of the network
        self.model: Any = load(folder, channel_names=[data.facts.channels[i] for i in usable])
        self.model.eval()
        self.trained_hz = WaveFacts.read(folder).rate_hz

    @torch.no_grad()
    def features(self, waves: np.ndarray) -> np.ndarray:
        """Return (N, D) of waves (N, C, T) in uV."""
        waves = np.asarray(waves, float)[:, self.rows]
        if self.trained_hz != self.rate_hz:
            waves = resample_poly(waves, round(self.trained_hz), round(self.rate_hz), axis=-1)
        patch = self.model.patch_samples
        length = min(waves.shape[-1] // patch, self.model.max_patches) * patch
        if not length:
            seconds = patch / self.trained_hz
            raise UserError(
                f"solver.encoder: windows are shorter than its patches of {seconds:g} s"
            )
        x = torch.from_numpy(waves[..., :length].astype(np.float32))
        parts = [self.model.tokens(part, pool="mean") for part in x.split(ENCODED)]
        return np.asarray(torch.cat(parts).double())


def judge(
    solver: DiffusionSolver, evaluation: Evaluation, rows: np.ndarray, waves: np.ndarray
) -> None:
    """Add obedience to the classes, and the Frechet distance on an encoder, to an evaluation.

    Args:
        solver: whose model generated.
        evaluation: gets metrics and details.
        rows: of the segment table, whose conditions were asked for.
        waves: (N, C, T) generated.
    """
    cfg, data = solver.cfg, solver.data
    real = solver.real(rows)
    if "class" in solver.model.conditions:
        train_rows = evenly_spaced(data.rows("train"), MOST_TRAINING)
        labels = data.table["label"].to_numpy(int)
        sets = (Trials(solver.real(train_rows), labels[train_rows]), Trials(real, labels[rows]))
        metrics, details = obedience(*sets, Trials(waves, labels[rows]), data, cfg.seed)
        evaluation.metrics |= metrics
        evaluation.extra["obedience"] = details
        evaluation.extra["table"] += ["class_adherence", "class_accuracy_shuffled"]
    address = cfg.solver.get("encoder")
    if address:
        encoder = WaveEncoder(solver.folder_of(address), data)
        train = solver.real(evenly_spaced(data.rows("train"), len(rows)))
        features = encoder.features(real)
        others = {
            "training windows": train,
            "phase surrogate": phase_surrogate(real, cfg.seed),
            "white noise": white_noise(real, cfg.seed),
        }
        evaluation.metrics["encoder_frechet_distance"] = frechet_distance(
            features, encoder.features(waves)
        )
        # no number of another encoder can be compared with this one
        evaluation.extra["encoder"] = address
        evaluation.extra["table"].append("encoder_frechet_distance")
        for name, other in others.items():
            value = frechet_distance(features, encoder.features(other))
            evaluation.extra["references"][name]["encoder_frechet_distance"] = value
