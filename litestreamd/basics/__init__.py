"""What every floor may use: errors, TXIDs, quantities, times and checksums."""
