"""The lengths of the samples of relevance: what a table says where they differ."""

from collections.abc import Mapping
from typing import Any

from crane.corpora.lengths import MEDIAN


def length_warning(corpora: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return what every table says if samples differ in length (method, section 10); None if they do not.

    A sample's relevance is a mean over its tokens, and its variance goes with 1/T: a language whose samples are shorter
    has the larger dispersion in every neuron, whatever its neurons do.

    Args:
        corpora: language -> metadata of its samples, with `lengths`, the quantiles of their tokens.
    """
    lengths = {language: facts["lengths"] for language, facts in corpora.items()}
    if len({length for quantiles in lengths.values() for length in quantiles}) < 2:
        return None
    longest = max(quantiles[MEDIAN] for quantiles in lengths.values())
    medians = ", ".join(f"{language} {quantiles[MEDIAN]:,.0f}" for language, quantiles in lengths.items())
    shorter = [language for language, quantiles in lengths.items() if quantiles[MEDIAN] < longest]
    of_whom = (
        f"{' and '.join(shorter)} {'has' if len(shorter) == 1 else 'have'} shorter ones and for that alone "
        "a larger dispersion and another kurtosis of relevance"
        if shorter
        else "the shorter ones have a larger dispersion of relevance for that alone"
    )
    return (
        f"Warning: the samples from which neurons are selected differ in length (corpora.sample: document; median "
        f"tokens: {medians}); {of_whom}. window and pack make samples of equal length."
    )
