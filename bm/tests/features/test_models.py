"""Features that models make: wav2vec 2.0, BERT, XLM-R, spaCy; pitch; what is said offline."""

from __future__ import annotations

import inspect
import sys
import types
from pathlib import Path

import huggingface_hub
import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from bm.errors import UserError
from bm.features import build_feature
from bm.features.builder import FeatureBuilder
from bm.features.cache import FeatureCache
from bm.features.language import iso_code
from bm.features.pitch import yin
from bm.features.sound import mono, read_sound
from bm.features.wav2vec import Wav2VecConvolution, Wav2VecTransformer, normalised
from bm.registry import argument_names
from bm.solvers.build_data import windows_of

from ..shipped import section
from . import models
from .events import one, sound_events, words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    models.wav2vec(root / "wav2vec")
    models.bert(root / "bert")
    models.xlm(root / "xlm")
    return root


def rows_of(entry: dict, folder: Path, events: pd.DataFrame) -> list[np.ndarray]:
    feature = build_feature(entry, folder)
    return list(feature.rows(events, 120.0))


def test_hidden_states_are_averaged_over_the_layers_asked_for(folder: Path, tmp_path) -> None:
    from transformers import Wav2Vec2Model

    events = sound_events(tmp_path, 1.5, 16000)
    entry = {"name": "Wav2VecTransformer", "model": "wav2vec", "layers": [2, 3]}
    (rows,) = rows_of(entry, folder, events)
    sound = normalised(mono(*read_sound(tmp_path / "a.wav", 0.0, 1.5), normalise=False))
    model = Wav2Vec2Model.from_pretrained(folder / "wav2vec").eval()
    with torch.no_grad():
        states = model(sound[None], output_hidden_states=True).hidden_states
    assert len(states) == 5
    expected = ((states[2] + states[3]) / 2)[0]
    assert rows.shape == expected.shape and 42 <= len(rows) / 1.5 <= 52
    assert np.allclose(rows, expected, atol=1e-5)
    (other,) = rows_of({**entry, "layers": [4]}, folder, events)
    assert not np.allclose(rows, other, atol=1e-3)


def test_windows_of_wav2vec_are_spread_over_the_overlap(folder: Path, tmp_path) -> None:
    events = sound_events(tmp_path, 2.0, 16000)
    feature = build_feature(
        {"name": "Wav2VecTransformer", "model": "wav2vec", "layers": [1]}, folder
    )
    builder = FeatureBuilder([feature])
    builder.add(events, 120.0)
    (rows,) = feature.rows(events, 120.0)
    values = builder.gather(np.array([0]), np.array([36]), 120)[0]["Wav2VecTransformer"][0]
    assert (values[:, :24] == 0).all()  # before the sound, which begins at 0.5 s
    # overlap 0.5 to 1.3 s: rows 0 to round(0.8 * 99 / 2) = 40 over 96 samples
    index = np.arange(96) * 40 // 96
    assert np.array_equal(values[:, 24:].T, rows[index])


def test_long_sounds_are_seen_in_parts(folder: Path, tmp_path) -> None:
    events = sound_events(tmp_path, 6.0, 16000)
    entry = {"name": "Wav2VecTransformer", "model": "wav2vec", "layers": [0]}
    (whole,) = rows_of(entry, folder, events)
    (parts,) = rows_of({**entry, "context_s": 3.0}, folder, events)
    assert parts.shape == whole.shape
    near = np.isclose(parts, whole, atol=0.3).mean()
    assert near > 0.9  # group norm over a part is not that over the whole
    (short,) = rows_of({**entry, "context_s": 8.0}, folder, events)
    assert np.array_equal(short, whole)


def test_random_weights_are_the_same_in_every_run(folder: Path, tmp_path) -> None:
    from bm.features.pretrained import load_model

    events = sound_events(tmp_path, 0.6, 16000)
    entry = {"name": "Wav2VecTransformer", "model": "wav2vec", "layers": [4], "random": True}
    first = rows_of(entry, folder, events)[0]
    load_model.cache_clear()
    assert np.array_equal(first, rows_of(entry, folder, events)[0])
    plain = rows_of({**entry, "random": False}, folder, events)[0]
    assert not np.allclose(first, plain, atol=1e-2)


def test_convolutions_and_the_wave_itself(folder: Path, tmp_path) -> None:
    events = sound_events(tmp_path, 1.0, 16000)
    (rows,) = rows_of({"name": "Wav2VecConvolution", "model": "wav2vec"}, folder, events)
    assert rows.shape == (120, 16)
    builder = FeatureBuilder([build_feature("Wav2VecChunk"), build_feature("WordLength")])
    builder.add(pd.concat([events, words((0.6, 0.2, "abc"))]), 100.0)
    values, mask = builder.gather(np.array([0]), np.array([45]), 60)
    chunk = values["Wav2VecChunk"][0, 0]
    assert chunk.shape == (9600,) and values["WordLength"].shape == mask[None].shape
    assert (chunk[:800] == 0).all() and abs(float(chunk[800:].std()) - 1) < 0.1


