"""Published LaBraM files: written here in their exact layout, imported, and compared."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest
import torch

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model, init_weights, load
from bm.models.foreign import read_checkpoint
from bm.models.labram.importing import import_published
from bm.models.labram.tokenizer import VQNSP
from bm.tests.models.labram import ARGUMENTS, write
from bm.tests.reference.labram_names import EXTRAS, published_name
from scripts.import_checkpoint import command, main_of

from ..shipped import section

FACTS = DataFacts(("FZ", "CZ"), 200.0, 400, classes=("a", "b"))


def original(name: str, **changes):
    """A network with all tensors of the published file, and its state dict by published names."""
    torch.manual_seed(0)
    config = {**section("model", f"labram/{name}"), **changes}
    for part in ("backbone", "encoder", "decoder"):
        if part in config:
            config[part]["depth"] = 1
    model = build_model(config, FACTS)
    return model, {published_name(n): t.clone() for n, t in model.state_dict().items()}


def test_the_masked_model(tmp_path, capsys) -> None:
    model, state = original("masked_base", extras=True, class_row="electrode", n_codes=32)
    state["logit_scale"] = torch.tensor(2.6)  # in the published file, unknown to its code
    path = write(tmp_path / "labram-base.pth", state)
    code = command("labram", str(path), str(tmp_path / "out"))
    shown = capsys.readouterr().out
    assert code == 0 and "labram_masked" in shown
    assert "6 arguments (not used)" in shown and "epoch: 49" in shown
    assert "0 missing" in shown and "0 wrong shape" in shown
    assert "5 unexpected: student.lm_head.weight" in shown and "logit_scale" in shown
    again = load(tmp_path / "out")
    x, mask = 20 * torch.randn(2, 2, 400), torch.tensor([[True, False, False, True]] * 2)
    ids = torch.tensor([19, 41])  # FZ, CZ in the list of 128
    torch.testing.assert_close(again(x, mask, ids), model.eval()(x, mask))
    small, _ = original("base")
    report = init_weights(small, tmp_path / "out")  # what init_from does
    assert torch.equal(small.blocks[0].attn.qkv.weight, again.student.blocks[0].attn.qkv.weight)
    assert set(report.missing) == {"fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"}
    classifier = build_model(section("model", "labram/base"), FACTS)
    with pytest.raises(UserError, match=r"missing.*blocks\.1\."):
        init_weights(classifier, tmp_path / "out")  # this file has one block only


def test_the_tokenizer_keeps_its_codebook(tmp_path) -> None:
    model, state = original("vqnsp_base", n_codes=40, extras=True)
    model.train()(20 * torch.randn(2, 2, 400))  # starts the codebook
    state = {published_name(n): t.clone() for n, t in model.state_dict().items()}
    state |= {"loss_fn.weight": torch.ones(1), "scaling_layer.shift": torch.ones(1)}
    imported = import_published(write(tmp_path / "vqnsp.pth", state))
    tokenizer, report = imported.module, imported.report
    assert isinstance(tokenizer, VQNSP)
    assert set(report.unexpected) == {
        "quantiser.start_counts", "quantiser.start_codes", "loss_fn.weight", "scaling_layer.shift"
    }  # fmt: skip
    assert set(EXTRAS[:2]) < set(report.unexpected)
    assert not report.missing and not report.wrong_shape
    x = 20 * torch.randn(2, 2, 400)
    ids = torch.tensor([19, 41])
    assert torch.equal(tokenizer.tokens(x, ids), model.eval().tokens(x))
    tokenizer.train()(x, ids)
    change = tokenizer.quantiser.codebook - model.quantiser.codebook
    assert change.abs().max() < 0.1  # not restarted


@pytest.mark.parametrize("pooling", ["mean", "class"])
@pytest.mark.parametrize("key", ["model", "module", None])
def test_a_fine_tuned_classifier(tmp_path, key, pooling) -> None:
    model, state = original("base", pooling=pooling)
    content = state if key is None else {key: state, "args": ARGUMENTS}
    torch.save(content, tmp_path / "checkpoint-best.pth")
    imported = import_published(tmp_path / "checkpoint-best.pth")
    classifier = imported.module
    assert imported.report.complete
    x = 20 * torch.randn(2, 2, 400)
    torch.testing.assert_close(classifier(x, torch.tensor([19, 41])), model.eval()(x))


def test_what_is_missing_or_misshapen_is_refused_unless_partial(tmp_path) -> None:
    _, state = original("masked_base", extras=True, n_codes=32)
    del state["student.norm.bias"]
    state["student.time_embed"] = torch.zeros(1, 8, 200)
    path = write(tmp_path / "a.pth", state)
    with pytest.raises(UserError, match=r"1 missing \(student\.norm\.bias\).*1 wrong shape"):
        import_published(path)
    report = import_published(path, partial=True).report
    assert report.wrong_shape == ("student.time_embed",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"weight": torch.ones(2)}}, "0 of 1 tensors are LaBraM's"),
        ({"args": ARGUMENTS}, "no tensors under model, module, state_dict; top-level keys: args"),
        ([1, 2], "holds a list"),
    ],
)
def test_other_files_are_named(tmp_path, content, message) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(UserError, match=message):
        import_published(tmp_path / "a.pth")


def test_absent_and_damaged_files_are_named(tmp_path, capsys) -> None:
    assert main_of(command, ["family=labram", f"path={tmp_path}/none.pth"]) == 2
    assert "no such file" in capsys.readouterr().err
    _, state = original("base")
    whole = write(tmp_path / "a.pth", state).read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        (tmp_path / "b.pth").write_bytes(content)
        with pytest.raises(UserError, match=r"b\.pth: not"):
            read_checkpoint(tmp_path / "b.pth")
    assert main_of(command, ["family=labran", "path=a.pth"]) == 2
    assert "did you mean 'labram'" in capsys.readouterr().err


class Runs:
    """Runs code when it is unpickled by a reader without restrictions."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_does_not_run(tmp_path, legacy) -> None:
    _, state = original("base")
    arguments = argparse.Namespace(trick=Runs(tmp_path / "made"))
    content = {"model": state, "args": arguments}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match="would run code of its own"):
        import_published(tmp_path / "a.pth")
    assert not (tmp_path / "made").exists()


def test_files_of_an_older_torch_are_read(tmp_path) -> None:
    _, state = original("base")
    content = {"model": state, "args": ARGUMENTS}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert import_published(tmp_path / "a.pth").report.complete
