"""`python -m bm.tests.simulation [seed=N] [first=N] [count=N]`: replay a seed, or run many."""

from __future__ import annotations

import sys
import time

from .actors import Simulation


def main(words: list[str]) -> int:
    """Run seeds; print the trace of a single one, and the seeds that broke a promise."""
    options = dict(word.split("=", 1) for word in words)
    one = options.get("seed")
    first = int(one or options.get("first", 0))
    count = 1 if one else int(options.get("count", 1000))
    broken, began = 0, time.perf_counter()
    for seed in range(first, first + count):
        simulation = Simulation(seed)
        simulation.world.tracing = one is not None
        try:
            simulation.run()
        except Exception as error:
            broken += 1
            if one:
                print("\n".join(simulation.world.trace))
            print(f"seed={seed}: {type(error).__name__}: {error}")
    print(f"{count} seeds, {broken} broken, {time.perf_counter() - began:.1f} s")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
