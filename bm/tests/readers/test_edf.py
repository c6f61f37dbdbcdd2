"""EDF+ files whose records have times: gaps are found whatever the header calls the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bm.errors import RecordingError
from bm.readers.edf import gap_s, read_header
from bm.readers.raw import Reading, open_raw

RATE, RECORDS = 100, 6


def write(
    path: Path, times: list[float], variant: str, names: tuple[str, str] = ("C3", "C4")
) -> Path:
    """Write records of a second with a time each, microvolts in steps of 0.1."""
    whole = np.random.default_rng(0).integers(-300, 300, (2, RATE * len(times))).astype("<i2")

    def cells(values: list, width: int) -> bytes:
        return b"".join(str(value).ljust(width).encode() for value in values)

    body = b"".join(
        whole[:, i * RATE : (i + 1) * RATE].tobytes()
        + f"+{time:g}\x14\x14\0".encode().ljust(40, b"\0")
        for i, time in enumerate(times)
    )
    head = cells([0], 8) + cells(["X", "X"], 80) + cells(["01.01.00", "00.00.00", 1024], 8)
    head += cells([variant], 44) + cells([len(times), 1], 8) + cells([3], 4)
    head += cells([*names, "EDF Annotations"], 16) + cells([""] * 3, 80)
    head += cells(["uV", "uV", ""], 8) + cells([-3276.8, -3276.8, -1], 8)
    head += cells([3276.7, 3276.7, 1], 8) + cells([-32768] * 3, 8) + cells([32767] * 3, 8)
    head += cells([""] * 3, 80) + cells([RATE, RATE, 20], 8) + cells([""] * 3, 32)
    path.write_bytes(head + body)
    return path


@pytest.mark.parametrize("variant", ["EDF+C", "EDF+D", ""])
def test_gaps_between_records_are_found_by_their_times(tmp_path: Path, variant: str) -> None:
    path = write(tmp_path / "x.edf", [0, 1, 2, 33, 34, 35], variant)
    assert gap_s(path, read_header(path)) == 30
    with pytest.raises(RecordingError, match="gaps of 30 s in all"):
        open_raw(path, Reading())


@pytest.mark.parametrize("variant", ["EDF+C", "EDF+D"])
def test_records_without_gaps_are_read(tmp_path: Path, variant: str) -> None:
    path = write(tmp_path / "x.edf", [0.25 + i for i in range(RECORDS)], variant)
    assert open_raw(path, Reading()).n_times == RATE * RECORDS


def test_channels_of_one_name_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "x.edf", list(range(RECORDS)), "EDF+C", ("C3", "C3"))
    assert open_raw(path, Reading()).ch_names == ["C3-0", "C3-1"]
    assert "not unique" in caplog.text
