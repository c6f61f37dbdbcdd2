"""State dicts of clip and eegdiff under their original names, wrapped in every known way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model, init_weights, load
from bm.models.foreign import read_checkpoint
from bm.tests.reference.clip_names import to_published
from bm.tests.shared_data import GOLDEN, needs_golden
from scripts.import_checkpoint import Arguments, command, main_of

from ..shipped import section

SUBJECTS = ("a", "b", "c")
CLIP = {"family": "clip", "model": "clip/small"}


def encoder() -> tuple[torch.nn.Module, dict[str, Tensor]]:
    """A small brain encoder of three people and 20 outputs, and its original state dict."""
    torch.manual_seed(0)
    facts = DataFacts(("1", "2", "3"), 120.0, 60, subjects=SUBJECTS)
    model = build_model({**section("model", "clip/small"), "n_outputs": 20}, facts)
    return model, {name: t.clone() for name, t in to_published(model).items()}


def outputs(model: torch.nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    signal = torch.randn(2, 3, 60, generator=generator)
    places = torch.rand(2, 3, 2, generator=generator)
    with torch.no_grad():
        return model.eval()(signal, torch.tensor([0, 2]), places)


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


WRAPPED: dict[str, Any] = {
    "plain": lambda s: s,
    "state_dict": lambda s: {"state_dict": s, "epoch": 3},
    "nested": lambda s: {"best_state": {"model": s}, "epoch": 3},
    "parallel": lambda s: prefixed(s, "module."),
    "compiled": lambda s: prefixed(s, "_orig_mod."),
    "both": lambda s: {"model": prefixed(s, "module._orig_mod.")},
    "lightning": lambda s: {"state_dict": prefixed(s, "model.")},
}


@pytest.mark.parametrize("form", WRAPPED)
def test_clip_state_dicts_give_the_same_outputs(form: str, tmp_path: Path, capsys) -> None:
    model, state = encoder()
    path = tmp_path / "a.th"
    torch.save(WRAPPED[form](state), path)
    assert command(**CLIP, path=str(path), to=str(tmp_path / "out")) == 0
    shown = capsys.readouterr().out
    assert f"{len(state)} matched" in shown and "0 missing" in shown and "0 unexpected" in shown
    torch.testing.assert_close(outputs(load(tmp_path / "out")), outputs(model), rtol=0, atol=0)
    facts = json.loads((tmp_path / "out" / "facts.json").read_text())
    assert facts["subjects"] == ["a/0", "a/1", "a/2"]


def test_safetensors_and_half_precision_are_named(tmp_path: Path, capsys) -> None:
    model, state = encoder()
    path = tmp_path / "a.safetensors"
    half = {n: t.half() if t.is_floating_point() else t for n, t in state.items()}
    save_file({n: t.contiguous() for n, t in half.items()}, path)
    assert command(**CLIP, path=str(path), to=str(tmp_path / "out")) == 0
    count = sum(t.is_floating_point() for t in state.values())
    assert f"{count} tensors are float16 in the file and stored as float32" in (
        capsys.readouterr().out
    )
    torch.testing.assert_close(outputs(load(tmp_path / "out")), outputs(model), rtol=0, atol=0.05)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="not safetensors"):
        read_checkpoint(path)


def test_averages_are_chosen_by_name(tmp_path: Path) -> None:
    _, state = encoder()
    average = {n: t + 1 if t.is_floating_point() else t for n, t in state.items()}
    sets = {"model": state, "model_ema": average}
    for content in (sets, {"state_dict": prefixed(state, "model.") | prefixed(average, "ema.")}):
        path = tmp_path / "a.th"
        torch.save(content, path)
        name = "model_ema" if content is sets else "ema"
        file = read_checkpoint(path, ("model", "state_dict"), name)
        assert all(torch.equal(file.tensors[n], average[n]) for n in state)
    with pytest.raises(UserError, match=r"several sets of weights \(ema, model\)"):
        read_checkpoint(path, ("state_dict",))
    with pytest.raises(UserError, match="no set of weights 'emaa'"):
        read_checkpoint(path, ("state_dict",), "emaa")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensors_that_are_not_finite_are_refused(value: float, tmp_path: Path, capsys) -> None:
    _, state = encoder()
    name = next(name for name, tensor in state.items() if tensor.ndim > 1)
    state[name].view(-1)[3] = value
    torch.save({"model": state}, tmp_path / "a.th")
    words = ["family=clip", "model=clip/small", f"path={tmp_path}/a.th", f"to={tmp_path}/out"]
    assert main_of(command, words, Arguments) == 2
    message = capsys.readouterr().err
    assert f"1 of {len(state)} tensors hold NaN or inf, first {name}" in message
    assert not (tmp_path / "out").exists()


def test_what_does_not_fit_is_named(tmp_path: Path, capsys) -> None:
    _, state = encoder()
    del state["merger.heads"]
    torch.save(state, tmp_path / "a.th")
    with pytest.raises(UserError, match=r"1 missing \(merger.heads\).*another model="):
        command(**CLIP, path=str(tmp_path / "a.th"), to=str(tmp_path / "out"))
    with pytest.raises(UserError, match="give model=clip/"):
        command("clip", str(tmp_path / "a.th"))
    with pytest.raises(UserError, match="no tensor shows n_times and rate_hz"):
        command("eegdiff", str(tmp_path / "a.th"), model="eegdiff/small_mel")
    assert command(**CLIP, path=str(tmp_path / "a.th"), to=str(tmp_path / "out"), partial=True) == 0
    assert "1 missing: merger.heads" in capsys.readouterr().out


def test_rows_of_people_go_to_nobody_else(tmp_path: Path) -> None:
    """Names of people are not in the file: three others of ours must not take their rows."""
    model, state = encoder()
    torch.save(state, tmp_path / "a.th")
    command(**CLIP, path=str(tmp_path / "a.th"), to=str(tmp_path / "out"))
    with pytest.raises(UserError, match="nothing was learned of 3 subjects"):
        init_weights(model, tmp_path / "out", subjects=SUBJECTS)


def test_the_denoiser_of_maps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    facts = DataFacts(("1", "2", "3"), 250.0, 250)
    model = build_model(section("model", "eegdiff/small_stft"), facts)
    network = {n: t for n, t in model.state_dict().items() if n.startswith("network.")}
    state = {n.removeprefix("network."): t for n, t in network.items()}
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for new, name in old.items():
        state = {n.replace(f".{new}.", f".{name}.") if "attentions" in n else n: t
                 for n, t in state.items()}  # fmt: skip
    torch.save({"model": state}, tmp_path / "unet.bin")
    where = {"path": str(tmp_path / "unet.bin"), "to": str(tmp_path / "out")}
    command("eegdiff", model="eegdiff/small_stft", n_times=250, rate_hz=250.0, **where)
    again = load(tmp_path / "out").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in network.items())
    # Statistics of the representation are not in such a file: those of the data stay.
    other = build_model(section("model", "eegdiff/small_stft"), facts)
    other.representation.fit(torch.randn(4, 3, 250))
    report = init_weights(other, tmp_path / "out")
    assert set(report.missing) == {"representation.limit", "representation.scale"}
    assert bool(torch.isfinite(other.representation.scale).all())


@needs_golden
@pytest.mark.parametrize("case", ["simpleconv_clip"])
def test_the_original_weights_of_a_golden_case(case: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = GOLDEN / "clip" / case
    config = json.loads((folder / "case.json").read_text())
    changes = ["model.hidden=16", "model.merger.dimension=32", "model.merger.channels=10",
               "model.initial.channels=10"]  # fmt: skip
    command("clip", str(folder / "weights.safetensors"), str(tmp_path / "out"),
            model="clip/clip_conv", changes=changes)  # fmt: skip
    model, io = load(tmp_path / "out"), load_file(folder / "io.safetensors")
    with torch.no_grad():
        result = model.eval()(io["input_meg"], io["subject_index"].long(), io["positions"])
    tolerance = config["tolerance"]
    torch.testing.assert_close(result, io["output"], **tolerance)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t + 0j, "is complex64"),
        (lambda t: t.to(torch.float8_e4m3fn), "is float8_e4m3fn"),
        (lambda t: t.to_sparse(), "sparse_coo"),
        (lambda t: t.to("meta"), "is without values"),
        (lambda t: t.double() * 0 + 1e300, "tensors hold NaN or inf"),  # inf as float32
    ],
)
def test_tensors_that_cannot_be_stored_are_refused(change, message: str, tmp_path: Path) -> None:
    torch.save({"a": change(torch.ones(2, 3)), "b": torch.ones(2)}, tmp_path / "a.th")
    with pytest.raises(UserError, match=message):
        read_checkpoint(tmp_path / "a.th")


def test_two_networks_of_one_name_are_refused(tmp_path: Path) -> None:
    torch.save({"module.a": torch.ones(2), "_orig_mod.a": torch.zeros(2)}, tmp_path / "a.th")
    with pytest.raises(UserError, match=r"holds module.a and _orig_mod.a"):
        read_checkpoint(tmp_path / "a.th")
