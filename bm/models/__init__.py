"""Published systems and baselines: one module each, registered by name."""

from __future__ import annotations

from typing import Any

from ..registry import Registry

#: name -> module that registers it.
MODELS: Registry[Any] = Registry("model", {"eegnet": "bm.models.baselines"})
