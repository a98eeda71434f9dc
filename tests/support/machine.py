"""A machine: a real systemd as PID 1 in a throw-away container, with its journal, its reboots and its power cuts.

In: an image (tests/support/machine_images.py). Out: a running machine to run commands in, read and write files of, and
kill. Promised: the image is never written to (an overlay takes what the machine writes, across reboots and power
cuts, until `close`); nothing is left running or mounted after `close`, which comes also when a test fails.

How: systemd-nspawn with its notify socket, which says when the systemd within is up and who its leader is; commands get
in with nsenter. The network is the host's, so that servers on 127.0.0.1 are reached from within.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.support.waiting import until

BOOT_S = 120.0
STOP_S = 120.0
REBOOTS = 133
"""What nspawn ends with when the machine wants to boot again."""

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "TERM": "dumb",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
}
"""Of every command: nothing of the caller's leaks in."""


CGROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
IN_A_CGROUP = f"""
for tree in {" ".join(CGROUPS)}; do
  if [ -e "$tree/cgroup.procs" ]; then mkdir -p "$tree/$0" && echo $$ >"$tree/$0/cgroup.procs"; fi
done
exec "$@"
"""
"""Each machine has control groups of its own: in those of its neighbour it would remove, as empty, what the other is
about to use (units of one name have groups of one name)."""


class MachineTrouble(AssertionError):
    """Something in the machine did not go as it had to."""


