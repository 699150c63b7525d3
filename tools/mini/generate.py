#!/usr/bin/env python3
"""Write the miniature: `generate.py OUT` makes the files of data/mini, `generate.py --base OUT` the
text that its base model learns from. Equal seeds give equal bytes.

OUT gets one TASK.SPLIT.jsonl.gz a task and split, lines {"prompt", "completion", "task", "meta"},
and prompts.json, the instruction of every task. --base writes train.jsonl and valid.jsonl of
{"prompt": "", "completion": text}, and tokenizer.txt, the text alone.
"""
import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from mini.base_text import BaseText  # noqa: E402
from mini.knobs import DEFAULT, Knobs  # noqa: E402
from mini.tasks import TASKS, Examples, Row, file_name, headers  # noqa: E402
from mini.writer import lines, write  # noqa: E402

SPLITS = ("train", "valid", "test")


def examples(seed: int, task: str, split: str, count: int, knobs: Knobs = DEFAULT) -> list[Row]:
    """The first `count` examples: fewer are a prefix of more."""
    source = Examples(seed, task, split, knobs)
    return [source.draw() for _ in range(count)]


def write_tasks(out: pathlib.Path, seed: int, scale: float, tasks: tuple[str, ...]) -> None:
    total = 0
    for task in tasks:
        for split in SPLITS:
            count = max(1, round(getattr(DEFAULT, split) * scale))
            path = out / file_name(task, split)
            write(path, lines(examples(seed, task, split, count)))
            total += path.stat().st_size
        print(f"{task}: written, {total / 1e6:.2f} MB so far", file=sys.stderr)
    text = json.dumps(headers(), indent=1, ensure_ascii=False) + "\n"
    write(out / "prompts.json", text.encode("utf-8"))


def write_base(out: pathlib.Path, seed: int, scale: float) -> None:
    for split, share in (("train", 1.0), ("valid", 0.01)):
        source = BaseText(seed, split)
        texts = [source.draw() for _ in range(max(1, round(DEFAULT.base * share * scale)))]
        write(out / f"{split}.jsonl",
              lines({"prompt": "", "completion": text} for text in texts))
        if split == "train":
            data = "".join(f"{text}\n" for text in texts).encode("utf-8")
            write(out / "tokenizer.txt", data)
            print(f"base text: {len(texts)} texts, {len(data) / 1e6:.1f} MB", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=pathlib.Path, help="folder to write to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of examples")
    parser.add_argument("--task", action="append", choices=TASKS, help="only this one; repeatable")
    parser.add_argument("--base", action="store_true", help="the base's training text instead")
    arguments = parser.parse_args()
    if not arguments.scale > 0:
        parser.error("--scale: expected a number above 0")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        if arguments.base:
            write_base(arguments.out, arguments.seed, arguments.scale)
        else:
            write_tasks(arguments.out, arguments.seed, arguments.scale,
                        tuple(arguments.task or TASKS))
    except OSError as error:
        print(f"generate.py: {error}", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
