#!/bin/sh
# The whole road on a fresh Debian machine: packages, optimised build, a calibration trained on a real
# model, and a look at it. A second run installs and builds nothing and trains anew.
set -eu
cd "$(dirname "$0")/.."

sh tools/setup.sh
sh tools/build.sh build
build/tools/lcal train configs/quickstart.yaml --overwrite
build/tools/lcal inspect runs/quickstart/calibration.h5
