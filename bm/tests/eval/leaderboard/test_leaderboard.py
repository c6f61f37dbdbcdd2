"""The leaderboard: what stands on a board, who chooses, what is refused, and how long it takes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from bm.errors import UserError
from bm.eval.leaderboard import sections
from bm.eval.leaderboard.boards import boards_of, ranked
from bm.eval.leaderboard.entries import entries_of
from bm.eval.leaderboard.sections import write_leaderboard
from bm.eval.published.records import records


def write_experiment(
    outputs: Path,
    sig: str,
    model: str = "eegnet",
    dataset: str = "d0",
    value: float = 0.6,
    valid: float = 0.5,
    **keys: object,
) -> Path:
    """An experiment that finished, with what the leaderboard reads of it."""
    marks, data_hash = keys.pop("marks", []), keys.pop("data_hash", "h")
    folder = outputs / "xps" / sig
    folder.mkdir(parents=True)
    dset = {"dset.name": dataset, "dset.split.seed": 0, "dset.studies": [{"study": "eegmat"}]}
    config = {"solver.name": "supervised", "model.name": model, "seed": 0, **dset, **keys}
    perf = {"seconds": 20.0, "parameters": 1000.0, "flops_per_item": 2e6, "assumed_w": 10.0}
    files = {
        ".argv.json": ["solver=supervised/motor"],
        "finished.json": {"epoch": 1},
        "guard.json": {"config": config, "data_hash": data_hash},
        "audit.json": {"marks": marks},
        "history.json": [{"valid": {"accuracy": valid}, "perf": perf}],
        "evaluation.json": {
            "metrics": {"accuracy": value},
            "chance": {"accuracy": 0.25},
            "n_items": 96,
            "simulated": False,
            "extra": {"table": ["accuracy"], "unit": "8 people",
                      "intervals": {"accuracy": [value - 0.1, value + 0.1]}},
        },
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder


def test_validation_chooses_and_seeds_are_averaged(tmp_path: Path) -> None:
    write_experiment(tmp_path, "00000001", value=0.9, valid=0.5, **{"optim.lr": 1})
    write_experiment(tmp_path, "00000002", value=0.6, valid=0.7, **{"optim.lr": 2})
    write_experiment(tmp_path, "00000003", value=0.7, valid=0.7, **{"optim.lr": 2, "seed": 1})
    write_experiment(tmp_path, "00000004", model="csp", value=0.5)
    (board,) = boards_of(entries_of(tmp_path))
    first, second = board.standings
    assert (first.model, first.values, first.configurations) == ("eegnet", [0.6, 0.7], 2)
    assert first.interval is None and second.interval == pytest.approx((0.4, 0.6))
    assert (second.model, board.chance, board.n_items) == ("csp", 0.25, 96)
    assert first.cost.seconds == 20.0 and first.cost.watt_hours == pytest.approx(20 * 10 / 3600)


def test_leaks_other_splits_and_changed_data_are_kept_apart(tmp_path: Path) -> None:
    write_experiment(tmp_path, "00000001", marks=["leak"], value=0.99)
    write_experiment(tmp_path, "00000002")
    write_experiment(tmp_path, "00000003", model="csp", **{"dset.split.seed": 1})
    old = write_experiment(tmp_path, "00000004", model="lda", data_hash="before")
    (old / "finished.json").touch()
    later = time.time() + 10

    os.utime(tmp_path / "xps/00000002/finished.json", (later, later))
    boards = boards_of(entries_of(tmp_path))
    assert [[s.sigs for s in board.standings] for board in boards] == [
        [["00000002"]],
        [["00000003"]],
    ]
    assert sorted(boards[0].left_out) == [
        "00000001: its audit found a leak",
        "00000004: of data that have changed since",
    ]
    text = write_leaderboard(tmp_path).read_text()
    assert "Not comparable with the first board" in text and "dset.split.seed = 1" in text
    assert "0.990" not in text


def test_models_on_the_same_data_sets_are_ranked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "MOST_FIGURES", 1)
    for number in range(7):
        for place, model in enumerate(("eegnet", "shallow", "csp")):
            write_experiment(
                tmp_path, f"000{number}000{place}", model, f"d{number}", 0.9 - place / 10
            )
    write_experiment(tmp_path, "000f0000", "rare", "d0", 0.95)
    boards = boards_of(entries_of(tmp_path))
    result = ranked(boards)
    assert result is not None
    ranks, shared = result
    assert ranks.means == {"eegnet": 1.0, "shallow": 2.0, "csp": 3.0} and len(shared) == 7
    text = write_leaderboard(tmp_path).read_text()
    assert "Mean ranks over 7 data sets" in text and "critical distance" in text
    assert '<a href="../xps/00000000">00000000</a>' in text
    assert "training s" in text and "0.0556" in text  # 20 s x 10 W in Wh


def test_rows_of_others_have_a_date_and_a_source(tmp_path: Path) -> None:
    write_experiment(tmp_path, "00000001", dataset="tuev")
    rows = records()
    assert all(row.date and row.source and 0 <= row.value.value <= 1 for row in rows)
    text = write_leaderboard(tmp_path).read_text()
    assert "REVE" in text and "read November 2026" in text
    # another metric than ours: below, and not beside ours
    assert "published: REVE" not in text
    assert {"tuab", "gwilliams2022", "duin", "scp1"} <= {row.dataset for row in rows}


def test_without_results_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished experiment with an evaluation"):
        write_leaderboard(tmp_path)


def test_a_thousand_experiments_are_a_page_in_seconds(tmp_path: Path) -> None:
    for number in range(1000):
        model, dataset = f"model{number % 10}", f"d{number // 10 % 10}"
        write_experiment(
            tmp_path, f"{number:08x}", model, dataset, 0.3 + (number * 7 % 600) / 1000, 0.5,
            seed=number // 100,
        )  # fmt: skip
    begun = time.process_time()
    text = write_leaderboard(tmp_path).read_text()
    assert time.process_time() - begun < 10
    assert text.count("<svg") == 11 and "1000 experiments on 10 data sets" in text
