"""The layer sweep: bit for bit what a pass through the whole model gives, without a weight that was not fetched."""

from copy import deepcopy

import pytest
import torch
from crane.models.architectures import SITES, blocks, mlps
from crane.models.layer_store import LayerStore
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.aggregates import AGGREGATES
from crane.relevance.attribution import RelevanceError, attribution
from crane.relevance.lrp import RULES
from crane.relevance.objectives import OBJECTIVES
from crane.relevance.passage import Batch
from crane.relevance.selftest import self_test
from crane.relevance.sweep import layer_sweep
from support.relevance import LENGTHS

RAGGED = [LENGTHS, [7, 3], [20]]


@pytest.fixture
def work(make_batch):
    return [Batch(*make_batch(lengths, seed)) for seed, lengths in enumerate(RAGGED)]


def measured(model, work, sweeping=None, **options):
    """Return relevance, counters and sums."""
    passing = {} if sweeping is None else {"passing": sweeping}
    with attribution(model, **options, **passing) as attribute:
        if sweeping is None:
            relevance = [attribute(*batch) for batch in work]
        else:
            relevance = attribute.relevances(work)
        return [*relevance, attribute.active, attribute.value_sum], (attribute.tokens, attribute.counted)


def trapped(store):
    """Make NaN of all weights at rest, so that whoever uses one that was not fetched is found out."""
    for layer in store._streamed.values():
        for tensor in layer.tensors:
            tensor.data = torch.full_like(tensor.data, torch.nan)


def assert_same(swept, whole):
    assert swept[1] == whole[1]
    for one, two in zip(swept[0], whole[0], strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_family_bit_for_bit(every_model, work, dtype):
    model = every_model.to(dtype)
    whole = measured(model, work)
    with layer_sweep(model, device="cpu", resident=1) as sweep:
        store = sweep.store
        assert len(store.streamed) == len(blocks(model)) - 1
        trapped(store)
        assert_same(measured(model, work, sweep), whole)
        assert store.loads == 2 * len(store.streamed)  # twice, however many batches


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_rules_and_objectives(llama, work, rules, objective):
    options = {"rules": rules, "objective": objective}
    whole = measured(llama, work, **options)
    with layer_sweep(llama, device="cpu", resident=0) as sweep:
        assert_same(measured(llama, work, sweep, **options), whole)


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_sites_and_aggregates_without_the_first_position(llama, work, site, aggregate):
    options = {"site": site, "aggregate": aggregate, "skip_first": True}
    whole = measured(llama, work, **options)
    with layer_sweep(llama, device="cpu", resident=0) as sweep:
        assert_same(measured(llama, work, sweep, **options), whole)


def test_ordinary_calls_and_masks(every_model, make_batch):
    ids, _ = make_batch([9])
    one = NeuronSet({"xx": {0: torch.arange(20).numpy(), 2: torch.tensor([3]).numpy()}}, layers=3)
    with torch.no_grad():
        plain = every_model(input_ids=ids).logits
        with masked(every_model, one, "xx"):
            changed = every_model(input_ids=ids).logits
    assert not torch.equal(plain, changed)
    with layer_sweep(every_model, device="cpu", resident=1):
        assert torch.equal(every_model(input_ids=ids).logits, plain)
        with masked(every_model, one, "xx"):
            assert torch.equal(every_model(input_ids=ids).logits, changed)
        assert torch.equal(every_model(input_ids=ids).logits, plain)


def test_the_self_test_gives_the_same_figures(every_model, make_batch):
    ids, mask = make_batch(LENGTHS)
    whole = self_test(every_model, ids, mask)
    with layer_sweep(every_model, device="cpu", resident=0) as sweep:
        assert self_test(every_model, ids, mask, passing=sweep) == whole


def test_layers_are_as_before_afterwards(llama, make_batch):
    before = {name: tensor.clone() for name, tensor in llama.state_dict().items()}
    forwards = [mlp.layer.forward for mlp in mlps(llama)]
    with layer_sweep(llama, device="cpu", resident=0) as sweep:
        measured(llama, [Batch(*make_batch([5]))], sweep)
    assert [mlp.layer.forward for mlp in mlps(llama)] == forwards
    assert all(torch.equal(tensor, before[name]) for name, tensor in llama.state_dict().items())


def test_after_an_error_nothing_was_counted(llama, work):
    """A batch that is tried again, because memory ran out, must not be counted twice."""
    whole = measured(llama, work)
    with (
        layer_sweep(llama, device="cpu", resident=0) as sweep,
        attribution(llama, passing=sweep) as attribute,
    ):
        down, calls = mlps(llama)[0].down, []

        def fail(module, inputs):
            calls.append(module)
            if len(calls) == 5:  # in the backward phase, when two layers have counted and summed
                raise torch.OutOfMemoryError("no memory")

        with down.register_forward_pre_hook(fail), pytest.raises(torch.OutOfMemoryError):
            attribute.relevances(work)
        assert len(calls) == 5
        assert not attribute.active.any() and not attribute.value_sum.any() and not attribute.tokens
        again = attribute.relevances(work)
        assert_same(
            ([*again, attribute.active, attribute.value_sum], (attribute.tokens, attribute.counted)), whole
        )


def test_a_layer_of_nan_is_named(llama, work):
    broken = deepcopy(llama)
    mlps(broken)[1].down.weight.data[0, 0] = torch.nan
    with (
        layer_sweep(broken, device="cpu", resident=0) as sweep,
        attribution(broken, passing=sweep) as attribute,
        pytest.raises(RelevanceError, match=r"layers \[.*1.*\]"),
    ):
        attribute.relevances(work)


@pytest.mark.parametrize(("resident", "streamed"), [(0, [0, 1, 2]), (1, [1, 2]), (2, [2]), (3, []), (9, [])])
def test_which_layers_are_streamed(llama, resident, streamed):
    with layer_sweep(llama, device="cpu", resident=resident) as sweep:
        assert sweep.store.streamed == streamed


def test_a_copy_that_fails_leaves_the_weights_where_they_were(llama, work, monkeypatch):
    whole = measured(llama, work)
    with layer_sweep(llama, device="cpu", resident=0) as sweep:
        store = sweep.store
        at_rest = [tensor.data_ptr() for tensor in store._streamed[1].tensors]
        fetch = LayerStore._fetch

        def fail(self, layer):
            if layer == 1:
                raise torch.OutOfMemoryError("no memory")
            fetch(self, layer)

        monkeypatch.setattr(LayerStore, "_fetch", fail)
        with pytest.raises(torch.OutOfMemoryError):
            measured(llama, work, sweep)
        monkeypatch.undo()
        assert [tensor.data_ptr() for tensor in store._streamed[1].tensors] == at_rest
        assert_same(measured(llama, work, sweep), whole)


def test_sweeps_in_the_wrong_place_are_told(llama, make_model, work):
    with layer_sweep(llama, device="cpu") as sweep:
        with pytest.raises(RuntimeError, match="in a layer sweep already"), layer_sweep(llama, device="cpu"):
            pass
        with pytest.raises(ValueError, match="of another model, or has ended"):
            measured(make_model("llama", seed=1), work, sweep)
    with pytest.raises(ValueError, match="of another model, or has ended"):
        measured(llama, work, sweep)
