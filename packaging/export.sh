#!/bin/sh
# Write what a package is built from into a new folder: the tree as a checkout has it. What lies about beside it (what git
# ignores) stays out. In: $1 the folder. Where there is no git, as in a source package, the list is kept by hand.
set -eu

mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
listed() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git -c core.quotePath=off ls-files --cached --others --exclude-standard
  else
    find . -type f -not -path './.venv/*' -not -path './build/*' -not -path './dist/*' -not -path '*/__pycache__/*' \
      -not -path './.*_cache/*' -not -path './.hypothesis/*' -printf '%P\n'
  fi
}
listed | sort -u | while read -r file; do
  if [ -f "$file" ]; then echo "$file"; fi
done | tar --create --files-from - | tar --extract --directory "$folder" --no-same-owner
