"""Use of the codes of a codebook, and what guessing them by frequency reaches."""

from __future__ import annotations

from torch import Tensor


def codebook_usage(counts: Tensor) -> dict[str, float]:
    """Return how K codes are used, from their counts (K,) over a split or an epoch, or averages.

    Returns:
        unused_codes: codes with a count of 0 (dead when it was a whole epoch).
        usage: share of the codes used at all.
        perplexity: exp of the entropy of their frequencies, K when all are used alike.
    """
    counts = counts.double()
    unused = int((counts == 0).sum())
    frequency = counts[counts > 0] / counts.sum()  # 0 log 0 is 0, where the logarithm has none
    entropy = -(frequency * frequency.log()).sum()
    return {
        "unused_codes": float(unused),
        "usage": 1 - unused / len(counts),
        "perplexity": float(entropy.exp()) if unused < len(counts) else 0.0,
    }


def code_guess(counts: Tensor) -> dict[str, float]:
    """Return the metrics of a guess that knows the counts of the codes (K,) and no signal.

    Returns:
        accuracy: share of the most frequent code.
        loss: entropy of the frequencies, nats.
    """
    counts = counts.double()
    total = counts.sum()
    if total == 0:
        return {"accuracy": 0.0, "loss": 0.0}
    frequency = counts[counts > 0] / total
    entropy = -(frequency * frequency.log()).sum()
    return {"accuracy": float(frequency.max()), "loss": float(entropy)}
