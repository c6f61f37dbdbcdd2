"""SimpleConv: the convolutional brain encoder of Défossez et al. (2023), section 2.3."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...nn.channel_dropout import ChannelDropout, ChannelSubset
from ...nn.channel_merger import ChannelMerger
from ...nn.conv_stack import activation
from ...nn.dual_path import DualPath
from .. import MODELS
from ..sections import section_of
from .branches import Widths, branches_of, build_encoders, inputs_of, joined_width
from .options import (
    DualPathOptions,
    EncoderOptions,
    InitialOptions,
    MergerOptions,
    SensorOptions,
    SpectrumOptions,
    SubjectOptions,
    build_embedding,
    build_initial,
    build_merger,
    build_subject_layers,
)
from .spectrum import Spectrum

HEADS = ("complex", "linear", "none")  # brainmagick's complex_out, linear_out, and neither
Group = Mapping[str, Any] | None


def build_head(kind: str, inner: int, outer: int, encoder: EncoderOptions, n_fft: int) -> nn.Module:
    """Build the last layers: `linear` one convolution, `complex` a wider one before it.

    After spectra it is transposed, so that frames become samples again.
    """
    # kernel, stride and padding that undo frames of n_fft samples every n_fft / 2
    spread = (n_fft, n_fft // 2, n_fft // 4) if n_fft else (1, 1, 0)
    if kind == "linear":
        return nn.ConvTranspose1d(inner, outer, *spread)
    return nn.Sequential(
        OrderedDict(
            widen=nn.Conv1d(inner, 2 * inner, 1),
            activation=activation(encoder),
            project=nn.ConvTranspose1d(2 * inner, outer, *spread),
        )
    )


def check_head(head: str, two_encoders: bool, spectrum: Group, dual_path: Group) -> bool:
    """Return whether the encoder's last layer gives the outputs; raise `UserError` if it cannot."""
    if head not in HEADS:
        raise UserError(f"model.head={head}: one of {', '.join(HEADS)}")
    if head != "none":
        return False
    # what lies between encoder and outputs leaves no last layer of the encoder to give them
    excluded = {"spectrum": spectrum, "dual_path": dual_path, "n_features": two_encoders}
    for name, value in excluded.items():
        if value:
            raise UserError(f"model.{name} needs a head; set model.head=linear or complex")
    return True


def check_lengths(options: EncoderOptions) -> None:
    """Raise `UserError` for an encoder that changes the number of samples, or has no layer."""
    if options.stride != 1 or not options.kernel_size % 2:
        raise UserError(
            f"model.encoder: stride={options.stride}, kernel_size={options.kernel_size}; "
            "samples are kept with stride 1 and an odd kernel"
        )
    if options.depth < 1:
        raise UserError(f"model.encoder.depth={options.depth}: at least 1")


def build_dual_path(width: int, group: Group) -> DualPath | None:
    """Build the recurrent layers, None without them."""
    if not group:
        return None
    options = section_of(DualPathOptions, group, "dual_path")
    return DualPath(width, options.depth, as_published=options.as_published)


def build_spectrum(options: SpectrumOptions) -> Spectrum:
    """Build the spectra; raise `UserError` unless frames can be halved and quartered."""
    if options.n_fft < 4 or options.n_fft % 4:
        raise UserError(f"model.spectrum.n_fft={options.n_fft}: a multiple of 4")
    return Spectrum(options.n_fft, options.complex_values)


