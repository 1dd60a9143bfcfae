#!/usr/bin/env bash
# Installs what runs programs of other systems: qemu for 64-bit ARM, Wine for Windows. Only where that is permitted
# (Debian or Ubuntu; root, or sudo without a password); otherwise the tests that need them skip themselves.
set -uo pipefail

missing=()
command -v qemu-aarch64 >/dev/null || missing+=(qemu-user)
command -v wine >/dev/null || command -v wine64 >/dev/null || missing+=(wine64 wine)
if [ ${#missing[@]} -eq 0 ] || ! command -v apt-get >/dev/null; then exit 0; fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "Some tests are skipped without: ${missing[*]}" >&2
    exit 0
  fi
  as_root=(sudo -n)
fi
${as_root[@]+"${as_root[@]}"} apt-get update -qq &&
  DEBIAN_FRONTEND=noninteractive ${as_root[@]+"${as_root[@]}"} apt-get install -y --no-install-recommends \
    "${missing[@]}" >/dev/null || echo "That failed; tests of other systems are skipped." >&2
exit 0
