#!/usr/bin/env python3
"""Cut Synthetic-Persona-Chat conversations into pairs of a turn and its reply.

Reads Synthetic-Persona-Chat_valid.csv (github.com/google-research-datasets/Synthetic-Persona-Chat,
CC BY 4.0) and writes {"prompt": turn, "completion": reply} lines, a newline at the end of each turn. The
last tenth of the conversations goes to the validation file, so that no conversation is in both. Text is
not edited; the few Spanish conversations are left out. The replies of data/quickstart were made by

    python3 tools/data/persona_chat_pairs.py Synthetic-Persona-Chat_valid.csv \\
        data/quickstart/reply.train.jsonl.gz data/quickstart/reply.valid.jsonl.gz
"""
import argparse
import csv
import re
import sys

from jsonl import write_lines

TURN = re.compile(r"^User [12]: *(.*)$")


def turns(conversation):
    """The spoken turns, without the speaker's name; lines of another form end a conversation."""
    spoken = []
    for line in conversation.split("\n"):
        match = TURN.match(line.strip())
        if not match or not match.group(1):
            break
        spoken.append(match.group(1).strip())
    return spoken


def pairs(conversations, wanted, longest, seen):
    """`wanted` pairs spread evenly over the conversations: short ones, none twice."""
    found = []
    for index, conversation in enumerate(conversations):
        spoken = turns(conversation)
        fitting = [pair for pair in zip(spoken, spoken[1:])
                   if max(map(len, pair)) <= longest and len(pair[1].split()) >= 3]
        # Greetings open every conversation and farewells close it: the middle differs most.
        fitting.sort(key=lambda pair: abs(spoken.index(pair[0]) - len(spoken) // 2))
        target = (index + 1) * wanted // len(conversations)
        for pair in fitting:
            if len(found) >= target:
                break
            if pair not in seen:
                seen.add(pair)
                found.append({"prompt": pair[0] + "\n", "completion": pair[1] + "\n"})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("csv")
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("--train-pairs", type=int, default=2000)
    parser.add_argument("--valid-pairs", type=int, default=200)
    parser.add_argument("--longest", type=int, default=120, help="characters of a turn (120)")
    arguments = parser.parse_args()

    with open(arguments.csv, encoding="utf-8", newline="") as file:
        conversations = [row["Best Generated Conversation"] for row in csv.DictReader(file)]
    conversations = [text for text in conversations if "¿" not in text]
    held_out = len(conversations) // 10
    seen = set()
    for path, part, wanted in (
            (arguments.train, conversations[:-held_out], arguments.train_pairs),
            (arguments.valid, conversations[-held_out:], arguments.valid_pairs)):
        rows = pairs(part, wanted, arguments.longest, seen)
        write_lines(path, rows)
        print(f"{path}: {len(rows)} pairs of {len(part)} conversations", file=sys.stderr)


if __name__ == "__main__":
    main()
