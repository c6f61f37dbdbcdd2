"""Classical decoders: filters and means whose properties are known, on sources that differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bm.errors import UserError
from bm.facts import DataFacts
from bm.metrics.classification import probabilities
from bm.metrics.covariance import covariances, matrix_logs, riemann_distance
from bm.models import load
from bm.models.baselines.classical import ClassicalDecoder, FittedDecoder, Recipe
from bm.models.baselines.csp import CommonSpatialPatterns
from bm.models.baselines.tangent import TangentSpace, riemann_mean, whitened
from bm.models.saved import build, save


def sources(classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows (n, 5, 400) of mixed sources, k of them loud in class k; labels; mixing."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 20)
    mixing = generator.standard_normal((5, 5))
    x = generator.standard_normal((len(labels), 5, 400))
    x[np.arange(len(labels)), labels] *= 3
    return np.einsum("ij,njt->nit", mixing, x), labels, mixing


def test_filters_of_two_classes_find_their_sources() -> None:
    windows, labels, mixing = sources(2)
    patterns = CommonSpatialPatterns(2).fit(windows, labels)
    gains = np.abs(patterns.filters @ mixing)  # of each source in the output of each filter
    assert gains.argmax(1).tolist() == [0, 1]
    assert (np.sort(gains, 1)[:, -2] < 0.2 * gains.max(1)).all()
    features = patterns.transform(windows)
    assert ((features[:, 0] > features[:, 1]) == (labels == 0)).all()


def test_every_class_of_several_has_filters() -> None:
    windows, labels, _ = sources(4)
    features = CommonSpatialPatterns(2).fit(windows, labels).transform(windows)
    assert features.shape == (80, 8)  # the first filter of each class: loud in it
    assert (features[:, ::2].argmax(1) == labels).mean() > 0.95


def test_the_mean_is_where_the_logarithms_cancel() -> None:
    matrices = covariances(sources(2)[0])
    centre = riemann_mean(matrices)
    assert np.abs(matrix_logs(whitened(matrices, centre)).mean(0)).max() < 1e-7
    # of two matrices that commute it is the geometric mean
    pair = np.stack([np.diag([1.0, 4.0]), np.diag([9.0, 4.0])])
    np.testing.assert_allclose(riemann_mean(pair), np.diag([3.0, 4.0]), atol=1e-9)


def test_norms_are_distances_and_do_not_see_the_mixing() -> None:
    windows, _, mixing = sources(2)
    space = TangentSpace().fit(windows)
    norms = np.linalg.norm(space.transform(windows), axis=1)
    expected = [riemann_distance(space.centre, matrix) for matrix in covariances(windows)]
    assert norms == pytest.approx(expected)
    other = np.linalg.inv(mixing) @ windows  # other electrodes, the same sources
    moved = TangentSpace().fit(other).transform(other)
    # up to the shrinkage of a thousandth
    assert np.linalg.norm(moved, axis=1) == pytest.approx(norms, rel=0.15)


RECIPES: dict[str, dict[str, Any]] = {
    "lda": {"bands": [[8.0, 13.0], [14.0, 30.0]]},
    "csp": {"bands": [[8.0, 30.0]], "components": 2},
    "tangent": {"bands": [[8.0, 30.0]]},
    "chance": {},
}


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_fitted_decoder_is_saved_and_restored(method: str, classes: int, tmp_path: Path) -> None:
    """Of two people, the second of whom has never seen the last of the classes."""
    windows, labels, _ = sources(classes)
    recipe = {"method": method, "rate_hz": 250.0, **RECIPES[method]}
    some = labels < 2
    parts = [(windows, labels), (windows[some][::-1], labels[some][::-1])]
    bands = tuple(map(tuple, recipe.get("bands", ())))
    decoders = [FittedDecoder.fit(Recipe(**{**recipe, "bands": bands}), x, y, 4) for x, y in parts]
    module = ClassicalDecoder.of(decoders, [1, 0], recipe)
    save(module, tmp_path / "best", DataFacts(("a", "b", "c", "d", "e"), 250.0, 400))
    assert not [
        p for p in (tmp_path / "best").iterdir() if p.suffix not in (".json", ".safetensors")
    ]
    signal, subject = torch.from_numpy(windows), torch.arange(len(windows)) % 2
    logits = load(tmp_path / "best")(signal, subject)
    torch.testing.assert_close(logits, module(signal, subject), rtol=0, atol=0)
    probs = probabilities(logits.numpy())
    assert (probs[:, classes:] == 0).all() and (probs[::2, 2:] == 0).all()
    np.testing.assert_allclose(probs.sum(1), 1)
    if method != "chance":
        assert (probs[1::2].argmax(1) == labels[1::2]).mean() > 0.9


def test_the_linear_map_is_that_of_the_library() -> None:
    windows, labels, _ = sources(3)
    bands = ((8.0, 30.0),)
    decoder = FittedDecoder.fit(Recipe("csp", 250.0, bands), windows, labels, 3)
    features = np.concatenate(
        [decoder._space(0).transform(x) for x in decoder.recipe.inside(windows)], 1
    )
    library = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features, labels)
    expected = library.predict_proba(features)
    np.testing.assert_allclose(probabilities(decoder.logits(windows)), expected, atol=1e-9)


def test_it_is_no_network() -> None:
    with pytest.raises(UserError, match="fitted at once"):
        build({"name": "classical"}, DataFacts(("a",), 250.0, 400))
