"""Du-IN: every shipped file, the faults of the original that ours does not have."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bm.errors import UserError
from bm.facts import DataFacts
from bm.losses.classification import sigmoid_cross_entropy, sigmoid_probabilities
from bm.losses.masked import masked_cross_entropy
from bm.models import build_model, init_weights, load, save
from bm.models.duin.contrast import ContrastBlock, ContrastOptions
from bm.models.saved import acceptable, fit, load_for_subjects
from bm.nn.masking import random_mask

from .duin import CONF, SMALL, config, facts, signal, small

STAGES = [f.stem for f in sorted(CONF.glob("*.yaml"))]
#: trained parameters for 10 channels; 1 subject, or 12 for poms. Published, less what nothing uses.
CODEBOOK = 160 * 161 + 64 * 161 + 2 * 64 + 160 * 65  # layers around it
CONTRAST = 2 * 32 * 161
SIZES = {
    "vqvae": 5_801_386,
    "mae": 3_890_304,
    "cls": 4_239_709 - CODEBOOK - CONTRAST,
    "cls_vq": 4_239_709 - CONTRAST,
    "phoneme": 3_655_706 - CODEBOOK,
    "poms_vqvae": 10_628_792,
    "poms_mae": 4_595_424,
    "poms_cls": 5_109_693 - CODEBOOK - CONTRAST,
}


def run(name: str, model: nn.Module, x: Tensor, subject: Tensor | None = None) -> Tensor:
    """Loss of one step of the stage that a model belongs to."""
    torch.manual_seed(3)
    n_tokens = x.shape[-1] // 20
    if "vqvae" in name:
        return model.losses(model(x, subject), x)["loss"]  # type: ignore[operator]
    if "mae" in name:
        mask = random_mask(torch.rand(len(x), n_tokens), 0.5)
        codes = torch.randint(16, (len(x), n_tokens))
        return masked_cross_entropy(model(x, mask, subject), codes, mask)["loss"]
    if name == "phoneme":
        labels = {
            k: torch.randint(n, (len(x), n_tokens)) for k, n in (("initial", 22), ("final", 36))
        }
        mask = torch.rand(len(x), n_tokens) > 0.2
        return model.losses(model(x, subject), labels, mask)["loss"]  # type: ignore[operator]
    return nn.functional.cross_entropy(model(x, subject), torch.arange(len(x)) % 3)


# shipped files ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", STAGES)
def test_every_shipped_file_has_the_published_size(name: str) -> None:
    whole = DataFacts(
        channels=tuple("abcdefghij"),
        rate_hz=1000.0,
        window_samples=4000 if name.endswith(("vqvae", "mae")) else 3000,
        classes=tuple(f"w{i}" for i in range(61)),
        subjects=tuple(f"s{i}" for i in range(12 if name.startswith("poms") else 1)),
    )
    with torch.device("meta"):
        model = build_model(config(name), whole)
    size = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert size == SIZES.get(name, size) and (
        name in SIZES or name.endswith(("_small", "_gamma", "_spoken"))
    )
    json.dumps(model.bm_arguments)


@pytest.mark.parametrize("name", STAGES)
def test_one_step_on_a_cpu_reaches_every_parameter(name: str) -> None:
    """Fault 5: without a GPU the original made no run folder and saved nothing."""
    n_subjects = 2 if name.startswith("poms") else 1
    model = small(name, n_subjects)
    loss = run(name, model, signal(), torch.arange(4) % n_subjects)
    loss.backward()
    missed = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert torch.isfinite(loss)
    assert not missed


@pytest.mark.parametrize("name", STAGES)
def test_a_saved_model_gives_the_same(name: str, tmp_path: Path) -> None:
    model = small(name)
    save(model, tmp_path / "m", facts())
    again = load(tmp_path / "m")
    assert torch.equal(run(name, model.eval(), signal()), run(name, again.eval(), signal()))


@pytest.mark.parametrize("name", STAGES)
def test_mixed_precision_changes_little(name: str) -> None:
    """The quantiser and the losses stay in float32."""
    model = small(name, backbone={"blocks": {"dropout": 0.0}})
    twin = copy.deepcopy(model)
    full = run(name, model, signal())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = run(name, twin, signal())
    assert mixed.item() == pytest.approx(full.item(), rel=0.03)
    mixed.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in twin.parameters())


@pytest.mark.parametrize("name", STAGES)
def test_a_first_loss_is_that_of_a_guess(name: str) -> None:
    loss = run(name, small(name), signal(64)).item()
    guess = {"phoneme": math.log(22) + math.log(36)}.get(name, math.log(3))
    guess = 2 * math.log(16) if "mae" in name else guess
    if "vqvae" in name:  # a silent reconstruction of unit variance, plus the commitment
        assert 0.9 < loss < 1.6
    else:
        assert loss == pytest.approx(guess, rel=0.05)


def test_first_values() -> None:
    model = small("mae", backbone={"blocks": {"ff_width": 2000, "head_width": 64}})
    weights = dict(model.named_parameters())
    for number in (0, 1):
        for part in ("attention.query", "attention.proj", "feed_forward.fc1", "feed_forward.fc2"):
            values = weights[f"backbone.blocks.{number}.{part}.weight"]
            assert values.std().item() == pytest.approx(0.02 / math.sqrt(2 * number + 2), rel=0.1)
    assert weights["backbone.subject.offset"].abs().sum() == 0
    assert weights["backbone.tokenizer.blocks.0.conv.bias"].abs().sum() > 0  # torch's own


# subjects and channels --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cls", "poms_cls", "vqvae", "poms_vqvae"])
def test_each_window_goes_through_its_subject(name: str) -> None:
    model = small(name, 3).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    x, subject = signal(6), torch.tensor([2, 0, 1, 1, 0, 2])

    def output(rows: list[int]) -> Tensor:
        y = model(x[rows], subject[rows])
        return y.signal if "vqvae" in name else y

    alone = torch.cat([output([i]) for i in range(6)])
    torch.testing.assert_close(output(list(range(6))), alone, atol=1e-5, rtol=1e-4)
    other = model(x[:1], torch.tensor([1]))
    other = other.signal if "vqvae" in name else other
    assert not torch.allclose(other, alone[:1], atol=1e-3)
    with pytest.raises(ValueError, match="3 subjects needs to be told"):
        model(x)


def test_contribution_of_a_channel_is_that_of_its_subject() -> None:
    """Fault 2: a reshape without transposing mixed subjects and channels for S > 1."""
    model = small("cls", 3)
    block = model.backbone.subject
    with torch.no_grad():
        block.weight.zero_()
        for subject, channel in ((0, 4), (1, 2), (2, 0)):
            block.maps()[subject, channel] = torch.tensor([1.0, -2.0, 3.0, -2.0])
    scores = model.contribution()
    assert scores.shape == (3, 5)
    assert scores.argmax(1).tolist() == [4, 2, 0]
    assert scores.max().item() == 2.0
    # a channel that counts changes the output, and one that does not, does not
    x = signal(3)
    output = model.eval()(x, torch.arange(3))
    x[:, 1] = 7.0
    torch.testing.assert_close(model(x, torch.arange(3)), output)
    x[1, 2] = 7.0
    assert not torch.allclose(model(x, torch.arange(3))[1], output[1])


def test_contribution_with_a_tokenizer_per_subject() -> None:
    model = small("poms_cls", 2)
    with torch.no_grad():
        model.backbone.tokenizers[1].blocks[0].conv.weight[:, 3] += 5.0
    assert model.contribution().shape == (2, 5)
    assert model.contribution()[1].argmax() == 3


@pytest.mark.parametrize("name", ["vqvae", "poms_vqvae"])
def test_channels_that_do_not_exist_change_nothing(name: str) -> None:
    """Fault 13: padded channels were seen by batch norms and biases."""
    still = {"backbone": {"blocks": {"dropout": 0.0}}, "codes": {"kmeans": False}}
    model, x = small(name, **still), signal()
    mask = torch.tensor([True, True, True, False, False]).expand(4, -1)
    model.train()
    rebuilt = copy.deepcopy(model)(x, None, mask)
    loud = x.clone()
    loud[:, 3:] = 100.0
    again = copy.deepcopy(model)(loud, None, mask)
    assert torch.equal(rebuilt.indices, again.indices)
    torch.testing.assert_close(rebuilt.signal, again.signal)
    losses = [model.losses(r, v)["loss"] for r, v in ((rebuilt, x), (again, loud))]
    torch.testing.assert_close(*losses)
    short = copy.deepcopy(model)(x[:, :3])  # the same windows without the padding at all
    torch.testing.assert_close(short.signal, rebuilt.signal[:, :3])
    torch.testing.assert_close(model.losses(short, x[:, :3])["loss"], losses[0])
    with pytest.raises(UserError, match=r"6 channels.*built for 5"):
        model(torch.zeros(1, 6, 120))


def test_a_batch_norm_of_poms_sees_its_own_subject_alone() -> None:
    model = small("poms_mae", 2).train()
    before = [t.blocks[0].norm.running_mean.clone() for t in model.backbone.tokenizers]
    model(signal(), torch.ones(4, 6).bool(), torch.ones(4, dtype=torch.long))
    after = [t.blocks[0].norm.running_mean for t in model.backbone.tokenizers]
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


# windows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vqvae", "mae"])
def test_windows_up_to_the_longest_will_do(name: str) -> None:
    """Fault 13: a clip of exactly the window's length failed."""
    model = small(name)
    assert torch.isfinite(run(name, model, signal()))
    assert torch.isfinite(run(name, model, signal(n_times=40)))
    for n_times in (130, 140):
        with pytest.raises(UserError, match=f"{n_times} samples.*duration_s"):
            run(name, model, signal(n_times=n_times))


