"""What vLLM's processes are told, read without vLLM."""

import os

import pytest
from crane.evaluation.vllm_start import prepare_environment

METHOD = "VLLM_WORKER_MULTIPROC_METHOD"


@pytest.mark.parametrize(("given", "method"), [({}, "spawn"), ({METHOD: "fork"}, "fork")])
def test_processes_for_a_gpu_are_spawned(monkeypatch, given, method):
    """Whoever has called `torch.cuda.is_available` cannot fork: CUDA refuses to start in the child."""
    monkeypatch.setattr(os, "environ", dict(given))
    prepare_environment(False, 1)
    assert os.environ[METHOD] == method and "VLLM_ENABLE_V1_MULTIPROCESSING" not in os.environ
    assert os.environ["VLLM_USE_FLASHINFER_SAMPLER"] == "0"


def test_on_a_cpu_the_engine_runs_in_this_process(monkeypatch):
    monkeypatch.setattr(os, "environ", {"PYTHONPATH": "elsewhere"})
    prepare_environment(True, 2)
    assert METHOD not in os.environ
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert os.environ["VLLM_CPU_OMP_THREADS_BIND"] == "0|1"
    assert os.environ["PYTHONPATH"].endswith(f"workflow/scripts{os.pathsep}elsewhere")
