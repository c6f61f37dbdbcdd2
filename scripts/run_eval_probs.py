"""`python -m scripts.run_eval_probs`: brainmagick's name of what `scripts.run_eval` does here.

python -m scripts.run_eval grid=nmi.main_table      # word probabilities are in items.parquet
"""

from __future__ import annotations

import sys

from bm.errors import UserError

from ._arguments import main_of


def command() -> int:
    """Say which command is meant."""
    raise UserError(
        "probabilities of words are part of every evaluation here: use `python -m scripts.run_eval "
        "grid=nmi.main_table` (or sigs=[ab12cd34]); they are in outputs/eval/SIG/items.parquet"
    )


if __name__ == "__main__":
    sys.exit(main_of(command, sys.argv[1:] if {"-h", "--help"} & {*sys.argv[1:]} else []))
