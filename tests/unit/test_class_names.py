"""Class names in every Unicode form and locale, and the encoding of text files."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

import fgsd
from fgsd.card import model_card
from fgsd.checkpoint import load_checkpoint
from fgsd.names import decode_name, normalize_name, printable

COMPOSED, DECOMPOSED = "Caf\u00e9", "Cafe\u0301"


def test_both_unicode_forms_are_one_name():
    assert normalize_name(COMPOSED) == normalize_name(DECOMPOSED) == COMPOSED
    assert normalize_name("石畳") == "石畳"


def test_file_names_are_decoded_as_utf_8_and_others_are_escaped():
    assert decode_name(DECOMPOSED) == COMPOSED
    with pytest.raises(UnicodeError):
        decode_name("caf\udce9")
    assert printable(Path("a/caf\udce9")) == r"a/caf\xe9"
    assert printable(Path("a/石畳")) == "a/石畳"


@pytest.mark.parametrize("name", ["石畳", 'a "quoted" \\name', "a\nb"])
def test_the_code_of_the_model_card_names_the_class(checkpoint_folder, name):
    checkpoint = load_checkpoint(checkpoint_folder)
    table = replace(checkpoint.table, classes=[name, *checkpoint.table.classes[1:]])
    (code,) = re.findall(
        r"```python\n(.*?)```", model_card(replace(checkpoint, table=table)), flags=re.DOTALL
    )
    assert name in [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]


def test_every_text_file_names_its_encoding():
    """The encoding of the locale is not UTF-8 on Windows and in many containers."""
    found = []
    for path in sorted(Path(fgsd.__file__).parent.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and _opens_text(call) and not _names_encoding(call):
                found.append(f"{path.name}:{call.lineno}")
    assert found == []


def _opens_text(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    owner = getattr(getattr(call.func, "value", None), "id", None)
    if name != "open" or owner in ("os", "Image", "av"):
        return name in ("read_text", "write_text")
    constants = [one.value for one in [*call.args, *(word.value for word in call.keywords)] if _is_text(one)]
    return not any("b" in mode and set(mode) <= set("rwaxb+") for mode in constants)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _names_encoding(call: ast.Call) -> bool:
    return any(word.arg == "encoding" for word in call.keywords)
