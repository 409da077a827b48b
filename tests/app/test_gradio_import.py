"""Gradio is imported without what slows that down, and all is as before afterwards."""

import os
import subprocess
import sys

SCRIPT = """
import inspect, os, sys
opened = []
def hook(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".pyi"):
        opened.append(arguments[0])
sys.addaudithook(hook)
getfile = inspect.getfile
import fgsd.app.gradio_import
assert inspect.getfile is getfile and "no_proxy" not in os.environ
before = len(opened)
import gradio

class Component(gradio.components.Component):  # a class of ours, whose file would get a stub
    EVENTS = []

print(before, len(opened) > before)
"""


def test_no_stub_file_is_compared(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k.lower() != "no_proxy"}
    environment |= {"ALL_PROXY": "socks5://127.0.0.1:9", "all_proxy": "socks5://127.0.0.1:9"}
    out = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True, timeout=120
    ).stdout
    # later, Gradio would write them: what is left out is what it does
    assert out.split() == ["0", "True"]
