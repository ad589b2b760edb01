"""Statistics of experts: over the samples routed to a neuron, and exactly over all of them."""

import json

import numpy as np
import pytest
import torch
from crane.artefacts import ArtefactError
from crane.models.families import Groups
from crane.relevance.moments import Moments
from crane.relevance.routing import LayerMoments, Routed
from crane.relevance.shards import Statistics, merge_layer, read_header, read_layer, write_shard
from crane.relevance.statistics import SCALE, SHAPE, layer_table
from safetensors.torch import load_file, save_file
from scipy import stats

K, GROUPS = 2, Groups(3, 2, 1)
SAMPLES = 60
N = GROUPS.neurons


@pytest.fixture
def measured():
    """Return relevance `[B, K, N]` and tokens seen `[B, K, G]`: expert 1 by few, expert 2 by none, shared by all."""
    generator = torch.Generator().manual_seed(0)
    seen = torch.randint(1, 9, (SAMPLES, K, GROUPS.number), generator=generator)
    seen[40:, :, 0] = 0
    seen[5:, :, 1] = 0
    seen[:, :, 2] = 0
    relevance = torch.randn(SAMPLES, K, N, generator=generator) ** 3 + 0.3
    return torch.where(GROUPS.spread(seen > 0), relevance, 0.0), seen


def statistics(relevance, seen, sizes, seed=0):
    """Return the statistics, in batches of some sizes."""
    moments, routed = LayerMoments.none(GROUPS), Routed.none(GROUPS, K, "cpu")
    for x, of_batch in zip(relevance.split(sizes), seen.split(sizes), strict=True):
        moments, routed = moments.with_batch(x, of_batch), routed.with_samples([of_batch])
    routed = routed._replace(tokens=2 * routed.counted)
    generator = torch.Generator().manual_seed(seed)
    active = (torch.rand(K, N, generator=generator) * GROUPS.spread(routed.tokens)).long()
    sums = torch.randn(K, N, generator=generator, dtype=torch.float64)
    sums = sums * GROUPS.spread(routed.counted)
    return Statistics(moments.together(), active, 1000, sums, counted=900, routed=routed)


def test_moments_equal_those_of_the_routed_samples(measured):
    relevance, seen = measured
    found = statistics(relevance, seen, [7, 1, 30, 22]).moments
    for layer in range(K):
        for neuron in range(N):
            group = min(neuron // GROUPS.width, GROUPS.experts)
            own = relevance[seen[:, layer, group] > 0, layer, neuron].double()
            assert found.n[layer, neuron] == len(own) == [40, 5, 0, 60][group]
            if not len(own):
                continue
            assert found.mean[layer, neuron] == pytest.approx(float(own.mean()), rel=1e-12)
            assert found.variance()[layer, neuron] == pytest.approx(own.var(correction=0).item(), rel=1e-12)
            kurtosis = stats.kurtosis(own.numpy(), fisher=False)
            assert found.kurtosis()[layer, neuron] == pytest.approx(kurtosis, rel=1e-11)
            assert found.skewness()[layer, neuron] == pytest.approx(stats.skew(own.numpy()), rel=1e-11)
            assert found.minimum[layer, neuron] == own.min() and found.maximum[layer, neuron] == own.max()
    assert found.kurtosis().isnan().sum() == K * GROUPS.width  # of the expert that was never used


def test_those_of_all_samples_follow_exactly(measured):
    relevance, seen = measured
    found = statistics(relevance, seen, [7, 1, 30, 22]).moments.with_zeros(SAMPLES)
    expected = Moments.from_batch(relevance)
    assert found.n == SAMPLES
    for name in Moments._fields[1:]:
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=1e-12, atol=1e-15)
    defined = expected.defined()
    assert torch.equal(found.defined(), defined) and not defined.all()
    torch.testing.assert_close(found.kurtosis(), expected.kurtosis(), rtol=1e-11, atol=0, equal_nan=True)


def test_everything_routed_is_every_sample():
    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(1)).double() ** 3
    found, expected = Moments.from_routed(x, torch.ones(20, 5, dtype=torch.bool)), Moments.from_batch(x)
    for name in Moments._fields[1:]:
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=1e-13, atol=0)
    assert torch.equal(found.with_zeros(20).minimum, expected.minimum)


