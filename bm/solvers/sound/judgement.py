"""Judgement of generated sounds against the true ones: clip by clip, and as sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...metrics import distribution
from ...metrics.intelligibility import intelligibility
from ...metrics.paired import LEAST, Comparison, compare, interval
from ...metrics.speech import band_correlations, cepstral_distance, mel_correlation
from ...models.eeg2speech.audio import LogMel
from .extractor import FeatureExtractor, Heard

#: Columns of a table, the main one first.
TABLE = (
    *("retrieval_percentile", "retrieval_top1", "retrieval_top5", "mel_correlation"),
    *("band_correlation", "mcd_db", "stoi", "estoi", "fad", "fd", "kl_softmax", "is_mean"),
)
#: Values of a clip that are averaged.
SCORES = (
    *("retrieval_percentile", "retrieval_top1", "retrieval_top5", "mel_correlation"),
    *("band_correlation", "mcd_db", "stoi", "estoi", "embedding_cosine"),
)
#: Scores by which a result is compared with controls.
TESTED = ("retrieval_percentile", "mel_correlation", "band_correlation")
SPLITS, SHUFFLE = 10, 2020  # of the inception score, as published
BANDS = 8  # groups of neighbouring bands whose correlations are listed


@dataclass(frozen=True)
class Units:
    """Where clips come from: what is resampled and paired.

    Attributes:
        speech: (N,) number of each clip's sound; equal sounds have one.
        people: (N,) names.
    """

    speech: np.ndarray
    people: np.ndarray

    @classmethod
    def of(cls, waves: Tensor, people: np.ndarray) -> Units:
        """Tell equal sounds (N, n) apart by their samples."""
        texts = [wave.numpy().tobytes() for wave in waves.cpu()]
        numbers = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        return cls(np.array([numbers[text] for text in texts]), people)

    @property
    def best(self) -> tuple[str, np.ndarray]:
        """The unit of evidence: person where there are enough, else the clip."""
        people = len(np.unique(self.people)) >= LEAST
        return ("person", self.people) if people else ("clip", self.speech)


def ranks(queries: np.ndarray, candidates: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return how many candidates are closer (cosine) to a query than its own; a tie counts half.

    Args:
        queries: (N, D).
        candidates: (V, D).
        places: (N,) of each query's own candidate.
    """
    unit = [x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-12) for x in (queries, candidates)]
    scores = unit[0] @ unit[1].T
    mine = scores[np.arange(len(places)), places][:, None]
    ties = (scores == mine).sum(1) - 1
    return np.asarray((scores > mine).sum(1) + 0.5 * ties)


@dataclass(frozen=True)
class Judged:
    """What is measured of some sounds.

    Attributes:
        clips: scores of each, a row a sound.
        sets: distances of all of them from the true ones.
    """

    clips: pd.DataFrame
    sets: dict[str, float]


