"""Tables of samples: rows are samples, columns are channels, named in the first line."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from ..errors import RecordingError
from . import edf
from .event_table import MISSING, UNNAMED, read_layout, to_column
from .plausibility import REGULAR, counts

logger = logging.getLogger(__name__)
#: Names of columns that count or time the samples.
CLOCKS = re.compile(
    r"(unix[ _]?)?(time|timestamp|times|t|sec|secs|seconds|ms|sample|samples|index|idx|frame|row|n)"
    r"([ _]?(number|stamp|index|id|s|ms|us))?([ _]*[\[(].*[\])])?",
    re.IGNORECASE,
)
#: Names of columns of times; steps of one of them in a second, by unit (s, ms, us, ns).
TIMED = re.compile(r"time|sec|(^|[ _\[(])(s|ms|us)\b", re.IGNORECASE)
FACTORS = (1.0, 1e3, 1e6, 1e9)
#: Share by which the steps of a clock may be away from the rate.
TOLERANCE = 0.05
#: Names of columns of a table of people.
PEOPLE = {"subject", "participant", "participant_id", "subject_id", "age", "sex", "gender"}
#: A table shorter than this is a list of something else.
SHORTEST_S = 1.0


def read_samples(path: Path) -> pd.DataFrame:
    """Read a table of samples; columns without a word in them are numbers, others text.

    Raises:
        RecordingError: see `event_table.read_table`; or a table of people.
    """
    layout = read_layout(path)
    people = [name for name in layout.names if name.strip().lower() in PEOPLE]
    if people:
        reason = f"column {people[0]!r}: a table of people, no recording"
        raise RecordingError(path, reason, "leave it out of the study's `files`")
    options = {"sep": layout.separator, "decimal": layout.decimal, "skipinitialspace": True}
    try:
        table = pd.read_csv(
            path, header=0, names=list(layout.names), index_col=False, keep_default_na=False,
            na_values=list(MISSING), encoding="utf-8-sig", low_memory=False, **options,
        )  # fmt: skip
    except (pd.errors.ParserError, UnicodeDecodeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise RecordingError(path, f"no table ({text})", edf.FETCH) from error
    return table


def label_column(path: Path, name: str) -> list:
    """Return a column as labels: whole numbers, or text as written.

    Raises:
        RecordingError: no such column.
    """
    layout = read_layout(path)
    if name not in layout.names:
        raise RecordingError(path, f"no column {name!r}", "change `label_column`")
    place = layout.names.index(name)
    return to_column([cells[place] for _, cells in layout.rows()], layout.separator)


def open_table(path: Path, exclude: Sequence[str], rate_hz: float, factor: float) -> mne.io.BaseRaw:
    """Return a table of samples as a recording of EEG channels.

    Columns that count or time the samples are no channels, which the log says.

    Args:
        path: the table.
        exclude: names of columns that are left out.
        rate_hz: sampling rate.
        factor: from the numbers to V.

    Raises:
        RecordingError: no table of samples, a column of words, or too few rows.
    """
    table = read_samples(path).drop(columns=list(exclude), errors="ignore")
    words = [str(name) for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if words or not len(table.columns):
        raise RecordingError(
            path,
            f"column {words[0]!r} is not numeric" if words else "no column left",
            "name what is no channel in the study's `exclude`",
        )
    if len(table) < SHORTEST_S * rate_hz:
        reason = f"{len(table)} rows are {len(table) / rate_hz:.3g} s: no recording"
        raise RecordingError(path, reason, "leave it out, or correct `rate_hz`")
    clocks = [str(name) for name in table if is_clock(str(name), table[name].to_numpy(float))]
    for name in clocks:
        check_clock(name, table[name].to_numpy(float), rate_hz, path)
    if clocks:
        shown = ", ".join(clocks)
        logger.warning("%s: columns that count or time samples are no channels: %s", path, shown)
        table = table.drop(columns=clocks)
    if not len(table.columns):
        raise RecordingError(path, "no column left", "a table of samples has channels as columns")
    info = mne.create_info([str(name) for name in table], rate_hz, "eeg")
    return mne.io.RawArray(table.to_numpy(float).T * factor, info, verbose="error")


def check_clock(name: str, values: np.ndarray, rate_hz: float, path: Path) -> None:
    """Raise when a column of times tells another rate, or that samples are missing.

    Columns that count samples, and clocks that start anew or stand still, tell nothing.
    """
    steps = np.diff(values)
    if not len(steps) or not np.isfinite(steps).all() or not (steps > 0).all():
        return
    step = float(np.median(steps))
    factor = next((f for f in FACTORS if abs(step * rate_hz / f - 1) <= TOLERANCE), None)
    if factor is None:
        if TIMED.search(name) and step != 1:
            rates = ", ".join(f"{f / step:g}" for f in FACTORS[:2])
            reason = f"column {name!r} goes by steps of {step:g}, not those of {rate_hz:g} Hz"
            remedy = f"correct `rate_hz` ({rates} if these are s, ms), or name it in `exclude`"
            raise RecordingError(path, reason, remedy)
        return
    widest = int(steps.argmax())
    missing = (steps[widest] - step) / factor
    # What a network delivers late is made up for by shorter steps after it.
    late = (values[-1] - values[0]) / factor - len(steps) / rate_hz
    if missing > SHORTEST_S and late > SHORTEST_S:
        reason = f"column {name!r} jumps by {missing:.3g} s after sample {widest + 1}"
        raise RecordingError(path, reason, "cut it there into two files, or name it in `exclude`")


def is_clock(name: str, values: np.ndarray) -> bool:
    """Return whether a column counts or times the samples, by its name or by its steps."""
    if name.startswith(UNNAMED):
        return True
    steps = np.diff(values)
    if CLOCKS.fullmatch(name.strip()) and (np.nan_to_num(steps) >= 0).mean() >= REGULAR:
        return True
    return counts(values)
