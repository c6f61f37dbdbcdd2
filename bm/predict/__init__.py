"""From a saved model and a recording to predictions, without Hydra and Dora."""
