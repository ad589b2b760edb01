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
            yield f"models.{name}", partial(_hub, f"{study.results}/models/{name}", model, "model")


def _local_model(study: Study, name: str) -> str:
    # Imported here, because only a local model needs transformers, whose import takes seconds.
    from crane.models.folders import check_folder
    from crane.models.gguf_files import check_gguf

    settings = study.config["models"][name]
    check = check_gguf if settings["path"].endswith(".gguf") else check_folder
    check(Path(settings["path"]), name, settings["layers"], settings["intermediate_size"])
    return settings["path"]


def _hub(target: str, source: Mapping[str, Any], kind: str) -> str:
    path = Path(target) / "manifest.json"
    manifest = read_json(path) if path.exists() else {}
    if (manifest.get("source"), manifest.get("revision")) == (source["repository"], source["revision"]):
        return f"{target}, downloaded"
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
        path = study.inputs.file(study.masks.shown[name]["file"])
        download = study.inputs.downloads.get(Path(path).name)
        yield f"mask_sets.{name}.file", partial(_file, path, download["url"] if download else "")


def _file(path: str, url: str) -> str:
    if not Path(path).exists():
        if url:
            return to_download(url)
        raise PreflightError(f"{path}: no such file")
    return f"{path}, {'downloaded' if url else f'{Path(path).stat().st_size / 1e6:,.1f} MB'}"


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
