"""Outputs are tried before work begins; what goes wrong with a file is one line, and nothing is lost."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from pathlib import Path

import pytest
from safetensors import SafetensorError

from fgsd.app.http.address import AddressError, check_address
from fgsd.app.server import launch
from fgsd.cli.main import main
from fgsd.cli.outputs import check_file, check_folder
from fgsd.pipeline import Pipeline
from fgsd.sheets import MAX_SIDES

# a budget of two steps; with --init-from a tiny checkpoint the network is tiny too
QUICK = ["--images", 4, "--groups", 1, "--group-size", 2, "--patch-size", 16, "--image-size", 48, "--cpu"]
FULL = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
OUTPUTS = [  # a command, and its option that names a file
    (["sample", "-o"], "--output"),
    (["sample", "-o", "good.png", "--steps-gif"], "--steps-gif"),
    (["sheet", "-o"], "--output"),
    (["evaluate", "-o"], "--output"),
    (["bench", "app", "-o"], "--output"),
    (["bench", "app", "--screenshot"], "--screenshot"),
    (["film", "-o"], "--output"),
]
FOLDERS = [  # a command, and its option that names a folder
    (["train", "images", "--run", "run", "--out"], "--out"),
    (["train", "images", "--out", "out", "--run"], "--run"),
    (["study", "gaussians-features", "--runs", "run", "-o"], "--out"),
    (["study", "gaussians-features", "-o", "out", "--runs"], "--runs"),
    (["report", "--scratch", "scratch", "-o"], "--out"),
    (["report", "-o", "out", "--scratch"], "--scratch"),
]


@pytest.fixture
def cwd(tmp_path, monkeypatch, texture_folder) -> Path:
    """The working folder: it holds a file, a folder, and images; and nothing may be computed."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(texture_folder, "images")
    Path("file").write_text("mine")
    Path("folder.webp").mkdir()
    Path("folder.png").mkdir()

    def refuse(*arguments, **options):
        pytest.fail("work has begun")

    monkeypatch.setattr(Pipeline, "from_pretrained", refuse)
    monkeypatch.setattr("fgsd.training.loop.train", refuse)
    monkeypatch.setattr("fgsd.evidence.report.report", refuse)
    monkeypatch.setattr("fgsd.evidence.study.Study.train", refuse)
    return tmp_path


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and error output of a command."""
    with pytest.raises(SystemExit) as exit_:
        main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return exit_.value.code, captured.out, captured.err


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(capsys, *arguments) -> str:
    """The one line of a command that refuses its arguments, and leaves the working folder as it was."""
    before = listing(Path.cwd())
    code, out, err = run(capsys, *arguments)
    assert code == 2 and out == "", err
    assert err.startswith("Error: ") and err.count("\n") == 1
    assert listing(Path.cwd()) == before and Path("file").read_text() == "mine"
    return err


@pytest.mark.parametrize(("arguments", "option"), OUTPUTS)
def test_a_file_that_cannot_be_written_is_refused_before_work_begins(
    capsys, monkeypatch, cwd, arguments, option
):
    suffix = ".png" if option == "--screenshot" else ".webp"
    assert f"{option} folder{suffix}: this is a folder" in refused(capsys, *arguments, f"folder{suffix}")
    line = refused(capsys, *arguments, f"file/x{suffix}")
    assert f"{option} file/x{suffix}: cannot be written: a file is where a folder should be" in line
    line = refused(capsys, *arguments, "x" * 300 + suffix)
    assert option in line and "file name too long; choose a shorter name" in line
    for number, advice in ((errno.EROFS, "on a disk that can be written"), (errno.ENOSPC, "free some space")):

        def write_bytes(path, content, number=number, write=Path.write_bytes):
            if path.parts[0] == "deep":
                raise OSError(number, os.strerror(number), str(path))
            write(path, content)

        monkeypatch.setattr(Path, "write_bytes", write_bytes)
        line = refused(capsys, *arguments, f"deep/er/x{suffix}")
        assert f"{option} deep/er/x{suffix}: cannot be written" in line and advice in line


@pytest.mark.parametrize(("arguments", "option"), FOLDERS)
def test_a_folder_that_cannot_be_written_is_refused_before_work_begins(
    capsys, monkeypatch, cwd, arguments, option
):
    assert f"{option} file" in refused(capsys, *arguments, "file")
    assert f"{option} file/deep" in refused(capsys, *arguments, "file/deep")

    def mkdir(path, *arguments, make=Path.mkdir, **options):
        if path.parts[0] == "locked":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        make(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    line = refused(capsys, *arguments, "locked/folder")
    assert option in line and "permission denied; choose another, or ask for the permission" in line


def test_trying_an_output_leaves_nothing_behind(tmp_path):
    (tmp_path / "there.png").write_text("old")
    check_file("-o", tmp_path / "there.png")
    check_file("-o", tmp_path / "deep" / "er" / "new.png")
    check_folder("-o", tmp_path / "deep" / "er")
    assert listing(tmp_path) == {"there.png"} and (tmp_path / "there.png").read_text() == "old"
    with pytest.raises(ValueError, match="-o /dev/null: this is no ordinary file"):
        check_file("-o", Path("/dev/null"))


FOREIGN = [
    (
        "--out",
        "README.md",
        "# My project",
        "this folder is not that of a checkpoint of fgsd, and its README.md",
    ),
    (
        "--out",
        "config.json",
        '{"model_type": "bert"}',
        "not that of a checkpoint of fgsd, and its config.json",
    ),
    ("--out", "config.json", '{"config": {}, "classes": []}', "not that of a checkpoint of fgsd"),
    (
        "--run",
        "config.json",
        '{"format": "fgsd-checkpoint-1"}',
        "config.json is not the configuration of a run",
    ),
    ("--run", "config.json", "[1]", "config.json is not the configuration of a run"),
    ("--run", "log.jsonl", "a log of another program", "log.jsonl has no config.json beside it"),
    ("--run", "state.safetensors", "of another program", "state.safetensors has no config.json beside it"),
]


@pytest.mark.parametrize(("option", "name", "text", "message"), FOREIGN)
def test_train_refuses_a_folder_of_something_else(
    capsys, tmp_path, texture_folder, option, name, text, message
):
    folders = {"--run": tmp_path / "run", "--out": tmp_path / "out"}
    folders[option].mkdir()
    (folders[option] / name).write_text(text)
    arguments = [one for pair in folders.items() for one in pair]
    code, _, err = run(capsys, "train", texture_folder, *arguments, *QUICK)
    assert code == 2 and err.count("\n") == 1 and message in err and "another" in err
    assert listing(tmp_path) == {folders[option].name, f"{folders[option].name}/{name}"}
    assert (folders[option] / name).read_text() == text


def test_train_refuses_one_folder_for_both(capsys, cwd):
    line = refused(capsys, "train", "images", "--run", "one", "--out", "images/../one", *QUICK)
    assert "--out images/../one: this is the folder of --run; name another" in line


def test_train_refuses_terms_that_no_checkpoint_can_hold_before_the_first_step(capsys, cwd):
    Path("images", "LICENSE.md").write_text("x" * 1_200_000)
    line = refused(capsys, "train", "images", "--run", "run", "--out", "out", *QUICK)
    assert "3 class names and an attribution of 1,200,000 characters exceed its 1,000,000 bytes" in line


def test_report_refuses_a_folder_of_something_else(capsys, cwd):
    Path("site").mkdir()
    Path("site", "report.html").write_text("my thesis")
    line = refused(capsys, "report", "--scratch", "scratch", "-o", "site")
    assert "--out site: this folder is not that of a report of fgsd, and its report.html" in line
    assert Path("site", "report.html").read_text() == "my thesis"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "my package"}'])
def test_evaluate_refuses_a_file_of_something_else(capsys, cwd, text):
    Path("package.json").write_text(text)
    line = refused(capsys, "evaluate", "-o", "package.json")
    assert "--output package.json: this file holds no results of fgsd evaluate; name another" in line
    assert Path("package.json").read_text() == text


def test_bench_refuses_a_screenshot_of_an_unknown_format(capsys, cwd):
    assert "'shot.webp': the suffix must be one of .png, .jpg" in refused(
        capsys, "bench", "app", "--screenshot", "shot.webp"
    )


def test_sample_refuses_one_file_for_both(capsys, cwd):
    line = refused(capsys, "sample", "-o", "a.webp", "--steps-gif", "./a.webp")
    assert "--steps-gif a.webp: this is the file of --output" in line


def test_sample_refuses_a_size_that_the_format_does_not_have(capsys, cwd):
    many = ["-n", 16, "--size", 4096]
    line = refused(capsys, "sample", "-o", "a.webp", *many)
    assert "'a.webp' would have 16,390 x 16,390 pixels, and WEBP holds at most 16,383 a side" in line
    assert "name a file that ends in .png or .jpg or .jpeg" in line
    line = refused(capsys, "sample", "-o", "a.png", "--steps-gif", "b.webp", *many)
    assert "'b.webp'" in line and "ends in .gif" in line


def test_sheet_refuses_a_size_that_the_format_does_not_have(
    capsys, monkeypatch, tmp_path, checkpoint_folder, texture_folder
):
    monkeypatch.setitem(MAX_SIDES, "WEBP", 300)
    monkeypatch.setattr(Pipeline, "sample", lambda *_, **__: pytest.fail("work has begun"))
    code, _, err = run(
        capsys, "sheet", "-c", checkpoint_folder, "-d", texture_folder, "-o", tmp_path / "sheet.webp"
    )
    assert code == 2 and "sheet.webp' would have" in err and "WEBP holds at most 300 a side" in err


class TestTraining:
    @pytest.fixture
    def command(self, tmp_path, texture_folder, checkpoint_folder) -> list:
        """Two steps of a tiny network."""
        folders = ["--run", tmp_path / "run", "--out", tmp_path / "out"]
        return ["train", texture_folder, *folders, "--map-crops", 0, "--init-from", checkpoint_folder, *QUICK]

    def test_a_truncated_state_is_one_line(self, capsys, command, tmp_path):
        assert run(capsys, *command)[0] == 0
        path = tmp_path / "run" / "state.safetensors"
        whole, before = path.read_bytes(), (tmp_path / "out" / "config.json").read_bytes()
        for length in (0, 5, 300, len(whole) - 3):
            path.write_bytes(whole[:length])
            code, out, err = run(capsys, *command)
            assert code == 2 and out == "" and err.count("\n") == 1
            assert f"{path} is damaged" in err and "put back a copy, or name another run folder" in err
            assert path.read_bytes() == whole[:length]
        assert (tmp_path / "out" / "config.json").read_bytes() == before
        path.write_bytes(whole)
        assert run(capsys, *command)[0] == 0

    def test_a_state_of_another_network_is_one_line(self, capsys, command, tmp_path):
        assert run(capsys, *command)[0] == 0
        path = tmp_path / "run" / "state.safetensors"
        shutil.copy(tmp_path / "out" / "model.safetensors", path)
        code, _, err = run(capsys, *command)
        assert code == 2 and err.count("\n") == 1
        assert f"{path} is damaged, or not the state of this run" in err

    def test_a_full_disk_in_training(self, capsys, command, tmp_path, monkeypatch):
        def full(tensors, path, metadata=None):
            path.write_bytes(b"half")
            raise FULL

        with monkeypatch.context() as patch:
            patch.setattr("fgsd.training.run_folder.save_file", full)
            code, _, err = run(capsys, *command)
        line = err.splitlines()[-1]
        assert code == 2 and "Traceback" not in err
        assert f"{tmp_path / 'run' / 'state.safetensors'}: no space left on device; free some space" in line
        assert "continues from its last saved state" in line
        assert listing(tmp_path) == {"run", "run/config.json", "run/log.jsonl"}
        assert run(capsys, *command)[0] == 0

    def test_a_full_disk_at_the_end_of_training_leaves_the_checkpoint_of_before(
        self, capsys, command, tmp_path, monkeypatch
    ):
        assert run(capsys, *command)[0] == 0
        before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
        save_file, command[3] = Path.write_text, tmp_path / "another-run"

        def full(path, text, **options):
            if path.name == "config.json" and path.parent.parent.name == "out":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return save_file(path, text, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_text", full)
            code, _, err = run(capsys, *command, "--seed", 5)
        line = err.splitlines()[-1]
        assert code == 2 and f"{tmp_path / 'out' / 'config.json'}: no space left on device" in line
        assert "The training is complete: repeat the command" in line
        assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
        assert Pipeline.from_pretrained(tmp_path / "out").classes == ["brick", "moss", "slate"]
        assert run(capsys, *command, "--seed", 5)[0] == 0
        after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
        assert after.keys() == before.keys() and after["model.safetensors"] != before["model.safetensors"]

    def test_a_training_that_diverges_is_one_line(self, capsys, command, monkeypatch):
        monkeypatch.setattr("fgsd.training.loop.math.isfinite", lambda _: False)
        code, _, err = run(capsys, *command)
        assert code == 2 and "lower muon_lr=" in err and "Traceback" not in err


def test_measured_results_are_printed_before_they_are_stored(
    capsys, monkeypatch, tmp_path, checkpoint_folder, texture_folder
):
    def full(path, text, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    code, out, err = run(
        capsys, "evaluate", "-c", checkpoint_folder, "-d", texture_folder, "--part", "speed",
        "-o", tmp_path / "results.json",
    )  # fmt: skip
    assert code == 2 and f"{tmp_path / 'results.json'}: no space left" in err.splitlines()[-1]
    assert "speed" in out


class TestAddress:
    @pytest.fixture
    def taken(self):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            yield server.getsockname()[1]

    def test_a_port_that_is_taken_is_one_line(self, capsys, cwd, taken):
        line = refused(capsys, "app", "--no-browser", "--port", taken)
        assert f"port={taken} is taken" in line and f"another --port, such as {taken + 1}, or 0" in line
        assert "share" not in line

    def test_an_address_of_another_machine_is_one_line(self, capsys, cwd):
        line = refused(capsys, "app", "--no-browser", "--port", 0, "--host", "203.0.113.7")
        assert "host='203.0.113.7' is no address of this machine; choose another --host" in line

    def test_the_library_names_it_before_the_checkpoint_is_loaded(self, cwd, taken):
        with pytest.raises(AddressError, match=f"port={taken} is taken"):
            launch("no/checkpoint", None, port=taken)
        with pytest.raises(AddressError, match=f"port={taken} is taken"):
            check_address("0.0.0.0", taken)

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
    def test_a_free_port_is_none(self, host, taken):
        check_address(host, None)
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            port = server.getsockname()[1]
        check_address(host, port)
