"""Text for Hydra's parser: folders of users are named in every language and with every sign.

Hydra reads `( ) , = & # ' [ ] ~` and letters outside ASCII as its own grammar, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hydra.core.override_parser.types import Quote, QuotedString

#: What Hydra reads as the text that it is, without quotes.
PLAIN = re.compile(r"[A-Za-z0-9_/.:+%*@?|-]*")
#: A value that is a path or an address as a whole; `~` alone is Hydra's null.
PLACE = re.compile(r"(?:/|\./|\.\./|~/).*", re.DOTALL)
#: A path inside a list of mappings, up to the next key or the end of its mapping.
INNER = re.compile(r"(\b(?:path|from|to)\s*:\s*)((?:/|\./|\.\./|~/).*?)(?=\s*(?:,\s*\w+\s*:|\}))")
#: The mappings that may hold one.
HOLDERS = ("dset.studies", "paths.moved")


def quote(text: str, mark: Quote = Quote.single) -> str:
    """Return text in quotes, as Hydra reads it back."""
    return QuotedString(text, mark).with_quotes()


def quote_place(argument: str) -> str:
    """Return an argument whose path or address is in quotes where Hydra would misread it.

    A value stays as it is when it is no path, is quoted or escaped, or refers to another key.
    """
    key, separator, value = argument.partition("=")
    if not separator or "${" in value or "\\" in value:  # a backslash: the user escapes already
        return argument
    if PLACE.fullmatch(value.strip()):
        return f"{key}={_quoted(value.strip())}"
    if key.strip(" +").startswith(HOLDERS):
        return f"{key}={INNER.sub(lambda match: match[1] + _quoted(match[2]), value)}"
    return argument


def _quoted(text: str) -> str:
    return text if PLAIN.fullmatch(text) else quote(text)


def value_text(value: object) -> str:
    """Return a value of a grid as Hydra's text.

    Dora writes JSON, which spells letters outside ASCII and backslashes in a way that Hydra does
    not read back.

    Raises:
        TypeError: a value that has no text form.
        ValueError: a key with a colon.
    """
    if value is None:
        return "null"
    if isinstance(value, str):
        return quote(value, Quote.double)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float.__repr__(value)  # numpy's numbers say their type in their own repr
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)}: {value_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(value_text, value)) + "]"
    raise TypeError(f"Unsupported value type {type(value)} for value {value}")


def _key(key: object) -> str:
    if key is None:
        return "null"
    if not isinstance(key, bool | int | float | str):
        raise TypeError(f"Unsupported dict key type {type(key)} for key {key}")
    if ":" in str(key):
        raise ValueError("a key may not hold ':'")
    return str(key)
