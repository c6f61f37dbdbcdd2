"""Experiments on top of Dora: identity, guard, addresses, stages and the local queue."""
