"""Which prompts are evaluated under which mask set, and in which job.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any

from crane.names import OPEN_SUITE, ORIGINAL, PERPLEXITY
from crane.study.study import SAMPLED, Study

SETS_PER_JOB = 4
"""Default of `evaluation.sets_per_job`: mask sets per job."""
SAMPLED_SETS_PER_JOB = 50
"""Default of `evaluation.sample.sets_per_job`."""
ANSWERING = ("context", "max_new_tokens", "repetition_penalty")
"""Settings of the open questions that determine the answer to a given prompt."""


def prompt_names(study: Study, part: str) -> dict[str, tuple[str, str]]:
    """Return the files of prompts of a suite, of the open questions or of the held-out texts.

    Returns:
        Name of the prompts -> kind (`choices`, `open`, `texts`) and their name in results (benchmark or language).
    """
    if part.startswith(SAMPLED):
        return {
            f"{SAMPLED}{name}": kind for name, kind in prompt_names(study, part.removeprefix(SAMPLED)).items()
        }
    if part == OPEN_SUITE:
        return {OPEN_SUITE: ("open", OPEN_SUITE)}
    if part == PERPLEXITY:
        return {f"{PERPLEXITY}_{language}": ("texts", language) for language in study.languages}
    return {name: ("choices", name) for name in sorted(study.config["suites"][part])}


def prompt_files(study: Study, model: str, part: str) -> list[str]:
    """Return the paths of `prompt_names`."""
    if part.startswith(SAMPLED):
        whole = map(PurePosixPath, prompt_files(study, model, part.removeprefix(SAMPLED)))
        return [str(path.parent / "sampled" / path.name) for path in whole]
    if part == PERPLEXITY:
        return [f"{study.results}/held_out/{model}/{language}.parquet" for language in study.languages]
    return [f"{study.results}/prompts/{model}/{name}.parquet" for name in prompt_names(study, part)]


def groups(study: Study, model: str) -> dict[str, list[str]]:
    """Return the mask sets evaluated on a model, by group; each group's results are in one file.

    A group is a configured mask set with all its seeds, the unmasked model, or a set that only sweeps use.
    """
    grouped: dict[str, list[str]] = {ORIGINAL: [ORIGINAL]}
    for name, settings in study.masks.shown.items():
        grouped.setdefault(settings["group"], []).append(name)
    if model == study.identification_model:
        grouped |= {name: [name] for name in study.masks.sweeps.evaluated()}
    for name, settings in study.masks.sampled.items():
        grouped.setdefault(settings["group"], []).append(name)
    return grouped


def group_of(study: Study, mask_set: str) -> str:
    """Return the group of a mask set's results."""
    return next(g for g, sets in groups(study, study.identification_model).items() if mask_set in sets)


def parts(study: Study, model: str, mask_set: str) -> list[str]:
    """Return the parts evaluated under a mask set: suites, the open questions, the held-out texts."""
    if mask_set in study.masks.sampled:
        return study.sampled_parts(model)
    if mask_set != ORIGINAL and mask_set not in study.masks.shown:
        sweeps = study.masks.sweeps
        suites = {
            study.config["sweeps"][sweep]["suite"]
            for sweep in sweeps.points
            if mask_set in sweeps.sets_of(sweep)
        }
        return [suite for suite in study.suites if suite in suites]
    all_asked = list(study.asked)
    if model in study.perplexity_models and mask_set in [ORIGINAL, *study.perplexity_sets]:
        all_asked.append(PERPLEXITY)
    return all_asked


def every_part(study: Study) -> list[str]:
    """Return every part that is evaluated on some model."""
    return [*study.asked, PERPLEXITY, *study.sampled_parts(study.identification_model)]


def jobs(study: Study, model: str) -> list[list[str]]:
    """Return the mask sets of every job on a model; those that answer a part of the questions have jobs of their own.

    The number of mask sets per job affects speed only, and nothing that a rule tracks depends on it.
    """
    sets = [
        name for members in groups(study, model).values() for name in members if parts(study, model, name)
    ]
    sampled = [name for name in sets if name in study.masks.sampled]
    whole = [name for name in sets if name not in study.masks.sampled]
    size = study.config["evaluation"].get("sets_per_job", SETS_PER_JOB)
    return _divided(whole, size) + _divided(sampled, study.sample.get("sets_per_job", SAMPLED_SETS_PER_JOB))