def test_wav2vec_is_cached_by_model_and_layers(folder: Path, tmp_path, monkeypatch) -> None:
    from bm.features.wav2vec import Wav2VecTransformer

    events, seen = sound_events(tmp_path, 0.6, 16000), []
    original = Wav2VecTransformer._embed
    monkeypatch.setattr(Wav2VecTransformer, "_embed", lambda *a: seen.append(1) or original(*a))
    entry = {"name": "Wav2VecTransformer", "model": "wav2vec"}
    for layers in ([1], [1], [2]):
        feature = build_feature({**entry, "layers": layers}, folder)
        FeatureBuilder([feature], cache=FeatureCache(tmp_path)).add(events, 120.0)
    assert len(seen) == 2


def test_bert_sums_the_tokens_of_a_word(folder: Path) -> None:
    from transformers import BertModel

    events = words((0.0, 0.2, "the"), (0.3, 0.2, "rabbits"), (0.6, 0.2, "ran"))
    entry = {"name": "BertEmbedding", "model": "bert", "layers": [3, 4]}
    rows = rows_of(entry, folder, events)
    ids = torch.tensor([[2, 5, 6, 7, 8, 3]])  # [CLS] the rabbit ##s ran [SEP]
    with torch.no_grad():
        model = BertModel.from_pretrained(folder / "bert").eval()
        states = model(ids, output_hidden_states=True).hidden_states
    mean = ((states[3] + states[4]) / 2)[0]
    assert np.allclose(rows[0][0], mean[1], atol=1e-5)
    assert np.allclose(rows[1][0], mean[2] + mean[3], atol=1e-5)
    assert np.allclose(rows[2][0], mean[4], atol=1e-5)


@pytest.mark.parametrize("contextual", [False, True])
def test_xlm_divides_by_the_root_of_the_number_of_tokens(folder: Path, contextual: bool) -> None:
    from transformers import XLMRobertaModel

    events = words((0.0, 0.2, "the"), (0.3, 0.2, "rabbits"))
    entry = {"name": "XlmEmbedding", "model": "xlm", "contextual": contextual}
    rows = rows_of(entry, folder, events)
    with torch.no_grad():
        model = XLMRobertaModel.from_pretrained(folder / "xlm").eval()
        states = model(torch.tensor([[0, 4, 5, 6, 2]]), output_hidden_states=True).hidden_states
    state = states[-1 if contextual else 0][0]
    assert np.allclose(rows[0][0], state[1], atol=1e-5)
    assert np.allclose(rows[1][0], (state[2] + state[3]) / 2**0.5, atol=1e-5)


def test_defaults_are_the_published_ones() -> None:
    """Layers 14 to 18 and 120 mels, where accounts of the paper say otherwise (clip spec 9)."""
    from bm.features.wav2vec import Wav2VecTransformer

    defaults = inspect.signature(Wav2VecTransformer).parameters
    assert list(defaults["layers"].default) == [14, 15, 16, 17, 18]
    assert defaults["model"].default == "facebook/wav2vec2-large-xlsr-53"
    assert build_feature("MelSpectrum").dimension == 120


def test_models_of_the_configured_folder_are_used(folder: Path, tmp_path) -> None:
    dset = section("dset", "simulated_listening")
    dset["studies"] = [{"study": "simulated", "mode": "listening", "preset": "tiny"}]
    dset["split"]["fixed"] = {"test": {"run": ["2"]}}
    dset["features"] = [{"name": "Wav2VecTransformer", "model": "wav2vec", "layers": [2]}]
    paths = {"studies": str(tmp_path), "cache": str(tmp_path), "models": str(folder)}
    dataset = windows_of(OmegaConf.create({"dset": dset, "paths": paths}))
    assert dataset.facts.features == {"Wav2VecTransformer": 24}
    values = dataset.gather([0, 1]).features["Wav2VecTransformer"]
    assert values.shape[:2] == (2, 24) and float(values.std()) > 0.1
    # Two people hear the same three stories: three files, not six.
    assert len(list((tmp_path / "features/Wav2VecTransformer").glob("*.h5"))) == 3


