"""The LTX file format, read and written. Pure."""
