"""Adapters of a frozen network, through the library `peft`: LoRA and IA3.

LoRA adds to a linear map a product of two thin matrices (Hu et al. 2022); IA3 scales the outputs of
attention and the inputs of the second map of an MLP (Liu et al. 2022). What is saved is the network
with its adapters merged into it: a folder like any other.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ...errors import UserError, nearest
from ...models.contract import Layered
from ...registry import check_arguments

#: Names of the maps that are adapted unless `solver.adapter.targets` says others; a fused map of
#: queries, keys and values counts as all three.
TARGETS = {"lora": ("qkv", "query", "value"), "ia3": ("qkv", "key", "value", "fc2")}
SCALED_INPUTS = ("fc2",)  # ia3: the second map of an MLP, whose inputs are scaled


def check_peft() -> None:
    """Raise `UserError` when `peft` is not installed."""
    try:
        import peft  # noqa: F401
    except ImportError:
        raise UserError(
            "solver.tune=lora and ia3 need the library peft: pip install -e '.[transfer]'"
        ) from None


def target_names(model: nn.Module, targets: Sequence[str], heads: tuple[str, ...]) -> list[str]:
    """Return the full names of the linear maps that `targets` mean: names, or ends of names.

    Raises:
        UserError: a target that no linear map has, with the nearest name.
    """
    linear = [
        name
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear) and not f"{name}.".startswith(heads)
    ]
    names: dict[str, None] = {}
    for target in targets:
        fitting = [name for name in linear if f".{name}".endswith(f".{target}")]
        if not fitting:
            ends = {name.rpartition(".")[2] for name in linear}
            raise UserError(
                f"solver.adapter.targets: {type(model).__name__} has no linear layer "
                f"{target!r}{nearest(target, ends)}"
            )
        names |= dict.fromkeys(fitting)
    return list(names)


def add_adapters(
    model: nn.Module,
    kind: str,
    rank: int = 8,
    alpha: float = 16.0,
    dropout: float = 0.0,
    targets: Sequence[str] | None = None,
) -> None:
    """Freeze a model but for its head, and put adapters around its linear maps.

    Args:
        model: changed in place.
        kind: lora | ia3.
        rank: of the product that LoRA adds.
        alpha: the product is scaled by alpha / rank.
        dropout: of its inputs.
        targets: names of linear maps, or ends of names; None = those of attention.

    Raises:
        UserError: no `peft`, a model without numbered layers, or a target that it does not have.
    """
    check_peft()
    from peft import IA3Config, LoraConfig, inject_adapter_in_model

    if not isinstance(model, Layered):
        raise UserError(
            f"solver.tune={kind}: {type(model).__name__} does not say which part is its head; use "
            "solver.tune=blocks"
        )
    if rank < 1:
        raise UserError(f"solver.adapter.rank={rank}: at least 1 is needed")
    names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    ends = targets or [name for name in TARGETS[kind] if name in names]
    layers = target_names(model, ends, model.head_names)
    if kind == "lora":
        options: dict[str, Any] = {"r": rank, "lora_alpha": alpha, "lora_dropout": dropout}
        config: Any = LoraConfig(target_modules=layers, **options)
    else:
        scaled = [name for name in layers if name.endswith(SCALED_INPUTS)]
        config = IA3Config(target_modules=layers, feedforward_modules=scaled)
    inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        adapter = any(isinstance(part, _layer_class()) for part in _owners(model, name))
        inside = adapter and ".base_layer." not in name
        parameter.requires_grad_(inside or name.startswith(model.head_names))


def adapter_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of `add_adapters` from `solver.adapter`."""
    check_arguments("solver.adapter", add_adapters, options, ("model", "kind"))
    return dict(options)


@functools.lru_cache(maxsize=1)
def _layer_class() -> type:
    from peft.tuners.tuners_utils import BaseTunerLayer

    return BaseTunerLayer


def _owners(model: nn.Module, name: str) -> Iterator[nn.Module]:
    """Yield the modules on the way to a parameter."""
    part: Any = model
    for word in name.split(".")[:-1]:
        part = getattr(part, word)
        yield part


def adapted(model: nn.Module) -> dict[str, Any]:
    """Return the adapted layers by name; none without adapters."""
    if not hasattr(model, "peft_config"):
        return {}
    return {n: part for n, part in model.named_modules() if isinstance(part, _layer_class())}


@contextmanager
def plain_layers(model: nn.Module) -> Iterator[None]:
    """Let a model have its own layers, under their own names, inside the block."""
    layers = adapted(model)
    for name, layer in layers.items():
        _put(model, name, layer.base_layer)
    try:
        yield
    finally:
        for name, layer in layers.items():
            _put(model, name, layer)


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    outer, _, last = name.rpartition(".")
    setattr(model.get_submodule(outer), last, layer)


@torch.no_grad()
def merged(model: nn.Module) -> nn.Module:
    """Return a copy with the adapters merged into its own layers; the model stays as it is."""
    # a copy, because weights that are merged and unmerged again have other bits
    plain = copy.deepcopy(model)
    for name, layer in adapted(plain).items():
        layer.merge()
        _put(plain, name, layer.base_layer)
    if hasattr(plain, "peft_config"):
        del plain.peft_config
    return plain


@torch.no_grad()
def neutralise(model: nn.Module) -> None:
    """Let the adapters of a model change nothing: its own layers hold what they have learned."""
    for layer in adapted(model).values():
        for name, parameter in layer.named_parameters():
            if "lora_B" in name:
                parameter.zero_()
            elif "ia3_l" in name:
                parameter.fill_(1.0)
