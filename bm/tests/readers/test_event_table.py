"""Tables of text: every cell means what is written in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bm.errors import RecordingError
from bm.readers.event_table import clean_events, read_table
from bm.readers.sample_table import open_table


def written(folder: Path, text: str, name: str = "x.tsv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_words_that_look_missing_are_words(tmp_path: Path) -> None:
    words = ["null", "NA", "None", "nan", "N/A", '"', "5''", "True"]
    table = read_table(written(tmp_path, "word\tx\n" + "".join(f"{w}\t1\n" for w in words)))
    assert table["word"].tolist() == words


def test_empty_and_n_a_are_missing(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a\tb\tc\nn/a\t1\tx\n2\t\tn/a\n"))
    assert table["a"].tolist() == [None, 2] and table["b"].tolist() == [1, None]
    assert table["c"].tolist() == ["x", None]


def test_whole_numbers_stay_whole_and_padded_ones_are_names(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "code\tid\tx\ty\n1\t01\t0.5\t1e3\nn/a\t10\t2\tn/a\n"))
    assert table["code"].tolist() == [1, None] and isinstance(table["code"].iloc[0], int)
    assert table["id"].tolist() == ["01", "10"]
    assert table["x"].tolist() == [0.5, 2.0]
    assert table["y"].iloc[0] == 1000.0 and np.isnan(table["y"].iloc[1])


@pytest.mark.parametrize(
    "text",
    ["a\tb\n1.5\tx\n", "a,b\n1.5,x\n", "a;b\n1,5;x\n", "a;b\n1.5;x\n", 'a,b\n1.5,"x"\n'],
)
@pytest.mark.parametrize("name", ["x.tsv", "x.csv"])
def test_the_separator_is_recognised(text: str, name: str, tmp_path: Path) -> None:
    table = read_table(written(tmp_path, text, name))
    assert table["a"].tolist() == [1.5] and table["b"].tolist() == ["x"]


def test_quoted_cells_may_hold_the_separator(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, 'a,b\n1,"x, y"\n2,"say ""no"""\n', "x.csv"))
    assert table["b"].tolist() == ["x, y", 'say "no"']


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty table"),
        ("1\t2\n3\t4\n", "no line of names: it begins with 1, 2"),
        ("a\ta\n1\t2\n", "two columns 'a'"),
        ("a\tb\n1\t2\n3\n", "row 3 has 1 cells"),
        ("a\tb\n\n1\t2\t3\n", "row 3 has 3 cells"),
        ("a\tb\0\n", "bytes of zero"),
    ],
)
def test_what_is_no_table_is_named_with_its_row(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=message) as caught:
        read_table(written(tmp_path, text))
    assert str(tmp_path / "x.tsv") in str(caught.value)


def events(folder: Path, *rows: str) -> pd.DataFrame:
    path = written(folder, "start_s\tduration_s\tlabel\n" + "\n".join(rows) + "\n")
    return clean_events(read_table(path), path)


def test_rows_are_sorted_and_those_without_onset_counted(tmp_path: Path, caplog) -> None:
    table = events(tmp_path, "5\t0\ta", "n/a\t0\tb", "1\tn/a\tc", "5\t0\ta")
    assert table["start_s"].tolist() == [1.0, 5.0] and table["label"].tolist() == ["c", "a"]
    assert table["duration_s"].tolist() == [0.0, 0.0]
    assert "1 events without onset left out (rows 3)" in caplog.text
    assert "1 events repeat another, left out (rows 5)" in caplog.text
    assert "not in order of time; sorted" in caplog.text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1\t-2\ta", "row 2: the duration is -2"),
        ("soon\t0\ta", "row 2: the onset is soon"),
        ("nan\t0\ta", "row 2: the onset is nan"),
        ("1,5\t0\ta", "row 2: the onset is 1,5"),
        ("1\tlong\ta", "row 2: the duration is long"),
    ],
)
def test_times_that_are_none_are_named(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=f"x.tsv: {message}; give seconds"):
        events(tmp_path, row, "3\t0\tb")


def test_clocks_of_a_table_of_samples_are_no_channels(tmp_path: Path, caplog) -> None:
    rng = np.random.default_rng(0)
    uv = np.round(rng.normal(0, 20, (600, 2)), 1)
    rows = [f"{i},{i / 200},{7 * i},{a},{b}" for i, (a, b) in enumerate(uv.tolist())]
    path = written(tmp_path, ",time,foo,Fp1,Fp2\n" + "\n".join(rows) + "\n", "x.csv")
    raw = open_table(path, [], 200.0, 1e-6)
    assert raw.ch_names == ["Fp1", "Fp2"]
    np.testing.assert_allclose(raw.get_data() * 1e6, uv.T, atol=1e-9)
    assert "unnamed 0, time, foo" in caplog.text
    with pytest.raises(RecordingError, match=r"600 rows are 0\.3 s: no recording"):
        open_table(path, [], 2000.0, 1e-6)


@pytest.mark.parametrize(
    ("name", "times", "message"),
    [
        ("time", np.arange(300) / 250, "goes by steps of 0.004, not those of 100 Hz"),
        (
            "time",
            np.arange(300) / 100 + 50.0 * (np.arange(300) > 149),
            "jumps by 50 s after sample 150",
        ),
        ("t_ms", np.arange(300) * 10.0 + 9000.0 * (np.arange(300) > 149), "jumps by 9 s"),
        ("time", np.arange(300) / 100, None),
        ("timestamp", 1.6e9 + np.arange(300) / 100, None),
        ("Time (ms)", np.arange(300) * 10.0, None),
        ("index", np.arange(300), None),
        ("sample", np.arange(300) % 256, None),
        ("time", np.arange(300), None),  # counted in samples
    ],
)
def test_a_column_of_times_tells_the_rate_and_gaps(
    name: str, times: np.ndarray, message: str | None, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).normal(0, 20, (300, 2))
    rows = "".join(f"{t:.4f},{a:.2f},{b:.2f}\n" for t, (a, b) in zip(times, x, strict=True))
    path = written(tmp_path, f"{name},C3,C4\n{rows}", "x.csv")
    if message is None:
        assert open_table(path, (), 100.0, 1e-6).ch_names == ["C3", "C4"]
    else:
        with pytest.raises(RecordingError, match=message):
            open_table(path, (), 100.0, 1e-6)
