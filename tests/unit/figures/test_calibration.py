"""The figure of the calibration draws correlations, intervals and ceilings."""

from crane.figures.calibration import calibration_figure
from support.calibration_results import LABELS, MEASURED, results


def test_points_bars_and_ceilings_are_those_of_the_results():
    noisy = results()
    lost = (noisy["kind"] == "group") & (noisy["measure"] == "specific") & (noisy["language"] == "en")
    noisy.loc[lost, "ceiling"] = float("nan")
    panels = calibration_figure(noisy, LABELS, measured=MEASURED).axes
    assert [axes.get_title(loc="left") for axes in panels] == [
        "512 neurons\nOwn loss", "512 neurons\nOwn minus largest other",
        "64 groups of 32\nOwn loss", "64 groups of 32\nOwn minus largest other",
    ]  # fmt: skip
    assert [text.get_text() for text in panels[0].get_yticklabels()] == [
        "Standard deviation", "CRANE; CRANE (threshold)",
    ]  # fmt: skip
    for axes, ceilings in zip(panels, [2, 2, 2, 1], strict=True):
        points = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() not in ("None", "")]
        assert points == [0.4, 0.4, -0.1, -0.1]
        assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"] == [0.8] * ceilings
        bars = [tuple(bar.get_segments()[0][:, 0].round(6)) for bar in axes.collections]
        assert bars == [(0.3, 0.5)] * 2 + [(-0.2, 0.0)] * 2
