"""TXIDs: unsigned 64-bit transaction numbers, printed as 16 lower-case hex digits."""

from litestreamd.basics.errors import UsageError

MAX_TXID = (1 << 64) - 1


def format_txid(txid: int) -> str:
    """The form used in file names and messages: exactly 16 lower-case hex digits."""
    return f"{txid:016x}"


def parse_txid(text: str) -> int:
    """Read 1 to 16 hex digits (Litestream wants all 16; leading zeros may be left out here).

    Raises UsageError for anything else, and for zero: TXIDs start at 1.
    """
    digits = text.strip().lower()
    if not 1 <= len(digits) <= 16 or set(digits) - set("0123456789abcdef"):
        raise UsageError(f"{text!r} is not a TXID: give 1 to 16 hex digits, such as 00000000000000a7 or a7")
    value = int(digits, 16)
    if value == 0:
        raise UsageError("TXID 0 does not exist: the first one is 1")
    return value
