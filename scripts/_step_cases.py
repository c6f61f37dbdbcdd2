"""Cases of the step bench: recipes at published sizes, on random recordings, and their bars.

A new model is one more entry of `CASES`: the recipe that trains it, what differs from the recipe,
the noise that stands for its data, and its bars.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dora.conf import DoraConfig
from dora.xp import XP

from bm.data.batch import Batch
from bm.engine.run import Run
from bm.engine.solver import Solver
from bm.nn.electrodes import NAMES
from bm.registry import check_known
from bm.solvers import build
from bm.train import main

from ._step_noise import study_word


@dataclass(frozen=True)
class Bars:
    """The least that a step must reach.

    Attributes:
        eff: weighted efficiency; about 0.9 of the best one measured without compilation.
        heavy: share of forward and backward inside matmul, convolution and attention.
        ratio: plain form over default step.
        bf16: float32 over bfloat16 step.
        gpu: float32 eager over compiled bfloat16 step on a GPU; None = no bar.
    """

    eff: float
    heavy: float
    ratio: float
    bf16: float
    gpu: float | None = None


@dataclass(frozen=True)
class Case:
    """One training step.

    Attributes:
        words: recipe, and what differs from it; the batch is `optim.batch_size`.
        noise: options of the study `noise`; empty where the words name another.
        bars: to be reached.
        stage: key of the configuration that names a model of another case, and that case.
        fused_attention: the plain form too has it, where single products need gigabytes.
        by_name: left out unless asked for, because it is slow.
        loaded: windows of a published batch, whose reading is compared with a step of as many.
    """

    words: tuple[str, ...]
    noise: Mapping[str, Any]
    bars: Bars
    stage: tuple[str, str] | None = None
    fused_attention: bool = False
    by_name: bool = False
    loaded: int | None = None


#: Electrodes of TUAB.
TUAB = ["FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5",
        "T6", "A1", "A2", "FZ", "CZ", "PZ", "T1", "T2"]  # fmt: skip

# All windows train: a bench has no use for other splits.
WHOLE = ("dset.split.key=recording", "dset.split.ratios={train:1.0,valid:0.0,test:0.0}",
         "dset.split.fixed={}", "dset.preprocess=[]")  # fmt: skip
CLIP = ("solver=clip/main", "optim.batch_size=32", *WHOLE, "dset.event_mask=false",
        "dset.segment_test={kind:recording,stride_s:0.5}",
        "dset.features=[{name:NoiseVectors,dimension:1024}]")  # fmt: skip
LABRAM = (*WHOLE, "optim.batch_size=8", "precision=fp32", "eval.batch_size=null")
EEGDIFF = (*WHOLE, "solver=eegdiff/bciiv_mel", "ema.decay=null", "dset.segment.kind=block",
           "dset.segment.offset_s=0", "dset.segment.stride_s=3.0", "dset.segment.label=null",
           "solver.n_statistics=8")  # fmt: skip
#: The published network of ZuCo, told 56 tokens of 768 of an encoder without files.
SENTENCES = (
    "solver=eegdiff/zuco_stft",
    "optim.batch_size=1",
    "precision=fp32",
    "ema.decay=null",
    "dset.split.key=recording",
    "dset.split.ratios={train:1.0,valid:0.0,test:0.0}",
    "solver.text.encoder=hashed",
    "+solver.text.width=768",
    "solver.n_statistics=2",
    "dset.studies=[{study:simulated,mode:reading,preset:tiny,layout:hydrocel105}]",
)
DUIN = (*WHOLE, "optim.batch_size=32", "precision=fp32", "dset.channels=null")
DEPTH = {"channels": 10, "rate_hz": 1000.0, "seconds": 70.0, "subjects": 1}
CORPUS = {"channels": NAMES[:64], "rate_hz": 200.0, "seconds": 20.0, "subjects": 2}
MOTOR = {"channels": 22, "rate_hz": 250.0, "seconds": 15.0, "subjects": 2}

CASES: dict[str, Case] = {
    "clip": Case(
        CLIP, {"channels": 208, "rate_hz": 120.0, "seconds": 8.0, "subjects": 27},
        Bars(eff=0.62, heavy=0.85, ratio=1.0, bf16=1.6), loaded=256,
    ),
    "labram_tokenizer": Case(
        ("solver=labram/tokenizer", *LABRAM, "model.kmeans=false"), CORPUS,
        Bars(eff=0.57, heavy=0.80, ratio=1.10, bf16=2.0, gpu=1.5),
    ),
    "labram_masked": Case(
        ("solver=labram/pretrain", *LABRAM), CORPUS,
        Bars(eff=0.58, heavy=0.70, ratio=1.10, bf16=2.0, gpu=1.5),
        stage=("tokenizer", "labram_tokenizer"),
    ),
    "labram_finetune": Case(
        ("solver=labram/tuab", *LABRAM),
        {"channels": TUAB, "rate_hz": 200.0, "seconds": 40.0, "subjects": 2},
        Bars(eff=0.62, heavy=0.83, ratio=1.08, bf16=2.0, gpu=1.5),
    ),
    "duin_vqvae": Case(
        ("solver=duin/vqvae", *DUIN), DEPTH, Bars(eff=0.53, heavy=0.70, ratio=1.0, bf16=1.6)
    ),
    "duin_mae": Case(
        ("solver=duin/mae", *DUIN), DEPTH, Bars(eff=0.48, heavy=0.70, ratio=1.0, bf16=1.6),
        stage=("tokenizer", "duin_vqvae"),
    ),
    "duin_cls": Case(
        ("solver=duin/cls", *DUIN, "dset.segment.kind=block", "dset.segment.stride_s=2.0"),
        {**DEPTH, "subjects": 2}, Bars(eff=0.43, heavy=0.62, ratio=1.0, bf16=1.6),
    ),
    "eegdiff_batch8": Case(
        (*EEGDIFF, "optim.batch_size=8"), MOTOR, Bars(eff=0.56, heavy=0.80, ratio=1.08, bf16=1.4)
    ),
    "eegdiff_batch2": Case(
        (*EEGDIFF, "optim.batch_size=2"), MOTOR, Bars(eff=0.42, heavy=0.70, ratio=1.25, bf16=1.0)
    ),
    "eegdiff_cond": Case(
        SENTENCES, {},
        Bars(eff=0.50, heavy=0.85, ratio=1.03, bf16=1.15), fused_attention=True, by_name=True,
    ),
}  # fmt: skip


def case_names(name: str | None) -> list[str]:
    """Return the cases that a word `model=` selects: one, or all of a family; None = the quick.

    Raises:
        UserError: no such case.
    """
    if name is None:
        return [key for key, case in CASES.items() if not case.by_name]
    family = [k for k, case in CASES.items() if k.startswith(f"{name}_") and not case.by_name]
    if name in CASES or not family:
        check_known("model of bench step", name, CASES)
        return [name]
    return family


def trainer(name: str, folder: Path, *more: str) -> Solver:
    """Return the solver of a case, ready for its first step.

    Args:
        name: of the case.
        folder: takes recordings, experiments, and models of earlier stages.
        more: words after those of the case.
    """
    case = CASES[name]
    # No log and no figures: only the step is timed.
    words = ["device=cpu", "threads=1", *case.words]
    words += [study_word(**case.noise)] if case.noise else []
    words.append("dset.split.allow_empty=[valid,test]")  # the noise is for training alone
    words += [f"paths.cache={folder / 'cache'}", "log.every=0", "log.figures=false"]
    if case.stage:
        key, other = case.stage
        saved = folder / other  # of another case: untrained weights take the same time
        if not saved.exists():
            folder.mkdir(exist_ok=True)
            trainer(other, folder).save_model(saved)
        words.append(f"{key}=//file/{saved}")
    cfg = main.get_xp([*words, *more]).cfg
    number = sum(1 for _ in folder.glob("run*"))  # an experiment of its own for every solver
    dora = DoraConfig(dir=folder / f"run{number}")
    with XP(dora=dora, cfg=cfg, argv=[], delta=[], sig=name).enter(stack=True), quiet():
        solver: Solver = build(cfg)
        Run(solver).prepare()
    solver.model.train()
    solver.begin_stage("train")
    return solver


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings and less of all loggers inside a block."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def batch_of(solver: Solver) -> Batch:
    """Return the first training windows, as many as the batch has."""
    rows = solver.data.rows("train")[: solver.cfg.optim.batch_size]
    assert len(rows) == solver.cfg.optim.batch_size, "the noise is too short for a batch"
    batch: Batch = solver.data.gather(rows.tolist())
    return batch.to(solver.device)
