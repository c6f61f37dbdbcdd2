"""What every mode of the simulated study promises: same keys, same bits; response by its root."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable

import numpy as np

from bm.studies import STUDIES


def study(mode: str, **options):
    return STUDIES.get("simulated")(mode=mode, **{"preset": "tiny", **options})


def check_order(mode: str, **options) -> None:
    """A recording does not depend on what was made before; another seed is another recording."""
    first, second = (study(mode, **options).recordings() for _ in range(2))
    late = second[-1].signal_uv()
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.signal_uv(), b.signal_uv())
        assert a.events().equals(b.events()) and a.fingerprint() == b.fingerprint()
    assert np.array_equal(late, first[-1].signal_uv())
    for one, other in zip(first, study(mode, **options, seed=1).recordings(), strict=True):
        assert not np.array_equal(other.signal_uv()[:5, :500], one.signal_uv()[:5, :500])


def check_process(mode: str) -> None:
    """Another process makes the same bits."""
    code = (
        "import hashlib; from bm.studies import STUDIES; "
        f"r = STUDIES.get('simulated')(mode='{mode}', preset='tiny').recordings()[-1]; "
        "print(hashlib.sha256(r.signal_uv().tobytes()).hexdigest())"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    signal = study(mode).recordings()[-1].signal_uv()
    assert process.stdout.strip() == hashlib.sha256(signal.tobytes()).hexdigest()


def check_growth(mode: str, few: dict, many: dict) -> None:
    """A larger study begins with the smaller: the same recordings, under the same names."""
    large = {r.id: r for r in study(mode, **many).recordings()}
    small = study(mode, **few).recordings()
    assert len(large) > len(small)
    for recording in small:
        assert np.array_equal(recording.signal_uv(), large[recording.id].signal_uv())


def check_response(
    of_snr: Callable[[float], np.ndarray], least_uv: float = 1, atol: float = 2e-3
) -> None:
    """The signal less its background grows with the root of the signal-to-noise ratio."""
    none, one, four = (of_snr(snr) for snr in (0, 1, 4))
    assert np.abs(one - none).max() > least_uv
    np.testing.assert_allclose(four - none, 2 * (one - none), atol=atol)
