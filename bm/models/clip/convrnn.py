"""ConvRNN: strided convolutions, LSTM and attention, transposed convolutions (brainmagick)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import UserError
from ...nn.conv_stack import ConvStack
from ...nn.distance_attention import DistanceAttention
from .. import MODELS
from ..sections import section_of
from .branches import Widths, branches_of, build_encoders, inputs_of, joined_width
from .options import (
    AttentionOptions,
    EncoderOptions,
    RecurrentOptions,
    SubjectOptions,
    build_embedding,
    build_subject_layers,
)

HEADS = ("none", "linear", "complex")
PLACES = ("input", "recurrent")
#: Where the convolutions differ from those of SimpleConv, as in brainmagick.
DEFAULTS = {"kernel_size": 4, "stride": 2, "dilation_growth": 1, "depth": 2}
Group = Mapping[str, Any] | None


class Recurrent(nn.Module):
    """LSTM layers over time, from `inner` to `width` channels.

    Args:
        inner, width: channels before and after.
        options: bidirectional layers are followed by a linear one; `flip` runs backwards in time.
    """

    def __init__(self, inner: int, width: int, options: RecurrentOptions) -> None:
        super().__init__()
        both = options.bidirectional
        self.lstm = nn.LSTM(
            inner, width, options.layers, dropout=options.dropout, bidirectional=both
        )
        self.linear = nn.Linear(2 * width, width) if both else None
        self.flip = options.flip

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, T) of x (B, inner, T)."""
        steps = x.permute(2, 0, 1)
        states = self.lstm(steps.flip(0) if self.flip else steps)[0]
        if self.linear is not None:
            states = self.linear(states)
        return (states.flip(0) if self.flip else states).permute(1, 2, 0)


