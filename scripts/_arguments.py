"""`key=value` arguments of the scripts, read as text; mistakes are one line and exit code 2."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from bm.errors import UserError, nearest
from bm.writing import disk_mistake
from bm.xp.former_words import former

SIGNATURE = re.compile("[0-9a-f]{8}")


def parse(
    command: Callable[..., Any], argv: Sequence[str], excluded: Iterable[str] = ()
) -> dict[str, Any]:
    """Return keyword arguments of `command`, those `excluded` excepted, from `key=value` words.

    A value stays text unless the parameter's default is a bool, an int or a float; `[a,b]` becomes
    a list of texts, so that a signature is never taken for a number.

    Raises:
        UserError: an argument that the command does not have, or a value of another type.
    """
    signature = inspect.signature(command).parameters
    parameters = {name: p for name, p in signature.items() if name not in excluded}
    values: dict[str, Any] = {}
    for word in (_named(word, parameters) for word in argv):
        key, separator, text = word.partition("=")
        key = key.lstrip("-")
        if not separator or key not in parameters:
            usage = " ".join(f"{name}=..." for name in parameters)
            hint = former(key) or nearest(key, parameters)
            raise UserError(f"unknown argument {word!r}{hint}; use: {usage}")
        values[key] = _value(key, text, parameters[key].default)
    return values


def _named(word: str, parameters: Collection[str]) -> str:
    """Return a word as this command calls it: a bare signature or grid, `sig` or `sigs`."""
    if "=" not in word and not word.startswith("-"):
        signature = SIGNATURE.fullmatch(word) is not None
        if not signature and "." not in word:
            return word
        names = ("sigs", "sig") if signature else ("grid",)
        name = next((name for name in names if name in parameters), None)
        return word if name is None else f"{name}={word}"
    key, _, text = word.partition("=")
    for spelling, there in (("sig", "sigs"), ("sigs", "sig")):
        if key == spelling and spelling not in parameters and there in parameters:
            return f"{there}={text.strip('[]') if there == 'sig' else text}"
    return word


def _value(key: str, text: str, default: object) -> object:
    """Return the value of a word, of the type of the parameter's default."""
    # Never as YAML or Python: the signature 12e45678 would become a number.
    if text.startswith("[") and text.endswith("]"):
        return [part.strip().strip("'\"") for part in text[1:-1].split(",") if part.strip()]
    if isinstance(default, bool):  # before int, which a bool is too
        if text.lower() not in ("true", "false", "1", "0"):
            raise UserError(f"{key}={text}: use true or false")
        return text.lower() in ("true", "1")
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError:
            raise UserError(f"{key}={text}: not a number") from None
    return text


def main_of(
    command: Callable[..., int],
    argv: Sequence[str] | None = None,
    record: Callable[..., Any] | None = None,
    **fixed: object,
) -> int:
    """Run a script's command on the arguments of the process; return the exit code.

    Args:
        command: takes the arguments by name.
        argv: words; None = those of the process.
        record: dataclass whose fields are the arguments, for commands with many; None = `command`.
        fixed: arguments that no word can set.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    # Help is the docstring of the script: nothing is imported for it, and it cannot be outdated by
    # a second list of arguments.
    if words and words[0] in ("-h", "--help", "help"):
        module = sys.modules[command.__module__]
        print(inspect.cleandoc(module.__doc__ or ""))
        return 0
    try:
        return command(**parse(record or command, words, fixed), **fixed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as shells report a process that SIGPIPE ended: 128 + 13
    except OSError as error:
        mistake = disk_mistake(error)
        if mistake is None:
            raise
        print(f"error: {mistake}", file=sys.stderr)
        return mistake.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130  # as shells report a process that SIGINT ended: 128 + 2


def device_of(name: str) -> str:
    """Return the device of a name; `auto` is cuda where there is one.

    Raises:
        UserError: there is no such device.
    """
    import torch

    there = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if there else "cpu"
    if name.partition(":")[0] not in ("cpu", "cuda"):
        raise UserError(f"device={name}: use auto, cpu or cuda")
    if name.startswith("cuda") and not there:
        raise UserError(f"device={name}: this machine has no GPU that torch can use; use cpu")
    return name
