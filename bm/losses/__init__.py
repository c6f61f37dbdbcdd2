"""Training objectives as pure functions and small modules."""
