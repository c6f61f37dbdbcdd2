"""Windows of a recording as the pre-training of LaBraM counts them (Jiang et al. 2024)."""

from __future__ import annotations

import numpy as np


def window_starts(
    samples: int, window: int, stride: int, start_share: float = 0.0, end_share: float = 1.0
) -> np.ndarray:
    """Return the first samples of the windows of one recording.

    With n = floor((samples - window) / stride) + 1 windows in all, those from int(n start_share)
    to int(n end_share - 1), inclusive; `int` cuts towards zero. A recording with one window has it
    in every share that is not empty, so shares that split training from validation both hold it.

    Args:
        samples: length of the recording.
        window, stride: samples.
        start_share, end_share: part of the recording, of 1.

    Returns:
        starts, none when the recording is too short (the original's index breaks there).
    """
    n = (samples - window) // stride + 1
    first, last = int(n * start_share), int(n * end_share - 1)
    return stride * np.arange(first, last + 1) if n > 0 else np.arange(0)
