"""The documentation says what the code does: generated blocks, programs and commands, and citations."""

import re
import shlex
from pathlib import Path

import pytest

from documentation import tables, tables_of_parts
from postcopy.catalogue.bugs.listing import CODE
from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import BY_NAME, DEFAULT
from postcopy.cli.main import main
from postcopy.errors import UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language.instance import Instance
from postcopy.language.machines import Ghost, Machine, Part
from postcopy.language.protocol import Protocol
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.model.rules import RULES
from postcopy.properties.beyond import refusal_costs_no_guest

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PROSE = [page for page in DOCS if page.parent.name == "docs" and page.name not in ("glossary.md", "bugs.md")]
"""Pages that somebody wrote."""
HEADS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
TUTORIALS = (ROOT / "docs/quickstart.md", ROOT / "docs/tutorial.md", ROOT / "docs/tutorial-qemu.md")
"""Have files of their own, and a test of their own."""
SAVED = re.compile(r"Save this as `(\w+\.py)`[^`]*?```python\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r'^(postcopy .*?)\s+# (holds|violated|deadlock|"states": \d+)$', re.MULTILINE)
ENDS = {0: "holds", 11: "deadlock", 12: "violated", 13: "violated"}


def names(page: Path) -> str:
    return page.name


@pytest.fixture(scope="module")
def change(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The change that docs/language.md tells the reader to save, beside the files of other pages."""
    folder = tmp_path_factory.mktemp("change")
    for page in DOCS:
        if page not in TUTORIALS:
            for name, program in SAVED.findall(page.read_text(encoding="utf-8")):
                assert not (folder / name).exists(), f"two files called {name}"
                (folder / name).write_text(program, encoding="utf-8")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder / "my_change.py"


@pytest.mark.slow_but("rules.md", "model.md", "architecture.md", "parts.md", "qemu.md", "qemu-faults.md")
@pytest.mark.parametrize("page", DOCS, ids=names)
def test_what_is_generated_is_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    programs = page.name not in tables.TESTED_ELSEWHERE
    assert tables.renew(text, programs=programs) == text, "out of date: run python -m documentation.tables"


def test_every_block_stands_in_some_page() -> None:
    marked = {name for page in DOCS for name in re.findall(r"<!-- generated: ([\w-]+) -->", page.read_text())}
    assert marked == set(tables.BLOCKS)


def test_an_unknown_block_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no generated block rule; did you mean rules"):
        tables.renew("<!-- generated: rule -->\n<!-- end -->")


def test_pages_are_rewritten_only_where_they_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prose.md").write_text("nothing generated\n")
    (tmp_path / "stale.md").write_text('```python\nprint("new")\n```\n\n```text\nold\n```\n')
    tables.main(tmp_path)
    assert capsys.readouterr().out == f"{tmp_path / 'stale.md'}\n"
    assert "new\n```" in (tmp_path / "stale.md").read_text()
    tables.main(tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("number", RULES)
def test_a_rule_is_carried_checked_and_taken_away_or_explained(number: str) -> None:
    whole = tables.carriers(number) and tables.properties(number, witnesses=False) and tables.faults(number)
    assert whole or RULES[number].beside, f"{number} has no action, property or fault, and no word why"


def test_only_rules_that_exist_are_cited() -> None:
    cited = {number for action in tables.actions() for number in action.info.rule.split()}
    cited |= {number for prop in BY_NAME.values() for number in prop.rules}
    cited |= {fault.rule for fault in FAULTS.values()}
    assert cited <= set(RULES)
    assert list(RULES) == [f"R{number}" for number in range(1, 28)]
    assert all(rule.number == number for number, rule in RULES.items())


@pytest.mark.parametrize("part", [*Postcopy.parts(Machine).values(), *Postcopy.parts(Ghost).values()])
def test_all_that_a_change_can_use_is_listed_in_words(part: type[Part]) -> None:
    rows = tables_of_parts.rows(part)
    assert {name.partition("(")[0] for name, _, _ in rows} == {n for n in vars(part) if not n.startswith("__")}
    assert not [name for name, _, words in rows if not words], "what has no docstring"
    page = (ROOT / "docs/parts.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` | {what} | {words} |" in page for name, what, words in rows)


def test_of_a_docstring_the_first_sentence_is_listed() -> None:
    assert tables_of_parts.first_sentence("One, e.g. two.\n\n    Three.") == "One, e.g. two."
    assert tables_of_parts.first_sentence(None) == ""


SOURCES = [*(ROOT / "src/postcopy").rglob("*.py"), *(ROOT / "counterexamples").glob("*.md"), *DOCS, ROOT / "README.md"]


def test_every_code_of_a_bug_is_on_its_page() -> None:
    used = {code for file in SOURCES for code in CODE.findall(file.read_text(encoding="utf-8"))}
    page = (ROOT / "docs/bugs.md").read_text(encoding="utf-8")
    assert used <= set(re.findall(r"^### (\w+)$", page, re.MULTILINE))


@pytest.mark.parametrize("page", [p for p in DOCS if p.name != "bugs.md" and p.parent.name == "docs"], ids=names)
def test_a_code_of_a_bug_is_a_link_to_its_page(page: Path) -> None:
    """Where it is no part of a program or of what one prints."""
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    linked = re.sub(r"\[\w+\]\(bugs\.md#\w+\)", "", text)
    assert not CODE.findall(linked)


def test_the_change_of_the_language_page_mends_what_it_says(change: Path) -> None:
    _, mended = load(str(change))
    sizes = {"pages": 1, "in_flight": 3, "properties": [refusal_costs_no_guest]}
    options = Options(engine=Engine.INTERPRETED)
    assert explore(Instance(Postcopy, **sizes), options).outcome is Outcome.VIOLATED  # type: ignore[arg-type]
    verdict = explore(Instance(mended, **sizes), options)  # type: ignore[arg-type]
    assert verdict.outcome is Outcome.HOLDS
    assert not verdict.never_fired
    assert explore(Instance(mended, 1, 1, DEFAULT), options).outcome is Outcome.HOLDS


@pytest.mark.slow_but(
    "postcopy check --pages 1 --in-flight 1 --property ends-without-postcopy-violated",
    'postcopy check --pages 2 --in-flight 1 --json-"states": 7139',
    "postcopy check one_direction.py:NobodyLooks --pages 1 --in-flight 1-deadlock",
    "postcopy check fails_alone.py:Alone --pages 1 --in-flight 1-deadlock",
    "postcopy check silence.py:Silent --pages 1 --in-flight 1-deadlock",
    "postcopy check accept.py:TakesTheFirst --pages 1 --in-flight 1-deadlock",
    "postcopy check my_phase.py --pages 1 --in-flight 1-holds",
    "postcopy check my_semaphore.py-holds",
    "postcopy check my_option.py --pages 1 --in-flight 1-deadlock",
    "postcopy check my_option.py+background=on --pages 1 --in-flight 1-holds",
    "postcopy check my_blocks.py --pages 2 --in-flight 1 --host-page 2-holds",
    "postcopy check my_locks.py-violated",
    "postcopy check my_locks.py --property no-deadlock-holds",
)
@pytest.mark.parametrize(
    ("command", "answer"),
    sorted(
        {found for page in DOCS if page not in TUTORIALS for found in COMMAND.findall(page.read_text(encoding="utf-8"))}
    ),
)
def test_a_command_answers_what_stands_beside_it(
    command: str,
    answer: str,
    change: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(change.parent)
    with pytest.raises(SystemExit) as done:
        main(shlex.split(command)[1:])
    assert isinstance(done.value.code, int)
    assert answer in (ENDS[done.value.code], *re.findall(r'"states": \d+', capsys.readouterr().out))


def test_the_glossary_is_in_the_order_of_the_alphabet() -> None:
    terms = re.findall(r"^### (.*)$", (ROOT / "docs/glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert terms == sorted(terms, key=lambda term: term.lower().replace("-", " "))
    assert len(terms) == len(set(terms))


def test_the_terms_of_the_page_of_concepts_are_in_the_glossary() -> None:
    text = (ROOT / "docs/concepts.md").read_text(encoding="utf-8")
    named = {term.lower().removesuffix("s") for term in re.findall(r"(?<!\*)\*([A-Za-z][A-Za-z -]+)\*(?!\*)", text)}
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    assert len(named) > 15
    assert named <= {term.lower().removesuffix("s") for term in re.findall(r"^### (.*)$", glossary, re.MULTILINE)}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PROSE], ids=names)
def test_a_page_with_words_of_the_field_leads_to_the_glossary(page: Path) -> None:
    assert "glossary.md" in page.read_text(encoding="utf-8")


def test_what_the_language_page_shows_of_the_protocol_from_nothing_is_in_its_file() -> None:
    text = (ROOT / "docs/language.md").read_text(encoding="utf-8")
    section = text.partition("## A protocol from nothing")[2].partition("\n## ")[0]
    shown = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(shown) == 3
    program = (ROOT / "examples/two_phase_commit.py").read_text(encoding="utf-8")
    assert all(excerpt in program for excerpt in shown)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitLab and GitHub make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*DOCS, *(ROOT / n for n in HEADS)], ids=names)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text):
        if "://" not in target:
            other = page.parent / target if target else page
            assert other.exists(), target
            assert not anchor or anchor in anchors(other), f"{target}#{anchor}"


@pytest.mark.parametrize("page", DOCS, ids=names)
def test_files_of_the_repository_that_are_named_exist(page: Path) -> None:
    for path in re.findall(
        r"`((?:src|tests|docs|examples)/[\w./-]+|(?:model|explorer|report)/\w+\.py)`", page.read_text()
    ):
        assert (ROOT / path).exists() or (ROOT / "src/postcopy" / path).exists(), path


def test_steps_of_qemu_that_are_named_beside_the_document_exist() -> None:
    """Actions and variables of the models of QEMU; what they are compared with is in no file of ours."""
    text = (ROOT / "docs/qemu-and-the-document.md").read_text(encoding="utf-8")
    models = [load(name)[1] for name in ("qemu-11", "qemu-7.2")]
    named = set(re.findall(r"`(source|destination|wire)\.(\w+)`", text))
    assert len(named) > 50
    missing = {f"{machine}.{name}" for machine, name in named if not any(has(m, machine, name) for m in models)}
    assert not missing


def test_what_qemu_7_2_has_not_is_not_named_as_its_own() -> None:
    text = (ROOT / "docs/qemu-and-the-document.md").read_text(encoding="utf-8")
    model = load("qemu-7.2")[1]
    named = re.findall(r"in `qemu-7\.2` ((?:`\w+\.\w+`(?:, )?)+)", text)
    assert len(named) > 5
    steps = [step for names in named for step in re.findall(r"`(\w+)\.(\w+)`", names)]
    assert all(has(model, machine, name) for machine, name in steps), steps


def has(model: type[Protocol], machine: str, name: str) -> bool:
    return getattr(model.parts(Machine)[machine], name, None) is not None
