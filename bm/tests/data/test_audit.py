"""Audit: planted leaks are found, clean splits are clean."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bm.data.audit import audit_table
from bm.train import main
from scripts import audit


def table(*rows: tuple[int, float, str]) -> pd.DataFrame:
    """Windows of 2 s at 100 Hz from (recording, start in seconds, split)."""
    frame = pd.DataFrame(rows, columns=["recording", "start_s", "split"])
    frame["start"], frame["length"] = (frame["start_s"] * 100).astype(int), 200
    frame["length_s"] = 2.0
    return frame.assign(study="s", subject=frame["recording"].astype(str), session="0", run="0")


def story(offset: float, uids: tuple[str, str] = ("u0", "u1"), file: str = "a.wav") -> pd.DataFrame:
    """One sound of 10 s with two sentences of 5 s, `offset` seconds into its file."""
    sound = {"kind": "sound", "start_s": 0.0, "duration_s": 10.0, "filepath": file,
             "offset": offset}  # fmt: skip
    return pd.DataFrame([sound] + [
        {"kind": "sentence", "start_s": 5.0 * i, "duration_s": 5.0, "sequence_uid": uid}
        for i, uid in enumerate(uids)
    ])  # fmt: skip


def test_a_clean_split_is_clean() -> None:
    rows = table((0, 1.0, "train"), (0, 5.0, "test"), (1, 1.0, "train"), (1, 6.0, "test"))
    assert audit_table(rows, [story(0.0), story(0.0)]) == []


@pytest.mark.parametrize("pair", [("train", "test"), ("valid", "test"), ("train", "valid")])
def test_shared_recording_time_is_found(pair: tuple[str, str]) -> None:
    findings = audit_table(table((0, 1.0, pair[0]), (0, 2.5, pair[1])), [pd.DataFrame()])
    assert [(f.what, f.where, f.splits, f.count) for f in findings] == [
        ("recording time", "s/0/0/0", pair, 1)
    ]


def test_a_sentence_heard_by_two_people_is_found() -> None:
    rows = table((0, 1.0, "train"), (1, 6.0, "test"))
    findings = audit_table(rows, [story(0.0), story(0.0, ("x", "u0"), "b.wav")])
    assert [(f.what, f.where) for f in findings] == [("sentence", "u0")]
    assert str(findings[0]) == "sentence: 1 windows of test share u0 with train"


def test_seconds_of_one_file_are_compared_and_not_its_name() -> None:
    events = [story(0.0, ("a", "b")), story(4.0, ("c", "d"))]
    # The second person's file begins at 4 s: 1 s of the recording is 5 s of the file.
    assert audit_table(table((0, 1.0, "train"), (1, 1.0, "test")), events) == []
    findings = audit_table(table((0, 6.0, "train"), (1, 1.0, "test")), events)
    assert [(f.what, f.where) for f in findings] == [("audio", "a.wav")]


def run(*words: str) -> int:
    return audit.main_of(audit.command, words)


def test_command_on_a_data_set(monkeypatch, capsys) -> None:
    assert run("dset=simulated_motor") == 0
    assert "clean: the splits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "audit what?"),
        (["sig=ab12cd34", "dset=simulated_motor"], "audit what?"),
        (["dset=simulated_motr"], "simulated_motor"),
        (["sig=00000000"], "no experiment '00000000'"),
        (["sgi=ab12cd34"], "did you mean 'sig'"),
    ],
)
def test_wrong_use_is_exit_code_2(
    words: list[str], message: str, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(main.dora, "dir", tmp_path)
    assert run(*words) == 2
    assert message in capsys.readouterr().err


def test_command_finds_a_leak_through_the_upstream_address(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(main.dora, "dir", tmp_path)
    tiny = "dset.studies=[{study: simulated, mode: motor, preset: tiny}]"
    up = main.get_xp([tiny, "dset.split.fixed={test: {session: ['0']}}"])
    main.init_xp(up)
    for origin, code in ((f"//sig/{up.sig}", 1), (None, 0)):
        down = main.get_xp([tiny, *([f"init_from={origin}"] if origin else [])])
        main.init_xp(down)
        assert run(f"sig={down.sig}") == code
        out = capsys.readouterr().out
        assert (f"with train of //sig/{up.sig}" in out) == bool(code)
