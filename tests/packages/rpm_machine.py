"""A booted machine with dnf, and rpms for it: Debian 12 with Debian's dnf, in which one package stands for all that
dpkg has installed.

In: the image of the release (tests/support/machine_images.py), and rpmbuild. Out: layers for machines, kept beside the
image; rpms that provide what a distribution has. A Fedora or EL cannot be had here: their Python, SELinux and presets
are not what is tested.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support import machine_images
from tests.support.machine import Machine

RELEASE = "bookworm"
TOOLS = ("dnf", "gnupg", "rpm")
FOLDER = machine_images.folder(f"{RELEASE}-dnf")
STAMP = FOLDER.with_suffix(".made-of")

STANDS_FOR = {
    "ca-certificates": "ca-certificates",
    "python3": "python3",
    "python3-apsw": "python3-apsw",
    "python3-boto3": "python3-boto3",
    "python3-lz4": "python3-lz4",
    "python3-prometheus_client": "python3-prometheus-client",
    "python3-pyyaml": "python3-yaml",
    "python3-systemd": "python3-systemd",
    "systemd": "systemd",
}
"""What an rpm asks for by Fedora's name, and Debian's package of the same."""

OTHERS = ("/bin/sh", "/usr/bin/python3", "python(abi) = 3.11")
SYMBOLS = ("libc.so", "libsystemd.so", "rtld(")
"""Versions of symbols that a module in C needs: the machine has what this machine has, it is the same release."""

STUB = """
Name: {name}
Version: 1
Release: 1
Summary: {name}
License: Apache-2.0
BuildArch: noarch
{provides}
%description
{name}
%install
{install}
%files
{files}
"""


def layers() -> tuple[Path, ...]:
    """What machines with dnf are made of; made when there is none, or when it is of other things."""
    image = machine_images.folder(RELEASE)
    recipe = " ".join(TOOLS) + "\n" + (image / ".made-of").read_text()
    if not STAMP.exists() or STAMP.read_text() != recipe:
        shutil.rmtree(FOLDER, ignore_errors=True)
        with Machine(image) as machine:
            machine.run("apt-get update -qq", timeout=120)
            machine.run(
                f"apt-get install -qq -y --no-install-recommends {' '.join(TOOLS)} && apt-get clean",
                timeout=300,
                env={"DEBIAN_FRONTEND": "noninteractive"},
            )
            machine.shut_down()
            shutil.rmtree(machine.written / "var" / "log" / "journal", ignore_errors=True)
            subprocess.run(["cp", "--archive", machine.written, FOLDER], check=True, timeout=120)
        STAMP.write_text(recipe)
    return (FOLDER, image)


def needs(package: Path) -> set[str]:
    """What a package requires, but for rpm's own features."""
    told = subprocess.run(["rpm", "-qpR", package], check=True, capture_output=True, text=True, timeout=60).stdout
    return {line for line in told.splitlines() if not line.startswith("rpmlib(")}


def distribution(folder: Path, packages: Iterable[Path]) -> Path:
    """The rpm that stands for Debian: what it provides, in the version that dpkg knows."""
    admin = machine_images.folder(RELEASE) / "var" / "lib" / "dpkg"
    query = ["dpkg-query", f"--admindir={admin}", "--show", "--showformat", "${source:Upstream-Version}"]
    provides = list(OTHERS)
    for name, debian in STANDS_FOR.items():
        version = subprocess.run([*query, debian], check=True, capture_output=True, text=True, timeout=60).stdout
        provides.append(f"{name} = {version.replace('-', '.')}")
    provides += sorted({each for package in packages for each in needs(package) if each.startswith(SYMBOLS)})
    return stub(folder, "distribution-stub", provides)


def stub(folder: Path, name: str, provides: Iterable[str] = (), file: str | None = None) -> Path:
    """A package with nothing in it, or with one file."""
    spec = folder / f"{name}.spec"
    install = f"mkdir -p %{{buildroot}}{os.path.dirname(file)}; touch %{{buildroot}}{file}" if file else ""
    spec.write_text(
        STUB.format(name=name, provides="\n".join(f"Provides: {each}" for each in provides), install=install,
                    files=file or "")
    )  # fmt: skip
    command = ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {folder}", spec]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    return folder / "RPMS" / "noarch" / f"{name}-1-1.noarch.rpm"