class Judge:
    """Compares sounds with the true ones of the same windows.

    Args:
        true: (N, n) true sounds.
        units: where they come from.
        mel: front-end, through which every sound is compared.
        extractor: listens.
    """

    def __init__(
        self, true: Tensor, units: Units, mel: LogMel, extractor: FeatureExtractor
    ) -> None:
        self.true, self.units, self.mel, self.extractor = true, units, mel, extractor
        self.true_mel, self.length = self.log_mel(true), true.shape[1]
        self.heard = extractor.heard(true)
        first = np.unique(units.speech, return_index=True)[1]
        self.candidates = self.heard.ranked[first]

    @property
    def chance(self) -> dict[str, float]:
        """Scores that a random order of the candidates gives."""
        count = len(self.candidates)
        tops = {f"retrieval_top{k}": min(1.0, k / count) for k in (1, 5)}
        return {"retrieval_percentile": 0.5, **tops}

    def log_mel(self, waves: Tensor) -> np.ndarray:
        """Return log-mel (N, frames, bands) of sounds, normalised; padding is left out."""
        settings = self.mel.settings
        frames = min(settings.frames, waves.shape[1] // settings.hop)
        device = self.mel.basis.device
        parts = [self.mel.clip(some.to(device))[:, :frames].cpu() for some in waves.split(64)]
        return torch.cat(parts).numpy()

    def judged(self, waves: Tensor) -> Judged:
        """Return what is measured of sounds (N, n)."""
        waves = waves[:, : self.length].cpu()
        heard = self.extractor.heard(waves)
        return Judged(self._clips(waves, heard), self._sets(heard))

    def _clips(self, waves: Tensor, heard: Heard) -> pd.DataFrame:
        """Return the scores of each sound (N, n), and `band_<k>` correlations."""
        mel = self.log_mel(waves)
        rank = ranks(heard.ranked, self.candidates, self.units.speech)
        bands = band_correlations(mel, self.true_mel)
        both = heard.clips, self.heard.clips
        norms = [np.linalg.norm(x, axis=1) + 1e-12 for x in both]
        pairs = list(zip(self.true.cpu().numpy(), waves.numpy(), strict=True))
        rate = self.mel.settings.rate_hz
        scores = {
            "rank": rank,
            "retrieval_percentile": 1 - rank / max(1, len(self.candidates) - 1),
            "retrieval_top1": (rank < 1).astype(float),
            "retrieval_top5": (rank < 5).astype(float),
            "embedding_cosine": (both[0] * both[1]).sum(1) / (norms[0] * norms[1]),
            "mel_correlation": mel_correlation(mel, self.true_mel),
            "band_correlation": bands.mean(1),
            "mcd_db": cepstral_distance(mel, self.true_mel),
            "stoi": [intelligibility(a, b, rate) for a, b in pairs],
            "estoi": [intelligibility(a, b, rate, extended=True) for a, b in pairs],
        }
        groups = np.array_split(np.arange(bands.shape[1]), min(BANDS, bands.shape[1]))
        scores |= {f"band_{k}": bands[:, g].mean(1) for k, g in enumerate(groups)}
        return pd.DataFrame(scores)

    def _sets(self, heard: Heard) -> dict[str, float]:
        """Return distances between sounds as a set and the true ones."""
        logits, splits = heard.logits, min(SPLITS, max(1, len(heard.logits) // 2))
        mean, sd = distribution.inception_score(logits, splits, SHUFFLE)
        return {
            "fad": distribution.frechet_distance(heard.frames, self.heard.frames),
            "fd": distribution.frechet_distance(heard.clips, self.heard.clips),
            "kl_softmax": distribution.paired_kl(logits, self.heard.logits, "softmax"),
            "kl_sigmoid": distribution.paired_kl(logits, self.heard.logits, "sigmoid"),
            "is_mean": mean,
            "is_std": sd,
        }


def means(clips: pd.DataFrame) -> dict[str, float]:
    """Return the mean of each score over clips; nan where none is finite."""
    names = [n for n in clips if n in SCORES or str(n).startswith("band_")]
    values = clips[names].mean(skipna=True)
    return {str(name): float(value) for name, value in values.items() if np.isfinite(value)}


def intervals(clips: pd.DataFrame, units: Units, resamples: int, seed: int) -> dict[str, Any]:
    """Return 95 % intervals of the scores, by the unit of evidence."""
    _, names = units.best
    scores = [n for n in SCORES if np.isfinite(clips[n]).any()]
    return {n: list(interval(names, clips[n].to_numpy(), resamples, seed)) for n in scores}


def claims(
    result: pd.DataFrame, controls: Mapping[str, pd.DataFrame], units: Units
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return score -> control -> paired tests by clip and by person, and what they allow to say."""
    verdicts: dict[str, dict[str, dict[str, Any]]] = {}
    for score in TESTED:
        for name, control in controls.items():
            values = result[score].to_numpy(), control[score].to_numpy()
            tests = {
                "clip": compare("clip", units.speech, *values),
                "person": compare("person", units.people, *values),
            }
            verdicts.setdefault(score, {})[name] = {
                **{unit: record(test) for unit, test in tests.items()},
                "says": sentence(score, name, list(tests.values())),
            }
    return verdicts


def record(test: Comparison) -> dict[str, Any]:
    """Return a test as plain values for JSON, which has no nan: None where nothing was tested."""
    return {k: None if v != v else v for k, v in asdict(test).items()}


def sentence(score: str, control: str, tests: list[Comparison]) -> str:
    """Return what may be said of a result beside a control."""
    units = " and ".join(f"{t.unit} (p={t.p:.2g}, n={t.n})" for t in tests if t.above)
    if units:
        return f"{score}: above {control}, by {units}"
    return f"{score}: not shown to be above {control}"
