"""Datasets by name: where files are and how their events are read."""

from __future__ import annotations

from typing import Any

from ..registry import Registry

#: name -> module; a study is a class built with its own keyword arguments, see `base.Study`.
STUDIES: Registry[Any] = Registry("study", {"simulated": "bm.studies.simulated"})
