"""Du-IN: discrete codes of sEEG, masked pre-training, words (Zheng et al., NeurIPS 2024)."""
