"""Depth electrodes: which contacts are neighbours on one shaft, by name or by place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from ..errors import UserError

#: Contacts of one shaft are numbered along it: `A1`, `TI'3`, `LGA12`.
CONTACT = re.compile(r"^(?P<shaft>\D.*?'?)(?P<number>\d+)$")
#: A difference of two contacts, as bipolar recordings name it: `A1-A2`.
DIFFERENCE = re.compile(r"^(?P<first>\D.*?\d+)\s*-\s*(?P<second>(\D.*?)?\d+)$")
#: Distance of neighbours on the shafts of common makers (mm): 3.5 and 5 centre to centre, up to 10
#: for widely spaced ones; strips and grids have 10.
MOST_MM = 12.0
#: Neighbours are at most so many times as far apart as the closest contacts of the shaft.
SPREAD = 1.6
#: Smallest angle between the directions to both neighbours: a shaft is straight, and may bend a bit
#: where positions are rounded.
STRAIGHT_DEG = 140.0


def neighbours(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of contacts with consecutive numbers on one shaft, by shaft and number."""
    contacts: dict[tuple[str, int], str] = {}
    for name in names:
        contact = CONTACT.match(name)
        if contact:
            contacts[contact["shaft"], int(contact["number"])] = name
    return [
        (name, contacts[shaft, number + 1])
        for (shaft, number), name in sorted(contacts.items())
        if (shaft, number + 1) in contacts
    ]


def shaft_of(name: str) -> str | None:
    """Return the shaft that a contact's name tells, None for no contact.

    >>> shaft_of("TI'3"), shaft_of("LGA12"), shaft_of("DC")
    ("TI'", 'LGA', None)
    """
    contact = CONTACT.match(name)
    return contact["shaft"] if contact else None


def check_single(names: Sequence[str]) -> None:
    """Raise `UserError` for channels that are differences of contacts already."""
    pairs = [name for name in names if DIFFERENCE.match(name)]
    if pairs:
        raise UserError(
            f"reference: bipolar: {pairs[0]} ({len(pairs)} of {len(names)} channels) is a "
            "difference already: mixed references; leave the step out, or those channels"
        )


def chains(places_mm: np.ndarray, most_mm: float = MOST_MM) -> list[list[int]]:
    """Return shafts as chains of neighbours, found from the places of the contacts alone.

    The closest pairs are linked first; a contact has at most two links, which lie on a line, and
    all links of a shaft are about as long. Each chain begins at its end that is nearer to the
    midline (x = 0), which is the deepest contact; chains come in the order of their first contact.

    Args:
        places_mm: (C, 3) with x to the right of the midline.
        most_mm: largest distance of neighbours.

    Returns:
        indices of the contacts of each shaft; lone contacts are chains of one.
    """
    distances = np.linalg.norm(places_mm[:, None] - places_mm[None], axis=-1)
    pairs = np.argwhere(np.triu(distances <= most_mm, 1))
    order = np.argsort(distances[pairs[:, 0], pairs[:, 1]], kind="stable")
    links: list[list[int]] = [[] for _ in places_mm]
    group = list(range(len(places_mm)))
    shortest = [np.inf] * len(places_mm)
    for a, b in pairs[order].tolist():
        least = min(shortest[group[a]], shortest[group[b]])
        if group[a] == group[b] or distances[a, b] > SPREAD * least:
            continue
        if not all(_goes_on(places_mm, links[one], one, other) for one, other in ((a, b), (b, a))):
            continue
        links[a].append(b)
        links[b].append(a)
        old, new = group[b], group[a]
        group = [new if g == old else g for g in group]
        shortest[new] = min(least, float(distances[a, b]))
    return sorted(_walks(links, places_mm))


def _goes_on(places: np.ndarray, linked: Sequence[int], one: int, other: int) -> bool:
    """Return whether a link to `other` continues the shaft at `one` in a line."""
    if not linked:
        return True
    if len(linked) > 1:
        return False
    here, there = places[linked[0]] - places[one], places[other] - places[one]
    cosine = here @ there / max(1e-12, float(np.linalg.norm(here) * np.linalg.norm(there)))
    return bool(cosine <= np.cos(np.deg2rad(STRAIGHT_DEG)))


def _walks(links: Sequence[Sequence[int]], places: np.ndarray) -> list[list[int]]:
    """Return the contacts of each chain from its deeper end to the other."""
    left, result = set(range(len(links))), []
    for start in range(len(links)):
        if start not in left or len(links[start]) > 1:
            continue
        chain, before = [start], -1
        while True:
            further = [k for k in links[chain[-1]] if k != before]
            if not further:
                break
            before = chain[-1]
            chain.append(further[0])
        left -= set(chain)
        deep = abs(places[chain[0], 0]) <= abs(places[chain[-1], 0])
        result.append(chain if deep else chain[::-1])
    return result


def neighbours_by_place(
    names: Sequence[str], places_mm: np.ndarray, most_mm: float = MOST_MM
) -> list[tuple[str, str]]:
    """Return pairs of neighbours on one shaft, the deeper one first.

    Args:
        names: C.
        places_mm: (C, 3).
        most_mm: largest distance of neighbours.

    Raises:
        UserError: a contact without a place.
    """
    missing = [
        n for n, p in zip(names, places_mm, strict=True) if not np.isfinite(p).all() or not p.any()
    ]
    if missing:
        raise UserError(
            f"reference: bipolar by places: {missing[0]} has no place ({len(missing)} of "
            f"{len(names)} channels); give electrodes.tsv, leave them out, or use by: names"
        )
    pairs = []
    for chain in chains(places_mm, most_mm):
        pairs += [(names[a], names[b]) for a, b in pairwise(chain)]
    return pairs


def agreement(by_name: Sequence[tuple[str, str]], by_place: Sequence[tuple[str, str]]) -> float:
    """Return the share of the pairs by name that are pairs by place too, in either order."""
    other = {frozenset(pair) for pair in by_place}
    return sum(frozenset(pair) in other for pair in by_name) / len(by_name) if by_name else 0.0


def shafts_by_name(names: Sequence[str]) -> Mapping[str, list[str]]:
    """Return shaft -> its contacts in order of their numbers; names that are no contacts are left.

    >>> shafts_by_name(["B2", "A10", "A2", "EKG", "B1"])
    {'A': ['A2', 'A10'], 'B': ['B1', 'B2']}
    """
    shafts: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        contact = CONTACT.match(name)
        if contact:
            shafts.setdefault(contact["shaft"], []).append((int(contact["number"]), name))
    return {shaft: [n for _, n in sorted(shafts[shaft])] for shaft in sorted(shafts)}
