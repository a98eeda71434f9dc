#!/bin/sh
# Look whether what was put into a tree is whole: the programs start, and the modules in C are the ones that are used.
# In: $1 the tree (DESTDIR).
set -eu

tree=$1
for name in litestreamd litestreamd-restore; do
  test -x "$tree/usr/bin/$name"
done
/usr/bin/python3 -I -B - "$tree/usr/lib/litestreamd" <<'EOF'
import sys

sys.path.insert(0, sys.argv[1])
import anycrc.crc
import inotify_simple
from litestreamd.basics import checksum
from litestreamd.cli.main import main

assert anycrc.crc.__file__.endswith(".abi3.so"), anycrc.crc.__file__
assert checksum.CRC64_LIBRARY == "anycrc", checksum.CRC64_LIBRARY
assert checksum.crc64(b"123456789", 0) == 0xB90956C775A41001
assert inotify_simple.__file__.startswith(sys.argv[1])
assert main(["version"]) == 0
EOF
