"""Effects from stored parts, and the table of them."""

import numpy as np
import pytest
from crane.artefacts import read_table, write_table
from crane.evaluation import ablation_effects
from crane.evaluation.ablation_effects import effect_table, measure
from crane.neurons.ablations import Ablation, draw_ablations
from crane.parts import PartStore

TEXTS = {"en": [[1, 2, 3, 4], [5, 6], [7, 8, 9]], "vi": [[1, 2], [3, 4, 5]]}
FACTS = {"model": "abc", "site": "intermediate"}


class Losses:
    """Made-up losses, which count how often they are asked."""

    def __init__(self):
        self.asked = []

    def lost(self, ablations, texts):
        self.asked.append((len(ablations), len(texts)))
        return np.array(
            [[sum(one.neurons) + one.layer / 10 + sum(ids) for ids in texts] for one in ablations]
        )


@pytest.fixture
def ablations():
    return draw_ablations(3, 20, neurons=15, groups=4, group_size=3, seed=0)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(ablation_effects, "PART", 8)


def test_parts_are_stored_and_a_killed_job_resumes(ablations, tmp_path, capsys):
    losses, opened = Losses(), []
    with pytest.raises(KeyboardInterrupt):

        class Killed(Losses):
            def lost(self, *arguments):
                if len(self.asked) == 4:
                    raise KeyboardInterrupt
                return super().lost(*arguments)

        measure(ablations, TEXTS, PartStore(tmp_path), FACTS, Killed)
    found = measure(ablations, TEXTS, PartStore(tmp_path), FACTS, lambda: opened.append(1) or losses)
    assert losses.asked == [(8, 2), (3, 2)] and opened == [1]
    assert "4 from the store" in capsys.readouterr().out
    for language, texts in TEXTS.items():
        np.testing.assert_array_equal(found[language], Losses().lost(ablations, texts))
    again = measure(ablations, TEXTS, PartStore(tmp_path), FACTS, pytest.fail)
    for language in TEXTS:
        np.testing.assert_array_equal(again[language], found[language])


def test_other_facts_texts_or_neurons_are_measured_again(ablations, tmp_path):
    losses, store = Losses(), PartStore(tmp_path)
    measure(ablations, TEXTS, store, FACTS, lambda: losses)
    before = len(losses.asked)
    measure(ablations, TEXTS, store, {**FACTS, "model": "other"}, lambda: losses)
    assert len(losses.asked) == 2 * before
    measure(ablations, {**TEXTS, "vi": [[1, 2], [3, 4, 6]]}, store, FACTS, lambda: losses)
    assert losses.asked[2 * before :] == [(8, 2), (8, 2), (3, 2)]
    changed = [*ablations[:-1], ablations[-1]._replace(layer=0)]
    measure(changed, TEXTS, store, FACTS, lambda: losses)
    assert losses.asked[2 * before + 3 :] == [(3, 3), (3, 2)]


def test_effects_are_nats_per_token_of_all_and_of_both_halves(tmp_path):
    ablations = [Ablation("neuron", 1, (4,)), Ablation("group", 0, (2, 5))]
    lost = {"en": np.array([[3.0, 4.0, 5.0], [1.0, 1.0, 2.0]]), "vi": np.array([[1.0, 0.0], [0.5, 2.0]])}
    write_table(effect_table(ablations, TEXTS, lost), tmp_path / "effects.parquet", {})
    table = read_table(tmp_path / "effects.parquet")
    one = table.set_index(["kind", "language"])
    assert list(table["unit"]) == [0] * 4
    assert one.loc[("neuron", "en"), "change"] == 12 / 6
    assert one.loc[("neuron", "en"), "change_even"] == 8 / 5  # documents 0 and 2: 3 + 2 tokens
    assert one.loc[("neuron", "en"), "change_odd"] == 4 / 1
    assert one.loc[("group", "vi"), ["change", "change_even", "change_odd"]].tolist() == [2.5 / 3, 0.5, 1.0]
    assert one.loc[("neuron", "vi"), "neuron"] == 4 and table["neuron"].isna().sum() == 2
    assert [index.tolist() for index in table["neurons"]] == [[4], [4], [2, 5], [2, 5]]
    assert one.loc[("neuron", "en"), ["documents", "tokens", "layer"]].tolist() == [3, 6, 1]
