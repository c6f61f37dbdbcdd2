"""Numbers that judge a model, as pure functions, and the `Evaluation` record."""