def test_shards_of_experts_merge_as_all_samples_at_once(tmp_path, measured):
    relevance, seen = measured
    paths = []
    for number, rows in enumerate((slice(0, 3), slice(3, 45), slice(45, SAMPLES))):
        paths.append(tmp_path / f"{number}.safetensors")
        write_shard(
            statistics(relevance[rows], seen[rows], [1, 1, rows.stop - rows.start - 2]), paths[-1], {}
        )
    whole = statistics(relevance, seen, [SAMPLES])
    assert read_header(paths[0])["groups"] == [3, 2, 1] and read_header(paths[0])["n"] == 3
    for layer in range(K):
        merged = merge_layer(paths, layer)
        for name in ("samples", "tokens", "counted"):
            assert torch.equal(getattr(merged.routed, name), getattr(whole.routed, name)[layer])
        assert merged.routed.total == SAMPLES
        assert torch.equal(merged.moments.n, whole.moments.n[layer])
        found, expected = merged.moments.kurtosis(), whole.moments.kurtosis()[layer]
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=0, equal_nan=True)


def test_an_altered_count_is_noticed(tmp_path, measured):
    path = tmp_path / "0.safetensors"
    write_shard(statistics(*measured, [SAMPLES]), path, {})
    read_layer(path, 0)
    tensors = load_file(path)
    tensors["routed_tokens"][0, 1] += 1
    save_file(tensors, path, {"crane": json.dumps(read_header(path), sort_keys=True)})
    with pytest.raises(ArtefactError, match="does not match its checksum"):
        read_layer(path, 0)
    read_layer(path, 1)


def test_counts_of_other_experts_do_not_merge():
    with pytest.raises(ValueError, match="cannot merge counts"):
        Routed.none(GROUPS, K, "cpu").merge(Routed.none(GROUPS._replace(experts=4), K, "cpu"))


@pytest.fixture
def table(tmp_path, measured):
    path = tmp_path / "0.safetensors"
    write_shard(statistics(*measured, [SAMPLES]), path, {})
    return layer_table({"en": merge_layer([path], 1)}, 1, "intermediate")


def test_the_shape_is_that_of_the_routed_samples_and_the_scale_that_of_all(table, measured):
    relevance, _ = measured
    x = relevance[:, 1].double().numpy()
    assert (table["count"] == SAMPLES).all()
    assert table["routed"].tolist() == [40, 40, 5, 5, 0, 0, 60]
    for neuron in range(N):
        row, every = table.iloc[neuron], x[:, neuron]
        own = every[: row["routed"]]
        assert row["mean"] == pytest.approx(every.mean(), rel=1e-12)
        assert row["std"] == pytest.approx(every.std(), rel=1e-12)
        assert row["minimum"] == every.min() and row["mean_abs"] == pytest.approx(np.abs(every).mean())
        if row["routed"] >= 30:
            assert row["kurtosis"] == pytest.approx(stats.kurtosis(own, fisher=False), rel=1e-11)
            assert row["mean_routed"] == pytest.approx(own.mean(), rel=1e-12)
            assert row["std_routed"] == pytest.approx(own.std(), rel=1e-12)
            assert row["kurtosis_all"] == pytest.approx(stats.kurtosis(every, fisher=False), rel=1e-11)
        else:
            assert row[[*SHAPE, "z", *(f"{name}_routed" for name in SCALE)]].isna().all()
    # A block of zeros makes a neuron look peaked; one that is always used is not changed by it.
    assert table["kurtosis_all"][0] > 1.2 * table["kurtosis"][0]
    assert table["kurtosis_all"][6] == table["kurtosis"][6]
    assert table["z"][[0, 1, 6]].mean() == pytest.approx(0, abs=1e-12)


def test_tokens_are_those_routed_to_a_neuron(table, measured):
    _, seen = measured
    counted = GROUPS.spread(seen[:, 1].sum(0)).numpy()
    assert (table["counted"] == counted).all() and (table["tokens"] == 2 * counted).all()
    used = counted > 0
    rate = table["active"] / table["tokens"]
    assert (table["activation_probability"][used] == rate[used]).all()
    assert table["activation_probability"][~used].isna().all() and table["mean_value"][~used].isna().all()


@pytest.mark.parametrize(("least", "undefined"), [(2, 2), (5, 2), (6, 4), (41, 6), (61, 7)])
def test_neurons_with_fewer_routed_samples_are_undefined(tmp_path, measured, least, undefined):
    path = tmp_path / "0.safetensors"
    write_shard(statistics(*measured, [SAMPLES]), path, {})
    found = layer_table({"en": read_layer(path, 0)}, 0, "intermediate", least)
    assert int(found["kurtosis"].isna().sum()) == undefined
    assert not found[["mean", "std", "fourth_root"]].isna().any().any()
