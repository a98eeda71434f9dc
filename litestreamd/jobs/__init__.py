"""One verb, one file: what the program does, told as recipes."""
