"""The git commit of the code that made a run."""

import subprocess

from runner.tracking.metadata import collect_metadata, format_patch


def git(folder, *arguments):
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_that_of_the_code_and_changes_to_it_are_told(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "model.yaml").write_text("a", encoding="utf-8")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "Add a model")
    metadata = collect_metadata(tmp_path)
    assert metadata["mlflow.source.git.commit"] == git(tmp_path, "rev-parse", "HEAD")
    assert metadata["git.dirty"] == "false"
    (tmp_path / "model.yaml").write_text("b", encoding="utf-8")
    assert collect_metadata(tmp_path)["git.dirty"] == "true"


def test_the_patch_makes_of_the_commit_what_was_run(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "model.yaml").write_text("a\n", encoding="utf-8")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "Add a model")
    assert format_patch(tmp_path) is None
    (tmp_path / "model.yaml").write_text("b\n", encoding="utf-8")
    (tmp_path / "new.yaml").write_text("c\n", encoding="utf-8")
    patch = format_patch(tmp_path)
    assert patch.startswith("# untracked: new.yaml\n")
    git(tmp_path, "checkout", "model.yaml")
    (tmp_path / "new.yaml").write_text(patch, encoding="utf-8")
    git(tmp_path, "apply", "new.yaml")
    assert (tmp_path / "model.yaml").read_text(encoding="utf-8") == "b\n"


def test_code_outside_of_a_repository_has_no_commit(tmp_path):
    metadata = collect_metadata(tmp_path)
    assert "mlflow.source.git.commit" not in metadata
    assert metadata["version.keras"]
