"""`python -m scripts.export sig=ab12cd34 out=FOLDER [licence=cc-by-4.0]`: a model for others.

Writes the best weights of a finished experiment with configuration, data facts, evaluation and a
card (data, use, metrics with intervals, licence). Nothing is sent anywhere.

  python -m scripts.export sig=ab12cd34 out=models/motor
  python -c "import bm; print(bm.Predictor.from_pretrained('models/motor').classes)"
  hf upload me/motor models/motor      # where there is a network, with the tool of huggingface_hub
"""

from __future__ import annotations

import sys
from pathlib import Path

from bm.errors import UserError

from ._arguments import main_of


def command(sig: str | None = None, out: str | None = None, licence: str = "other") -> int:
    """Export the best model of an experiment."""
    from bm.eval.experiments import of_sigs
    from bm.eval.export import export
    from bm.train import main

    if sig is None or out is None:
        raise UserError("which model, and where to? use: sig=ab12cd34 out=FOLDER")
    folder = export(of_sigs([sig], main)[0], Path(out).expanduser(), licence)
    print(f"written: {folder}")
    print(f"next: python -m scripts.predict model={folder} path=RECORDING")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(command))
