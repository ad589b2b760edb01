"""How relevance passes through a memory, on the shapes of LLaMA-2; docs/performance.md has the peaks of a GPU."""

import pytest
from crane.relevance.memory import Fit, Shape, TooSmallError, fit

LLAMA_7B = Shape(32, 4096, 11008, 404_766_720, 524_296_192, 2)
LLAMA_70B = Shape(80, 8192, 28672, 1_711_308_800, 1_048_592_384, 2)
GB = 1e9


def fitted(model, gigabytes, **changed):
    limits = {"longest": 2048, "batch_tokens": 8192, "sweep_tokens": 32768} | changed
    return fit(model, gigabytes * GB, **limits)


@pytest.mark.parametrize(("tokens", "peak"), [(2048, 20.55), (4096, 27.25), (8192, 40.69), (16384, 67.83)])
def test_the_sum_of_a_pass_through_the_whole_model_is_that_of_an_h200(tokens, peak):
    """Peaks of LLaMA-2-7B's shape in bfloat16, samples of 2,048 tokens, 2026-11-26; what is reserved is not in them."""
    assert 1 < LLAMA_7B.bytes_whole(tokens, tokens // 2048) / GB / peak < 1.06


@pytest.mark.parametrize(("resident", "peak"), [(32, 24.73), (16, 19.08), (0, 12.61)])
def test_the_sum_of_a_sweep_is_that_of_an_h200(resident, peak):
    assert 1 < LLAMA_7B.bytes_sweep(8192, 4, 32768, resident) / GB / peak < 1.17


def test_the_whole_model_passes_where_one_sample_fits():
    assert fitted(LLAMA_7B, 80) == Fit(8192)
    assert fitted(LLAMA_7B, 40) == Fit(6144)
    assert fitted(LLAMA_7B, 24) == Fit(2048)
    assert fitted(LLAMA_7B, 80, longest=3000) == Fit(8192), "two samples; shorter ones fill the batch"
    assert fitted(LLAMA_7B, 80, batch_tokens=100) == Fit(2048), "a batch has at least one sample"


def test_batches_too_small_for_a_gpu_are_no_way():
    """A pass of a few hundred tokens through the whole model leaves the GPU idle; a sweep does not."""
    assert fitted(LLAMA_7B, 16, longest=100).sweep_tokens
    assert fitted(LLAMA_7B, 24, longest=100).sweep_tokens is None


def test_less_memory_is_a_sweep_with_fewer_resident_layers():
    found = [fitted(LLAMA_7B, gigabytes) for gigabytes in (19, 17, 16)]
    assert all(one.sweep_tokens == 32768 and one.batch_tokens == 8192 for one in found)
    assert [one.resident for one in found] == sorted((one.resident for one in found), reverse=True)
    assert found[0].resident > found[-1].resident > 0


@pytest.mark.parametrize("gigabytes", [5, 6, 8, 12, 16, 19])
def test_what_is_planned_fits(gigabytes):
    one = fitted(LLAMA_7B, gigabytes)
    size = LLAMA_7B.bytes_sweep(one.batch_tokens, one.batch_tokens // 2048, one.sweep_tokens, one.resident)
    assert size <= 0.95 * gigabytes * GB
    assert one.batch_tokens >= 2048 and one.sweep_tokens >= one.batch_tokens


def test_accumulators_take_their_room_three_times():
    """While a group of batches passes, what was accumulated before it is kept for it and for each of its calls."""
    more = LLAMA_7B._replace(accumulated=560)
    assert more.bytes_whole(2048, 1) - LLAMA_7B.bytes_whole(2048, 1) == 3 * 560 * 32 * 11008
    assert fitted(more, 23.1).sweep_tokens and fitted(LLAMA_7B, 23.1) == Fit(2048)


def test_70b_passes_through_one_card():
    assert fitted(LLAMA_70B, 80) == Fit(8192, 32768, 10)
    assert fitted(LLAMA_70B, 24) == Fit(2048, 8192, 1)


def test_weights_that_cannot_wait_elsewhere_are_counted():
    """On a CPU the weights are in the same memory whatever the sweep."""
    with pytest.raises(TooSmallError, match=r"one sample of 2,048 tokens takes 1.* GB even layer by layer"):
        fitted(LLAMA_7B, 12, streams=False)
    assert fitted(LLAMA_7B, 19, streams=False).resident == 32


def test_a_memory_that_is_too_small_is_told():
    with pytest.raises(TooSmallError, match=r"it may take 4\.0; use a larger GPU"):
        fitted(LLAMA_70B, 4)


def test_no_batch_has_more_samples_than_asked():
    assert fitted(LLAMA_7B, 80, rows=2) == Fit(4096, rows=2)
    assert fitted(LLAMA_7B, 80, rows=9) == Fit(8192, rows=9)
    assert fitted(LLAMA_7B, 16, rows=2).batch_tokens == 4096 and fitted(LLAMA_7B, 16, rows=2).rows == 2


def test_halving_keeps_one_sample():
    assert Fit(8192).smaller(2048) == Fit(4096)
    assert Fit(3000).smaller(2048) == Fit(2048)
    assert Fit(2048).smaller(2048) is None
    assert Fit(4096, 8192, 3).smaller(2048) == Fit(2048, 4096, 3)
    assert Fit(2048, 8192, 3).smaller(2048) == Fit(2048, 4096, 3), "fewer batches in a sweep"
    assert Fit(2048, 2048, 3).smaller(2048) is None
    assert Fit(4096, 4096, 3).smaller(2048) == Fit(2048, 2048, 3)
