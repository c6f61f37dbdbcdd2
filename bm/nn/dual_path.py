"""DualPath: recurrent layers within and across chunks of time (Luo et al., 2020)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

CHUNK = 10  # samples of a chunk, as published: 83 ms at 120 Hz


class DualPath(nn.Module):
    """Stack of 4 * depth LSTMs that add to their input; time is reversed after each pair.

    The first of a pair runs within the chunks, the second across them. As published both run over
    the whole sequence, and the output of the first is shuffled in time by the transposition of
    chunks; that form stays for old weights, which fit both.

    Args:
        width: C.
        depth: in fours of layers.
        chunk: samples of a chunk.
        as_published: the original's form.
    """

    def __init__(
        self, width: int, depth: int, chunk: int = CHUNK, as_published: bool = False
    ) -> None:
        super().__init__()
        self.lstms = nn.ModuleList(nn.LSTM(width, width, 1) for _ in range(4 * depth))
        self.chunk, self.as_published = chunk, as_published

    def _run(self, index: int, x: Tensor) -> Tensor:
        """Return the output of one LSTM for x (N, chunk, B, C) of N chunks."""
        chunks, size, batch, width = x.shape
        lstm = self.lstms[index]
        if self.as_published:
            # the original unfolds the chunks before the LSTM, so that it sees one sequence
            y = lstm(x.flatten(0, 1))[0]
            if index % 2 == 0:
                y = y.view(size, chunks, batch, width).transpose(0, 1).reshape(-1, batch, width)
            return y.view(x.shape)
        if index % 2 == 0:
            within = lstm(x.transpose(0, 1).reshape(size, chunks * batch, width))[0]
            return within.view(size, chunks, batch, width).transpose(0, 1)
        return lstm(x.reshape(chunks, size * batch, width))[0].view(x.shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, T) with the outputs of all LSTMs added."""
        length = x.shape[-1]
        padded = functional.pad(x, (0, -length % self.chunk))
        x = padded.permute(2, 0, 1).unflatten(0, (-1, self.chunk))
        for index in range(len(self.lstms)):
            x = x + self._run(index, x)
            if index % 2:
                x = x.flip((0, 1))
        return x.flatten(0, 1).permute(1, 2, 0)[..., :length]
