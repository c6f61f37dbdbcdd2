"""LaBraM: neural tokenizer, masked pre-training and classifier (Jiang et al., ICLR 2024)."""
