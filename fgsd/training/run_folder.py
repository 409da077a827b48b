"""The folder of a training run: its configuration, its log, and a state from which it resumes exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from fgsd.atomic import errors_name, write_atomically
from fgsd.former_names import current_fields, current_tensor_name

# names of settings in older runs; see `current_fields`
SETTINGS_BEFORE = {"settle": "freeze_centroids_at", "fixed_centroids": "given_centroids"}
# what older runs, which lack them, had
NEW_SETTINGS = {
    "config.focus": [],
    "config.focus_share": 0.0,
    "config.given_centroids": False,
    "config.centroid_lr": 0.0,
}
TENSORS_BEFORE = {"more/read": "more/coordinates"}  # names of tensors besides those of the network


class RunFolder:
    """`config.json`, `log.jsonl` and `state.safetensors` of one run.

    Parameters
    ----------
    folder : str or Path
    config : dataclass
    classes : list of str

    Raises
    ------
    ValueError
        If the folder holds a run with another configuration or other classes, and the message names the
        difference; or if it holds files of these names that are not of a run.
    """

    def __init__(self, folder: str | Path, config: Any, classes: list[str]) -> None:
        self.folder = Path(folder)
        self.description = json.loads(json.dumps({"config": asdict(config), "classes": classes}))
        self._refuse_another_run()

    @property
    def state_path(self) -> Path:
        """The file of the last saved state."""
        return self.folder / "state.safetensors"

    @property
    def log_path(self) -> Path:
        """The file of the log, a line of JSON for each step."""
        return self.folder / "log.jsonl"

    def _refuse_another_run(self) -> None:
        path = self.folder / "config.json"
        if not path.exists():
            if foreign := [one for one in (self.state_path, self.log_path) if one.exists()]:
                raise ValueError(
                    f"{foreign[0]} has no {path.name} beside it, as a run has; name another run folder"
                )
            return
        try:
            stored = _current_description(json.loads(path.read_text(encoding="utf-8")))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is damaged ({error}); name another run folder") from None
        except ValueError as error:
            raise ValueError(f"{str(self.folder)!r} cannot be resumed: {error}") from None
        if not isinstance(stored, dict) or not {"config", "classes"} <= stored.keys():
            raise ValueError(f"{path} is not the configuration of a run; name another run folder")
        ours, theirs = flatten(self.description), flatten(stored)
        theirs = {key: value for key, value in NEW_SETTINGS.items() if key in ours} | theirs
        differing = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
        if differing:
            key = differing[0]
            raise ValueError(
                f"{str(self.folder)!r} was begun with {key}={theirs.get(key)!r}, not {ours.get(key)!r}; "
                "resume with the same settings and images, or name another run folder"
            )

    def begin(self, step: int) -> None:
        """Write the configuration, and drop the log lines of steps that will be repeated."""
        if not (self.folder / "config.json").exists():
            text = json.dumps(self.description, indent=2)
            write_atomically(self.folder / "config.json", lambda p: p.write_text(text, encoding="utf-8"))
        # files of a process that was killed while writing: ours end in .tmp, those of safetensors begin so
        for leftover in (*self.folder.glob(".*.tmp"), *self.folder.glob(".tmp*")):
            leftover.unlink(missing_ok=True)
        if self.log_path.exists():
            kept = []
            for line in self.log_path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    if json.loads(line)["step"] <= step:
                        kept.append(line)
                except (ValueError, KeyError, TypeError):
                    continue  # a line that was cut off when the process was killed
            text = "".join(f"{line}\n" for line in kept)
            write_atomically(self.log_path, lambda p: p.write_text(text, encoding="utf-8"))

    def log(self, record: Any) -> None:
        """Append a record (a dataclass) to the log as one line of JSON, without the fields that are None."""
        fields = {k: v for k, v in asdict(record).items() if v is not None}
        with errors_name(self.log_path), self.log_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")

    def save(
        self,
        model: nn.Module,
        average: nn.Module,
        optimizers: list[torch.optim.Optimizer],
        step: int,
        seconds: float,
        extra: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Write the whole state as one file, atomically; `extra` are further tensors of the run."""
        tensors: dict[str, Tensor] = {f"more/{k}": v for k, v in (extra or {}).items()}
        for prefix, module in (("model", model), ("average", average)):
            tensors |= {f"{prefix}/{k}": v for k, v in module.state_dict().items()}
        for index, optimizer in enumerate(optimizers):
            for key, entries in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer/{index}/{key}/{name}": v for name, v in entries.items()}
        # contiguous: the file must not depend on the memory format
        tensors = {
            k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()
        }
        metadata = {"step": str(step), "seconds": repr(seconds)}
        write_atomically(self.state_path, lambda p: save_file(tensors, p, metadata=metadata))

    def load(
        self, model: nn.Module, average: nn.Module, optimizers: list[torch.optim.Optimizer]
    ) -> tuple[int, float, dict[str, Tensor]]:
        """Restore the last saved state, if there is one.

        Returns
        -------
        Steps so far, seconds of training, and the `extra` tensors.

        Raises
        ------
        ValueError
            If the state is damaged.
        """
        if not self.state_path.exists():
            return 0, 0.0, {}
        tensors, step, seconds = self._load_tensors()
        with self._damage_is_named():
            for prefix, module in (("model", model), ("average", average)):
                module.load_state_dict(_with_prefix(tensors, f"{prefix}/"))
            for index, optimizer in enumerate(optimizers):
                state: dict[int, dict[str, Tensor]] = {}
                for key, value in _with_prefix(tensors, f"optimizer/{index}/").items():
                    parameter, name = key.split("/")
                    state.setdefault(int(parameter), {})[name] = value
                optimizer.load_state_dict(
                    {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
                )
        return step, seconds, _with_prefix(tensors, "more/")

    def load_average(self, denoiser: nn.Module) -> tuple[int, float, dict[str, Tensor]]:
        """Load the averaged weights into a network.

        Returns
        -------
        Steps so far, seconds of training, and the `extra` tensors.

        Raises
        ------
        FileNotFoundError
            If the run has no saved state.
        ValueError
            If the state is damaged.
        """
        if not self.state_path.exists():
            raise FileNotFoundError(f"run {str(self.folder)!r} has no saved state; train first")
        tensors, step, seconds = self._load_tensors()
        with self._damage_is_named():
            denoiser.load_state_dict(_with_prefix(tensors, "average/module."))
        return step, seconds, _with_prefix(tensors, "more/")

    def check_state(self) -> None:
        """Raise `ValueError` if there is a saved state that is truncated or of another program."""
        if self.state_path.exists():
            with self._damage_is_named(), safe_open(self.state_path, framework="pt") as file:
                int((file.metadata() or {})["step"])

    def images_at(self, step: int) -> int:
        """Return the number of training crops, over all processes, up to a step; 0 if the log lacks it."""
        if not self.log_path.exists():
            return 0
        records = [json.loads(line) for line in self.log_path.read_text(encoding="utf-8").splitlines()]
        return max((record["images"] for record in records if record["step"] <= step), default=0)

    def _load_tensors(self) -> tuple[dict[str, Tensor], int, float]:
        with self._damage_is_named(), safe_open(self.state_path, framework="pt") as file:
            metadata = file.metadata() or {}
            step, seconds = int(metadata["step"]), float(metadata["seconds"])
            tensors = {_current_name(key): file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        return tensors, step, seconds

    @contextmanager
    def _damage_is_named(self) -> Iterator[None]:
        """Within this context, whatever shows that the state is damaged is raised as `ValueError`."""
        try:
            yield
        except torch.cuda.OutOfMemoryError:  # a RuntimeError too
            raise
        except (SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.state_path} is damaged, or not the state of this run ({error}); put back a copy, or "
                "name another run folder to train from the start"
            ) from None


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _current_description(description: Any) -> Any:
    """Rename the settings of a run that was begun under older names; see `current_fields`."""
    if not isinstance(description, dict) or not isinstance(description.get("config"), dict):
        return description
    config = {SETTINGS_BEFORE.get(key, key): value for key, value in description["config"].items()}
    if "network" in config:
        config["network"] = current_fields(config["network"])
    return description | {"config": config}


def _current_name(key: str) -> str:
    """Return today's name of a tensor of a state that was saved under an older name."""
    for prefix in ("model/", "average/module."):
        if key.startswith(prefix):
            return prefix + current_tensor_name(key.removeprefix(prefix))
    return TENSORS_BEFORE.get(key, key)


def flatten(tree: object, prefix: str = "") -> dict[str, object]:
    """Return nested dicts and dataclasses as one dict with dotted keys."""
    if is_dataclass(tree) and not isinstance(tree, type):
        tree = asdict(tree)
    if not isinstance(tree, Mapping):
        return {prefix: tree}
    found: dict[str, object] = {}
    for key, value in tree.items():
        found |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return found
