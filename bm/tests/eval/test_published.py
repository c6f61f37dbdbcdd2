"""Published numbers stand beside ours under the names of our data sets."""

from __future__ import annotations

import pytest

from bm.eval.published import ABLATIONS, published_levels
from grids.nmi import _common, ablation_final


def test_levels() -> None:
    found = published_levels("nmi.main_table", "top10_accuracy", "gwilliams2022")
    assert found["published: wav2vec 2.0"] == pytest.approx(0.707) and len(found) == 5
    assert not published_levels("nmi.main_table", "top1_accuracy", "gwilliams2022")
    assert not published_levels("clip.debug", "top10_accuracy", "gwilliams2022")
    for dataset in _common.DATASETS:
        assert published_levels("nmi.ablation_final", "top10_accuracy", dataset)


def test_every_ablation_of_the_grid_was_published() -> None:
    assert set(ablation_final.ABLATIONS) == set(ABLATIONS)
    rows = [sum(values) / 4 for values in ABLATIONS.values()]
    assert rows == sorted(rows, reverse=True)  # the publication's order, by the mean
