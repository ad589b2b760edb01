"""A table of answers small enough to score by hand."""

import numpy as np
import pandas as pd

BENCHMARKS = {
    "quiz_en": {"language": "en", "kind": "nlu", "suite": "quiz", "chance": 0.25, "highest": 1},
    "quiz_zh": {"language": "zh", "kind": "nlu", "suite": "quiz", "chance": 0.25, "highest": 1},
    "open_en": {"language": "en", "kind": "open", "suite": "open", "chance": 1, "highest": 10},
    "open_zh": {"language": "zh", "kind": "open", "suite": "open", "chance": 1, "highest": 10},
}
NAN = np.nan
VALUES = {
    # (mask set, mask language): answers per benchmark
    ("original", "none"): {"quiz_en": [1, 1, 1, 0], "quiz_zh": [1, 1, 0, 0], "open_en": [8, 6], "open_zh": [5, NAN]},
    ("crane", "en"): {"quiz_en": [1, 0, 0, 0], "quiz_zh": [1, 0, 0, 0], "open_en": [3, 4], "open_zh": [5, 7]},
    ("crane", "zh"): {"quiz_en": [1, 1, 1, 0], "quiz_zh": [1, 0, 0, 1], "open_en": [8, 6], "open_zh": [1, 1]},
}  # fmt: skip


def answers(values: dict = VALUES, models: tuple[str, ...] = ("base",)) -> pd.DataFrame:
    """Return the answers as the scripts collect them; the probability of a right choice is 0.8, of a wrong one 0.1."""
    return pd.DataFrame(
        [
            {
                "model": model, "mask_set": mask_set, "mask_language": mask_language, "benchmark": benchmark,
                "task": f"{benchmark}_task", "doc_id": place, "doc_hash": f"{benchmark}-{place}",
                "stratum": "", "cluster": str(place), "value": float(value),
                "probability": (0.8 if value else 0.1) if benchmark.startswith("quiz") else NAN,
            }
            for model in models
            for (mask_set, mask_language), by_benchmark in values.items()
            for benchmark, row in by_benchmark.items()
            for place, value in enumerate(row)
        ]
    )  # fmt: skip