def _divided(sets: list[str], size: int) -> list[list[str]]:
    return [sets[start : start + size] for start in range(0, len(sets), size)]


def job_parts(study: Study, model: str, mask_sets: list[str]) -> list[str]:
    """Return the parts evaluated under some mask sets, each once."""
    asked = {part for name in mask_sets for part in parts(study, model, name)}
    every = [*study.asked, PERPLEXITY, *study.sampled_parts(model)]
    return [part for part in every if part in asked]


def job_settings(study: Study, model: str, mask_sets: list[str]) -> dict[str, Any]:
    """Return the params of a job: mask sets with their interventions, the prompts, and the generation settings."""
    asked = study.config.get("open_questions", {})
    answering = {key: asked[key] for key in ANSWERING if key in asked}
    prompts = {
        name: {"kind": kind, "settings": answering if kind == "open" else {}}
        for part in job_parts(study, model, mask_sets)
        for name, (kind, _) in prompt_names(study, part).items()
    }
    sets = {
        mask_set: {
            **_masked(study, mask_set),
            "parts": {part: list(prompt_names(study, part)) for part in parts(study, model, mask_set)},
        }
        for mask_set in mask_sets
    }
    return {"mask_sets": sets, "prompts": prompts}


def receipts(study: Study, model: str, mask_set: str, code: str) -> dict[str, str]:
    """Return where a job notes which stored parts answer what is asked under a mask set: part -> file.

    The name of a file holds the hash of all settings that decide the answers, so that it is missing when one of them
    changes. It holds no hash of what other jobs make (neurons, prompts): their times decide, as everywhere.

    Args:
        study: the study.
        model: that answers.
        mask_set: under which it answers.
        code: version of the code that asks.
    """
    deciding = {
        **_masked(study, mask_set),
        **{key: study.pick(key) for key in ("engine", "evaluation.dtype")},
        "code": code,
    }
    folder = f"{study.results}/parts/receipts/{model}/{mask_set}"
    return {
        part: f"{folder}/{part}-{_short_hash([deciding, list(prompt_names(study, part)), answering(study, part)])}.json"
        for part in parts(study, model, mask_set)
    }


def job_name(receipts: list[str]) -> str:
    """Return a name of a job that says all that it makes."""
    return _short_hash(receipts)


def answering(study: Study, part: str) -> dict[str, Any]:
    """Return the settings that decide an answer to a given prompt; there are none where nothing is generated."""
    return study.pick(*(f"open_questions.{key}" for key in ANSWERING)) if part == OPEN_SUITE else {}


def _masked(study: Study, mask_set: str) -> dict[str, Any]:
    """Return what is done to which neurons."""
    neurons = "" if mask_set == ORIGINAL else study.masks.neurons_of(mask_set)
    return {"neurons": neurons, "intervention": study.masks.intervention(mask_set)}


def _short_hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def collections(study: Study, part: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return which groups' results for a part are collected by one job: a job for each would mostly start Python.

    The unmasked model, the configured mask sets, random ones that answer a part of the questions, and what each sweep
    adds have a job each, so that a change of one makes no other's files anew.

    Returns:
        Name of the collection -> group -> mask set -> its intervention; a collection without results is left out.
    """
    first = study.identification_model
    sweeps = study.masks.sweeps
    collected: dict[str, dict[str, dict[str, Any]]] = {}
    # In the order of names, for `params`: the order of the configuration says nothing.
    for group, members in sorted(groups(study, first).items()):
        if part not in parts(study, first, members[0]):
            continue
        if group == ORIGINAL:
            collection = ORIGINAL
        elif members[0] in study.masks.shown:
            collection = "mask_sets"
        elif members[0] in study.masks.sampled:
            collection = "random"
        else:
            collection = "sweep_" + next(each for each in sweeps.points if group in sweeps.sets_of(each))
        interventions = {name: study.masks.intervention(name) for name in members}
        collected.setdefault(collection, {})[group] = interventions
    return collected


def collecting_jobs(study: Study, model: str) -> int:
    """Return how many jobs collect a model's results."""
    on_model = groups(study, model)
    return sum(
        any(group in on_model and part in parts(study, model, on_model[group][0]) for group in collected)
        for part in every_part(study)
        for collected in collections(study, part).values()
    )
