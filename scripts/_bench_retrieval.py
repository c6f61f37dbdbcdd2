"""Ranking of queries among candidates: against the bare matrix product, and at published size."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from bm.metrics.retrieval import BLOCK, Ranker

REPEATS = 5
QUERIES, CANDIDATES, WIDTH = 1024, 2048, 32 * 1024
RATIO_BAR = 1.15
#: Words and segments of the published test sets, and 1024 channels of 343 samples.
PUBLISHED, PUBLISHED_WIDTH, SECONDS_BAR = 20_000, 1024 * 343, 60.0
MEMORY_BYTES = 40 * 2**30  # what the candidates and the blocks of the published size need

#: what, value, unit, bar.
Figure = tuple[str, float, str, float]


def _time(action: Callable[[], object]) -> float:
    """Return the CPU time of one call: the machine may be shared."""
    began = time.process_time()
    action()
    return time.process_time() - began


def against_product() -> Figure:
    """Return the time of scores, ranks and best candidates over that of the bare product."""
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(QUERIES, WIDTH, generator=generator)
    candidates = torch.randn(CANDIDATES, WIDTH, generator=generator)
    labels, targets = torch.arange(CANDIDATES), torch.arange(QUERIES)
    ranker, ratios = Ranker(candidates, labels), []
    for index in range(REPEATS + 1):
        limit = _time(lambda: queries @ candidates.T)
        ours = _time(lambda: ranker.rank(queries, targets))
        if index:  # the first pair warms up
            ratios.append(ours / limit)
    what = f"{QUERIES} queries x {CANDIDATES} candidates x {WIDTH} / bare product, median"
    return what, statistics.median(ratios), "x", RATIO_BAR


def on_gpu() -> Figure:
    """Return the time at published size, candidates and queries on the GPU."""
    device = torch.device("cuda")
    candidates = torch.randn(PUBLISHED, PUBLISHED_WIDTH, device=device)
    labels = torch.arange(PUBLISHED)
    torch.cuda.synchronize()
    began = time.perf_counter()
    ranker = Ranker(candidates, labels)
    for targets in labels.split(BLOCK):
        queries = torch.randn(len(targets), PUBLISHED_WIDTH, device=device)
        ranker.rank(queries, targets)  # whose results on the CPU wait for the device
    took = time.perf_counter() - began
    what = f"{PUBLISHED} x {PUBLISHED} x {PUBLISHED_WIDTH} on {torch.cuda.get_device_name()}"
    return what, took, "s", SECONDS_BAR


def measure() -> list[Figure]:
    """Return the ratio, and the published size where a GPU has room for it."""
    figures = [against_product()]
    if torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > MEMORY_BYTES:
        figures.append(on_gpu())
    return figures
