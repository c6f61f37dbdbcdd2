"""Layers shared by several models. Plain torch: no config, no files, no logging, no experiment."""
