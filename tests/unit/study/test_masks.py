"""The mask sets of a study: seeds expanded, matched sets drawn together, and what decides their neurons."""

from typing import Any

import pytest
from crane.methods import BUILT_IN
from crane.study.check import ConfigError, drop_nulls
from crane.study.study import Study
from support.study_config import REMOVE, changed, preset


def test_random_sets_are_expanded_by_seed(config: dict[str, Any]) -> None:
    masks = Study(changed(config, mask_sets__random__seeds=3)).masks
    names = [name for name, settings in masks.shown.items() if settings["group"] == "random"]
    assert names == ["random-0", "random-1", "random-2"]
    assert [masks.shown[name]["seed"] for name in names] == [0, 1, 2]
    assert masks.by_method("random") == [*names, *(f"random_dispersion-{seed}" for seed in range(5))]
    assert masks.shown["crane"]["group"] == "crane"


def test_a_study_of_one_mask_set_compares_it_with_none(config: dict[str, Any]) -> None:
    assert Study(config).masks.reference == "crane"
    sets = {"crane": config["mask_sets"]["crane"]}
    one = changed(
        config, mask_sets=sets, sweeps=REMOVE, perplexity=REMOVE, calibration=REMOVE, published=REMOVE
    )
    assert Study(one).masks.reference is None


def test_the_seeds_of_one_random_set_are_drawn_by_one_job(config: dict[str, Any]) -> None:
    masks = Study(config).masks
    drawn = dict(masks.drawn())
    assert drawn["random"] == {f"random-{seed}": seed for seed in range(5)}
    assert drawn["random_dispersion"] == {f"random_dispersion-{seed}": seed for seed in range(5)}
    every = [name for seeds in drawn.values() for name in seeds]
    assert sorted(every) == sorted(masks.chosen_by("random")) and len(every) > 10
    for seeds in drawn.values():
        assert len({masks.matched_by(name) for name in seeds}) == 1


def test_random_sets_of_the_same_magnitude_are_drawn_by_a_job_of_their_own(config: dict[str, Any]) -> None:
    masks = Study(config).masks
    jobs = {group: masks.drawn_alike(seeds) for group, seeds in masks.drawn()}
    assert jobs["random_dispersion"] and not jobs["random"]
    with pytest.raises(ConfigError, match=r"match_on.*needs layer"):
        Study(changed(config, mask_sets__random__match_on=["magnitude"]))


def test_labels_and_interventions_decide_no_neurons(config: dict[str, Any]) -> None:
    before = Study(config).masks
    edited = changed(
        config, mask_sets__lape__label="Another", mask_sets__lape__intervention={"scale": 0.5},
        mask_sets__random__seeds=7,
    )  # fmt: skip
    after = Study(edited).masks
    for name in ("lape", "random-0"):
        assert after.selection(name) == before.selection(name)
    assert after.intervention("lape") == {"scale": 0.5} and before.intervention("lape") == {}
    assert list(before.selection("crane")) == sorted(before.selection("crane"))


def test_groups_name_the_set_without_its_seed_and_the_unmasked_model(config: dict[str, Any]) -> None:
    masks = Study(changed(config, mask_sets__lape__intervention={"mean": True})).masks
    assert masks.groups(["lape", "random-1"]) == {
        "lape": {"group": "lape", "method": "lape", "intervention": {"mean": True}},
        "original": {"group": "original", "method": "original", "intervention": {}},
        "random-1": {"group": "random", "method": "random", "intervention": {}},
    }


def test_the_figure_of_kurtosis_shows_the_first_set_with_a_threshold_on_the_layers_z(
    config: dict[str, Any],
) -> None:
    assert Study(config).masks.contrast == "crane_threshold"
    without = changed(config, mask_sets__crane_threshold=REMOVE, sweeps=REMOVE)
    assert Study(without).masks.contrast is None
    assert Study(changed(config, mask_sets__crane_threshold__normalise="global")).masks.contrast is None


def test_sets_of_another_relevance_run_are_not_chosen_again_on_halves(config: dict[str, Any]) -> None:
    plain = Study(config).masks
    assert plain.halved == ["crane", "crane_small", "crane_threshold", "dispersion", "lape", "lape_matched"]
    other = Study(changed(config, mask_sets__crane_small__relevance="logprob")).masks
    assert other.halved == [name for name in plain.halved if name != "crane_small"]
    assert other.variant("crane_small") == "-logprob" and other.variants == ["", "-logprob"]


def test_matched_sets_among_those_that_a_rule_selects_name_the_set_whose_counts_they_have(
    config: dict[str, Any],
) -> None:
    assert Study(config).masks.matched() == {"crane_small": "lape", "lape_matched": "crane"}


