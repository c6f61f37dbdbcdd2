"""Experiments: identity, guard, addresses, commands."""
