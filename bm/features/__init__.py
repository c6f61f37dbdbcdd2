"""What was heard, read or done, as tensors aligned with the signal."""
