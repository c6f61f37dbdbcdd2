"""Tests of predictions with saved models."""
