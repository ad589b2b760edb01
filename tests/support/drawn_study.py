"""Studies whose measurements are drawn at random, and every table and figure of them."""

import inspect
from collections.abc import Callable
from typing import Any

from crane.figures import (
    calibration,
    comparison,
    double_dissociation,
    drops,
    equal_damage,
    judge_scores,
    kurtosis_contrast,
    perplexity,
    published,
    random_band,
    stability,
    steering,
    sweeps,
    transfer,
)
from crane.figures.style import Style
from crane.names import ORIGINAL
from crane.results.labels import Labels
from crane.study import outputs
from crane.tables import answers, corpora, evidence, judges, mask_counts, matrices, paper, sampled_null
from crane.tables import calibration as calibration_tables
from crane.tables import comparison as comparison_tables
from crane.tables import published as published_tables
from crane.tables import selectivity as selectivity_tables
from crane.tables import stability as stability_tables
from crane.tables import steering as steering_tables
from crane.tables import sweeps as sweep_tables
from crane.tables.rendering import Table
from matplotlib.figure import Figure

from support.drawn_measurements import RESAMPLES, DrawnMeasurements, drawn_facts
from support.published_beside import printed_files
from support.steering_results import drawn_steering
from support.study_config import preset, whole_demo

FIGURES: dict[str, Callable[..., Figure]] = {
    "stability": stability.stability_figure,
    "overlap": stability.overlap_figure,
    "mask_layers": stability.mask_layers,
    "calibration": calibration.calibration_figure,
    "methods": comparison.methods_figure,
    "steering": steering.steering_figure,
    "double_dissociation": double_dissociation.double_dissociation,
    "kurtosis_contrast": kurtosis_contrast.kurtosis_contrast,
    "drop_heatmap": drops.drop_heatmap,
    "transfer": transfer.transfer,
    "random_band": random_band.random_band,
    "judge_scores": judge_scores.judge_scores,
    "perplexity": perplexity.perplexity_heatmap,
    "sweep": sweeps.sweep_figure,
    "equal_damage": equal_damage.equal_damage,
    "published": published.published_figure,
}
"""What draws the figures, by the beginning of their names."""
TABLES: dict[str, Callable[..., Table]] = {
    "stability": stability_tables.stability_table,
    "overlap": stability_tables.overlap_table,
    "mask_counts": mask_counts.mask_counts,
    "corpora": corpora.corpus_table,
    "sampled_null": sampled_null.sampled_null_table,
    "calibration": calibration_tables.calibration_table,
    "steering": steering_tables.steering_table,
    "answers": answers.answers_table,
    "methods": comparison_tables.methods_table,
    "selectivity": selectivity_tables.selectivity_table,
    "double_dissociation": selectivity_tables.dissociation_table,
    "matrix": matrices.drop_matrix,
    "drop_tests": evidence.drop_tests,
    "perplexity": matrices.perplexity_matrix,
    "f1_differences": evidence.f1_differences,
    "null_distribution": evidence.null_distribution,
    "answer_language": judges.language_table,
    "judge_agreement": judges.agreement_table,
    "judge_usage": judges.usage_table,
    "sweep": sweep_tables.sweep_table,
    "published": published_tables.published_table,
}
"""What makes the tables but for the paper's Tables 1-4, by the beginning of their names."""