class _Word:
    """What nspawn and the systemd within say on the notify socket. It is read for ever: a systemd from 254 on goes on
    talking, and stands still once nobody listens."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.leader: int | None = None
        self.is_up = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                said = self._socket.recv(65536)
            except OSError:
                return
            if not said:
                return
            for line in said.decode(errors="replace").splitlines():
                key, _, value = line.partition("=")
                if key == "X_NSPAWN_LEADER_PID":
                    self.leader = int(value)
                elif key == "READY" and self.leader:
                    self.is_up = True


class Machine:
    """`layers`: folders over each other, the topmost first; all stay as they are."""

    def __init__(self, *layers: Path) -> None:
        self.name = f"t-{uuid.uuid4().hex[:10]}"
        self._layers = layers
        self._folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir="/var/tmp"))
        self._root = self._folder / "root"
        self._process: subprocess.Popen[bytes] | None = None
        self._word: _Word | None = None

    def __enter__(self) -> Self:
        try:
            self._mount()
            return self.boot()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def written(self) -> Path:
        """What the machine has written to its disk: a layer for other machines, once this one is shut down."""
        return self._folder / "upper"

    # Life

    def boot(self) -> Self:
        """Start, and return when its systemd has done what it wants to at a boot."""
        assert self._process is None or self._process.poll() is not None
        if self._word is not None:
            self._word.close()
        self._word = _Word(self._folder / "notify")
        command = [
            "systemd-nspawn", "--quiet", "--boot", f"--directory={self._root}", f"--machine={self.name}",
            "--register=no", "--keep-unit", "--notify-ready=yes", "--kill-signal=SIGRTMIN+4", "--link-journal=no",
            "--resolv-conf=copy-host", "--timezone=off", "--console=read-only",
        ]  # fmt: skip
        env = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(self._folder / "notify")}
        with (self._folder / "console").open("ab") as console:
            self._process = subprocess.Popen(
                ["sh", "-c", IN_A_CGROUP, self.name, *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=env,
                start_new_session=True,
            )
        until(self._is_up, "the machine is up", BOOT_S)
        self.run("systemctl is-system-running --wait", check=False, timeout=BOOT_S)
        return self

    def reboot(self) -> Self:
        """In order."""
        self.run("systemctl --no-block reboot", check=False)
        code = self._wait_end()
        if code != REBOOTS:
            raise MachineTrouble(f"the machine did not reboot: {code}\n{self.console()}")
        return self.boot()

    def shut_down(self) -> None:
        """In order."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._wait_end()

    def cut_power(self) -> None:
        """Everything in it dies at once."""
        process, leader = self._process, self._word.leader if self._word else None
        if process is None or process.poll() is not None:
            return
        process.kill()  # first: at the leader's death it would tidy up in order
        if leader is not None:
            with suppress(ProcessLookupError):
                os.kill(leader, signal.SIGKILL)
        process.wait(STOP_S)
        until(lambda: leader is None or not Path(f"/proc/{leader}/ns/pid").exists(), "the leader is gone", STOP_S)

    def close(self) -> None:
        """Cut the power and forget the disk."""
        self.cut_power()
        if self._word is not None:
            self._word.close()
            self._word = None
        for tree in CGROUPS:
            for folder, _, _ in os.walk(Path(tree, self.name), topdown=False):
                with suppress(OSError):
                    Path(folder).rmdir()
        if os.path.ismount(self._root):
            subprocess.run(["umount", "--lazy", self._root], check=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def console(self) -> str:
        """What nspawn and the systemd within wrote on the console, the end of it."""
        return (self._folder / "console").read_text(errors="replace")[-4000:]

    # Commands

    def run(
        self, command: str | Sequence[str], check: bool = True, timeout: float = 120, data: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """A line for the shell, or words; as root."""
        words = ["sh", "-c", command] if isinstance(command, str) else list(command)
        done = subprocess.run(
            [*self._enter(env or {}), *words], input=data or b"", capture_output=True, timeout=timeout, check=False
        )
        told = subprocess.CompletedProcess(
            words, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )
        if check and told.returncode:
            raise MachineTrouble(
                f"{command!r} ended with {told.returncode}\n{told.stdout[-3000:]}\n{told.stderr[-3000:]}"
            )
        return told

    def out(self, command: str | Sequence[str], **how: Any) -> str:
        """What it prints."""
        return self.run(command, **how).stdout.strip()

    def write(self, path: str, text: str | bytes, mode: int = 0o644, owner: str = "root:root") -> None:
        """A file, whose folder is made too."""
        data = text.encode() if isinstance(text, str) else text
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1" && chown "$3" "$1"'
        self.run(["sh", "-c", script, "sh", path, f"{mode:o}", owner], data=data)

    def read(self, path: str) -> str:
        return self.run(["cat", path]).stdout

    # systemd

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.out(["systemctl", "show", "--value", "-p", name, unit])

    def wait(self, unit: str, name: str, wanted: str | Callable[[str], bool], seconds: float = 60) -> str:
        """Until a property is as wanted; out: its value."""
        found = ""

        def fits() -> bool:
            nonlocal found
            found = self.show(unit, name)
            return wanted(found) if callable(wanted) else found == wanted

        try:
            until(fits, f"{name} of {unit}", seconds)
        except AssertionError as error:
            told = self.run(["systemctl", "status", "--no-pager", "-l", unit], check=False).stdout
            raise MachineTrouble(f"{unit}: {name} is {found!r}\n{told}\n{self.text(unit)}") from error
        return found

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """Entries that fit, oldest first."""
        self.run("journalctl --sync", check=False)
        lines = self.out(["journalctl", "--no-pager", "--quiet", "--all", "--output=json", *matches], check=False)
        return [json.loads(line) for line in lines.splitlines() if line.strip()]

    def text(self, unit: str, last: int = 60) -> str:
        """The end of a unit's journal, to be read."""
        return self.out(["journalctl", "--no-pager", "-n", str(last), "-o", "short-precise", "-u", unit], check=False)

    def wait_journal(self, *matches: str, seconds: float = 60) -> dict[str, Any]:
        """Until there is an entry that fits; out: the last."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = self.journal(*matches)
            return bool(found)

        until(there, f"a journal entry with {' '.join(matches)}", seconds)
        return found[-1]

    def _is_up(self) -> bool:
        assert self._process is not None and self._word is not None
        if self._process.poll() is not None:
            raise MachineTrouble(f"the machine ended with {self._process.returncode}\n{self.console()}")
        return self._word.is_up

    def _wait_end(self) -> int:
        assert self._process is not None
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise MachineTrouble(f"the machine does not end\n{self.console()}") from None

    def _mount(self) -> None:
        for name in ("upper", "work", "root"):
            (self._folder / name).mkdir()
        lower = ":".join(map(str, self._layers))
        options = f"lowerdir={lower},upperdir={self._folder}/upper,workdir={self._folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self._root], check=True)
        (self._root / "etc" / "machine-id").write_text("")  # its own, made at the first boot
        (self._root / "var" / "log" / "journal").mkdir(parents=True, exist_ok=True)  # the journal survives a reboot

    def _enter(self, env: Mapping[str, str]) -> list[str]:
        assert self._word is not None and self._word.leader is not None
        variables = [f"{key}={value}" for key, value in {**ENVIRONMENT, **env}.items()]
        return [
            "nsenter", f"--target={self._word.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
            "--root", "--", "env", "-i", "-C", "/", *variables,
        ]  # fmt: skip
