"""Benchmarks: tasks checked when they are loaded, answers equal to log-probabilities computed by hand."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from crane.evaluation import benchmarks
from crane.evaluation.benchmarks import BenchmarkError
from crane.evaluation.collect import choices
from crane.evaluation.conditions import Prompts, ask
from crane.evaluation.hf import HuggingFaceEngine
from crane.evaluation.prompts import render_benchmark
from crane.neurons.neuron_set import NeuronSet
from support import hub_datasets

ITEMS = [
    {"question": "Which month comes after March?", "choices": ["April", "June", "May", "July"], "answer": 0,
     "relation": "month", "passage": "p1"},
    {"question": "Which currency is used in Japan?", "choices": ["yen", "the Paris", "French"], "answer": 1,
     "relation": "money", "passage": "p1"},
    {"question": "What is the capital of Viet Nam?", "choices": ["Paris", "Ha Noi", "Beijing"], "answer": 2,
     "relation": "capital", "passage": "p2"},
    {"question": "Which language?", "choices": ["French", "Chinese"], "answer": 1,
     "relation": "language", "passage": "p2"},
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(model_folder):
    return HuggingFaceEngine(model_folder, batch_tokens=120)


def answer(engine, tasks, **fields):
    """Return one row per question, as the workflow's tables have them."""
    rendered = render_benchmark("quiz", tasks, fields, engine.tokenizer, engine.limit)
    return choices(rendered, ask(engine, Prompts("quiz", "choices", rendered, {})))


def write(path, items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def settings(path, **more):
    return {"task": "question_with_choices", "fewshot": 0, "data": path, **more}


@pytest.fixture(scope="module")
def asked(tmp_path_factory, engine):
    """Return the loaded benchmark and its results."""
    path = write(tmp_path_factory.mktemp("data") / "quiz.jsonl", ITEMS)
    tasks = benchmarks.load("quiz", settings(path))
    return tasks, answer(engine, tasks)


def loglikelihood(engine, item, choice):
    """Sum of the log-probabilities of the choice's tokens after the question, computed by hand."""
    context = f"Q: {item['question']}\nA:"
    ids = engine.tokenizer(f"{context} {choice}").input_ids
    start = len(engine.tokenizer(context).input_ids)
    with torch.no_grad():
        logprobs = engine.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(logprobs[t - 1, ids[t]]) for t in range(start, len(ids)))


def test_loglikelihoods_equal_a_computation_by_hand(engine, asked):
    _, results = asked
    assert len(results) == len(ITEMS)
    for item, row in zip(ITEMS, results.itertuples(), strict=True):
        expected = [loglikelihood(engine, item, choice) for choice in item["choices"]]
        assert row.loglikelihoods.dtype == np.float32
        np.testing.assert_allclose(row.loglikelihoods, expected, atol=1e-4)
        assert row.correct == int(np.argmax(expected) == item["answer"])
        share = np.exp(expected) / np.exp(expected).sum()
        assert row.probability == pytest.approx(share[item["answer"]], abs=1e-4)


def test_rows_name_their_questions(asked):
    _, results = asked
    assert results["task"].tolist() == ["question_with_choices"] * 4
    assert results["doc_id"].tolist() == [0, 1, 2, 3]
    assert results["doc_hash"].nunique() == 4
    assert results["stratum"].tolist() == ["question_with_choices"] * 4
    assert results["cluster"].tolist() == [f"question_with_choices/{i}" for i in range(4)]


def test_strata_and_clusters_are_fields_of_the_question(engine, asked):
    tasks, _ = asked
    results = answer(engine, tasks, stratify_by="relation", cluster_by="passage")
    assert results["stratum"].tolist() == ["month", "money", "capital", "language"]
    assert results["cluster"].tolist() == ["p1", "p1", "p2", "p2"]


@pytest.mark.parametrize("setting", ["stratify_by", "cluster_by"])
def test_a_field_that_questions_lack_is_told_before_any_is_asked(tmp_path, setting):
    path = write(tmp_path / "quiz.jsonl", ITEMS)
    message = rf"'quiz'.*quiz\.jsonl, line 1: no field 'topic' \({setting}\); there are: .*relation, passage"
    with pytest.raises(BenchmarkError, match=message):
        benchmarks.load("quiz", settings(path, **{setting: "topic"}))
    partly = [*ITEMS[:3], {key: value for key, value in ITEMS[3].items() if key != "passage"}]
    path = write(tmp_path / "partly.jsonl", partly)
    with pytest.raises(BenchmarkError, match=r"partly\.jsonl, line 4: no field 'passage' .*relation$"):
        benchmarks.load("quiz", settings(path, **{setting: "passage"}))
    benchmarks.load("quiz", settings(path, **{setting: "relation"}))


