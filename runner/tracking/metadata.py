"""Where and with what a run was made: code, versions, host."""

import platform
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "mlflow", "hydra-core", "omegaconf")

_GIT_TIMEOUT_SECONDS = 10
_MOST_PATCH_CHARACTERS = 1_000_000
_MOST_UNTRACKED = 1000


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


def format_patch(source: Path) -> str | None:
    """Returns how the code differs from its commit, as ``git apply`` takes it; None where not.

    It begins with the names of files that git does not know, which are not in it. Of more than
    1,000,000 characters the rest is cut, which its last line says.

    Args:
        source: A folder of the code.
    """
    listed = _git(source, "ls-files", "--others", "--exclude-standard", "--full-name", ":/")
    patch = _git(source, "diff", "HEAD", "--no-color", "--no-ext-diff")
    if not listed and not patch:
        return None
    names = (listed or "").splitlines()
    lines = [f"# untracked: {name}" for name in names[:_MOST_UNTRACKED]]
    if len(names) > _MOST_UNTRACKED:
        lines.append(f"# untracked: {len(names) - _MOST_UNTRACKED:,} more")
    text = "\n".join([*lines, *([patch] if patch else [])]) + "\n"
    if len(text) <= _MOST_PATCH_CHARACTERS:
        return text
    left_out = len(text) - _MOST_PATCH_CHARACTERS
    return f"{text[:_MOST_PATCH_CHARACTERS]}\n# cut here: {left_out:,} more characters\n"


def _git_tags(source: Path) -> dict[str, str]:
    commit = _git(source, "rev-parse", "HEAD")
    if commit is None:
        return {}
    is_dirty = bool(_git(source, "status", "--porcelain"))
    branch = _git(source, "branch", "--show-current")
    return {
        "mlflow.source.git.commit": commit,
        **({"mlflow.source.git.branch": branch} if branch else {}),
        "git.dirty": str(is_dirty).lower(),
    }


def _git(source: Path, *arguments: str) -> str | None:
    """Returns what git prints, or None where there is no git or no repository."""
    try:
        finished = subprocess.run(
            ["git", "-C", str(source), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            timeout=_GIT_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    # A patch may end with a line of one blank.
    return finished.stdout.strip("\n")
