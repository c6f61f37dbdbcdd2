"""`python -m scripts.check_golden DIR [--strict]`: run the golden cases below a folder.

One line per case (PASS, FAIL or UNSUPPORTED), the counts last. Exit code 1 when any fails, with
--strict also when any is unsupported, 2 when there is no case.

  python -m scripts.check_golden bm/tests/golden/cases
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(argv: list[str]) -> int:
    """Run the cases and return the exit code."""
    if "--help" in argv or "-h" in argv:
        print(__doc__.strip())
        return 0
    strict = "--strict" in argv
    folders = [a for a in argv if not a.startswith("-")]
    if len(folders) != 1:
        print("use: python -m scripts.check_golden DIR [--strict]", file=sys.stderr)
        return 2
    from bm.tests.golden.running import cases, load_adapters, run_case

    load_adapters()
    counts = {"PASS": 0, "FAIL": 0, "UNSUPPORTED": 0}
    for path in cases(Path(folders[0])):
        result = run_case(path)
        counts[result.status] += 1
        print(f"{result.status} {result.name} {result.detail}", flush=True)
    # A wrong folder must not look like a success.
    if not sum(counts.values()):
        print(f"error: no golden case below {folders[0]}", file=sys.stderr)
        return 2
    print(", ".join(f"{number} {status}" for status, number in counts.items()))
    return 1 if counts["FAIL"] or (strict and counts["UNSUPPORTED"]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
