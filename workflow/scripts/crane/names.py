"""Names with a fixed meaning in paths and tables, and the folder of the tasks."""

from pathlib import Path

ORIGINAL = "original"
"""The mask set without a mask; its mask language is `NO_MASK`."""
NO_MASK = "none"
OPEN_SUITE = "open"
"""The suite of the open-ended questions; its benchmarks are named open_<language>."""
PERPLEXITY = "perplexity"
"""The evaluation of held-out texts: their log-likelihood, not a suite of benchmarks."""
REFERENCES = ("random", "all")
"""Methods whose mask sets are what others are held against: random neurons, and all neurons. They are no hypotheses."""
HALVES = ("even", "odd")
"""The halves of the texts, by the numbers of their shards."""
TABLE_FORMS = ("csv", "md", "tex", "txt", "html")
"""Every table is written in all of them."""
FIGURE_FORMS = ("pdf", "png")
"""Every figure is written in all of them."""
TASKS = Path(__file__).parents[2] / "tasks"
"""Folder of this project's lm-eval task files."""
ROUTED_SAMPLES = 30
"""Default of `relevance.routed_samples`: texts that a neuron of an expert needs for the shape of its distribution."""
