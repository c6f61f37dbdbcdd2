"""bm: five published brain-signal systems behind one command line."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .eval.inventory import experiments
    from .predict.decoder import Decoder
    from .predict.predictor import Predictor

__version__ = "0.1.0"
__all__ = ["Decoder", "Predictor", "__version__", "experiments"]

#: Names of the package -> modules, imported when they are asked for: the command line imports this
#: file, and nothing heavy with it.
_LAZY = {
    "Predictor": "bm.predict.predictor",
    "Decoder": "bm.predict.decoder",
    "experiments": "bm.eval.inventory",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'bm' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
