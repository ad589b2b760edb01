"""The models of a study and the engine that evaluates them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from crane.study.schema.evaluation_sample import EvaluationSample
from crane.study.schema.fields import Dtype, Given, Label, LocalPath, Repository, Revision
from crane.study.schema.section import Problem, Section, unless_known

Engine = Literal["hf", "vllm"]


class _Model(Section):
    label: Label
    layers: int = Field(ge=1, description="Number of decoder layers K.")
    intermediate_size: int = Field(ge=1, description="Neurons per layer I: the inner width of the MLP.")
    parameters: Given[Annotated[float, Field(ge=1)]] = Field(
        default=None, description="Number of parameters; used by `snakemake plan` and `preflight` only."
    )

    @property
    def neurons(self) -> int:
        """Number of neurons in all layers."""
        return self.layers * self.intermediate_size


class DemoModel(_Model):
    """A model that the demo trains."""

    source: Literal["train_demo", "finetune_demo"] = Field(
        description="train_demo: train the demo's base model; finetune_demo: train its chat model from that one."
    )


class LocalModel(_Model):
    """A model on this machine."""

    source: Literal["local"] = Field(
        description="local: use a folder in the Hugging Face format, or a GGUF file."
    )
    path: LocalPath = Field(
        description="Folder with the model's configuration, weights and tokenizer, or a .gguf file, which is "
        "dequantised once."
    )


class HubModel(_Model):
    """A model from the Hugging Face Hub."""

    source: Literal["hub"] = Field(description="hub: download a repository of the Hugging Face Hub.")
    repository: Repository
    revision: Revision


Model = Annotated[DemoModel | LocalModel | HubModel, Field(discriminator="source")]


class Evaluation(Section):
    """How the engine runs."""

    dtype: Dtype
    sets_per_job: Given[int] = Field(
        default=None,
        ge=1,
        description="Mask sets that one job evaluates with one engine (default 4); affects speed only.",
    )
    batch_tokens: Given[int] = Field(
        default=None,
        ge=1,
        description="Tokens per forward pass of engine hf, padding included (default 8192); affects speed and memory "
        "only, and is halved when memory runs out.",
    )
    batch_size: Given[int] = Field(
        default=None,
        ge=1,
        description="Sequences in flight of engine vllm (default 256); affects speed and memory only.",
    )
    sample: Given[EvaluationSample] = Field(
        default=None,
        description="Random mask sets that are measured on a part of the questions, for a null of many seeds.",
    )
    gpus: int = Field(
        ge=1,
        description="GPUs per evaluation job; vLLM splits the model among them (tensor parallel). Reruns nothing.",
    )


def engine_problems(engine: Engine, evaluation: Evaluation) -> Iterator[Problem]:
    """Yield what the engine cannot do."""
    if engine == "hf" and evaluation.gpus > 1:
        yield Problem("evaluation.gpus", f"engine 'hf' uses one GPU per job, not {evaluation.gpus}")


def model_problems(
    models: Mapping[str, Model], identification_model: str, transfer_models: Sequence[str]
) -> Iterator[Problem]:
    """Yield what is wrong with the choice of models: unknown names, other shapes, no model to finetune."""
    yield from unless_known("identification_model", identification_model, models, "model")
    first = models.get(identification_model)
    for name in transfer_models:
        yield from unless_known("transfer_models", name, models, "model")
        if name == identification_model:
            yield Problem("transfer_models", f"{name!r} is the identification model itself; remove it")
        elif name in models and first is not None:
            for key in ("layers", "intermediate_size"):
                value, expected = getattr(models[name], key), getattr(first, key)
                if value != expected:
                    yield Problem(
                        f"models.{name}.{key}",
                        f"{value} differs from the {expected} of {identification_model!r}; masks can only be "
                        "transferred between models of the same shape",
                    )
    sources = [model.source for model in models.values()]
    if "finetune_demo" in sources and sources.count("train_demo") != 1:
        yield Problem("models", "a finetune_demo model needs exactly one train_demo model to start from")
