"""States of sentences: token masks, the cache that is filled once, and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bm.errors import UserError
from bm.features.encodings import EncodingCache, TextTable, encode, text_table
from bm.features.text_encoder import HASHED, TextEncoder, TextOptions, text_encoder

from .models import bert

TEXTS = ["the rabbit ran", "a rabbits ran away", "the rabbit ran"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert(tmp_path_factory.mktemp("bert"))


def reader(folder: Path | str, **options) -> TextEncoder:
    return text_encoder(TextOptions(str(folder), **{"tokens": 12, "width": 8, **options}), None)


def test_states_attend_to_the_tokens_of_the_text_alone(folder: Path) -> None:
    encoder = reader(folder)
    together, alone = encoder.states(TEXTS), encoder.states(TEXTS[:1])
    assert [len(one) for one in together] == [5, 8, 5]  # [CLS], pieces, [SEP]
    torch.testing.assert_close(together[0], alone[0], atol=1e-5, rtol=1e-4)
    assert [len(one) for one in encoder.states([""])] == [2]
    assert len(reader(folder, tokens=4).states(TEXTS)[1]) == 4  # cut


def test_hashed_words_differ_and_are_the_same_everywhere() -> None:
    first, second = reader(HASHED).states(["The rabbit, ran", "the ran rabbit"])
    assert first.shape == (4, 8)
    torch.testing.assert_close(first[:2], second[:2])  # the beginning, "the"
    assert not torch.allclose(first[2], second[2])
    assert first[1, 0].item() == pytest.approx(reader(HASHED).states(["the"])[0][1, 0].item())


class Counting(TextEncoder):
    """An encoder that counts texts, and fails at one of them."""

    def __init__(self, inner: TextEncoder, fails_at: str | None = None) -> None:
        self.inner, self.fails_at, self.count = inner, fails_at, 0
        self.width, self.identity = inner.width, inner.identity

    def states(self, texts):
        if self.fails_at in texts:
            raise KeyboardInterrupt
        self.count += len(texts)
        return self.inner.states(texts)


def test_an_interrupted_encoding_goes_on(tmp_path: Path) -> None:
    texts = [f"sentence {n}" for n in range(150)]
    broken = Counting(reader(HASHED), "sentence 140")
    with pytest.raises(KeyboardInterrupt):
        encode(texts, EncodingCache(tmp_path, broken.identity), broken)
    assert broken.count == 128
    whole, ticks = Counting(reader(HASHED)), []
    cache = EncodingCache(tmp_path, whole.identity)
    assert encode([*texts, "sentence 3"], cache, whole, lambda *n: ticks.append(n)) == 22
    assert whole.count == 22 and ticks == [(22, 22)]
    assert encode(texts, EncodingCache(tmp_path, whole.identity), whole) == 0
    states = EncodingCache(tmp_path).read(["sentence 7"])["sentence 7"]
    torch.testing.assert_close(states, whole.states(["sentence 7"])[0])


def test_a_table_pads_and_masks(tmp_path: Path) -> None:
    table = text_table(TEXTS, tmp_path, reader(HASHED, tokens=6), 6)
    values, mask = table.gather(["the rabbit ran", ""])
    assert values.shape == (2, 6, 8) and mask.sum(1).tolist() == [4, 1]
    assert not values[0, 4:].any() and isinstance(table, TextTable)


def test_bad_caches_and_encoders_are_one_line(folder: Path, tmp_path: Path) -> None:
    one = reader(folder)
    cache = EncodingCache(tmp_path / "c", one.identity)
    encode(TEXTS, cache, one)
    with pytest.raises(UserError, match=r"another encoder .*tokens 12, not 8"):
        EncodingCache(tmp_path / "c", reader(folder, tokens=8).identity)
    other = bert(tmp_path / "other")
    (other / "vocab.txt").write_text((other / "vocab.txt").read_text() + "new\n")
    with pytest.raises(UserError, match=r"another encoder .*tokenizer"):
        EncodingCache(tmp_path / "c", {**reader(other).identity, "encoder": str(folder)})
    path = next((tmp_path / "c").glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UserError, match="damaged"):
        EncodingCache(tmp_path / "c", one.identity)
    with pytest.raises(UserError, match=r"tokens=100: .* reads 64 tokens"):
        reader(folder, tokens=100)
    with pytest.raises(UserError, match="tokens=0"):
        reader(folder, tokens=0)
    with pytest.raises(UserError, match="no model nowhere"):
        reader("nowhere")
