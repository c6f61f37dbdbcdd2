"""Published Du-IN checkpoints: written here under the original's names, imported, and compared."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

import bm
from bm.errors import UserError
from bm.models import load
from bm.models.duin.published import our_names, our_tensor
from bm.models.saved import FACTS
from bm.tests.golden.duin_keys import tensor_shapes
from bm.tests.golden.duin_networks import BUILDERS, published_config
from bm.tests.shared_data import GOLDEN, needs_golden
from scripts.import_checkpoint import command

pytestmark = needs_golden  # the original's names are in its keys files
#: Small networks of published strides, one person and three.
SIZES = {
    "n_channels": 5, "n_subjects": 3, "seq_len": 400, "tok_filters": [8, 8, 4], "d_neural": 6,
    "enc_blocks": 2, "dec_blocks": 1, "n_heads": 2, "d_head": 6, "d_ff": 12, "codex_size": 16,
    "d_codex": 4, "rgs_filters": [8, 8, 8, 8, 6], "n_labels": 7, "cls_hidden": [9],
    "n_initials": 4, "n_finals": 5, "d_contra": 3,
}  # fmt: skip


def config(stage: str, **changes) -> dict:
    poms = {"rgs_filters": [8, 8, 8]} if changes.get("variant") == "poms" else {}
    return published_config({**SIZES, "stage": stage, **poms, **changes})


def write(path: Path, stage: str, names: dict[str, str], prefix: str = "", **changes):
    """Write a model as the original does, and return it."""
    torch.manual_seed(0)
    model = BUILDERS[stage](config(stage, **changes))
    state = model.state_dict()
    published = OrderedDict(
        (prefix + theirs, our_tensor(theirs, state[ours]).clone()) for theirs, ours in names.items()
    )
    torch.save(published, path)
    return model.eval()


def published_names(stage: str, **changes) -> dict[str, str]:
    """Published name -> ours, of a whole keys file cut down to the small network."""
    start = "keys-poms-" if changes.get("variant") == "poms" else "keys-"
    (path,) = (GOLDEN / "duin").glob(f"{start}{stage}-*.json")
    there = set(BUILDERS[stage](config(stage, **changes)).state_dict())
    mine = our_names(tensor_shapes(json.loads(path.read_text())))
    return {name: ours for name, ours in mine.items() if ours in there}


STAGES = [
    ("vqvae", "single", "duin_vqvae"),
    ("mae", "single", "duin_mae"),
    ("cls", "single", "duin_cls"),
    ("phoneme", "single", "duin_phoneme"),
    ("vqvae", "poms", "duin_vqvae"),
    ("mae", "poms", "duin_mae"),
    ("cls", "poms", "duin_cls"),
]


@pytest.mark.parametrize(("stage", "variant", "kind"), STAGES)
def test_every_stage_comes_back(tmp_path, capsys, stage, variant, kind) -> None:
    path = tmp_path / "checkpoint-399.pth"
    names = published_names(stage, variant=variant)
    model = write(path, stage, names, prefix="module.", variant=variant)
    assert set(names.values()) == set(model.state_dict())
    people = ["duin/001", "duin/002", "duin/003"]
    code = command("duin", str(path), str(tmp_path / "out"), subjects=people)
    shown = capsys.readouterr().out
    assert code == 0 and kind in shown
    assert "0 missing" in shown and "0 unexpected" in shown and "0 wrong shape" in shown
    again = load(tmp_path / "out").eval()
    assert type(again) is type(model)
    facts = json.loads((tmp_path / "out" / FACTS).read_text())
    assert facts["subjects"] == people and facts["window_samples"] == 400
    x, subject = torch.randn(3, 5, 400), torch.tensor([2, 0, 1])
    mask = (torch.arange(4) % 2 == 0).expand(3, 4)
    inputs = (x, mask) if stage == "mae" else (x,)
    with torch.no_grad():
        one, other = (m(*inputs, subject=subject) for m in (again, model))
    for a, b in zip(flat(one), flat(other), strict=True):
        assert torch.equal(a, b)


def flat(outputs) -> list[torch.Tensor]:
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    values = outputs.values() if isinstance(outputs, dict) else vars(outputs).values()
    return [value for value in values if isinstance(value, torch.Tensor)]


def test_an_incomplete_file_is_refused_unless_partial(tmp_path) -> None:
    path, names = tmp_path / "a.pth", published_names("mae")
    model = write(path, "mae", names)
    state = torch.load(path, weights_only=True)
    del state["encoder.1.xfmr_blocks.1.norm_mha.bias"]
    state["stray"] = torch.zeros(1)
    torch.save(state, path)
    with pytest.raises(UserError, match=r"1 missing.*1 unexpected \(stray\)"):
        command("duin", str(path), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert command("duin", str(path), str(tmp_path / "out"), partial=True) == 0
    assert torch.equal(load(tmp_path / "out").mask_token, model.mask_token)


def test_mistakes_are_one_line(tmp_path) -> None:
    path = tmp_path / "a.pth"
    write(path, "mae", published_names("mae"))
    with pytest.raises(UserError, match="the file is of 3 subjects"):
        command("duin", str(path), subjects=["duin/001"])
    with pytest.raises(UserError, match="the file is of 5 channels"):
        command("duin", str(path), channels=["A1"])
    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(UserError, match="0 of 1 tensors are a stage of Du-IN"):
        command("duin", str(path))


def test_imported_words_are_predicted_from_any_recording(tmp_path) -> None:
    """In another order of channels, and at another rate than the published 1000 Hz."""
    path, words = tmp_path / "a.pth", [f"w{n}" for n in range(7)]
    model = write(path, "cls", published_names("cls"))
    people, channels = ["duin/001", "duin/002", "duin/003"], list("ABCDE")
    with pytest.raises(UserError, match="6 names; the file tells 7 words apart"):
        command("duin", str(path), classes=words[:6])
    command("duin", str(path), str(tmp_path / "out"), subjects=people, channels=channels,
            classes=words)  # fmt: skip
    predictor = bm.Predictor.from_pretrained(tmp_path / "out")
    signal = 30 * np.random.default_rng(0).normal(size=(5, 2000)) + 7
    options = {"sfreq": 1000.0, "unit": "uV", "subject": "002", "starts_s": [0.0, 0.5]}
    table = predictor.predict(signal[::-1], ch_names=channels[::-1], **options)
    scaled = (signal - signal.mean(1, keepdims=True)) / signal.std(1, keepdims=True)
    windows = torch.from_numpy(np.stack([scaled[:, a : a + 400] for a in (0, 500)])).float()
    with torch.no_grad():
        shares = model(windows, subject=torch.tensor([1, 1])).sigmoid()
    expected = (shares / shares.sum(1, keepdim=True)).numpy()
    np.testing.assert_allclose(table.filter(like="prob_"), expected, atol=1e-4)
    assert table["label"].tolist() == [words[n] for n in expected.argmax(1)]
    other = predictor.predict(np.repeat(signal, 2, axis=1), **{**options, "sfreq": 2000.0})
    assert len(other) == 2
    with pytest.raises(UserError, match="give subject="):
        predictor.predict(signal, **{**options, "subject": None})


def test_a_file_that_decodes_nothing_has_no_predictor(tmp_path) -> None:
    path = tmp_path / "a.pth"
    write(path, "mae", published_names("mae"))
    with pytest.raises(UserError, match="tells no words apart"):
        command("duin", str(path), classes=["a"])
    command("duin", str(path), str(tmp_path / "out"))
    with pytest.raises(UserError, match="decodes nothing"):
        bm.Predictor.from_pretrained(tmp_path / "out")
