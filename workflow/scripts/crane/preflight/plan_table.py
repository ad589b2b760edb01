"""The estimate of a study's cost as a table for a terminal."""

from tabulate import tabulate

from crane.preflight.plan import assumptions, estimate
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


def _range(low: float, high: float) -> str:
    return f"{low:.1f} to {high:.1f}" if high else ""