def test_tokens_see_their_own_patch_alone() -> None:
    model, x = small("vqvae").eval(), signal()
    tokens = model.backbone.tokens(x)
    x[:, :, 40:60] += 1.0
    changed = (model.backbone.tokens(x) - tokens).abs().amax((0, 2)) > 1e-6
    assert changed.tolist() == [False, False, True, False, False, False]


# the codebook -----------------------------------------------------------------------------


def test_evaluation_changes_no_state() -> None:
    """Faults 8 and 9: k-means inside a forward pass of evaluation, counts that moved there."""
    model = small("vqvae").eval()
    before = copy.deepcopy(model.state_dict())
    assert not bool(model.quantiser.started)
    model(signal())
    model.tokens(signal())
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_classifier_has_no_quantiser_unless_asked() -> None:
    """Fault 8: the quantiser ran in stage 3, k-means and averages included, without effect."""
    assert not any("quantiser" in name for name, _ in small("cls").named_modules())
    spare = small("cls", extras=True, codes=SMALL["codes"]).train()
    before = copy.deepcopy(spare.codes.state_dict())
    run("cls", spare, signal()).backward()
    assert all(torch.equal(v, before[n]) for n, v in spare.codes.state_dict().items())
    assert all(p.grad is None for p in spare.codes.parameters())


