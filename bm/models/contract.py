"""The contract of models: what a network may offer besides `forward`, in groups by inheritance.

A model needs nothing of this. Any `nn.Module`, also one of another library named by
`model.target`, is trained, saved, evaluated and compared with the defaults of the table. A model
takes a group by inheriting the class; callers ask `isinstance(model, Group)`.

| group | who asks | default without it |
|---|---|---|
| `Loadable` | `bm.models.saved.init_weights` | every tensor must match in name and shape |
| `Layered` | `optim.layer_decay`, `solver.tune_blocks`, `solver.tune` | all three are refused |
| `Undecayed` | `optim.decay_norm_bias=false` | 1-D parameters and biases alone are spared |
| `Microvolts` | checks of scaling and of the origin of weights | the model takes scaled windows |
| `TokenEncoder` | `scripts.extract` | no tokens can be extracted |
| `Codebook` | the masked solver, `scripts.extract` | the model is no tokenizer |
| `Tokenizer` | the tokenizer solver | cannot be trained as a tokenizer |
| `PatchPredictor` | the masked solver, `target=patches` | patches of single channels |
| `TokenClassifier` | the phoneme solver | gives no classes of tokens |
| `SelfSupervised` | the self-supervised solver | learns nothing without labels |
| `ChannelRanker` | the channel solver | cannot rank channels |
| `LabelPenalised` | the supervised solver, in training | the loss of the outputs alone |
| `Described` | `show=true` | the module tree and the data facts alone |
| `SubjectRows`, `Penalised`, `CountedExplicitly` | see `bm.nn.roles`: roles of single layers | |

`forward` and the methods below get, besides the signal, what they have an argument for by name:
`channel_ids` (C,) int64, `channel_mask` (B, C) bool, `positions` (B, C, 3), `subject` (B,) int64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from ..facts import DataFacts
from ..nn.electrode_rows import without_place
from ..nn.quantiser import Quantiser
from ..nn.roles import CountedExplicitly, Penalised, SubjectRows
from .reconstruction import Reconstruction

#: Values of `pool` of `TokenEncoder.tokens`.
POOLS = ("none", "mean")

__all__ = [
    "POOLS",
    "ChannelRanker",
    "Codebook",
    "CountedExplicitly",
    "Described",
    "LabelPenalised",
    "Layered",
    "Loadable",
    "Microvolts",
    "PatchPredictor",
    "Patched",
    "Penalised",
    "SelfSupervised",
    "SubjectRows",
    "TokenClassifier",
    "TokenEncoder",
    "Tokenizer",
    "Undecayed",
]


class Loadable(nn.Module):
    """A model that starts from weights of other models.

    Attributes:
        may_be_missing: starts of names of its tensors that the weights may lack, e.g. a head that
            pre-training does not have; they keep their first values.
        may_be_unexpected: starts of names of foreign tensors that may be left over.
    """

    may_be_missing: tuple[str, ...] = ()
    may_be_unexpected: tuple[str, ...] = ()

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return foreign tensors under this model's names; the default changes nothing."""
        return state


class Layered(nn.Module, ABC):
    """A model whose parameters belong to numbered layers, for rates and freezing by layer.

    Attributes:
        n_layers: number of the last layer, L: 0 are the embeddings, 1 to L - 1 the blocks, L all
            that follows them.
        head_names: starts of names of the head's parameters, which train whatever is frozen.
        embedding_names: parameters that are frozen with layer 0 whatever their number is.
    """

    n_layers: int
    # not `head` and `embeddings`: torch looks for a submodule only where no class attribute has its
    # name, so that these would hide submodules called so
    head_names: tuple[str, ...] = ("head.",)
    embedding_names: tuple[str, ...] = ()

    @abstractmethod
    def layer_number(self, name: str) -> int:
        """Return the layer, 0 to `n_layers`, of the parameter called `name`."""


@runtime_checkable
class Undecayed(Protocol):
    """A model that names parameters which weight decay must not touch.

    The one group that is recognised by its method: models of timm and braindecode have it under
    this name, and must be decayed as their authors meant when they plug in by `model.target`.
    """

    def no_weight_decay(self) -> set[str]:
        """Return names of parameters that never decay."""


class Microvolts(nn.Module):
    """A model that takes microvolts and scales them itself, so that windows come unscaled.

    Attributes:
        amplitude_uv: microvolts that count as 1 inside.
    """

    amplitude_uv: float


