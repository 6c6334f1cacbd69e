"""README.md and docs/ as a whole: links lead somewhere, commands are known, packages and pages are complete."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import benchmarks.cli
import manual.__main__
from maskline.errors import MasklineError, UsageError
from maskline.pipeline.beam_options import parse_beam_options
from maskline.pipeline.cli import COMMANDS
from maskline.pipeline.command_parser import open_command
from tests.command_line import parser_of
from tests.documents import blocks, user_environment
from tests.e2e.job_process import PROJECT
from tests.faults.suite import suite_parser
from tests.pinned import REQUIREMENTS, declared, listed

DOCS = PROJECT / "docs"
INDEX = DOCS / "README.md"
PAGES = sorted(DOCS.rglob("*.md"))
DOCUMENTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *PAGES]
GENERATED = [DOCS / name for name in ("options.md", "performance.md", "reliability-tables.md")]
SHELL = ("console", "bash", "sh")
SCRIPTS = {"./run_local.sh": "local", "./run_flink.sh": "flink --flink_home .cache/flink"}
"""What the scripts that pass their arguments on pass them to."""

PUNCTUATION = set("\n|&;<>()")
BRITISH = re.compile(
    r"\b\w*(?:colour|defence|offence|behaviour|favour|honour|neighbour|licence|catalogue|(?:normal|serial|organ|recogn|util|synchron)is[aei])\w*"
    r"|\b(?:centre|cancell(?:ed|ing)|labelled|travell(?:ed|ing)|towards|whilst|grey)\b",
    re.IGNORECASE,
)


def name_of(document: Path) -> str:
    return document.relative_to(PROJECT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading_of_it(document: Path) -> None:
    text = without_code(document.read_text())
    targets = re.findall(r"\]\((?!http)([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)

    dangling = []
    for target in targets:
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dangling.append(target)
    assert dangling == []


def test_every_page_is_named_in_the_index_and_begins_with_what_it_answers() -> None:
    named = {(DOCS / target).resolve() for target in re.findall(r"\]\(([\w/.-]+\.md)", INDEX.read_text())}
    pages = [page for page in PAGES if page.parent == DOCS and page != INDEX]

    assert [page.name for page in pages if page not in named] == []
    assert [
        page.name for page in (INDEX, *pages) if not re.match(r"# .+\n\nWhat this page answers: ", page.read_text())
    ] == []


def test_ten_things_and_more_are_found_in_two_clicks() -> None:
    (table,) = re.findall(r"^## How-to.*?(?=^## )", INDEX.read_text(), re.MULTILINE | re.DOTALL)

    assert "(docs/README.md)" in (PROJECT / "README.md").read_text()
    assert len(re.findall(r"^\| [a-z].*\| \[.*\]\(.*\) \|$", table, re.MULTILINE)) >= 10


def test_every_command_that_is_shown_is_one_with_the_options_that_it_takes() -> None:
    parsers = {name: parser_of(name) for name in COMMANDS}
    shown = [(name_of(document), words) for document in DOCUMENTS for words in commands_in(document.read_text())]

    wrong = []
    for document, (name, *arguments) in shown:
        if name not in ("--version", "--help"):
            try:
                _, others = parsers[name].parse_known_args(arguments)
                parse_beam_options(others, name)
            except (UsageError, KeyError) as error:
                wrong.append(f"{document}: {name} {shlex.join(arguments)}: {error}")
    assert len(shown) > 50
    assert wrong == []


def test_every_command_in_a_sentence_is_one_with_options_that_it_takes() -> None:
    parsers = {name: parser_of(name) for name in COMMANDS}
    shown = [(name_of(document), words) for document in DOCUMENTS for words in commands_in_sentences(document)]

    wrong = []
    for document, (name, *arguments) in shown:
        try:
            _, others = parsers[name].parse_known_args(arguments)
            parse_beam_options(others, name)
        except (UsageError, KeyError) as error:
            # A sentence leaves out what it is not about, and has N for a number.
            if not re.search(r"missing; |expected |invalid ", str(error)):
                wrong.append(f"{document}: {name} {shlex.join(arguments)}: {error}")
    assert len(shown) > 100
    assert wrong == []


def test_every_benchmark_suite_of_faults_and_page_that_is_shown_is_one_with_the_options_that_it_takes() -> None:
    text = "\n".join(re.sub("<!--.*?-->", "", document.read_text()) for document in DOCUMENTS)
    shown = re.findall(r"\bpython -m (benchmarks|manual|tests\.faults)\b((?: [^\n`|]*)?)", text)

    wrong = []
    for module, words in shown:
        try:
            PARSED_BY[module](shlex.split(words))
        except (MasklineError, KeyError, SystemExit) as error:
            wrong.append(f"python -m {module}{words}: {error}")
    assert len(shown) > 25
    assert wrong == []


def test_every_script_and_module_that_is_shown_is_there() -> None:
    text = "\n".join(block for document in DOCUMENTS for block in shell_blocks(document.read_text()))

    scripts = set(re.findall(r"(?<![\w/.])(?:\./)?((?:[\w-]+/)*\w+\.sh)\b", text)) - {"jobmanager.sh", "taskmanager.sh"}
    modules = set(re.findall(r"\bpython -m ([\w.]+)", text)) - {"venv"}

    assert [script for script in sorted(scripts) if not os.access(PROJECT / script, os.X_OK)] == []
    assert [module for module in sorted(modules) if importlib.util.find_spec(module) is None] == []


def test_every_dependency_earns_its_line() -> None:
    table = (DOCS / "dependencies.md").read_text()

    documented = [name for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for name in row.split(", ")]

    needed = set.union(declared(), declared("all"), *(listed(whom) for whom in REQUIREMENTS))
    assert sorted(documented) == sorted([*needed, "dependency"])


def test_no_sentence_stands_twice() -> None:
    places: dict[str, list[str]] = {}
    for document in DOCUMENTS:
        if document not in GENERATED:  # the help of several commands has one sentence for one option
            for sentence in sentences_of(document.read_text()):
                places.setdefault(sentence, []).append(name_of(document))

    assert {sentence: where for sentence, where in places.items() if len(where) > 1} == {}


@pytest.mark.parametrize(
    "document", [each for each in DOCUMENTS if each not in GENERATED and each.parent.name != "api"], ids=name_of
)
def test_no_line_of_prose_is_longer_than_120_characters(document: Path) -> None:
    prose = re.sub(r"<!-- begin.*?<!-- end", "", without_code(document.read_text()), flags=re.DOTALL)

    assert [line for line in prose.splitlines() if len(line) > 120 and line.lstrip()[0] not in "|<"] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_spelling_is_american(document: Path) -> None:
    prose = re.sub(r"`[^`]+`", "", without_code(document.read_text()))

    assert BRITISH.findall(prose) == []


def test_the_spelling_of_the_code_is_american_too() -> None:
    words = {
        f"{name_of(file)}: {word}"
        for folder in ("maskline", "transforms", "pipeline", "benchmarks", "manual")
        for file in (PROJECT / folder).rglob("*.py")
        for word in BRITISH.findall(file.read_text())
        if word != "CANCELLED"  # a state of jobs, as Beam and Dataflow spell it
    }

    assert words == set()


@pytest.mark.heavy
@pytest.mark.parametrize("number", range(2))
def test_a_program_of_the_page_of_transforms_runs(number: int, tmp_path: Path) -> None:
    program = tmp_path / "block.py"
    program.write_text(blocks((DOCS / "transforms.md").read_text(), "python")[number])

    ran = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=user_environment(), capture_output=True, text=True
    )

    assert ran.returncode == 0, ran.stderr


def without_code(text: str) -> str:
    """Return a document without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def sentences_of(text: str) -> Iterator[str]:
    """Return the sentences of more than eight words that a document has outside code and generated tables."""
    prose = re.sub(r"<!--.*?-->|\]\([^)]*\)", "", without_code(text), flags=re.DOTALL)
    for part in re.split(r"\n\s*\n|\n(?=\s*(?:[*|#]|\d+\. ))|\|", prose):
        for sentence in re.split(r"(?<=[.:;!?])\s", " ".join(part.split())):
            words = re.findall(r"[\w-]+", sentence.lower())
            if len(words) > 8:
                yield " ".join(words)


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them; those of `tests/manual/test_site.py` agree."""
    headings = re.findall(r"^#+ (.+)$", without_code(document.read_text()), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def shell_blocks(text: str) -> Iterator[str]:
    """Return the commands of each block of a document that has some, with continued lines joined and without output."""
    for language in SHELL:
        for block in blocks(text, language):
            joined = re.sub(r"\\\n\s*", " ", block)
            typed = re.findall(r"^\$ (.*)$", joined, re.MULTILINE)
            yield "\n".join(typed) if typed else joined


def commands_in(text: str) -> Iterator[list[str]]:
    """Return the words behind ``maskline`` of each command that a document shows, by a script's name, too."""
    for block in shell_blocks(text):
        lexer = shlex.shlex(block, posix=True, punctuation_chars="\n|&;<>()")
        lexer.whitespace, lexer.whitespace_split = " \t", True
        words = [word for word in lexer if word != "…"]
        for place, word in enumerate(words):
            before = words[place - 1] if place else "\n"
            begins = set(before) <= PUNCTUATION or "=" in before
            if (word in ("maskline", *SCRIPTS) and begins) or (word == "pipeline" and before == "-m"):
                command = [*SCRIPTS.get(word, "").split(), *words[place + 1 :]]
                end = next((at for at, each in enumerate(command) if set(each) <= PUNCTUATION), len(command))
                yield command[:end]


def commands_in_sentences(document: Path) -> Iterator[list[str]]:
    """Return the words of each command that a sentence or a table names, with more than its name."""
    for span in re.findall(r"`([^`]+)`", without_code(document.read_text())):
        code = re.sub(r"^(?:maskline|python -m pipeline) ", "", " ".join(span.split()))
        for script, command in SCRIPTS.items():
            code = code.replace(script, command)
        name, _, rest = code.partition(" ")
        if name in COMMANDS and rest and "…" not in rest and "--help" not in rest:
            yield shlex.split(code.replace("\\", ""))


def parse_benchmark(words: list[str]) -> None:
    """Parse the command line of a benchmark, as the benchmarks do."""
    if not words:
        return
    name, *arguments = words
    command, parser = open_command("benchmarks", "python -m benchmarks", name, benchmarks.cli.COMMANDS)
    command.add_options(parser)
    parser.parse_args(benchmarks.cli._split(arguments)[0])


PARSED_BY: dict[str, Callable[[list[str]], object]] = {
    "benchmarks": parse_benchmark,
    "manual": lambda words: [manual.__main__.COMMANDS[word] for word in words],
    "tests.faults": lambda words: suite_parser().parse_args(words),
}