def valid_length(length: int, depth: int, stride: int) -> int:
    """Return the least padded length that `depth` strided and transposed layers restore."""
    # Each strided layer rounds up and adds one, so that the transposed ones reach every sample.
    for _ in range(depth):
        length = -(-length // stride) + 1
    for _ in range(depth):
        length = (length - 1) * stride
    return length


def build_attention(width: int, group: Group) -> nn.ModuleList:
    """Build the attention blocks; raise `UserError` when the heads do not fit."""
    if not group:
        return nn.ModuleList()
    o = section_of(AttentionOptions, group, "attention")
    try:
        blocks = [
            DistanceAttention(width, o.heads, as_published=o.as_published) for _ in range(o.layers)
        ]
    except ValueError as error:
        raise UserError(f"model.attention.heads={o.heads}: {error}") from None
    return nn.ModuleList(blocks)


def build_head(kind: str, inner: int, outer: int) -> nn.Module | None:
    """Build 1x1 convolutions after the decoder; none = its last layer gives the outputs."""
    if kind == "none":
        return None
    if kind == "linear":
        return nn.Conv1d(inner, outer, 1)
    return nn.Sequential(
        OrderedDict(
            widen=nn.Conv1d(inner, 2 * inner, 1),
            activation=nn.ReLU(),
            project=nn.Conv1d(2 * inner, outer, 1),
        )
    )


@MODELS.register("clip_convrnn")
class ConvRNN(nn.Module):
    """Network from brain signals, stimulus features or both to a sequence as long as they are.

    Args:
        n_channels: C.
        n_outputs: channels that come out.
        n_subjects: S.
        n_features: stimulus features that are read too (encoding); 0 = none.
        hidden, hidden_features: widths of the first layer of both encoders.
        concatenate: one encoder for both branches together; its width is the sum.
        encoder: `EncoderOptions`, of encoders and decoder.
        head: none (the last transposed convolution gives the outputs) | linear | complex.
        recurrent: `RecurrentOptions`; null = none.
        attention: `AttentionOptions`; null = none.
        subject: `SubjectOptions`; layers keep the number of channels.
        embedding_at: where the vector of the subject is appended: any of input, recurrent.

    Raises:
        UserError: an unknown key, or options that exclude each other.
    """

    def __init__(
        self,
        n_channels: int,
        n_outputs: int,
        n_subjects: int = 1,
        n_features: int = 0,
        hidden: int = 512,
        hidden_features: int = 12,
        concatenate: bool = False,
        encoder: Group = None,
        head: str = "none",
        recurrent: Group = None,
        attention: Group = None,
        subject: Group = None,
        embedding_at: Sequence[str] = ("recurrent",),
    ) -> None:
        super().__init__()
        options = section_of(EncoderOptions, {**DEFAULTS, **(encoder or {})}, "encoder")
        of_subject = section_of(SubjectOptions, subject, "subject")
        self.embedding_at = tuple(embedding_at) if of_subject.embedding else ()
        self._check(head, recurrent, options.depth)
        self.depth, self.stride = options.depth, options.stride
        self.subject_layers = build_subject_layers(n_channels, hidden, n_subjects, of_subject)
        self.subject_embedding = build_embedding(n_subjects, of_subject)
        width = n_channels if self.subject_layers is None else self.subject_layers.outer
        width += of_subject.embedding * ("input" in self.embedding_at)
        branches = branches_of(
            Widths(width, hidden), Widths(n_features, hidden_features), concatenate
        )
        self.n_features, self.concatenate = n_features, concatenate
        self.encoders = build_encoders(branches, options)
        final = joined_width(branches, options)
        self.recurrent: Recurrent | None = None
        if recurrent:
            # the vector of the subject is appended to the inputs, not to the states
            inner = final + of_subject.embedding * ("recurrent" in self.embedding_at)
            self.recurrent = Recurrent(
                inner, final, section_of(RecurrentOptions, recurrent, "recurrent")
            )
        self.attentions = build_attention(final, attention)
        # the decoder mirrors the encoder: its widths shrink by the same factor
        widths = [round(final / options.growth**k) for k in range(options.depth + 1)]
        if head == "none":
            widths[-1] = n_outputs
        self.decoder = ConvStack(widths, options, transposed=True, bare_last=head == "none")
        self.head = build_head(head, widths[-1], n_outputs)

    def _check(self, head: str, recurrent: Group, depth: int) -> None:
        """Raise `UserError` for options that do not exist or exclude each other."""
        if head not in HEADS:
            raise UserError(f"model.head={head}: one of {', '.join(HEADS)}")
        if head == "none" and not depth:
            raise UserError("model.encoder.depth=0: no layer gives the outputs; set model.head")
        for place in self.embedding_at:
            if place not in PLACES:
                raise UserError(f"model.embedding_at: {place!r}; any of {', '.join(PLACES)}")
        if not recurrent and "recurrent" in self.embedding_at:
            raise UserError("model.embedding_at=[recurrent] without model.recurrent; use [input]")

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
            positions: not used; every brain encoder takes them.
            features: (B, n_features, T), when the network reads features.

        Returns:
            (B, n_outputs, T).
        """
        x, length = signal, signal.shape[-1]
        if self.subject_layers is not None:
            x = self.subject_layers(x, subject)
        if self.subject_embedding is not None and "input" in self.embedding_at:
            x = self.subject_embedding.append(x, subject)
        branches = inputs_of(x, features, self.n_features, self.concatenate)
        # padded behind the embedding, whose channels end in zeros too, as published
        extra = valid_length(length, self.depth, self.stride) - length
        encoded = [
            self.encoders[name](functional.pad(value, (0, extra)))
            for name, value in branches.items()
        ]
        return self._decode(torch.cat(encoded, 1), subject)[..., :length]

    def _decode(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return (B, n_outputs, >= T) of x (B, h, T') after LSTM, attention, decoder and head."""
        if self.recurrent is not None:
            if self.subject_embedding is not None and "recurrent" in self.embedding_at:
                x = self.subject_embedding.append(x, subject)
            x = self.recurrent(x)
        for attention in self.attentions:
            # Attention adds to the states, it does not replace them.
            x = x + attention(x)
        x = self.decoder(x)
        return x if self.head is None else self.head(x)
