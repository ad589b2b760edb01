"""The estimate of a study's cost, against the formulas worked out by hand."""

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import write_table
from crane.preflight.assumptions import Assumptions, decoding_bytes, hidden_width
from crane.preflight.plan import CostError, Stage, estimate, parameters
from crane.preflight.plan_table import render
from crane.study.study import Study
from support.study_config import preset, without_sample

pytestmark = pytest.mark.usefixtures("elsewhere")
LLAMA = 6.74e9
SPEED = 312e12 * 0.45
START = 2 / 60


def stages(config: dict[str, Any]) -> dict[str, Stage]:
    return {stage.name: stage for stage in estimate(Study(config))}


# Bounds that a change must not pass unnoticed -----------------------------------------------------------


def test_the_papers_study_is_at_most_12_jobs_and_6_hours_on_gpus() -> None:
    planned = estimate(Study(preset("config")))
    assert sum(stage.gpu_jobs for stage in planned) <= 12
    assert sum(stage.gpu_hours for stage in planned) <= 6.0


def test_the_papers_study_with_its_evidence_takes_at_most_43_hours_and_5_and_a_half_for_200_seeds() -> None:
    hours = [
        sum(stage.gpu_hours for stage in estimate(Study(config)))
        for config in (without_sample(preset("config", "evidence")), preset("config", "evidence"))
    ]
    assert hours[0] <= 43 and hours[1] - hours[0] <= 5.5


# Stages -------------------------------------------------------------------------------------------------


def test_the_explorer_costs_its_examples_and_the_start_of_its_jobs(paper: dict[str, Any]) -> None:
    assert "explorer" not in stages(paper)
    paper["explorer"] = {"neurons": 20, "samples": 2, "mask_sets": ["crane", "lape"]}
    explorer = stages(paper)["explorer"]
    samples = 2 * 3 * 20 * 2 * 3  # mask sets, languages, neurons, samples, and again languages
    computed = samples * 512 * 4 * LLAMA / SPEED / 3600
    assert (explorer.jobs, explorer.gpu_jobs) == (6, 4)
    assert explorer.gpu_hours == pytest.approx(computed + 4 * START)
    assert explorer.disk == 2 * 3 * 12 * 32 * 11008 * 2 * 8
    paper["explorer"]["neurons"] = 50_000
    assert stages(paper)["explorer"].gpu_hours == pytest.approx(
        3 * 5000 * 512 * 4 * LLAMA / SPEED / 3600 + 4 * START
    )


