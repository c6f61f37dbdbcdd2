"""What a key that nobody knows may stand for: the end of the message that refuses it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import nearest

SHOWN = 3  # keys of one last part that a message lists


def nearest_key(key: str, part: str, siblings: Any, whole: Sequence[str]) -> str:
    """Return the whole keys that a short one stands for, else the likeliest mistyped one.

    Args:
        key: as it was written.
        part: the first part of it that is not there.
        siblings: what is there in its place, by name.
        whole: all dotted keys.

    >>> nearest_key("lr", "lr", {"slurm": {}}, ["optim.lr", "seed"])
    "; did you mean 'optim.lr'?"
    """
    same = sorted((name for name in whole if name.endswith(f".{key}")), key=_depth)
    if same:
        return f"; did you mean {' or '.join(map(repr, same[:SHOWN]))}?"
    if isinstance(siblings, Mapping):
        # Two letters of `lr` are in `slurm` as well: short parts must be more alike.
        cutoff = 0.5 if len(part) > 6 else 0.6
        close = difflib.get_close_matches(part, map(str, siblings), n=1, cutoff=cutoff)
        if close and key.endswith(part):
            return f"; did you mean {key[: len(key) - len(part)] + close[0]!r}?"
    if key.count(".") == 1 and key.startswith("model."):
        # A file of conf/model need not list every argument of its network.
        return f"; an argument that its page does not list is added by +{key}=..."
    last = {name.rpartition(".")[2]: name for name in sorted(whole, key=_depth, reverse=True)}
    close = difflib.get_close_matches(part, last, n=1, cutoff=0.75)
    if close:
        return f"; did you mean {last[close[0]]!r}?"
    return nearest(key, whole) or "; all keys are in conf/ (config.yaml, dset/, model/, solver/)"


def _depth(name: str) -> tuple[int, str]:
    return name.count("."), name
