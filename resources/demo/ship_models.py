"""Copy the models that `make demo-models` trained to resources/demo/models/, with their recipe in the manifests.

python resources/demo/ship_models.py results/demo-models config/demo-models.yaml
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import yaml

KEPT = ("settings", "base", "documents", "rows", "parameters", "threads", "versions", "sha256")
"""Of a trained model's manifest; the course of the training is left out."""


def recipe(config: dict) -> dict:
    """Return all of a configuration that decides the trained models."""
    return {"demo": config["demo"], "languages": list(config["languages"]), "models": config["models"]}


def recipe_hash(config: dict) -> str:
    """Return the SHA-256 of the recipe."""
    return hashlib.sha256(json.dumps(recipe(config), sort_keys=True).encode()).hexdigest()


def main(results: Path, config: dict) -> None:
    """Copy every model of the study."""
    for name in config["models"]:
        source, target = results / "models" / name, Path(__file__).parent / "models" / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*"))
        target.joinpath("model.safetensors").chmod(0o644)
        made = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
        manifest = {key: made[key] for key in KEPT if key in made} | {"recipe": recipe_hash(config)}
        (target / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), yaml.safe_load(Path(sys.argv[2]).read_text(encoding="utf-8")))
