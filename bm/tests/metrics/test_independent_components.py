"""ICA as a reference: it takes a large artefact out of a window, and leaves a clean one alone."""

from __future__ import annotations

import numpy as np

from bm.metrics.denoising import artefact, contaminated, gains
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
