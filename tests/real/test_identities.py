"""What holds of relevance on real weights: the self-test's identities, and LXT's rules as LXT itself applies them."""

import pytest
import torch
from crane.models.architectures import mlps
from crane.models.loading import load_model
from crane.relevance.ablation import agreement
from crane.relevance.attribution import attribution
from crane.relevance.lrp import lrp_rules
from crane.relevance.selftest import TOLERANCE, self_test
from torch.nn.utils.rnn import pad_sequence


def batch(tokens):
    rows = [torch.tensor(ids) for ids in tokens.values()]
    ids = pad_sequence(rows, batch_first=True)
    return ids, torch.arange(ids.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_identity_holds(smollm2, tokens, dtype):
    model = load_model(smollm2, dtype)
    # On a CPU bfloat16 takes several times as long as float32.
    measured = self_test(model, *batch(tokens), neurons=200 if dtype == "float32" else 10)
    assert measured["tolerance"] == TOLERANCE[model.dtype]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_relevance_foretells_what_masking_a_neuron_changes(smollm2, tokens, dtype):
    """Of neurons evenly spaced in the ranking, so that both signs, large and small relevances occur."""
    model = load_model(smollm2, dtype)
    ids, mask = batch(tokens)
    with attribution(model) as attribute:
        relevance = attribute(ids, mask)
        ranking = relevance.mean(0).flatten().argsort()
        chosen = ranking[torch.linspace(0, len(ranking) - 1, 8).round().long()]
        # The actual change of the objective is no identity: relevance is a first-order guess of it.
        assert agreement(attribute, relevance, ids, mask, chosen).pearson > 0.9


def test_relevance_equals_a_plain_backward_pass_under_lxts_rules(model, tokens):
    """Without hooks that reduce, without padding, with all logits: inputs of the down projections times gradients."""
    kept = []

    def keep(module, inputs):
        inputs[0].retain_grad()
        kept.append(inputs[0])

    with lrp_rules(model, "attnlrp"):
        handles = [mlp.down.register_forward_pre_hook(keep) for mlp in mlps(model)]
        try:
            expected = []
            for ids in tokens.values():
                kept.clear()
                row = torch.tensor(ids)[None]
                logits = model(input_ids=row, use_cache=False).logits[0, :-1]
                logits.gather(1, row[0, 1:, None]).mean().backward()
                expected.append(torch.stack([(value * value.grad)[0].sum(0) for value in kept]))
        finally:
            for handle in handles:
                handle.remove()
    model.zero_grad()
    with attribution(model) as attribute:
        relevance = attribute(*batch(tokens))
    expected = torch.stack(expected).detach()
    assert float((relevance - expected).abs().max() / expected.abs().max()) < 1e-5
