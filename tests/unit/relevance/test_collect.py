"""From samples to statistics: batches, sweeps, and memory that runs out."""

from contextlib import nullcontext

import pytest
import torch
from crane.models.architectures import mlps
from crane.relevance.attribution import attribution
from crane.relevance.collect import batches, collect, padded
from crane.relevance.memory import Fit, TooSmallError
from crane.relevance.moments import Moments
from crane.relevance.placement import placed, shape_of
from crane.relevance.sweep import layer_sweep
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(4, 140, (n,), generator=generator) for n in (5, 12, 7, 12, 3, 9, 4, 12, 6, 2)]


def collected(model, samples, fit, **options):
    with attribution(model, **options) as attribute:
        return collect(attribute, samples, fit).statistics


def assert_equal(one, two):
    assert one.moments.n == two.moments.n and (one.tokens, one.counted) == (two.tokens, two.counted)
    for a, b in zip(one.moments[1:], two.moments[1:], strict=True):
        assert torch.equal(a, b)
    assert torch.equal(one.active, two.active) and torch.equal(one.value_sum, two.value_sum)


@given(
    lengths=st.lists(st.integers(2, 30), min_size=1, max_size=20),
    tokens=st.integers(1, 100),
    most=st.none() | st.integers(1, 5),
)
def test_batches_hold_every_sample_once_and_no_more_than_asked(lengths, tokens, most):
    divided = batches([torch.full((n,), i) for i, n in enumerate(lengths)], tokens, most)
    assert all(len(batch) <= (most or 20) for batch in divided)
    assert sorted(int(s[0]) for batch in divided for s in batch) == list(range(len(lengths)))
    for batch in divided:
        assert len(batch) == 1 or len(batch) * len(batch[0]) <= tokens
        assert len(batch[0]) == max(map(len, batch))
    longest = [len(batch[0]) for batch in divided]
    assert longest == sorted(longest, reverse=True)


def test_all_samples_at_once(llama, samples):
    """The statistics of batches are those of all relevances together."""
    found = collected(llama, samples, Fit(24))
    with attribution(llama) as attribute:
        whole = Moments.from_batch(attribute(*padded(samples, "cpu")))
    assert found.moments.n == len(samples) and found.tokens == sum(map(len, samples))
    for one, two in zip(found.moments[1:], whole[1:], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("sweep_tokens", [1, 30, 50, 1000])
def test_sweeps_of_any_size_are_bit_for_bit_the_pass_through_the_whole_model(llama, samples, sweep_tokens):
    whole = collected(llama, samples, Fit(24))
    with layer_sweep(llama, device="cpu", resident=1) as sweep:
        assert_equal(collected(llama, samples, Fit(24, sweep_tokens), passing=sweep), whole)


class Memory:
    """Lets a model run out of memory on batches of more than so many tokens."""

    def __init__(self, model, tokens):
        self.tried = []
        self._tokens = tokens
        self.handle = mlps(model)[1].down.register_forward_pre_hook(self._count)

    def _count(self, module, inputs):
        if torch.is_grad_enabled():
            size = inputs[0].shape[0] * inputs[0].shape[1]
            self.tried.append(size)
            if size > self._tokens:
                raise torch.OutOfMemoryError("no memory")


@pytest.mark.parametrize("sweeping", [False, True])
def test_when_memory_runs_out_batches_are_halved_and_nothing_is_counted_twice(
    llama, samples, sweeping, capsys
):
    if sweeping:
        fit, smaller = Fit(64, 90), Fit(32, 45)
    else:
        fit, smaller = Fit(64), Fit(32)
    with layer_sweep(llama, device="cpu") if sweeping else nullcontext() as sweep:
        options = {"passing": sweep} if sweeping else {}
        expected = collected(llama, samples, smaller, **options)
        memory = Memory(llama, 32)
        with memory.handle:
            found = collected(llama, samples, fit, **options)
    assert_equal(found, expected)
    assert memory.tried[0] == 60 and max(memory.tried[1:]) <= 32
    with attribution(llama) as attribute, Memory(llama, 32).handle:
        assert collect(attribute, samples, Fit(64)).fit == Fit(32), "for the shards that follow"
    told = capsys.readouterr().out
    assert "out of memory" in told and "batches of 32" in told


@pytest.mark.parametrize("sweeping", [False, True])
def test_the_top_samples_are_those_of_the_relevances_one_by_one_even_when_memory_runs_out(
    llama, samples, sweeping
):
    with attribution(llama) as attribute:
        single = torch.cat([attribute(*padded([sample], "cpu")) for sample in samples])
    order = single.abs().argsort(0, descending=True)[:3]
    with layer_sweep(llama, device="cpu") if sweeping else nullcontext() as sweep:
        options = {"passing": sweep} if sweeping else {}
        with attribution(llama, **options) as attribute, Memory(llama, 32).handle:
            fit = Fit(64, 90) if sweeping else Fit(64)
            found = collect(attribute, samples, fit, top=3, first=100).top
    # A batch and a single sample differ by rounding, and so may neurons whose samples are as good as equal.
    same = found.numbers == order + 100
    assert same.float().mean() > 0.99
    torch.testing.assert_close(found.relevance[same], single.gather(0, order)[same], rtol=1e-3, atol=1e-6)


def test_without_top_nothing_is_kept(llama, samples):
    with attribution(llama) as attribute:
        assert collect(attribute, samples, Fit(24)).top is None


def test_a_sample_that_does_not_fit_is_told(llama, samples):
    with Memory(llama, 8).handle, pytest.raises(TooSmallError, match="one sample of 12 tokens does not fit"):
        collected(llama, samples, Fit(64))


def test_no_samples(llama):
    with pytest.raises(ValueError, match="no samples"):
        collected(llama, [], Fit(8))


# Placement ----------------------------------------------------------------------------------------------


def placing(folder, memory, **changed):
    limits = {"longest": 12, "batch_tokens": 24, "sweep_tokens": 48} | changed
    return placed(folder, "auto", memory=memory, **limits)


def test_a_placed_model_gives_the_same_in_less_memory(model_folder, samples, capsys):
    with placing(model_folder, None) as (model, fit, passing):
        assert fit == Fit(24)
        whole = collected(model, samples, Fit(12), passing=passing)
        size = shape_of(model)
    assert "batches of 24 tokens through the whole model" in capsys.readouterr().out
    less = (size.bytes_whole(12, 1) + size.bytes_sweep(12, 1, 12, 3)) / 2 / 0.95
    with placing(model_folder, less) as (model, fit, passing):
        assert fit.batch_tokens == 12 and fit.sweep_tokens and fit.resident == 3
        assert_equal(collected(model, samples, fit, passing=passing), whole)
    assert "layer sweeps of" in capsys.readouterr().out


def test_a_memory_for_no_sample_is_told_before_anything_runs(model_folder):
    with pytest.raises(TooSmallError, match="one sample of 12 tokens takes 1"), placing(model_folder, 1e9):
        pass
