"""Measurements of a study that are drawn at random, deterministically: no model is asked."""

from collections.abc import Mapping
from functools import cached_property
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from crane.corpora.lengths import length_quantiles
from crane.names import NO_MASK, ORIGINAL
from crane.neurons.neuron_set import NeuronSet
from crane.results.labels import Labels
from crane.scores import perplexity as perplexities
from crane.scores.calibration import MEASURES
from crane.scores.mask_sets import with_groups, with_null, with_tests
from crane.scores.summary import summarise
from crane.scores.sweeps import score_sweep
from crane.selection.criteria import STATISTICS, by_order
from crane.selection.random_like import random_like
from crane.selection.selection_null import COLUMNS
from crane.selection.stability import overlap
from crane.study.study import Study

from support.drawn_null import drawn_null

QUESTIONS = 40
RESAMPLES = 100


def drawn_facts(number: int) -> dict[str, Any]:
    """Return the metadata of a corpus of packed samples, one for each number."""
    documents = np.random.default_rng(number).integers(2, 90, 400).tolist()
    return {
        "read": 1500, "empty": number, "duplicate": 2, "near_duplicate": 3, "short": 0, "longer": 0,
        "documents": len(documents), "document_tokens": sum(documents), "characters": 4 * sum(documents),
        "document_lengths": length_quantiles(documents), "samples": 1000, "tokens": 24000,
        "lengths": length_quantiles([24]),
    }  # fmt: skip


