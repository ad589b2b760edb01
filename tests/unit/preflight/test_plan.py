"""The estimate of a study's cost, against the formulas worked out by hand."""

import copy
from typing import Any

import pytest
from crane.preflight.plan import Assumptions, CostError, estimate, parameters, render
from crane.study.study import Study


def _stages(config: dict[str, Any]) -> dict[str, Any]:
    return {stage.name: stage for stage in estimate(Study(config))}


def test_relevance_is_a_forward_and_a_backward_pass_over_all_tokens(paper: dict[str, Any]) -> None:
    relevance = _stages(paper)["relevance"]
    assert relevance.gpu_jobs == 3 * 8
    tokens = 3 * 5000 * 2048
    computed = tokens * 4 * 6.74e9 / (312e12 * 0.4) / 3600
    assert relevance.gpu_hours == pytest.approx(computed + 24 * 3 / 60)
    assert relevance.disk == 24 * 32 * 11008 * 64


def test_an_evaluation_runs_the_original_once_and_every_other_mask_set_once_per_language(
    paper: dict[str, Any],
) -> None:
    study = Study(paper)
    stages = _stages(paper)
    sets = len(study.mask_sets)
    masks = 1 + 3 * sets
    assert stages["benchmarks"].gpu_jobs == 2 * (1 + sets) * 2  # models, mask sets, suites
    assert stages["open answers"].gpu_jobs == 2 * (1 + sets)
    questions = 14042 + 1346 + 900 + 3 * 900
    seconds = 2 * masks * questions * 200 * 2 * 6.74e9 / (312e12 * 0.4)
    starts = stages["benchmarks"].gpu_jobs * 3 / 60
    assert stages["benchmarks"].gpu_hours == pytest.approx(seconds / 3600 + starts)
    assert stages["judging"].calls == 2 * masks * 3 * 70
    assert stages["judging"].price == pytest.approx(stages["judging"].calls * (700 * 2.5 + 150 * 10) / 1e6)


def test_hugging_face_computes_every_choice_with_all_its_examples(paper: dict[str, Any]) -> None:
    starts = _stages(paper)["benchmarks"].gpu_jobs * 3 / 60
    vllm = _stages(paper)["benchmarks"].gpu_hours - starts
    paper["engine"] = "hf"
    assert _stages(paper)["benchmarks"].gpu_hours - starts == pytest.approx(4 * 6 * vllm)


@pytest.mark.parametrize("name", Assumptions._fields)
def test_every_assumption_can_be_set_and_counts(paper: dict[str, Any], name: str) -> None:
    before = estimate(Study(copy.deepcopy(paper)))
    default = Assumptions._field_defaults[name]
    paper["plan"] = {name: type(default)(default / 2)}
    assert estimate(Study(paper)) != before


def test_a_model_of_unknown_size_is_named(paper: dict[str, Any]) -> None:
    del paper["models"]["chat"]["parameters"]
    with pytest.raises(CostError, match=r"models\.chat\.parameters: missing"):
        estimate(Study(paper))


def test_a_demo_model_is_counted_from_its_shape(demo_config: dict[str, Any]) -> None:
    study = Study(demo_config)
    assert parameters(study, "base") == pytest.approx(1.27e6, rel=0.02)
    assert sum(stage.calls for stage in estimate(study)) == 0


def test_the_table_ends_with_the_total(paper: dict[str, Any]) -> None:
    stages = estimate(Study(paper))
    last = render(stages).splitlines()[-1].split()
    assert last[0] == "total"
    jobs, on_gpus = (int(cell.replace(",", "")) for cell in last[1:3])
    assert jobs == sum(stage.jobs for stage in stages)
    assert on_gpus == sum(stage.gpu_jobs for stage in stages)


def test_only_relevance_runs_that_a_mask_set_asks_for_are_counted(paper: dict[str, Any]) -> None:
    before = _stages(paper)
    paper["relevance_variants"] = {
        "max_logit": {"objective": "last_token_max_logit"},
        "unused": {"rules": "cp_lrp"},
    }
    unasked = _stages(paper)
    assert unasked == before
    paper["mask_sets"]["dispersion"]["relevance"] = "max_logit"
    after = _stages(paper)
    assert after["relevance"].gpu_jobs == 2 * before["relevance"].gpu_jobs
    assert after["kurtosis and masks"].jobs == before["kurtosis and masks"].jobs + 32
    table = 32 * 11008 * 3 * 110
    assert before["kurtosis and masks"].disk == 3 * table  # all texts, and both halves of them
    assert after["kurtosis and masks"].disk == 4 * table


def test_a_corpus_in_one_piece_has_no_halves(paper: dict[str, Any]) -> None:
    paper["corpora"]["shards"] = 1
    assert _stages(paper)["kurtosis and masks"].disk == 32 * 11008 * 3 * 110


def test_data_sets_and_files_are_counted_once(paper: dict[str, Any]) -> None:
    stage = _stages(paper)["data sets"]
    assert stage.jobs == 3 + 4  # MMLU, C-Eval, Belebele; three files of questions and one of masks
    assert stage.disk == stage.transfer == 3 * 10e6
    del paper["suites"]["belebele"]
    paper["benchmarks"] = {
        name: b for name, b in paper["benchmarks"].items() if not name.startswith("parallel")
    }
    assert _stages(paper)["data sets"] == stage  # the other suite asks the same
