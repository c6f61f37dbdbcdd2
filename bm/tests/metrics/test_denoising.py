"""Planted artefacts and the gains of denoisers whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bm.metrics.denoising import (
    ARTEFACTS,
    LEVELS_DB,
    artefact,
    band_filter,
    clipped_components,
    contaminated,
    denoising_table,
    gains,
)

RATE = 250.0
RNG = np.random.default_rng(0)


def windows(count: int = 12) -> np.ndarray:
    """Mixed channels with most power below 40 Hz."""
    spectrum = np.fft.rfft(RNG.normal(0, 1, (count, 6, 500)))
    frequencies = np.fft.rfftfreq(500, 1 / RATE)
    spectrum *= (frequencies > 1) / (1 + frequencies / 8)
    mixing = np.random.default_rng(1).normal(0, 1, (6, 6))
    return mixing @ np.fft.irfft(spectrum, 500)


@pytest.mark.parametrize("kind", ARTEFACTS)
@pytest.mark.parametrize("level", LEVELS_DB)
def test_the_planted_ratio_is_the_one_that_was_asked_for(kind: str, level: float) -> None:
    clean = windows()
    noisy = contaminated(clean, artefact(kind, clean.shape, RATE, 3), level)
    ratio = np.square(clean).mean((1, 2)) / np.square(noisy - clean).mean((1, 2))
    assert 10 * np.log10(ratio) == pytest.approx(np.full(12, level))


def test_gains_of_known_denoisers() -> None:
    clean = windows()
    noisy = contaminated(clean, artefact("emg", clean.shape, RATE, 0), -3.0)
    nothing = gains(clean, noisy, noisy)
    assert nothing["snr_gain_db"] == pytest.approx(0, abs=1e-9)
    assert nothing["relative_rmse"] == pytest.approx(10 ** (3 / 20))
    half = gains(clean, noisy, (clean + noisy) / 2)
    assert half["snr_gain_db"] == pytest.approx(20 * np.log10(2))
    assert gains(clean, noisy, clean)["correlation"] == pytest.approx(1)


def test_references_beside_doing_nothing() -> None:
    clean, train = windows(), windows(40)
    methods = {
        "nothing": lambda x: x,
        "filter": band_filter(RATE),
        "components": clipped_components(train),
    }
    rows: list[dict[str, Any]] = denoising_table(clean, RATE, methods)
    assert len(rows) == 3 * 4 * 3
    best = {(r["artefact"], r["level_db"], r["method"]): r["snr_gain_db"] for r in rows}
    assert best["line", -7.0, "filter"] > 6 > best["line", -7.0, "nothing"] == pytest.approx(0)
    assert best["eog", -7.0, "components"] > 1
    assert {r["artefact"] for r in denoising_table(clean, 100.0, methods)} == {"eog", "emg"}
    with pytest.raises(ValueError, match="'ecg'"):
        artefact("ecg", (1, 1, 10), RATE, 0)
