"""From one configuration to the next, without dropping what is in both.

In: a configuration, then others. Out: databases and folders that are begun, ended, changed or left alone; replicas that
stay ask for their credentials anew. Works in a thread of its own: a final sync that takes long keeps nobody waiting.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from litestreamd.basics.errors import LitestreamdError
from litestreamd.config.model import Config
from litestreamd.daemon.folders import WatchedFolder
from litestreamd.daemon.instance import Instance
from litestreamd.daemon.log import LOGGER
from litestreamd.daemon.messages import MESSAGE_IDS
from litestreamd.daemon.staff import Staff


class Reload:
    """Used by the main thread. `error` is why the last configuration was refused. `crashed` is told of what must not
    happen in the thread that puts a configuration into effect: half of one is none."""

    def __init__(
        self, instance: Instance, staff: Staff, config: Config, crashed: Callable[[BaseException], None]
    ) -> None:
        self.error: str | None = None
        self._instance = instance
        self._staff = staff
        self._crashed = crashed
        self._config = replace(config, databases=(), folders=())
        self._first = config
        self._folders: list[WatchedFolder] = []
        self._thread: threading.Thread | None = None
        self._told = True

    @property
    def is_running(self) -> bool:
        """Whether a configuration is being put into effect."""
        return self._thread is not None and self._thread.is_alive()

    def has_ended(self) -> bool:
        """True once after each that was applied."""
        if self._told or self.is_running:
            return False
        self._told = True
        return True

    def begin(self) -> None:
        """The first configuration."""
        self._start(self._first)

    def read(self, load: Callable[[], Config]) -> Config | None:
        """The new configuration; None, said in the log, when it is not valid or asks for what only a restart can do."""
        try:
            config = load()
        except (LitestreamdError, OSError) as error:
            self.error = str(error)
            fields = {"MESSAGE_ID": MESSAGE_IDS["reload-refused"], "LITESTREAMD_ERROR_CLASS": type(error).__name__}
            LOGGER.error(
                "the new configuration is refused, the old one stays: %s", error, extra={"fields": fields}
            )  # fmt: skip
            return None
        self.error = None
        for warning in config.warnings:
            LOGGER.warning("%s", warning)
        return config

    def apply(self, config: Config) -> None:
        """Put it into effect, after the one before. Returns at once."""
        self.end()
        self._told = False
        self._start(config)

    def end(self) -> None:
        """Returns when nothing is being put into effect."""
        if self._thread is not None:
            self._thread.join()

    def wait(self, seconds: float) -> bool:
        """Whether nothing is being put into effect any more, within so many seconds. From any thread."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is not None and not thread.is_alive()

    def _start(self, config: Config) -> None:
        thread = threading.Thread(target=self._apply_or_crash, args=(config,), name="reload", daemon=True)
        thread.start()
        self._thread = thread

    def _apply_or_crash(self, config: Config) -> None:
        try:
            self._apply(config)
        except BaseException as error:  # noqa: BLE001  told, and raised by the main thread
            self._crashed(error)

    def _apply(self, config: Config) -> None:
        old, self._config = self._config, config
        deadline = time.monotonic() + config.shutdown_sync_timeout_s
        before = {settings.path: settings for settings in old.databases}
        after = {settings.path: settings for settings in config.databases}
        gone = [self._instance.remove(path, deadline) for path in before.keys() - after.keys()]
        self._change_folders(config, deadline)
        for ended in gone:
            ended.result()
        for path, settings in after.items():
            if path in before and before[path] != settings:
                self._instance.change(settings, deadline)
            else:
                self._instance.add(settings)
        for protection in self._instance.protections:
            for line in protection.replication.lines:
                line.replica.renew()

    def _change_folders(self, config: Config, deadline: float) -> None:
        wanted = list(config.folders)
        named = frozenset(settings.path for settings in config.databases)
        for folder in [each for each in self._folders if each.settings not in wanted or each.named != named]:
            self._folders.remove(folder)
            self._staff.remove(folder)
            folder.end(deadline)
        known = [each.settings for each in self._folders]
        for settings in wanted:
            if settings not in known:
                folder = WatchedFolder(settings, named, self._instance, config.shutdown_sync_timeout_s)
                folder.look()
                self._folders.append(folder)
                if settings.watch:
                    self._staff.add_folder(folder)
