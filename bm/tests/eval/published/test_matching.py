"""Published numbers stand beside ours, on the rows of the real grids that repeat them."""

from __future__ import annotations

import functools

import pytest

from bm.eval.experiments import Experiment, of_grid
from bm.eval.published.clip import ABLATIONS
from bm.eval.published.labram import GRIDS as LABRAM
from bm.eval.published.matching import Published, match, published_beside
from bm.eval.published.rows import PublishedRow, Reference
from bm.eval.tables.references import published_of, references_of
from bm.eval.tables.variants import variants
from bm.train import main
from grids.labram import finetune
from grids.labram import main as labram_main
from grids.nmi import _common, ablation_final


@functools.lru_cache
def grid(name: str) -> tuple[Published, list[Experiment], list[str]]:
    """Published rows, experiments and their rows, of one seed."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (_common, finetune, labram_main):
            patch.setattr(module, "SEEDS", (2036,))
        experiments = of_grid(name, main)
    return published_of(name, experiments), experiments, variants(experiments)


def repeated(name: str, dataset: str) -> dict[str, str]:
    """Row of the table -> published row that it repeats."""
    published, experiments, rows = grid(name)
    return {
        row: published.rows[e.sig].name
        for e, row in zip(experiments, rows, strict=True)
        if e.sig in published.rows and e.config.dset.name == dataset
    }


@pytest.mark.parametrize("dataset", _common.DATASETS)
def test_table_2_is_beside_its_rows(dataset: str) -> None:
    mel = "dset.features=[{name: MelSpectrum, n_mels: 120}]"
    assert repeated("nmi.main_table", dataset) == {
        "base": "wav2vec 2.0",
        "optim.epochs=1 optim.max_batches=1 solver.wer_random=true": "random",
        mel: "contrastive mel",
        f"{mel} solver.feature_model=deep_mel": "deep mel",
        f"{mel} solver.loss=mse": "mel regression",
    }
    assert not grid("nmi.main_table")[0].others[dataset]


def test_every_ablation_of_the_grid_was_published() -> None:
    published, experiments, _ = grid("nmi.ablation_final")
    names = list(ablation_final.ABLATIONS)
    for place, experiment in enumerate(experiments):
        assert published.rows[experiment.sig].name == names[place % len(names)]
    means = [sum(mean for mean, _ in pairs) / 4 for pairs in ABLATIONS.values()]
    assert means == sorted(means, reverse=True)  # the publication's order, by the mean


def test_labram_rows_repeat_what_was_published() -> None:
    for dataset in ("tuab", "tuev"):
        tuned = repeated("labram.finetune", dataset)
        assert tuned["base"] == "LaBraM-Base" and tuned["solver.tune_blocks=8"] == "8 blocks"
        assert sorted(tuned.values()) == ["4 blocks", "8 blocks", "LaBraM-Base", "linear probe"]
        sizes = repeated("labram.main", dataset)
        assert sorted(sizes.values()) == ["LaBraM-Base", "LaBraM-Huge", "LaBraM-Large"]
        assert not any("baselines" in row for row in sizes)
        names = repeated("labram.ablation", dataset)
        assert sorted(names.values()) == sorted(row.name for row in LABRAM["labram.ablation"])
        assert names["init_from=//sig/d35691f7"] == "raw patches"


def test_what_no_row_repeats_has_a_row_of_its_own(tmp_path) -> None:
    _, experiments, _ = grid("labram.main")
    references = references_of("labram.main", experiments, "balanced_accuracy", tmp_path)
    assert (
        "published: BIOT" in references["tuev"]
        and "published: LaBraM-Base" not in references["tuev"]
    )
    assert str(references["tuev"]["published: BIOT"]["kappa"]) == "0.527 ± 0.025"
    assert references["labram_corpus"] == {}
    assert not references_of("labram.eegmat", experiments, "balanced_accuracy", tmp_path)["tuab"]


def test_other_tasks_of_labram_are_known_by_the_name_of_the_data() -> None:
    (base,) = [row for row in LABRAM["labram.main"] if row.name == "LaBraM-Base"]
    assert base.values["seed_v"]["kappa"] == Reference(0.2613)
    assert base.values["mobi"]["rmse"] == Reference(0.1225)


def test_one_more_change_is_no_published_row() -> None:
    _, experiments, _ = grid("nmi.ablation_final")
    config = experiments[0].config.copy()
    row = PublishedRow("it", {"schoffelen2019": {}}, {"model.encoder.glu": 2, "model.head": "none"})
    assert match([row], config, {}) is None
    config.model.head = "none"
    assert match([row], config, {}) is row
    assert not published_beside("clip.debug", {"a": config}).others
