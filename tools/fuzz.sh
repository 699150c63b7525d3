#!/bin/sh
# sh tools/fuzz.sh NAME|all [SECONDS]: fuzzes a parser of untrusted bytes, tests/fuzz/fuzz_NAME.c, with
# Clang's libFuzzer under the address and undefined behaviour sanitizers; 60 seconds each unless told.
# Needs more packages than building does and installs them. Inputs found on the way are kept in
# build-fuzz/work/NAME/corpus and used again by the next run, findings in build-fuzz/work/NAME.
set -eu
cd "$(dirname "$0")/.."

known=$(cd tests/fuzz && for file in fuzz_*.c; do file=${file#fuzz_}; echo "${file%.c}"; done)
names=${1:-}
seconds=${2:-60}
[ "$names" != all ] || names=$known
# shellcheck disable=SC2086 # several names in one variable
if ! printf '%s\n' all $known | grep -qxF -e "${1:-}" || [ -z "$seconds" ] || [ "${seconds#*[!0-9]}" != "$seconds" ]; then
    echo "usage: sh tools/fuzz.sh NAME|all [SECONDS]; NAME is one of:" $known >&2
    exit 2
fi

sh tools/setup.sh clang libclang-rt-dev libomp-dev
build="build-fuzz"
if [ ! -f $build/build.ninja ]; then
    CC=clang meson setup $build -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
        --buildtype=debugoptimized >&2
fi
targets=tests/fuzz/seeds/ok_lc.h5
for name in $names; do
    targets="$targets tests/fuzz/fuzz_$name"
done
# shellcheck disable=SC2086 # several names in one variable
ninja -C $build $targets >&2

export LCAL_TEST_SOURCE="$PWD/tests"
export ASAN_OPTIONS="detect_stack_use_after_return=1:allocator_may_return_null=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:${UBSAN_OPTIONS:-}"
findings=0
for name in $names; do
    work=$build/work/$name
    seeds=tests/fuzz/corpus/$name
    mkdir -p "$work/corpus"
    [ "$name" != calib ] || seeds="$seeds $build/tests/fuzz/seeds"
    echo "fuzz: $name, $seconds seconds" >&2
    # shellcheck disable=SC2086 # one or two folders
    if ! $build/tests/fuzz/fuzz_$name -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 \
        -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus" $seeds >"$work/log" 2>&1; then
        findings=$((findings + 1))
        tail -n 40 "$work/log" >&2
        echo "fuzz: $name: a finding; the input is named above. To see it again:" >&2
        echo "    LCAL_TEST_SOURCE=$LCAL_TEST_SOURCE $build/tests/fuzz/fuzz_$name $work/crash-..." >&2
        echo "    and keep it, smaller (-minimize_crash=1), in tests/fuzz/corpus/$name" >&2
    fi
    sed -n 's/^stat::number_of_executed_units: */runs /p; s/^stat::peak_rss_mb: */peak MB /p' "$work/log" |
        paste -sd, - | sed "s/^/fuzz: $name: /" >&2
done
echo "fuzz: $findings with findings" >&2
[ "$findings" -eq 0 ]
