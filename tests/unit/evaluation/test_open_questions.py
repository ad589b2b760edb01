"""The reference judge's scale and refusals, and the prompts of the open questions."""

import json
from pathlib import Path

import pytest
import yaml
from crane.artefacts import ArtefactError
from crane.evaluation.open_questions import STYLES, Prompt, PromptError, open_question, read_questions
from crane.judging.interface import JudgeError
from crane.judging.reference import ReferenceJudge
from crane.judging.verdicts import read_reply
from crane.study.check import ConfigError, check
from crane.study.judges import describe, speed
from sacrebleu.metrics import CHRF


def judged(output, reference="The currency of Japan is the yen.", **settings):
    reply = ReferenceJudge(**settings)({"question": "q", "output": output, "reference": reference})
    return read_reply(reply, {"kind": "reference"}, output).score


def test_the_scale():
    assert judged("The currency of Japan is the yen.") == pytest.approx(10)
    assert judged("  The currency of Japan is the yen.\n") == pytest.approx(10)
    assert judged("") == pytest.approx(1, abs=0.05)
    assert judged("北京") == pytest.approx(1, abs=0.05)
    assert 1 < judged("Yen.") < judged("The currency is the yen.") < 10


@pytest.mark.parametrize(("char_order", "word_order"), [(6, 0), (3, 0), (6, 2)])
def test_the_score_is_chrf(char_order, word_order):
    output, reference = "Ha Noi is a capital", "The capital of Viet Nam is Ha Noi"
    chrf = CHRF(char_order=char_order, word_order=word_order)
    expected = 1 + 9 * chrf.sentence_score(output, [reference]).score / 100
    assert judged(output, reference, char_order=char_order, word_order=word_order) == expected


@pytest.mark.parametrize("record", [{}, {"reference": ""}, {"reference": None}])
def test_a_missing_reference_names_the_question(record):
    with pytest.raises(JudgeError, match="'Which month' has no reference answer"):
        ReferenceJudge()({"question": "Which month", "output": "May", **record})


def test_the_label_says_what_judges():
    assert "not an LLM" in describe({"kind": "reference", "label": "GPT"})
    gpt = {"kind": "openai", "label": "GPT-4o", "model": "gpt-4o-2024-08-06", "prompt": "crane"}
    assert describe(gpt) == "GPT-4o (gpt-4o-2024-08-06, prompt crane)"


@pytest.mark.parametrize("kind", ["openai", "openai_batch"])
def test_no_server_gets_a_key_that_is_meant_for_another(kind):
    """Where an address is given, the key for it is named, or said to be none; OpenAI's is for OpenAI alone."""
    demo = yaml.safe_load((Path(__file__).parents[2] / "config" / "demo.yaml").read_text(encoding="utf-8"))
    gpt = {
        "kind": kind, "label": "GPT", "model": "m", "prompt": "crane", "output": "text", "max_tokens": 9, "attempts": 1,
    }  # fmt: skip
    elsewhere = {**gpt, "base_url": "http://host/v1"}

    def checked(judge):
        check({**demo, "judges": {"gpt": judge}})
        return speed(judge)["key_variable"]

    with pytest.raises(ConfigError, match=r"judges\.gpt: missing key key_variable"):
        checked(elsewhere)
    assert checked(gpt) == "OPENAI_API_KEY"
    assert checked({**elsewhere, "key_variable": None}) == ""
    assert checked({**elsewhere, "key_variable": "MY_KEY"}) == "MY_KEY"


# Prompts ------------------------------------------------------------------------------------------------


def test_styles():
    assert open_question("Why?", "lape", " Answer in English.") == Prompt(
        "Q: Why? Answer in English.\nA:", ("\nQ:", "\nA:")
    )
    assert open_question("Why?", "lape") == Prompt("Q: Why?\nA:", ("\nQ:", "\nA:"))
    assert open_question("Why?", "raw", " Answer in English.") == Prompt("Why?", ())
    with pytest.raises(PromptError, match="'chat'; known: lape, raw"):
        open_question("Why?", "chat")


