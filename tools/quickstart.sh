#!/bin/sh
# The whole road on a fresh Debian machine: packages, optimised build; a model converted, two adapters
# trained on text, a calibration trained on top of both, and a look at what it changed. A second run
# installs and builds nothing and trains anew, in about a minute.
set -eu
cd "$(dirname "$0")/.."

sh tools/setup.sh
sh tools/build.sh build

lcal=build/tools/lcal
run=runs/quickstart
end='
'
say() { printf '\n== %s\n' "$1"; }
# shellcheck disable=SC2086 # several arguments
answer() { $lcal generate $1 data/quickstart/prompts.jsonl --stop "$end" --max-tokens 60; }

say "A small model that writes stories, converted to the layout of Hugging Face"
$lcal convert llama2c data/stories260K/stories260K.bin $run/model --tokenizer data/stories260K/tok512.bin --overwrite

say "An adapter that answers a turn of a chat"
$lcal train configs/quickstart/reply.yaml --overwrite

say "An adapter that says a sentence again in capitals"
$lcal train configs/quickstart/capitals.yaml --overwrite

say "A calibration on top of both: answer in capitals"
$lcal preview configs/quickstart/both.yaml --count 1
$lcal train configs/quickstart/both.yaml --overwrite
$lcal plot $run/both

say "Before: the two adapters together"
answer "--model $run/model --adapter $run/reply/adapter --adapter $run/capitals/adapter"
say "After: with the calibration"
answer "--run $run/both"

say "What the calibration is"
$lcal inspect $run/both/calibration.h5
