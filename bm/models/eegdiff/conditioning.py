"""Conditions of generated samples: class, subject, text; and the condition "nothing"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

#: number of a class or subject that is not known, or dropped for guidance.
UNKNOWN = -1


@dataclass
class Condition:
    """Conditions of B items; those that are None are unknown for all of them.

    Attributes:
        labels: (B,) class numbers, `UNKNOWN` where there is none.
        subjects: (B,) subject numbers, likewise.
        text: (B, L, D) states of a text encoder.
        text_mask: (B, L) true at the tokens that count.
    """

    labels: Tensor | None = None
    subjects: Tensor | None = None
    text: Tensor | None = None
    text_mask: Tensor | None = None

    def rows(self, start: int, stop: int) -> Condition:
        """Return the condition of items start..stop."""
        return self._each(lambda values: values[start:stop])

    def to(self, device: torch.device | str) -> Condition:
        """Return the condition on another device."""
        return self._each(lambda values: values.to(device))

    def joined(self, other: Condition) -> Condition:
        """Return the condition of these items and those of another of the same kinds."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Condition(*(None if a is None else torch.cat([a, b]) for a, b in pairs))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Condition:
        """Return the condition with every tensor changed."""
        values = (self.labels, self.subjects, self.text, self.text_mask)
        return Condition(*(None if v is None else change(v) for v in values))


class Conditioning(nn.Module):
    """Tables of class and subject, summed to one vector that is added to the time embedding.

    The last row of each is the learned "unknown" (classifier-free guidance, Ho and Salimans 2022).

    Args:
        n_classes: 0 = no class condition.
        n_subjects: 0 = no subject condition.
        width: of the time embedding.
        text_shape: (L, D) of the text states; None = no text.
        sd: of the values that tables begin with. 0.02 is small beside the time embedding and hardly
            moves in a thousand steps: what waves lose by ignoring their class is small too. 1 tells
            classes apart from the first step on.
    """

    null_text: Tensor

    def __init__(
        self,
        n_classes: int,
        n_subjects: int,
        width: int,
        text_shape: tuple[int, int] | None = None,
        sd: float = 0.02,
    ) -> None:
        super().__init__()
        self.width = width
        sizes = {"labels": n_classes, "subjects": n_subjects}
        # empty without class and subject: then `forward` returns None and the network has no vector
        self.tables = nn.ModuleDict()
        for name, size in sizes.items():
            if size:
                table = nn.Embedding(size + 1, width)
                nn.init.normal_(table.weight, std=sd)
                self.tables[name] = table
        if text_shape is not None:
            self.register_buffer("null_text", torch.zeros(text_shape))  # states of an empty text

    def forward(self, condition: Condition, items: int, device: torch.device) -> Tensor | None:
        """Return the sum of the embeddings, (B, width); None when the model has no table."""
        vector: Tensor | None = None
        for name, table in self.tables.items():
            assert isinstance(table, nn.Embedding)
            last = table.num_embeddings - 1
            numbers = condition.labels if name == "labels" else condition.subjects
            if numbers is None:
                numbers = torch.full((items,), UNKNOWN, device=device)
            rows = table(torch.where(numbers == UNKNOWN, last, numbers))
            vector = rows if vector is None else vector + rows
        return vector

    def dropped(self, condition: Condition, mask: Tensor) -> Condition:
        """Return the condition, unknown for the items where `mask` (B,) is true."""

        def unknown(values: Tensor | None) -> Tensor | None:
            return None if values is None else values.masked_fill(mask, UNKNOWN)

        text, text_mask = condition.text, condition.text_mask
        if text is not None:
            text = torch.where(mask[:, None, None], self.null_text.to(text), text)
        # all tokens of an empty text count, as they do without any mask
        if text_mask is not None:
            text_mask = text_mask | mask[:, None]
        return Condition(unknown(condition.labels), unknown(condition.subjects), text, text_mask)
