"""The folder of a training run: its configuration, its log, and a state from which it resumes exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from fgsd.atomic import write_atomically


class RunFolder:
    """`config.json`, `log.jsonl` and `state.safetensors` of one run.

    Raises
    ------
    ValueError
        If the folder holds a run with another configuration or other classes; names what differs.
    """

    def __init__(self, folder: str | Path, config, classes: list[str]) -> None:
        self.folder = Path(folder)
        self.description = json.loads(json.dumps({"config": asdict(config), "classes": classes}))
        self._refuse_another_run()

    @property
    def state_path(self) -> Path:
        return self.folder / "state.safetensors"

    @property
    def log_path(self) -> Path:
        return self.folder / "log.jsonl"

    def _refuse_another_run(self) -> None:
        path = self.folder / "config.json"
        if not path.exists():
            return
        try:
            begun = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is damaged ({error}); name another run folder") from None
        mine, theirs = flatten(self.description), flatten(begun)
        differing = sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k))
        if differing:
            key = differing[0]
            raise ValueError(
                f"{str(self.folder)!r} was begun with {key}={theirs.get(key)!r}, not {mine.get(key)!r}; "
                "resume with the same settings and images, or name another run folder"
            )

    def begin(self, step: int) -> None:
        """Write the configuration, and drop log lines of steps that will be done again."""
        if not (self.folder / "config.json").exists():
            text = json.dumps(self.description, indent=2)
            write_atomically(self.folder / "config.json", lambda p: p.write_text(text))
        # by a process that was killed while it wrote: ours end in .tmp, those of safetensors begin so
        for left in (*self.folder.glob(".*.tmp"), *self.folder.glob(".tmp*")):
            left.unlink(missing_ok=True)
        if self.log_path.exists():
            kept = []
            for line in self.log_path.read_text(errors="replace").splitlines():
                try:
                    if json.loads(line)["step"] <= step:
                        kept.append(line)
                except (ValueError, KeyError, TypeError):
                    continue  # the line that a kill cut off
            write_atomically(self.log_path, lambda p: p.write_text("".join(f"{k}\n" for k in kept)))

    def log(self, record) -> None:
        """Append a record to the log as one line of JSON."""
        fields = {k: v for k, v in asdict(record).items() if v is not None}
        with self.log_path.open("a") as file:
            file.write(json.dumps(fields) + "\n")

    def save(
        self,
        model: nn.Module,
        average: nn.Module,
        optimizers: list[torch.optim.Optimizer],
        step: int,
        seconds: float,
        more: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Write the whole state as one file, atomically; `more` are tensors that a run needs besides."""
        tensors: dict[str, Tensor] = {f"more/{k}": v for k, v in (more or {}).items()}
        for prefix, module in (("model", model), ("average", average)):
            tensors |= {f"{prefix}/{k}": v for k, v in module.state_dict().items()}
        for index, optimizer in enumerate(optimizers):
            for key, entries in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer/{index}/{key}/{name}": v for name, v in entries.items()}
        # always laid out in rows: what the memory format was is no business of the file
        tensors = {
            k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()
        }
        metadata = {"step": str(step), "seconds": repr(seconds)}
        write_atomically(self.state_path, lambda p: save_file(tensors, p, metadata=metadata))

    def load(
        self, model: nn.Module, average: nn.Module, optimizers: list[torch.optim.Optimizer]
    ) -> tuple[int, float, dict[str, Tensor]]:
        """Restore the last saved state, if there is one; returns (steps done, seconds of training, what was
        saved besides)."""
        if not self.state_path.exists():
            return 0, 0.0, {}
        tensors, step, seconds = self._read()
        for prefix, module in (("model", model), ("average", average)):
            module.load_state_dict(_below(tensors, prefix))
        for index, optimizer in enumerate(optimizers):
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(tensors, f"optimizer/{index}").items():
                parameter, name = key.split("/")
                state.setdefault(int(parameter), {})[name] = value
            optimizer.load_state_dict(
                {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
            )
        return step, seconds, _below(tensors, "more")

    def load_average(self, denoiser: nn.Module) -> tuple[int, float, dict[str, Tensor]]:
        """Put the averaged weights into a network; returns (steps done, seconds of training, what was kept
        besides)."""
        if not self.state_path.exists():
            raise FileNotFoundError(f"run {str(self.folder)!r} has no saved state; train first")
        tensors, step, seconds = self._read()
        denoiser.load_state_dict(_below(tensors, "average/module", separator="."))
        return step, seconds, _below(tensors, "more")

    def images_at(self, step: int) -> int:
        """Training crops seen, over all processes, when a step was done; 0 if the log does not tell."""
        if not self.log_path.exists():
            return 0
        records = [json.loads(line) for line in self.log_path.read_text().splitlines()]
        return max((record["images"] for record in records if record["step"] <= step), default=0)

    def _read(self) -> tuple[dict[str, Tensor], int, float]:
        with safe_open(self.state_path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        return tensors, int(metadata["step"]), float(metadata["seconds"])


def _below(tensors: Mapping[str, Tensor], prefix: str, separator: str = "/") -> dict[str, Tensor]:
    prefix += separator
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def flatten(tree, prefix: str = "") -> dict[str, object]:
    """Nested dicts as one dict with dotted keys."""
    if is_dataclass(tree) and not isinstance(tree, type):
        tree = asdict(tree)
    if not isinstance(tree, Mapping):
        return {prefix: tree}
    found: dict[str, object] = {}
    for key, value in tree.items():
        found |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return found
