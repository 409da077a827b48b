"""Class names outside of ASCII work where the locale shows ASCII only, as in many containers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
LOCALE = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
COMMANDS = """
import sys
from fgsd.cli.main import main

def run(*arguments):
    try:
        main(list(arguments))
    except SystemExit as end:
        assert not end.code, arguments

assert sys.getfilesystemencoding() == "ascii"
name = sys.argv[1]  # as Python decodes an argument
run("train", "images", "--run", "run", "-o", "out", "--images", "4", "--groups", "1", "--group-size", "2",
    "--patch-size", "16", "--image-size", "48", "--map-crops", "0", "--cpu", "--init-from", sys.argv[2])
run("classes", "-c", "out")
small = ["-n", "1", "--steps", "1", "--size", "16", "-o", "a.png", "-c", "out"]
run("sample", "--class", name, *small)
run("sample", "--mix", f"{name}=0.5,moss=0.5", *small)
print(name, chr(0x77F3))

from fgsd.app.server import launch

launch("out", "images", port=None, device="cpu", block=False).close()
print("page closed")
"""


def test_a_class_that_the_locale_cannot_show_is_trained_sampled_and_served(tmp_path, checkpoint_folder):
    (tmp_path / "images" / "石畳").mkdir(parents=True)
    Image.new("RGB", (48, 48), "red").save(tmp_path / "images" / "石畳" / "石.png")
    Image.new("RGB", (48, 48), "green").save(tmp_path / "images" / "moss.png")
    (tmp_path / "images" / "empty é").mkdir()  # reported on stderr
    environment = {**os.environ, **LOCALE, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONIOENCODING", None)
    ran = subprocess.run(
        [sys.executable, "-c", COMMANDS, "石畳", checkpoint_folder],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
    )
    assert ran.returncode == 0, ran.stderr.decode("utf-8", "replace")
    assert ran.stdout.endswith(b"page closed\n")
    assert b"no usable image" in ran.stderr
    assert "石畳" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