class Patched(nn.Module):
    """A model that cuts windows (B, C, T) into A patches per channel.

    Attributes:
        patch_samples: P; T = A * P.
        max_patches: largest A.
        named_channels: whether channels are told apart by their names, so that `channel_names` is
            an argument of the class and each name must be in the table of `bm.nn.electrodes`, or
            have a place where `electrode_rule` infers rows.
        electrode_rule: exact | nearest | interpolate, see `bm.nn.electrode_rows`.
        geodesic_net: electrodes of the net that names `E<number>` are of; None = by the numbers.
    """

    patch_samples: int
    max_patches: int
    named_channels: bool
    electrode_rule: str = "exact"
    geodesic_net: int | None = None

    def strange_channels(self, names: Sequence[str]) -> list[str]:
        """Return the names of channels that the model cannot place."""
        if not self.named_channels:
            return []
        return without_place(names, self.electrode_rule, self.geodesic_net)


# `tokens` alone would not tell an encoder: the conformer has a layer of that name, and a codebook a
# method that returns codes.
class TokenEncoder(Patched, ABC):
    """A model that gives a vector per patch, for features of a frozen network.

    Attributes:
        depth: blocks; `layer` is 0 to `depth`.
    """

    depth: int

    @abstractmethod
    def tokens(
        self,
        x: Tensor,
        channel_ids: Tensor | None = None,
        layer: int | None = None,
        pool: str = "none",
    ) -> Tensor:
        """Return tokens (B, C, A, D), or (B, D) with `pool=mean`, of a signal (B, C, T).

        Args:
            x: microvolts.
            channel_ids: (C,) or (B, C) indices into `channel_names`; None = all in order.
            layer: blocks to go through, whose output is returned as it is; None = all blocks and
                the final norm.
            pool: none | mean, over channels and patches.
        """


class Codebook(Patched, ABC):
    """A model that maps each patch to one of K codes.

    Attributes:
        n_codes: K.
        quantiser: holds the codebook (K, d).
    """

    n_codes: int
    quantiser: Quantiser

    @abstractmethod
    def tokens(self, x: Tensor, channel_ids: Tensor | None = None) -> Tensor:
        """Return codes (B, C * A) int64 of a signal (B, C, T) in microvolts; changes no state."""

    @abstractmethod
    def code_vectors(
        self, x: Tensor, channel_ids: Tensor | None = None
    ) -> tuple[Tensor, tuple[int, int]]:
        """Return vectors (B, C * A, d) before the quantiser, and (C, A)."""


class Tokenizer(Codebook):
    """A codebook that is trained by rebuilding the signal from the codes.

    `forward` returns a record of outputs whose `indices` are the codes (B, C * A).
    """

    @abstractmethod
    def losses(self, outputs: Any, x: Tensor) -> dict[str, Tensor]:
        """Return `loss`, the sum, and its parts, of the outputs for a signal x (B, C, T)."""

    @abstractmethod
    def reconstructions(self, outputs: Any, x: Tensor) -> list[Reconstruction]:
        """Return what was rebuilt beside what it should be, of the outputs for a signal x."""


class PatchPredictor(nn.Module, ABC):
    """A masked model that predicts patches of its own form, e.g. of all channels together."""

    @abstractmethod
    def patch_targets(self, x: Tensor) -> Tensor:
        """Return what is predicted of each token, (B, L, F), of a signal (B, C, T)."""


class TokenClassifier(nn.Module, ABC):
    """A model whose `forward` returns logits (B, L, K) by the name of a head.

    Attributes:
        patch_samples: of a token.
        head_sizes: name -> K.
        trained: names of the heads whose losses are added up.
    """

    patch_samples: int
    head_sizes: dict[str, int]
    trained: tuple[str, ...]

    @abstractmethod
    def losses(self, logits: Any, labels: Any, mask: Tensor) -> dict[str, Tensor]:
        """Return `loss` and `loss_<head>`, of logits and labels (B, L) by head, where mask is."""


class SelfSupervised(nn.Module, ABC):
    """A model that draws itself what is hidden or changed, and learns from windows alone."""

    @abstractmethod
    def self_losses(self, x: Tensor) -> dict[str, Tensor]:
        """Return `loss` and its parts of a signal (B, C, T).

        `chance_<name>` is what the part called so would be without any knowledge of the signal.
        """


class ChannelRanker(nn.Module, ABC):
    """A model whose first layer is a map of channels to features, for each person."""

    @abstractmethod
    def channel_weights(self) -> Tensor:
        """Return the weights (S, C, D) of each person's map."""


class LabelPenalised(nn.Module, ABC):
    """A classifier that adds a loss of its own, made of the labels, in training.

    Attributes:
        penalty_scale: weight of that loss; with 0 `penalised` is not called.
    """

    penalty_scale: float = 0.0

    @abstractmethod
    def penalised(self, x: Tensor, labels: Tensor, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `forward` returns for a signal x, and a scalar to be weighted and added.

        Args:
            x: (B, C, T).
            labels: (B,) int64 classes.
            inputs: what else `forward` is given.
        """


class Described(nn.Module):
    """A model that has something to say under `show=true` beside its module tree."""

    def description(self, facts: DataFacts) -> list[str]:
        """Return lines to print, given the facts of the data; the default has none."""
        return []
