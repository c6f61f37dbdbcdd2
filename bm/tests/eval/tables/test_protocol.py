"""What cannot be compared is refused in one line, which names what differs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bm.errors import UserError
from bm.eval.tables.grid import compare
from bm.eval.tables.item_scores import Scores
from bm.eval.tables.protocol import Origin, flat
from bm.eval.tables.rows import Row, rows_of
from bm.tests.eval.evaluations import experiment, write_evaluation

DSET = {"split": {"seed": 1, "key": "subject"}, "rate_hz": 200.0}


def row(name: str, people: int = 8, items: slice = slice(None), **origin: object) -> Row:
    """A row of three items a person, of an experiment with its data."""
    codes = np.repeat(np.arange(people), 3)
    frame = pd.DataFrame({"score": (codes + len(name)) % 2.0, "class": 0, "study": "s"})
    frame["subject"] = codes.astype(str)
    result = Row("d", name, [0.5], scores=Scores(frame[items]))
    values = {"sig": f"sig{name}", "data_hash": "h1", "dset": flat(DSET), **origin}
    result.origins.append(Origin(**values))  # type: ignore[arg-type]
    return result


def refused(*rows: Row, against: str = "base") -> str:
    """Message of the refusal, one line."""
    with pytest.raises(UserError) as error:
        compare(list(rows), against)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_rows_that_share_their_protocol_are_compared() -> None:
    rows = [row("base"), row("networks", data_hash="h2", dset=flat({**DSET, "rate_hz": 100.0}))]
    compare(rows, "base")
    assert rows[1].difference is not None and rows[1].p is not None


def test_the_control_of_shuffled_windows_is_compared() -> None:
    """Symptom: the ablations of `clip` could not be compared with `base` at all."""
    rows = [row("base"), row("shuffled", data_hash="shuffled|h1")]
    compare(rows, "base")
    assert rows[1].p is not None
    assert "different data" in refused(row("base"), row("shuffled", data_hash="shuffled|h2"))


def test_other_splits_data_and_items_are_named() -> None:
    split = flat({**DSET, "split": {"seed": 2, "key": "subject"}})
    text = refused(row("base"), row("net", data_hash="h2", dset=split))
    assert "different splits: dset.split.seed (1, 2)" in text
    assert "different data: data_hash (h2, h1)" in refused(row("base"), row("net", data_hash="h2"))
    text = refused(row("base"), row("net", items=slice(0, 20)))
    assert "share 20 of 20 and 24 test items" in text


def test_fewer_than_two_rows_a_leak_and_one_unit() -> None:
    assert "fewer than two rows" in refused(row("base"))
    assert "signet: its audit found a leak" in refused(row("base"), row("net", marks=("leak",)))
    text = refused(row("base", people=1), row("net", people=1))
    assert "one unit of evidence (1 person)" in text


def test_a_row_without_the_metric(tmp_path) -> None:
    members = [experiment("aaaaaaaa", ""), experiment("bbbbbbbb", "model=net")]
    write_evaluation(tmp_path, "aaaaaaaa", {"accuracy": 0.5, "kappa": 0.1})
    write_evaluation(tmp_path, "bbbbbbbb", {"accuracy": 0.5})
    rows = rows_of(members, tmp_path, ["kappa"])
    text = refused(*rows)
    assert "row 'model=net' of d: bbbbbbbb has no kappa; choose a metric" in text
