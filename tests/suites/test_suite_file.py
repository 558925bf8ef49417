"""Suites' files: what they say, and what is said of mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postcopy.errors import UsageError
from postcopy.suites.entries import Kind
from postcopy.suites.suite_file import ARGUMENTS, COMMON, SIZES, read_suite

PAGE = (Path(__file__).parents[2] / "docs/suites.md").read_text(encoding="utf-8")
ONE = '[[check]]\nprotocol = "Postcopy"\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "suite.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_sizes_are_combined_and_defaults_taken(tmp_path: Path) -> None:
    suite = read_suite(
        written(
            tmp_path,
            '[suite]\nname = "mine"\njobs = 3\n[defaults]\nin_flight = 1\nseconds = 9\n'
            '[[check]]\nprotocol = "preempt"\npages = [1, 2]\nproperties = "no-page-lost"\n'
            '[[prove]]\nname = "proof"\nprotocol = "Postcopy"\npages = 1\nmethod = "k-induction"\n'
            '[[simulate]]\nprotocol = "preempt"\nviolates = "no-page-lost"\n',
        )
    )
    assert (suite.name, suite.jobs, suite.max_memory) == ("mine", 3, 4 << 30)
    assert [entry.name for entry in suite.entries] == [
        "check preempt --pages 1 --in-flight 1 --property no-page-lost",
        "check preempt --pages 2 --in-flight 1 --property no-page-lost",
        "proof",
        "simulate preempt --in-flight 1",
    ]
    first, _, proof, walks = suite.entries
    assert first.arguments == {"pages": 1, "in_flight": 1, "properties": ["no-page-lost"]}
    assert (first.seconds, first.max_memory, first.expect) == (9.0, 1 << 30, "holds")
    assert proof.arguments == {"pages": 1, "in_flight": 1, "method": "k-induction"}
    assert (proof.expect, walks.expect, walks.violates) == ("proved", "", ["no-page-lost"])


MISTAKES = {
    "no TOML": ("[[check]\n", "not TOML: "),
    "a table": ('[[chekc]]\nprotocol = "x"\n', "there is no table chekc; did you mean check?"),
    "one bracket": ('[check]\nprotocol = "x"\n', "write [[check]] with two brackets: there may be several"),
    "nothing": ('[suite]\nname = "x"\n', "there is nothing to do: write [[check]]"),
    "a key": (f"{ONE}page = 2\n", "[[check]] 1: there is no key page; did you mean pages?"),
    "a key of another": (f'{ONE}method = "spacer"\n', "[[check]] 1: there is no key method"),
    "a key of the suite": (f"[suite]\njob = 2\n{ONE}", "[suite]: there is no key job; did you mean jobs?"),
    "no protocol": ("[[check]]\npages = 1\n", '[[check]] 1 has no protocol: write protocol = "my_change.py"'),
    "a text for a number": (f'{ONE}pages = "2"\n', "pages = '2': a whole number from 1 on, or a list of them"),
    "no size": (f"{ONE}pages = []\n", "pages = [] leaves nothing to do"),
    "a type": (f'{ONE}liveness = "no"\n', "liveness is true or false, and not 'no'"),
    "a verdict": (f'{ONE}expect = "hold"\n', "there is no verdict hold; did you mean holds?"),
    "two verdicts": (f'{ONE}expect = "holds"\nviolates = ["x"]\n', 'is not expected to be "holds": leave expect away'),
    "no reason": (f'{ONE}accepted.no-page-lost = ""\n', "accepted.no-page-lost gives no reason: write accepted."),
    "accepted and expected": (f'{ONE}expect = "violated"\naccepted.x = "y"\n', "leave expect and violates away"),
    "no time": (f"{ONE}seconds = 0\n", "seconds = 0: a time greater than 0"),
    "an amount": (f'{ONE}max_memory = "much"\n', '[[check]] 1: max_memory = "much": a size from 1M to 16T'),
    "an amount for all": (f'[suite]\nmax_memory = "4X"\n{ONE}', '[suite]: max_memory = "4X": a size from 1M to 16T'),
    "too much": (f'[suite]\nmax_memory = "1G"\n{ONE}max_memory = "2G"\n', "may take 2,048 MiB, and all together 1,024"),
    "twins": (f"{ONE}{ONE}", 'two questions are called "check Postcopy": give one of them a name = "..."'),
    "a size without pages": (
        '[[prove]]\nprotocol = "Postcopy"\nin_flight = 2\n',
        "in_flight and host_page go with pages; without it the proof is for every size",
    ),
    "names": (f"{ONE}properties = [3]\n", "properties is a list of names, and not [3]"),
}
"""Mistakes in a suite, and what is said of each."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    text, said = MISTAKES[name]
    with pytest.raises(UsageError) as error:
        read_suite(written(tmp_path, text))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'suite.toml'}: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*none\.toml: No such file"):
        read_suite(tmp_path / "none.toml")


def test_every_key_is_on_the_page_and_every_key_of_the_page_is_there() -> None:
    table = PAGE.partition("| key | of |")[2].partition("\n\n")[0]
    rows = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {*COMMON, *SIZES, *(name for kind in Kind for name in ARGUMENTS[kind])}
