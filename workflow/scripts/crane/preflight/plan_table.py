"""The estimate of a study's cost as a table for a terminal."""

from tabulate import tabulate

from crane.preflight.plan import assumptions, estimate, relevance_way
from crane.study.study import Study


def render(study: Study) -> str:
    """Return the estimate as a table for a terminal, with its total and the range of the GPU hours."""
    assumed = assumptions(study)
    stages = estimate(study, assumed)
    fast, slow = (estimate(study, one) for one in (assumed.fast(), assumed.slow()))
    rows = [
        (
            s.name, s.jobs, s.gpu_jobs, s.gpu_hours, _range(low.gpu_hours, high.gpu_hours), s.disk / 1e9,
            s.transfer / 1e9, s.calls, s.price,
        )
        for s, low, high in zip(stages, fast, slow, strict=True)
    ]  # fmt: skip
    sums = [sum(column) for column in zip(*(row[1:4] + row[5:] for row in rows), strict=True)]
    hours = _range(sum(s.gpu_hours for s in fast), sum(s.gpu_hours for s in slow))
    heads = [
        "stage",
        "jobs",
        "GPU jobs",
        "GPU hours",
        "range",
        "disk, GB",
        "transfer, GB",
        "judge calls",
        "price",
    ]
    return tabulate(
        [*rows, ("total", *sums[:3], hours, *sums[3:])],
        heads,
        floatfmt=("", "", "", ",.1f", "", ",.2f", ",.1f", "", ",.2f"),
        intfmt=",",
        colalign=("left", *["right"] * (len(heads) - 1)),
    )


def relevance_line(study: Study) -> str:
    """Return in a sentence how relevance passes through the assumed GPU."""
    assumed = assumptions(study)
    way = relevance_way(study, assumed) or "not possible, a single sample takes more; use a larger GPU"
    return f"Relevance on a GPU of {assumed.gpu_memory:g} GB: {way}."


def _range(low: float, high: float) -> str:
    return f"{low:.1f} to {high:.1f}" if high else ""
