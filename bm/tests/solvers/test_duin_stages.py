"""Du-IN's stages through the shared solvers, on simulated depth electrodes of one or two people."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from bm.errors import UserError
from bm.models import load
from bm.models.saved import load_for_subjects
from bm.solvers import neighbour_reference

from ..engine import toy
from ..experiments import history_of, run

pytestmark = pytest.mark.story
SHORT = ("optim.epochs=2", "optim.max_batches=3", "log.figures=false")
CLIPS = (
    "{study: simulated, mode: seeg, preset: debug, n_subjects: 1, n_free: 6, free_s: 12.0,"
    " part: free}"
)
#: Two people with four contacts each.
PEOPLE = (
    "dset.studies=[{study: simulated, mode: seeg, preset: tiny, n_subjects: 2, shafts: [1, 1],"
    " contacts: [4, 4], part: PART}]"
)


def people(part: str) -> tuple[str, ...]:
    """Words that select a part of the recordings of two people."""
    more = {"free": "n_free: 6, free_s: 12.0, part: free"}.get(part, f"part: {part}")
    return PEOPLE.replace("part: PART", more), "dset.channels=padded"


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("duin")
    short = (*SHORT, f"dset.studies=[{CLIPS}]")
    tokenizer = run(folder, "solver=duin/debug_vqvae", *short, "log.figures=true")
    address = f"tokenizer=//sig/{tokenizer.xp.sig}"
    masked = run(folder, "solver=duin/debug_mae", address, *short)
    words = run(
        folder, "solver=duin/debug", f"init_from=//sig/{masked.xp.sig}", *SHORT[:2],
        "model.contrast.scale=0.3", "optim.batch_size=8",
    )  # fmt: skip
    return SimpleNamespace(folder=folder, tokenizer=tokenizer, masked=masked, words=words)


def test_every_stage_leaves_what_its_table_needs(chain) -> None:
    names = {
        chain.tokenizer: {"loss", "reconstruction", "quantiser", "perplexity"},
        chain.masked: {"loss", "accuracy", "target_perplexity"},
        chain.words: {"loss", "accuracy", "balanced_accuracy"},
    }
    for solver, metrics in names.items():
        assert metrics <= set(history_of(solver)[-1]["valid"])
        stored = json.loads((solver.folder / "evaluation.json").read_text())
        assert stored["simulated"] and stored["chance"]
    stored = json.loads((chain.masked.folder / "evaluation.json").read_text())
    beside = stored["extra"]["references"][neighbour_reference.NAME]
    assert {"accuracy", "accuracy_masked"} <= set(beside) and 0 <= beside["accuracy"] <= 1
    drawn = {p.name for p in (chain.tokenizer.folder / "figures").iterdir()}
    assert {"curves.svg", "codes.svg", "reconstruction_0002.svg"} <= drawn


def test_a_codebook_starts_from_many_batches_and_stays_in_use(chain) -> None:
    """K-means on one batch would start with equal codes; no code is dead at the start."""
    history = history_of(chain.tokenizer)
    assert history[0]["train"]["unused_codes"] == 0
    assert history[-1]["valid"]["perplexity"] > 2


def test_the_frozen_tokenizer_stays_as_it_was(chain) -> None:
    original = load(chain.tokenizer.folder / "best").state_dict()
    assert toy.same(dict(chain.masked.tokenizer.state_dict()), dict(original))
    state = torch.load(chain.masked.folder / "checkpoint.pt", weights_only=True)["state"]
    assert not any("quantiser" in name for name in state["model"])


def test_a_contrastive_loss_is_logged_beside_the_task(chain) -> None:
    last = history_of(chain.words)[-1]
    assert last["train"]["penalty"] > 0
    assert "penalty" not in last["valid"]
    assert not any("quantiser" in name for name, _ in chain.words.model.named_modules())


def test_people_with_other_contacts_share_a_model(tmp_path) -> None:
    """Each person has a tokenizer through all three stages; everything behind it is shared."""
    free = people("free")
    sizes = (
        "model.backbone.patches.filters=[16,16,8]", "model.backbone.blocks.depth=1",
        "model.backbone.blocks.n_heads=2", "model.backbone.blocks.head_width=8",
        "model.backbone.blocks.ff_width=32",
    )  # fmt: skip
    codes = ("model.codes.n_codes=16", "model.codes.width=8")
    stage1 = run(
        tmp_path, "solver=duin/poms_vqvae", *SHORT, *free, *sizes, *codes, "optim.batch_size=8",
        "model.decoder_depth=1", "model.head.filters=[8,8,8]",
    )  # fmt: skip
    assert stage1.data.facts.subjects == ("simulated-seeg/s000", "simulated-seeg/s001")
    assert len(stage1.model.backbone.tokenizers) == 2
    address = f"tokenizer=//sig/{stage1.xp.sig}"
    stage2 = run(tmp_path, "solver=duin/poms_mae", *SHORT, *free, *sizes, address,
                 "model.n_codes=16", "optim.batch_size=8")  # fmt: skip
    assert len(stage2.tokenizer.backbone.tokenizers) == 2
    stage3 = run(
        tmp_path, "solver=duin/poms", *SHORT, *people("task"), *sizes, "optim.batch_size=8",
        f"init_from=//sig/{stage2.xp.sig}",
    )  # fmt: skip
    assert "loss" in history_of(stage3)[-1]["valid"]


def test_a_tokenizer_of_other_people_is_refused(chain) -> None:
    with pytest.raises(UserError, match="nothing was learned of 1 subjects"):
        load_for_subjects(chain.tokenizer.folder / "best", ("somebody",))


def test_a_model_may_predict_patches_of_all_channels(tmp_path) -> None:
    """Neuro-BERT's pre-training through the masked solver."""
    solver = run(
        tmp_path, "solver=duin/neurobert_mae", "dset=duin/simulated_people_clips",
        "dset.rate_hz=400", *people("free"), "optim.batch_size=8", "optim.epochs=8",
        "optim.lr=3e-3", "schedule.warmup_epochs=0", "log.figures=false",
        "model.filters=[16]", "model.blocks.depth=1", "model.decoder_depth=1",
        "model.head.filters=[8,8,8]",
    )  # fmt: skip
    history = history_of(solver)
    assert history[-1]["train"]["loss"] < history[0]["train"]["loss"]
    parts = history[-1]["valid"]
    mean = (parts["loss_masked"] + parts["loss_complement"]) / 2
    assert parts["loss"] == pytest.approx(mean, rel=1e-4)
