"""`scripts.encode_condition`: sentences of a data set or a file, once each; bad input in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bm.features.encodings import EncodingCache
from bm.tests.features.models import bert
from scripts._arguments import main_of
from scripts.encode_condition import command


def run(*words: str, overrides: tuple[str, ...] = ()) -> int:
    return main_of(command, words, overrides=overrides)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_sentences_are_encoded_once(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = bert(tmp_path / "bert")
    words = (f"encoder={model}", "tokens=12", "device=cpu")
    dset = ("dset=eegdiff/simulated_sentences_tiny",)
    assert run(*words, overrides=dset) == 0
    assert "25 sentences encoded, 25 in" in capsys.readouterr().out  # and the empty one
    assert run(*words, overrides=dset) == 0
    assert "0 sentences encoded, 25 in" in capsys.readouterr().out
    (tmp_path / "lines.txt").write_text("the rabbit ran\n\na rabbit\n")
    assert run(*words, f"texts={tmp_path}/lines.txt", f"out={tmp_path}/states") == 0
    assert "3 sentences encoded" in capsys.readouterr().out
    states = EncodingCache(tmp_path / "states").read(["the rabbit ran", ""])
    assert [len(one) for one in states.values()] == [5, 2]
    (folder,) = (cache / "encodings").iterdir()
    assert folder.name.startswith("bert-")


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    for words, overrides, message in [
        ((), (), "which sentences"),
        ((f"texts={tmp_path}/empty.txt", "encoder=hashed"), (), "no sentence in it"),
        ((f"texts={tmp_path}/none.txt", "encoder=hashed"), (), "No such file"),
        (("encoder=hashed",), ("dset=eegdiff/simulated_motor_tiny",), "has no sentences"),
    ]:
        assert run(*words, overrides=overrides) == 2
        err = capsys.readouterr().err
        assert message in err and err.count("\n") == 1
