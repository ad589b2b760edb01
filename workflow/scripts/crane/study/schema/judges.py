"""Judges: who scores the answers to open questions."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from crane.study.schema.fields import Given, Label
from crane.study.schema.section import Problem, Section

PositiveInteger = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]


class ReferenceJudge(Section):
    """chrF against a reference answer; not an LLM."""

    label: Label
    kind: Literal["reference"] = Field(description="reference: chrF against a reference answer; not an LLM.")
    char_order: int = Field(ge=1, description="Maximum length of the character n-grams of chrF.")
    word_order: int = Field(ge=0, description="Maximum length of the word n-grams; 0 for plain chrF.")


class Price(Section):
    """Price per million tokens, in the currency of your bill."""

    input: float = Field(ge=0, description="Price of a million tokens read.")
    output: float = Field(ge=0, description="Price of a million tokens written.")


class Dialect(Section):
    """What an endpoint knows of OpenAI's requests."""

    max_tokens: Given[Literal["max_completion_tokens", "max_tokens"]] = Field(
        default=None,
        description="Field of a request that holds the maximum length of a reply; default: max_completion_tokens.",
    )
    system: Given[bool] = Field(
        default=None,
        description="Whether the endpoint knows the system role (default: true); if not, its text is put before the "
        "user's.",
    )


class _LlmJudge(Section):
    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"base_url": ["key_variable"]}})

    label: Label
    model: str = Field(
        min_length=1, description="Model as the endpoint names it; preferably a dated snapshot."
    )
    base_url: Given[Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$")]] = Field(
        default=None,
        description="Address of the endpoint, ending in /v1, without user name or password; default: OpenAI's.",
    )
    key_variable: Annotated[str, Field(pattern="^[A-Z_][A-Z0-9_]*$")] | None = Field(
        default=None,
        description="Name of the environment variable that holds the API key, never the key itself; null if the "
        "endpoint needs none. Default: OPENAI_API_KEY; required with base_url, so that no other server gets it.",
    )
    prompt: Literal["crane", "mtbench"] = Field(
        description="File of workflow/prompts without its extension; crane: a JSON verdict; mtbench: a line "
        "Rating: [[5]]."
    )
    output: Literal["json_schema", "text"] = Field(
        description="json_schema: the endpoint restricts replies to a schema; text: the verdict is parsed from free "
        "text."
    )
    temperature: Given[Amount] = Field(
        default=None, description="Sampling temperature; not sent if left out."
    )
    seed: Given[Annotated[int, Field(ge=0)]] = Field(
        default=None, description="Sampling seed; not sent if left out."
    )
    max_tokens: int = Field(
        ge=1, description="Maximum length of a reply, in tokens, including those of reasoning."
    )
    dialect: Given[Dialect] = Field(
        default=None, description="For endpoints that refuse parts of OpenAI's requests; default: OpenAI's."
    )
    attempts: int = Field(
        ge=1, description="Maximum number of requests per answer; repeated while no verdict can be parsed."
    )
    price: Given[Price] = Field(
        default=None,
        description="Per million tokens, in the currency of your bill; for the usage table only.",
    )
    timeout: Given[PositiveInteger] = Field(
        default=None, description="Seconds after which a request counts as lost. Reruns nothing."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield an endpoint without the name of its key, and a prompt that cannot have the output."""
        if self.base_url is not None and "key_variable" not in self.model_fields_set:
            yield Problem(
                "",
                "missing key key_variable; with base_url there is no default (null if the endpoint needs no key)",
            )
        if self.prompt == "mtbench" and self.output == "json_schema":
            yield Problem("output", "prompt 'mtbench' asks for text, not for 'json_schema'; set output: text")


class OpenaiJudge(_LlmJudge):
    """An LLM behind an OpenAI-compatible endpoint, with one request per answer."""

    kind: Literal["openai"] = Field(
        description="openai: an LLM behind an OpenAI-compatible endpoint, with one request per answer."
    )
    concurrency: Given[PositiveInteger] = Field(
        default=None, description="Requests in flight. Reruns nothing."
    )


class OpenaiBatchJudge(_LlmJudge):
    """An LLM behind an OpenAI-compatible endpoint, through its batches: within a day, at half the price."""

    kind: Literal["openai_batch"] = Field(
        description="openai_batch: as openai, through the endpoint's batches: within a day, at half the price."
    )
    poll_seconds: Given[PositiveInteger] = Field(
        default=None, description="Seconds between two status requests for a batch. Reruns nothing."
    )


Judge = Annotated[ReferenceJudge | OpenaiJudge | OpenaiBatchJudge, Field(discriminator="kind")]
