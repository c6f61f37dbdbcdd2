"""Diffusion of feature maps of read words: values and lengths are compared, maps are drawn."""

from __future__ import annotations

import h5py
import numpy as np
import torch
from torch import Tensor

from ..figures.word_maps import draw_word_maps
from ..metrics import word_maps
from ..metrics.evaluation import Evaluation
from ..metrics.text_retrieval import Told, ToldWords, sentence_retrieval, text_retrieval
from ..models.eegdiff.conditioning import Condition
from ..models.eegdiff.generation import Sampling, generate_waves
from ..nn.word_maps import WordMap
from ..writing import replacing
from . import SOLVERS
from .diffusion import DiffusionSolver

#: Columns of a table, the main one first.
TABLE = (
    "value_wasserstein",
    "topography_correlation",
    "frechet_distance",
    "length_error_words",
    "length_spearman",
    "matched_rank",
    "matched_p",
    "text_rank_generated",
    "text_rank_shuffled",
    "text_p",
    "sentence_rank_generated",
    "sentence_rank_shuffled",
    "sentence_p_generated",
)
HDF5 = "generated.h5"
MOST_TRAINING = 2000  # sentences of the text encoder


@SOLVERS.register("diffusion_maps")
class MapDiffusionSolver(DiffusionSolver):
    """`DiffusionSolver` of representations without waves.

    What is generated is kept as band powers (N, W, K) of the words and columns of the image, in the
    unit of the data. Lengths are compared where padding counts in the loss: elsewhere the model was
    never told where a sentence ends.
    """

    makes_waves = False
    fewest = 2  # a covariance

    @property
    def maps(self) -> WordMap:
        """Representation of the model."""
        representation = self.model.representation
        assert isinstance(representation, WordMap)
        return representation

    def sampled(self, seeds: list[int], sampling: Sampling, condition: Condition) -> Tensor:
        """Return scaled images (N, *shape): their values and lengths both count."""

        def as_they_are(images: Tensor, seeds: list[int]) -> Tensor:
            return images

        return generate_waves(self.model, seeds, sampling, condition, finish=as_they_are)

    def real_images(self, rows: np.ndarray) -> tuple[Tensor, np.ndarray]:
        """Return images (N, *shape) of windows, and where they have words (N, W)."""
        signal = self.data.gather(rows.tolist()).signal.contiguous().to(self.device)
        images = self.model.images(signal)
        scaled = self.maps.of_image(images)
        _, there = self.maps.words(signal)
        return images, there[:, : scaled.shape[1]].cpu().numpy()

    def values(self, images: Tensor) -> np.ndarray:
        """Return band powers (N, W, K) of images."""
        with torch.no_grad():
            return self.maps.values(images.to(self.device)).double().cpu().numpy()

    def generate(self) -> None:
        """Write maps for evenly spaced windows of the valid split as HDF5, and draw some."""
        rows = self._some("valid", self.cfg.generate.n)
        generated = self.sample(rows, alone=True)
        images = torch.from_numpy(generated.waves)
        folder = self.folder / "generated"
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / HDF5) as aside, h5py.File(aside, "w") as file:
            file["values"] = self.values(images).astype(np.float32)
            file["lengths"] = self.maps.lengths(images.to(self.device)).cpu().numpy()
            file["seeds"] = generated.seeds
            columns = self.maps.columns(torch.arange(len(self.data.facts.channels)))
            names = [self.data.facts.channels[i] for i in columns.tolist()]
            file.create_dataset("columns", data=names, dtype=h5py.string_dtype())
            if self.texts is not None:
                texts = [self.texts.texts[row] for row in rows]
                file.create_dataset("texts", data=texts, dtype=h5py.string_dtype())
            file.attrs["generated"], file.attrs["simulated"] = True, self.data.facts.simulated
        if self.cfg.log.figures:
            self._draw(rows, images)

    def _draw(self, rows: np.ndarray, images: Tensor) -> None:
        """Draw the first maps, real beside generated, with the sentence under each."""
        real, _ = self.real_images(rows)
        pair = (self.maps.of_image(real).cpu().numpy(), self.maps.of_image(images).numpy())
        texts = None if self.texts is None else [self.texts.texts[row] for row in rows]
        path = self.folder / "figures" / "word_maps.svg"
        draw_word_maps(*pair, path, texts, self.data.facts.simulated)

    def _measure(self, evaluation: Evaluation, rows: np.ndarray, waves: np.ndarray) -> None:
        """Add the distances of generated maps to those of the windows `rows`.

        References: training words against these, these with every value in random order over words
        (same distributions, no structure), noise of the same mean and sd.
        """
        images, (real_images, there) = torch.from_numpy(waves), self.real_images(rows)
        real, fake = self.values(real_images), self.values(images)
        train_images, train_there = self.real_images(self._some("train", len(rows)))
        train = self.values(train_images)[train_there]
        words = real[there]
        rng = np.random.default_rng(self.cfg.seed)
        noise = words.mean(0) + words.std(0) * rng.standard_normal(words.shape)
        sets = {
            "training windows": train,
            "shuffled words": rng.permuted(words, axis=0),
            "white noise": noise,
        }
        bands = self.maps.bands
        evaluation.metrics |= word_maps.map_distances(words, fake[there], bands)
        evaluation.extra["references"] = {
            name: word_maps.map_distances(words, values, bands) for name, values in sets.items()
        }
        real_lengths = there.sum(1)
        lengths = self.maps.lengths(images.to(self.device)).cpu().numpy()
        if self.maps.padding_weight > 0:
            evaluation.metrics |= word_maps.length_agreement(lengths, real_lengths, self.cfg.seed)
        if self.texts is not None:
            texts = np.array([self.texts.texts[row] for row in rows])
            scores = word_maps.match_scores(real, fake, there)
            # what another person made of the same sentence is no wrong answer
            same = texts[:, None] == texts[None]
            scores[same & ~np.eye(len(texts), dtype=bool)] = np.nan
            evaluation.metrics |= word_maps.follows(scores, real_lengths, self.cfg.seed)
            evaluation.metrics |= self._retrieval(rows, real, fake, there)
        evaluation.extra["table"] = [name for name in TABLE if name in evaluation.metrics]
        if evaluation.items is not None:
            evaluation.items["n_words"], evaluation.items["n_words_generated"] = (
                real_lengths,
                lengths,
            )

    def _retrieval(
        self, rows: np.ndarray, real: np.ndarray, fake: np.ndarray, there: np.ndarray
    ) -> dict[str, float]:
        """Return whether an encoder of real training sentences finds those of generated maps."""
        train_rows = self._some("train", MOST_TRAINING)
        images, train_there = self.real_images(train_rows)
        values, seed = self.values(images), self.cfg.seed
        train = told(self, train_rows, mean_words(values, train_there), train_there)
        test = told(self, rows, mean_words(real, there), there)
        words = (
            told_words(self, train_rows, values, train_there),
            told_words(self, rows, real, there),
        )
        return {
            **text_retrieval(train, test, mean_words(fake, there), seed),
            **sentence_retrieval(*words, fake, seed),
        }


def mean_words(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the mean (N, K) over the words of maps (N, W, K) that are there (N, W)."""
    weights = there / np.maximum(there.sum(1, keepdims=True), 1)
    return np.asarray((values * weights[..., None]).sum(1))


def told(
    solver: MapDiffusionSolver, rows: np.ndarray, features: np.ndarray, there: np.ndarray
) -> Told:
    """Return features of windows with their texts; sentences of as many words compete."""
    assert solver.texts is not None
    states, mask = (values.numpy() for values in solver.texts.of(torch.from_numpy(rows)))
    weights = mask / np.maximum(mask.sum(1, keepdims=True), 1)
    pooled = (states * weights[..., None]).sum(1)
    return Told(features, pooled, [solver.texts.texts[row] for row in rows], there.sum(1))


def told_words(
    solver: MapDiffusionSolver, rows: np.ndarray, values: np.ndarray, there: np.ndarray
) -> ToldWords:
    """Return maps (N, W, K) of windows with the states of the words of their texts."""
    assert solver.texts is not None
    states, mask = (values.numpy() for values in solver.texts.of(torch.from_numpy(rows)))
    return ToldWords(values, there, states, mask, [solver.texts.texts[row] for row in rows])
