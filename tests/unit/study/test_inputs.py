"""Where the files of a study lie: its own, generated ones, and those of the network."""

from typing import Any

from crane.study.study import Study
from support.study_config import HUB_CORPUS, HUB_FILES, HUB_MODEL, PINNED, REMOVE, SHA, changed


def test_where_files_from_the_network_lie(config: dict[str, Any]) -> None:
    questions = {"url": "https://a.org/some%20folder/my%20vi.txt?raw=1", "sha256": SHA}
    elsewhere = {**PINNED, "repository": "c/d", "files": "x"}
    study = Study(
        changed(
            config,
            models__base=HUB_MODEL,
            transfer_models=[],
            models__chat=REMOVE,
            corpora={**HUB_CORPUS, **PINNED, "files": {**HUB_FILES, "vi": elsewhere}},
            perplexity=REMOVE, calibration=REMOVE,
            published=REMOVE,
            datasets={"mmlu": {**PINNED, "files": ["*"]}},
            benchmarks__quiz_en={"label": "M", "language": "en", "task": "mmlu", "dataset": "mmlu", "fewshot": 5,
                                 "chance": 0.25},
            mask_sets__theirs={"label": "T", "method": "import", "languages": ["en", "zh", "vi"],
                               "file": {"url": "https://a.org/x.pth", "sha256": SHA[::-1]}},
            open_questions__source="local",
            open_questions__files={"en": "en.jsonl", "zh": questions, "vi": questions},
        )
    )  # fmt: skip
    inputs = study.inputs
    assert study.models_of("hub") == ["base"]
    assert inputs.documents("vi") == "results/demo/datasets/corpus/vi.parquet"
    assert inputs.made_documents("vi") == inputs.documents("vi") and inputs.column == "text"
    assert inputs.corpus_files("en") == {**PINNED, "files": HUB_FILES["en"]}
    assert inputs.corpus_files("vi") == elsewhere
    assert inputs.benchmark("quiz_en")["dataset"] == "results/demo/datasets/mmlu"
    assert inputs.benchmark_data("quiz_en") == ["results/demo/datasets/mmlu"]
    assert inputs.questions("en") == "en.jsonl"
    assert inputs.questions("zh") == inputs.questions("vi") == "results/demo/downloads/01234567-my_vi.txt"
    assert study.masks.selection("theirs")["file"] == "results/demo/downloads/fedcba98-x.pth"
    assert inputs.downloads == {
        "01234567-my_vi.txt": questions,
        "fedcba98-x.pth": {"url": "https://a.org/x.pth", "sha256": SHA[::-1]},
    }


def test_where_generated_files_lie(config: dict[str, Any]) -> None:
    inputs = Study(config).inputs
    assert (
        inputs.documents("zh") == inputs.made_documents("zh") == "results/demo/generated/zh/documents.jsonl"
    )
    assert inputs.questions("zh") == "results/demo/generated/zh/questions.jsonl"
    assert inputs.benchmark_data("quiz_zh") == ["results/demo/generated/zh/benchmark.jsonl"]
    assert inputs.task_files("quiz_zh") == ["tasks/question_with_choices.yaml"]
    assert inputs.downloads == {}


def test_a_users_own_corpus_is_made_by_no_rule(config: dict[str, Any]) -> None:
    files = {code: f"texts/{code}/*.jsonl" for code in config["languages"]}
    local = {"source": "local", "files": files, "column": "body", "documents": 10, "max_tokens": 8, "seed": 0,
           "shards": 1}  # fmt: skip
    inputs = Study(changed(config, corpora=local, perplexity=REMOVE, calibration=REMOVE)).inputs
    assert inputs.documents("vi") == "texts/vi/*.jsonl"
    assert inputs.made_documents("vi") == []
    assert inputs.column == "body"


def test_labels_and_chance_levels_decide_no_question(config: dict[str, Any]) -> None:
    edited = changed(config, benchmarks__quiz_en__label="Another", benchmarks__quiz_en__chance=0.5)
    assert Study(edited).inputs.benchmark("quiz_en") == Study(config).inputs.benchmark("quiz_en")


def test_halves_take_turns_through_the_shards(config: dict[str, Any]) -> None:
    assert Study(changed(config, corpora__shards=5)).inputs.halves == {"even": [0, 2, 4], "odd": [1, 3]}
    assert Study(changed(config, corpora__shards=1)).inputs.halves == {}


def test_shards_are_dealt_into_as_many_equal_groups_as_languages(config: dict[str, Any]) -> None:
    def dealt(shards: int) -> dict[str, list[int]]:
        return Study(changed(config, corpora__shards=shards)).inputs.dealt

    assert len(config["languages"]) == 3
    assert dealt(2) == {}
    assert dealt(3) == {"1": [0], "2": [1], "3": [2]}
    assert dealt(8) == {"1": [0, 3], "2": [1, 4], "3": [2, 5]}
