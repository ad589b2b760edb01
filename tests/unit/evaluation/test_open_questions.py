"""The prompts that are made of open questions."""

import pytest
from crane.evaluation.chat import ChatError
from crane.evaluation.open_questions import STYLES, open_text, prompts, render_questions
from crane.evaluation.prompts import PromptError

TURN = "[user] {{ messages[0].content }}{% if add_generation_prompt %} [a]{% endif %}"


def test_each_style_has_its_form(tokenizer):
    assert open_text("Why?", tokenizer, style="lape", suffix=" Answer in English.") == (
        "Q: Why? Answer in English.\nA:",
        ("\nQ:", "\nA:"),
    )
    assert open_text("Why?", tokenizer, style="lape") == ("Q: Why?\nA:", ("\nQ:", "\nA:"))
    assert open_text("Why?", tokenizer, style="raw", suffix=" Answer in English.") == ("Why?", ())
    with pytest.raises(PromptError, match="'chat'; known: lape, raw"):
        open_text("Why?", tokenizer, style="chat")


@pytest.mark.parametrize("style", STYLES)
def test_the_chat_template_is_put_around_the_question(tokenizer, monkeypatch, style):
    monkeypatch.setattr(tokenizer, "chat_template", TURN)
    suffix = " In English." if style == "lape" else ""
    text = open_text("Why?", tokenizer, style=style, suffix=" In English.", chat_template=True)
    assert text == (f"[user] Why?{suffix} [a]", ())


def test_a_chat_template_with_bos_gives_one_bos(tokenizer, monkeypatch):
    # LLaMA-2's and LLaMA-3's templates begin with BOS, and the tokenizer adds its own.
    monkeypatch.setattr(tokenizer, "chat_template", "{{ bos_token }}[INST] {{ messages[0].content }} [/INST]")
    ids = tokenizer(open_text("Why?", tokenizer, style="raw", chat_template=True)[0]).input_ids
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_a_missing_chat_template_is_told(tokenizer):
    with pytest.raises(ChatError, match=r"open_questions\.chat_template: false"):
        open_text("Why?", tokenizer, style="lape", chat_template=True)


def test_the_arguments_of_a_template_are_those_of_the_study(tokenizer, monkeypatch):
    thinking = TURN + "{% if enable_thinking is not defined or enable_thinking %} <think>{% endif %}"
    monkeypatch.setattr(tokenizer, "chat_template", thinking)
    asked = {"style": "raw", "chat_template": True}
    assert open_text("Why?", tokenizer, **asked)[0] == "[user] Why? [a] <think>"
    template = {"enable_thinking": False}
    assert open_text("Why?", tokenizer, **asked, template=template)[0] == "[user] Why? [a]"


def test_a_template_gets_the_date_of_the_study_or_none(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "chat_template", "{{ strftime_now('%d %b %Y') }} " + TURN)
    asked = {"style": "raw", "chat_template": True}
    assert open_text("Why?", tokenizer, **asked, date="2024-02-29")[0] == "29 Feb 2024 [user] Why? [a]"
    with pytest.raises(ChatError, match=r"today's date into every prompt; set open_questions\.date"):
        open_text("Why?", tokenizer, **asked)
    # LLaMA 3's asks for the date only if it is not an argument.
    llama = "{{ date_string if date_string is defined else strftime_now('%d %b %Y') }} " + TURN
    monkeypatch.setattr(tokenizer, "chat_template", llama)
    text, _ = open_text("Why?", tokenizer, **asked, template={"date_string": "26 Jul 2024"})
    assert text == "26 Jul 2024 [user] Why? [a]"


def test_a_template_that_raises_is_told(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "chat_template", "{{ raise_exception('no tools given') }}")
    with pytest.raises(
        ChatError, match=r"cannot be rendered \(no tools given\); correct open_questions\.template"
    ):
        open_text("Why?", tokenizer, style="raw", chat_template=True)


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("style", STYLES)
def test_special_tokens_in_a_question_are_text(tokenizer, monkeypatch, style, chat):
    monkeypatch.setattr(tokenizer, "chat_template", "{{ bos_token }}" + TURN + "{{ eos_token }}")
    question = f" Why {tokenizer.eos_token}{tokenizer.bos_token}? "
    how = {"style": style, "suffix": {"en": ""}, "chat_template": chat, "context": 96}
    rendered = render_questions({"en": [{"question": question}, {"question": "Why?"}]}, tokenizer, **how)
    assert rendered.attrs["special"] == 1
    for ids in rendered["ids"]:
        assert ids.tolist().count(tokenizer.bos_token_id) == 1
        assert ids.tolist().count(tokenizer.eos_token_id) == chat


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
