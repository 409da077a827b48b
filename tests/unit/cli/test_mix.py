"""Mixtures on the command line: any class name can be part of one."""

import pytest

from fgsd.cli.mix import class_argument, parse_mix


def test_parse_mix():
    assert parse_mix("lava=0.25, glacier=0.75") == {"lava": 0.25, "glacier": 0.75}
    with pytest.raises(ValueError, match="twice"):
        parse_mix("lava=0.5,lava=0.5")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (r"a\, b=1", "a, b"),
        ("a=b=1", "a=b"),
        ("a=0.5=1", "a=0.5"),
        (r"a=0.5\,b=1", "a=0.5,b"),
        (r"a\=0.5\,b=1", "a=0.5,b"),
        (r"a\b=1", r"a\b"),
        (r"a\\\,b=1", r"a\,b"),
        (r" \ a\  = 1 ", " a "),
        ("Cafe\u0301=1", "Caf\u00e9"),
        ("石畳=1", "石畳"),
    ],
)
def test_any_name_can_be_part_of_a_mix(text, name):
    assert parse_mix(text) == {name: 1.0}
    assert parse_mix(f"lava=0.5,{text},moss=0.25") == {"lava": 0.5, name: 1.0, "moss": 0.25}


@pytest.mark.parametrize("text", ["lava", "=1", "lava=", "lava=x", "lava,moss=1", "lava=1,", "lava=1\\", ""])
def test_a_malformed_mix_says_how_it_should_look(text):
    with pytest.raises(ValueError, match=r"should look like lava=0\.5; write a comma in a name as"):
        parse_mix(text)


def test_an_argument_that_is_not_utf_8_is_no_class_and_stays_as_it_is():
    assert class_argument("caf\udce9") == "caf\udce9"
