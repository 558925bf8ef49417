"""The site is built without a warning, and a page that leads nowhere or stands nowhere costs one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from documentation import reference
from postcopy.cli.commands import COMMANDS
from postcopy.cli.lazy import load
from postcopy.errors import UsageError

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
BUILD = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "--keep-going", "-c", str(ROOT / "docs")]
INDEX = "# The first page\n\n```{toctree}\npage\n```\n"


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BUILD, str(source), str(target)], capture_output=True, text=True, check=False)


@pytest.mark.slow(first=True)
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = build(ROOT, site)
    assert not done.returncode, done.stderr
    assert 'url=docs/index.html"' in (site / "index.html").read_text(encoding="utf-8")
    commands = (site / "docs/commands.html").read_text(encoding="utf-8")
    assert all(f'id="postcopy-{entry.name}"' in commands for entry in COMMANDS)
    language = (site / "docs/reference-language.html").read_text(encoding="utf-8")
    assert 'id="postcopy.language.require"' in language
    assert 'id="postcopy.check"' in (site / "docs/reference-python.html").read_text(encoding="utf-8")
    assert (site / "counterexamples/no-discards.html").exists()
    pages = list(site.rglob("*.html"))
    assert len(pages) > 200
    loading = re.compile(
        r"<(?:script|img|iframe)[^>]*src=\"(?:https?:)?//|<link[^>]*rel=\"stylesheet\"[^>]*href=\"http"
    )
    assert [page for page in pages if loading.search(page.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("index", "page", "complaint"),
    [
        (INDEX, "# A page\n\n[Nowhere](nowhere.md)\n", "nowhere.md"),
        (INDEX, "# A page\n\n[No heading](index.md#no-heading)\n", "no-heading"),
        ("# The first page\n", "# A page\n", "isn't included in any toctree"),
        (INDEX, "# A page\n\n![no picture](no.png)\n", "image file not readable"),
        (INDEX, "# A page\n\n```{names} postcopy.nowhere\n```\n", "postcopy.nowhere"),
        (INDEX, "# A page\n\n```{name} postcopy\n```\n", "Unknown directive type"),
    ],
)
def test_a_mistake_ends_the_build(index: str, page: str, complaint: str, tmp_path: Path) -> None:
    docs = tmp_path / "in" / "docs"
    docs.mkdir(parents=True)
    (docs / "index.md").write_text(index, encoding="utf-8")
    (docs / "page.md").write_text(page, encoding="utf-8")
    done = build(tmp_path / "in", tmp_path / "out")
    assert done.returncode
    assert complaint in done.stderr


def test_every_option_of_every_command_is_in_the_reference() -> None:
    text = reference.commands()
    sections = dict(re.findall(r"^### postcopy (\S+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(sections) == sorted(sections, key=[entry.name for entry in COMMANDS].index)
    assert set(sections) == {entry.name for entry in COMMANDS}
    for entry in COMMANDS:
        command = load(entry)
        spelled = [name for each in command.params if each.param_type_name == "option" for name in each.opts]
        assert [name for name in spelled if name not in sections[entry.name]] == []


def test_what_markdown_would_read_as_markup_is_escaped() -> None:
    assert reference.plain("one | of <these>,\n and [default: *]") == r"one \| of \<these\>, and \[default: \*\]"


def test_names_are_documented_by_what_they_are() -> None:
    lines = reference.names("postcopy", leave_out=("__version__",)).splitlines()
    assert ".. autofunction:: postcopy.check" in lines
    assert ".. autoclass:: postcopy.CheckResult" in lines
    assert not any("__version__" in line for line in lines)
    language = reference.names("postcopy.language")
    assert ".. py:data:: postcopy.language.ALL\n\n   Every page, whatever" in language
    assert language.index("autofunction") < language.index("autoclass") < language.index("py:data")


def test_a_value_without_words_is_noticed() -> None:
    with pytest.raises(UsageError, match=r"postcopy.errors: UsageError has no words behind its assignment"):
        reference.words_about(reference, "UsageError")  # a class, and no value


def test_the_same_command_builds_it_everywhere() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    service = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text(encoding="utf-8"))["build"]["commands"]
    ours = " ".join(["python", *BUILD[1:-1], "docs", "."])
    assert f"\t{ours} build/site\n" in makefile
    assert service == ["pip install '.[docs]'", f"{ours} $READTHEDOCS_OUTPUT/html"]