def test_a_head_behind_the_codebook_sees_codes_alone() -> None:
    model = small("cls_vq", codes={"kmeans": False}).eval()
    tokens = model.encode(signal())
    indices = model.codes.indices(model.backbone(signal()))
    rebuilt = model.codes.from_code(model.codes.norm(model.codes.quantiser.codebook[indices]))
    torch.testing.assert_close(tokens, rebuilt)


# attention --------------------------------------------------------------------------------


@pytest.mark.parametrize("residual", [False, True])
def test_large_scores_do_not_overflow(residual: bool) -> None:
    """Fault 12: exp / sum without subtracting the maximum."""
    model = small("cls", backbone={"blocks": {"residual_scores": residual}}).eval()
    with torch.no_grad():
        for block in model.backbone.blocks:
            block.attention.query_norm.weight.fill_(1e3)
            block.attention.key_norm.weight.fill_(1e3)
    assert model(signal()).isfinite().all()


# losses -----------------------------------------------------------------------------------


def test_the_published_loss_has_its_floor() -> None:
    logits = torch.full((3, 61), -50.0)
    logits[:, 0] = 50.0
    floor = math.log(1 + 60 / math.e)
    labels = torch.zeros(3, dtype=torch.long)
    assert sigmoid_cross_entropy(logits, labels).item() == pytest.approx(floor, abs=1e-4)
    assert floor == pytest.approx(3.14, abs=0.005)
    shares = sigmoid_probabilities(torch.tensor([[0.0, 0.0, 50.0]]))
    torch.testing.assert_close(shares, torch.tensor([[0.25, 0.25, 0.5]]))


def test_both_phoneme_heads_are_trained() -> None:
    """Fault 11: the loss of the initials was computed and dropped."""
    for trained, idle in ((["initial", "final"], []), (["final"], ["initial"])):
        model = small("phoneme", trained=trained)
        run("phoneme", model, signal()).backward()
        for name, head in model.heads.items():
            assert (head.output.weight.grad is None) == (name in idle)
    with pytest.raises(UserError, match="trained"):
        small("phoneme", trained=["tone"])


def test_a_window_is_not_contrasted_with_itself() -> None:
    """Fault 11: both sides went through one projection, so they were equal."""
    tokens, labels = torch.randn(6, 4, 8), torch.arange(6) // 2
    for mode in ("unicl", "clip", "clip_orig"):
        block = ContrastBlock(8, ContrastOptions(1.0, 3, mode))
        block(tokens, labels).backward()
        assert block.left.weight.grad.abs().sum() > 0
        assert block.right.weight.grad.abs().sum() > 0
        published = ContrastBlock(8, ContrastOptions(1.0, 3, mode, shared=True))
        published(tokens, labels).backward()
        assert published.right.weight.grad is None


