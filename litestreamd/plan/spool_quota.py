"""What leaves the spool when its quota is full although not every replica has it.

In: the quota, as configured. Out: a decision.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quota:
    """Room for the spool: `size` bytes, or, where that is None, a `share` (0 to 1) of what the disk has free without
    the spool. A share follows the disk: it does not shrink because the spool itself grows."""

    size: int | None = None
    share: float = 0.25

    def room(self, free: int, stored: int) -> int:
        """The quota in bytes, on a disk with `free` bytes left while the spool holds `stored`."""
        return self.size if self.size is not None else int((free + stored) * self.share)
