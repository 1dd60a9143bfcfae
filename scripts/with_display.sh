#!/usr/bin/env bash
# Runs a command with a display: the one that is there, else a virtual one (Xvfb). Where neither is, the command runs
# all the same, and the tests that need a window skip themselves.
set -euo pipefail

if [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}" ] && command -v xvfb-run >/dev/null; then
  exec xvfb-run -a -s "-screen 0 1920x1080x24 +extension GLX" "$@"
fi
exec "$@"
