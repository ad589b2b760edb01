"""From a rule to the call of the function that it names."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from crane.artefacts import write_jsonl, write_table
from crane.figures.drops import drop_heatmap
from crane.results.arguments import arguments, named, read
from crane.results.labels import Labels
from crane.tables.judges import agreement_table
from support.published_results import BASE, EVERY, study


def test_a_function_is_found_by_its_dotted_name() -> None:
    assert named("crane.figures.drops.drop_heatmap") is drop_heatmap
    with pytest.raises(ModuleNotFoundError):
        named("crane.figures.drop.drop_heatmap")
    with pytest.raises(AttributeError):
        named("crane.figures.drops.drop_heatmaps")


def test_a_path_is_read_as_its_ending_says(tmp_path: Path) -> None:
    frame = pd.DataFrame({"method": ["", "none"], "score": [0.5, 1.0]})
    write_table(frame, tmp_path / "a.parquet", {})
    frame.to_csv(tmp_path / "a.csv", index=False)
    for ending in ("parquet", "csv"):
        pd.testing.assert_frame_equal(read(str(tmp_path / f"a.{ending}")), frame)


def test_several_tables_are_known_by_the_names_of_their_files(tmp_path: Path) -> None:
    for name in ("crane", "random-0"):
        write_table(pd.DataFrame({"name": [name]}), tmp_path / f"{name}.parquet", {})
    tables = read([str(tmp_path / "random-0.parquet"), str(tmp_path / "crane.parquet")])
    assert list(tables) == ["random-0", "crane"]
    assert tables["crane"]["name"].tolist() == ["crane"]
    assert list(read([str(tmp_path / "crane.parquet")])) == ["crane"], "a list of one is a list, too"
    assert read([]) == {}


def test_files_of_records_become_one_list(tmp_path: Path) -> None:
    for number in range(2):
        write_jsonl([{"score": number}, {"score": 10 + number}], tmp_path / f"{number}.jsonl")
    records = read([str(tmp_path / "0.jsonl"), str(tmp_path / "1.jsonl")])
    assert [record["score"] for record in records] == [0, 10, 1, 11]


def made(**given: Any) -> dict[str, Any]:
    return given


def test_wildcards_are_handed_over_to_functions_that_take_them(tmp_path: Path) -> None:
    def drawn(scores: Any, *, model: str) -> None: ...

    write_table(pd.DataFrame({"x": [1]}), tmp_path / "s.parquet", {})
    handed = arguments(drawn, {"scores": str(tmp_path / "s.parquet")}, {"model": "base", "suite": "quiz"}, {})
    assert set(handed) == {"scores", "model"} and handed["model"] == "base"


def test_params_are_arguments_but_for_those_of_the_rule_itself() -> None:
    labels = {"languages": {"en": "English"}, "mask_sets": {"crane": "CRANE"}}
    params = {
        "function": "crane.tables.paper.score_table", "code": "1234", "labels": labels, "layers": 4,
        "settings": {"suite": "quiz", "models": ["base"]},
    }  # fmt: skip
    assert arguments(made, {}, {}, params) == {
        "labels": Labels({"en": "English"}, {"crane": "CRANE"}), "layers": 4, "suite": "quiz", "models": ["base"],
    }  # fmt: skip


def test_a_param_that_a_rule_takes_back_is_no_argument(tmp_path: Path) -> None:
    """The tables about judges are made from a rule that has labels, and have none."""
    write_jsonl(
        [
            {"judge": judge, "score": 5, "model": "m", "mask_set": "s", "mask_language": "en", "language": "en",
             "question_id": 1}
            for judge in ("a", "b")
        ],
        tmp_path / "all.jsonl",
    )  # fmt: skip
    params = {"function": "f", "code": "1", "labels": None, "judges": {"a": "A", "b": "B"}}
    table = agreement_table(
        **arguments(agreement_table, {"judgements": [str(tmp_path / "all.jsonl")]}, {}, params)
    )
    assert table.tidy["answers"].tolist() == [1, 1]


def test_a_figure_is_called_as_its_rule_calls_it(tmp_path: Path) -> None:
    paths = {}
    for name, frame in zip(("scores", "langspec_f1"), study(), strict=True):
        paths[name] = str(tmp_path / f"{name}.parquet")
        write_table(frame, paths[name], {})
    shown = {key: getattr(EVERY, key) for key in ("languages", "mask_sets", "benchmarks", "models", "judge")}
    params = {"function": "crane.figures.drops.drop_heatmap", "code": "1", "labels": shown}
    wildcards = {"model": BASE, "suite": "exam"}
    figure = drop_heatmap(**arguments(drop_heatmap, paths, wildcards, params))
    assert figure.axes[0].images[0].get_array().shape == (9, 3)
