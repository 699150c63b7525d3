#!/usr/bin/env python3
"""Make two more tasks of the replies in data/quickstart: capitals, and a reply in capitals.

    python3 tools/data/capitals.py data/quickstart     # reads reply.PART.jsonl.gz of that folder

capitals: repeat a turn in capital letters; both: answer a turn in capital letters. Long turns are left
out: a letter in capitals is a token of its own to the small model of the quick start.
"""
import argparse
import os

from jsonl import read_lines, write_lines

LONGEST_PROMPT, LONGEST_REPLY = 100, 60  # characters


def fits(row):
    return len(row["prompt"]) <= LONGEST_PROMPT + 1 and len(row["completion"]) <= LONGEST_REPLY + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--out", help="where to write instead")
    arguments = parser.parse_args()
    for part in ("train", "valid"):
        replies = [row for _, row in read_lines(os.path.join(arguments.folder, f"reply.{part}.jsonl.gz"))]
        short = [row for row in replies if fits(row)]
        tasks = {
            "capitals": [{"prompt": row["completion"], "completion": row["completion"].upper()} for row in short],
            "both": [{"prompt": row["prompt"], "completion": row["completion"].upper()} for row in short],
        }
        for task, rows in tasks.items():
            write_lines(os.path.join(arguments.out or arguments.folder, f"{task}.{part}.jsonl.gz"), rows)


if __name__ == "__main__":
    main()