@pytest.mark.parametrize("style", STYLES)
def test_the_chat_template_is_put_around_the_question(tokenizer, monkeypatch, style):
    turns = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
    template = turns + "{% if add_generation_prompt %} [a]{% endif %}"
    monkeypatch.setattr(tokenizer, "chat_template", template)
    suffix = " In English." if style == "lape" else ""
    assert open_question("Why?", style, " In English.", tokenizer) == Prompt(f"[user] Why?{suffix} [a]", ())


def test_a_chat_template_with_bos_gives_one_bos(tokenizer, monkeypatch):
    # LLaMA-2's and LLaMA-3's templates begin with BOS, and the tokenizer adds its own.
    monkeypatch.setattr(tokenizer, "chat_template", "{{ bos_token }}[INST] {{ messages[0].content }} [/INST]")
    ids = tokenizer(open_question("Why?", "raw", tokenizer=tokenizer).text).input_ids
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_no_chat_template(tokenizer):
    with pytest.raises(PromptError, match=r"open_questions\.chat_template: false"):
        open_question("Why?", "lape", tokenizer=tokenizer)


def test_questions_are_read_as_they_are(tmp_path):
    questions = [{"question": "Thủ đô?", "reference": "Hà Nội"}, {"question": "为什么?", "id": 7}]
    lines = [json.dumps(q, ensure_ascii=False) for q in questions]
    (tmp_path / "vi.jsonl").write_text("\n\n".join(lines), encoding="utf-8")
    assert read_questions(tmp_path / "vi.jsonl") == questions


def test_questions_may_be_lines_of_text(tmp_path):
    (tmp_path / "vi.txt").write_text("Thủ đô?\r\n\n  为什么? \nWhy\u2028not?", encoding="utf-8")
    found = [q["question"] for q in read_questions(tmp_path / "vi.txt")]
    assert found == ["Thủ đô?", "为什么?", "Why\u2028not?"]
    (tmp_path / "vi.txt").write_text("\n \n")
    with pytest.raises(PromptError, match=r"vi\.txt: no questions"):
        read_questions(tmp_path / "vi.txt")
    (tmp_path / "vi.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(PromptError, match=r"vi\.txt: not UTF-8"):
        read_questions(tmp_path / "vi.txt")


@pytest.mark.parametrize("language", ["en", "zh", "vi"])
def test_the_published_questions_are_read(real_data, language):
    questions = read_questions(real_data / "mvicuna" / f"{language}.txt")
    assert len(questions) == 70
    assert all(question.keys() == {"question"} for question in questions)


@pytest.mark.parametrize(
    "record", [{}, {"prompt": "Why?"}, *({"question": q} for q in ("", " ", None, 5, ["Why?"]))]
)
def test_a_record_without_a_question_names_file_and_record(tmp_path, record):
    (tmp_path / "vi.jsonl").write_text(f'{{"question": "Why?"}}\n{json.dumps(record)}\n')
    with pytest.raises(PromptError, match=r"vi\.jsonl, record 2: 'question' must be text"):
        read_questions(tmp_path / "vi.jsonl")


def test_a_file_without_questions_is_told(tmp_path):
    (tmp_path / "vi.jsonl").write_text("\n")
    with pytest.raises(PromptError, match=r"vi\.jsonl: no questions"):
        read_questions(tmp_path / "vi.jsonl")
    (tmp_path / "vi.jsonl").write_text("Why?\n")
    with pytest.raises(ArtefactError, match=r"vi\.jsonl, line 1: not JSON"):
        read_questions(tmp_path / "vi.jsonl")


@pytest.mark.parametrize("word", ["巴黎", "Paris", "hai", "7"])
def test_a_short_right_answer_gets_full_marks(word: str) -> None:
    """Answers shorter than the longest n-gram: chrF must use the orders that exist."""
    assert judged(f" {word}\n", word) == pytest.approx(10)
