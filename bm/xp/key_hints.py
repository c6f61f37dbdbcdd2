"""What a key that nobody knows may stand for: the end of the message that refuses it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from ..errors import nearest

SHOWN = 3  # keys of one last part that a message lists


def nearest_key(key: str, part: str, siblings: object, whole: Sequence[str]) -> str:
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


def nearest_option(group: str, option: str, options: Sequence[str]) -> str:
    """Return which option of a group is meant: those of a family, of one last part, else alike.

    >>> nearest_option("solver", "motor", ["eegdiff/motor", "supervised/motor", "labram/tuev"])
    "; did you mean 'eegdiff/motor' or 'supervised/motor'?"
    >>> nearest_option("solver", "labram", ["eegdiff/motor", "labram/debug", "labram/tuev"])
    '; choose one of labram: debug, tuev'
    >>> nearest_option("solver", "labrm/debug", ["eegdiff/debug", "labram/debug"])
    "; did you mean 'labram/debug'?"
    """
    inside = [name.removeprefix(f"{option}/") for name in options if name.startswith(f"{option}/")]
    if inside:
        return f"; choose one of {option}: {', '.join(sorted(inside))}"
    last = option.strip(" []").removesuffix(".yaml").rpartition("/")[2].lower()
    same = sorted(name for name in options if last and name.rpartition("/")[2] == last)
    whole = option.strip(" []").removesuffix(".yaml").removeprefix(f"conf/{group}/").lower()
    same = [whole] if whole in options else same
    # a family with a typing error in it, not every family that has such a recipe
    alike = difflib.get_close_matches(whole, same, n=1, cutoff=0.9) if "/" in whole else []
    same = alike or same
    if same:
        return f"; did you mean {' or '.join(map(repr, same[:SHOWN]))}?"
    hint = nearest(option, options)
    if group == "dset":
        hint += (
            " your own recordings: dset=folder" if hint else "; your own recordings: dset=folder"
        )
    return hint or f"; all of them are in conf/{group}/"


def nearest_argument(name: str, arguments: Sequence[str]) -> str:
    """Return which argument of the model a mistyped one is, else all of them.

    >>> nearest_argument("f3", ["f1", "dropout"])
    "; did you mean 'model.f1'?"
    """
    close = difflib.get_close_matches(name, arguments, n=1, cutoff=0.5)
    names = sorted({f"model.{argument}" for argument in arguments})
    return f"; did you mean 'model.{close[0]}'?" if close else f"; known: {', '.join(names)}"


def _depth(name: str) -> tuple[int, bool, str]:
    # of keys of one depth those of training are meant oftenest
    return name.count("."), not name.startswith("optim."), name
