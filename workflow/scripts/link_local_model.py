"""Link the files of a local model folder, or dequantise a GGUF file, with a manifest of hashes."""

from pathlib import Path
from typing import Any

from crane.models.folders import link_folder
from crane.models.gguf_files import dequantise
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `link_local_model`."""
    source = Path(snakemake.params.path)
    take = dequantise if source.suffix == ".gguf" else link_folder
    manifest = take(source, Path(snakemake.output.model), snakemake.wildcards.model, **snakemake.params.shape)
    for name, digest in manifest["sha256"].items():
        print(f"{digest}  {source / name}")


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
