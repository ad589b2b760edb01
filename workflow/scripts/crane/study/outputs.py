"""The final outputs of a study: the tables, figures and records of `all`.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

from collections.abc import Mapping
from typing import Any

from crane.names import FIGURE_FORMS, OPEN_SUITE, TABLE_FORMS
from crane.study.study import Study

RECORDS = ("provenance.json", "provenance.html", "CITATION.bib")


def score_tables(study: Study) -> dict[str, dict[str, Any]]:
    """Return the settings of the paper's Tables 1-4; tables of further suites are named `table1_<suite>`."""
    transfer = study.config["transfer_models"]
    shown: dict[str, tuple[str, list[str]]] = {}
    for number, suite in enumerate(study.suites):
        ending = f"_{suite}" if number else ""
        shown[f"table1{ending}"] = (suite, [study.identification_model])
        if transfer:
            shown[f"table3{ending}"] = (suite, study.evaluated_models)
    if OPEN_SUITE in study.asked:
        shown["table2"] = (OPEN_SUITE, [study.identification_model])
        if transfer:
            shown["table4"] = (OPEN_SUITE, transfer)
    common = {
        "identified_on": study.identification_model,
        "resamples": study.config["scores"]["resamples"],
    }
    return {name: {"suite": suite, "models": models, **common} for name, (suite, models) in shown.items()}


def published(study: Study) -> list[tuple[str, str]]:
    """Return the models and suites for which the study names counterparts in the paper."""
    mapping: Mapping[str, Any] = study.config.get("published", {})
    suites = dict.fromkeys(study.benchmarks[name]["suite"] for name in mapping.get("benchmarks", ()))
    return [(model, suite) for model in mapping.get("models", ()) for suite in suites]


def tables(study: Study) -> list[str]:
    """Return the names of all tables."""
    models, asked = study.evaluated_models, study.asked
    each = [f"{model}-{suite}" for model in models for suite in asked]
    names = [*sorted(score_tables(study)), "mask_counts", "stability", "overlap"]
    names += ["answers", "selectivity", "double_dissociation"]
    if study.config["corpora"].get("table"):
        names.append("corpora")
    names += [f"matrix-{place}" for place in each] + [f"drop_tests-{place}" for place in each]
    names += [f"perplexity-{model}" for model in study.perplexity_models]
    if study.masks.reference:
        names += [f"f1_differences-{suite}" for suite in asked]
    if study.masks.by_method("random"):
        names += [f"null_distribution-{suite}" for suite in asked]
    if study.masks.sampled:
        names.append("sampled_null")
    if OPEN_SUITE in asked:
        names += [f"answer_language-{model}" for model in models]
    if len(study.judges.names) > 1:
        names.append("judge_agreement")
    if study.judges.paid:
        names.append("judge_usage")
    names += [f"sweep_{sweep}" for sweep in study.masks.sweeps.points]
    if study.calibration:
        names.append("calibration")
    if "comparison" in study.config:
        names.append("methods")
    if study.steering:
        names.append("steering")
    return names + [f"published-{model}-{suite}" for model, suite in published(study)]


def figures(study: Study) -> list[str]:
    """Return the names of all figures."""
    models, asked = study.evaluated_models, study.asked
    names = ["stability", "overlap", "mask_layers", "double_dissociation"]
    if study.masks.contrast:
        names.append(f"kurtosis_contrast-{study.identification_model}")
    names += [f"drop_heatmap-{model}-{suite}" for model in models for suite in asked]
    if study.config["transfer_models"]:
        names += [f"transfer-{suite}" for suite in asked]
    if study.masks.by_method("random"):
        names += [f"random_band-{suite}" for suite in asked]
    if OPEN_SUITE in asked:
        names += [f"judge_scores-{model}" for model in models]
    names += [f"perplexity-{model}" for model in study.perplexity_models]
    names += [f"sweep_{sweep}" for sweep in study.masks.sweeps.points]
    if "budget" in study.masks.sweeps.points:
        names.append("equal_damage")
    if study.calibration:
        names.append("calibration")
    if "comparison" in study.config:
        names.append("methods")
    if study.steering:
        names.append("steering")
    return names + [f"published-{model}-{suite}" for model, suite in published(study)]


def table_files(study: Study) -> list[str]:
    """Return the paths of all tables, in all forms."""
    return [f"{study.results}/tables/{name}.{form}" for name in tables(study) for form in TABLE_FORMS]


def figure_files(study: Study) -> list[str]:
    """Return the paths of all figures, in all forms."""
    return [f"{study.results}/figures/{name}.{form}" for name in figures(study) for form in FIGURE_FORMS]


def record_files(study: Study) -> list[str]:
    """Return the paths of the provenance record and of the citations."""
    return [f"{study.results}/{name}" for name in RECORDS]


def explorer_files(study: Study) -> list[str]:
    """Return the path of the explorer page, if the study asks for it."""
    return [f"{study.results}/explorer.html"] if "explorer" in study.config else []
