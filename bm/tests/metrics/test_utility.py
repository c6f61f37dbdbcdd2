"""Generated trials help where they are like real ones, and do no good where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np

from bm.metrics.utility import SHARES, utility


def trials(count: int, seed: int, distance: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return distance * np.eye(10)[labels] + rng.normal(0, 1, (count, 10)), labels


def test_good_trials_help_few_real_ones_and_wrong_ones_do_not() -> None:
    train, test, good = trials(60, 0), trials(300, 1), trials(300, 2)
    wrong = (good[0], (good[1] + 1) % 3)
    tables: list[list[dict[str, Any]]] = [
        utility(train, test, generated) for generated in (good, wrong)
    ]
    first, second = (
        {(r["trained_on"], r["tested_on"], r["real_share"]): r for r in table} for table in tables
    )
    assert len(tables[0]) == 2 + 2 * len(SHARES)
    assert first["both", "real", 0.1]["gain"] > 0.05 > 0 > second["both", "real", 0.1]["gain"]
    assert first["generated", "real", 0.0]["accuracy"] > 0.8 > 0.3
    assert second["generated", "real", 0.0]["accuracy"] < 0.2
    assert second["real", "generated", 1.0]["accuracy"] < 0.2
    assert first["real", "real", 0.1]["n_trials"] == 6 and "ci95" in first["both", "real", 0.5]
