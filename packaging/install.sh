#!/bin/sh
# Install everything into a tree: what `make install` does and both packages call.
# In: $1 the tree (DESTDIR; empty: this machine). Out: programs, modules, units and their companions in their places.
# Modules go to a folder of their own that knows no version of Python: what no distribution has may lie beside them.
set -eu

tree=${1:-}
cd "$(dirname "$0")/.."

put() { # mode, folder, files
  mode=$1 folder=$2
  shift 2
  for file in "$@"; do
    if [ -e "$file" ]; then install -D -m "$mode" -t "$tree$folder" "$file"; fi
  done
}

modules=/usr/lib/litestreamd
find litestreamd -name '*.py' -o -name py.typed | while read -r file; do
  install -D -m 644 "$file" "$tree$modules/$file"
done

launcher() { # name, function
  mkdir -p "$tree/usr/bin"
  cat >"$tree/usr/bin/$1" <<EOF
#!/usr/bin/python3 -I
import sys

sys.path.insert(0, "$modules")
from litestreamd.cli.main import $2

sys.exit($2())
EOF
  chmod 755 "$tree/usr/bin/$1"
}
launcher litestreamd run
launcher litestreamd-restore run_restore

put 644 /usr/lib/systemd/system units/*.service units/*.timer units/*.socket units/*.target
put 644 /usr/lib/systemd/catalog units/*.catalog
put 644 /usr/lib/sysusers.d units/sysusers.d/*.conf
put 644 /usr/share/doc/litestreamd/examples units/example.yml
put 644 /usr/share/litestreamd/prometheus packaging/prometheus/litestreamd-alerts.yml
put 644 /usr/share/litestreamd/grafana packaging/grafana/*.json
mkdir -p "$tree/etc/litestreamd/on-failure.d"