def test_windows_of_one_class_attract_each_other() -> None:
    """The loss falls when the other window of the class comes near, in `unicl` alone."""
    block = ContrastBlock(8, ContrastOptions(1.0, 8, "unicl", shared=True))
    with torch.no_grad():
        block.left.weight.copy_(torch.eye(8))
    far = torch.eye(8)[:4, None]
    near = far.clone()
    near[1] = near[0]
    labels = torch.tensor([0, 0, 1, 2])
    assert block(near, labels) < block(far, labels)
    assert block(near, torch.arange(4)) > block(far, torch.arange(4))


# from stage to stage ----------------------------------------------------------------------


def test_stages_start_from_each_other(tmp_path: Path) -> None:
    """Batch norm statistics go along; a time table of another length does not."""
    save(small("vqvae"), tmp_path / "vqvae", facts())
    save(small("mae"), tmp_path / "mae", facts())
    shorter = facts(n_times=80)
    for upstream in ("vqvae", "mae"):
        saved = load(tmp_path / upstream).state_dict()
        model = small("cls", n_times=80)
        report = init_weights(model, tmp_path / upstream, subjects=shorter.subjects)
        assert all(name.startswith("head.") for name in report.missing)
        mine = model.state_dict()
        names = [n for n in saved if n.startswith("backbone.") and n != "backbone.time.table"]
        assert names
        assert all(torch.equal(mine[name], saved[name]) for name in names)
    with_codes = small("cls_vq", n_times=80)
    report = init_weights(with_codes, tmp_path / "vqvae")
    assert "codes.quantiser.codebook" in report.matched
    with pytest.raises(UserError, match="missing"):
        init_weights(small("cls_vq", n_times=80), tmp_path / "mae")  # it has no codebook


def test_a_head_of_other_classes_is_left_out() -> None:
    model = small("cls")
    state = {**model.state_dict(), "head.output.weight": torch.zeros(9, 12)}
    state["head.output.bias"] = torch.zeros(9)
    report = fit(model, state, "here")
    assert not report.wrong_shape
    assert acceptable(model, report)
    assert fit(model, {**state, "sculpture": torch.zeros(1)}, "here").unexpected == ("sculpture",)


def test_wrong_configurations_are_named() -> None:
    with pytest.raises(UserError, match=r"patches: unknown option 'filter'.*filters"):
        small("cls", backbone={"patches": {"filter": [1]}})
    with pytest.raises(UserError, match=r"samples=20.*shorten by 3"):
        small("cls", backbone={"patches": {"strides": [3, 1, 1]}})
    with pytest.raises(UserError, match="every list needs one entry per block"):
        small("cls", backbone={"patches": {"kernels": [3, 3]}})
    with pytest.raises(UserError, match=r"'pomms'.*poms"):
        small("cls", backbone={"variant": "pomms"})
    with pytest.raises(UserError, match="a token becomes 8 samples"):
        small("vqvae", head={"strides": [4, 2]})
    with pytest.raises(UserError, match="tokens of 5 values"):
        small("cls", backbone={"patches": {"samples": 25, "filters": [8, 8, 1]}})


def test_what_was_learned_of_a_subject_follows_it(tmp_path: Path) -> None:
    """Rows of linear maps, and whole networks per subject, go by name and not by index."""
    for name, part in (("vqvae", "backbone.subject.weight"), ("poms_vqvae", None)):
        model = small(name, 3)
        save(model, tmp_path / name, facts(3))
        others = ("s2", "s0")
        again: Any = load_for_subjects(tmp_path / name, others)
        x = signal(2)
        twin = model.eval()(x, torch.tensor([2, 0])).signal
        torch.testing.assert_close(again.eval()(x, torch.arange(2)).signal, twin)
        with pytest.raises(UserError, match="nothing was learned of 1 subjects"):
            load_for_subjects(tmp_path / name, ("s9", "s0"))
        word = small(name.replace("vqvae", "cls"), 1)
        init_weights(word, tmp_path / name, subjects=("s1",))
        mine, saved = word.state_dict(), model.state_dict()
        if part is not None:
            assert torch.equal(mine[part], saved[part][1:2])
        else:
            first = "blocks.0.conv.weight"
            theirs = saved[f"backbone.tokenizers.1.{first}"]
            assert torch.equal(mine[f"backbone.tokenizers.0.{first}"], theirs)
