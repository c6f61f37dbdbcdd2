"""Models: built from facts, saved as a folder, loaded without Hydra or Dora."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model, init_weights, load, load_weights, save

FACTS = DataFacts(
    channels=("C3", "Cz", "C4"), rate_hz=125.0, window_samples=250, classes=("a", "b", "c", "d")
)


@pytest.mark.parametrize("name", ["eegnet", "shallow_fbcsp"])
def test_shapes_gradient_and_round_trip(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_model({"name": name, "target": None}, FACTS)
    x = torch.randn(5, 250, 3).transpose(1, 2)  # as the loader gives it: not contiguous
    out = model(x)
    assert out.shape == (5, 4)
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    model.eval()
    save(model, tmp_path / "m", FACTS)
    again = load(tmp_path / "m").eval()
    torch.testing.assert_close(again(x), model(x), rtol=0, atol=0)
    assert DataFacts.from_dict(json.loads((tmp_path / "m/facts.json").read_text())) == FACTS
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]


def test_shallow_network_equals_its_two_filters_one_after_the_other() -> None:
    model = build_model({"name": "shallow_fbcsp", "filters": 4}, FACTS).eval()
    x = torch.randn(2, 3, 250)
    first = torch.nn.functional.conv2d(x[:, None], model.temporal[:, None, None])  # (B, F, C, T')
    two = torch.einsum("ofc,bfct->bot", model.spatial, first)
    kernels = torch.einsum("ofc,fk->ock", model.spatial, model.temporal)
    torch.testing.assert_close(torch.nn.functional.conv1d(x, kernels), two, atol=1e-4, rtol=1e-4)


def test_spatial_filters_keep_their_norm() -> None:
    model = build_model({"name": "eegnet"}, FACTS)
    layer = model.spatial[0]
    with torch.no_grad():
        layer.weight.mul_(100)
    x = torch.randn(1, 8, 3, 20)
    unit = torch.renorm(layer.weight, 2, 0, 1.0)
    expected = torch.nn.functional.conv2d(x, unit, groups=8)
    torch.testing.assert_close(layer(x), expected)


def test_a_class_of_another_library_plugs_in_by_its_path() -> None:
    model = build_model({"name": None, "target": "torch.nn.Linear", "in_features": 2,
                         "out_features": 3}, FACTS)  # fmt: skip
    assert isinstance(model, torch.nn.Linear)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "eegnt"}, "did you mean 'eegnet'"),
        ({"name": "eegnet", "droput": 0.1}, "did you mean 'dropout'"),
        ({"target": "torch.nn.Linnear"}, "use package.module.Class"),
        ({"target": "pathlib.Path", "n_times": 3}, "no subclass of torch.nn.Module"),
    ],
)
def test_mistakes(config: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_model(config, FACTS)


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("os.system", {"command": "touch {ran}"}),
        ("subprocess.check_output", {"args": ["touch", "{ran}"]}),
        ("pathlib.Path.touch", {"self": "{ran}"}),
        ("bm.tests.models.runs_when_imported.Network", {}),
        ("torch.nn.Linear", {"in_features": 1, "out_features": 1}),
    ],
)
def test_a_folder_of_others_runs_nothing(tmp_path: Path, target: str, arguments: dict) -> None:
    """Symptom: `bm.models.load` executed what a `config.json` named, with its arguments."""
    save(build_model({"name": "eegnet"}, FACTS), tmp_path / "m", FACTS)
    ran = tmp_path / "ran"
    config = {"name": None, "target": target, "arguments": arguments}
    text = json.dumps(config).replace("{ran}", str(ran))
    (tmp_path / "m/config.json").write_text(text)
    with pytest.raises(UserError, match=r"config.json: .*trust_target=true"):
        load(tmp_path / "m")
    assert not ran.exists() and "bm.tests.models.runs_when_imported" not in sys.modules
    if not target.startswith(("bm.", "torch.")):
        with pytest.raises(UserError, match=r"no subclass of torch.nn.Module|use package.mod"):
            load(tmp_path / "m", trust_target=True)
        assert not ran.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "eegnet", "arguments": 3}'])
def test_a_damaged_saved_model_is_one_line(tmp_path: Path, text: str) -> None:
    save(build_model({"name": "eegnet"}, FACTS), tmp_path / "m", FACTS)
    (tmp_path / "m/config.json").write_text(text)
    with pytest.raises(UserError, match="damaged or no saved model"):
        load(tmp_path / "m")


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    save(build_model({"name": "eegnet"}, FACTS), tmp_path / "m", FACTS)
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_weights(build_model({"name": "eegnet", "f1": 4}, FACTS), tmp_path / "m")
    with pytest.raises(UserError, match="no saved model"):
        load(tmp_path / "none")


@pytest.mark.parametrize("changes", [{"layers": True}, {"layers": False, "embedding": 4}])
def test_what_was_learned_of_a_person_goes_to_the_same_person(changes, tmp_path: Path) -> None:
    """Symptom: a checkpoint is only valid for the same choice of recordings."""
    people = ("study/a", "study/b", "study/c")
    facts = replace(FACTS, subjects=people)
    options: dict = {"name": "clip_simpleconv", "target": None, "hidden": 4, "n_outputs": 2}
    merger = {"channels": 3, "dimension": 8, "per_subject": True}
    options |= {"encoder": {"depth": 1}, "subject": changes, "merger": merger}
    torch.manual_seed(0)
    saved = build_model(options, facts)
    save(saved, tmp_path / "m", facts)
    names = [name for name in saved.state_dict() if "subject" in name or name == "merger.heads"]
    assert len(names) == 2
    few = ("study/c", "study/a")
    model = build_model(options, replace(FACTS, subjects=few))
    report = init_weights(model, tmp_path / "m", subjects=few)
    assert report.complete
    for name in names:
        torch.testing.assert_close(model.state_dict()[name], saved.state_dict()[name][[2, 0]])
    more = ("study/d", "study/b")
    model = build_model(options, replace(FACTS, subjects=more))
    before = {name: model.state_dict()[name].clone() for name in names}
    with pytest.raises(UserError, match=r"nothing was learned of 1 subjects .study/d"):
        init_weights(model, tmp_path / "m", subjects=more)
    init_weights(model, tmp_path / "m", partial=True, subjects=more)
    for name in names:
        assert torch.equal(model.state_dict()[name][0], before[name][0])
        assert torch.equal(model.state_dict()[name][1], saved.state_dict()[name][1])


def test_a_model_may_have_room_for_more_people_than_there_are() -> None:
    options = {"name": "clip_simpleconv", "hidden": 4, "n_outputs": 2, "n_subjects": 40}
    model = build_model({**options, "encoder": {"depth": 1}, "subject": {"layers": True}}, FACTS)
    assert len(model.subject_layers.weights) == 40