def test_an_evaluation_asks_the_original_once_and_every_other_mask_set_once_per_language(
    paper: dict[str, Any],
) -> None:
    planned = stages(paper)
    sets = len(Study(paper).masks.shown)
    masks = 1 + 3 * (sets - 1) + 1  # all neurons are the same mask for every language
    evaluation = planned["evaluation"]
    assert evaluation.gpu_jobs == 2 * -(-(1 + sets) // 4), "models, and four mask sets a job"
    assert evaluation.jobs == evaluation.gpu_jobs + 2 * 2 * 3, (
        "and what is collected of two suites and the open, without a mask and under all"
    )
    tokens = (14042 + 1346 + 900 + 2 * 900) * 178  # Belebele in Vietnamese is in both suites, and asked once
    prompt = 178 / 4
    kv_bytes = 4 * 32 * hidden_width(LLAMA, 32, 11008)
    read = decoding_bytes(3 * 70, prompt, 2048, LLAMA, kv_bytes, Assumptions())
    seconds = 2 * masks * (tokens * 2 * LLAMA / SPEED + read / (2.0e12 * 0.8))
    assert evaluation.gpu_hours == pytest.approx(seconds / 3600 + evaluation.gpu_jobs * START)
    judging = planned["judging"]
    assert judging.calls == 2 * masks * 3 * 70
    assert judging.price == pytest.approx(judging.calls * (700 * 2.5 + 150 * 10) / 1e6)
    assert judging.jobs == 2 * 2, "one asks a model's answers, one reads the replies"


def test_hugging_face_computes_every_example_again(paper: dict[str, Any]) -> None:
    for section in ("open_questions", "judges", "published"):
        del paper[section]
    vllm = stages(paper)["evaluation"]
    paper["engine"] = "hf"
    hf = stages(paper)["evaluation"]
    starts = vllm.gpu_jobs * START
    assert hf.gpu_jobs == vllm.gpu_jobs
    assert hf.gpu_hours - starts == pytest.approx(6 * (vllm.gpu_hours - starts))


def test_answers_that_do_not_fit_into_one_batch_read_the_weights_again(paper: dict[str, Any]) -> None:
    before = stages(paper)["evaluation"].gpu_hours
    paper["evaluation"]["batch_size"] = 70
    masks = 1 + 3 * (len(Study(paper).masks.shown) - 1) + 1
    again = 2 * masks * 2 * 2048 * 2 * LLAMA / (2.0e12 * 0.8) / 3600  # two more batches of 2,048 steps
    assert stages(paper)["evaluation"].gpu_hours == pytest.approx(before + again)


def test_fewer_jobs_start_fewer_engines(paper: dict[str, Any]) -> None:
    before = stages(paper)["evaluation"]
    paper["evaluation"]["sets_per_job"] = 100
    after = stages(paper)["evaluation"]
    assert after.gpu_jobs == 2 and after.disk == before.disk
    assert before.gpu_hours - after.gpu_hours == pytest.approx((before.gpu_jobs - 2) * START)
    paper["evaluation"]["gpus"] = 2
    assert stages(paper)["evaluation"].gpu_hours == pytest.approx(after.gpu_hours + 2 * START)


def test_perplexity_reads_the_held_out_texts_under_its_masks_alone(paper: dict[str, Any]) -> None:
    before = stages(paper)["evaluation"]
    paper["perplexity"] = {"mask_sets": ["crane"], "transfer": False, "documents": 500, "max_tokens": 2048}
    after = stages(paper)["evaluation"]
    tokens = (1 + 3) * 3 * 500 * 2048 * 0.3
    assert after.gpu_hours - before.gpu_hours == pytest.approx(tokens * 2 * LLAMA / SPEED / 3600)
    assert after.gpu_jobs == before.gpu_jobs


def test_a_part_of_the_questions_costs_its_share_and_few_jobs(paper: dict[str, Any]) -> None:
    before = stages(paper)
    paper["mask_sets"]["many"] = {**paper["mask_sets"]["random"], "seeds": 200}
    paper["perplexity"] = {"mask_sets": ["crane"], "transfer": False, "documents": 500, "max_tokens": 2048}
    with_perplexity = stages(
        {**paper, "mask_sets": {k: v for k, v in paper["mask_sets"].items() if k != "many"}}
    )
    paper["evaluation"]["sample"] = {
        "mask_sets": ["many"],
        "questions": {"nlu": 100, "perplexity": 50},
        "seed": 0,
    }
    after = stages(paper)
    more = after["evaluation"].gpu_hours - with_perplexity["evaluation"].gpu_hours
    questions, texts = 200 * 3 * 3 * 100 * 178, 200 * 3 * 3 * 50 * 2048 * 0.3
    assert after["evaluation"].gpu_jobs - with_perplexity["evaluation"].gpu_jobs == 2 * 4, "50 sets in each"
    assert more == pytest.approx((2 * questions + texts) * 2 * LLAMA / SPEED / 3600 + 8 * START)
    assert after["judging"] == before["judging"]
    assert after["prompts"].jobs - before["prompts"].jobs == 3 + 3 + 3, (
        "of two models, and of the texts of one"
    )
    assert after["kurtosis and masks"].jobs - before["kurtosis and masks"].jobs == 1


def test_what_was_made_already_makes_the_plan_exact(paper: dict[str, Any]) -> None:
    study = Study(paper)
    for language, length in {"en": 100, "zh": 200, "vi": 300}.items():
        ids = pd.DataFrame({"input_ids": [np.arange(length)] * 10})
        write_table(ids, f"{study.results}/corpora/base/{language}.parquet", {})
    computed = 10 * 600 * 4 * LLAMA / SPEED / 3600
    assert stages(paper)["relevance"].gpu_hours == pytest.approx(computed + 3 * START)


@pytest.mark.parametrize("name", Assumptions._fields)
def test_every_assumption_can_be_set_and_counts(paper: dict[str, Any], name: str) -> None:
    paper["corpora"]["sample"] = "document"
    before = estimate(Study(copy.deepcopy(paper)))
    default = Assumptions._field_defaults[name]
    paper["plan"] = {name: type(default)(default / 8)}
    assert estimate(Study(paper)) != before


def test_a_model_of_unknown_size_is_named(paper: dict[str, Any]) -> None:
    del paper["models"]["chat"]["parameters"]
    with pytest.raises(CostError, match=r"models\.chat\.parameters: missing"):
        estimate(Study(paper))


def test_a_demo_model_is_counted_from_its_shape(demo_config: dict[str, Any]) -> None:
    trained = preset("demo-models")
    study = Study({**demo_config, "models": trained["models"], "demo": trained["demo"]})
    assert parameters(study, "base") == pytest.approx(1.27e6, rel=0.02)
    assert sum(stage.calls for stage in estimate(study)) == 0


@pytest.mark.parametrize(
    "without",
    [
        ("open_questions", "judges", "published"),
        ("benchmarks", "suites", "datasets", "published"),
        ("benchmarks", "suites", "datasets", "published", "open_questions", "judges"),
    ],
    ids=["without questions", "without benchmarks", "perplexity only"],
)
def test_a_study_without_some_evaluations_costs_less(paper: dict[str, Any], without: tuple[str, ...]) -> None:
    paper["perplexity"] = {"mask_sets": ["crane"], "transfer": False, "documents": 500, "max_tokens": 2048}
    whole = stages(paper)
    part = stages({key: value for key, value in paper.items() if key not in without})
    assert 0 < part["evaluation"].gpu_hours < whole["evaluation"].gpu_hours
    assert (part["judging"].jobs == 0) == ("judges" in without)
    assert part["prompts"].jobs < whole["prompts"].jobs
    assert part["relevance"] == whole["relevance"]


def test_the_table_ends_with_the_total_and_its_range(paper: dict[str, Any]) -> None:
    planned = estimate(Study(paper))
    last = render(Study(paper)).splitlines()[-1].split()
    assert last[0] == "total"
    jobs, on_gpus = (int(cell.replace(",", "")) for cell in last[1:3])
    assert jobs == sum(stage.jobs for stage in planned)
    assert on_gpus == sum(stage.gpu_jobs for stage in planned)
    hours, low, to, high = last[3:7]
    assert to == "to" and float(low) < float(hours) < float(high)
    assert float(hours) == pytest.approx(sum(stage.gpu_hours for stage in planned), abs=0.05)


def test_a_corpus_in_one_piece_has_no_halves(paper: dict[str, Any]) -> None:
    paper["corpora"]["shards"] = 1
    assert stages(paper)["kurtosis and masks"].disk == 32 * 11008 * 3 * 110


def test_data_sets_and_files_are_counted_once(paper: dict[str, Any]) -> None:
    stage = stages(paper)["data sets"]
    assert stage.jobs == 3 + 4  # MMLU, C-Eval, Belebele; three files of questions and one of masks
    assert stage.disk == stage.transfer == 3 * 10e6
    del paper["suites"]["belebele"], paper["scores"]["parallel"]
    paper["benchmarks"] = {
        name: b for name, b in paper["benchmarks"].items() if not name.startswith("parallel")
    }
    assert stages(paper)["data sets"] == stage  # the other suite asks the same