def small_demo() -> dict[str, Any]:
    """Return the demo in two languages and three mask sets, with two judges."""
    config = whole_demo()
    codes = ["en", "vi"]
    config["languages"] = {code: config["languages"][code] for code in codes}
    config["mask_sets"] = {name: config["mask_sets"][name] for name in ("crane", "crane_threshold", "random")}
    config["mask_sets"]["random"]["seeds"] = 2
    config["benchmarks"] = {f"quiz_{code}": config["benchmarks"][f"quiz_{code}"] for code in codes}
    config["suites"] = {"quiz": list(config["benchmarks"])}
    config["open_questions"]["suffix"] = dict.fromkeys(codes, "")
    config["published"]["mask_sets"] = {"crane": "crane"}
    config["published"]["benchmarks"] = {"quiz_en": "mmlu", "quiz_vi": "belebele_vi"}
    config["judges"]["second"] = {**config["judges"]["reference"], "word_order": 2, "label": "second judge"}
    config["sweeps"] |= {
        "budget": {"suite": "quiz", "mask_sets": ["crane", "random"], "fractions": [0.1, 0.2], "seeds": 2},
        "intervention": {"suite": "quiz", "mask_sets": ["crane"], "scales": [0, 0.5], "mean": True},
    }
    config["sweeps"]["threshold"]["thresholds"] = [2]
    config["sweeps"]["ablation"] |= {"mask_sets": ["crane"], "statistics": ["std"], "rules": ["contrast"]}
    config["perplexity"]["mask_sets"] = ["crane", "random"]
    methods = {"CRANE": ["crane", "crane_threshold"], "Random": ["random"]}
    config["comparison"] = {"suite": "quiz", "methods": methods}
    config["steering"] = {**preset("demo-evidence")["steering"], "mask_sets": ["crane", "random"]}
    return config


def demo() -> dict[str, Any]:
    """Return the demo with all its sections, and two seeds of each random set."""
    evidence = preset("demo-evidence")
    return _with_two_seeds(whole_demo() | {name: evidence[name] for name in ("steering", "comparison")})


def _with_two_seeds(config: dict[str, Any]) -> dict[str, Any]:
    for settings in config["mask_sets"].values():
        if "seeds" in settings:
            settings["seeds"] = 2
    return config


def small_smollm2() -> dict[str, Any]:
    """Return the study of SmolLM2, of four languages, with few neurons in each of its 30 layers, and two seeds."""
    config = preset("smollm2")
    config["models"]["base"]["intermediate_size"] = 64
    return _with_two_seeds(config)


PAPER_SIZES = {
    "mmlu": 14042, "ceval": 1346, "belebele_vi": 900, "parallel_en": 900, "parallel_zh": 900, "parallel_vi": 900,
}  # fmt: skip
"""Questions of the paper's benchmarks."""


def paper_with_evidence() -> dict[str, Any]:
    """Return the paper's study with its sweeps, with few neurons in each of its 32 layers, and two seeds."""
    config = preset("config", "evidence")
    for model in config["models"].values():
        model["intermediate_size"] = 64
    config["published"]["same_model"] = False  # it has another number of neurons
    return _with_two_seeds(config)


