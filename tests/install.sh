#!/usr/bin/env bash
# Installs those Debian packages of the list on standard input that are missing. Starts no service.
set -euo pipefail

missing=()
while read -r package; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

by_hand() {
  echo "the tests of SIP and of the dashboard need Debian packages that could not be installed ($1); by hand: apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
}
command -v apt-get >/dev/null || by_hand "no apt-get here"
as_root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || by_hand "not root, no sudo"
  as_root=(sudo "${as_root[@]}")
fi

# A package's service would take port 5060: none is started now, nor with the machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap '"${as_root[@]}" rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null || by_hand "no right to"
  "${as_root[@]}" chmod +x $policy
fi
echo "installing ${missing[*]} (once)"
"${as_root[@]}" apt-get -qq update || by_hand "apt-get update failed"
"${as_root[@]}" apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" >/dev/null ||
  by_hand "apt-get install failed"
if [ -d /run/systemd/system ] && [[ " ${missing[*]} " = *" kamailio "* ]]; then
  "${as_root[@]}" systemctl --quiet disable kamailio || true
fi