def test_offline_one_line_says_what_to_fetch_and_where_to_put_it(tmp_path, monkeypatch) -> None:
    def offline(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(UserError) as error:
        build_feature("Wav2VecTransformer", tmp_path)
    message = str(error.value)
    place = str(tmp_path / "facebook/wav2vec2-large-xlsr-53")
    assert "hf download facebook/wav2vec2-large-xlsr-53" in message and message.count(place) == 2
    assert "\n" not in message
    with pytest.raises(UserError, match=r"there is no config.json in nothere"):
        build_feature({"name": "BertEmbedding", "model": "nothere"}, tmp_path)


def test_layers_that_are_not_there_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"layers=\[5\]; wav2vec has 0 to 4"):
        build_feature({"name": "Wav2VecTransformer", "model": "wav2vec", "layers": [5]}, folder)
    with pytest.raises(UserError, match=r"has 0 to 5"):
        build_feature({"name": "BertEmbedding", "model": "bert"}, folder)


def test_packages_for_words_are_named_when_they_are_missing(monkeypatch) -> None:
    for name in ("wordfreq", "spacy"):
        monkeypatch.setitem(sys.modules, name, None)
    from bm.features.lexicon import pipeline

    pipeline.cache_clear()
    events = words((0.0, 0.5, "the")).assign(language="english")
    for name, package in (("WordFrequency", "wordfreq"), ("PartOfSpeech", "spacy")):
        with pytest.raises(UserError, match=rf"{name} needs the package {package}.*\.\[words\]"):
            one(name, events, 0, 5)


class Token:
    """What spaCy gives for a word, as far as features look at it."""

    def __init__(self, word: str) -> None:
        self.pos_ = {"the": "DET", "rabbit": "NOUN"}[word]
        self.vector = np.full(300, float(len(word)))


def test_spacy_features_use_the_language_of_each_word(monkeypatch, tmp_path) -> None:
    from bm.features.lexicon import pipeline

    loaded: list[str] = []

    def load(name):
        loaded.append(str(name))
        if "nl_" in str(name):
            raise OSError("no model")
        return lambda text: [Token(text)]

    monkeypatch.setitem(sys.modules, "spacy", types.SimpleNamespace(load=load))
    pipeline.cache_clear()
    events = words((0.0, 0.5, "the"), (0.5, 0.5, "rabbit")).assign(language="english")
    assert one("PartOfSpeech", events, 0, 10)[0].tolist() == [7] * 5 + [9] * 5
    assert one("WordEmbedding", events, 0, 10)[:, 9].tolist() == [6.0] * 300
    assert loaded == ["en_core_web_md", "en_core_web_md"]
    with pytest.raises(UserError, match=r"python -m spacy download nl_core_news_md.*at "):
        one("PartOfSpeech", events.assign(language="nl"), 0, 10)
    with pytest.raises(UserError, match="has no pipeline of 'ja'"):
        one("PartOfSpeech", events.assign(language="ja"), 0, 10)
    pipeline.cache_clear()


def test_frequency_asks_with_the_iso_code_of_the_language(monkeypatch) -> None:
    asked = []
    fake = types.SimpleNamespace(zipf_frequency=lambda *a: asked.append(a) or 5.5)
    monkeypatch.setitem(sys.modules, "wordfreq", fake)
    events = words((0.0, 0.5, "the"), (0.5, 0.5, "een")).assign(language=["english", "nl"])
    assert one("WordFrequency", events, 0, 10)[0].tolist() == [5.5] * 10
    assert asked == [("the", "en"), ("een", "nl")]


def test_languages_have_one_name() -> None:
    assert [iso_code(n) for n in ("english", "English", "en", "eng", "en_GB", "nld", "Dutch")] == [
        *("en", "en", "en", "en", "en", "nl", "nl")
    ]
    with pytest.raises(UserError, match="did you mean 'english'"):
        iso_code("englisch")


def test_pitch_of_a_voice_and_of_noise() -> None:
    time = torch.arange(16000) / 16000
    for hz in (110.0, 200.0, 340.0):
        voice = torch.sin(2 * np.pi * hz * time) + 0.5 * torch.sin(4 * np.pi * hz * time)
        pitch = yin(voice, 100, 350)
        assert abs(float(pitch.median()) - hz) / hz < 0.03
    noise = torch.randn(16000, generator=torch.Generator().manual_seed(0))
    assert (yin(noise, 100, 350) == 0).float().mean() > 0.95
    assert (yin(torch.zeros(4000), 100, 350) == 0).all()
    with pytest.raises(UserError, match="min_f0"):
        build_feature({"name": "Pitch", "min_f0": 20})


def test_options_are_those_of_the_class_and_of_what_it_hands_on() -> None:
    assert argument_names(Wav2VecTransformer) == [
        "layers", "model", "context_s", "device", "random", "models",
    ]  # fmt: skip
    assert argument_names(Wav2VecConvolution) == argument_names(Wav2VecTransformer)[1:]
    with pytest.raises(UserError, match="did you mean 'context_s'"):
        build_feature({"name": "Wav2VecTransformer", "contxt_s": 3.0})
    with pytest.raises(UserError, match="unknown option 'layers'"):
        build_feature({"name": "Wav2VecConvolution", "layers": [1]})
