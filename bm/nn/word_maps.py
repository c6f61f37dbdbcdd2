"""Feature maps of read words as images: words x values, or an image of channels x words a band.

A window is a sentence as study `zuco` gives it with `signal: words`: (F, W), F = bands x channels,
band after band; words of zeros are padding. There are no waves to go back to.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UserError
from .mel import SMALLEST
from .representation import Representation

BOUND = 5.0  # standard deviations at which values are cut: the image ends at 1


def whole_multiples(sides: Sequence[int], multiple: int) -> tuple[int, ...]:
    """Return the sides, each rounded up to a multiple."""
    return tuple(-(-side // multiple) * multiple for side in sides)


class WordMap(Representation):
    """Values of words, z-scored over training words, cut at 5 sd and divided by it.

    Args:
        n_channels: F, values of a word.
        n_times: W, most words of a window.
        bands: of which F / bands values each are neighbours.
        per_word: first z-score each word over its values, as published; its level is lost then.
        padding_weight: of the place of padded words in the loss. With 0 what is generated behind
            the last word means nothing; with 1, as published, the length is learned too.
    """

    has_waves = False
    mean: Tensor
    sd: Tensor
    row_level: Tensor

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        bands: int = 8,
        per_word: bool = False,
        padding_weight: float = 0.0,
    ) -> None:
        super().__init__(n_times)
        if n_channels % bands:
            raise ValueError(
                f"{n_channels} values of a word are not {bands} bands of channels; use data of "
                "words (study zuco or simulated with signal: words)"
            )
        if not 0 <= padding_weight <= 1:
            raise ValueError(f"padding_weight={padding_weight}: 0 to 1")
        self.bands, self.per_word, self.padding_weight = bands, per_word, padding_weight
        self.statistic("mean", n_channels)
        self.statistic("sd", n_channels)
        self.statistic("row_level")

    def words(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        """Return values (B, W, F), z-scored by word if asked, and where there is a word (B, W)."""
        values = waves[..., : self.n_times].transpose(1, 2)
        there = (values != 0).any(2)
        if self.per_word:
            spread = values.std(2, keepdim=True).clamp_min(SMALLEST)
            values = (values - values.mean(2, keepdim=True)) / spread * there[..., None]
        return values, there

    def measure(self, waves: Tensor) -> None:
        """Set mean and unbiased sd of each value over words, and the median level of a word."""
        values, there = self.words(waves)
        rows = values[there]
        self.mean.copy_(rows.mean(0))
        # an electrode that is flat in all words would be divided by zero
        self.sd.copy_(rows.std(0).clamp_min(SMALLEST))
        scaled = self.matrix(waves)[there]
        self.row_level.copy_(self.columns(scaled).square().mean(1).sqrt().median())

    def matrix(self, waves: Tensor) -> Tensor:
        """Return scaled values (B, W, F) of windows (B, F, W), zeros at padded words."""
        values, there = self.words(waves)
        # with its sign: Brain-Diffusion takes |v| for one-image maps, which folds the z-scores
        scaled = ((values - self.mean) / self.sd).clamp(-BOUND, BOUND) / BOUND
        return scaled * there[..., None]

    def columns(self, matrix: Tensor) -> Tensor:
        """Return the values (..., K) of words (..., F) that are in the image."""
        return matrix

    def of_image(self, image: Tensor) -> Tensor:
        """Return scaled values (B, W', K) of images."""
        raise NotImplementedError

    def values(self, image: Tensor) -> Tensor:
        """Return band powers (B, W', K) of images, in the unit of the data."""
        mean, sd = self.columns(self.mean), self.columns(self.sd)
        return self.of_image(image) * BOUND * sd + mean

    def lengths(self, image: Tensor) -> Tensor:
        """Return the number (B,) of words of images: the last row of a level that words have.

        A quarter of the median level of training words is the border.
        """
        level = self.of_image(image).square().mean(2).sqrt()
        places = torch.arange(1, level.shape[1] + 1, device=level.device)
        return torch.where(level > self.row_level / 4, places, 0).amax(1)

    def inverse(self, image: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Raise `UserError`: there are no waves in feature maps."""
        raise UserError(
            "feature maps of words have no waves: their values are written and drawn as maps by "
            "solver.name=diffusion_maps"
        )

    def padded(self, image: Tensor) -> Tensor:
        """Return an image (B, K, H, W) with zeros at the ends of both sides up to `shape`."""
        return functional.pad(
            image, (0, self.shape[2] - image.shape[3], 0, self.shape[1] - image.shape[2])
        )

    def _weights(self, waves: Tensor) -> Tensor:
        """Return what each word of windows (B, F, W) weighs: (B, W)."""
        _, there = self.words(waves)
        return torch.where(there, 1.0, self.padding_weight)


class WordImage(WordMap):
    """One image of words x values, or some columns of it.

    Args:
        n_channels, n_times, bands, per_word, padding_weight: see `WordMap`.
        first: column where the image begins (`min_freq` of the original).
        width: columns of the image; None = all from there on (`max_freq`, which is a width there
            too, whatever its name; what is not there is left out).
        n_words: first words of the window that are in the image.
        multiple: both sides are padded to a multiple of it.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        bands: int = 8,
        per_word: bool = False,
        padding_weight: float = 1.0,
        first: int = 0,
        width: int | None = None,
        n_words: int = 32,
        multiple: int = 1,
    ) -> None:
        super().__init__(n_channels, n_times, bands, per_word, padding_weight)
        if not 0 <= first < n_channels:
            raise ValueError(f"first={first}: columns are 0 to {n_channels - 1}")
        self.first, self.last = first, min(n_channels, first + (width or n_channels))
        self.n_words = min(n_words, n_times)
        sides = (self.n_words, self.last - first)
        self.shape = (1, *whole_multiples(sides, multiple))

    def columns(self, matrix: Tensor) -> Tensor:
        """Return the columns of the image."""
        return matrix[..., self.first : self.last]

    def forward(self, waves: Tensor) -> Tensor:
        """Return images (B, 1, W', K') of windows (B, F, W)."""
        image = self.columns(self.matrix(waves)[:, : self.n_words])[:, None]
        return self.padded(image)

    def of_image(self, image: Tensor) -> Tensor:
        """Return scaled values (B, W', K) of images."""
        return image[:, 0, : self.n_words, : self.last - self.first]

    def weights(self, waves: Tensor) -> Tensor:
        """Return weights (B, 1, W', K')."""
        rows = self._weights(waves)[:, None, : self.n_words, None]
        rows = rows.expand(-1, 1, -1, self.last - self.first)
        return self.padded(rows)


class FirstWords(WordMap):
    """Words of a window along the last axis.

    Args:
        n_channels, n_times, bands, per_word, padding_weight: see `WordMap`.
        n_words: first words of the window that are in the image; None = all (published: 32 of 56).
        multiple: every axis but the first is padded to a multiple of it.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        bands: int = 8,
        per_word: bool = False,
        padding_weight: float = 0.0,
        n_words: int | None = None,
        multiple: int = 1,
    ) -> None:
        super().__init__(n_channels, n_times, bands, per_word, padding_weight)
        self.n_words = min(n_words or n_times, n_times)
        self.electrodes = n_channels // bands
        # a U-Net halves each side at each level: a side must divide, or its skips do not fit
        first, *sides = self.sizes()
        self.shape = (first, *whole_multiples(tuple(sides), multiple))

    def sizes(self) -> tuple[int, ...]:
        """Return the shape of an image before it is padded."""
        raise NotImplementedError


class BandImages(FirstWords):
    """An image of channels x words for each band.

    The original mixes bands and channels here: it reads the values as channels x bands.
    """

    def sizes(self) -> tuple[int, ...]:
        """Return (bands, C', W')."""
        return self.bands, self.electrodes, self.n_words

    def forward(self, waves: Tensor) -> Tensor:
        """Return images (B, bands, C', W') of windows (B, F, W)."""
        # band-major: in ZuCo's 8 x 105 columns, 105 k to 105 k + 104 are band k
        image = self.matrix(waves)[:, : self.n_words].unflatten(2, (self.bands, -1))
        image = image.permute(0, 2, 3, 1)
        return self.padded(image)

    def of_image(self, image: Tensor) -> Tensor:
        """Return scaled values (B, W', F) of images."""
        return image[:, :, : self.electrodes, : self.n_words].permute(0, 3, 1, 2).flatten(2)

    def weights(self, waves: Tensor) -> Tensor:
        """Return weights (B, 1, C', W')."""
        rows = self._weights(waves)[:, None, None, : self.n_words]
        rows = rows.expand(-1, 1, self.electrodes, -1)
        return self.padded(rows)


class WordSeries(FirstWords):
    """Values of words as channels, words as time: for networks over time.

    A network over maps makes 512 places of 16 words of 32 channels, here there are 16; and what it
    shares over words is the same, for electrodes are no grid.
    """

    def sizes(self) -> tuple[int, ...]:
        """Return (F, W')."""
        return self.bands * self.electrodes, self.n_words

    def padded(self, image: Tensor) -> Tensor:
        """Return an image (B, F, W) with zeros at the end up to `shape`."""
        return functional.pad(image, (0, self.shape[1] - image.shape[2]))

    def forward(self, waves: Tensor) -> Tensor:
        """Return images (B, F, W') of windows (B, F, W)."""
        return self.padded(self.matrix(waves)[:, : self.n_words].transpose(1, 2))

    def of_image(self, image: Tensor) -> Tensor:
        """Return scaled values (B, W, F) of images."""
        return image[..., : self.n_words].transpose(1, 2)

    def weights(self, waves: Tensor) -> Tensor:
        """Return weights (B, 1, W')."""
        return self.padded(self._weights(waves)[:, None, : self.n_words])


#: name -> class; all take n_channels and n_times.
WORD_MAPS: dict[str, type[Representation]] = {
    "word_image": WordImage,
    "band_images": BandImages,
    "word_series": WordSeries,
}
