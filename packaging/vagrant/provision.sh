#!/bin/sh
# Set up a machine to try litestreamd on: the package as it was built, a small application with a database, a store, and
# the service that protects it. What Vagrant runs in its machines, and the tests in booted containers.
# In: root, a systemd that is up; from the environment, all of it optional:
#     PACKAGES     the folder with the deb or rpm (/vagrant/dist/deb, /vagrant/dist/rpm)
#     REPLICA      s3 (the default), or a folder: the replica lies there, and no store is set up
#     S3_ENDPOINT  a store that is there already, with S3_BUCKET (demo), S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY;
#                  without it an emulator of S3 is installed from PyPI, on 127.0.0.1, port S3_PORT (9000)
# Out: exit 0 when the first sync is on the replica; what to try next is printed. May be run again.
set -eu

: "${REPLICA:=s3}" "${S3_ENDPOINT:=}" "${S3_BUCKET:=demo}" "${S3_PORT:=9000}"
emulator=ministack==1.5.33
database=/var/lib/app/app.db
keys=/etc/litestreamd/keys/app

fail() {
  echo "provision.sh: $1" >&2
  exit 1
}
step() {
  echo "== $1"
}

[ "$(id -u)" = 0 ] || fail 'run it as root'
case $REPLICA in
  s3 | /*) ;;
  *) fail "REPLICA is s3 or an absolute folder, not $REPLICA" ;;
esac

if command -v apt-get >/dev/null; then
  : "${PACKAGES:=/vagrant/dist/deb}"
  pattern='litestreamd_*.deb' maker='make deb'
  export DEBIAN_FRONTEND=noninteractive
elif command -v dnf >/dev/null; then
  : "${PACKAGES:=/vagrant/dist/rpm}"
  pattern='litestreamd-[0-9]*.rpm' maker='make rpm'
else
  fail 'neither apt-get nor dnf is here'
fi
install_package() { # files and names
  if command -v apt-get >/dev/null; then
    apt-get install -q -y --no-install-recommends "$@"
  else
    dnf install -q -y "$@"
  fi
}

step 'the package'
package=$(find "$PACKAGES" -maxdepth 1 -name "$pattern" ! -name '*.src.rpm' 2>/dev/null | sort -V | tail -n 1)
[ -n "$package" ] || fail "there is no $pattern in $PACKAGES: $maker"
if command -v apt-get >/dev/null; then
  apt-get update -q
elif ! grep -q '^ID=.*fedora' /etc/os-release; then
  install_package epel-release # python3-apsw is there
fi
install_package "$package"

step 'the application'
id app >/dev/null 2>&1 || useradd --system --user-group --no-create-home app
install -d -o app -g app -m 750 /var/lib/app
cat >/usr/local/bin/app <<'END'
#!/usr/bin/python3 -I
"""A shop that gets an order each second."""

import sqlite3
import time

shop = sqlite3.connect("/var/lib/app/app.db", isolation_level=None, timeout=30)
shop.execute("PRAGMA journal_mode = wal")
shop.execute("CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, at TEXT NOT NULL)")
while True:
    shop.execute("INSERT INTO orders (at) VALUES (datetime('now'))")
    time.sleep(1)
END
chmod 755 /usr/local/bin/app
cat >/etc/systemd/system/app.service <<'END'
[Unit]
Description=A shop with a database

[Service]
User=app
Group=app
ExecStart=/usr/local/bin/app
Restart=on-failure

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now app.service
for second in $(seq 30); do
  [ ! -s "$database" ] || break
  [ "$second" -lt 30 ] || fail "the application made no database: journalctl -u app"
  sleep 1
done

emulate_s3() {
  step 'a store: an emulator of S3, to try things with (it keeps nothing safe)'
  if command -v apt-get >/dev/null; then install_package python3-venv; else install_package python3-pip; fi
  id demo-s3 >/dev/null 2>&1 || useradd --system --user-group --no-create-home demo-s3
  [ -x /opt/demo-s3/bin/pip ] || python3 -m venv --clear /opt/demo-s3
  /opt/demo-s3/bin/pip --disable-pip-version-check install --quiet "$emulator"
  cat >/etc/systemd/system/demo-s3.service <<END
[Unit]
Description=An emulator of S3, on 127.0.0.1 alone

[Service]
User=demo-s3
Group=demo-s3
StateDirectory=demo-s3
StateDirectoryMode=0700
WorkingDirectory=/var/lib/demo-s3
# What it would do beside S3 is left out: ports of its own, containers of others.
Environment=SERVICES=s3 S3_PERSIST=1 S3_DATA_DIR=/var/lib/demo-s3/data STATE_DIR=/var/lib/demo-s3/state LOG_LEVEL=WARNING
Environment=IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 DOCKER_HOST=unix:///nonexistent GATEWAY_PORT=$S3_PORT
ExecStart=/opt/demo-s3/bin/hypercorn --bind 127.0.0.1:$S3_PORT --workers 0 ministack.app:app
Restart=on-failure
NoNewPrivileges=yes
ProtectSystem=strict
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
END
  systemctl daemon-reload
  systemctl enable --now demo-s3.service
  S3_ENDPOINT=http://127.0.0.1:$S3_PORT
  # It believes any key.
  : "${S3_ACCESS_KEY_ID:=demo}" "${S3_SECRET_ACCESS_KEY:=demo-secret}"
  python3 -I - "$S3_ENDPOINT/$S3_BUCKET" <<'END' || fail 'the store does not answer: journalctl -u demo-s3'
import sys
import time
import urllib.error
import urllib.request

for _ in range(60):
    try:
        urllib.request.urlopen(urllib.request.Request(sys.argv[1], method="PUT"), timeout=5)
        sys.exit(0)
    except urllib.error.HTTPError as error:
        if error.code == 409:  # made by an earlier run
            sys.exit(0)
        time.sleep(1)
    except OSError:
        time.sleep(1)
sys.exit(1)
END
}

if [ "$REPLICA" = s3 ]; then
  if [ -z "$S3_ENDPOINT" ]; then emulate_s3; fi
  if [ -z "${S3_ACCESS_KEY_ID:-}" ] || [ -z "${S3_SECRET_ACCESS_KEY:-}" ]; then
    fail 'S3_ENDPOINT needs S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY'
  fi
  step 'the keys, as credentials'
  install -d -m 700 /etc/litestreamd/keys "$keys"
  umask 077
  printf '%s' "$S3_ACCESS_KEY_ID" >"$keys/s3-access-key-id"
  printf '%s' "$S3_SECRET_ACCESS_KEY" >"$keys/s3-secret-access-key"
  umask 022
  step 'the instance'
  litestreamd init -db "$database" -replica "s3://$S3_BUCKET/app?endpoint=$S3_ENDPOINT" -credentials "$keys" app
else
  install -d -o app -g app -m 750 "$REPLICA"
  step 'the instance'
  litestreamd init -db "$database" -replica "$REPLICA" app
fi
systemctl daemon-reload
systemctl enable --now litestreamd@app

step 'the first sync'
litestreamd sync -wait -timeout 2m app
litestreamd status app
cat <<'END'

It runs: app.service writes an order each second, litestreamd@app copies each. As root, try next:

    litestreamd doctor app                     # is it all as it has to be?
    litestreamd points app                     # the moments that can be restored
    litestreamd logs app                       # what was copied, where to, how long it took
    litestreamd restore -o /tmp/app.db app     # the newest state, beside the live database
    litestreamd verify app                     # the proof that it can be brought back

Lose the database, and see it come back before the application starts:

    systemctl stop app litestreamd@app
    rm /var/lib/app/app.db*
    systemctl start app litestreamd@app

Go back in time, with the application stopped for a second:

    litestreamd-restore -timestamp '30s ago' app
END
