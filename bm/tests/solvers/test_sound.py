"""The chain of eeg2speech on simulated listening: what its stages write, and what is refused."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bm.errors import UserError
from bm.models import load
from bm.solvers.sound.clips import waves_of
from bm.solvers.sound.embedding_file import read_embeddings, write_embeddings
from bm.solvers.sound.extractor import PlatformExtractor
from bm.solvers.sound.judgement import ranks
from bm.solvers.sound.page import write_page
from bm.solvers.sound.sources import CONTROLS, deranged_within, derangement
from bm.solvers.sound.stored import check_rows, computed_once

from ..experiments import history_of, run
from .sound_chain import DENOISER, chain_of


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> SimpleNamespace:
    return chain_of(tmp_path_factory.mktemp("sound"))


@pytest.mark.story
def test_the_table_has_every_control_and_ceiling(chain) -> None:
    stored = json.loads((chain.denoiser.folder / "evaluation.json").read_text())
    assert stored["simulated"]
    ceilings = {"true audio embedding", "autoencoder copy", "Griffin-Lim copy"}
    assert set(stored["extra"]["references"]) == {*CONTROLS, *ceilings}
    assert stored["extra"]["vocoder"] == "none: Griffin-Lim"
    # two people: nothing may be claimed
    tests = stored["extra"]["claims"]["mel_correlation"]["shuffled EEG"]
    assert "not shown" in tests["says"] and tests["person"]["n"] == 2
    copies = stored["extra"]["references"]["Griffin-Lim copy"]
    assert copies["retrieval_top1"] == 1 and copies["mel_correlation"] > 0.9


@pytest.mark.story
def test_each_stage_has_its_history(chain) -> None:
    assert {"loss", "rec", "kl"} <= set(history_of(chain.first)[-1]["valid"])
    assert history_of(chain.first)[-1]["train"]["d_weight"] > 0
    # an untrained denoiser predicts nothing, and its error is that of unit noise
    assert history_of(chain.denoiser)[-1]["train"]["loss"] == pytest.approx(1, abs=0.2)


@pytest.mark.story
def test_a_page_and_its_sounds_are_written(chain) -> None:
    folder = chain.denoiser.folder / "generated"
    text = (folder / "page.html").read_text()
    assert "http" not in text and "Simulated data" in text and "Griffin-Lim" in text
    assert len(list(folder.glob("*_generated.wav"))) == 2
    assert all((folder / name).exists() for name in ("000_target.png", "001_zero_vector.wav"))


@pytest.mark.story
def test_a_saved_denoiser_holds_what_makes_it_audible(chain) -> None:
    best = chain.denoiser.folder / "best"
    model, autoencoder = load(best), load(best / "autoencoder")
    assert model.latent_shape == autoencoder.latent_shape
    assert np.isfinite(float(model.scale)) and model.audio == autoencoder.audio.to_dict()


@pytest.mark.story
def test_a_stage_that_was_killed_goes_on(chain) -> None:
    """Discriminator and both optimisers are in the checkpoint."""
    state = torch.load(chain.first.folder / "checkpoint.pt", weights_only=True)["state"]
    assert {"discriminator", "discriminator_optimizer", "model", "optimizer"} <= set(state)
    assert state["discriminator_optimizer"]["state"]


@pytest.mark.story
def test_a_sound_that_two_people_heard_is_encoded_once(chain, monkeypatch) -> None:
    solver = chain.denoiser
    monkeypatch.setattr(solver.data, "window_features", solver.sounds)
    rows, counts = np.arange(len(solver.data.table)), []

    def every_hundredth(waves: torch.Tensor) -> torch.Tensor:
        counts.append(len(waves))
        return waves[:, ::100]

    table = computed_once(solver.data, 5, every_hundredth)
    waves = waves_of(solver.data, rows)
    assert torch.equal(table, waves[:, ::100])
    assert sum(counts) == len(waves.unique(dim=0)) <= len(rows) / 2 + 1


@pytest.mark.endurance  # each opens the data anew: a few seconds of a processor
@pytest.mark.story
@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("solver.autoencoder=null",), r"solver\.autoencoder is not set"),
        (("solver.autoencoder=ENCODER",), "holds a SimpleConv, not a MelAutoencoder"),
        (("solver.encoder=AUTOENCODER",), "solver=contrastive"),
        (("dset.rate_hz=50.0",), r"dset\.rate_hz is 50\.0, its encoders had 62\.5"),
        (("dset.scale.kind=zscore",), r"dset\.scale is .*zscore"),
        (("dset.segment.duration_s=1.6",), "longer than the clips of 1.28 s"),
        (("dset.segment.duration_s=0.96",), "trained on 80"),
        (("solver.cond.train_source=sound",), "train_source"),
        (("dset.features=[{name: MelSpectrum, n_mels: 20}]",), "SoundWave"),
        (("generate.clip=true",), "latents have no limit"),
    ],
)
def test_stages_that_do_not_fit_are_refused_in_one_line(chain, words, what) -> None:
    addresses = {
        "ENCODER": f"//sig/{chain.encoder.xp.sig}",
        "AUTOENCODER": f"//sig/{chain.first.xp.sig}",
    }
    arguments = []
    for word in words:
        key, _, value = word.partition("=")
        arguments.append(f"{key}={addresses.get(value, value)}")
    with pytest.raises(UserError, match=what) as error:
        # a key that is named twice with its default would count as not named again
        keys = {word.partition("=")[0] for word in arguments}
        stages = [word for word in chain.stages if word.partition("=")[0] not in keys]
        run(chain.folder, *DENOISER, *stages, *arguments, "optim.lr=1.5e-3")
    assert "\n" not in str(error.value)


def embeddings(folder, audio=None, eeg=None, encoder="//sig/00000001"):
    """A file of embeddings (5, 3) with what a test changes."""
    values = torch.randn(5, 3)
    path = folder / "embeddings.safetensors"
    write_embeddings(
        path, values if audio is None else audio, values if eeg is None else eeg, encoder
    )
    return path


def test_embeddings_of_a_file_are_read_as_they_are(tmp_path) -> None:
    audio, eeg = torch.randn(5, 3, 4), torch.randn(5, 3)
    path = embeddings(tmp_path, audio, eeg)
    table = read_embeddings(path, "//sig/00000001", 5, 3, 1).reshape(5, 2, 3)
    assert torch.allclose(table[:, 0], audio.mean(-1)) and torch.equal(table[:, 1], eeg)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"encoder": "//sig/00000002"}, "computed by encoder //sig/00000002"),
        ({"audio": torch.ones(4, 3)}, "audio has 4 rows for 5 clips"),
        ({"eeg": torch.ones(5, 7)}, r"eeg has shape \(5, 7, 1\); the encoders give 3"),
        ({"eeg": torch.full((5, 3), torch.nan)}, "eeg holds NaN or inf in 5 of 5"),
    ],
)
def test_embeddings_that_do_not_belong_are_refused(tmp_path, changes, what) -> None:
    path = embeddings(tmp_path, **changes)
    with pytest.raises(UserError, match=what) as error:
        read_embeddings(path, "//sig/00000001", 5, 3, 1)
    assert "embeddings.safetensors" in str(error.value) and "\n" not in str(error.value)


def test_rows_that_are_not_finite_are_counted() -> None:
    with pytest.raises(UserError, match="1 of 3 rows hold NaN or inf, first 1"):
        check_rows(torch.tensor([[1.0], [torch.inf], [2.0]]), 3, "latents")
    with pytest.raises(UserError, match="3 rows for 4 clips"):
        check_rows(torch.ones(3, 1), 4, "latents")


def test_ranks_count_what_is_closer_and_half_of_ties() -> None:
    candidates = np.eye(3)
    queries = np.array([[1.0, 0, 0], [1, 0.5, 0], [1, 1, 1]])
    assert ranks(queries, candidates, np.array([0, 1, 2])).tolist() == [0, 1, 1]


def test_an_exchange_moves_every_sound() -> None:
    speech = np.array([0, 0, 1, 1, 2, 2, 3])
    other = derangement(speech, 0)
    assert sorted(other) == list(range(7))
    assert (speech[other] != speech).all()
    assert derangement(np.array([4]), 0).tolist() == [0]


def test_an_exchange_stays_within_people_where_they_heard_enough() -> None:
    # two people of three sounds, one who heard a single sound and one with a single clip
    speech = np.array([0, 1, 2, 0, 1, 2, 0, 1, 5, 5, 5, 7])
    people = np.array(list("aaabbbbbcccd"))
    other = deranged_within(speech, people, 0)
    assert sorted(other) == list(range(len(speech)))
    assert (speech[other] != speech).all()
    # of the last two nobody can exchange alone, and together they are too much alike
    assert (people[other] == people)[:3].all()
    alone = deranged_within(speech[:6], people[:6], 0)
    assert (people[alone] == people[:6]).all() and (speech[alone] != speech[:6]).all()


class Echo:
    """An encoder whose embedding of a sound (n,) is the sound itself: four numbers a time."""

    rate_hz = 100

    def __init__(self, pooled: bool) -> None:
        self.pooled = pooled

    def embeddings(self, waves: torch.Tensor) -> torch.Tensor:
        return waves.unflatten(1, (4, -1))


@pytest.mark.parametrize(("pooled", "closer"), [(True, 0.0), (False, 5.0)])
def test_clips_are_ranked_as_the_encoders_tell_them_apart(pooled, closer) -> None:
    """The same sound at another time has the same average, and another sequence."""
    waves = torch.from_numpy(np.random.default_rng(0).standard_normal((40, 64))).float()
    extractor = PlatformExtractor(Echo(pooled), waves)  # type: ignore[arg-type]
    late = waves.unflatten(1, (4, -1)).roll(8, 2).flatten(1)
    true, heard = extractor.heard(waves), extractor.heard(late)
    assert heard.clips.shape == (40, 4) and heard.frames.shape == (80, 4)
    late_ranks = ranks(heard.ranked, true.ranked, np.arange(40))
    assert late_ranks.mean() >= closer and (late_ranks.mean() == 0) == pooled


def test_a_page_escapes_names_and_stays_whole(tmp_path) -> None:
    sounds = {"target": np.zeros((1, 800)), "a/b": np.ones((1, 800)) * 0.1}
    mels = {name: np.random.default_rng(0).random((1, 10, 8)) for name in sounds}
    page = write_page(tmp_path / "out", sounds, mels, ["<script>"], 16000, ["a & b"])
    text = page.read_text()
    assert "<th>&lt;script&gt;</th>" in text and "a &amp; b" in text
    assert (tmp_path / "out" / "000_a_b.wav").exists()
