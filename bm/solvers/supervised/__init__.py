"""Classes or values of windows, from scratch or from a pre-trained model."""
