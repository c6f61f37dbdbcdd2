"""`python -m scripts.diff SIG SIG` (or sigs=[SIG,SIG]): what tells two experiments apart.

Configuration, data and code, scores of the test split, metrics of the last epoch; what is equal is
not printed. Exit code 0 whether they differ or not.

  python -m scripts.diff ab12cd34 98fe76dc
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bm.errors import UserError

from ._arguments import main_of


def command(sigs: Sequence[str] | None = None) -> int:
    """Print the differences in sections."""
    from bm.eval.difference import difference
    from bm.eval.experiments import of_sigs
    from bm.train import main

    names = [sigs] if isinstance(sigs, str) else list(sigs or ())
    if len(names) != 2:
        raise UserError("which two? use: python -m scripts.diff ab12cd34 98fe76dc")
    of_sigs(names, main)  # a wrong signature gets the nearest
    sections = difference(*(Path(main.dora.dir) / main.dora.xps / name for name in names))
    for title, rows in sections.items():
        width = max(len(name) for name, _, _ in rows)
        left = max(len(value) for _, value, _ in rows)
        print(f"{title}:")
        for name, before, after in rows:
            print(f"  {name:<{width}}  {before:<{left}}  {after}")
    if not sections:
        print("nothing differs")
    return 0


if __name__ == "__main__":
    plain = [word for word in sys.argv[1:] if "=" not in word and not word.startswith("-")]
    rest = [word for word in sys.argv[1:] if word not in plain]
    sys.exit(main_of(command, [*([f"sigs=[{','.join(plain)}]"] if plain else []), *rest]))
