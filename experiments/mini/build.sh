#!/bin/sh
# sh experiments/mini/build.sh [--large] [OUT]
#
# The miniature's models from nothing: text, tokenizer, base, nine adapters, in OUT (build/mini; with
# --large a base of ten million parameters, build/mini-large). What is done is not done again, and a run
# that was interrupted goes on where it was. Equal processors give equal bytes.
set -eu
cd "$(dirname "$0")/../.."

lcal=${LCAL:-build/tools/lcal}
here=experiments/mini
size=
if [ "${1:-}" = --large ]; then
    size=.large
    shift
fi
out=${1:-build/mini$(printf %s "$size" | tr . -)}
tasks='summary reply es fr de professional casual witty neutral'
steps=13 # of progress: text, tokenizer, base, its rounding, nine adapters

done_=0
say() {
    done_=$((done_ + 1))
    printf '== %d/%d %s\n' "$done_" "$steps" "$1" >&2
}

# train NAME CONFIG KEY=VALUE...: a new run, or an old one to its end.
train() {
    run=$out/runs/$1
    config=$2
    shift 2
    if [ -e "$run/config.resolved.yaml" ]; then
        "$lcal" train --resume "$run"
    else
        "$lcal" train "$config" "$@" out="$run"
    fi
}

mkdir -p "$out"
say 'text of four languages'
[ -e "$out/text/valid.jsonl" ] || {
    rm -rf "$out/text.new"
    python3 tools/mini/generate.py --base "$out/text.new"
    mv "$out/text.new" "$out/text"
}

say 'tokenizer'
[ -e "$out/start/tokenizer_config.json" ] ||
    "$lcal" tokenizer train --out "$out/start" --vocab 1536 --add-bos --overwrite "$out/text/tokenizer.txt"
cp "$here/model$size.json" "$out/start/config.json"

say 'base'
train base "$here/base.yaml" model="$out/start" data.train="$out/text/train.jsonl" data.valid="$out/text/valid.jsonl"

# The adapters learn on the base as it is shipped, rounding included.
say 'base in 16 bits'
[ -e "$out/base/config.json" ] || "$lcal" export "$out/runs/base" "$out/base" --to hf --dtype bf16

for task in $tasks; do
    say "adapter $task"
    train "$task" "$here/adapter.yaml" model="$out/base" data.train="data/mini/$task.train.jsonl.gz" \
        data.valid="data/mini/$task.valid.jsonl.gz"
    [ -e "$out/adapters/$task/adapter_config.json" ] || {
        mkdir -p "$out/adapters"
        "$lcal" export "$out/runs/$task" "$out/adapters/$task" --to peft --dtype bf16
    }
done
