#!/bin/sh
# Look whether what was put into a tree is whole: the programs are there, the modules that came along are used and come
# from the tree. In: $1 the tree (DESTDIR), then names of modules beside those that vendor.sh builds. Out: the version.
set -eu

tree=$1
shift
for name in litestreamd litestreamd-restore; do
  test -x "$tree/usr/bin/$name"
done
/usr/bin/python3 -I -B - "$tree/usr/lib/litestreamd" anycrc.crc inotify_simple litestreamd "$@" <<'EOF'
import sys
from importlib import import_module

place = sys.argv[1]
sys.path.insert(0, place)
for name in sys.argv[2:]:
    file = import_module(name).__file__
    assert file.startswith(f"{place}/"), f"{name} comes from {file}"

import anycrc.crc
from litestreamd.basics import checksum
from litestreamd.cli.main import main

assert anycrc.crc.__file__.endswith(".abi3.so"), anycrc.crc.__file__
assert checksum.CRC64_LIBRARY == "anycrc", checksum.CRC64_LIBRARY
assert checksum.crc64(b"123456789", 0) == 0xB90956C775A41001
assert main(["version"]) == 0
EOF
