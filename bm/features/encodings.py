"""States of sentences, kept in a folder so that each is computed once, and in tables for batches.

A folder belongs to one encoder. Its files hold some sentences each, `<hash of the text>` -> (n, D)
float32 states of the text's tokens alone, in safetensors whose header names the encoder. A file is
whole or absent: encoding that was killed goes on with what is missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import UserError
from ..writing import replacing
from .text_encoder import TextEncoder

PER_FILE = 64  # sentences: 10 MB of BERT's states
IDENTITY = "encoder"  # key of the header


def text_hash(text: str) -> str:
    """Return the name of a text in the files."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class EncodingCache:
    """Folder of states.

    Args:
        folder: where the files lie.
        identity: of the encoder that they must be of; None = of any one.

    Raises:
        UserError: a file of another encoder, or a damaged one.
    """

    def __init__(self, folder: Path, identity: dict[str, Any] | None = None) -> None:
        self.folder, self.identity = Path(folder), identity
        self.files: dict[str, Path] = {}  # hash of a text -> its file
        for path in sorted(self.folder.glob("*.safetensors")):
            self._list(path)

    def _list(self, path: Path) -> None:
        """Read the names in a file, and check whose states they are."""
        try:
            with safe_open(path, "pt") as file:
                identity = json.loads((file.metadata() or {}).get(IDENTITY, "null"))
                names = list(file.keys())
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(f"{path}: damaged ({error}); remove it, it is made again") from None
        if self.identity is None:
            self.identity = identity
        differing = differences(identity, self.identity)
        if differing:
            raise UserError(
                f"{path}: encodings of another encoder ({differing}); choose another folder, or "
                "encode the sentences again"
            )
        self.files |= dict.fromkeys(names, path)

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Return the different texts without states, in order."""
        # A dict keeps the order of texts; that of a set differs from process to process.
        return [text for text in dict.fromkeys(texts) if text_hash(text) not in self.files]

    def add(self, states: dict[str, Tensor]) -> Path:
        """Write states (n, D) of some texts as a file; it is whole or absent."""
        # safetensors refuses tensors that are not contiguous, such as transposed ones.
        names = {text_hash(text): values.contiguous() for text, values in states.items()}
        # Sorted: the same texts in another order replace their file instead of adding a second one.
        key = hashlib.sha256("".join(sorted(names)).encode()).hexdigest()[:16]
        path = self.folder / f"{key}.safetensors"
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as aside:
            save_file(names, aside, {IDENTITY: json.dumps(self.identity, sort_keys=True)})
        self.files |= dict.fromkeys(names, path)
        return path

    def read(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Return the states (n, D) of texts that are there."""
        members_of: dict[Path, list[str]] = {}
        for text in dict.fromkeys(texts):
            members_of.setdefault(self.files[text_hash(text)], []).append(text)
        states: dict[str, Tensor] = {}
        for path, members in members_of.items():
            with safe_open(path, "pt") as file:
                states |= {text: file.get_tensor(text_hash(text)) for text in members}
        return states


def differences(one: object, other: object) -> str:
    """Return which entries of two identities differ, in words; empty when none does."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return "" if one == other else "it does not say which"
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return ", ".join(f"{name} {one.get(name)}, not {other.get(name)}" for name in names)


def encode(
    texts: Sequence[str],
    cache: EncodingCache,
    encoder: TextEncoder,
    tick: Callable[[int, int], None] | None = None,
) -> int:
    """Compute what is missing in a cache.

    Args:
        texts: in any order, repeated or not.
        cache: gets the states, file by file.
        encoder: of the cache's identity.
        tick: called after every file with texts done and in all.

    Returns:
        number of texts that were encoded.
    """
    missing = cache.missing(texts)
    for first in range(0, len(missing), PER_FILE):
        part = missing[first : first + PER_FILE]
        cache.add(dict(zip(part, encoder.states(part), strict=True)))
        if tick is not None:
            tick(first + len(part), len(missing))
    return len(missing)


class TextTable:
    """States of texts as tensors of batches.

    Args:
        states: text -> (n, D), n up to `tokens`.
        tokens: L.
    """

    def __init__(self, states: dict[str, Tensor], tokens: int) -> None:
        self.rows = {text: number for number, text in enumerate(states)}
        width = next(iter(states.values())).shape[1]
        self.values = torch.zeros(len(states), tokens, width)
        self.mask = torch.zeros(len(states), tokens, dtype=torch.bool)
        for number, values in enumerate(states.values()):
            self.values[number, : len(values)] = values
            self.mask[number, : len(values)] = True

    @property
    def width(self) -> int:
        """D."""
        return int(self.values.shape[2])

    def gather(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return states (B, L, D) and the mask (B, L) of tokens that are there."""
        rows = torch.tensor([self.rows[text] for text in texts], dtype=torch.long)
        return self.values[rows], self.mask[rows]


def text_table(texts: Sequence[str], folder: Path, encoder: TextEncoder, tokens: int) -> TextTable:
    """Return the table of texts and of the empty one, from a cache that is filled where needed.

    Args:
        texts: of all windows.
        folder: of all encoders; each has a folder of its own in it.
        encoder: that reads what is missing.
        tokens: L.
    """
    every = ["", *dict.fromkeys(texts)]
    cache = EncodingCache(folder_of_encoder(folder, encoder), encoder.identity)
    encode(every, cache, encoder)
    return TextTable(cache.read(every), tokens)


def folder_of_encoder(folder: Path, encoder: TextEncoder) -> Path:
    """Return where the states of an encoder lie below a folder of all encoders."""
    text = json.dumps(encoder.identity, sort_keys=True)
    # The name is for people; the hash tells versions of a model and lengths of texts apart.
    name = str(encoder.identity["encoder"]).rstrip("/").split("/")[-1]
    return folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
