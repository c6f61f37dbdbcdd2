"""Is generated EEG like real EEG? Spectral, temporal, spatial and feature-space distances.

A set is described once, sample by sample; metrics and their resampled intervals are computed from
the descriptions.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from . import covariance, neighbours, spectra, temporal
from .distribution import frechet_distance
from .intervals import Interval, resampled_interval
from .spectra import BANDS, Bands
from .units import Units

COPY = 0.95  # correlation with a training sample above which a generated one counts as a copy
SMALLEST = 1e-20  # power under which a logarithm would be noise


@dataclass(frozen=True)
class Described:
    """Measurements of each of N samples; first axis N everywhere but `freqs`.

    Attributes:
        waves: (N, C, T) float64.
        freqs: (F,) Hz.
        density: (N, C, F).
        powers: (N, C, B) band powers.
        acf: (N, C, lags) autocorrelation up to half a second.
        correlations: (N, C, C) of the shrunk covariances.
        logs: (N, C, C) logarithms of the shrunk covariances.
    """

    waves: np.ndarray
    freqs: np.ndarray
    density: np.ndarray
    powers: np.ndarray
    acf: np.ndarray
    correlations: np.ndarray
    logs: np.ndarray

    def __len__(self) -> int:
        return len(self.waves)

    def take(self, rows: np.ndarray) -> Described:
        """Return the samples `rows`, repeated ones included."""
        arrays = {
            f.name: getattr(self, f.name)[rows]
            for f in dataclasses.fields(self)
            if f.name != "freqs"
        }
        return Described(freqs=self.freqs, **arrays)


def describe(waves: np.ndarray, rate_hz: float, bands: Bands = BANDS) -> Described:
    """Measure a set of waves (N, C, T)."""
    waves = np.asarray(waves, float)
    freqs, density = spectra.psd(waves, rate_hz)
    matrices = covariance.covariances(waves)
    return Described(
        waves=waves,
        freqs=freqs,
        density=density,
        powers=spectra.band_powers(freqs, density, bands),
        acf=temporal.autocorrelation(waves, round(rate_hz / 2)),
        correlations=covariance.correlations(matrices),
        logs=covariance.matrix_logs(matrices),
    )


def band_features(described: Described, train: Described) -> np.ndarray:
    """Return log10 band powers, z-scored by mean and unbiased sd of the training set.

    Returns:
        (N, C * B).
    """
    logs, base = (np.log10(np.maximum(d.powers, SMALLEST)) for d in (described, train))
    logs, base = logs.reshape(len(logs), -1), base.reshape(len(base), -1)
    return np.asarray((logs - base.mean(0)) / base.std(0, ddof=1))


def moment_metrics(real: Described, other: Described, train: Described) -> dict[str, float]:
    """Return the distances between averages, the ones that resampling gives an interval of."""
    a, b, freqs = real.density.mean(0), other.density.mean(0), real.freqs
    power, distribution = spectra.band_power_distances(real.powers, other.powers)
    slopes = [spectra.aperiodic_fit(freqs, x)[0] for x in (a, b)]
    centres = [covariance.log_euclidean_mean(d.logs) for d in (real, other)]
    tangents = [covariance.tangent_features(d.logs) for d in (real, other)]
    return {
        "log_spectral_distance_db": spectra.log_spectral_distance(freqs, a, b),
        "spectral_jsd_nats": spectra.spectral_jsd(freqs, a, b),
        "log_bandpower_mean_abs_diff": power,
        "bandpower_wasserstein": distribution,
        "aperiodic_exponent_real": float(slopes[0].mean()),
        "aperiodic_exponent_generated": float(slopes[1].mean()),
        "aperiodic_exponent_abs_diff": float(np.abs(slopes[0] - slopes[1]).mean()),
        "autocorrelation_rms": temporal.autocorrelation_rms(real.acf.mean(0), other.acf.mean(0)),
        "riemann_distance_of_logeuclidean_means": covariance.riemann_distance(*centres),
        "logeuclidean_distance_of_means": covariance.log_euclidean_distance(*centres),
        "correlation_matrix_mean_abs_diff": covariance.correlation_difference(
            real.correlations, other.correlations
        ),
        "frechet_distance": frechet_distance(
            band_features(real, train), band_features(other, train)
        ),
        "frechet_covariance": frechet_distance(*tangents),
    }


def point_metrics(real: Described, other: Described, train: Described) -> dict[str, float]:
    """Return the distances that compare samples one by one, in the band-power features.

    A resampled set holds samples twice, and a nearest neighbour at distance 0: no intervals.
    """
    a, b = (band_features(d, train) for d in (real, other))
    rbf, bandwidth = neighbours.mmd_rbf(a, b)
    return {
        "amplitude_wasserstein_over_std": temporal.amplitude_distance(real.waves, other.waves),
        "kid_cubic_unbiased": neighbours.mmd_cubic(a, b),
        "mmd2_rbf_unbiased": rbf,
        "mmd2_rbf_bandwidth_median_sq": bandwidth,
        **neighbours.manifold_metrics(a, b),
        "diversity_ratio": neighbours.diversity_ratio(a, b),
    }


def copy_metrics(
    train: Described, test: Described, generated: Described, max_lag: int = 25
) -> dict[str, float]:
    """Return whether the training set was memorised: in features, and wave by wave.

    Args:
        train, test, generated: described sets.
        max_lag: largest shift of two waves, samples.
    """
    features = [band_features(d, train) for d in (train, test, generated)]
    # Only waves tell copies of waves: two samples of one spectrum share all features.
    largest = temporal.largest_correlations(generated.waves, train.waves, max_lag)
    return {
        "authenticity": neighbours.authenticity(features[0], features[2]),
        **neighbours.data_copying(*features),
        "max_train_correlation_mean": float(largest.mean()),
        "max_train_correlation_max": float(largest.max()),
        "copies": float((largest > COPY).mean()),
    }


def intervals(
    real: Described, other: Described, train: Described, resamples: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Return the 2.5 and 97.5 % quantiles of each moment metric over single samples drawn anew.

    As published; samples of one person resemble each other, which `unit_intervals` counts.
    """
    generator = np.random.default_rng(seed)
    rows: dict[str, list[float]] = {}
    for _ in range(resamples):
        # Both sets are drawn anew; the training set, which only scales the features, is not.
        drawn = [d.take(generator.integers(0, len(d), len(d))) for d in (real, other)]
        for name, value in moment_metrics(drawn[0], drawn[1], train).items():
            rows.setdefault(name, []).append(value)
    return {
        name: (float(np.percentile(v, 2.5)), float(np.percentile(v, 97.5)))
        for name, v in rows.items()
    }


