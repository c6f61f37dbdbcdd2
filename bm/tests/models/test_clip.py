from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from bm.errors import UserError
from bm.facts import DataFacts
from bm.losses.contrastive import ClipLoss
from bm.models import MODELS, build_model
from bm.models.clip.convrnn import ConvRNN, valid_length
from bm.models.clip.published import published_names
from bm.models.clip.simpleconv import SimpleConv
from bm.tests.reference.clip_names import load_published, to_published

from ..shipped import names, section

KEYS = Path(__file__).resolve().parents[1] / "golden/cases/clip/keys-clip_conv-gwilliams2022.json"
SMALL = {"depth": 3, "kernel_size": 3, "skip": True, "batch_norm": True}


def facts(channels: int = 12, subjects: int = 3) -> DataFacts:
    return DataFacts(
        channels=tuple(f"C{i}" for i in range(channels)),
        rate_hz=120.0,
        window_samples=361,
        subjects=tuple(f"S{i}" for i in range(subjects)),
    )


def configured(name: str, **changes: Any) -> dict[str, Any]:
    return {**section("model", f"clip/{name}"), **changes}


def parameters(name: str, subjects: int, channels: int = 208, **changes: Any) -> int:
    with torch.device("meta"):
        model = build_model(configured(name, **changes), facts(channels, subjects))
    return sum(p.numel() for p in model.parameters())


def group(name: str, **changes: Any) -> Any:
    return {**configured("clip_conv")[name], **changes}


def small(**changes: Any) -> SimpleConv:
    options = {"n_channels": 6, "n_outputs": 5, "n_subjects": 3, "hidden": 8, "encoder": SMALL}
    return SimpleConv(**{**options, **changes})


def inputs(length: int = 40, items: int = 4, **more: torch.Tensor) -> Mapping[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "signal": torch.randn(items, 6, length, generator=generator),
        "subject": torch.arange(items) % 3,
        "positions": torch.rand(6, 3, generator=generator).expand(items, -1, -1),
        **more,
    }


@pytest.mark.parametrize(
    ("subjects", "changes", "count"),
    [
        (96, {}, 14_595_154),
        (27, {}, 9_565_054),
        (19, {}, 8_981_854),
        (33, {}, 10_002_454),
        (27, {"n_outputs": 120}, 8_985_590),
        (27, {"n_outputs": 768}, 9_400_958),
        (27, {"merger": None}, 8_995_354),
        (27, {"encoder": group("encoder", glu=0)}, 6_489_854),
        (27, {"initial": None}, 9_491_884),
        (27, {"head": "none"}, 15_057_598),
        (27, {"subject": None}, 7_596_754),
        (27, {"subject": group("subject", layers=False, embedding=64)}, 7_659_922),
    ],
)
def test_the_published_encoder_has_the_published_size(
    subjects: int, changes: dict, count: int
) -> None:
    assert parameters("clip_conv", subjects, **{"n_outputs": 1024, **changes}) == count


def test_the_other_published_networks_have_their_sizes() -> None:
    assert parameters("deep_mel", 1, n_features=120) == 9_320_128
    assert parameters("convrnn", 27, n_outputs=208, n_features=2) == 11_950_356
    assert parameters("decoder_convrnn", 27, n_outputs=2) == 26_418_882


@pytest.mark.parametrize("name", names("model", "clip"))
def test_every_shipped_config_builds_and_gives_a_sequence(name: str) -> None:
    sizes = {"n_outputs": 7}
    if name == "deep_mel":
        network = build_model(configured(name, n_features=6, hidden=8, **sizes), facts())
        assert network(torch.randn(2, 6, 40)).shape == (2, 7, 40)
        return
    config = configured(name, hidden=8, **sizes)
    if name == "clip_conv":
        config["merger"] = {**config["merger"], "dimension": 32}
    network = build_model(config, facts(6)).eval()
    assert network(**inputs()).shape == (4, 7, 40)


def test_original_state_dicts_load_strictly_by_the_name_map() -> None:
    keys = json.loads(KEYS.read_text())
    with torch.device("meta"):
        model = build_model(configured("clip_conv", n_outputs=1024), facts(208, 27))
    names = published_names(model)
    assert sorted(names.values()) == sorted(name for name, _ in keys["tensors"])
    assert names["encoders.signal.layers.3.norm.weight"] == "encoders.meg.sequence.3.1.weight"
    first, second = small(), small()
    load_published(second, to_published(first))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
    state = to_published(first)
    state["encoders.meg.sequence.9.0.weight"] = state.pop("encoders.meg.sequence.0.0.weight")
    with pytest.raises(RuntimeError, match=r"(?s)Missing.*layers.0.conv.*Unexpected.*sequence.9"):
        load_published(second, state)


def test_a_saved_network_comes_back_as_it_was(tmp_path: Path) -> None:
    from bm.models import load, save

    config = configured("small", n_outputs=5)
    network = build_model(config, facts(6)).eval()
    save(network, tmp_path / "model", facts(6))
    again = load(tmp_path / "model").eval()
    assert torch.equal(network(**inputs()), again(**inputs()))


def test_a_batch_is_encoded_as_its_items_one_by_one() -> None:
    model = small(merger={"channels": 4, "dimension": 8}, subject={"layers": True}).eval()
    arguments = inputs()
    whole = model(**arguments)
    for item in range(4):
        one = model(**{name: value[item, None] for name, value in arguments.items()})
        torch.testing.assert_close(whole[item], one[0])