def test_only_variants_that_a_set_is_chosen_from_are_used(config: dict[str, Any]) -> None:
    unused = changed(config, sweeps=REMOVE)
    assert Study(unused).masks.used_variants == []
    assert Study(unused).masks.variants == ["", "-logprob"]
    assert Study(config).masks.used_variants == ["-logprob"]


def test_points_of_a_sweep_name_the_file_of_their_neurons(config: dict[str, Any]) -> None:
    masks = Study(config).masks
    for point in masks.sweep_points("intervention"):
        assert point["neurons_of"] == "dispersion" and point["method"] == "dispersion"
        assert list(point) == sorted(point)
    assert {point["mask_set"] for point in masks.sweep_points("intervention")} == {
        "dispersion", "dispersion-x0.5", "dispersion-x2", "dispersion-mean", "dispersion-resample1",
    }  # fmt: skip
    assert "dispersion-mean" not in masks.with_neurons()


def test_the_routers_rule_belongs_to_the_runs_that_have_one(config: dict[str, Any]) -> None:
    """Without it the settings are those of before; a variant of other rules has none."""
    assert "relevance.router" not in Study(config).masks.relevance("")
    config["relevance"]["router"] = "uniform"
    config["relevance_variants"]["cp"] = {"rules": "cp_lrp"}
    masks = Study(config).masks
    assert (
        masks.relevance("")["relevance.router"]
        == masks.relevance("-logprob")["relevance.router"]
        == "uniform"
    )
    assert "relevance.router" not in masks.relevance("-cp")


GRAD_LAPE = {
    "label": "G", "method": "grad_lape", "top_rate": 0.01, "filter_rate": 0.95, "activation_bar_ratio": 0.95,
}  # fmt: skip
PLND = {
    "label": "P", "method": "plnd", "importance": "output", "top": 0.1, "consistency": 1, "remove": "any",
}  # fmt: skip


def test_each_relevance_run_accumulates_what_its_mask_sets_need(config: dict[str, Any]) -> None:
    plain = Study(config).masks
    assert [plain.accumulators(variant) for variant in plain.variants] == [[], []]
    more = changed(
        config, mask_sets__plnd=PLND, mask_sets__up={**PLND, "importance": "up_abs"},
        mask_sets__grad={**GRAD_LAPE, "relevance": "logprob"},
    )  # fmt: skip
    masks = Study(more).masks
    assert masks.accumulators("") == ["energy", "up"] and masks.accumulators("-logprob") == ["gradients"]
    assert masks.relevance("") == {"relevance.accumulators": ["energy", "up"], **plain.relevance("")}
    seeded = changed(config, mask_sets__random__match_on=["layer", "energy"])
    assert Study(seeded).masks.accumulators("") == ["energy"]


AUROC = {
    "label": "A",
    "method": "average_precision",
    "estimator": "auroc",
    "side": "both",
    "budget": {"count": 2},
}
OVERLAP = {"label": "O", "method": "overlap", "budget": {"count": 2}}


def test_histograms_have_a_pilot_and_those_of_tokens_a_cap(config: dict[str, Any]) -> None:
    plain = Study(config).masks
    assert not plain.has_histograms("")
    samples = Study(changed(config, mask_sets__auroc=AUROC)).masks
    assert samples.has_histograms("") and "relevance.token_cap" not in samples.relevance("")
    both = changed(config, mask_sets__auroc=AUROC, mask_sets__overlap=OVERLAP)
    assert Study(both).masks.relevance("")["relevance.token_cap"] == 100_000
    capped = changed(both, relevance__token_cap=7, relevance__pilot=3)
    assert Study(capped).masks.relevance("")["relevance.token_cap"] == 7
    assert {"auroc", "overlap"} <= set(Study(both).masks.halved)
    assert not {"auroc", "overlap"} & set(Study(both).masks.nulled)


def test_energies_are_of_the_studys_own_run_whatever_is_matched(config: dict[str, Any]) -> None:
    sets = {"mask_sets__crane__relevance": "logprob", "mask_sets__random__match_on": ["layer", "magnitude"]}
    by_magnitude = Study(changed(config, **sets)).masks
    assert by_magnitude.drawn_from(["random-0"]) == "-logprob"
    by_energy = Study(changed(config, **sets | {"mask_sets__random__match_on": ["layer", "energy"]})).masks
    assert by_energy.drawn_from(["random-0"]) == "" and by_energy.drawn_alike(["random-0"]) == "energy"


def test_the_overlay_of_the_methods_has_a_set_of_each() -> None:
    config = preset("demo", "demo-methods")
    drop_nulls(config)
    masks = Study(config).masks
    matched = {"lape_matched"}  # the demo itself has it
    assert {settings["method"] for settings in masks.shown.values()} >= set(BUILT_IN) - matched
    assert masks.accumulators("") == ["energy", "sample_histogram", "token_histogram", "up", "values"]
    assert masks.accumulators("-logprob") == ["gradients"]
    assert masks.has_histograms("") and not masks.has_histograms("-logprob")
