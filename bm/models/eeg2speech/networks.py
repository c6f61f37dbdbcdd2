"""The library's networks with the sizes of AudioLDM's configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from ...errors import UserError

GROUPS = 32  # of every group normalisation as published: widths are its multiples


@dataclass(frozen=True)
class DenoiserSizes:
    """Sizes of the denoiser; those of the published EEG configuration by default.

    Attributes:
        channels: of a latent.
        width: channels of the first level.
        multipliers: of `width`, per level.
        attention: levels' factors of reduction with attention.
        n_blocks: residual blocks of a level on the way down.
        head_width: channels of an attention head.
        depth: transformer blocks at each place.
        film: width of the condition vector; 0 = none.
        tokens: width of condition tokens that attention looks at; 0 = none.
        self_attention: a further transformer without tokens before each with tokens.
        groups: of every group normalisation. Take at most a quarter of `width`: what time and
            condition add to a channel is the same everywhere, and a group of that channel alone
            takes it away again.
        maps: channels of the input that hold the condition, beside the latent's; 0 = none.
    """

    channels: int = 8
    width: int = 128
    multipliers: tuple[int, ...] = (1, 2, 3, 5)
    attention: tuple[int, ...] = (8, 4, 2)
    n_blocks: int = 2
    head_width: int = 32
    depth: int = 1
    film: int = 1024
    tokens: int = 0
    self_attention: bool = False
    groups: int = GROUPS
    maps: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "multipliers", tuple(self.multipliers))
        object.__setattr__(self, "attention", tuple(self.attention))
        # AudioLDM's output convolution takes `width` channels: the finest level must have them
        if self.multipliers[:1] != (1,):
            raise UserError(f"model.network.multipliers={list(self.multipliers)}: begin with 1")
        for channels in self.widths:
            if channels % self.groups or channels % self.head_width:
                raise UserError(
                    f"model.network: {channels} channels at a level; take multiples of "
                    f"{self.groups} groups and of head_width={self.head_width}"
                )
        if self.self_attention and not self.tokens:
            raise UserError("model.network.self_attention: only with tokens")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        return tuple(self.width * m for m in self.multipliers)

    @property
    def heads(self) -> tuple[int, ...]:
        """Attention heads of each level."""
        return tuple(c // self.head_width for c in self.widths)

    @property
    def attends(self) -> tuple[bool, ...]:
        """Whether each level has transformers."""
        return tuple(2**level in self.attention for level in range(len(self.widths)))

    @property
    def places(self) -> int:
        """Transformers at each place with attention."""
        return 2 if self.self_attention else 1

    @property
    def multiple(self) -> int:
        """Factor by which sides of a latent must be divisible."""
        return int(2 ** (len(self.widths) - 1))


def build_denoiser(sizes: DenoiserSizes) -> nn.Module:
    """Build the U-Net of diffusers that is AudioLDM's with these sizes.

    `attention_head_dim` is the number of heads, in spite of its name.
    """
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    down = ["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in sizes.attends]
    up = ["CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(sizes.attends)]
    options: dict[str, Any] = {
        "in_channels": sizes.channels + sizes.maps,
        "out_channels": sizes.channels,
        "down_block_types": tuple(down),
        "up_block_types": tuple(up),
        "block_out_channels": sizes.widths,
        "layers_per_block": sizes.n_blocks,
        "attention_head_dim": sizes.heads,
        "transformer_layers_per_block": sizes.depth,
        "norm_num_groups": sizes.groups,
    }
    if sizes.film:
        options |= {
            "class_embed_type": "simple_projection",
            "projection_class_embeddings_input_dim": sizes.film,
            # joined to the embedding of time: AudioLDM calls it FiLM, but nothing is scaled by it
            "class_embeddings_concat": True,
        }
    if sizes.self_attention:
        return _start(_two_transformers(sizes, options))
    # without tokens the second attention of a transformer looks at its own input, as published
    cross = sizes.tokens or sizes.widths
    return _start(UNet2DConditionModel(cross_attention_dim=cross, **options))


def _start(network: nn.Module) -> nn.Module:
    """Let every residual block and transformer, and the output, begin at zero, as published."""
    for name, parameter in network.named_parameters():
        if name.split(".")[-2] in ("conv2", "proj_out", "conv_out"):
            nn.init.zeros_(parameter)
    return network


def _two_transformers(sizes: DenoiserSizes, options: dict[str, Any]) -> nn.Module:
    """Build the U-Net whose places have a transformer of their own before that with tokens."""
    from diffusers.pipelines.audioldm2.modeling_audioldm2 import AudioLDM2UNet2DConditionModel

    cross = ((None, sizes.tokens),) * len(sizes.widths)
    return AudioLDM2UNet2DConditionModel(cross_attention_dim=cross, **options)


@dataclass(frozen=True)
class AutoencoderSizes:
    """Sizes of the first stage; the published ones by default.

    Attributes:
        width: channels of the first level.
        multipliers: of `width`, per level; each level but the last halves both axes.
        n_blocks: residual blocks of a level on the way down.
        latent_channels: of a latent.
        channels: of the input and of the output.
        groups: of every group normalisation; at most a quarter of `width` keeps levels apart.
    """

    width: int = 128
    multipliers: tuple[int, ...] = (1, 2, 4)
    n_blocks: int = 2
    latent_channels: int = 8
    channels: tuple[int, int] = (1, 1)
    groups: int = GROUPS

    def __post_init__(self) -> None:
        object.__setattr__(self, "multipliers", tuple(self.multipliers))
        object.__setattr__(self, "channels", tuple(self.channels))
        if any(self.width * m % self.groups for m in self.multipliers):
            raise UserError(
                f"model.width={self.width} times multipliers: take multiples of {self.groups}"
            )

    @property
    def factor(self) -> int:
        """Reduction of both axes."""
        return int(2 ** (len(self.multipliers) - 1))


def build_autoencoder(sizes: AutoencoderSizes) -> nn.Module:
    """Build the autoencoder of diffusers that is AudioLDM's first stage with these sizes."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    levels = len(sizes.multipliers)
    return AutoencoderKL(
        in_channels=sizes.channels[0],
        out_channels=sizes.channels[1],
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=tuple(sizes.width * m for m in sizes.multipliers),
        layers_per_block=sizes.n_blocks,
        latent_channels=sizes.latent_channels,
        norm_num_groups=sizes.groups,
    )


