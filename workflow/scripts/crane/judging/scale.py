"""The scale of every judge."""

LOWEST, HIGHEST = 1, 10
"""Worst and best score."""
