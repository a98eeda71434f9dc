#!/bin/sh
# Install Debian packages that tests or builds need, none of their services started.
# In: names of packages; root, or sudo that asks no password. Out: exit 0 when they are there, else 1 and a line why.
# A policy that the machine has is left as it is; ours is gone when this ends.
set -eu

policy=/usr/sbin/policy-rc.d
services="ceph-crash.service rbdmap.service prometheus.service"

missing() {
  for package in "$@"; do
    dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

refuse() {
  echo "not installed: $wanted ($1)"
  exit 1
}

wanted=$(missing "$@" | tr '\n' ' ')
[ -n "$wanted" ] || exit 0
command -v apt-get >/dev/null || refuse "no apt-get"
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || refuse "neither root nor sudo without a password"
  exec sudo -n "$0" "$@"
fi

if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || true # the old lists may do
# shellcheck disable=SC2086
apt-get install -qq -y --no-install-recommends $wanted >/dev/null || refuse "apt-get could not"
# Nor at the next boot.
# shellcheck disable=SC2086
systemctl --quiet disable $services 2>/dev/null || true
