"""What a plan assumes where nothing is known yet, and the formulas of GPU time; docs/cluster.md derives them."""

from typing import NamedTuple


class Assumptions(NamedTuple):
    """What is assumed; the optional section `plan` of a study overrides each."""

    gpu_tflops: float = 312.0
    """Peak of one GPU in bfloat16, TFLOP/s (A100)."""
    gpu_bandwidth: float = 2.0
    """Memory bandwidth of one GPU, TB/s (A100 80 GB)."""
    utilisation: float = 0.45
    """Share of the peak that forward and backward passes reach."""
    bandwidth_share: float = 0.8
    """Share of the bandwidth that decoding reaches."""
    start_minutes: float = 2.0
    """Start of a GPU job: Python, engine, weights."""
    sample_share: float = 0.3
    """Mean length of a document cut to `max_tokens`, as a share of it, before there is a corpus (Wikipedia, 2,048)."""
    tokens_per_question: float = 178.0
    """Of a multiple-choice question or a solved example, while no prompts are there (5-shot MMLU: 2.5 M tokens of
    14,042 questions are not in the prefix cache)."""
    answer_tokens: float = 200.0
    """Mean length of an answer that ends by itself."""
    endless_answers: float = 0.05
    """Share of answers that run on to `max_new_tokens`."""
    open_questions: int = 70
    """Per language, where the file is not there yet (MVicuna has 70)."""
    gigabytes_per_file: float = 0.4
    """Of one file of a corpus on the hub (Wikipedia's are 0.2 to 0.4)."""
    judge_tokens_in: float = 700.0
    """Of one judge call; prompt, question and answer."""
    judge_tokens_out: float = 150.0

    def fast(self) -> "Assumptions":
        """Return the favourable end of the range: a quarter more of both peaks, starts in half the time."""
        return self._replace(
            utilisation=min(1.0, self.utilisation * 1.25),
            bandwidth_share=min(1.0, self.bandwidth_share * 1.25),
            start_minutes=self.start_minutes / 2,
        )

    def slow(self) -> "Assumptions":
        """Return the unfavourable end: two thirds of both peaks, starts in twice the time."""
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
    """Return the width h of the residual stream that a model of this shape has.

    Solves parameters = layers (4 h^2 + 3 h intermediate): attention without grouped heads, a gated MLP, no vocabulary.
    """
    per_layer = parameters / layers
    return (-3 * intermediate + (9 * intermediate**2 + 16 * per_layer) ** 0.5) / 8


def decoding_bytes(
    answers: int, prompt: float, longest: int, parameters: float, kv_bytes: float, assumed: Assumptions
) -> float:
    """Return the bytes that greedy decoding of one batch of answers reads.

    Every step reads all weights once (two bytes each), as long as one answer goes on, and for each answer the keys and
    values of its prompt and of what it has said so far.

    Args:
        answers: in the batch.
        prompt: mean tokens of a prompt.
        longest: limit of an answer, tokens.
        parameters: of the model.
        kv_bytes: keys and values of one token, bytes.
        assumed: how long answers are.
    """
    mean = min(assumed.answer_tokens, longest)
    ending, endless = answers * (1 - assumed.endless_answers), answers * assumed.endless_answers
    steps = longest if endless else mean
    cached = ending * (prompt * mean + mean**2 / 2) + endless * (prompt * longest + longest**2 / 2)
    return steps * 2 * parameters + cached * kv_bytes
