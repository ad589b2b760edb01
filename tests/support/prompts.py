"""Prompts of several lengths, two of them the same."""

QUESTIONS = [
    "Q: Which month comes after March?\nA:",
    "Q: Which currency is used in Japan?\nA:",
    "Q: Who?\nA:",
    "The capital of",
    "Q: Who?\nA:",
    "Which month",
]
