#!/bin/sh
# sh tools/setup.sh [PACKAGE...]: installs what lcal needs to build and test, and PACKAGE besides, by
# Debian package name. Where nothing is missing it does nothing, and needs neither root nor a network.
set -eu

packages='build-essential meson ninja-build pkg-config python3 libopenblas-openmp-dev libhdf5-dev
    zlib1g-dev libjansson-dev libyaml-dev libpcre2-dev libutf8proc-dev libssl-dev libnlopt-dev
    libcmocka-dev gnuplot-nox'

if ! command -v dpkg-query >/dev/null 2>&1; then
    # shellcheck disable=SC2086 # one line of words
    echo "setup: no Debian packages on this system; make sure that these are here:" $packages "$@" >&2
    exit 0
fi

missing=
for package in $packages "$@"; do
    state=$(dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null) || state=
    case $state in
    installed*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "setup: missing packages:$missing" >&2
        echo "setup: no sudo here; as root: apt-get update && apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

echo "setup: installing$missing" >&2
# Without a list of packages yet, or with a stale one, install fails: refresh it first.
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2
# shellcheck disable=SC2086 # several packages in one variable
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing >&2
