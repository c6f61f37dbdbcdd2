"""State dicts of brainmagick: its tensor names and ours, one to one."""

from __future__ import annotations

from torch import nn

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
