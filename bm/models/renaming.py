"""Names of tensors in published files, translated into ours by lists of patterns, one to one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

#: Pattern at the start of a published name, and what takes its place.
Rule = tuple[str, str]


def nested(prefix: str, replacement: str, parts: Mapping[str, str]) -> list[Rule]:
    """Rules of a published module: its prefix (a pattern) with the plain names of its parts."""
    return [(prefix + re.escape(theirs), replacement + ours) for theirs, ours in parts.items()]


def renamed(name: str, rules: Sequence[Rule]) -> str:
    """Translate a name by the first rule that matches its start; others stay as they are."""
    for pattern, replacement in rules:
        match = re.match(pattern, name)
        if match:
            return match.expand(replacement) + name[match.end() :]
    return name


def linear_names(names: Iterable[str], prefix: str) -> dict[str, str]:
    """Name the layers of a published classification head: `hidden.N` and, the last, `output`.

    Published indices count reshapes and dropouts too, so layers are numbered by their order among
    the indices that hold tensors.

    Args:
        names: all tensors of a file.
        prefix: pattern of the head's name, its trailing dot included.

    Returns:
        published name -> ours, the prefix left out.
    """
    pattern = re.compile(f"(?:{prefix})" + r"(?P<index>\d+)\.(?:0\.)?(?P<tensor>\w+)$")
    matches = [m for m in map(pattern.match, names) if m]
    indices = sorted({int(m["index"]) for m in matches})
    places = {index: f"hidden.{number}" for number, index in enumerate(indices)}
    places |= {index: "output" for index in indices[-1:]}
    return {m.string: f"{places[int(m['index'])]}.{m['tensor']}" for m in matches}


def regression_names(names: Iterable[str], prefix: str) -> dict[str, str]:
    """Name the layers of a published regression head as in `bm.nn.regression_head`.

    `N.0.1.*` are transposed convolutions; then linear layers `N.0.*`, with a norm `N.2.*` behind
    all but the last. Numbering, arguments and result as in `linear_names`.
    """
    pattern = re.compile(f"(?:{prefix})" + r"(?P<index>\d+)\.(?P<part>0\.1|0|2)\.(?P<tensor>\w+)$")
    matches = [m for m in map(pattern.match, names) if m]
    first = sorted({int(m["index"]) for m in matches if m["part"] == "0.1"})
    linear = sorted({int(m["index"]) for m in matches} - set(first))
    translated = {}
    for m in matches:
        index = int(m["index"])
        if index in first:
            place = f"convolutions.{first.index(index)}"
        elif index == linear[-1]:
            place = "output"
        else:
            place = f"hidden.{linear.index(index)}.{m['part']}"
        translated[m.string] = f"{place}.{m['tensor']}"
    return translated
