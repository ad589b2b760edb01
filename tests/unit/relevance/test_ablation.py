"""Single neurons masked side by side, against masking them one after the other in the model."""

import crane.relevance.ablation
import numpy as np
import pytest
import torch
from crane.models.architectures import SITES
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.ablation import agreement
from crane.relevance.attribution import attribution
from scipy.stats import pearsonr, spearmanr
from support.relevance import LENGTHS


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("chunk", [1, 100, 8192])
def test_the_same_as_masking_one_after_the_other(any_model, make_batch, monkeypatch, site, chunk):
    monkeypatch.setattr(crane.relevance.ablation, "CHUNK_TOKENS", chunk)
    ids, mask = make_batch(LENGTHS)
    with attribution(any_model, site=site) as attribute:
        relevance = attribute(ids, mask)
        found = agreement(attribute, relevance, ids, mask, neurons=10_000)
        layers, width = relevance.shape[1:]
        predicted, actual = [], []
        with torch.no_grad():
            whole = attribute.objective(ids, mask)
            for k in range(layers):
                for n in range(width):
                    one = NeuronSet({"one": {k: np.array([n])}}, layers=layers, site=site)
                    with masked(any_model, one, "one"):
                        actual.append(float((whole - attribute.objective(ids, mask)).mean()))
                    predicted.append(float(relevance[:, k, n].mean()))
    assert found.neurons == layers * width
    assert found.pearson == pytest.approx(pearsonr(predicted, actual).statistic, abs=1e-4)
    assert found.spearman == pytest.approx(spearmanr(predicted, actual).statistic, abs=5e-3)
    same = np.mean((np.array(predicted) > 0) == (np.array(actual) > 0))
    assert found.same_sign == pytest.approx(same, abs=0.03)  # of neurons whose effect is about 0


def test_the_choice_is_seeded(llama, make_batch):
    ids, mask = make_batch(LENGTHS)
    with attribution(llama) as attribute:
        relevance = attribute(ids, mask)
        one, again = (agreement(attribute, relevance, ids, mask, neurons=20) for _ in range(2))
        other = agreement(attribute, relevance, ids, mask, neurons=20, seed=1)
    assert one == again != other and one.neurons == 20
    assert not any(module._forward_pre_hooks for module in llama.modules())
