"""Evaluation of speech decoding by retrieval: each window ranks all test segments.

Défossez et al. (2023): top-10 accuracy among the segments of the test split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...data.dataset import Dataset
from ...metrics.evaluation import Evaluation
from ...metrics.intervals import share_interval
from ...metrics.retrieval import Ranker, Ranking
from ...metrics.units import units_of
from ...metrics.words import word_retrieval_errors
from .candidates import (
    CandidateSet,
    candidate_sets,
    chance_of_top,
    chance_word_errors,
    most_frequent,
    speech_of,
)

TOPS = (1, 5, 10)
CHUNK = 64
COLUMNS = ["recording", "study", "subject", "session", "run", "start_s"]


@dataclass(frozen=True)
class Encoders:
    """What a decoder offers to retrieval; everything is compared as flat vectors.

    Attributes:
        estimates: rows of the table -> (n, D), from brain signals.
        targets: rows -> (n, D) of norm 1, from features.
    """

    estimates: Callable[[np.ndarray], Tensor]
    targets: Callable[[np.ndarray], Tensor]


@dataclass(frozen=True)
class RetrievalOptions:
    """How retrieval is evaluated.

    Attributes:
        candidates: `split` = all test segments; `recording` = those of the same recording.
        probabilities: every probability is kept in the items, not only those of the best.
        word_windows: segments of the word-level errors at most, chosen at random; their speech
            are the candidates. 0 = none.
        word_top: of their best candidates so many count.
        noise: estimates are replaced by noise: what chance gives.
        seed: of the choice and the noise.
    """

    candidates: str = "split"
    probabilities: bool = False
    word_windows: int = 1000
    word_top: int = 10
    noise: bool = False
    seed: int = 0


def chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield rows in chunks, in order."""
    for first in range(0, len(rows), CHUNK):
        yield rows[first : first + CHUNK]


def rank_set(
    encoders: Encoders,
    rows: np.ndarray,
    hashes: np.ndarray,
    candidate_set: CandidateSet,
    keep: bool,
) -> tuple[Ranking, list[np.ndarray]]:
    """Rank one candidate set for its queries; candidates are encoded once.

    Args:
        encoders: of signals and speech.
        rows: (N,) all test windows.
        hashes: (N,) their segments.
        candidate_set: whose queries are ranked.
        keep: also return every probability, a (V,) array per query.
    """
    # Chunks bound the memory of the encoder; the vectors themselves are small.
    candidates = torch.cat([encoders.targets(some) for some in chunks(candidate_set.rows)])
    ranker = Ranker(candidates, torch.from_numpy(candidate_set.hashes), n_best=max(TOPS))
    parts, probabilities = [], []
    for some in chunks(candidate_set.queries):
        queries = encoders.estimates(rows[some])
        parts.append(ranker.rank(queries, torch.from_numpy(hashes[some])))
        if keep:
            scores = ranker.scores(queries)
            probabilities += list(scores.softmax(1).cpu().numpy().astype(np.float32))
    return Ranking.joined(parts), probabilities


def word_errors(
    encoders: Encoders,
    rows: np.ndarray,
    hashes: np.ndarray,
    words: np.ndarray,
    options: RetrievalOptions,
) -> tuple[dict[str, float], dict[str, float]]:
    """Return word-level errors and their chance levels.

    `word_error` and `word_error_vocabulary` are counted with each window's own speech beside the
    candidates; those that begin with `published` as the original does, which loses one candidate
    and scores the last window with the one before it. They are errors of retrieval, not of a
    transcription. Each segment takes part once, in a window drawn at random: copies of a
    candidate would tie, and chance could not be told.
    """
    generator = np.random.Generator(np.random.Philox(key=[options.seed, 1]))
    mixed = generator.permutation(len(rows))
    first = np.unique(hashes[mixed], return_index=True)[1]  # one window of each segment
    sample = np.sort(mixed[generator.permutation(first)][: options.word_windows])
    # A single candidate is always right: there is no error to count.
    if len(sample) < 2:
        return {}, {}
    test_rows, words = rows[sample], words[sample]
    estimates = torch.cat([encoders.estimates(some) for some in chunks(test_rows)])
    targets = torch.cat([encoders.targets(some) for some in chunks(test_rows)])
    values: dict[str, float] = {}
    for prefix, published in (("", False), ("published_", True)):
        errors = word_retrieval_errors(
            estimates, targets, torch.from_numpy(words), options.word_top, as_published=published
        )
        values[f"{prefix}word_error"] = errors.by_candidate
        values[f"{prefix}word_error_vocabulary"] = errors.by_word
    by_candidate, by_word = chance_word_errors(words, words, options.word_top)
    chance = {name: by_word if "vocabulary" in name else by_candidate for name in values}
    return values, chance


