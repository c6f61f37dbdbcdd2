"""Implementations that only golden cases and tests compare with; the product runs none of them."""
