"""Running commands of `fgsd` in a test."""

from __future__ import annotations

import pytest

from fgsd.cli.main import main


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and error output of a command."""
    with pytest.raises(SystemExit) as exit_:
        main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return exit_.value.code, captured.out, captured.err