class DrawnMeasurements:
    """The measurements of a study: answers, masks and statistics, all drawn at random, deterministically.

    Args:
        config: of the study.
        sizes: benchmark -> number of questions that is shown, in place of the few that are drawn.
    """

    def __init__(self, config: dict[str, Any], sizes: Mapping[str, int] = MappingProxyType({})) -> None:
        self.study = Study(config)
        self._sizes = sizes
        self.layers = self.study.layers
        self.width: int = config["models"][self.study.identification_model]["intermediate_size"]
        self.labels = Labels(**self.study.labels())
        self.mask_labels = Labels(**self.study.mask_labels())
        self.settings = {"resamples": RESAMPLES, "seed": 0}

    @cached_property
    def masks(self) -> dict[str, NeuronSet]:
        """Masks of the shown sets, of a tenth of all neurons or less; those of one method are parts of each other."""
        drawn: dict[str, NeuronSet] = {}
        shape = (len(self.study.languages), self.layers, self.width)
        for number, (name, settings) in enumerate(self.study.masks.shown.items()):
            if settings["method"] == "random":
                drawn[name] = random_like(drawn[settings["match"]], self.width, settings["seed"])
            else:
                field = np.random.default_rng([*settings["method"].encode()]).random(shape)
                flags = field < 0.1 / (1 + number % 3 / 4)
                drawn[name] = NeuronSet.from_flags(flags, self.study.languages)
        return drawn

    @cached_property
    def neurons(self) -> dict[str, pd.DataFrame]:
        """The masks as the rules read them."""
        return {name: mask.to_frame() for name, mask in self.masks.items()}

    @property
    def summaries(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The summaries of the masks as the rules read them."""
        return {
            name: {
                code: {"total": mask.total(code), "layers": mask.counts().loc[code].tolist()} for code in mask
            }
            for name, mask in self.masks.items()
        }

    @property
    def sampled_null(self) -> pd.DataFrame:
        """Every mask among random ones on a part of the questions."""
        return drawn_null(self.study, self.masks, self.width)

    def _answers(self, model: str, mask_sets: list[str], benchmarks: dict[str, Any]) -> pd.DataFrame:
        rng = np.random.default_rng([*model.encode()])
        masks = [(ORIGINAL, NO_MASK), *((name, code) for name in mask_sets for code in self.study.languages)]
        frames = []
        for benchmark, facts in benchmarks.items():
            exam = facts["kind"] == "nlu"
            for mask_set, code in masks:
                hurt = 0.5 if code == facts["language"] else 0.1 if mask_set != ORIGINAL else 0.0
                right = rng.random(QUESTIONS) >= rng.uniform(0, hurt)
                value = right if exam else np.where(right, rng.integers(6, 11, QUESTIONS), rng.integers(1, 6))
                known = np.where(rng.random(QUESTIONS) < 0.1, np.nan, rng.random(QUESTIONS) < 1 - hurt / 2)
                frame = pd.DataFrame({"doc_id": range(QUESTIONS), "value": np.asarray(value, float)})
                frames.append(
                    frame.assign(
                        model=model, mask_set=mask_set, mask_language=code, benchmark=benchmark, task=benchmark,
                        stratum="", doc_hash=frame["doc_id"].astype(str),
                        cluster=benchmark + "/" + frame["doc_id"].astype(str),
                        probability=rng.random(QUESTIONS) if exam else np.nan,
                        in_language=np.nan if exam else known,
                    )
                )  # fmt: skip
        return pd.concat(frames, ignore_index=True)

    @cached_property
    def _scored(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        study = self.study
        answers = [
            self._answers(model, list(study.masks.shown), study.benchmarks)
            for model in study.evaluated_models
        ]
        scores, effects, contrasts = summarise(
            pd.concat(answers), study.benchmarks, reference=study.masks.reference, **self.settings
        )
        groups = study.masks.groups(list(study.masks.shown))
        scores["n"] = scores["benchmark"].map(self._sizes).fillna(scores["n"]).astype(int)
        asked = scores.drop_duplicates(["suite", "language"]).set_index(["suite", "language"])["n"]
        where = pd.MultiIndex.from_frame(effects[["suite", "mask_language"]])
        effects["questions"] = asked.reindex(where).to_numpy()
        return (
            with_tests(scores, groups),
            with_null(effects, groups, self.summaries),
            with_groups(contrasts, groups),
        )

    @property
    def scores(self) -> pd.DataFrame:
        """Scores of all models, masks and benchmarks."""
        return self._scored[0]

    @property
    def langspec_f1(self) -> pd.DataFrame:
        """LangSpec-F1 of all models and masks."""
        return self._scored[1]

    @property
    def contrasts(self) -> dict[str, pd.DataFrame]:
        """Contrasts between languages, of the suites and of perplexity, as far as the study has them."""
        suites = {"contrasts": self._scored[2]} if self.study.asked else {}
        read = {"perplexity_contrasts": self._perplexity[1]} if self.study.perplexity_models else {}
        return suites | read

    @cached_property
    def stability(self) -> pd.DataFrame:
        """Stability of the masks, as it is measured where there are halves."""
        rng = np.random.default_rng(5)
        rows = []
        for name, mask in self.masks.items():
            halved = name in self.study.masks.halved
            for code in mask:
                total = mask.total(code)
                rows.append(
                    {
                        "mask_set": name, "label": self.study.masks.shown[name]["group"], "mask_language": code,
                        "neurons": total, "outliers": total // 5, "outlier_share": 0.2 * rng.random(),
                        "outlier_share_all": 0.1, "neurons_even": total if halved else np.nan,
                        "neurons_odd": total if halved else np.nan, "by_chance": 0.05 if halved else np.nan,
                        "split_half": rng.random() if halved else np.nan, "reason": None,
                    }
                )  # fmt: skip
        return pd.DataFrame(rows)

    @cached_property
    def selection_null(self) -> pd.DataFrame:
        """What the rules select from pseudo-languages: few for the first rule, more for each that follows."""
        rows = []
        for number, name in enumerate(self.study.masks.halved):
            for code in self.study.languages:
                total = self.masks[name].total(code)
                for group in self.study.inputs.dealt:
                    expected = number * (total // 20) + int(group)
                    rows.append((name, code, group, 333, total, total, expected))
        return pd.DataFrame(rows, columns=COLUMNS)

    @cached_property
    def overlap(self) -> pd.DataFrame:
        """Jaccard index of all pairs of masks."""
        groups = {name: settings["group"] for name, settings in self.study.masks.shown.items()}
        return overlap(self.masks, groups, self.width)

    @property
    def perplexity(self) -> pd.DataFrame:
        """Perplexity under the masks for which the study asks."""
        return self._perplexity[0]

    @cached_property
    def _perplexity(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        rng = np.random.default_rng(3)
        study = self.study
        masks = [(ORIGINAL, NO_MASK)]
        masks += [(name, code) for name in study.perplexity_sets for code in study.languages]
        documents = pd.DataFrame(
            [
                {
                    "model": model, "mask_set": mask_set, "mask_language": code, "language": language,
                    "sample_id": number, "text_sha256": str(number), "tokens": 20,
                    "log_likelihood": -rng.uniform(40, 60) * (1 + 0.5 * (code == language)),
                }
                for model in study.perplexity_models for mask_set, code in masks
                for language in study.languages for number in range(30)
            ]
        )  # fmt: skip
        table, contrasts = perplexities.summarise(documents, **self.settings)
        groups = study.masks.groups(study.perplexity_sets)
        return with_groups(table, groups, place=2), with_groups(contrasts, groups)

    @cached_property
    def kurtosis(self) -> dict[str, pd.DataFrame]:
        """The layers' tables of z-scores, with heavy tails."""
        drawn = {}
        for layer in range(self.layers):
            rng = np.random.default_rng([4, layer])
            frames = [
                pd.DataFrame(
                    {"language": code, "neuron": range(self.width), "z": rng.standard_t(2, self.width)}
                )
                for code in self.study.languages
            ]
            drawn[f"layer-{layer}"] = pd.concat(frames).assign(layer=layer, site="intermediate")
        return drawn

    @cached_property
    def judgements(self) -> list[dict[str, Any]]:
        """Judgements of all judges on every answer of the unmasked models."""
        rng = np.random.default_rng(2)
        return [
            {
                "judge": judge, "model": model, "mask_set": ORIGINAL, "mask_language": NO_MASK,
                "language": code, "question_id": number, "score": int(rng.integers(1, 11)), "reason": None,
                "replies": [
                    {"key": f"{judge} {model} {code} {number}", "attempt": 0,
                     "usage": {"prompt_tokens": 700, "completion_tokens": 150}}
                ],
            }
            for judge in self.study.judges.names for model in self.study.evaluated_models
            for code in self.study.languages for number in range(QUESTIONS)
        ]  # fmt: skip

    @cached_property
    def calibration(self) -> pd.DataFrame:
        """Rank correlations of every criterion with effects; one language's halves do not agree on one measure."""
        study, rng = self.study, np.random.default_rng(11)
        selections = {name: study.masks.selection(name) for name in study.masks.calibrated}
        orders = {
            f"order_{names[0]}": ",".join(names) for names in by_order(selections, self.layers * self.width)
        }
        criteria = {**dict.fromkeys(STATISTICS, ""), **orders}
        first = study.languages[0]
        rows = []
        for kind, measure, (criterion, mask_sets), language in product(
            ("neuron", "group"), MEASURES, criteria.items(), study.languages
        ):
            value = rng.uniform(-0.2, 0.7)
            known = (kind, measure, language) != ("group", "specific", first)
            ceiling = rng.uniform(0.5, 0.95) if known else np.nan
            rows.append(
                {
                    "kind": kind, "measure": measure, "criterion": criterion, "mask_sets": mask_sets,
                    "language": language, "units": 64, "spearman": value, "low": value - 0.1, "high": value + 0.1,
                    "ceiling": ceiling, "of_ceiling": value / ceiling,
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    def sweep(self, name: str) -> pd.DataFrame:
        """Return the scored points of a sweep."""
        if name not in self._sweeps:
            study = self.study
            suite = study.config["sweeps"][name]["suite"]
            sets = study.masks.sweeps.sets_of(name)
            answers = self._answers(study.identification_model, sets, study.scored_benchmarks(suite))
            self._sweeps[name] = score_sweep(
                answers, study.scored_benchmarks(suite), study.masks.sweep_points(name),
                {mask_set: dict.fromkeys(study.languages, 100) for mask_set in sets},
                halves=name in ("threshold", "ablation"), **self.settings,
            )  # fmt: skip
        return self._sweeps[name]

    @cached_property
    def _sweeps(self) -> dict[str, pd.DataFrame]:
        return {}
