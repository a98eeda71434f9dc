"""Options: one dash or two, a space or `=`, before or after the words; every mistake is one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litestreamd.basics.errors import UsageError
from litestreamd.basics.txid import parse_txid
from litestreamd.cli.options import CONFIG, JSON, Option, parse_arguments

OPTIONS = (CONFIG, JSON, Option("o", "", "PATH"), Option("if-db-not-exists", ""), Option("n", "", "N"))


@pytest.mark.parametrize(
    "words",
    [
        ["-config", "F", "-json", "DB"],
        ["--config", "F", "--json", "DB"],
        ["-config=F", "-json=true", "DB"],
        ["--config=F", "--json=1", "DB"],
        ["DB", "-json", "-config", "F"],
        ["-json", "DB", "--config=F"],
        ["-config", "G", "-json=false", "-json", "-config", "F", "DB"],
    ],
)
def test_every_spelling_is_the_same(words: list[str]) -> None:
    arguments = parse_arguments(words, OPTIONS)
    assert arguments.text("config") == "F"
    assert arguments.switch("json")
    assert arguments.words == ("DB",)
    assert arguments.text("o") is None
    assert not arguments.switch("if-db-not-exists")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-conf", "F"], "unknown option -conf (did you mean -config?)"),
        (["--jsn=hunter2"], "unknown option --jsn (did you mean -json?)"),
        (["-zzz"], "unknown option -zzz"),
        (["-of"], "unknown option -of (did you mean -o?)"),
        (["-o"], "-o needs a value: -o PATH"),
        (
            ["-o", "-json"],
            "-o needs a value, but the next word is the option -json (write -o=-json if that is the value)",
        ),
        (["-json=maybe"], "-json is a switch: give it alone, or with =true or =false"),
        (["---json"], "unknown option ---json (did you mean -json?)"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments(words, OPTIONS)
    assert str(caught.value) == sentence


def test_two_dashes_end_the_options_and_one_dash_is_a_word() -> None:
    arguments = parse_arguments(["-", "-json=0", "--", "-config", "--"], OPTIONS)
    assert arguments.words == ("-", "-config", "--")
    assert not arguments.switch("json")


def test_a_value_may_begin_with_a_dash_and_hold_equals_signs() -> None:
    arguments = parse_arguments(["-o", "-x", "-config=a=b"], OPTIONS)
    assert (arguments.text("o"), arguments.text("config")) == ("-x", "a=b")


@pytest.mark.parametrize("word", ["-h", "--h", "-help", "--help"])
def test_help_is_seen_wherever_it_stands_but_not_in_a_value(word: str) -> None:
    assert parse_arguments(["DB", "-json", word, "-nonsense"], OPTIONS).help_wanted
    assert parse_arguments(["-o", word], OPTIONS).text("o") == word


def test_values_are_read_as_what_they_are() -> None:
    options = (*OPTIONS, Option("txid", "", "TXID"), Option("wait", "", "DURATION"), Option("mode", "", "MODE"))
    arguments = parse_arguments(["-txid", "a7", "-wait=1m", "-n", "8", "-mode", "full"], options)
    assert arguments.read("txid", parse_txid) == 0xA7
    assert arguments.read("o", parse_txid) is None
    assert arguments.duration("wait", 1.0) == 60.0
    assert arguments.duration("o", 1.5) == 1.5
    assert arguments.number("n", 1) == 8
    assert arguments.number("o", 1) == 1
    assert arguments.choice("mode", ("none", "full"), "none") == "full"
    assert arguments.choice("o", ("none", "full"), "none") == "none"


@pytest.mark.parametrize("text", ["-1", "x", "", "1.5", "0", "٣", "9" * 30])
def test_a_bad_number_names_its_option(text: str) -> None:
    with pytest.raises(UsageError, match=r"^-n: .* is not a whole number from 1 on$"):
        parse_arguments([f"-n={text}"], OPTIONS).number("n", 5, at_least=1)


def test_a_bad_value_names_its_option() -> None:
    arguments = parse_arguments(["-o=0x1", "-n=1", "-config=x"], OPTIONS)
    with pytest.raises(UsageError, match=r"^-o: '0x1' is not a TXID"):
        arguments.read("o", parse_txid)
    with pytest.raises(UsageError, match=r"^-n: '1' is not a duration"):
        arguments.duration("n", 1.0)
    with pytest.raises(UsageError, match=r"^-config: 'x' is not one of a, b$"):
        arguments.choice("config", ("a", "b"), "a")


@given(st.lists(st.text(alphabet="-=hjsonconfig /", max_size=10), max_size=8))
def test_any_command_line_is_understood_or_refused(words: list[str]) -> None:
    try:
        arguments = parse_arguments(words, OPTIONS)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert set(arguments.given) <= {option.name for option in OPTIONS}
