"""Pickles as plain data: what is read, in all protocols, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from bm.errors import RecordingError
from bm.readers.inert_pickle import read_pickle

from ..studies.duin_files import DotDict


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_protocol(protocol: int, tmp_path: Path) -> None:
    content = DotDict(
        floats=np.arange(6.0).reshape(2, 3),
        columns=np.asfortranarray(np.arange(6, dtype="<i2").reshape(2, 3)),
        texts=np.array(["A1", "B2"]),
        objects=np.array(["A1", None], dtype=object),
        big=np.arange(3, dtype=">f4"),
        one=np.float64(3.5),
        nested=[DotDict(name="a", raw=b"\x00\xff"), (1, 2.5, None, True)],
    )
    (tmp_path / "x").write_bytes(pickle.dumps(content, protocol))
    values = read_pickle(tmp_path / "x")
    assert type(values) is dict
    assert np.array_equal(values["floats"], content.floats)
    assert np.array_equal(values["columns"], content.columns)
    assert values["texts"].tolist() == ["A1", "B2"] and values["objects"] == ["A1", None]
    assert values["big"].tolist() == [0, 1, 2] and values["one"] == 3.5
    assert values["nested"] == [{"name": "a", "raw": b"\x00\xff"}, [1, 2.5, None, True]]


@pytest.mark.parametrize(
    "stream",
    [
        b"cos\nsystem\n(S'echo'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"c__builtin__\ngetattr\n(cnumpy\nndarray\nS'__class__'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cposixpath\njoin\n.",
        # attributes of a stand-in must not be set
        b"cnumpy.core.numeric\n_frombuffer\n(dS'__defaults__'\nNsb.",
        b"c_codecs\nencode\n(S'a'\nS'zip'\ntR.",
        b"Pabc\n.",
        b"",
        b"\x80\x04",
        b"garbage",
    ],
)
def test_other_names_and_damage_are_one_line(stream: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(stream)
    with pytest.raises(RecordingError) as error:
        read_pickle(tmp_path / "x")
    assert str(tmp_path / "x") in str(error.value) and "fetch" in str(error.value)
    assert "\n" not in str(error.value)


def test_random_damage_never_raises_anything_else(tmp_path: Path) -> None:
    whole = pickle.dumps([DotDict(name="a", x=np.arange(40.0).reshape(4, 10))], 4)
    rng, path = np.random.default_rng(0), tmp_path / "x"
    for _ in range(200):
        broken = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            broken[place] = rng.integers(256)
        path.write_bytes(bytes(broken[: rng.integers(1, len(whole) + 1)]))
        try:
            read_pickle(path)
        except RecordingError:
            continue
