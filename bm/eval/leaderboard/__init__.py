"""A page over all experiments on disk: who is best at what, on which data, at which cost."""
