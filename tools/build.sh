#!/bin/sh
# sh tools/build.sh [DIRECTORY [MESON OPTIONS]]: configures once, compiles what changed. Without arguments
# the optimised build in build/. LCAL_BUILD_ARGS adds options where a directory is configured.
set -eu
cd "$(dirname "$0")/.."

directory=${1:-build}
[ $# -eq 0 ] || shift

if [ ! -f "$directory/build.ninja" ]; then
    # shellcheck disable=SC2086 # several options in one variable
    meson setup "$directory" ${LCAL_BUILD_ARGS:-} "$@" >&2
fi
ninja -C "$directory" >&2
