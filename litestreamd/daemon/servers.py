"""What the daemon listens on: the control socket, and `addr:` for metrics where that is wanted.

In: configurations. Out: servers that run as the last one says. A socket that cannot be had is said, and no reason to
leave the databases alone.
"""

from collections.abc import Callable
from typing import Any

import litestreamd
from litestreamd.basics.errors import EnvironmentFault
from litestreamd.config.model import Config
from litestreamd.daemon.control import ControlServer, Routes
from litestreamd.daemon.health_file import group_id
from litestreamd.daemon.log import LOGGER
from litestreamd.daemon.metrics import render
from litestreamd.daemon.metrics_server import MetricsServer
from litestreamd.daemon.operations import Operations


class Servers:
    """Used by the main thread."""

    def __init__(self, operations: Operations, status: Callable[[], dict[str, Any]]) -> None:
        self._routes = Routes(operations, status, self._metrics)
        self._status = status
        self._control: ControlServer | None = None
        self._control_of: object = None
        self._metrics_server: MetricsServer | None = None
        self._address: object = None

    def serve(self, config: Config) -> None:
        """Listen as this configuration says, and no more on anything else."""
        if config.socket != self._control_of:
            self._control_of = config.socket
            self._serve_control(config)
        if config.addr != self._address:
            self._address = config.addr
            self._serve_metrics(config)

    def stop(self) -> None:
        """Listen no more."""
        for server in (self._control, self._metrics_server):
            if server is not None:
                server.stop()
        self._control = self._metrics_server = None

    def _metrics(self) -> bytes:
        return render([{"age_s": 0.0, **self._status()}], litestreamd.__version__)

    def _serve_control(self, config: Config) -> None:
        if self._control is not None:
            self._control.stop()
            self._control = None
        if config.socket.path is None:
            return
        server = ControlServer(config.socket.path, config.socket.mode, group_id(), self._routes)
        try:
            server.start()
            self._control = server
        except EnvironmentFault as error:
            LOGGER.error("%s", error)

    def _serve_metrics(self, config: Config) -> None:
        if self._metrics_server is not None:
            self._metrics_server.stop()
            self._metrics_server = None
        if config.addr is None:
            return
        server = MetricsServer(config.addr, self._metrics)
        try:
            server.start()
            self._metrics_server = server
        except EnvironmentFault as error:
            LOGGER.error("%s", error)
