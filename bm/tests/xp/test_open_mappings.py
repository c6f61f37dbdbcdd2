"""`dset.split.fixed` on a command line: a mapping stands for itself, null unsets a default."""

from __future__ import annotations

from typing import Any

import pytest

from bm.train import main


@pytest.mark.parametrize(
    ("dset", "word", "fixed"),
    [
        ("folder", "={test: {subject: ['02']}}", {"test": {"subject": ["02"]}}),
        ("folder", ".test.subject=['02']", {"test": {"subject": ["02"]}}),
        ("folder", "={}", {}),
        ("simulated_motor", "={}", {"test": {"session": None}}),
        ("simulated_motor", "=null", {"test": {"session": None}}),
        ("simulated_motor", ".test=null", {"test": {"session": None}}),
        ("simulated_motor", "={test: {session: ['0']}}", {"test": {"session": ["0"]}}),
        (
            "simulated_motor",
            "={test: {subject: ['a b']}}",
            {"test": {"session": None, "subject": ["a b"]}},
        ),
        (
            "eegmmidb_windows",
            "={test: {run: ['09']}}",
            {"test": {"run": ["09"]}, "valid": {"run": None}},
        ),
    ],
)
def test_fixed_is_what_is_typed(dset: str, word: str, fixed: dict[str, Any]) -> None:
    xp = main.resolve([f"dset={dset}", f"dset.split.fixed{word}"])
    assert xp.cfg.dset.split.fixed == fixed
    # What is stored and handed to Hydra gives the same experiment again.
    again = main.resolve(xp.argv)
    assert (again.sig, again.cfg) == (xp.sig, xp.cfg)
    assert main._compose(list(xp.argv)).dset.split.fixed == fixed


def test_spellings_of_one_meaning_are_one_experiment() -> None:
    words = ("dset.split.fixed={test: {subject: ['02']}}", "dset.split.fixed.test.subject=['02']",
             "+dset.split.fixed.test.subject=['02']")  # fmt: skip
    assert len({main.resolve(["dset=folder", word]).sig for word in words}) == 1
