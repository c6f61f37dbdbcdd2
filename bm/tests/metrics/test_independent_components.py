"""ICA as a reference: it takes a large artefact out of a window, and leaves a clean one alone."""

from __future__ import annotations

import numpy as np

from bm.metrics.denoising import artefact, band_filter, contaminated, gains
from bm.metrics.independent_components import independent_components


def test_a_large_artefact_is_taken_out_and_clean_windows_stay() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((6, 6))
    clean = 10 * mixing @ rng.laplace(size=(24, 6, 500))
    train, windows = clean[:16], clean[16:20]
    method = independent_components(train, 125.0)
    noisy = contaminated(windows, artefact("eog", windows.shape, 125.0, 1), -7.0)
    assert gains(windows, noisy, method(noisy))["snr_gain_db"] > 3
    # few components of a clean window are 3 sd above the usual by chance: most of it stays
    lost = np.square(method(windows) - windows).mean() / np.square(windows).mean()
    assert lost < 0.2


def test_blinks_leave_short_windows_of_many_channels_with_their_slow_part() -> None:
    """Unmixing all of 16 channels in 3 s spreads a blink; putting the mean back keeps a third."""
    rng = np.random.default_rng(1)
    # as in EEG: a few strong patterns, weak ones below them, all of a band
    mixing = rng.standard_normal((16, 16)) * np.geomspace(10, 0.3, 16)
    sources = band_filter(125.0)(rng.standard_normal((40, 16, 375)))
    clean = mixing @ sources
    train, windows = clean[:32], clean[32:]
    noisy = contaminated(windows, artefact("eog", windows.shape, 125.0, 1), -7.0)
    assert gains(windows, noisy, independent_components(train, 125.0)(noisy))["snr_gain_db"] > 6
