"""YAML in, values out: all faults at once."""
