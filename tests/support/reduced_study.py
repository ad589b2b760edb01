"""The demo study in a reduced form, small enough to be run by the tests."""

import copy
from typing import Any

LANGUAGES = ["en", "zh", "vi"]


def reduced(demo: dict[str, Any]) -> dict[str, Any]:
    """The demo with fewer texts and mask sets, and with sweeps."""
    config = copy.deepcopy(demo)
    config["study"] = "reduced"
    config["demo"]["data"].update(documents=3000, identification=400, benchmark=60, questions=8)
    config["corpora"].update(documents=300)
    config["mask_sets"] = {name: config["mask_sets"][name] for name in ("crane", "dispersion", "random")}
    config["mask_sets"]["random"]["seeds"] = 2
    config["published"]["mask_sets"] = {"crane": "crane", "random": "random"}
    config["scores"]["resamples"] = 2000
    suite = {"suite": "quiz", "mask_sets": ["dispersion"]}
    config["sweeps"] = {
        "budget": {"suite": "quiz", "mask_sets": ["crane", "random"], "fractions": [0.1], "seeds": 2},
        "ablation": {**suite, "fraction": 0.1, "statistics": ["mean"]},
        "intervention": {**suite, "scales": [0, 0.5], "mean": True},
    }
    config["perplexity"].update(mask_sets=["dispersion"], documents=50)
    config["steering"] = {
        "mask_sets": ["dispersion", "random"],
        "pairs": [["en", "zh"], ["vi", "en"]],
        "deactivate": {"op": "zero"},
        "activate": {"op": "add", "source": "mean", "factor": 2},
        "documents": 5,
    }
    return config
