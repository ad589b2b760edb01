"""How numbers are written in the cells of tables and in figures: one place for every format."""

import math

import pandas as pd

NOTHING = "–"
UNCLEAR = "†"
TARGET_UNCLEAR = f"{UNCLEAR}: the 95% interval of the target language's drop contains 0."
AGAINST_EACH = (
    "the smallest bounds against each single other language, the upper ones corrected for their number"
)
"""What the interval of D and of LangSpec-F1 is (`crane.scores.bootstrap.joint_high`)."""
BELOW_DESTROYED = "¶"
SMALLEST_P = 0.001
"""p-values below are not told apart."""


def number(value: float, sd: float = math.nan) -> str:
    """Four decimals as in the paper, with the spread over seeds where there is one."""
    if pd.isna(value):
        return NOTHING
    return f"{value:.4f}" if pd.isna(sd) else f"{value:.4f} ±{sd:.3f}".replace("±0.", "±.")


def bounds(low: float, high: float, interval: str, decimals: int = 3) -> str:
    """Return `[low, high]`, marked where it is the range of the seeds."""
    if pd.isna(low) or pd.isna(high):
        return NOTHING
    low, high = round(low, decimals) + 0.0, round(high, decimals) + 0.0  # no sign on zero
    return f"[{low:.{decimals}f}, {high:.{decimals}f}]" + ("‡" if interval == "seeds" else "")


def percent(share: float) -> str:
    """Return a share in whole percent."""
    return NOTHING if pd.isna(share) else f"{share:.0%}"


def share(value: float) -> str:
    """Return a share in percent with one decimal."""
    return NOTHING if pd.isna(value) else f"{value:.1%}"


def flag(distinguishable: float) -> str:
    """Return † where the interval of the target language's drop contains 0, for some seed."""
    return UNCLEAR if distinguishable < 1 else ""


def integer(value: float) -> str:
    """Return a count with separators."""
    return NOTHING if pd.isna(value) else f"{value:,.0f}"


def mean_count(value: float) -> str:
    """Return the mean of counts, with one decimal where it is no whole number."""
    return NOTHING if pd.isna(value) else f"{value:,.1f}".removesuffix(".0")


def of_asked(count: float, asked: float) -> str:
    """Return a count, and of how many where fewer neurons than the budget were specific to the language."""
    return f"{integer(count)} of {integer(asked)}" if count < asked else integer(count)


def p_value(p: float) -> str:
    """Three decimals, `<0.001` below."""
    if pd.isna(p):
        return NOTHING
    return f"<{SMALLEST_P}" if p < SMALLEST_P else f"{p:.3f}"


def signed(value: float, decimals: int = 4) -> str:
    """Return a number with its sign, none on zero."""
    if pd.isna(value):
        return NOTHING
    rounded = round(value, decimals)
    return f"{rounded:+.{decimals}f}".replace("-", "−") if rounded else f"{0:.{decimals}f}"
