"""The assumptions of a plan, and the formulas of GPU time; docs/cluster.md derives them."""

from typing import NamedTuple


class Assumptions(NamedTuple):
    """Assumptions of the plan; the optional section `plan` of a study overrides them."""

    gpu_tflops: float = 312.0
    """Peak of one GPU in bfloat16, TFLOP/s (A100)."""
    gpu_bandwidth: float = 2.0
    """Memory bandwidth of one GPU, TB/s (A100 80 GB)."""
    gpu_memory: float = 80.0
    """Memory of one GPU, GB (1e9 bytes)."""
    utilisation: float = 0.45
    """Share of the peak that forward and backward passes reach."""
    bandwidth_share: float = 0.8
    """Share of the bandwidth that decoding reaches."""
    start_minutes: float = 2.0
    """Minutes to start a GPU job: Python, engine, weights."""
    sample_share: float = 0.3
    """Mean length of a document cut to `max_tokens`, as a share of it, before there is a corpus (Wikipedia, 2,048)."""
    tokens_per_question: float = 178.0
    """Of a multiple-choice question or a solved example, while no prompts are there (5-shot MMLU: 2.5 M tokens of
    14,042 questions are not in the prefix cache)."""
    answer_tokens: float = 200.0
    """Mean length of an answer that ends by itself."""
    endless_answers: float = 0.05
    """Share of answers that continue to `max_new_tokens`."""
    open_questions: int = 70
    """Questions per language, until their file exists (MVicuna has 70)."""
    gigabytes_per_file: float = 0.4
    """Size of one corpus file on the hub (Wikipedia: 0.2 to 0.4)."""
    judge_tokens_in: float = 700.0
    """Tokens that a judge reads per call: prompt, question and answer."""
    judge_tokens_out: float = 150.0
    """Tokens that a judge writes per call."""

    def fast(self) -> "Assumptions":
        """Return the favourable end of the range: 25% more of both peaks, half the start time."""
        return self._replace(
            utilisation=min(1.0, self.utilisation * 1.25),
            bandwidth_share=min(1.0, self.bandwidth_share * 1.25),
            start_minutes=self.start_minutes / 2,
        )

    def slow(self) -> "Assumptions":
        """Return the unfavourable end of the range: two thirds of both peaks, twice the start time."""
        return self._replace(
            utilisation=self.utilisation / 1.5,
            bandwidth_share=self.bandwidth_share / 1.5,
            start_minutes=self.start_minutes * 2,
        )

    def compute(self, flop: float) -> float:
        """Return the seconds of one GPU for a number of floating-point operations."""
        return flop / (self.gpu_tflops * 1e12 * self.utilisation)

    def read(self, size: float) -> float:
        """Return the seconds of one GPU to read a number of bytes of its memory."""
        return size / (self.gpu_bandwidth * 1e12 * self.bandwidth_share)


def hidden_width(parameters: float, layers: int, intermediate: int) -> float:
    """Estimate the width h of a model's residual stream from its shape.

    Solves parameters = layers (4 h^2 + 3 h intermediate): attention without grouped heads, a gated MLP, no vocabulary.
    """
    per_layer = parameters / layers
    return (-3 * intermediate + (9 * intermediate**2 + 16 * per_layer) ** 0.5) / 8


def decoding_bytes(
    answers: int, prompt: float, longest: int, parameters: float, kv_bytes: float, assumed: Assumptions
) -> float:
    """Return the bytes read by greedy decoding of one batch of answers.

    Every step reads all weights once (two bytes each) until the last answer has ended, and for each unfinished answer
    the keys and values of its prompt and of the tokens generated so far.

    Args:
        answers: number of answers in the batch.
        prompt: mean tokens of a prompt.
        longest: maximum tokens of an answer.
        parameters: number of parameters of the model.
        kv_bytes: bytes of the keys and values of one token.
        assumed: assumptions about the length of answers.
    """
    mean = min(assumed.answer_tokens, longest)
    ending, endless = answers * (1 - assumed.endless_answers), answers * assumed.endless_answers
    steps = longest if endless else mean
    cached = ending * (prompt * mean + mean**2 / 2) + endless * (prompt * longest + longest**2 / 2)
    return steps * 2 * parameters + cached * kv_bytes
