"""The prompts that are made of open questions."""

import pytest
from crane.evaluation.open_questions import STYLES, open_text, prompts, render_questions
from crane.evaluation.prompts import PromptError


def test_each_style_has_its_form():
    assert open_text("Why?", "lape", " Answer in English.") == (
        "Q: Why? Answer in English.\nA:",
        ("\nQ:", "\nA:"),
    )
    assert open_text("Why?", "lape") == ("Q: Why?\nA:", ("\nQ:", "\nA:"))
    assert open_text("Why?", "raw", " Answer in English.") == ("Why?", ())
    with pytest.raises(PromptError, match="'chat'; known: lape, raw"):
        open_text("Why?", "chat")


@pytest.mark.parametrize("style", STYLES)
def test_the_chat_template_is_put_around_the_question(tokenizer, monkeypatch, style):
    turns = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
    template = turns + "{% if add_generation_prompt %} [a]{% endif %}"
    monkeypatch.setattr(tokenizer, "chat_template", template)
    suffix = " In English." if style == "lape" else ""
    assert open_text("Why?", style, " In English.", tokenizer) == (f"[user] Why?{suffix} [a]", ())


def test_a_chat_template_with_bos_gives_one_bos(tokenizer, monkeypatch):
    # LLaMA-2's and LLaMA-3's templates begin with BOS, and the tokenizer adds its own.
    monkeypatch.setattr(tokenizer, "chat_template", "{{ bos_token }}[INST] {{ messages[0].content }} [/INST]")
    ids = tokenizer(open_text("Why?", "raw", tokenizer=tokenizer)[0]).input_ids
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_a_missing_chat_template_is_told(tokenizer):
    with pytest.raises(PromptError, match=r"open_questions\.chat_template: false"):
        open_text("Why?", "lape", tokenizer=tokenizer)


SETTINGS = {"style": "lape", "suffix": {"en": "", "vi": " (vi)"}, "chat_template": False, "context": 96}


def test_rendered_questions_hold_prompt_tokens_and_stops(tokenizer):
    asked = {
        "en": [{"question": "Why?"}],
        "vi": [{"question": "Sao?", "reference": "Vì"}, {"question": "Ai?"}],
    }
    rendered = render_questions(asked, tokenizer, **SETTINGS)
    assert rendered["language"].tolist() == ["en", "vi", "vi"]
    assert rendered["question_id"].tolist() == [0, 0, 1]
    assert rendered["reference"].tolist() == [None, "Vì", None]
    assert rendered["prompt"].tolist()[1] == "Q: Sao? (vi)\nA:"
    for text, ids, prompt in zip(rendered["prompt"], rendered["ids"], prompts(rendered), strict=True):
        assert ids.tolist() == tokenizer(text).input_ids == prompt.ids
        assert prompt.ids[0] == tokenizer.bos_token_id
        assert prompt.stop == ("\nQ:", "\nA:")
    assert rendered["tokens"].tolist() == [len(ids) for ids in rendered["ids"]]


def test_a_question_without_room_for_an_answer_is_refused(tokenizer):
    asked = {"en": [{"question": "Why?"}, {"question": "Which month comes after March? " * 20}]}
    with pytest.raises(PromptError, match=r"open question 1 in 'en': \d+ tokens leave no room .* in 96"):
        render_questions(asked, tokenizer, **SETTINGS)


def test_no_languages_give_an_empty_table_with_columns(tokenizer):
    assert "ids" in render_questions({}, tokenizer, **SETTINGS)
