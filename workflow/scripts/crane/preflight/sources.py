"""Checks of models, data and judges: they take seconds and catch what would otherwise fail hours later."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from crane.artefacts import read_json, read_metadata
from crane.downloads.repository import check_access
from crane.preflight.checks import Named, PreflightError
from crane.preflight.texts import texts, to_download
from crane.study.study import Study

PATIENCE = 5
"""Seconds to wait for a judge's endpoint, twice: an endpoint that is up lists its models immediately."""


def sources(study: Study) -> list[Named]:
    """Return the checks that every model, data set, text and imported mask exists or can be downloaded."""
    return [*_models(study), *_datasets(study), *_corpora(study), *texts(study), *_masks(study)]


def _models(study: Study) -> Iterator[Named]:
    for name, model in study.config["models"].items():
        if model["source"] == "local":
            yield f"models.{name}", partial(_local_model, study, name)
        elif model["source"] == "hub":
            yield f"models.{name}", partial(_hub_model, study, name)


def _shape(study: Study, model: str) -> dict[str, int]:
    return {key: study.config["models"][model][key] for key in ("layers", "intermediate_size")}


def _local_model(study: Study, name: str) -> str:
    # Imported here, because only a model that is there needs transformers, whose import takes seconds.
    from crane.models.folders import check_folder
    from crane.models.gguf_files import check_gguf

    path = study.config["models"][name]["path"]
    check = check_gguf if path.endswith(".gguf") else check_folder
    _check_config(study, name, check(Path(path), name, **_shape(study, name)))
    if check is check_folder:
        _check_chat(study, name, path)
    return path


def _check_config(study: Study, name: str, config: Any) -> None:
    """Check that a model can read the samples, and that the study's engine can mask it."""
    from crane.evaluation.vllm_families import check_vllm
    from crane.models.configuration import check_experts, check_gates, check_positions
    from crane.models.families import check_gate, positions

    if study.config["engine"] == "vllm" and name in study.evaluated_models:
        check_vllm(config)
    if study.masks.change_gates() and name in study.evaluated_models:
        check_gates(config, name)
    if name == study.identification_model:
        check_experts(config, name, study.config["relevance"], _measured(study))
        check_gate(config, _accumulated(study))
    for sample in study.samples(name):
        check_positions(positions(config), name, sample["tokens"], sample["key"])


def _accumulated(study: Study) -> set[str]:
    """Return the accumulators of all relevance runs."""
    masks = study.masks
    return {each for variant in masks.variants for each in masks.accumulators(variant)}


def _measured(study: Study) -> set[str]:
    """Return what a study measures of neurons besides the moments of relevance."""
    masks, measured = study.masks, _accumulated(study)
    if "explorer" in study.config:
        measured.add("relevance of each token (explorer)")
    if study.calibration:
        measured.add("effects for the calibration")
    if any("resample" in masks.intervention(name) for name in masks.every):
        measured.add("values in other documents (intervention resample)")
    return measured


def _check_chat(study: Study, name: str, folder: str) -> None:
    """Render one open question with the model's chat template, if the study applies it."""
    asked = study.config.get("open_questions", {})
    if asked.get("chat_template") and name in study.evaluated_models:
        from crane.evaluation.chat import chat_text
        from crane.models.tokenizers import load_tokenizer

        chat_text("Why?", load_tokenizer(folder), asked.get("template"), asked.get("date"))


def _hub_model(study: Study, name: str) -> str:
    target = f"{study.results}/models/{name}"
    source = study.config["models"][name]
    if _is_downloaded(target, source):
        from crane.models.folders import check_folder

        _check_config(study, name, check_folder(Path(target), name, **_shape(study, name)))
        _check_chat(study, name, target)
    return _hub(target, source, "model")


def _manifest(target: str) -> dict[str, Any]:
    path = Path(target) / "manifest.json"
    return read_json(path) if path.exists() else {}


def _is_downloaded(target: str, source: Mapping[str, Any]) -> bool:
    """Return whether a folder holds what the study names."""
    manifest = _manifest(target)
    return (manifest.get("source"), manifest.get("revision")) == (source["repository"], source["revision"])


def _hub(target: str, source: Mapping[str, Any], kind: str) -> str:
    if _is_downloaded(target, source):
        return f"{target}, downloaded"
    manifest = _manifest(target)
    size = check_access(source["repository"], source["revision"], kind, source.get("files", ()))
    download = f"{source['repository']} at {source['revision'][:12]}, {size / 1e9:.2f} GB to download"
    if not manifest:
        return download
    revision = manifest.get("revision")
    return (
        f"{download} anew: {target} is {manifest.get('source')}{f' at {revision[:12]}' if revision else ''}"
    )


def _datasets(study: Study) -> Iterator[Named]:
    for name, dataset in study.config.get("datasets", {}).items():
        yield f"datasets.{name}", partial(_hub, f"{study.results}/datasets/{name}", dataset, "dataset")


def _corpora(study: Study) -> Iterator[Named]:
    source = study.config["corpora"]["source"]
    for language in study.languages if source == "hub" else []:
        yield f"corpora.{language}", partial(_hub_corpus, study, language)


def _hub_corpus(study: Study, language: str) -> str:
    path = Path(study.inputs.documents(language))
    files = study.inputs.corpus_files(language)
    params = read_metadata(path).get("params", {}) if path.exists() else {}
    drawn = params.get("corpus", {})
    if params.get("pin") == files and drawn == {key: study.pick(key) for key in drawn}:
        return f"{path}, downloaded"
    size = check_access(files["repository"], files["revision"], "dataset", [files["files"]])
    read = study.config["corpora"]["max_files"]
    download = f"{files['repository']}, {files['files']}: {size / 1e9:.2f} GB, of which at most {read} files are read"
    return f"{download} anew: {path} was drawn from others, or otherwise" if params else download


def _masks(study: Study) -> Iterator[Named]:
    for name in study.masks.by_method("import"):
        yield f"mask_sets.{name}.file", partial(_mask_file, study, name)


def _mask_file(study: Study, name: str) -> str:
    settings = study.masks.shown[name]
    path = study.inputs.file(settings["file"])
    url = study.inputs.url(path)
    if not Path(path).exists():
        if url:
            return to_download(url)
        raise PreflightError(f"{path}: no such file")
    from crane.neurons.imported import import_masks

    model = study.identification_model
    masks = import_masks(path, settings.get("languages"), study.languages, **_shape(study, model))
    counts = ", ".join(f"{masks.total(language)} neurons of {language}" for language in masks)
    return f"{path}, {'downloaded, ' if url else ''}{counts}"


def judges(study: Study) -> list[Named]:
    """Return the checks of the judges behind endpoints: API key and model, with a short timeout."""
    return [(f"judges.{name}", partial(_judge, study, name)) for name in study.judges.paid]


def _judge(study: Study, name: str) -> str:
    from crane.judging.endpoint import Endpoint

    asked, speed = study.judges.request(name), study.judges.speed(name)
    endpoint = Endpoint(asked["base_url"], speed["key_variable"], min(speed["timeout"], PATIENCE))
    endpoint.settings["max_retries"] = 1
    endpoint.check_model(asked["model"])
    return f"{asked['model']} at {asked['base_url']}"
