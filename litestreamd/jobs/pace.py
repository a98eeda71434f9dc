"""When a task wants to run again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Next:
    """Run again in `after` seconds at the latest (None: only when signalled), or at once on an event if `watch`."""

    after: float | None
    watch: bool = True


@dataclass(slots=True)
class Backoff:
    """Waiting times after failures: doubling from `first` to `longest` seconds, back to the start on success."""

    first: float
    longest: float
    failures: int = 0

    def failed(self) -> float:
        """Seconds to wait now."""
        self.failures += 1
        return min(self.longest, self.first * 2.0 ** (self.failures - 1))

    def worked(self) -> bool:
        """Forget the failures; True if there were any."""
        failed, self.failures = self.failures > 0, 0
        return failed
