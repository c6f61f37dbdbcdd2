"""Images of word features: order of axes, padding, what comes back, and the lengths."""

from __future__ import annotations

import pytest
import torch

from bm.errors import UserError
from bm.nn.word_maps import BandImages, WordImage, WordSeries
from bm.tests.reference.sentences import band_images, word_matrix

F, W = 24, 10  # 8 bands of 3 channels
LENGTHS = [4, 10, 1, 7] * 20


def windows() -> torch.Tensor:
    torch.manual_seed(0)
    waves = 3 + torch.rand(80, F, W) * torch.arange(1, F + 1)[:, None]
    for window, length in zip(waves, LENGTHS, strict=True):
        window[:, length:] = 0
    return waves


@pytest.mark.parametrize("kind", [WordImage, BandImages, WordSeries])
@pytest.mark.parametrize("multiple", [1, 8])
def test_values_and_lengths_come_back(kind, multiple: int) -> None:
    maps, waves = kind(F, W, multiple=multiple, n_words=W), windows()
    maps.fit(waves)
    image = maps(waves)
    assert image.shape[1:] == maps.shape and image.abs().max() <= 1
    values, there = maps.words(waves)
    # beyond 5 sd values are cut; there are none in a uniform distribution
    torch.testing.assert_close(maps.values(image)[there], values[there], atol=1e-4, rtol=1e-4)
    assert maps.lengths(image).tolist() == LENGTHS
    assert not maps.of_image(image)[~there].any()


def test_the_layout_is_that_of_the_reference() -> None:
    waves = windows()
    maps, one = BandImages(F, W, per_word=True), WordImage(F, W, per_word=True, n_words=W)
    for each in (maps, one):
        each.fit(waves)
    with torch.no_grad():  # the reference scales words alone
        for each in (maps, one):
            each.mean.zero_()
            each.sd.fill_(1.0)
    words = waves[0, :, :4].T.reshape(4, 8, 3).numpy()
    matrix = word_matrix(words, W)
    torch.testing.assert_close(maps(waves)[0] * 5, torch.from_numpy(band_images(matrix)))
    torch.testing.assert_close(one(waves)[0, 0] * 5, torch.from_numpy(matrix))


@pytest.mark.parametrize(
    ("first", "width", "samples"), [(0, 64, 24), (18, 12, 6), (0, 12, 12), (3, None, 21)]
)
def test_every_slice(first: int, width: int | None, samples: int) -> None:
    """The published width of 420 from column 630 on leaves 210 of 840."""
    maps, waves = WordImage(F, W, first=first, width=width, n_words=5), windows()
    maps.fit(waves)
    assert maps.shape == (1, 5, samples) and maps(waves).shape == (80, 1, 5, samples)
    whole = WordImage(F, W, n_words=5)
    whole.fit(waves)
    torch.testing.assert_close(maps(waves), whole(waves)[..., first : first + samples])


def test_padded_words_weigh_what_they_are_told() -> None:
    waves = windows()
    kinds = {BandImages: (0, 0, 0), WordImage: (0, 0, slice(None), 0), WordSeries: (0, 0)}
    for kind, rows in kinds.items():
        maps = kind(F, W, padding_weight=0.25, n_words=W, multiple=8)
        maps.fit(waves)
        weights = maps.weights(waves)[rows]
        assert weights.tolist() == [1.0] * 4 + [0.25] * 6 + [0.0] * 6
        assert maps.weights(waves).expand(80, *maps.shape).shape == (80, *maps.shape)


def test_words_as_time_are_the_rows_of_the_matrix() -> None:
    series, one, waves = WordSeries(F, W, n_words=6), WordImage(F, W, n_words=6), windows()
    for maps in (series, one):
        maps.fit(waves)
    assert torch.equal(series(waves), one(waves)[:, 0].transpose(1, 2))
    assert series.shape == (F, 6) and series.lengths(series(waves)).tolist()[:3] == [4, 6, 1]


def test_maps_have_no_waves_and_need_bands() -> None:
    maps = BandImages(F, W)
    maps.fit(windows())
    with pytest.raises(UserError, match="no waves"):
        maps.inverse(maps(windows()))
    with pytest.raises(ValueError, match="22 values of a word are not 8 bands"):
        BandImages(22, W)
    with pytest.raises(ValueError, match="first=24"):
        WordImage(F, W, first=24)
    with pytest.raises(ValueError, match="padding_weight=2"):
        WordImage(F, W, padding_weight=2)
