"""Download and upload of checkpoints: the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from fgsd.checkpoint import FILES
from fgsd.checkpoint_files import CheckpointError


def download_checkpoint(repo_id: str) -> Path:
    """Download the files of a checkpoint and return their folder; other files are not downloaded.

    Raises
    ------
    CheckpointError
        If `repo_id` is not an id such as "owner/name", or the download fails.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(repo_id, allow_patterns=["config.json", *FILES, "README.md"]))
    except HFValidationError:
        raise CheckpointError(f"{repo_id!r} is neither a folder nor a hub id such as owner/name") from None
    except Exception as error:  # errors of the hub and of the network
        raise CheckpointError(
            f"{repo_id!r} is not a folder, and its download from the hub failed: "
            f"{type(error).__name__}: {error}"
        ) from None


def upload_checkpoint(folder: str | Path, repo_id: str, *, private: bool, token: str | None, api=None) -> str:
    """Upload the folder of a checkpoint and return the URL of the commit; creates the repository if needed.

    `Pipeline.push_to_hub` documents the parameters.
    """
    from huggingface_hub import HfApi

    api = api or HfApi(token=token)
    api.create_repo(repo_id, private=private, exist_ok=True)
    commit = api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Upload fgsd checkpoint")
    return str(commit)
