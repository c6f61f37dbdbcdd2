"""Option groups of the speech decoders, and factories of the layers that they describe.

Defaults are those of brainmagick's code, not of its published configuration, which is
conf/model/clip/clip_conv.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ...errors import UserError
from ...nn.channel_merger import ChannelMerger
from ...nn.conv_stack import StackOptions, activation
from ...nn.subjects import SubjectEmbedding, SubjectLayers


@dataclass(frozen=True)
class EncoderOptions(StackOptions):
    """Options of a stack with its number of layers and the factor from one width to the next."""

    depth: int = 4
    growth: float = 1.0

    def widths(self, hidden: int) -> list[int]:
        """Return the width of each layer."""
        return [round(hidden * self.growth**k) for k in range(self.depth)]


@dataclass(frozen=True)
class MergerOptions:
    """See `bm.nn.channel_merger.ChannelMerger`."""

    channels: int = 270  # as published
    dimension: int = 2048  # as published; the original's default, 256, is not twice a square
    dropout: float = 0.2  # radius, as a share of the width of the layout
    per_subject: bool = False
    usage_penalty: float = 0.0


@dataclass(frozen=True)
class SensorOptions:
    """Options of the sensors that are left out.

    Attributes:
        dropout, rescale: see `bm.nn.channel_dropout.ChannelDropout`.
        kept: channels of the fixed subset; 0 = all.
    """

    dropout: float = 0.0
    rescale: bool = True
    kept: int = 0  # the name is a key of published configurations


@dataclass(frozen=True)
class InitialOptions:
    """1x1 convolutions before the subject layer; `nonlinear`: an activation after the last too."""

    channels: int = 270  # as published
    depth: int = 1
    nonlinear: bool = False


@dataclass(frozen=True)
class SubjectOptions:
    """Options of the layers with weights per subject.

    Attributes:
        layers: a linear layer per subject.
        layers_width: its outputs: as many channels as its inputs (input), or the encoder's
            (hidden).
        layers_identity: it starts from the identity.
        embedding: width of a vector per subject; 0 = none.
        embedding_scale: see `bm.nn.subjects.SubjectEmbedding`.
    """

    layers: bool = False
    layers_width: str = "input"
    layers_identity: bool = False
    embedding: int = 0
    embedding_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.layers_width not in ("input", "hidden"):
            raise ValueError(f"layers_width={self.layers_width!r}: input or hidden")


@dataclass(frozen=True)
class SpectrumOptions:
    """Short-time spectra of the channels; `complex_values`: re and im, else magnitudes."""

    n_fft: int = 16
    complex_values: bool = True


@dataclass(frozen=True)
class RecurrentOptions:
    """LSTM layers between the convolutions; `flip`: over time backwards."""

    layers: int = 2
    bidirectional: bool = False
    flip: bool = False
    dropout: float = 0.0


@dataclass(frozen=True)
class AttentionOptions:
    """Residual blocks after the LSTM; see `bm.nn.distance_attention.DistanceAttention`."""

    layers: int = 1
    heads: int = 4
    as_published: bool = False


@dataclass(frozen=True)
class DualPathOptions:
    """See `bm.nn.dual_path.DualPath`."""

    depth: int = 1
    as_published: bool = False


def build_merger(options: MergerOptions, n_subjects: int) -> ChannelMerger:
    """Build the merger; raise `UserError` for an impossible number of Fourier features."""
    try:
        return ChannelMerger(
            options.channels,
            options.dimension,
            options.dropout,
            n_subjects if options.per_subject else None,
            options.usage_penalty,
        )
    except ValueError as error:
        raise UserError(f"model.merger.dimension={options.dimension}: {error}") from None


def build_initial(inner: int, options: InitialOptions, encoder: StackOptions) -> nn.Sequential:
    """Build 1x1 convolutions with the encoder's activation between them."""
    parts: list[nn.Module] = [nn.Conv1d(inner, options.channels, 1)]
    for _ in range(options.depth - 1):
        parts += [activation(encoder), nn.Conv1d(options.channels, options.channels, 1)]
    if options.nonlinear:
        parts.append(activation(encoder))
    return nn.Sequential(*parts)


def build_subject_layers(
    inner: int, hidden: int, n_subjects: int, options: SubjectOptions
) -> SubjectLayers | None:
    """Build the layers per subject, None without them."""
    if not options.layers:
        return None
    outer = hidden if options.layers_width == "hidden" else inner
    try:
        return SubjectLayers(inner, outer, n_subjects, options.layers_identity)
    except ValueError as error:
        raise UserError(f"model.subject: {error}") from None


def build_embedding(n_subjects: int, options: SubjectOptions) -> SubjectEmbedding | None:
    """Build the vectors per subject, None without them."""
    if not options.embedding:
        return None
    return SubjectEmbedding(n_subjects, options.embedding, options.embedding_scale)
