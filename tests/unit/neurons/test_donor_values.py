"""Values of other documents, recorded and put in place, against both by hand."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from crane.artefacts import ArtefactError
from crane.models.architectures import SITES, mlps, shape
from crane.neurons import donor_values
from crane.neurons.donor_values import (
    donors_of_positions,
    draw_donors,
    record_values,
    write_values,
)
from crane.neurons.interventions import masked
from crane.neurons.mean_values import read_values
from crane.neurons.neuron_set import NeuronSet
from support.relevance import Captured

DONORS = [[5, 9, 20, 33, 7, 11], [3, 4, 50, 61], [8, 30, 41, 12, 60, 77, 2, 9]]
SEED = 4


def captured(model, site, ids):
    """Return the values `[T, K, n]` of one text, by hooks of the test's own."""
    downs = [mlp.down for mlp in mlps(model)]
    hooks = Captured(downs, "input" if site == "intermediate" else "output")
    model(input_ids=torch.tensor([ids]))
    for handle in hooks.handles:
        handle.remove()
    return torch.stack([one.detach().reshape(len(ids), -1) for one in hooks.values], 1)


@pytest.mark.parametrize("site", SITES)
def test_every_position_has_the_values_of_its_donor(any_model, site):
    values = record_values(any_model, site, DONORS, SEED)
    donors = donors_of_positions([len(ids) for ids in DONORS], SEED)
    assert values.shape == (8, *shape(any_model, site)) and len(set(donors.tolist())) > 1
    for position, donor in enumerate(donors):
        wanted = captured(any_model, site, DONORS[donor])[position]
        torch.testing.assert_close(values[position], wanted, rtol=1e-4, atol=1e-5)


def test_only_donors_that_are_long_enough_are_drawn_and_the_draw_is_seeded():
    drawn = [donors_of_positions([6, 4, 8], seed).tolist() for seed in range(30)]
    assert donors_of_positions([6, 4, 8], 3).tolist() == drawn[3] and len({tuple(one) for one in drawn}) > 20
    for one in drawn:
        assert len(one) == 8 and 1 not in one[4:] and one[6:] == [2, 2]
    assert {one[0] for one in drawn} == {0, 1, 2}


def test_donors_are_as_many_of_every_language(monkeypatch):
    monkeypatch.setattr(donor_values, "DONORS", 3)
    monkeypatch.setattr(donor_values, "POSITIONS", 4)
    corpora = {"en": [[n] * 6 for n in range(50)], "vi": [[100 + n] * 2 for n in range(7)]}
    donors = draw_donors(corpora, 0)
    assert [len(ids) for ids in donors] == [4] * 3 + [2] * 3
    assert donors == draw_donors(corpora, 0) != draw_donors(corpora, 1)
    alone = draw_donors({"vi": corpora["vi"]}, 0)
    assert donors[3:] == alone and len({ids[0] for ids in donors}) == 6


def test_values_are_kept_in_the_precision_of_the_model(llama, tmp_path):
    values = record_values(llama.bfloat16(), "intermediate", DONORS, SEED)
    assert values.dtype == torch.bfloat16
    write_values(values, tmp_path / "values.safetensors", {"seed": 1})
    found = read_values(tmp_path / "values.safetensors")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values.float().numpy())
    (tmp_path / "values.safetensors").write_bytes(b"cut")
    with pytest.raises(ArtefactError, match="no readable values of neurons"):
        read_values(tmp_path / "values.safetensors")


# In place ---------------------------------------------------------------------------------------------------


def random_set(model, site):
    layers, width = shape(model, site)
    return NeuronSet.from_flags(np.random.default_rng(1).random((1, layers, width)) < 0.3, ["en"], site)


@contextmanager
def by_hand(model, neurons, values):
    """Replace the values of one text that is read alone, from its first position on."""
    handles = []
    for k, mlp in enumerate(mlps(model)):
        index = torch.from_numpy(neurons["en"][k])

        def put(tensor, k=k, index=index):
            tensor = tensor.clone()
            by_position = tensor.view(-1, tensor.shape[-1])
            for position in range(len(by_position)):
                row = position if position < len(values) else 1 + (position - 1) % (len(values) - 1)
                by_position[position, index] = torch.from_numpy(values[row, k]).float()[index]
            return tensor

        if neurons.site == "intermediate":
            hook = mlp.down.register_forward_pre_hook(lambda _, args, put=put: (put(args[0]),))
        else:
            hook = mlp.down.register_forward_hook(lambda _, args, output, put=put: put(output))
        handles.append(hook)
    yield
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("site", SITES)
@torch.no_grad()
def test_values_by_position_equal_those_put_by_hand(any_model, make_batch, site):
    lengths = [12, 7]
    ids, mask = make_batch(lengths)
    neurons = random_set(any_model, site)
    values = np.random.default_rng(2).normal(size=(5, *shape(any_model, site)))
    plain = any_model(input_ids=ids, attention_mask=mask).logits
    with masked(any_model, neurons, "en", values=values):
        right = any_model(input_ids=ids, attention_mask=mask).logits
    for row, length in enumerate(lengths):
        with by_hand(any_model, neurons, values):
            alone = any_model(input_ids=ids[row : row + 1, :length]).logits[0]
        torch.testing.assert_close(right[row, :length], alone, rtol=1e-4, atol=1e-4)
    assert (right - plain)[0].abs().max() > 1e-2
    assert torch.equal(any_model(input_ids=ids, attention_mask=mask).logits, plain)


@torch.no_grad()
def test_the_same_values_at_every_position_are_fixed_values(llama, make_batch):
    ids, mask = make_batch([9, 4])
    neurons = random_set(llama, "intermediate")
    fixed = np.random.default_rng(2).normal(size=(3, 48))
    with masked(llama, neurons, "en", values=fixed):
        wanted = llama(input_ids=ids, attention_mask=mask).logits
    with masked(llama, neurons, "en", values=np.stack([fixed] * 4)):
        found = llama(input_ids=ids, attention_mask=mask).logits
    assert torch.equal(found, wanted)


def test_hooks_are_removed_and_other_shapes_refused(llama):
    neurons = random_set(llama, "intermediate")
    for wrong in ((4, 3, 7), (2, 4, 3, 48)):
        with (
            pytest.raises(ValueError, match="the model has 3 x 48"),
            masked(llama, neurons, "en", values=np.zeros(wrong)),
        ):
            pass
    with pytest.raises(RuntimeError), masked(llama, neurons, "en", values=np.zeros((4, 3, 48))):
        raise RuntimeError
    for module in llama.modules():
        assert not module._forward_pre_hooks and not module._forward_hooks
