"""The evaluation of generated sounds as a table: the result, ceilings, controls, claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...metrics.evaluation import Evaluation
from .judgement import TABLE, Judge, claims, intervals, means
from .recogniser import TRUE_SOUND, build_recogniser, recognition_of, spoken_texts
from .sources import CONTROLS, EEG, GENERATED, HALF, SourceConditions

if TYPE_CHECKING:
    from .diffusion import LatentDiffusionSolver

COLUMNS = ["recording", "study", "subject", "session", "run", "start_s"]
#: Which column scores an item by a metric.
ITEM_SCORES = {
    "retrieval_percentile": {"column": "retrieval_percentile"},
    "retrieval_top1": {"column": "rank", "below": 1},
    "retrieval_top5": {"column": "rank", "below": 5},
    "mel_correlation": {"column": "mel_correlation"},
    "band_correlation": {"column": "band_correlation"},
}


def sounds_of(solver: LatentDiffusionSolver, rows: np.ndarray, judge: Judge) -> dict[str, Tensor]:
    """Return the sounds of every row of the table, by its name."""
    conditions = SourceConditions(solver, rows, judge.units)
    sounds = {name: solver.sound(conditions.of(name))[:, : judge.length] for name in GENERATED}
    # the same sounds at the wrong time: what average speech alone would give
    sounds[HALF] = torch.roll(sounds[EEG], judge.length // 2, 1)
    return sounds | solver.copies(rows)


def evaluation_of(
    solver: LatentDiffusionSolver, split: str, rows: np.ndarray, loss: dict[str, float]
) -> Evaluation:
    """Judge the sounds generated for windows of a split; `loss` are its averages."""
    judge = solver.judge(rows)
    sounds = sounds_of(solver, rows, judge)
    judged = {name: judge.judged(waves) for name, waves in sounds.items()}
    clips = {name: some.clips for name, some in judged.items()}
    values = {name: {**means(some.clips), **some.sets} for name, some in judged.items()}
    recognition = recognised(solver, rows, sounds, judge)
    for name, rates in recognition.items():
        values[name] = {**values.get(name, {}), **rates}
    verdicts = claims(clips[EEG], {name: clips[name] for name in CONTROLS}, judge.units)
    for score in verdicts.values():
        for test in score.values():
            solver.log.line("%s", test["says"])
    options = solver.cfg.solver
    return Evaluation(
        split=split,
        metrics={**values[EEG], **loss},
        chance=judge.chance,
        items=items_of(solver, rows, clips),
        n_items=len(rows),
        simulated=solver.data.facts.simulated,
        extra={
            "table": [*TABLE, *recognition.get(TRUE_SOUND, {})],
            "references": {name: v for name, v in values.items() if name != EEG},
            "intervals": intervals(clips[EEG], judge.units, options.n_resamples, solver.cfg.seed),
            "interval_unit": judge.units.best[0],
            "item_scores": ITEM_SCORES,
            "claims": verdicts,
            "extractor": judge.extractor.name,
            "candidates": len(judge.candidates),
            "vocoder": "HiFi-GAN" if solver.chain.vocoder else "none: Griffin-Lim",
            "sampling": vars(solver.sampling),
        },
    )


def recognised(
    solver: LatentDiffusionSolver, rows: np.ndarray, sounds: dict[str, Tensor], judge: Judge
) -> dict[str, dict[str, float]]:
    """Return character and word error rates of every row; empty without a recogniser."""
    recogniser = build_recogniser(solver.cfg.solver)
    if recogniser is None:
        return {}
    solver.log.line("words are recognised by %s", recogniser.name)
    texts = spoken_texts(solver.data, rows)
    cut = {name: waves[:, : judge.length] for name, waves in sounds.items()}
    return recognition_of(recogniser, cut, judge.true, texts, judge.mel.settings.rate_hz)


def items_of(
    solver: LatentDiffusionSolver, rows: np.ndarray, clips: dict[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return one row per clip: its scores, and those of the controls as `<control>: <score>`."""
    items = solver.data.table.iloc[rows][COLUMNS].reset_index(drop=True)
    items.insert(0, "segment", rows)
    items = items.join(clips[EEG])
    for name, scores in clips.items():
        if name != EEG:
            some = scores[["rank", "mel_correlation", "mcd_db"]]
            items = items.join(some.add_prefix(f"{name}: "))
    return items