def with_noise(encoders: Encoders, seed: int) -> Encoders:
    """Replace estimates by noise."""
    generator = torch.Generator().manual_seed(seed)

    def noise(rows: np.ndarray) -> Tensor:
        like = encoders.estimates(rows)
        return torch.randn(like.shape, generator=generator).to(like)

    return Encoders(noise, encoders.targets)


def items_of(
    dataset: Dataset, rows: np.ndarray, speech: pd.DataFrame, ranks: dict[str, Any]
) -> pd.DataFrame:
    """Return one row per test window: where it is from, what is heard, its ranks."""
    items = dataset.table.iloc[rows][COLUMNS].reset_index(drop=True)
    items.insert(0, "segment", rows)
    for name in speech:
        items[name] = speech[name].to_numpy()
    for name, values in ranks.items():
        items[name] = values
    return items


def retrieval_evaluation(
    dataset: Dataset, split: str, encoders: Encoders, options: RetrievalOptions
) -> Evaluation:
    """Return top-1, -5 and -10 accuracy over segments, word-level errors, and chance of each.

    Chance is that of the actual candidates. Items: rank (0 = first), probability of its own
    segment, the best candidates (`best`, rows of the table).
    """
    rows = dataset.rows(split)
    speech = speech_of(dataset, rows)
    recordings = dataset.table["recording"].to_numpy()[rows]
    if options.noise:
        encoders = with_noise(encoders, options.seed)
    hashes = speech["segment_hash"].to_numpy()
    sets = candidate_sets(rows, speech, recordings, options.candidates)
    rank = np.empty(len(rows), dtype=int)
    log_probability = np.empty(len(rows), dtype=np.float32)
    lists: dict[str, list] = {"best": [None] * len(rows)}
    if options.probabilities:
        lists |= {"candidates": [None] * len(rows), "probabilities": [None] * len(rows)}
    for part in sets:
        ranking, probabilities = rank_set(encoders, rows, hashes, part, options.probabilities)
        rank[part.queries] = ranking.rank.numpy()
        log_probability[part.queries] = ranking.log_probability.numpy()
        for place, query in enumerate(part.queries.tolist()):
            lists["best"][query] = part.rows[ranking.best[place].numpy()].tolist()
            if options.probabilities:
                lists["candidates"][query] = part.rows.tolist()
                lists["probabilities"][query] = probabilities[place]
    values = {"rank": rank, "probability": np.exp(log_probability), **lists}
    items = items_of(dataset, rows, speech, values)
    evaluation = accuracies(split, items, sets, dataset.facts.simulated)
    if options.word_windows:
        errors, chance = word_errors(
            encoders, rows, hashes, speech["word_hash"].to_numpy(), options
        )
        evaluation.metrics.update(errors)
        evaluation.chance.update(chance)
    return evaluation


def accuracies(
    split: str, items: pd.DataFrame, sets: list[CandidateSet], simulated: bool
) -> Evaluation:
    """Return the metrics of ranked windows: chance, intervals, top-10 of every person."""
    rank, hashes = items["rank"].to_numpy(), items["segment_hash"].to_numpy()
    names = {k: f"top{k}_accuracy" for k in TOPS}
    metrics = {name: float((rank < k).mean()) for k, name in names.items()}
    people = (rank < 10).astype(float), items["study"] + "/" + items["subject"]
    # Names repeat between studies (sub-01), so a person is both.
    by_person = pd.Series(people[0]).groupby(people[1].to_numpy()).mean()
    units = units_of(items)
    intervals = {n: share_interval((rank < k).astype(float), units) for k, n in names.items()}
    frequent = {name: most_frequent(sets, hashes, k) for k, name in names.items()}
    extra = {
        "table": ["top10_accuracy", "top1_accuracy"],
        "item_scores": {name: {"column": "rank", "below": k} for k, name in names.items()},
        "n_candidates": [len(s.hashes) for s in sets],
        "intervals": {name: list(ends) for name, ends in intervals.items() if ends is not None},
        "unit": str(units),
        # Top-k of a decoder that always answers with the commonest segments of the test.
        "references": {"most frequent segments": frequent},
        "subjects": {str(k): float(v) for k, v in by_person.items()},
    }
    return Evaluation(
        split=split,
        metrics={**metrics, "median_rank": float(np.median(rank))},
        chance={name: chance_of_top(sets, k) for k, name in names.items()},
        items=items,
        n_items=len(items),
        simulated=simulated,
        extra=extra,
    )
