"""Numbers as the text of a cell."""

import numpy as np
from crane.results.cells import bounds, p_value, signed


def test_numbers_as_text():
    assert [p_value(p) for p in (1, 0.0504, 0.001, 0.00099, np.nan)] == [
        "1.000",
        "0.050",
        "0.001",
        "<0.001",
        "–",
    ]
    assert [signed(v) for v in (0.05, -0.05, -1e-9, np.nan)] == ["+0.0500", "−0.0500", "0.0000", "–"]


def test_bounds_have_no_sign_on_zero():
    assert bounds(-1e-9, 0.0004, "bootstrap") == "[0.000, 0.000]"
    assert bounds(-0.0126, 1, "seeds") == "[-0.013, 1.000]‡" and bounds(np.nan, 1, "bootstrap") == "–"
