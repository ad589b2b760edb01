"""The formulas of GPU time, against the sums that they stand for."""

import pytest
from crane.preflight.assumptions import Assumptions, decoding_bytes, hidden_width


def test_the_width_of_llama_follows_from_its_parameters() -> None:
    without_vocabulary = 6.74e9 - 2 * 32000 * 4096
    assert hidden_width(without_vocabulary, 32, 11008) == pytest.approx(4096, rel=0.01)
    assert hidden_width(5 * (4 * 64**2 + 3 * 64 * 200), 5, 200) == pytest.approx(64)


@pytest.mark.parametrize(
    ("prompt", "longest", "endless"), [(45, 2048, 0.05), (300, 500, 0.5), (45, 2048, 0.0)]
)
def test_decoding_reads_weights_and_cached_tokens_at_every_step(
    prompt: int, longest: int, endless: float
) -> None:
    assumed = Assumptions(answer_tokens=200, endless_answers=endless)
    answers, parameters, kv_bytes = 200, 7e9, 5e5
    ending, running = answers * (1 - endless), answers * endless
    total = 0.0
    for step in range(longest):
        alive = (ending if step < 200 else 0) + running
        if alive:
            total += 2 * parameters + alive * (prompt + step) * kv_bytes
    read = decoding_bytes(answers, prompt, longest, parameters, kv_bytes, assumed)
    assert read == pytest.approx(total, rel=0.01)


def test_answers_are_no_longer_than_their_limit() -> None:
    short = decoding_bytes(10, 45, 16, 7e9, 5e5, Assumptions())
    assert short == pytest.approx(16 * 2 * 7e9 + 10 * (45 * 16 + 16**2 / 2) * 5e5)


def test_the_range_lies_around_the_estimate() -> None:
    assumed = Assumptions()
    fast, slow = assumed.fast(), assumed.slow()
    assert fast.compute(1e15) < assumed.compute(1e15) < slow.compute(1e15)
    assert fast.read(1e12) < assumed.read(1e12) < slow.read(1e12)
    assert fast.start_minutes < assumed.start_minutes < slow.start_minutes
    best = Assumptions(utilisation=1.0, bandwidth_share=0.9).fast()
    assert best.utilisation == best.bandwidth_share == 1.0, "no GPU is faster than its peak"
    assert assumed.compute(312e12 * 0.45) == pytest.approx(1) and assumed.read(1.6e12) == pytest.approx(1)
