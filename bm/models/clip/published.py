"""State dicts of brainmagick: its tensor names and ours, one to one."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

#: Ours -> theirs, for a part of a name between two dots. Besides, the parts of a `Sequential`,
#: named by us, go by their position there (`layers.3.conv` is `sequence.3.0`, or `sequence.3.1`
#: where a dropout stands before it).
PARTS = {
    "signal": "meg",
    "layers": "sequence",
    "gates": "glus",
    "initial": "initial_linear",
    "head": "final",
    "spectrum": "stft",
    "recurrent": "lstm",
    "project": "fc",
    "norm": "bn",
}


def published_name(model: nn.Module, name: str) -> str:
    """Return the original's name of one of our tensors."""
    parts, module = [], model
    for part in name.split("."):
        children = dict(module.named_children())
        if isinstance(module, nn.Sequential):
            parts.append(str(list(children).index(part)))
        else:
            parts.append(PARTS.get(part, part))
        module = children.get(part, module)
    return ".".join(parts)


def published_names(model: nn.Module) -> dict[str, str]:
    """Return the original's name of each tensor of a network, by ours."""
    return {name: published_name(model, name) for name in model.state_dict()}


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
