"""The input files of a study: texts, questions, benchmarks and downloads.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from crane.names import HALVES, TASKS
from crane.study.file_names import file_name
from crane.study.ordering import key_sorted


class Inputs:
    """Paths of a study's inputs.

    Args:
        config: the checked configuration.
        results: the folder of the study's results.
    """

    def __init__(self, config: Mapping[str, Any], results: str) -> None:
        self._config = config
        self._results = results

    # Files from the network -----------------------------------------------------------------------------

    @cached_property
    def downloads(self) -> dict[str, dict[str, str]]:
        """Files that the study gives as `{url, sha256}`, by their local name."""
        given = [
            *(self._config.get("open_questions", {}).get("files", {}).values()),
            *(settings["file"] for settings in self._config["mask_sets"].values() if "file" in settings),
        ]
        return {Path(self.file(file)).name: key_sorted(file) for file in given if not isinstance(file, str)}

    def url(self, path: str) -> str:
        """Return the address from which a local file is downloaded; "" if it is the user's own."""
        return self.downloads.get(Path(path).name, {}).get("url", "")

    def file(self, file: str | Mapping[str, str]) -> str:
        """Return the path of a file that the study gives as a path or as `{url, sha256}`."""
        if isinstance(file, str):
            return file
        return f"{self._results}/downloads/{file['sha256'][:8]}-{file_name(file)}"

    def corpus_files(self, language: str) -> dict[str, str]:
        """Return the `repository`, `revision` and glob `files` of a language's corpus (source: hub)."""
        corpora = self._config["corpora"]
        files = corpora["files"][language]
        if isinstance(files, str):
            files = {"repository": corpora["repository"], "revision": corpora["revision"], "files": files}
        return key_sorted(files)

    # Texts and questions --------------------------------------------------------------------------------

    def generated(self, language: str, name: str) -> str:
        """Return the path of one of the demo's generated files."""
        return f"{self._results}/generated/{language}/{name}.jsonl"

    def documents(self, language: str) -> str:
        """Return the file, or glob, of a language's corpus."""
        corpora = self._config["corpora"]
        if corpora["source"] == "generated":
            return self.generated(language, "documents")
        if corpora["source"] == "hub":
            return f"{self._results}/datasets/corpus/{language}.parquet"
        return corpora["files"][language]

    def made_documents(self, language: str) -> str | list[str]:
        """Return a language's corpus if a rule makes it, and an empty list if the files are the user's."""
        return [] if self._config["corpora"]["source"] == "local" else self.documents(language)

    @property
    def column(self) -> str:
        """The field of a corpus file that holds the text."""
        return self._config["corpora"]["column"] if self._config["corpora"]["source"] == "local" else "text"

    def relevance_sample(self) -> dict[str, Any]:
        """Return how the samples of relevance are drawn, for `params`."""
        corpora = self._config["corpora"]
        return self._sample(
            corpora.get("sample", "window"), corpora["max_tokens"], corpora["documents"], "corpora.max_tokens"
        )

    def held_out_sample(self) -> dict[str, Any]:
        """Return how the texts of perplexity are drawn."""
        asked = self._config.get("perplexity", {"max_tokens": 0, "documents": 0})
        return self._sample("document", asked["max_tokens"], asked["documents"], "perplexity.max_tokens")

    def passage_sample(self, benchmark: str) -> dict[str, Any]:
        """Return how the passages of continuation questions are drawn: BOS, the beginning, the continuation."""
        asked = self._config["benchmarks"][benchmark]
        tokens = 1 + asked["context_tokens"] + asked["continuation_tokens"]
        return self._sample("window", tokens, asked["questions"], f"benchmarks.{benchmark}.context_tokens")

    def _sample(self, sample: str, tokens: int, count: int, key: str) -> dict[str, Any]:
        corpora = self._config["corpora"]
        given = {"near_duplicates": corpora["near_duplicates"]} if "near_duplicates" in corpora else {}
        return {
            "count": count,
            "key": key,
            **given,
            "sample": sample,
            "seed": corpora["seed"],
            "tokens": tokens,
        }

    @property
    def samples_differ_in_length(self) -> bool:
        """Whether the samples of relevance can be of different lengths."""
        return self.relevance_sample()["sample"] == "document"

    def continuations(self) -> list[str]:
        """Return the benchmarks that are made from held-out texts."""
        benchmarks = self._config.get("benchmarks", {})
        return [name for name, settings in benchmarks.items() if settings.get("source") == "continuation"]

    @property
    def halves(self) -> dict[str, list[int]]:
        """The shards of each half of the texts; empty if there is only one shard."""
        shards = list(range(self._config["corpora"]["shards"]))
        return {half: shards[start::2] for start, half in enumerate(HALVES)} if len(shards) > 1 else {}

    @property
    def dealt(self) -> dict[str, list[int]]:
        """The shards of each group of the selection null, as many groups as languages and all of one size.

        Empty if there are fewer shards than languages; shards that are left over are in no group.
        """
        shards, groups = self._config["corpora"]["shards"], len(self._config["languages"])
        size = shards // groups
        return {str(g + 1): list(range(g, size * groups, groups)) for g in range(groups)} if size else {}

    def questions(self, language: str) -> str:
        """Return the file of a language's open questions."""
        asked = self._config["open_questions"]
        return (
            self.generated(language, "questions")
            if asked["source"] == "generated"
            else self.file(asked["files"][language])
        )

    # Benchmarks -----------------------------------------------------------------------------------------

    def benchmark(self, name: str) -> dict[str, Any]:
        """Return the settings that determine a benchmark's questions; labels and chance levels do not."""
        benchmark = self._config["benchmarks"][name]
        if name in self.continuations():
            keys: tuple[str, ...] = ("context_tokens", "continuation_tokens", "source")
            return {**{key: benchmark[key] for key in keys}, "seed": self._config["corpora"]["seed"]}
        keys = ("cluster_by", "data", "fewshot", "overlong", "stratify_by", "task")
        settings = {key: benchmark[key] for key in keys if key in benchmark}
        if benchmark.get("data") == "generated":
            settings["data"] = self.generated(benchmark["language"], "benchmark")
        if "dataset" in benchmark:
            settings["dataset"] = f"{self._results}/datasets/{benchmark['dataset']}"
        return settings

    def benchmark_data(self, name: str) -> list[str]:
        """Return the files and folders from which a benchmark's questions are read."""
        settings = self.benchmark(name)
        return [settings[key] for key in ("data", "dataset") if key in settings]

    def task_files(self, name: str) -> list[str]:
        """Return this project's task files that a benchmark uses, relative to `workflow`."""
        task = self._config["benchmarks"][name].get("task", "")
        return [f"tasks/{task}.yaml"] if (TASKS / f"{task}.yaml").exists() else []
