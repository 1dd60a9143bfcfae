#!/usr/bin/env bash
# Installs what some tests need to show things without a screen: for the napari plugin Xvfb, software OpenGL and the
# libraries of Qt, for the notebook widgets Chromium. Only where that is permitted (Debian or Ubuntu; root, or sudo without
# a password); otherwise says what is missing. Nothing else needs these, so this never fails.
set -uo pipefail

have() {
  local name
  for name in "$@"; do
    if command -v "$name" >/dev/null; then return 0; fi
  done
  return 1
}
have_browser() { have chromium chromium-browser google-chrome google-chrome-stable; }

if [ "$(uname)" != Linux ]; then exit 0; fi
if ! have apt-get; then
  [ -n "${DISPLAY:-}" ] || have xvfb-run || echo "Without xvfb-run the tests of the napari plugin are skipped." >&2
  have_browser || echo "Without Chromium the test of the notebook widgets in a browser is skipped." >&2
  exit 0
fi

missing=()
if [ -z "${DISPLAY:-}" ]; then
  # the last two have other names in newer releases
  for names in xvfb xauth libegl1 libgl1 libgl1-mesa-dri libopengl0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 \
    libxcb-keysyms1 libxcb-shape0 libdbus-1-3 fontconfig fonts-dejavu-core libglib2.0-0/libglib2.0-0t64 \
    libgssapi-krb5-2/libgssapi-krb5-2t64; do
    found=
    for package in ${names//\// }; do
      dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' && found=yes
    done
    [ -n "$found" ] || missing+=("${names%%/*}")
  done
fi
# Ubuntu's package of that name is only a door to another store, which cannot be used here.
if ! have_browser && ! grep -qs '^ID=ubuntu' /etc/os-release; then missing+=(chromium); fi
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

install=(apt-get install -y --no-install-recommends "${missing[@]}")
if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif have sudo && sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "Some tests are skipped without: ${missing[*]}. To have them: sudo ${install[*]}" >&2
  exit 0
fi
echo "Running ${install[*]}" >&2
${as_root[@]+"${as_root[@]}"} apt-get update -qq &&
  DEBIAN_FRONTEND=noninteractive ${as_root[@]+"${as_root[@]}"} "${install[@]}" >/dev/null ||
  echo "That failed; the tests of the napari plugin or of the notebook widgets in a browser are skipped." >&2
exit 0