def unit_intervals(
    sets: tuple[Described, Described, Described], resamples: int, seed: int, units: Units
) -> dict[str, Interval]:
    """Return a 95 % interval of each moment metric from units drawn anew; none of too few.

    The sd over draws, corrected by sqrt(U / (U - 1)), times Student's t of U - 1: a draw of few
    units varies less than the units do (Hesterberg 2015).

    Args:
        sets: real windows, generated ones that stand for them one by one, and training windows,
            which only scale the features.
        resamples: draws.
        seed: of the draws.
        units: of the real windows.
    """
    if units.few:
        return {}
    real, other, train = sets
    codes = np.unique(units.codes, return_inverse=True)[1]
    rows_of = [np.flatnonzero(codes == number) for number in range(units.count)]
    generator, drawn = np.random.default_rng(seed), list[dict[str, float]]()
    for _ in range(resamples):
        numbers = generator.integers(0, len(rows_of), len(rows_of))
        rows = np.concatenate([rows_of[number] for number in numbers])
        drawn.append(moment_metrics(real.take(rows), other.take(rows), train))
    whole = moment_metrics(real, other, train)
    sds = {name: float(np.std([values[name] for values in drawn], ddof=1)) for name in whole}
    sizes = np.bincount(codes).astype(float)
    return {name: resampled_interval(whole[name], sds[name], sizes) for name in whole}


def phase_surrogate(waves: np.ndarray, seed: int) -> np.ndarray:
    """Return waves (N, C, T) with the same spectrum and random phases, shared over channels.

    Source: Prichard and Theiler 1994: power and cross spectra stay, all other structure goes.
    """
    spectrum = np.fft.rfft(np.asarray(waves, float))
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, (len(waves), 1, spectrum.shape[-1]))
    phases[..., 0] = 0.0  # mean and Nyquist bin of a real signal are real
    if waves.shape[-1] % 2 == 0:
        phases[..., -1] = 0.0
    return np.fft.irfft(spectrum * np.exp(1j * phases), waves.shape[-1])


def white_noise(waves: np.ndarray, seed: int) -> np.ndarray:
    """Return white noise of the shape and the channel variances of waves (N, C, T)."""
    noise = np.random.default_rng(seed).standard_normal(waves.shape)
    return np.asarray(noise * waves.std((0, 2), keepdims=True))
