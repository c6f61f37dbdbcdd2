"""`python -m scripts.predict sig=SIG|model=FOLDER path=RECORDING [out=FILE.csv] ...`: predictions.

Reads one recording in any format of MNE-Python, makes windows as the model was trained on, and
prints a row per window: when it begins, the label, the probability of each class.

  python -m scripts.predict sig=ab12cd34 path=day2.edf
  python -m scripts.predict model=models/motor path=day2.edf out=day2.csv stride_s=0.5
  python -m scripts.predict model=models/motor path=day2.edf onsets_s=[12.0,20.5]

  stride_s=0.5        seconds between windows; left out: one after the other
  onsets_s=[12,20.5]  windows at events alone, in seconds from the first sample
  unit=uV             of a file that states a wrong unit
  subject=study/s01   of a model that learned something of each person
  device=auto         cpu, cuda
  trust_target=true   the saved model may name a class by a dotted path: its code runs
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bm.errors import UserError

from ._arguments import device_of, main_of

SHOWN = 20  # rows that are printed


@dataclass(frozen=True)
class Request:
    """The arguments of the command."""

    sig: str | None = None
    model: str | None = None
    path: str | None = None
    out: str | None = None
    stride_s: float = 0.0
    onsets_s: Sequence[str] | None = None
    unit: str | None = None
    subject: str | None = None
    device: str = "auto"
    trust_target: bool = False


def command(request: Request) -> int:
    """Predict from one recording; the table goes to `out` too."""
    import pandas as pd

    from bm.predict.predictor import Predictor
    from bm.readers.raw import Reading, open_raw
    from bm.writing import write_text

    if (request.sig is None) == (request.model is None) or request.path is None:
        raise UserError("which model and recording? use: sig=ab12cd34 path=day2.edf")
    source = f"//sig/{request.sig}" if request.sig is not None else str(request.model)
    predictor = Predictor.from_pretrained(source, device_of(request.device), request.trust_target)
    raw = open_raw(Path(request.path).expanduser(), Reading())
    options: dict[str, Any] = {"unit": request.unit, "subject": request.subject}
    if request.stride_s:
        options["stride_s"] = request.stride_s
    if request.onsets_s is not None:
        options["onsets_s"] = _numbers("onsets_s", request.onsets_s)
    table = predictor.predict(raw, **options)
    if not isinstance(table, pd.DataFrame):
        raise UserError(f"the model predicts {predictor.kind}: use bm.Predictor in Python")
    print(table.head(SHOWN).to_string(index=False, float_format=lambda x: f"{x:.3f}"))
    if len(table) > SHOWN:
        print(f"... {len(table)} windows")
    if request.out is not None:
        write_text(Path(request.out).expanduser(), table.to_csv(index=False))
        print(f"written: {request.out}")
    return 0


def prediction(**values: Any) -> int:
    """Run `command` with the fields of `Request` as keyword arguments."""
    return command(Request(**values))


def _numbers(key: str, words: Sequence[str] | str) -> list[float]:
    try:
        return [float(word) for word in ([words] if isinstance(words, str) else words)]
    except ValueError:
        raise UserError(f"{key}={words}: use seconds, e.g. [12.0,20.5]") from None


if __name__ == "__main__":
    sys.exit(main_of(prediction, record=Request))
