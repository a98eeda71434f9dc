#!/bin/sh
# Install the completions of bash, zsh and fish. In: $1 the tree (DESTDIR); ZSH_FOLDER and FISH_FOLDER, where a
# distribution wants them (Debian's unless given).
set -eu

tree=$1
cd "$(dirname "$0")/completions"
share=$tree/usr/share
zsh=$tree${ZSH_FOLDER:-/usr/share/zsh/vendor-completions}
fish=$tree${FISH_FOLDER:-/usr/share/fish/vendor_completions.d}
install -D -m 644 litestreamd.bash "$share/bash-completion/completions/litestreamd"
ln -sf litestreamd "$share/bash-completion/completions/litestreamd-restore"
install -D -m 644 _litestreamd "$zsh/_litestreamd"
install -D -m 644 litestreamd.fish "$fish/litestreamd.fish"
ln -sf litestreamd.fish "$fish/litestreamd-restore.fish"
