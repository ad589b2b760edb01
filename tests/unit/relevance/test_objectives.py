"""Objectives against loops over full logits, and never more logits at once than a chunk's."""

import pytest
import torch
from crane.relevance import objectives
from crane.relevance.attribution import attribution
from crane.relevance.objectives import OBJECTIVES
from support.relevance import LENGTHS, close


def objective_by_loop(name, logits, ids, length):
    """Objective of one sample from its full logits `[T, V]`."""
    steps = range(length - 1)
    next_logit = sum(float(logits[t, ids[t + 1]]) for t in steps) / len(steps)
    next_logprob = sum(float(logits[t].log_softmax(-1)[ids[t + 1]]) for t in steps) / len(steps)
    last = float(logits[length - 1].max())
    return {
        "next_token_logit": next_logit,
        "next_token_logprob": next_logprob,
        "last_token_max_logit": last,
        "next_token_logit_plus_last_max": next_logit + last,
    }[name]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objectives_equal_loops_over_full_logits(every_model, make_batch, objective):
    ids, mask = make_batch(LENGTHS)
    with torch.no_grad():
        logits = every_model(input_ids=ids, attention_mask=mask).logits
        with attribution(every_model, objective=objective) as attribute:
            values = attribute.objective(ids, mask.bool())
    expected = [objective_by_loop(objective, logits[i], ids[i], n) for i, n in enumerate(LENGTHS)]
    assert values.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_log_probabilities_are_computed_in_chunks_of_positions(make_model, make_batch, monkeypatch, family):
    """Never more logits than a chunk's, each computed once, and the same relevance as in one piece."""
    model, (ids, mask) = make_model(family), make_batch([13, 9, 2])
    found, rows = {}, []
    model.lm_head.register_forward_hook(lambda _, inputs, output: rows.append(len(output)))
    for chunk in (100, 4):
        monkeypatch.setattr(objectives, "LOGIT_ROWS", chunk)
        with attribution(model, objective="next_token_logprob") as attribute:
            found[chunk] = attribute(ids, mask)
    assert rows == [21, 4, 4, 4, 4, 4, 1]
    assert close(found[4], found[100])
    assert model.lm_head.weight.grad is None
