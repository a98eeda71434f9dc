#!/bin/sh
# Build the Debian packages: binary and source packages of litestreamd and of python3-cysystemd.
# In: $1 the pinned sources (make sources), $2 where the packages go; NEXT=SUFFIX builds a version that follows the
# present one (an upgrade wants to be tried). What is missing to build is installed through apt; with all of it there
# nothing is fetched. Runs on Debian 12 or newer; built on 12, the package is for that and for all that came later.
set -eu
umask 022

# Debian's Python and its tools, whatever else this machine has.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "$0")" && pwd)
sources=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
. /etc/os-release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$here/install_packages.sh" build-essential fakeroot lintian

build_depends() {
  sed -n '/^Build-Depends:/,/^[^ ]/s/^ \([a-z0-9.+-]*\).*/\1/p' debian/control | sed 's/^debhelper-compat$/debhelper/'
}
build() { # folder
  cd "$1"
  # shellcheck disable=SC2046  # words
  "$here/install_packages.sh" $(build_depends)
  SOURCE_DATE_EPOCH=$(dpkg-parsechangelog --show-field Timestamp)
  export SOURCE_DATE_EPOCH
  find . -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  dpkg-buildpackage --no-sign --build=full
}
next() { # folder
  version=$(dpkg-parsechangelog --file "$1/debian/changelog" --show-field Version)
  sed -i "1s/($version)/($version$2)/" "$1/debian/changelog"
}

version=$(dpkg-parsechangelog --file "$here/debian/changelog" --show-field Version)
tree=$work/litestreamd-$version
"$here/export.sh" "$tree"
mkdir -p "$tree/build/sources"
sed -n 's/^\([a-z_]*\)==\([^ ]*\).*/\1-\2.tar.gz/p' "$here/sources.txt" | while read -r archive; do
  cp "$sources/$archive" "$tree/build/sources/"
done
mv "$tree/packaging/debian" "$tree/debian"
[ -z "${NEXT:-}" ] || next "$tree" "$NEXT"
build "$tree"

if [ -z "${NEXT:-}" ]; then
  mkdir "$work/python-cysystemd"
  tar -xf "$sources"/cysystemd-*.tar.gz -C "$work/python-cysystemd" --strip-components=1 --no-same-owner
  cp -r "$here/cysystemd/debian" "$work/python-cysystemd/debian"
  cd "$work/python-cysystemd"
  upstream=$(dpkg-parsechangelog --show-field Version)
  cp "$sources/cysystemd-${upstream%-*}.tar.gz" "$work/python-cysystemd_${upstream%-*}.orig.tar.gz"
  # Its modules are for one version of Python, so it is built on each release.
  next "$work/python-cysystemd" "~deb$VERSION_ID"
  build "$work/python-cysystemd"
fi

cd "$work"
lintian --fail-on error,warning --allow-root --no-cfg ./*.changes
cp ./*.deb ./*.dsc ./*.tar.* ./*.changes ./*.buildinfo "$out/"
ls -l "$out"/*.deb
