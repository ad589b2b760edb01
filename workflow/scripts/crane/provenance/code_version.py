"""The code that produced a result, as a hash, and the versions of the libraries.

Standard library only: the Snakefile imports this module on every node.
"""

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from crane.methods import every, external_sources

SCRIPTS = Path(__file__).parents[2]
"""The folder of the workflow's scripts, which holds the package `crane`."""

PACKAGES = (
    "torch",
    "transformers",
    "lxt",
    "lm_eval",
    "vllm",
    "numpy",
    "scipy",
    "pandas",
    "sacrebleu",
    "snakemake",
)


def code_version(
    script: str,
    *data: str,
    named: str = "",
    without: Collection[str] = (),
    methods: Collection[str] = (),
) -> str:
    """Return a hash of a script, of all modules of `crane` that it imports, directly or not, and of data files.

    Rules carry it in `params`, so that a changed module reruns exactly the rules whose results it could change.
    Snakemake itself sees neither imported modules nor, by this project's profiles, scripts.

    Args:
        script: file name in `workflow/scripts`.
        data: files that the script reads as part of the code (prompts, task definitions), relative to `workflow`.
        named: dotted name of a function that the script is given in `params` and imports by that name.
        without: modules, relative to the scripts' folder, that the script uses but that change no result of it.
        methods: names of methods by which the script selects neurons (`crane.methods`), and whose modules it imports by
            name; of another package's method the source of that package counts.
    """
    digest = hashlib.sha256()
    modules = [every()[name].module for name in methods if name in every()]
    roots = [
        SCRIPTS / script,
        *(path for name in [named, *modules] if name for path in _files(name, SCRIPTS)),
    ]
    files = frozenset().union(*map(reachable, roots)) - {SCRIPTS / name for name in without}
    for path in sorted(files | {SCRIPTS.parent / name for name in data}):
        digest.update(path.relative_to(SCRIPTS.parent).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    for name, path in sorted(external_sources(methods).items()):
        digest.update(name.encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def reachable(path: Path) -> frozenset[Path]:
    """Return a script and all modules of `crane` that it imports, directly or not."""
    reached: set[Path] = set()
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current not in reached:
            reached.add(current)
            waiting.extend(_imported(current, current.read_bytes()))
    return frozenset(reached)


@cache
def _imported(path: Path, source: bytes) -> tuple[Path, ...]:
    """Return the files of the modules of `crane` that a file imports, at any depth of its code."""
    files: list[Path] = []
    for node in _statements(ast.parse(source, filename=str(path)).body):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] == "crane":
                files += _files(name, SCRIPTS)
    return tuple(files)


def _statements(block: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield statements and those inside them; not their expressions, most of a tree, in which no import stands."""
    for node in block:
        yield node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, field, ()))


@cache
def _files(module: str, folder: Path) -> tuple[Path, ...]:
    """Return a module's file and the `__init__` of each package on the way from a folder, as far as they exist."""
    files = []
    for part in module.split("."):
        folder = folder / part
        if folder.is_dir():
            files.append(folder / "__init__.py")
        elif folder.with_suffix(".py").exists():
            files.append(folder.with_suffix(".py"))
    return tuple(files)


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that results depend on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
