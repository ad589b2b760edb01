"""Rendered questions are what lm-eval itself would send, and score as it scores them."""

import json
import socket

import numpy as np
import pandas as pd
import pytest
import yaml
from crane.artefacts import read_table, write_table
from crane.evaluation import benchmarks
from crane.evaluation.collect import choices
from crane.evaluation.conditions import Prompts, ask
from crane.evaluation.engine import questions
from crane.evaluation.hf import HuggingFaceEngine
from crane.evaluation.prompts import PromptError, render_benchmark
from support import hub_datasets, stock_lm

pytestmark = pytest.mark.usefixtures("few_tasks")
SHOTS = 5


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """Return a folder with the data sets of MMLU, C-Eval and Belebele."""
    folder = tmp_path_factory.mktemp("datasets")
    assert len(hub_datasets.write_mmlu(folder / "mmlu")) == 57
    assert len(hub_datasets.write_ceval(folder / "ceval")) == 52
    hub_datasets.write_belebele(folder / "belebele")
    return folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory, make_model, tokenizer):
    """Return a tiny model with room for five solved examples."""
    folder = tmp_path_factory.mktemp("model")
    model = make_model("llama", seed=3, vocabulary=len(tokenizer), max_position_embeddings=2048)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return HuggingFaceEngine(folder, batch_tokens=4096)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def settings(task, dataset, **more):
    return {"task": task, "dataset": str(dataset), "fewshot": SHOTS, **more}


def sent_by_lm_eval(engine, tasks):
    """Return (context, choice) token pairs of lm-eval's requests, in the order in which it makes them."""
    lm = stock_lm.hugging_face(engine)
    pairs = []

    def record(requests, **_):
        pairs.extend((context, choice) for _, context, choice in requests)
        return [(0.0, False)] * len(requests)

    lm._loglikelihood_tokens = record
    samples = stock_lm.evaluated(lm, tasks)
    return pairs, samples


PAPER = [
    # task, data set, tasks in it, questions of each, what ends a question
    ("mmlu", "mmlu", 57, 2, "\nAnswer:"),
    ("ceval-valid", "ceval", 52, 2, "\n答案："),
    ("belebele_vie_Latn", "belebele", 1, 8, "\nAnswer:"),
]


@pytest.mark.parametrize(
    ("task", "dataset", "leaves", "count", "end"), PAPER, ids=[each[0] for each in PAPER]
)
def test_records_equal_what_lm_eval_sends(engine, datasets, task, dataset, leaves, count, end):
    """All 110 task definitions of the paper, 5-shot, on copies of their data sets in their own layout."""
    given = settings(task, datasets / dataset)
    tasks = benchmarks.load(task, given)
    assert len(tasks["tasks"]) == leaves
    rendered = render_benchmark(task, tasks, given, engine.tokenizer, engine.limit)
    assert len(rendered) == leaves * count
    assert rendered["task"].nunique() == leaves
    pairs, samples = sent_by_lm_eval(engine, tasks)
    ours = [pair for question in questions(rendered) for pair in question.pairs()]
    assert ours == pairs
    assert [sample["doc_hash"] for sample in samples] == rendered["doc_hash"].tolist()
    assert [sample["doc_id"] for sample in samples] == rendered["doc_id"].tolist()
    for question, sample in zip(questions(rendered), samples, strict=True):
        assert len(question.contexts) == 1
        context = sample["arguments"][0][0]
        assert context.count(end) == SHOTS + 1
        assert context.endswith(end)
        asked = [line for line in context.splitlines() if "which of these is number" in line]
        assert len(set(asked)) == SHOTS + 1  # the question asked is none of the examples


