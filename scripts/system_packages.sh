#!/usr/bin/env bash
# Makes sure that the Python given as $1 (3.11 or newer, with venv and headers) and a C++ compiler are there.
# What is missing is installed where that is permitted (root, or sudo without a password); otherwise the
# command to run is printed.
set -euo pipefail

python=${1:-python3}

have_python() { command -v "$python" >/dev/null; }
require_recent_python() {
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && return
  echo "$("$python" --version) is too old. Name a Python 3.11 or newer: make setup PYTHON=python3.12" >&2
  exit 1
}
have_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
have_headers() {
  "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'
}
have_compiler() {
  local name
  for name in "${CXX:-c++}" g++ clang++; do
    if command -v "$name" >/dev/null; then return 0; fi
  done
  return 1
}

# The names of what is missing, for Debian's (apt) and Fedora's (dnf) package manager.
missing_apt=() missing_dnf=()
need() {
  missing_apt+=("$1")
  missing_dnf+=("$2")
}

have_compiler || need g++ gcc-c++
if have_python; then
  require_recent_python
  version=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  have_venv || need "$version-venv" "$version"
  have_headers || need "$version-dev" "$version-devel"
else
  need python3 python3
  need python3-venv python3
  need python3-dev python3-devel
fi

if [ ${#missing_apt[@]} -eq 0 ]; then exit 0; fi

if command -v apt-get >/dev/null; then
  install=(apt-get install -y --no-install-recommends "${missing_apt[@]}")
elif command -v dnf >/dev/null; then
  install=(dnf install -y "${missing_dnf[@]}")
else
  echo "Please install by hand: ${missing_apt[*]} (Debian's names; on macOS: xcode-select --install)" >&2
  exit 1
fi

if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "Missing: ${missing_apt[*]}. Please run: sudo ${install[*]}" >&2
  exit 1
fi

echo "Running ${install[*]}" >&2
if [ "${install[0]}" = apt-get ]; then ${as_root[@]+"${as_root[@]}"} apt-get update -qq; fi
${as_root[@]+"${as_root[@]}"} "${install[@]}"
require_recent_python
