"""The corpora: the texts on which relevance is measured."""

from collections.abc import Collection, Iterator
from typing import Annotated, Literal

from pydantic import Field

from crane.corpora.sampling import with_surplus
from crane.study.schema.fields import Given, Repository, Revision, Seed, TextOr, ending_problems
from crane.study.schema.section import Problem, Section, unless_known


class RepositoryFiles(Section):
    """Files of a repository that one language has to itself."""

    repository: Repository
    revision: Revision
    files: str = Field(description="Glob of the repository's files.")


class _Corpora(Section):
    documents: int = Field(ge=2, description="Samples per language; 5000 in the paper's study.")
    sample: Given[Literal["window", "pack", "document"]] = Field(
        default=None,
        description="window (default): exactly max_tokens at a random place of each document that has them; pack: "
        "documents joined and cut into such pieces; document: each cut to at most max_tokens.",
    )
    max_tokens: int = Field(
        ge=2, description="Tokens of a sample (of sample: document: at most), the same in all languages."
    )
    seed: Seed
    near_duplicates: Given[float] = Field(
        default=None,
        ge=0.5,
        le=1,
        description="Jaccard index of two documents' character 5-grams from which on the later one is left out as a "
        "near-duplicate (0.8 is usual); without it, only equal documents are.",
    )
    table: Given[bool] = Field(
        default=None,
        description="Make the table corpora: documents, samples, what was left out, and quantiles of lengths per "
        "language (default false).",
    )
    shards: int = Field(
        ge=1, description="Parts of a language's sample that are measured, kept and merged one by one."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a number of shards that leaves some without a document."""
        if self.shards > self.documents:
            yield Problem("shards", f"{self.shards} shards cannot share {self.documents} documents")


class GeneratedCorpora(_Corpora):
    """The demo's generated texts."""

    source: Literal["generated"] = Field(description="generated: the demo's texts.")


class LocalCorpora(_Corpora):
    """Files on this machine."""

    source: Literal["local"] = Field(description="local: files on this machine.")
    files: dict[str, TextOr[RepositoryFiles]] = Field(
        description="Language -> file, or glob of files: .txt (one document per line), .jsonl, .json (an array, or one "
        "object per line), .csv, .tsv, each also with .gz or .zst behind it, or .parquet."
    )
    column: str = Field(description="Field or column that holds the text.")

    def problems(self) -> Iterator[Problem]:
        """Yield languages whose files are those of a repository, or cannot be read."""
        yield from super().problems()
        for language, files in self.files.items():
            if isinstance(files, str):
                yield from ending_problems(f"files.{language}", files)
            else:
                yield Problem(
                    f"files.{language}", "a repository needs source: hub; with source: local, give a glob"
                )


class HubCorpora(_Corpora):
    """Files of data set repositories on the Hugging Face Hub."""

    source: Literal["hub"] = Field(description="hub: files of data set repositories on the Hugging Face Hub.")
    repository: Given[Repository] = Field(
        default=None, description="Repository, as owner/name, of the languages that name none themselves."
    )
    revision: Given[Revision] = Field(
        default=None,
        description="Commit of that repository: all 40 hexadecimal digits, or refs/pr/<n>. A branch could move.",
    )
    files: dict[str, TextOr[RepositoryFiles]] = Field(
        description="Language -> glob of the repository's files, or {repository, revision, files} for a language "
        "with its own repository."
    )
    column: str = Field(description="Field or column that holds the text.")
    max_files: int = Field(ge=1, description="Number of files read per language, drawn with the seed.")
    pool: int = Field(
        ge=2, description="Documents kept per language out of those read; at least 5% more than `documents`."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield languages without a repository, or whose files cannot be read."""
        yield from super().problems()
        for language, files in self.files.items():
            glob = files if isinstance(files, str) else files.files
            yield from ending_problems(f"files.{language}", glob)
            if isinstance(files, str):
                for key in ("repository", "revision"):
                    if getattr(self, key) is None:
                        yield Problem(
                            key, f"missing; the files of language {language!r} do not name one themselves"
                        )


Corpora = Annotated[GeneratedCorpora | LocalCorpora | HubCorpora, Field(discriminator="source")]


def language_table_problems(
    key: str, table: Collection[str], languages: Collection[str]
) -> Iterator[Problem]:
    """Yield languages of the study that a table leaves out, and entries for other languages."""
    for language in languages:
        if language not in table:
            yield Problem(key, f"no entry for language {language!r}")
    for language in table:
        yield from unless_known(key, language, languages, "language")


def corpus_problems(
    corpora: Corpora, languages: Collection[str], held_out_documents: int
) -> Iterator[Problem]:
    """Yield what the corpora lack.

    Args:
        corpora: the section.
        languages: the study's languages.
        held_out_documents: documents per language that perplexity needs beyond the samples.
    """
    if isinstance(corpora, GeneratedCorpora):
        return
    yield from language_table_problems("corpora.files", corpora.files, languages)
    if isinstance(corpora, HubCorpora):
        needed = with_surplus(corpora.documents + held_out_documents)
        if corpora.pool < needed:
            yield Problem(
                "corpora.pool",
                f"{corpora.pool} is too small for {corpora.documents} documents (plus those of perplexity), some of "
                f"which will be too short to use; at least {needed}",
            )
