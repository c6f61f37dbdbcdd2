"""The choice of channels: ranking, what is refused, and an address that later stages name."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import torch

from bm.errors import UserError
from bm.models.contract import ChannelRanker
from bm.models.duin.classifier import DuinClassifier
from bm.solvers.build_data import CHANNELS_FILE, named_channels
from bm.xp.stage import upstream

from ..experiments import run
from .small_seeg import CHOICE as SMALL
from .small_seeg import task

pytestmark = pytest.mark.story


def test_a_choice_is_an_address_for_later_stages(tmp_path) -> None:
    choice = run(tmp_path, "solver=duin/channels", "solver.keep=3", task(), *SMALL)
    stored = json.loads((choice.folder / CHANNELS_FILE).read_text())
    ranking = stored["ranking"]
    assert len(ranking) == 8 and ranking[0]["share"] == 1.0
    assert [row["name"] for row in ranking[:3]] == stored["channels"]
    assert all(a["share"] >= b["share"] for a, b in pairwise(ranking))
    assert all(row["share_error"] > 0 and row["loss_error"] > 0 for row in ranking)
    assert isinstance(choice.model, ChannelRanker)
    weights = choice.model.channel_weights()[0].abs().mean(1)
    best = choice.data.facts.channels[int(weights.argmax())]
    assert best == stored["channels"][0]
    assert (choice.folder / "figures/channels.svg").exists()

    address = f"//sig/{choice.xp.sig}"
    words = run(
        tmp_path, "solver=duin/cls", f"dset.channels={address}", task(), *SMALL,
        "log.figures=false",
    )  # fmt: skip
    assert list(words.data.facts.channels) == stored["channels"]
    assert upstream([f'dset.channels="{address}"']) == [choice.xp.sig]


def test_what_cannot_be_chosen_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="one person at a time, not 2"):
        run(tmp_path, "solver=duin/channels", task(2), *SMALL, "dset.channels=padded")
    with pytest.raises(UserError, match=r"solver\.keep=9: the recordings have 8 channels"):
        run(tmp_path, "solver=duin/channels", task(), *SMALL, "solver.keep=9")
    with pytest.raises(UserError, match="no choice of channels there"):
        named_channels("//file/x", lambda address: tmp_path)
    with pytest.raises(UserError, match="give the names themselves"):
        named_channels("//sig/ab12cd34", None)
    assert named_channels(["A1"], None) == ["A1"] and named_channels("common", None) == "common"


def test_weights_of_several_people_are_apart() -> None:
    torch.manual_seed(0)
    for variant in ("single", "poms"):
        model = DuinClassifier(
            3, 2, 200, 4, {"variant": variant, "blocks": {"depth": 1, "n_heads": 2}}
        )
        weights = model.channel_weights()
        assert weights.shape[:2] == (2, 3)
        assert torch.allclose(weights.abs().mean(-1), model.contribution(), atol=1e-6)
