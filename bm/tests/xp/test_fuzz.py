"""Whatever is typed: an experiment or one line, never a traceback."""

from __future__ import annotations

import random
import string

import pytest
from omegaconf import DictConfig

from bm.errors import UserError
from bm.train import main

VALUES = (
    "1", "-1", "0", "1e-3", "1e999", "nan", "-inf", "true", "null", "None", "", " ", "''", '"a b"',
    "[1,2]", "[1,", "{a: 1}", "{a:", "{}", "[]", "${seed}", "${nothing}", "${", "$", "a=b", "a:b",
    "12e45678", "00000000", "//sig/12345678", "../x", "é", "日本", "a,b", "1,2,3", "x" * 300,
    "[[1]]", "{a: {b: [1, 2]}}", "!!", "\\", "\\'", "#c", "~", "@", "1:2", "0x10", "1_000",
)  # fmt: skip
PREFIXES = ("", "", "", "", "+", "++", "~", "-", "hydra.", "dora.", "slurm.")


def flat(config: DictConfig, prefix: str = "") -> list[str]:
    names = []
    for key in map(str, config):
        name = f"{prefix}{key}"
        node = config._get_node(key)
        names += flat(node, f"{name}.") if isinstance(node, DictConfig) else [name]
    return names


def typo(text: str, draw: random.Random) -> str:
    place = draw.randrange(len(text) + 1)
    letter = draw.choice(string.ascii_lowercase + "._=/ 0")
    return draw.choice(
        [text, text, text[:place] + letter + text[place:], text[:place] + text[place + 1 :]]
    )


@pytest.mark.parametrize(
    ("first", "count"), [(0, 300), pytest.param(300, 6000, marks=pytest.mark.endurance)]
)
def test_any_text_is_an_experiment_or_one_line(first: int, count: int) -> None:
    keys = [*flat(main._base_cfg), "solver", "model", "dset"]
    accepted = 0
    for seed in range(first, first + count):
        draw = random.Random(seed)
        words = [
            f"{draw.choice(PREFIXES)}{typo(draw.choice(keys), draw)}={draw.choice(VALUES)}"
            for _ in range(draw.randint(1, 3))
        ]
        if draw.random() < 0.1:
            words.append("".join(draw.choices(string.printable.strip(), k=8)))
        try:
            assert len(main.get_xp(words).sig) == 8, words
            accepted += 1
        except UserError as error:
            assert str(error).strip() and "\n" not in str(error), (words, str(error))
        except BaseException as error:
            raise AssertionError(f"{words}: {type(error).__name__}: {error}") from error
    assert 0.03 * count < accepted < 0.9 * count
