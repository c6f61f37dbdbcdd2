"""A quantiser with the layers around it: tokens to codes and back to tokens, as in Du-IN."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .post_norm import start_linear
from .precision import without_autocast
from .quantiser import Quantiser, nearest, unit


@dataclass(frozen=True)
class CodeOptions:
    """How the codebook is made and learns.

    Attributes:
        n_codes: K.
        width: d of the code vectors.
        decay: weight of the past in the moving averages.
        beta: weight of the commitment loss.
        kmeans: the first training batches start the codebook, else random unit vectors stay.
        count_in_eval: evaluation too moves the counts, as published.
    """

    n_codes: int = 2048
    width: int = 64
    decay: float = 0.99
    beta: float = 1.0
    kmeans: bool = True
    count_in_eval: bool = False


@dataclass(frozen=True)
class CodedTokens:
    """Tokens that went through the codebook.

    Attributes:
        tokens: (B, L, D), made of the codes alone; gradients pass straight through the choice.
        indices: (B, L) int64 codes.
        loss: scalar, the commitment loss.
    """

    tokens: Tensor
    indices: Tensor
    loss: Tensor


class CodeBlock(nn.Module):
    """Linear, tanh, linear; nearest code on the unit sphere; norm, linear.

    Args:
        width: D of the tokens.
        o: options of the codebook.
    """

    def __init__(self, width: int, o: CodeOptions) -> None:
        super().__init__()
        self.to_code = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, o.width))
        self.quantiser = Quantiser(
            o.n_codes, o.width, o.decay, o.beta, o.kmeans, count_in_eval=o.count_in_eval
        )
        self.norm = nn.LayerNorm(o.width)
        self.from_code = nn.Linear(o.width, width)
        start_linear(self)

    def vectors(self, tokens: Tensor) -> Tensor:
        """Map tokens (B, L, D) to vectors (B, L, d) before the quantiser, in float32."""
        with without_autocast(tokens):
            return self.to_code(tokens.float())

    @torch.no_grad()
    def indices(self, tokens: Tensor) -> Tensor:
        """Return the codes (B, L) of tokens (B, L, D); changes no state in any mode."""
        vectors = unit(self.vectors(tokens))
        codebook = self.quantiser.codebook
        return nearest(vectors.flatten(0, 1), codebook).view(vectors.shape[:2])

    def forward(self, tokens: Tensor) -> CodedTokens:
        """Quantise tokens (B, L, D); in training the codebook follows."""
        quantised = self.quantiser(self.vectors(tokens))
        rebuilt = self.from_code(self.norm(quantised.codes))
        return CodedTokens(rebuilt, quantised.indices, quantised.loss)
