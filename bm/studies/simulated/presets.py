"""Sizes of the modes: a preset sets defaults of counts and lengths, nothing else.

`tiny` of all modes takes under 2 s, for tests; `debug` is the least that models learn from; `full`
is as large as published data sets.
"""

from __future__ import annotations

from typing import Any

from ...registry import check_known


def _stories(
    n_subjects: int, n_stories: int, n_sentences: int, n_words: int, rate_hz: float
) -> dict[str, Any]:
    sizes = {"n_subjects": n_subjects, "n_sessions": 1, "n_runs": n_stories}
    return {**sizes, "n_sentences": n_sentences, "n_words": n_words, "rate_hz": rate_hz}


def _texts(n_subjects: int, n_sentences: int, layout: str) -> dict[str, Any]:
    sizes = {"n_subjects": n_subjects, "n_sessions": 1, "n_runs": 1}
    return {**sizes, "n_sentences": n_sentences, "layout": layout}


def _words(
    n_subjects: int, n_runs: int, n_words: int, n_trials: int, n_free: int, free_s: float
) -> dict[str, Any]:
    sizes = {"n_subjects": n_subjects, "n_sessions": 1, "n_runs": n_runs}
    words = {"n_words": n_words, "n_trials": n_trials}  # of each word in a run
    return {**sizes, **words, "n_free": n_free, "free_s": free_s}


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "motor": {
        "tiny": {"n_subjects": 2, "n_sessions": 2, "n_runs": 1, "n_trials": 16},
        "debug": {"n_subjects": 2, "n_sessions": 2, "n_runs": 2, "n_trials": 60},
        "demo": {"n_subjects": 4, "n_sessions": 2, "n_runs": 2, "n_trials": 72},
        "full": {"n_subjects": 9, "n_sessions": 2, "n_runs": 6, "n_trials": 48},
    },
    "background": {
        "tiny": {"n_subjects": 6, "n_sessions": 1, "n_runs": 1, "duration_s": 30.0},
        "debug": {"n_subjects": 48, "n_sessions": 1, "n_runs": 1, "duration_s": 60.0},
        "demo": {"n_subjects": 72, "n_sessions": 1, "n_runs": 2, "duration_s": 60.0},
        "full": {"n_subjects": 300, "n_sessions": 1, "n_runs": 2, "duration_s": 600.0},
    },
    "listening": {
        "tiny": _stories(2, 3, 3, 12, 250.0),
        # Half of the other rates: enough for a response below 15 Hz, and half of the time.
        "debug": _stories(2, 10, 8, 40, 125.0),
        "demo": _stories(4, 12, 10, 60, 250.0),
        "full": _stories(20, 30, 10, 200, 250.0),
    },
    "reading": {
        "tiny": _texts(1, 12, "cap32"),
        "debug": _texts(2, 120, "cap32"),
        "demo": _texts(4, 200, "cap32"),
        "full": _texts(12, 400, "hydrocel105"),
    },
    "seeg": {
        "tiny": _words(2, 1, 4, 6, 1, 20.0),
        "debug": _words(2, 3, 12, 10, 2, 120.0),
        "demo": _words(4, 4, 12, 10, 2, 300.0),
        # For benches alone: some 12 minutes of making and 48 GB (extrapolated).
        "full": {
            **_words(12, 5, 61, 10, 6, 600.0),
            "shafts": [7, 12],
            "contacts": [8, 16],
        },
    },
}


def preset(mode: str, name: str) -> dict[str, Any]:
    """Return the defaults of a preset; raise `UserError` with the nearest name."""
    check_known("mode of the simulated study", mode, PRESETS)
    check_known(f"preset of {mode}", name, PRESETS[mode])
    return dict(PRESETS[mode][name])
