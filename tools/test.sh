#!/bin/sh
# sh tools/test.sh [asan]: installs, builds, runs every test; the last line counts them. asan: the same
# in build-asan under the address and undefined behaviour sanitizers.
set -eu
cd "$(dirname "$0")/.."

case ${1:-} in
'') ;;
asan) ;;
*)
    echo "usage: sh tools/test.sh [asan]" >&2
    exit 2
    ;;
esac

sh tools/setup.sh
if [ "${1:-}" = asan ]; then
    build="build-asan"
    slower=5
    export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1:${ASAN_OPTIONS:-}"
    export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:${UBSAN_OPTIONS:-}"
    sh tools/build.sh "$build" --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
else
    build="build"
    slower=1
    sh tools/build.sh "$build"
fi

log=$build/meson-logs/testlog.json
rm -f "$log"
status=0
meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier $slower || status=$?
python3 tools/test_summary.py "$log" || status=1
exit $status
