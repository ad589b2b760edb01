"""What was asked joined to what the model made of it."""

import numpy as np
import pandas as pd
from crane.evaluation.collect import answers, choices, texts


def test_choices_are_right_where_the_most_likely_is_a_target():
    prompts = pd.DataFrame(
        {
            "task": "t", "stratum": "s", "cluster": ["a", "b", "c"], "doc_id": [0, 1, 2], "doc_hash": ["x", "y", "z"],
            "target": [[0], [1], [0, 2]], "contexts": None, "choices": None, "tokens": 3,
        }
    )  # fmt: skip
    values = np.log([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]]).astype(np.float32)
    found = choices(prompts, pd.DataFrame({"loglikelihoods": list(values)}))
    assert found["correct"].tolist() == [1, 0, 1]
    np.testing.assert_allclose(found["probability"], [0.6, 0.3, 0.8], atol=1e-6)
    assert found["loglikelihoods"][0].dtype == np.float32
    assert found["cluster"].tolist() == ["a", "b", "c"]


def test_a_tie_goes_to_the_first_choice_as_in_lm_eval():
    prompts = pd.DataFrame({"task": "t", "stratum": "s", "cluster": "c", "doc_id": [0, 1], "doc_hash": "h",
                            "target": [[0], [1]]})  # fmt: skip
    found = choices(prompts, pd.DataFrame({"loglikelihoods": [np.float32([-1, -1])] * 2}))
    assert found["correct"].tolist() == [1, 0]


def test_answers_keep_their_questions():
    prompts = pd.DataFrame({"language": ["en", "vi"], "question_id": [0, 0], "question": ["Why?", "Sao?"],
                            "reference": [None, "Vì"], "prompt": ["Q: Why?", "Q: Sao?"], "ids": None,
                            "stop": None, "tokens": 4})  # fmt: skip
    part = pd.DataFrame({"output": ["So", "Thế"], "finish_reason": ["stop", "length"]})
    found = answers(prompts, part)
    assert found.to_dict("records")[1] == {
        "language": "vi", "question_id": 0, "question": "Sao?", "reference": "Vì", "prompt": "Q: Sao?",
        "output": "Thế", "thoughts": None, "finish_reason": "length",
    }  # fmt: skip


def test_thoughts_are_kept_beside_the_answers():
    prompts = pd.DataFrame({"language": "en", "question_id": [0, 1, 2, 3], "question": "Why?", "reference": None,
                            "prompt": ["Why?", "Why?", "Why? <think>\n", "Why?"]})  # fmt: skip
    written = [
        "<think>\nHm.\n</think>\n\nSo.",
        "<think>Hm",
        "Hm.</think>So.",
        "Write </think>, then <think>.",
    ]
    found = answers(prompts, pd.DataFrame({"output": written, "finish_reason": "stop"}))
    assert found["output"].tolist() == ["So.", "", "So.", written[3]]
    assert found["thoughts"].tolist() == ["Hm.", "Hm", "Hm.", None]


def test_texts_count_predicted_tokens():
    prompts = pd.DataFrame({"sample_id": [0, 1], "text_sha256": ["a", "b"], "input_ids": [[1, 2, 3], [1, 2]]})
    found = texts(prompts, pd.DataFrame({"log_likelihood": [-4.0, -2.0]}))
    assert found["tokens"].tolist() == [2, 1]
    assert found["log_likelihood"].tolist() == [-4.0, -2.0]
