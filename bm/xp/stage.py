"""Stages in a grid: schedule the upstream experiment and name it downstream by its signature."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import address

if TYPE_CHECKING:
    from dora import Launcher


def stage(launcher: Launcher, overrides: Mapping[str, Any]) -> str:
    """Schedule an upstream experiment; return its address for a downstream `init_from`.

    >>> up = stage(launcher, {"solver": "labram/tokenizer"})   # doctest: +SKIP
    >>> launcher({"solver": "labram/pretrain", "tokenizer": up})   # doctest: +SKIP
    """
    # Scheduled first, so that its job has a number when the downstream one names it.
    bound = launcher.bind(dict(overrides))
    bound()
    return f"//sig/{bound._main.get_xp(bound._argv).sig}"


def upstream(argv: list[str] | tuple[str, ...]) -> list[str]:
    """Return the signatures that the arguments of an experiment name, each once.

    Read from the text of the arguments: the address of a stage is part of the signature, so it can
    only come from there.
    """
    sigs = {}
    for argument in argv:
        key, _, text = argument.partition("=")
        if key.strip("+ ").split(".")[-1] in address.KEYS:
            sig = address.signature_of(text.strip().strip("'\""))
            if sig is not None:
                sigs[sig] = None
    return list(sigs)


def upstream_sigs(config: Mapping[str, Any]) -> list[str]:
    """Return the signatures that a configuration names, each once; see `address.KEYS`."""
    sigs = (address.signature_of(text) for text in address.addresses(config))
    return list(dict.fromkeys(sig for sig in sigs if sig is not None))


def folder_of(text: str, outputs: Path, xps: str = "xps") -> Path:
    """Return the folder that an address names, with experiments below `outputs`."""
    return address.resolve(text, outputs / xps)
