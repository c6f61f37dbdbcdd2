"""Evaluation of finished experiments: statistics, tables, report."""