@pytest.mark.parametrize("task", ["mmlu_anatomy", "ceval-valid_law", "belebele_vie_Latn"])
def test_scores_equal_lm_evals_evaluation(engine, datasets, task):
    dataset = datasets / task.partition("_")[0].removesuffix("-valid")
    given = settings(task, dataset)
    tasks = benchmarks.load(task, given)
    rendered = render_benchmark(task, tasks, given, engine.tokenizer, engine.limit)
    found = choices(rendered, ask(engine, Prompts(task, "choices", rendered, {})))
    samples = stock_lm.evaluated(stock_lm.hugging_face(engine), tasks)
    for ours, theirs in zip(found["loglikelihoods"], stock_lm.loglikelihoods(samples), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert found["correct"].tolist() == [int(sample["acc"]) for sample in samples]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return the settings of a task like arc_easy: choices of several tokens, examples drawn by lm-eval's sampler."""
    folder = tmp_path_factory.mktemp("drawn")
    rng = np.random.default_rng(0)
    for split, size in (("train", 12), ("test", 6)):
        rows = [
            {
                "question": f"What is asked in {split} question {number}?",
                "choices": {
                    "text": [f"answer {number} {place}" for place in range(4)],
                    "label": list("ABCD"),
                },
                "answerKey": "ABCD"[rng.integers(4)],
            }
            for number in range(size)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "task": "arc_like", "dataset_path": "json", "output_type": "multiple_choice",
        "dataset_kwargs": {"data_files": {s: str(folder / f"{s}.jsonl") for s in ("train", "test")}},
        "training_split": "train", "test_split": "test", "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "{{choices.text}}", "doc_to_target": "{{choices.label.index(answerKey)}}",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    }  # fmt: skip
    (folder / "arc_like.yaml").write_text(yaml.safe_dump(task))
    return folder


def load_drawn(folder, monkeypatch, shots=3):
    monkeypatch.setattr(benchmarks, "TASKS", folder)
    return benchmarks.load("arc", {"task": "arc_like", "fewshot": shots})


def test_a_task_with_the_default_sampler_is_drawn_once_with_one_seed(engine, drawn, monkeypatch):
    rendered = [
        render_benchmark("arc", load_drawn(drawn, monkeypatch), {}, engine.tokenizer, engine.limit)
        for _ in range(2)
    ]
    assert questions(rendered[0]) == questions(rendered[1])
    pairs, _ = sent_by_lm_eval(engine, load_drawn(drawn, monkeypatch))
    assert [pair for question in questions(rendered[0]) for pair in question.pairs()] == pairs
    examples = {
        engine.tokenizer.decode(q.contexts[0]).rpartition("Question:")[0] for q in questions(rendered[0])
    }
    assert len(examples) > 1  # each question has examples of its own


def test_choices_of_several_tokens_score_as_in_lm_eval(engine, drawn, monkeypatch):
    tasks = load_drawn(drawn, monkeypatch)
    rendered = render_benchmark("arc", tasks, {}, engine.tokenizer, engine.limit)
    assert all(len(choice) > 1 for question in questions(rendered) for choice in question.choices)
    found = choices(rendered, ask(engine, Prompts("arc", "choices", rendered, {})))
    samples = stock_lm.evaluated(stock_lm.hugging_face(engine), load_drawn(drawn, monkeypatch))
    for ours, theirs in zip(found["loglikelihoods"], stock_lm.loglikelihoods(samples), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert found["correct"].tolist() == [int(sample["acc"]) for sample in samples]


def test_records_survive_a_file(engine, drawn, monkeypatch, tmp_path):
    rendered = render_benchmark("arc", load_drawn(drawn, monkeypatch), {}, engine.tokenizer, engine.limit)
    write_table(rendered, tmp_path / "arc.parquet", {})
    read = read_table(tmp_path / "arc.parquet")
    assert questions(read) == questions(rendered)
    pd.testing.assert_frame_equal(
        read[["task", "doc_id", "doc_hash", "stratum", "cluster", "tokens"]],
        rendered[["task", "doc_id", "doc_hash", "stratum", "cluster", "tokens"]],
    )
    assert Prompts("arc", "choices", read, {}).digest() == Prompts("other", "choices", rendered, {}).digest()


def test_strata_and_clusters_are_fields_of_the_question(engine, datasets):
    given = settings("belebele_vie_Latn", datasets / "belebele", cluster_by="link", stratify_by="dialect")
    tasks = benchmarks.load("belebele", given)
    rendered = render_benchmark("belebele", tasks, given, engine.tokenizer, engine.limit)
    assert rendered["cluster"].tolist() == [f"https://example.org/{i // 2}" for i in range(8)]
    assert set(rendered["stratum"]) == {"vie_Latn"}


def test_an_overlong_question_is_refused_with_its_place(engine, drawn, monkeypatch):
    tasks = load_drawn(drawn, monkeypatch)
    lengths = render_benchmark("arc", tasks, {}, engine.tokenizer, None)["tokens"]
    limit = int(lengths.max()) - 1
    first = int(np.flatnonzero(lengths > limit)[0])
    message = rf"'arc', task 'arc_like', question {first}: {lengths[first]} tokens, the model can read {limit}; .*drop"
    with pytest.raises(PromptError, match=message):
        render_benchmark("arc", tasks, {}, engine.tokenizer, limit)


def test_overlong_questions_are_dropped_and_counted(engine, drawn, monkeypatch):
    tasks = load_drawn(drawn, monkeypatch)
    whole = render_benchmark("arc", tasks, {}, engine.tokenizer, None)
    limit = int(whole["tokens"].max()) - 1
    kept = render_benchmark("arc", tasks, {"overlong": "drop"}, engine.tokenizer, limit)
    assert kept.attrs["dropped"] == int((whole["tokens"] > limit).sum()) > 0
    assert kept["doc_id"].tolist() == whole.loc[whole["tokens"] <= limit, "doc_id"].tolist()
    with pytest.raises(PromptError, match="no question is short enough for the 3 tokens"):
        render_benchmark("arc", tasks, {"overlong": "drop"}, engine.tokenizer, 3)


def test_a_prompt_without_bos_is_refused(engine, drawn, monkeypatch):
    class WithoutBos:
        def __getattr__(self, name):
            return getattr(engine.tokenizer, name)

        def __call__(self, texts, **_):
            return engine.tokenizer(texts, add_special_tokens=False)

    with pytest.raises(PromptError, match=r"question 0: the prompt does not begin with BOS \(0\)"):
        render_benchmark("arc", load_drawn(drawn, monkeypatch), {}, WithoutBos(), None)


def test_a_task_that_is_not_multiple_choice_is_refused(engine, drawn, monkeypatch):
    tasks = load_drawn(drawn, monkeypatch)
    (task,) = tasks["tasks"].values()
    monkeypatch.setattr(task, "OUTPUT_TYPE", "generate_until")
    with pytest.raises(PromptError, match="generate_until is not supported"):
        render_benchmark("arc", tasks, {}, engine.tokenizer, None)
