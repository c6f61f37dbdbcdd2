"""State dicts of clip networks under the names of brainmagick, for golden cases and round trips."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from bm.models.clip.published import published_name, published_names


def to_published(model: nn.Module) -> dict[str, Tensor]:
    """Return the network's tensors under the original's names."""
    return {published_name(model, name): value for name, value in model.state_dict().items()}


def load_published(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load an original state dict; every tensor must match in name and shape.

    Raises:
        RuntimeError: missing, unexpected or misshapen tensors, all of them named.
    """
    ours = {theirs: name for name, theirs in published_names(model).items()}
    # names that are not in the map stay as they are, so that the strict loading reports them
    model.load_state_dict({ours.get(name, name): value for name, value in state.items()})
