"""Where and with what a run was made: code, versions, host."""

import platform
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "mlflow", "hydra-core", "omegaconf")
_GIT_TIMEOUT_SECONDS = 10


def collect_metadata(source: Path) -> dict[str, str]:
    """Returns tags for the host, Python, the packages' versions and the git commit of `source`.

    Args:
        source: A folder of the code; where it is in no git repository, the commit is left out.
    """
    versions = {f"version.{package}": version(package) for package in PACKAGES}
    return {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "version.python": platform.python_version(),
        **versions,
        **_git_tags(source),
    }


def _git_tags(source: Path) -> dict[str, str]:
    commit = _git(source, "rev-parse", "HEAD")
    if commit is None:
        return {}
    is_dirty = bool(_git(source, "status", "--porcelain"))
    return {"mlflow.source.git.commit": commit, "git.dirty": str(is_dirty).lower()}


def _git(source: Path, *arguments: str) -> str | None:
    """Returns what git prints, or None where there is no git or no repository."""
    try:
        finished = subprocess.run(
            ["git", "-C", str(source), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=_GIT_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return finished.stdout.strip()
