"""Typed sentences as event tables and features."""

from __future__ import annotations

import pytest
import torch

from bm.errors import UserError
from bm.features import build_feature
from bm.features.sentence import sentence_events, sentence_features


def test_words_follow_one_another_as_long_as_their_letters() -> None:
    events = sentence_events("I, unbelievably: wrote it.")
    assert events["word"].tolist() == ["I", "unbelievably", "wrote", "it"]
    assert events["duration_s"].tolist() == pytest.approx([0.3, 0.8, 0.5, 0.3])
    assert events["start_s"].tolist() == pytest.approx([1.0, 1.6, 2.7, 3.5])
    assert set(events["kind"]) == {"word"} and events["word_index"].tolist() == [0, 1, 2, 3]
    with pytest.raises(UserError, match="has no word"):
        sentence_events(" ... ")


def test_features_of_a_sentence_end_a_second_after_it() -> None:
    features = [build_feature("WordLength"), build_feature("WordPulse")]
    parts = sentence_features(features, "go home", 100.0)
    assert parts["WordLength"].shape == parts["WordPulse"].shape == (1, 300)  # 1 + .3 + .3 + .4 + 1
    length = parts["WordLength"][0]
    assert (length[100:130] == 2).all() and (length[160:200] == 4).all()
    assert length[:100].abs().sum() == length[130:160].abs().sum() == length[200:].abs().sum() == 0
    assert torch.isfinite(parts["WordPulse"]).all()


def test_what_needs_sound_is_named() -> None:
    with pytest.raises(UserError, match="leave out MelSpectrum"):
        sentence_features([build_feature("MelSpectrum")], "go", 100.0)
