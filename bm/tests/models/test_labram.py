"""LaBraM: every shipped file, the faults of the original that ours does not have, its options."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bm.errors import UserError
from bm.facts import DataFacts
from bm.losses.masked import masked_cross_entropy
from bm.models import build_model, init_weights, load, save
from bm.models.labram.published import our_name
from bm.models.saved import acceptable, fit
from bm.nn.electrodes import N_ROWS, NAMES, bare_name, position_row
from bm.nn.masking import random_mask
from bm.nn.roles import explicit_attention_in
from bm.nn.transformer import Attention
from bm.tests.reference.labram_names import input_rows, published_name

from ..shipped import names
from .labram import CHANNELS, FACTS, config, microvolts, randomised, small

SMALL = ("small", "masked_small", "vqnsp_small")


QUIET: dict[str, dict] = {"small": {"backbone__drop_path": 0.0}}
SIZES = {
    "base": 5_820_338,  # published with 1 output; these data have 2
    "large": 46_259_522,
    "huge": 369_237_314,
    "masked_base": 9_153_520 - 200 * 201 - 8192 * 201,  # without the two unused heads
    "masked_large": 52_989_504 - 400 * 401 - 8192 * 401,
    "masked_huge": 383_000_896 - 800 * 801 - 8192 * 801,
    "vqnsp_base": 7_522_640,  # trained
    "vqnsp_large": 13_311_440,
}


@pytest.mark.parametrize("name", names("model", "labram"))
def test_every_shipped_file_has_the_published_size(name: str) -> None:
    with torch.device("meta"):
        model = build_model(config(name), FACTS)
    size = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert size == SIZES.get(name, size)
    json.dumps(model.bm_arguments)


def run(name: str, model, x: torch.Tensor) -> torch.Tensor:
    """Loss of one step of the stage that a model belongs to."""
    torch.manual_seed(3)
    if name.startswith("vqnsp"):
        return model.losses(model(x), x)["loss"]
    if name.startswith("masked"):
        n_tokens = x.shape[1] * x.shape[2] // 200
        mask = random_mask(torch.rand(len(x), n_tokens), 0.5)
        codes = torch.randint(64, (len(x), n_tokens))
        return masked_cross_entropy(model(x, mask), codes, mask)["loss"]
    return torch.nn.functional.cross_entropy(model(x), torch.arange(len(x)) % 2)


@pytest.mark.parametrize("n_patches", [1, 2])  # one patch broke the published tokenizer
@pytest.mark.parametrize("name", SMALL)
def test_one_step_on_a_cpu_reaches_every_parameter(name: str, n_patches: int) -> None:
    """Faults 5, 8, 18: no CPU, no window of one patch, heads that nothing used."""
    model = small(name)
    loss = run(name, model, microvolts(n_patches))
    loss.backward()
    missed = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert torch.isfinite(loss)
    assert not missed  # no dead weights, so no search for unused parameters


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_model_gives_the_same(name: str, tmp_path: Path) -> None:
    model = randomised(small(name))
    save(model, tmp_path / "m", FACTS)
    again = load(tmp_path / "m")
    x = microvolts()
    assert torch.equal(run(name, model.eval(), x), run(name, again.eval(), x))


@pytest.mark.parametrize("name", SMALL)
def test_mixed_precision_changes_little(name: str) -> None:
    """The quantiser, the spectra and the losses stay in float32."""
    model = small(name)
    twin = copy.deepcopy(model)
    full = run(name, model, microvolts())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = run(name, twin, microvolts())
    assert mixed.dtype == torch.float32
    assert mixed.item() == pytest.approx(full.item(), rel=0.03)
    mixed.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in twin.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_a_first_loss_is_that_of_a_guess(name: str) -> None:
    loss = run(name, small(name), microvolts(n=8)).item()
    guess = {"small": 0.693, "masked_small": 2 * 4.159, "vqnsp_small": 2.0}[name]
    assert loss == pytest.approx(guess, abs=0.02 if name == "small" else 0.7)


def test_first_values() -> None:
    model = small("masked_base")
    for name in ("lm_head.weight", "student.patch_embed.conv2.weight", "student.pos_embed",
                 "student.mask_token", "student.blocks.3.mlp.fc1.weight"):  # fmt: skip
        values = dict(model.named_parameters())[name]
        assert 0.0199 < values.abs().max() <= 0.02 or values.numel() < 500, name  # one deviation
        assert values.std().item() == pytest.approx(0.54 * 0.02, rel=0.15), name
    assert model.student.patch_embed.conv1.bias.abs().sum() == 0
    classifier = small("base")
    weights = dict(classifier.named_parameters())
    assert weights["blocks.3.mlp.fc1.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert weights["blocks.3.mlp.fc2.weight"].std().item() == pytest.approx(0.02 / 8**0.5, rel=0.05)
    assert weights["head.weight"].abs().max() < 0.001 * 0.1
    assert weights["patch_embed.conv1.bias"].abs().sum() > 0  # torch's own


# channels ---------------------------------------------------------------------------------


def test_names_are_found_in_any_case_and_form() -> None:
    assert input_rows(["EEG FP1-REF", "Cz", "ttp7H", "eeg c3-A2"]) == [0, 1, 42, 116, 40]
    assert bare_name("F3-C3") == "F3-C3"
    assert position_row("T3") != position_row("T7")  # two learned vectors for one site
    assert [position_row(name) for name in NAMES[: N_ROWS - 1]] == list(range(1, N_ROWS))


@pytest.mark.parametrize("name", NAMES[N_ROWS - 1 :])
def test_names_beyond_the_table_are_named(name: str) -> None:
    """Fault 4: the last eight names fail as an index."""
    with pytest.raises(UserError, match=rf"{name}.*row 1\d\d.*ends at 128"):
        small(facts=DataFacts(channels=("CZ", name), rate_hz=200.0, window_samples=200))


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'AFZ9'.*did you mean 'AFZ'"):
        position_row("AFZ9")
    with pytest.raises(UserError, match="F7-T3"):
        position_row("EEG F7-T3")  # bipolar: not the electrode F7


def test_ids_pick_the_channels_of_a_batch() -> None:
    x, model = microvolts(), randomised(small()).eval()
    swapped = randomised(small(facts=DataFacts(CHANNELS[::-1], 200.0, 800, classes=("a", "b"))))
    ids = torch.tensor([2, 1, 0])
    torch.testing.assert_close(model(x, ids), swapped.eval()(x))
    torch.testing.assert_close(model(x, ids.expand(4, -1)), swapped(x))
    assert not torch.allclose(model(x, ids), model(x), atol=1e-4)
    torch.testing.assert_close(model(x[:, :2], torch.tensor([0, 1])).shape, (4, 2))
    with pytest.raises(UserError, match="windows of 2 channels, but 3 channel names"):
        model(x[:, :2])


def test_without_positions_any_channels_will_do() -> None:
    facts = DataFacts(("A9", "odd"), 200.0, 400, classes=("a", "b"))
    model = small(facts=facts, backbone__positions=False)
    assert model(microvolts(n_channels=2)).shape == (4, 2)


# windows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_times", [100, 399, 200 * 17])
def test_windows_must_be_whole_patches(n_times: int) -> None:
    with pytest.raises(UserError, match=f"windows of {n_times} samples: must be 1 to 16 patches"):
        small()(torch.zeros(1, 3, n_times))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone__width": 120}, "give 100; set width=100"),
        ({"backbone__n_filters": 6}, "multiple of 4"),
        ({"backbone__n_heads": 7}, "does not divide"),
        ({"backbone__relative": "yes"}, "unknown relative"),
        ({"backbone__heads": 7}, "did you mean 'n_heads'"),
        ({"pooling": "max"}, "unknown pooling"),
    ],
)
def test_mistakes_are_named(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        small(**changes)


# masked model -----------------------------------------------------------------------------


def test_a_masked_patch_is_hidden_from_its_own_prediction() -> None:
    """Only the group norms of the patch embedding, which see the whole window, may leak."""
    model = randomised(small("masked_small")).eval()
    mask = torch.tensor([[True, False, False, True, False, False]])
    x = microvolts(n=1)
    tokens, shape = model.student.patches(x / 100)
    changed = tokens.clone()
    changed[0, 0] += 1
    first, second = (
        model.student.encode(model.student.masked(t, mask), shape) for t in (tokens, changed)
    )
    assert torch.equal(first, second)
    other = model.student.encode(model.student.masked(changed, ~mask), shape)
    assert not torch.allclose(
        other, model.student.encode(model.student.masked(tokens, ~mask), shape)
    )


def test_both_passes_in_one_batch_equal_two_single_ones() -> None:
    model = randomised(small("masked_small")).eval()
    x, mask = microvolts(), random_mask(torch.rand(4, 6), 0.5)
    both = model(x, mask)
    one, two = model(x, mask, symmetric=False), model(x, ~mask, symmetric=False)
    torch.testing.assert_close(both, torch.where(mask[..., None], one, two), atol=1e-5, rtol=1e-5)
    ids = torch.tensor([0, 1, 2])
    torch.testing.assert_close(model(x, mask, ids.expand(4, -1)), both, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("row", ["own", "electrode"])
def test_row_of_the_class_token(row: str) -> None:
    """Fault 9: published pre-training never trains row 0, which the class token has later."""
    model = randomised(small("masked_small", class_row=row))
    run("masked_small", model, microvolts()).backward()
    trained = model.student.pos_embed.grad[0].abs().sum(1) > 0
    assert trained[0] == (row == "own")
    assert trained[list(input_rows(CHANNELS))[1:]].all()


def test_asymmetric_loss_counts_the_masked_half_only() -> None:
    logits, codes = torch.randn(2, 6, 9), torch.randint(9, (2, 6))
    mask = torch.arange(6).expand(2, 6) < 2
    losses = masked_cross_entropy(logits, codes, mask, symmetric=False)
    wanted = torch.nn.functional.cross_entropy(logits[mask], codes[mask])
    torch.testing.assert_close(losses["loss"], wanted)
    assert set(losses) == {"loss", "loss_masked", "accuracy_masked"}


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.75])
def test_every_item_has_the_same_number_masked(ratio: float) -> None:
    mask = random_mask(torch.rand(5, 21), ratio)
    assert (~mask).sum(1).tolist() == [int(21 * (1 - ratio))] * 5


# tokenizer --------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True])
def test_reading_codes_changes_no_state(training: bool) -> None:
    model = small("vqnsp_small").train(training)
    before = copy.deepcopy(model.state_dict())
    tokens = model.tokens(microvolts())
    assert tokens.shape == (4, 6)
    model.eval()(microvolts())
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert torch.equal(tokens, model(microvolts()).indices)


def test_training_lowers_the_loss_and_moves_the_codebook() -> None:
    model, x = small("vqnsp_small"), microvolts(4, n=8)
    optimiser = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), 1e-3)
    losses = []
    for _ in range(12):
        losses.append(model.losses(model(x), x))
        losses[-1]["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
    assert losses[-1]["loss"] < losses[0]["loss"] - 0.02
    assert model.quantiser.counts.count_nonzero() > 1


def test_flat_windows_give_finite_targets() -> None:
    amplitude, phase = small("vqnsp_small").targets(torch.zeros(2, 3, 400))
    assert torch.equal(amplitude, torch.zeros(2, 6, 200))
    assert torch.equal(phase, torch.zeros(2, 6, 200))


def test_targets_are_the_whole_spectrum() -> None:
    x = microvolts()
    amplitude, phase = small("vqnsp_small").targets(x)
    spectrum = torch.fft.fft(x.reshape(4, 6, 200).double())
    for ours, values in ((amplitude, spectrum.abs()), (phase, spectrum.angle())):
        values[..., [0, 100]] = values[..., [0, 100]].abs()
        flat = values.flatten(1)
        wanted = (values - flat.mean(1)[:, None, None]) / flat.std(1)[:, None, None]
        torch.testing.assert_close(ours.double(), wanted, atol=2e-4, rtol=1e-3)


# options of the blocks --------------------------------------------------------------------


@pytest.mark.parametrize("relative", ["none", "shared", "blocks"])
def test_relative_positions_are_there_only_when_asked_for(relative: str) -> None:
    """Fault 20: the option that switches them off switched them on."""
    model = small(backbone__relative=relative).eval()
    tables = [p for n, p in model.named_parameters() if "relative" in n]
    assert len(tables) == {"none": 0, "shared": 1, "blocks": 2}[relative]
    x = microvolts()
    before = model.features(x)
    for table in tables:
        torch.nn.init.normal_(table)
    assert torch.allclose(before, model.features(x), atol=1e-5) == (relative == "none")


def test_class_token_pooling_uses_the_final_norm() -> None:
    model = small(pooling="class").eval()
    assert "norm.weight" in model.state_dict() and "fc_norm.weight" not in model.state_dict()
    features = model.final(model.all_tokens(microvolts()))[:, 0]
    torch.testing.assert_close(model.features(microvolts()), features)


def test_microvolts_become_units() -> None:
    one, hundred = small(amplitude_uv=1.0).eval(), small().eval()
    torch.testing.assert_close(one(microvolts() / 100), hundred(microvolts()))


@pytest.mark.parametrize(
    ("name", "shape", "gflops"),
    [
        ("base", (8, 23, 2000), 76.3),
        ("vqnsp_base", (8, 64, 800), 115.0 - 2.1),  # no product of codes with one-hot rows
        ("masked_base", (8, 64, 800), 224.0 - 31.2),  # without the frozen tokenizer's forward
    ],
)
def test_cost_of_a_training_step(name: str, shape: tuple[int, int, int], gflops: float) -> None:
    """The cost is that counted for the published networks (forward and backward, batch 8)."""
    facts = DataFacts(NAMES[: shape[1]], 200.0, shape[2], classes=("a", "b"))
    with torch.device("meta"):
        changes = {"kmeans": False} if name == "vqnsp_base" else {}
        model = build_model(config(name, **changes), facts)
        with explicit_attention_in(model), FlopCounterMode(display=False) as counter:
            run(name, model, torch.randn(shape)).backward()
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflops, rel=0.002)
    assert not any(m.explicit for m in model.modules() if isinstance(m, Attention))


@pytest.mark.endurance
@pytest.mark.parametrize("name", SMALL)
def test_compiles_as_one_graph(name: str) -> None:
    """It compiles without breaks, and the compiled tokenizer moves its codebook alike."""
    model = small(
        name, **({"kmeans": False} if name == "vqnsp_small" else {}), **QUIET.get(name, {})
    )
    twin, x, mask = copy.deepcopy(model), microvolts(), random_mask(torch.rand(4, 6), 0.5)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    for _ in range(2):
        arguments = (x, mask) if name == "masked_small" else (x,)
        output, wanted = compiled(*arguments), twin(*arguments)
        if name == "vqnsp_small":
            output, wanted = output.amplitude, wanted.amplitude
        torch.testing.assert_close(output, wanted, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(model.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)


# from stage to stage ----------------------------------------------------------------------


def test_a_classifier_starts_from_a_masked_model(tmp_path: Path) -> None:
    masked = randomised(small("masked_small"))
    save(masked, tmp_path / "m", FACTS)
    model = small()
    report = init_weights(model, tmp_path / "m")  # not partial: what is left over is expected
    assert set(report.missing) == {"fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"}
    assert set(report.unexpected) == {"mask_token", "norm.weight", "norm.bias"}
    assert torch.equal(model.pos_embed, masked.student.pos_embed)
    by_class = small(pooling="class")
    report = init_weights(by_class, tmp_path / "m")
    assert torch.equal(by_class.norm.weight, masked.student.norm.weight)


def test_a_classifier_starts_from_another_with_other_classes(tmp_path: Path) -> None:
    three = randomised(small(facts=DataFacts(CHANNELS, 200.0, 800, classes=("a", "b", "c"))))
    save(three, tmp_path / "m", FACTS)
    model = small()
    report = init_weights(model, tmp_path / "m")
    assert report.missing == ("head.weight", "head.bias")
    assert torch.equal(model.fc_norm.weight, three.fc_norm.weight)


def test_weights_of_which_nothing_or_too_little_fits_are_refused(tmp_path: Path) -> None:
    save(small("vqnsp_small"), tmp_path / "tokenizer", FACTS)
    with pytest.raises(UserError, match=r"init_from.*0 tensors loaded"):
        init_weights(small(), tmp_path / "tokenizer", partial=True)
    save(small("masked_small", backbone__qkv_bias=True), tmp_path / "biased", FACTS)
    with pytest.raises(UserError, match=r"unexpected.*q_bias"):
        init_weights(small(), tmp_path / "biased")


def test_a_tensor_of_another_shape_is_named() -> None:
    masked = small("masked_small").state_dict()
    masked["student.time_embed"] = torch.zeros(1, 8, 100)
    report = fit(small(), masked, "file")
    assert report.wrong_shape == ("time_embed",)
    assert not acceptable(small(), report)


def test_names_of_the_published_files_come_back() -> None:
    for name in ("vqnsp_base", "masked_base"):
        with torch.device("meta"):
            state = build_model(config(name, extras=True), FACTS).state_dict()
        assert all(our_name(published_name(n)) == n for n in state)
        assert len({published_name(n) for n in state}) == len(state)
