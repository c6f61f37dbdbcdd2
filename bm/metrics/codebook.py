"""How much of a codebook is used."""

from __future__ import annotations

from torch import Tensor


def codebook_usage(counts: Tensor) -> dict[str, float]:
    """Use of K codes, from their counts (K,) over a split or an epoch, or averages of them.

    Returns:
        unused_codes: codes with a count of 0 (dead when it was a whole epoch).
        usage: share of the codes used at all.
        perplexity: exp of the entropy of their frequencies, K when all are used alike.
    """
    counts = counts.double()
    unused = int((counts == 0).sum())
    frequency = counts[counts > 0] / counts.sum()
    entropy = -(frequency * frequency.log()).sum()
    return {
        "unused_codes": float(unused),
        "usage": 1 - unused / len(counts),
        "perplexity": float(entropy.exp()) if unused < len(counts) else 0.0,
    }


def code_guess(counts: Tensor) -> dict[str, float]:
    """What a guess reaches that knows how often each code occurs (K,), and nothing of the signal.

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
