"""What a schema cannot say of a configuration: keys that contradict each other, names that nothing has."""

from collections.abc import Iterator, Mapping
from typing import Any

from crane.corpora.sampling import with_surplus
from crane.names import OPEN_SUITE
from crane.study.files import file_name
from crane.study.sweeps import RELEVANCE

DEMO_SOURCES = ("train_demo", "finetune_demo")
MATCHED = ("random", "lape_matched")
"""Methods whose counts are those of another mask set."""


def _one_of(where: str, value: str, known: Any, kind: str) -> Iterator[str]:
    if value not in known:
        yield f"{where}: {value!r} is no {kind} of this study; there are: {', '.join(known) or 'none'}"


def contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line per contradiction between keys of a configuration that the schema lets pass."""
    yield from _check_models(config)
    yield from _check_languages(config)
    yield from _check_corpora(config)
    yield from _check_datasets(config)
    yield from _check_mask_sets(config)
    yield from _check_suites(config)
    yield from _check_judges(config)
    yield from _check_sweeps(config)
    yield from _check_published(config)


def _check_models(config: Mapping[str, Any]) -> Iterator[str]:
    models, first = config["models"], config["identification_model"]
    yield from _one_of("identification_model", first, models, "model")
    for name in config["transfer_models"]:
        yield from _one_of("transfer_models", name, models, "model")
        if name == first:
            yield f"transfer_models: {name!r} is the identification model itself"
        elif name in models and first in models:
            for key in ("layers", "intermediate_size"):
                if models[name][key] != models[first][key]:
                    yield (
                        f"models.{name}.{key}: {models[name][key]} differs from {first}'s {models[first][key]}; "
                        "masks can be transferred between models of one shape only"
                    )
    sources = [model["source"] for model in models.values()]
    if "finetune_demo" in sources and sources.count("train_demo") != 1:
        yield "models: a finetune_demo model needs exactly one train_demo model to start from"
    generated = (
        any(source in DEMO_SOURCES for source in sources)
        or config["corpora"]["source"] == "generated"
        or config["open_questions"]["source"] == "generated"
        or any(benchmark.get("data") == "generated" for benchmark in config["benchmarks"].values())
    )
    if generated and "demo" not in config:
        yield "demo: missing; a model, a corpus, a benchmark or the open questions are generated"

    if "demo" in config:
        training = config["demo"]["pretraining"]
        if training["hidden_size"] % training["heads"]:
            yield f"demo.pretraining.heads: {training['heads']} does not divide hidden_size {training['hidden_size']}"
    if config["engine"] == "hf" and config["evaluation"]["gpus"] > 1:
        yield f"evaluation.gpus: {config['evaluation']['gpus']}, but engine 'hf' uses one"


def _check_corpora(config: Mapping[str, Any]) -> Iterator[str]:
    corpora = config["corpora"]
    if corpora["shards"] > corpora["documents"]:
        yield f"corpora.shards: {corpora['shards']} shards of {corpora['documents']} documents"
    needed = with_surplus(corpora["documents"] + config.get("perplexity", {}).get("documents", 0))
    if corpora.get("pool", needed) < needed:
        yield (
            f"corpora.pool: {corpora['pool']} is too small for {corpora['documents']} documents (and those of "
            f"perplexity), some of which are too short to be used; at least {needed}"
        )
    for language, files in corpora.get("files", {}).items():
        if corpora["source"] == "hub" and isinstance(files, str):
            for key in ("repository", "revision"):
                if key not in corpora:
                    yield f"corpora.{key}: missing; the files of language {language!r} name none of their own"
        if corpora["source"] == "local" and not isinstance(files, str):
            yield f"corpora.files.{language}: a repository is for source: hub; with source: local a glob is needed"


def _check_datasets(config: Mapping[str, Any]) -> Iterator[str]:
    datasets = config.get("datasets", {})
    for name, benchmark in config["benchmarks"].items():
        if "dataset" in benchmark:
            yield from _one_of(f"benchmarks.{name}.dataset", benchmark["dataset"], datasets, "data set")
            if "data" in benchmark:
                yield f"benchmarks.{name}: data and dataset exclude each other; remove one"
    used = {benchmark.get("dataset") for benchmark in config["benchmarks"].values()}
    for name in datasets:
        if name not in used:
            yield f"datasets.{name}: no benchmark takes its questions from it; remove it"


def _check_languages(config: Mapping[str, Any]) -> Iterator[str]:
    languages = config["languages"]
    for name, benchmark in config["benchmarks"].items():
        yield from _one_of(f"benchmarks.{name}.language", benchmark["language"], languages, "language")
    asked = config["open_questions"]
    tables = {"open_questions.suffix": asked["suffix"]}
    if asked["source"] == "local":
        tables["open_questions.files"] = asked["files"]
    if config["corpora"]["source"] != "generated":
        tables["corpora.files"] = config["corpora"]["files"]
    for where, table in tables.items():
        for language in languages:
            if language not in table:
                yield f"{where}: no entry for language {language!r}"
        for language in table:
            yield from _one_of(where, language, languages, "language")


def _check_mask_sets(config: Mapping[str, Any]) -> Iterator[str]:
    sets = config["mask_sets"]
    neurons = config["models"].get(config["identification_model"], {})
    total = neurons.get("layers", 0) * neurons.get("intermediate_size", 0)
    for name, settings in sets.items():
        where, method = f"mask_sets.{name}", settings["method"]
        if "relevance" in settings:
            known = config.get("relevance_variants", {})
            yield from _one_of(f"{where}.relevance", settings["relevance"], known, "relevance variant")
        foreign = method == "import" and config["relevance"]["site"] != "intermediate"
        if settings.get("intervention", {}).get("mean") and foreign:
            yield f"{where}.intervention: means are measured at relevance.site, imported neurons are intermediate"
        if "match" in settings.get("budget", {}):
            other = settings["budget"]["match"]
            yield from _one_of(f"{where}.budget.match", other, sets, "mask set")
            theirs = sets.get(other, {})
            if theirs.get("method") in MATCHED or "match" in theirs.get("budget", {}):
                yield f"{where}.budget.match: {other!r} is itself matched to another set; name that one"
        if "match" in settings:
            yield from _one_of(f"{where}.match", settings["match"], sets, "mask set")
            theirs = sets.get(settings["match"], {}).get("method")
            # Random masks take over counts per layer, which a set of LAPE's ranking has of its own.
            if theirs == "random" or (theirs == "lape_matched" and method == "lape_matched"):
                yield f"{where}.match: {settings['match']!r} is itself matched to another set; name that one"
        if method in ("lape", "lape_matched") and config["relevance"]["site"] != "intermediate":
            yield f"{where}.method: {method!r} counts activations, which exist at relevance.site intermediate only"
        if settings.get("rule") in ("contrast", "target_only") and "threshold" not in settings:
            yield f"{where}.threshold: missing; rule {settings['rule']!r} needs it"
        if settings.get("rule") == "margin" and not settings.keys() & {"threshold", "budget"}:
            yield f"{where}: rule 'margin' needs a threshold or a budget, or it selects every neuron"
        if total and settings.get("budget", {}).get("count", 0) > total:
            yield f"{where}.budget.count: {settings['budget']['count']} exceeds the model's {total} neurons"
        if method == "import":
            yield from _check_import(where, settings, config["languages"])


def _check_import(where: str, settings: Mapping[str, Any], languages: Mapping[str, Any]) -> Iterator[str]:
    name = file_name(settings["file"])
    if not name.endswith((".pth", ".parquet")):
        yield f"{where}.file: {name!r} is neither a .pth as published with LAPE nor a .parquet of this workflow"
    if name.endswith(".pth"):
        for language in languages:
            if language not in settings.get("languages", ()):
                yield f"{where}.languages: no entry for language {language!r}"


def _check_suites(config: Mapping[str, Any]) -> Iterator[str]:
    used: dict[str, str] = {}
    for suite, names in config["suites"].items():
        languages = []
        for name in names:
            yield from _one_of(f"suites.{suite}", name, config["benchmarks"], "benchmark")
            if name in used:
                yield f"suites.{suite}: {name!r} is already in suite {used[name]!r}"
            used[name] = suite
            languages.append(config["benchmarks"].get(name, {}).get("language"))
        for language in config["languages"]:
            if languages.count(language) != 1:
                yield (
                    f"suites.{suite}: {languages.count(language)} benchmarks in language {language!r}; "
                    "LangSpec-F1 needs exactly one per language"
                )
    for name in config["benchmarks"]:
        if name not in used:
            yield f"benchmarks.{name}: in no suite; add it to one or remove it"


def _check_judges(config: Mapping[str, Any]) -> Iterator[str]:
    for name, settings in config["judges"].items():
        if settings.get("prompt") == "mtbench" and settings["output"] == "json_schema":
            yield f"judges.{name}.output: prompt 'mtbench' asks for text, not for 'json_schema'; set output: text"


def _check_sweeps(config: Mapping[str, Any]) -> Iterator[str]:
    sets, sweeps = config["mask_sets"], config.get("sweeps", {})
    for sweep, settings in [*sweeps.items(), ("perplexity", config.get("perplexity"))]:
        if settings is None:
            continue
        where = sweep if sweep == "perplexity" else f"sweeps.{sweep}"
        if "suite" in settings:
            yield from _one_of(f"{where}.suite", settings["suite"], config["suites"], "suite")
        for name in settings.get("mask_sets", []):
            yield from _one_of(f"{where}.mask_sets", name, sets, "mask set")
    masked = {sweep: sweeps.get(sweep, {}).get("mask_sets", []) for sweep in ("budget", "ablation")}
    masked["threshold"] = [sweeps["threshold"]["mask_set"]] if "threshold" in sweeps else []
    for sweep, names in masked.items():
        for name in names:
            if sets.get(name, {}).get("intervention"):
                yield (
                    f"sweeps.{sweep}: the neurons of {name!r} are not masked (it has an intervention), those of a "
                    "sweep are; name a set without one, or use sweeps.intervention"
                )
    for name in sweeps.get("budget", {}).get("mask_sets", []):
        own = sets.get(name, {})
        ranked = own
        while ranked.get("method") in MATCHED:
            ranked = sets.get(ranked["match"], {})
        if ranked and ranked["method"] not in RELEVANCE:
            which = f"{name!r} is" if ranked is own else f"{name!r} is matched to {own['match']!r},"
            yield (
                f"sweeps.budget.mask_sets: {which} of method {ranked['method']!r}, which does not rank all "
                f"neurons; possible: {', '.join(RELEVANCE)}, and sets matched to such a set"
            )
    ablation = sweeps.get("ablation", {})
    for name in ablation.get("mask_sets", []):
        if name in sets and sets[name]["method"] not in RELEVANCE:
            yield (
                f"sweeps.ablation.mask_sets: {name!r} is of method {sets[name]['method']!r}; "
                f"possible: {', '.join(RELEVANCE)}"
            )
    for name in ablation.get("relevance", []):
        variants = config.get("relevance_variants", {})
        yield from _one_of("sweeps.ablation.relevance", name, variants, "relevance variant")
    if "threshold" in sweeps:
        name = sweeps["threshold"]["mask_set"]
        yield from _one_of("sweeps.threshold.mask_set", name, sets, "mask set")
        if name in sets and "threshold" not in sets[name]:
            yield f"sweeps.threshold.mask_set: {name!r} has no threshold"
    if "perplexity" in config and "demo" in config:
        wanted = config["corpora"]["documents"] + config["perplexity"]["documents"]
        there = config["demo"]["data"]["identification"]
        if config["corpora"]["source"] == "generated" and wanted > there:
            yield f"perplexity.documents: with corpora.documents {wanted} in all, of demo.data.identification {there}"


PAPER_BENCHMARKS = {
    "mmlu": "en", "ceval": "zh", "belebele_vi": "vi", "open_en": "en", "open_zh": "zh", "open_vi": "vi",
}  # fmt: skip
PAPER_SHAPE = {"layers": 32, "intermediate_size": 11008}


def _check_published(config: Mapping[str, Any]) -> Iterator[str]:
    if "published" not in config:
        return
    published, models = config["published"], config["models"]
    for name in published["models"]:
        where, evaluated = (
            f"published.models.{name}",
            [config["identification_model"], *config["transfer_models"]],
        )
        yield from _one_of(where, name, evaluated, "evaluated model")
        if published["same_model"] and name in models:
            if models[name]["source"] in DEMO_SOURCES:
                yield f"published.same_model: true, but model {name!r} is trained by the demo"
            for key, value in PAPER_SHAPE.items():
                if (found := models[name][key]) != value:
                    yield f"published.same_model: true, but model {name!r} has {key} {found}, the paper's {value}"
    for name in published["mask_sets"]:
        yield from _one_of(f"published.mask_sets.{name}", name, config["mask_sets"], "mask set")
    known = {name: benchmark["language"] for name, benchmark in config["benchmarks"].items()}
    known |= {f"{OPEN_SUITE}_{language}": language for language in config["languages"]}
    for name, paper in published["benchmarks"].items():
        yield from _one_of(f"published.benchmarks.{name}", name, known, "benchmark")
        if name in known and known[name] != PAPER_BENCHMARKS[paper]:
            theirs = PAPER_BENCHMARKS[paper]
            yield f"published.benchmarks.{name}: in {known[name]!r}, the paper's {paper!r} is in {theirs!r}"
        if name in known and name.startswith(f"{OPEN_SUITE}_") != paper.startswith(f"{OPEN_SUITE}_"):
            yield f"published.benchmarks.{name}: one of {name!r} and {paper!r} asks open questions, the other does not"
