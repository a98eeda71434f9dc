"""Units: which service a process belongs to, and the credentials of a unit for root's shell."""

import os
import stat
from pathlib import Path

import pytest

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.daemon.unit_credentials import Credential, lend_credentials, loaded_by
from litestreamd.daemon.units import Units, service_in


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/system.slice/app.service", "app.service"),
        ("/system.slice/system-app.slice/app@7.service", "app@7.service"),
        ("/system.slice/app.service/worker/3", "app.service"),
        ("/my.slice/app.service", "app.service"),
        ("/system.slice/_cpu.service", "cpu.service"),
        ("/", None),
        ("/init.scope", None),
        ("/system.slice", None),
        ("/user.slice/user-0.slice/session-1.scope", None),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/mine.service", None),
        ("/system.slice/docker-0123.scope", None),
        ("/machine.slice/machine-x.scope/system.slice/app.service", None),
    ],
)
def test_the_service_of_a_control_group(path: str, service: str | None) -> None:
    assert service_in(path) == service


@pytest.mark.parametrize(
    "text",
    [
        "0::/system.slice/app.service\n",
        "4:memory:/\n1:name=systemd:/system.slice/app.service\n0::/system.slice/app.service\n",
    ],
)
def test_the_service_of_a_process(tmp_path: Path, text: str) -> None:
    (tmp_path / "42").mkdir()
    (tmp_path / "42/cgroup").write_text(text)
    assert Units(tmp_path).service_of(42) == "app.service"
    assert Units(tmp_path).service_of(43) is None


UNIT = "litestreamd-restore@app.service"
FILES = """
# /lib/systemd/system/litestreamd-restore@.service
[Service]
LoadCredential=gone:/nowhere
# /etc/systemd/system/litestreamd-restore@app.service.d/keys.conf
[Service]
LoadCredential=
LoadCredential=s3-access-key-id:/etc/%i/key
LoadCredential = bare
LoadCredentialEncrypted=s3-secret-access-key:/etc/%%/%n
"""


def test_what_the_files_of_a_unit_load() -> None:
    assert loaded_by(FILES, UNIT) == [
        Credential("s3-access-key-id", "/etc/app/key", False),
        Credential("bare", None, False),
        Credential("s3-secret-access-key", f"/etc/%/{UNIT}", True),
    ]


class Told(Units):
    """A service manager that has one unit."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def files_of(self, unit: str) -> str:
        assert unit == UNIT
        return self._text


def test_credentials_are_lent_in_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litestreamd.daemon.unit_credentials._PLACE", tmp_path)
    (tmp_path / "key").write_text("AKIA")
    (tmp_path / "more").mkdir()
    (tmp_path / "more/token").write_text("T")
    folder = lend_credentials(UNIT, Told(f"LoadCredential=s3-key:{tmp_path}/key\nLoadCredential=x:{tmp_path}/more\n"))
    assert folder is not None
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"s3-key": "AKIA", "x_token": "T"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in folder.iterdir()} == {0o400}


def test_a_unit_without_credentials_lends_none() -> None:
    assert lend_credentials(UNIT, Told("[Service]\nExecStart=/bin/true\n")) is None


def test_a_credential_that_is_not_there_is_named() -> None:
    with pytest.raises(EnvironmentFault, match="the credential s3-key of the unit is not there: /nowhere/key"):
        lend_credentials(UNIT, Told("LoadCredential=s3-key:/nowhere/key\n"))