def test_an_encoder_learns_to_find_the_speech_of_each_window() -> None:
    torch.manual_seed(0)
    config = configured("small", n_outputs=5)
    model, loss = build_model(config, facts(6)), ClipLoss()
    arguments, speech = inputs(items=12), torch.randn(12, 5, 40)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        losses.append(loss(model(**arguments), speech))
        losses[-1].backward()
        optimiser.step()
    assert losses[0] > 2.0
    assert losses[-1] < 0.5


def test_a_step_in_bf16_gives_finite_gradients() -> None:
    model = build_model(configured("small", n_outputs=5), facts(6))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(**inputs())
        loss = ClipLoss()(output, torch.randn(4, 5, 40))
    loss.backward()
    assert output.dtype == torch.bfloat16
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_a_network_without_layers_passes_signals_through_its_head() -> None:
    model = ConvRNN(6, 5, encoder={"depth": 0}, head="linear").eval()
    assert model(**{**inputs(), "subject": torch.zeros(4).long()}).shape == (4, 5, 40)
    with pytest.raises(UserError, match="depth=0: no layer gives"):
        ConvRNN(6, 5, encoder={"depth": 0})


def test_models_are_known_by_name() -> None:
    assert MODELS.get("clip_convrnn") is ConvRNN
    assert MODELS.get("clip_simpleconv") is SimpleConv


def test_a_number_of_fourier_features_that_does_not_exist_is_named() -> None:
    with pytest.raises(UserError, match=r"merger.dimension=256.*twice a square.*242 and 288"):
        small(merger={"dimension": 256})
    small(merger={"dimension": 288, "channels": 4})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": {"kernel_size": 4, "dilation_growth": 1}}, "kernel_size=4; samples are kept"),
        ({"encoder": {"stride": 2}}, "stride=2"),
        ({"encoder": {"depth": 0}}, "model.encoder.depth=0"),
        ({"encoder": {"depth": 2, "groups": 3}}, "model.encoder.groups=3"),
        ({"encoder": {"layer_scale": 0.1}}, "model.encoder.layer_scale: only residuals"),
        (
            {"subject": {"layers": True, "layers_width": "hidden", "layers_identity": True}},
            "model.subject: .*no identity from 6 to 8",
        ),
        ({"head": "wide"}, "model.head=wide: one of complex, linear, none"),
        ({"merger": {"dropuot": 0.2}}, "model.merger: unknown option 'dropuot'.*dropout"),
        ({"encoder": {"kernel_size": 4}}, "model.encoder.kernel_size 4.*odd"),
        ({"encoder": {"activation": "tanh"}}, "model.encoder.activation 'tanh'"),
        ({"spectrum": {"n_fft": 8}, "head": "none"}, "model.spectrum needs a head"),
        ({"spectrum": {"n_fft": 6}}, "model.spectrum.n_fft=6"),
        ({"spectrum": {"n_fft": 8}, "n_features": 2}, "model.spectrum: stimulus features"),
        ({"dual_path": {"depth": 1}, "head": "none"}, "model.dual_path needs a head"),
        ({"n_features": 2, "head": "none"}, "model.n_features needs a head"),
        ({"subject": {"layers_width": "output"}}, "model.subject.layers_width='output'"),
    ],
)
def test_options_that_cannot_be_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        small(**changes)


def test_spectra_and_subject_vectors_go_together_at_any_length() -> None:
    model = small(spectrum={"n_fft": 8}, subject={"embedding": 3}).eval()
    for length in (32, 37, 41):
        assert model(**inputs(length)).shape == (4, 5, length)


def test_the_last_samples_reach_the_spectra_whatever_the_length() -> None:
    model = small(spectrum={"n_fft": 8, "complex_values": False}).eval()
    arguments = dict(inputs(37))
    changed = {**arguments, "signal": arguments["signal"].clone()}
    changed["signal"][..., -1] += 5.0
    assert not torch.allclose(model(**arguments)[..., -8:], model(**changed)[..., -8:], atol=1e-4)


def test_two_branches_and_one_for_both() -> None:
    features = torch.randn(4, 2, 40)
    for concatenate in (False, True):
        model = small(n_features=2, hidden_features=4, concatenate=concatenate).eval()
        assert model(**inputs(features=features)).shape == (4, 5, 40)
        with pytest.raises(ValueError, match="reads 2 features too"):
            model(**inputs())


def test_a_network_over_sensors_wants_their_positions() -> None:
    model = small(merger={"channels": 4, "dimension": 8})
    with pytest.raises(ValueError, match="positions"):
        model(**{**inputs(), "positions": None})


@pytest.mark.parametrize("place", ["input", "recurrent"])
@pytest.mark.parametrize("head", ["none", "linear", "complex"])
def test_convrnn_gives_back_every_length(place: str, head: str) -> None:
    model = ConvRNN(
        6, 5, 3, hidden=8, subject={"embedding": 3, "layers": True}, embedding_at=[place],
        head=head, recurrent={"layers": 1, "flip": True}, attention={"layers": 1, "heads": 2},
    ).eval()  # fmt: skip
    for length in (1, 7, 40):
        assert model(**inputs(length)).shape == (4, 5, length)
    assert valid_length(37, 2, 2) >= 37


def test_convrnn_refuses_a_vector_at_a_missing_lstm() -> None:
    with pytest.raises(UserError, match=r"without model.recurrent; use \[input\]"):
        ConvRNN(6, 5, subject={"embedding": 3})
    with pytest.raises(UserError, match="'lstm'; any of input, recurrent"):
        ConvRNN(6, 5, subject={"embedding": 3}, embedding_at=["lstm"])
    with pytest.raises(UserError, match="heads=3"):
        ConvRNN(6, 5, attention={"heads": 3})
