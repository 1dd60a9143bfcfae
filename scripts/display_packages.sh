#!/usr/bin/env bash
# Installs what the tests of the napari plugin need to open windows without a screen: Xvfb, software OpenGL and the
# libraries of Qt. Only where that is permitted (Debian or Ubuntu; root, or sudo without a password); otherwise says
# what is missing. Nothing else needs these, so this never fails.
set -uo pipefail

if [ "$(uname)" != Linux ] || [ -n "${DISPLAY:-}" ]; then exit 0; fi
if ! command -v apt-get >/dev/null; then
  command -v xvfb-run >/dev/null || echo "Without xvfb-run the tests of the napari plugin are skipped." >&2
  exit 0
fi

missing=()
for package in xvfb xauth libegl1 libgl1 libgl1-mesa-dri libopengl0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 \
  libxcb-keysyms1 libxcb-shape0 libdbus-1-3 fontconfig fonts-dejavu-core; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
# these two have other names in newer releases
for names in "libglib2.0-0 libglib2.0-0t64" "libgssapi-krb5-2 libgssapi-krb5-2t64"; do
  found=
  for package in $names; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' && found=yes
  done
  [ -n "$found" ] || missing+=("${names%% *}")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

install=(apt-get install -y --no-install-recommends "${missing[@]}")
if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "The tests of the napari plugin are skipped without: ${missing[*]}. To have them: sudo ${install[*]}" >&2
  exit 0
fi
echo "Running ${install[*]}" >&2
${as_root[@]+"${as_root[@]}"} apt-get update -qq &&
  DEBIAN_FRONTEND=noninteractive ${as_root[@]+"${as_root[@]}"} "${install[@]}" >/dev/null ||
  echo "That failed; the tests of the napari plugin are skipped where a window cannot be opened." >&2
exit 0
