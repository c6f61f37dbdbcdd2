"""Rows of publications that stand beside ours."""
