"""What masked prediction of codes must beat: naive Bayes over the visible neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..data.loader import Plan, epoch_batches
from ..engine.averages import Averages
from ..metrics.code_neighbours import CodeNeighbours

#: Name of the row in tables.
NAME = "naive Bayes over visible neighbours"
#: Training windows whose codes are counted, evenly over all: more of them change a table of pairs
#: little, and would cost a pass of the tokenizer over a corpus.
WINDOWS = 4096

#: Batch -> codes (B, C, A).
CodesOf = Callable[[Batch], Tensor]


def training_batches(data: Dataset, size: int) -> Iterator[Batch]:
    """Yield training windows as they are, at most `WINDOWS` of them, evenly over the split."""
    rows = data.rows("train")
    if len(rows) > WINDOWS:
        rows = rows[np.linspace(0, len(rows) - 1, WINDOWS).astype(int)]
    plan = Plan(rows, data.groups(rows), size, shuffle=False, seed=0)
    for batch in epoch_batches(plan, 0):
        yield data.gather(batch.tolist())


def counted(batches: Iterable[Batch], codes_of: CodesOf, n_codes: int) -> CodeNeighbours:
    """Return naive Bayes of the codes of some windows."""
    neighbours = CodeNeighbours(n_codes)
    for batch in batches:
        neighbours.add(codes_of(batch).cpu().numpy())
    return neighbours


def neighbour_accuracy(
    neighbours: CodeNeighbours,
    batches: Iterable[tuple[Tensor, Tensor, int]],
    symmetric: bool,
    device: torch.device,
) -> dict[str, float]:
    """Return the accuracy of each half, a mean over windows as that of the network is.

    Args:
        neighbours: counted in training windows.
        batches: of this process: codes (B, C, A), the mask of the same shape, true = hidden in the
            first pass, and the weight of the batch.
        symmetric: whether the visible half is predicted from the hidden one too.
        device: on which processes sum what they counted.
    """
    averages = Averages(device)
    for codes, mask, weight in batches:
        hidden = mask.cpu().numpy()
        hits = torch.from_numpy(neighbours.guess(codes.cpu().numpy(), hidden)) == codes.cpu()
        halves = {"masked": hidden, "complement": ~hidden} if symmetric else {"masked": hidden}
        # every window has as many hidden patches: the mean over patches is that over windows
        values = {f"accuracy_{name}": hits[half].double().mean() for name, half in halves.items()}
        if symmetric:
            values["accuracy"] = (values["accuracy_masked"] + values["accuracy_complement"]) / 2
        averages.add(values, weight)
    return averages.result()