@MODELS.register("clip_simpleconv")
class SimpleConv(nn.Module):
    """Encoder of brain signals (and stimulus features) to a sequence as long as the signal.

    Sensors left out, spatial attention, 1x1 convolutions, a layer per subject, spectra, a vector
    per subject, dilated convolutions, dual path, head: each optional, in this order. A group that
    is null is not there.

    Args:
        n_channels: C.
        n_outputs: F, channels that come out: those of the speech representation.
        n_subjects: S.
        n_features: stimulus features that are read too (encoding); 0 = none.
        hidden, hidden_features: widths of the encoders of both branches.
        concatenate: one encoder for both branches together; its width is the sum.
        encoder: `EncoderOptions`.
        head: complex | linear | none (the last layer of the encoder gives the outputs).
        sensors: `SensorOptions`.
        merger: `MergerOptions`.
        initial: `InitialOptions`.
        subject: `SubjectOptions`.
        spectrum: `SpectrumOptions`; needs a head.
        dual_path: `DualPathOptions`.

    Raises:
        UserError: an unknown key, or options that exclude each other.
    """

    def __init__(
        self,
        n_channels: int,
        n_outputs: int,
        n_subjects: int = 1,
        n_features: int = 0,
        hidden: int = 320,
        hidden_features: int = 12,
        concatenate: bool = False,
        encoder: Group = None,
        head: str = "complex",
        sensors: Group = None,
        merger: Group = None,
        initial: Group = None,
        subject: Group = None,
        spectrum: Group = None,
        dual_path: Group = None,
    ) -> None:
        super().__init__()
        last = check_head(head, bool(n_features) and not concatenate, spectrum, dual_path)
        if spectrum and n_features:
            raise UserError(
                "model.spectrum: stimulus features have no frames; set model.spectrum=null"
            )
        options = section_of(EncoderOptions, encoder, "encoder")
        check_lengths(options)
        # layers are built in the order of the forward pass: first values depend on it
        width = self._build_sensors(n_channels, n_subjects, sensors, merger)
        width = self._build_front(width, hidden, n_subjects, initial, subject, options)
        self.spectrum: Spectrum | None = None
        if spectrum:
            self.spectrum = build_spectrum(section_of(SpectrumOptions, spectrum, "spectrum"))
            width = self.spectrum.width(width)
        if self.subject_embedding:
            width += self.subject_embedding.width
        branches = branches_of(
            Widths(width, hidden), Widths(n_features, hidden_features), concatenate
        )
        self.n_features, self.concatenate = n_features, concatenate
        self.encoders = build_encoders(branches, options, n_outputs if last else None)
        final = joined_width(branches, options)
        self.dual_path = build_dual_path(final, dual_path)
        n_fft = self.spectrum.n_fft if self.spectrum else 0
        self.head = None if last else build_head(head, final, n_outputs, options, n_fft)

    def _build_sensors(
        self, n_channels: int, n_subjects: int, sensors: Group, merger: Group
    ) -> int:
        """Build what chooses and merges sensors; return the number of channels after it."""
        options = section_of(SensorOptions, sensors, "sensors")
        self.subset = ChannelSubset(n_channels, options.kept) if options.kept else None
        self.channel_dropout = (
            ChannelDropout(options.dropout, options.rescale) if options.dropout else None
        )
        # weights of the merger depend on places alone: any recording with a layout can be read
        self.merger: ChannelMerger | None = None
        if not merger:
            return n_channels
        merging = section_of(MergerOptions, merger, "merger")
        self.merger = build_merger(merging, n_subjects)
        return merging.channels

    def _build_front(
        self,
        width: int,
        hidden: int,
        n_subjects: int,
        initial: Group,
        subject: Group,
        encoder: EncoderOptions,
    ) -> int:
        """Build 1x1 convolutions and layers per subject; return the width after them."""
        self.initial: nn.Sequential | None = None
        if initial:
            options = section_of(InitialOptions, initial, "initial")
            self.initial, width = build_initial(width, options, encoder), options.channels
        of_subject = section_of(SubjectOptions, subject, "subject")
        self.subject_layers = build_subject_layers(width, hidden, n_subjects, of_subject)
        self.subject_embedding = build_embedding(n_subjects, of_subject)
        return width if self.subject_layers is None else self.subject_layers.outer

    def front(self, signal: Tensor, subject: Tensor, positions: Tensor | None) -> Tensor:
        """Return the encoder's input (B, C', T or frames), of (B, C, T), (B,) and (B, C, >= 2)."""
        x = signal if self.subset is None else self.subset(signal)
        if self.channel_dropout is not None or self.merger is not None:
            if positions is None:  # a bug of the caller, not of the user
                raise ValueError("attention or dropout over sensors needs their positions")
            if self.channel_dropout is not None:
                x = self.channel_dropout(x, positions)
            if self.merger is not None:
                x = self.merger(x, positions, subject)
        if self.initial is not None:
            x = self.initial(x)
        if self.subject_layers is not None:
            x = self.subject_layers(x, subject)
        if self.spectrum is not None:
            x = self.spectrum(x)
        if self.subject_embedding is not None:
            x = self.subject_embedding.append(x, subject)
        return x

    def forward(
        self,
        signal: Tensor,
        subject: Tensor,
        positions: Tensor | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        """Encode B windows.

        Args:
            signal: (B, C, T) float32.
            subject: (B,) int64.
            positions: (B, C, >= 2) places of the sensors, 0 to 1, `positions.INVALID` twice or nan
                where unknown; for the merger and the dropout of sensors.
            features: (B, n_features, T), when the network reads features.

        Returns:
            (B, n_outputs, T).
        """
        # transposed heads give more samples than the signal has: they are cut off at the end
        length = signal.shape[-1]
        front = self.front(signal, subject, positions)
        branches = inputs_of(front, features, self.n_features, self.concatenate)
        x = torch.cat([self.encoders[name](value) for name, value in branches.items()], 1)
        if self.dual_path is not None:
            x = self.dual_path(x)
        if self.head is not None:
            x = self.head(x)
        return x[..., :length]