class DrawnStudy(DrawnMeasurements):
    """The tables and figures of drawn measurements, as the rules make them."""

    def figures(self) -> list[str]:
        """Return the names of the study's figures."""
        return outputs.figures(self.study)

    def figure(self, name: str, style: Style) -> Figure:
        """Draw a figure of the study by its name."""
        kind, model, suite = parts(name)
        return FIGURES[kind](**self._arguments(name, kind, model, suite), style=style)

    def table(self, name: str) -> Table:
        """Make a table of the study by its name."""
        kind, model, suite = parts(name)
        if name in (scored := outputs.score_tables(self.study)):
            results = {"scores": self.scores, "langspec_f1": self.langspec_f1, "labels": self.labels}
            return paper.score_table(**results, **scored[name])
        arguments = self._arguments(name, kind, model, suite, tables=True)
        function = TABLES[kind]
        accepted = inspect.signature(function).parameters
        more = {"resamples": RESAMPLES, "reference": self.study.masks.reference}
        known = {**arguments, **{key: value for key, value in more.items() if key in accepted}}
        return function(**{key: value for key, value in known.items() if key in accepted})

    def _measured(self) -> dict[str, Any]:
        """Return the results of the masks, and what they are."""
        groups = self.study.masks.groups(list(self.study.masks.shown))
        return {"contrasts": self.contrasts, "summaries": self.summaries, "groups": groups}

    def _arguments(
        self, name: str, kind: str, model: str, suite: str, *, tables: bool = False
    ) -> dict[str, Any]:
        """Return the arguments of what makes a figure or a table, but for the style."""
        study, config = self.study, self.study.config
        results = {"labels": self.labels}
        masks = {"labels": self.mask_labels}
        match kind:
            case "stability":
                more = {"methods": study.masks.methods(), "shards": config["corpora"]["shards"]}
                return {"stability": self.stability, **masks, **more}
            case "overlap":
                return {"overlap": self.overlap, **masks}
            case "mask_layers":
                more = {"methods": study.masks.methods(), "layers": self.layers}
                return {"masks": self.neurons, **masks, **more}
            case "calibration":
                return {"calibration": self.calibration, **masks, "measured": study.calibration}
            case "steering":
                groups = {
                    name: members for name, members in study.steering.groups.items() if name != ORIGINAL
                }
                sets = {
                    one: (name, study.masks.every[one]["method"])
                    for name, members in groups.items()
                    for one in members
                }
                steered = drawn_steering(study.steering.pairs, sets)
                return {"steering": steered, **results, "how": study.steering.described()}
            case "selectivity" | "double_dissociation":
                return {"contrasts": self.contrasts, **results}
            case "equal_damage":
                asked_suite = config["sweeps"]["budget"]["suite"]
                return {"points": self.sweep("budget"), **results, "suite": asked_suite}
            case "answers":
                return {**self._measured(), "stability": self.stability, **results}
            case "methods":
                drawn = {**self._measured(), **results, **study.comparison}
                if not tables:
                    return drawn
                adds = {name: study.masks.adds(name) for name in config["mask_sets"]}
                more = {"stability": self.stability, "selection_null": self.selection_null, "adds": adds}
                return {**drawn, **more, **({"calibration": self.calibration} if study.calibration else {})}
            case "sampled_null":
                return {
                    "sampled_null": self.sampled_null,
                    **results,
                    "random": study.sampled_labels(),
                    "seed": 0,
                }
            case "corpora":
                facts = {code: drawn_facts(number) for number, code in enumerate(study.languages)}
                return {"corpora_facts": facts, **masks, "sample": "pack"}
            case "mask_counts":
                null = {"selection_null": self.selection_null, "shards": config["corpora"]["shards"]}
                return {"masks": self.neurons, "summaries": {}, **masks, "layers": self.layers, **null}
            case "kurtosis_contrast":
                contrast = str(study.masks.contrast)
                labels = Labels(self.labels.languages, models=self.labels.models)
                more = {
                    "threshold": study.masks.shown[contrast]["threshold"],
                    "masks": self.neurons[contrast],
                }
                return {"kurtosis": self.kurtosis, "labels": labels, **more}
            case "drop_heatmap" | "drop_tests" | "matrix":
                f1 = {"langspec_f1": self.langspec_f1} if kind == "drop_heatmap" else {}
                return {"scores": self.scores, **f1, **results, "model": model, "suite": suite}
            case "transfer":
                return {"scores": self.scores, **results, "suite": model}
            case "random_band" | "null_distribution" | "f1_differences":
                return {"langspec_f1": self.langspec_f1, **results, "suite": model}
            case "judge_scores" | "answer_language":
                return {"scores": self.scores, **results, "model": model}
            case "perplexity":
                return {"perplexity": self.perplexity, **results, "model": model}
            case "judge_agreement":
                return {"judgements": self.judgements, "judges": study.judges.labels()}
            case "judge_usage":
                paid = study.judges.paid
                asked = [one for one in self.judgements if one["judge"] in paid]
                judges = {"judges": study.judges.labels(paid), "prices": study.judges.prices()}
                return {"judgements": asked, **judges}
            case "published":
                paper_scores, paper_f1 = printed_files()
                both = {"scores": self.scores, "langspec_f1": self.langspec_f1}
                both |= {"paper_scores": paper_scores, "paper_f1": paper_f1}
                return {**both, **results, "published": config["published"], "model": model, "suite": suite}
            case _:
                sweep = name.removeprefix("sweep_")
                asked_suite = config["sweeps"][sweep]["suite"]
                return {"points": self.sweep(sweep), **results, "sweep": sweep, "suite": asked_suite}


def parts(name: str) -> tuple[str, str, str]:
    """Return what a table or a figure shows, and what its name has behind hyphens: a model and a suite, or either."""
    kind, first, second = ([*name.split("-", 2), "", ""])[:3]
    return "sweep" if kind.startswith("sweep_") else kind, first, second
