"""The check of a configuration: against the schema, then across keys; one line per error."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from crane.errors import CraneError

SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
DEMO_SOURCES = ("train_demo", "finetune_demo")


class ConfigError(CraneError, ValueError):
    """The configuration is wrong; one line per error."""


def _path(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.absolute_path) or "(top level)"


def _message(error: ValidationError) -> str:
    """Say which key, which value, and what is allowed."""
    where, schema = _path(error), error.schema
    if error.validator == "additionalProperties":
        allowed = sorted(schema.get("properties", {}))
        lines = []
        for key in sorted(set(error.instance) - set(allowed)):
            close = difflib.get_close_matches(key, allowed, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            lines.append(f"{where}: unknown key {key!r}; allowed: {', '.join(allowed)}{hint}")
        return "\n".join(lines)
    if error.validator == "enum":
        return f"{where}: {error.instance!r} is not allowed; allowed: {', '.join(map(str, schema['enum']))}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{where}: missing key{'s' * (len(missing) > 1)} {', '.join(missing)}"
    if error.validator == "not" and "propertyNames" in error.absolute_schema_path:
        return f"{where}: the name {error.instance!r} is reserved; choose another"
    if error.validator == "not":
        return f"{where}: has no meaning here (value {error.instance!r}); remove it"
    return f"{where}: {error.message}"


def check(config: Mapping[str, Any]) -> None:
    """Check a configuration against the schema, then across keys.

    Raises:
        ConfigError: with one line per error: the key, its value, and what is allowed.
    """
    if not isinstance(config, Mapping):
        found = f"(top level): expected keys and values, found {type(config).__name__}"
        raise ConfigError(f"the configuration is wrong:\n  {found}")
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    errors = sorted(
        Draft202012Validator(schema).iter_errors(dict(config)), key=lambda e: list(map(str, e.path))
    )
    problems = list(dict.fromkeys(line for e in errors for line in _message(e).splitlines()))
    if not problems:
        problems = list(_cross_checks(config))
    if problems:
        raise ConfigError("the configuration is wrong:\n" + "\n".join(f"  {line}" for line in problems))


def _one_of(where: str, value: str, known: Any, kind: str) -> Iterator[str]:
    if value not in known:
        yield f"{where}: {value!r} is no {kind} of this study; there are: {', '.join(known) or 'none'}"


def _cross_checks(config: Mapping[str, Any]) -> Iterator[str]:
    yield from _check_models(config)
    yield from _check_languages(config)
    yield from _check_mask_sets(config)
    yield from _check_suites(config)


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
    corpora = config["corpora"]
    if corpora["shards"] > corpora["documents"]:
        yield f"corpora.shards: {corpora['shards']} shards of {corpora['documents']} documents"


def _check_languages(config: Mapping[str, Any]) -> Iterator[str]:
    languages = config["languages"]
    for name, benchmark in config["benchmarks"].items():
        yield from _one_of(f"benchmarks.{name}.language", benchmark["language"], languages, "language")
    asked = config["open_questions"]
    tables = {"open_questions.suffix": asked["suffix"]}
    if asked["source"] == "local":
        tables["open_questions.files"] = asked["files"]
    if config["corpora"]["source"] == "local":
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
        if "match" in settings:
            yield from _one_of(f"{where}.match", settings["match"], sets, "mask set")
            if sets.get(settings["match"], {}).get("method") in ("random", "lape_matched"):
                yield f"{where}.match: {settings['match']!r} is itself matched to another set; name that one"
        if method in ("lape", "lape_matched") and config["relevance"]["site"] != "intermediate":
            yield f"{where}.method: {method!r} counts activations, which exist at relevance.site intermediate only"
        if settings.get("rule") in ("contrast", "target_only") and "threshold" not in settings:
            yield f"{where}.threshold: missing; rule {settings['rule']!r} needs it"
        if settings.get("rule") == "margin" and not settings.keys() & {"threshold", "budget"}:
            yield f"{where}: rule 'margin' needs a threshold or a budget, or it selects every neuron"
        if total and settings.get("budget", {}).get("count", 0) > total:
            yield f"{where}.budget.count: {settings['budget']['count']} exceeds the model's {total} neurons"
        if method == "import" and settings["file"].endswith(".pth"):
            for language in config["languages"]:
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