def test_a_mask_changes_the_results_and_leaves_no_trace(engine, asked):
    tasks, before = asked
    flags = np.random.default_rng(0).random((1, 3, 48)) < 0.4
    with engine.masked(NeuronSet.from_flags(flags, ["en"]), "en"):
        masked = answer(engine, tasks)
        by_hand = [loglikelihood(engine, ITEMS[0], choice) for choice in ITEMS[0]["choices"]]
    np.testing.assert_allclose(masked["loglikelihoods"][0], by_hand, atol=1e-4)
    assert np.abs(masked["loglikelihoods"][0] - before["loglikelihoods"][0]).max() > 0.01
    assert masked["doc_hash"].tolist() == before["doc_hash"].tolist()
    pd.testing.assert_frame_equal(answer(engine, tasks), before)


@pytest.mark.parametrize("label", [4, -1, "August"])
def test_a_wrong_label_names_the_question(tmp_path, label):
    items = [dict(item, choices=[*item["choices"]][:2], answer=0) for item in ITEMS]
    if isinstance(label, str):
        items = [dict(item, answer=item["choices"][0]) for item in items]
    items[2]["answer"] = label
    path = write(tmp_path / "quiz.jsonl", items)
    with pytest.raises(
        BenchmarkError, match=r"'quiz'.*quiz\.jsonl, line 3: 'answer' .* none of its 2 choices"
    ) as caught:
        benchmarks.load("quiz", settings(path))
    assert str(label) in str(caught.value)


def test_labels_may_be_the_choices_themselves(tmp_path, engine, asked):
    items = [dict(item, answer=item["choices"][item["answer"]]) for item in ITEMS]
    path = write(tmp_path / "quiz.jsonl", items)
    results = answer(engine, benchmarks.load("quiz", settings(path)))
    _, by_number = asked
    assert results["correct"].tolist() == by_number["correct"].tolist()
    np.testing.assert_allclose(results["probability"], by_number["probability"], atol=1e-6)


def test_repeated_choices_are_refused(tmp_path):
    items = [dict(ITEMS[0]), dict(ITEMS[1], choices=["yen", "yen", "won"])]
    with pytest.raises(BenchmarkError, match=r"quiz\.jsonl, line 2: choices repeat \('yen'\)"):
        benchmarks.load("quiz", settings(write(tmp_path / "quiz.jsonl", items)))


def test_a_missing_field_is_told(tmp_path):
    items = [{key: value for key, value in item.items() if key != "answer"} for item in ITEMS]
    with pytest.raises(BenchmarkError, match="'quiz'"):
        benchmarks.load("quiz", settings(write(tmp_path / "quiz.jsonl", items)))


def test_a_missing_or_damaged_file_is_told(tmp_path):
    with pytest.raises(BenchmarkError, match=r"'quiz'.*nothing\.jsonl"):
        benchmarks.load("quiz", settings(tmp_path / "nothing.jsonl"))
    (tmp_path / "broken.jsonl").write_text('{"question": \n')
    with pytest.raises(BenchmarkError, match=r"'quiz'.*broken\.jsonl"):
        benchmarks.load("quiz", settings(tmp_path / "broken.jsonl"))


def test_an_unknown_task_is_told(few_tasks):
    with pytest.raises(BenchmarkError, match="'quiz': unknown lm-eval task 'question_with_choice'"):
        benchmarks.load("quiz", {"task": "question_with_choice", "fewshot": 0})


@pytest.mark.usefixtures("few_tasks")
def test_one_download_serves_belebele_in_all_languages(tmp_path):
    hub_datasets.write_belebele(tmp_path)
    for language in hub_datasets.LANGUAGES:
        given = {"task": f"belebele_{language}", "dataset": str(tmp_path), "fewshot": 5}
        (task,) = benchmarks.load(language, given)["tasks"].values()
        assert [doc["dialect"] for doc in task.eval_docs] == [language] * 8


@pytest.mark.usefixtures("few_tasks")
def test_a_dataset_without_the_part_asked_for_is_told(tmp_path):
    hub_datasets.write_mmlu(tmp_path / "mmlu")
    for folder in ("mmlu", "nothing"):
        with pytest.raises(BenchmarkError, match=rf"'law': cannot read .*{folder}"):
            benchmarks.load(
                "law", {"task": "ceval-valid_law", "dataset": str(tmp_path / folder), "fewshot": 5}
            )


def test_texts_that_look_like_dates_stay_texts(tmp_path):
    items = [
        {"question": "2001-02-03", "choices": ["1990-01-01", "1991-01-01 10:00:00"], "answer": 0},
        {"question": "2002-02-03", "choices": ["1992-01-01", "1993-01-01"], "answer": 1},
    ]
    (task,) = benchmarks.load("quiz", settings(write(tmp_path / "quiz.jsonl", items)))["tasks"].values()
    assert list(task.eval_docs) == items


def test_fields_of_several_types_do_not_matter(tmp_path):
    items = [dict(ITEMS[0], meta={"x": 1}), dict(ITEMS[1], meta="none")]
    (task,) = benchmarks.load("quiz", settings(write(tmp_path / "quiz.jsonl", items)))["tasks"].values()
    assert [doc["choices"] for doc in task.eval_docs] == [item["choices"] for item in items]
