"""Open-ended questions: which they are, and how models answer them."""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from crane.study.file_names import file_name
from crane.study.schema.corpora import language_table_problems
from crane.study.schema.fields import File, Given, Scalar, ending_problems
from crane.study.schema.section import Problem, Section


class _OpenQuestions(Section):
    style: Literal["lape", "raw"] = Field(
        description='lape: "Q: {question}{suffix}\\nA:", stopped at the next turn; raw: the question alone.'
    )
    suffix: dict[str, str] = Field(
        description="Language -> text after the question that asks for an answer in that language; may be empty."
    )
    chat_template: bool = Field(description="Apply the tokenizer's chat template to the question.")
    template: Given[dict[str, Scalar]] = Field(
        default=None,
        description="Arguments of the chat template, such as {enable_thinking: false}; only with chat_template.",
    )
    date: Given[str] = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="The day, in quotes, that a chat template gets that asks for today's; only with chat_template.",
    )
    max_new_tokens: int = Field(
        ge=1, description="Maximum length of an answer, in tokens; 2048 in the paper."
    )
    repetition_penalty: float = Field(gt=0, description="As in transformers and vLLM; 1.1 in the paper.")
    context: int = Field(
        ge=2, description="Maximum length of prompt and answer together, cut to the model's own limit."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield what has no meaning without a chat template, and a day that does not exist."""
        for key in ("template", "date"):
            if getattr(self, key) is not None and not self.chat_template:
                yield Problem(key, "has no meaning without chat_template: true; remove it")
        if self.date is not None and not _is_day(self.date):
            yield Problem("date", f'{self.date} is no day; write it as "2026-01-31"')


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


class GeneratedOpenQuestions(_OpenQuestions):
    """The demo's generated questions."""

    source: Literal["generated"] = Field(description="generated: the demo's questions.")


class LocalOpenQuestions(_OpenQuestions):
    """Questions from files."""

    source: Literal["local"] = Field(description="local: files on this machine, or files to download.")
    files: dict[str, File] = Field(
        description="Language -> file of {question, reference} (JSON, CSV, TSV or Parquet), or .txt file of one "
        "question per line; a path or {url, sha256}."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield files that cannot be read, and the problems of all open questions."""
        yield from super().problems()
        for language, file in self.files.items():
            name = file if isinstance(file, str) else file_name({"url": file.url})
            yield from ending_problems(f"files.{language}", name)


OpenQuestions = Annotated[GeneratedOpenQuestions | LocalOpenQuestions, Field(discriminator="source")]


def open_question_problems(
    asked: GeneratedOpenQuestions | LocalOpenQuestions, languages: Collection[str]
) -> Iterator[Problem]:
    """Yield languages that the tables of the open questions lack."""
    yield from language_table_problems("open_questions.suffix", asked.suffix, languages)
    if isinstance(asked, LocalOpenQuestions):
        yield from language_table_problems("open_questions.files", asked.files, languages)
