"""Tokens of saved encoders, written for other programs."""
