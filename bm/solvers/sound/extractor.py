"""What judges sets of sounds: embeddings and classes of clips, behind one interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...features import build_feature
from ...features.sound import SoundFeature
from ...models.eeg2speech.conditioning import pooled, resized
from ..speech.saved_pair import SavedPair

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

FRAME_S = 0.32  # of sound that one frame embedding stands for
CLASSES = 16
CHUNK = 64  # clips at a time


@dataclass(frozen=True)
class Heard:
    """What a network hears in N sounds.

    Attributes:
        clips: (N, D) embedding of each.
        ranked: (N, D') embedding by which they are told apart, in retrieval.
        frames: (M, D'') embeddings of the frames of all.
        logits: (N, K) of the classes of each.
    """

    clips: np.ndarray
    ranked: np.ndarray
    frames: np.ndarray
    logits: np.ndarray


class FeatureExtractor(Protocol):
    """A network that listens.

    Attributes:
        name: in tables, because values of two extractors cannot be compared.
    """

    name: str

    def heard(self, waves: Tensor) -> Heard:
        """Return what is heard in sounds (N, n); all of it from one pass."""


class SoundEncoder:
    """The encoder of sounds of a contrastive run, on waves instead of stored features.

    Args:
        pair: encoders.
        rate_hz: of the waves.
    """

    def __init__(self, pair: SavedPair, rate_hz: int) -> None:
        entries = {e["name"] if isinstance(e, dict) else e: e for e in pair.record.features}
        self.pair, self.rate_hz = pair, rate_hz
        self.pooled = bool(pair.record.solver["clip"].get("pool", False))
        self.features: dict[str, SoundFeature] = {}
        for name in pair.names:
            feature = build_feature(entries[name])
            if not isinstance(feature, SoundFeature):
                raise UserError(
                    f"solver.encoder: it reads feature {name}, which a generated sound does not "
                    "have; train encoders of features of sound, such as MelSpectrum"
                )
            self.features[name] = feature

    def embeddings(self, waves: Tensor) -> Tensor:
        """Return embeddings (N, D, T') of sounds (N, n), each a whole event of its own."""
        grid_hz = self.pair.facts.rate_hz
        length = round(waves.shape[1] / self.rate_hz * grid_hz)
        parts = []
        device = next(self.pair.buffers()).device
        for some in waves.cpu().split(CHUNK):
            features = {
                name: torch.stack([self._placed(f, wave, grid_hz, length) for wave in some])
                for name, f in self.features.items()
            }
            moved = {name: values.to(device) for name, values in features.items()}
            parts.append(self.pair.sound(moved, length).cpu())
        return torch.cat(parts)

    def _placed(self, feature: SoundFeature, wave: Tensor, grid_hz: float, length: int) -> Tensor:
        """Return a feature (F, length) of one wave (n,)."""
        values = feature.represent(wave[None], self.rate_hz)
        placed = feature.placed(values, len(wave) / self.rate_hz, grid_hz)
        short = max(0, length - placed.shape[1])
        return torch.nn.functional.pad(placed[:, :length], (0, short), value=feature.default)


class PlatformExtractor:
    """The audio encoder of the run, and a classifier on its embeddings; always there.

    Its classes are clusters of the training clips: what kinds of sound there are, and no names.
    Clips are ranked as the encoders were trained to tell them apart: by averages over time
    (`solver.clip.pool`), else by the whole sequence, in which the same sound at another time is
    another one.

    Args:
        encoder: of sounds.
        train: (N, n) sounds of training clips.
        seed: of the clusters.
    """

    def __init__(self, encoder: SoundEncoder, train: Tensor, seed: int = 0) -> None:
        from sklearn.cluster import KMeans
        from sklearn.linear_model import LogisticRegression

        self.encoder = encoder
        vectors = pooled(encoder.embeddings(train)).numpy()
        self.mean, self.sd = vectors.mean(0), vectors.std(0) + 1e-9
        count = max(2, min(CLASSES, len(vectors) // 8))
        classes = KMeans(count, n_init=4, random_state=seed).fit_predict(self._scaled(vectors))
        self.classifier: LogisticRegression = LogisticRegression(max_iter=300)
        self.classifier.fit(self._scaled(vectors), classes)
        self.name = f"platform: audio encoder, classifier of {count} clusters of training clips"

    def _scaled(self, vectors: np.ndarray) -> np.ndarray:
        return np.asarray((vectors - self.mean) / self.sd)

    def heard(self, waves: Tensor) -> Heard:
        """Return standardised embeddings of sounds (N, n) and the classifier's logits."""
        embeddings = self.encoder.embeddings(waves)
        clips = self._scaled(pooled(embeddings).numpy())
        count = max(1, round(waves.shape[1] / self.encoder.rate_hz / FRAME_S))
        frames = resized(embeddings, count).mT.flatten(0, 1)
        ranked = clips
        if not self.encoder.pooled:
            ranked = self._scaled(embeddings.mT.numpy()).reshape(len(clips), -1)
        return Heard(clips, ranked, self._scaled(frames.numpy()), self._logits(clips))

    def _logits(self, clips: np.ndarray) -> np.ndarray:
        """Return the classifier's logits; of two classes those of both."""
        values = self.classifier.decision_function(clips)
        return np.stack([-values, values], 1) if values.ndim == 1 else np.asarray(values)
