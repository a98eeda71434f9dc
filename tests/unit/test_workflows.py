"""The workflows call what developers call, and may do no more than they need."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.programs import TREE

FOLDER = TREE / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
TARGETS = set(re.findall(r"^\.PHONY: (.*)$", (TREE / "Makefile").read_text(), re.MULTILINE)[0].split())
PINNED = re.compile(r"[\w.-]+/[\w.-]+@v\d+\.\d+\.\d+")


def load(file: Path) -> dict[Any, Any]:
    loaded = yaml.safe_load(file.read_text())
    assert isinstance(loaded, dict)
    return loaded


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    found = load(file)["jobs"]
    assert found and all(isinstance(job, dict) for job in found.values())
    return dict(found)


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(file).values() for step in job.get("steps", [])]


def made(file: Path) -> set[str]:
    """Targets of `make` that are called."""
    return {
        target for step in steps(file) for target in re.findall(r"(?:^|; |&& )make ([\w-]+)", step.get("run", ""), re.M)
    }


def test_there_are_the_three() -> None:
    assert [file.name for file in FILES] == ["check.yml", "packages.yml", "release.yml"]
    assert made(FOLDER / "check.yml") == {"check", "test"}
    assert made(FOLDER / "packages.yml") == {"deb", "rpm", "sbom"}
    assert jobs(FOLDER / "release.yml")["packages"]["uses"] == "./.github/workflows/packages.yml"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_targets_that_exist_are_made(file: Path) -> None:
    assert {"check", "test", "deb"} <= TARGETS
    assert made(file) <= TARGETS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_rights_are_told_and_small(file: Path) -> None:
    assert load(file)["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in jobs(file).items() if job.get("permissions", {}) != {}}
    more = {name: rights for name, rights in more.items() if rights != {"contents": "read"}}
    assert more == ({"draft": {"contents": "write"}} if file.name == "release.yml" else {})
    # A job with the right to write runs nothing of the repository's.
    for name in more:
        assert not [step for step in jobs(file)[name]["steps"] if "checkout" in step.get("uses", "")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_actions_are_pinned_and_leave_no_token_behind(file: Path) -> None:
    for step in steps(file):
        if uses := step.get("uses"):
            assert PINNED.fullmatch(uses), uses
            if uses.startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_secret_is_in_a_command(file: Path) -> None:
    """Nor anything of GitHub's that somebody else may write, as a title: commands get such by the environment."""
    assert "secrets." not in file.read_text()
    for step in steps(file):
        assert "${{" not in step.get("run", ""), step
        assert not re.search(r"(echo|printf|cat).*TOKEN|set -x", step.get("run", "")), step


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_pull_request_of_a_stranger_gets_rights(file: Path) -> None:
    events = load(file)[True]  # YAML 1.1 takes `on` for true
    assert not {"pull_request_target", "workflow_run"} & set(events)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_job_ends(file: Path) -> None:
    for name, job in jobs(file).items():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 180, name
        assert "uses" in job or job["runs-on"] == "ubuntu-24.04", name


def test_both_releases_of_debian() -> None:
    for file, name in (("check.yml", "check"), ("check.yml", "test"), ("packages.yml", "deb")):
        assert jobs(FOLDER / file)[name]["strategy"]["matrix"]["debian"] == ["12", "13"]


def test_what_is_waited_for_exists() -> None:
    for file in FILES:
        names = jobs(file)
        for job in names.values():
            assert job.get("needs", next(iter(names))) in names