@dataclass(frozen=True)
class VocoderSizes:
    """Sizes of the vocoder; those of the published 16 kHz, 64-band one by default."""

    n_mels: int = 64
    rate_hz: int = 16000
    width: int = 1024
    # their product is the hop of the mel map: 160 samples, 10 ms at 16 kHz
    upsample_rates: tuple[int, ...] = (5, 4, 2, 2, 2)
    upsample_kernels: tuple[int, ...] = (16, 16, 8, 4, 4)
    block_kernels: tuple[int, ...] = (3, 7, 11)
    block_dilations: tuple[Sequence[int], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))

    def __post_init__(self) -> None:
        if len(self.upsample_rates) != len(self.upsample_kernels):
            raise UserError("model: as many upsample_rates as upsample_kernels")
        if len(self.block_kernels) != len(self.block_dilations):
            raise UserError("model: as many block_kernels as block_dilations")

    @property
    def hop(self) -> int:
        """Samples of a frame."""
        product = 1
        for rate in self.upsample_rates:
            product *= int(rate)
        return product


def build_vocoder(sizes: VocoderSizes) -> nn.Module:
    """Build the HiFi-GAN generator of transformers with these sizes."""
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    config = SpeechT5HifiGanConfig(
        model_in_dim=sizes.n_mels,
        sampling_rate=sizes.rate_hz,
        upsample_initial_channel=sizes.width,
        upsample_rates=list(sizes.upsample_rates),
        upsample_kernel_sizes=list(sizes.upsample_kernels),
        resblock_kernel_sizes=list(sizes.block_kernels),
        resblock_dilation_sizes=[list(d) for d in sizes.block_dilations],
        # AudioLDM's vocoder takes the log-mel map as it is: its files hold no mean and no scale
        normalize_before=False,
    )
    return SpeechT5HifiGan(config)
