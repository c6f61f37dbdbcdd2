"""A saved model whose small files are damaged is named in one line, wherever it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bm.errors import UserError
from bm.models.eegdiff.facts import WaveFacts
from bm.models.saved import read_config, read_facts
from bm.solvers.build_data import CHANNELS_FILE, named_channels

DAMAGED = ["", '{"channels": ["Cz"', "[]", "3", "null"]


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_facts_and_arguments_are_one_line(tmp_path: Path, text: str) -> None:
    for name, read in (("facts.json", read_facts), ("config.json", read_config),
                       ("facts.json", WaveFacts.read)):  # fmt: skip
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match=rf"{name}: damaged") as caught:
            read(tmp_path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [*DAMAGED, "{}"])
def test_a_damaged_choice_of_channels_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / CHANNELS_FILE).write_text(text)
    with pytest.raises(UserError, match="damaged; run the choice of channels again"):
        named_channels("//sig/12345678", lambda address: tmp_path)


def test_a_folder_without_facts_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"facts\.json is missing"):
        read_facts(tmp_path)
