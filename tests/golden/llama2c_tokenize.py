#!/usr/bin/env python3
"""Tokenise {"prompt", "completion"} lines with a llama2.c vocabulary.

Writes one line {"input_ids": [...], "labels": [...]} per input line: BOS, the prompt, a newline, the
completion, EOS. labels[t] is the target of position t - 1; the prompt and its newline are -100, so
that only the completion and its end count. Files named .gz are read and written as gzip. Ids are
those of llama2.c: a space in front, one token per character (or per byte where the vocabulary lacks
the character), then the best-scoring neighbours merged again and again. Made apart from lcal's own
tokenizer, to compare with:

    python3 tests/golden/llama2c_tokenize.py --check data/stories260K/tok512.bin \\
        tests/golden/vectors/llama2c.text.jsonl.gz tests/golden/vectors/llama2c.ids.jsonl.gz
"""
import argparse
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "data"))
from jsonl import read_lines, write_lines  # noqa: E402 (after the path is known)

BOS, EOS, FIRST_BYTE = 1, 2, 3
IGNORE = -100


class Vocabulary:
    """tok512.bin: u32 longest token, then per token f32 score, u32 length, bytes; little endian."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.pieces, self.scores = [], []
        at = 4
        while at < len(data):
            score, length = struct.unpack_from("<fI", data, at)
            piece = data[at + 8:at + 8 + length]
            if len(piece) != length:
                sys.exit(f"{path}: ends inside token {len(self.pieces)}")
            self.pieces.append(piece)
            self.scores.append(score)
            at += 8 + length
        self.ids = {piece: i for i, piece in enumerate(self.pieces)}

    def encode(self, text):
        """Ids of a text, without BOS and EOS."""
        ids = [self.ids[b" "]] if text else []
        for character in text:
            encoded = character.encode("utf-8")
            if encoded in self.ids:
                ids.append(self.ids[encoded])
            else:
                ids.extend(byte + FIRST_BYTE for byte in encoded)
        while True:
            best, best_at = None, None
            for at, pair in enumerate(zip(ids, ids[1:])):
                merged = self.ids.get(self.pieces[pair[0]] + self.pieces[pair[1]])
                if merged is not None and (best is None or self.scores[merged] > self.scores[best]):
                    best, best_at = merged, at
            if best is None:
                return ids
            ids[best_at:best_at + 2] = [best]

    def decode(self, ids):
        """The text of encode's ids."""
        pieces = [bytes([i - FIRST_BYTE]) if FIRST_BYTE <= i < FIRST_BYTE + 256 else self.pieces[i]
                  for i in ids]
        return b"".join(pieces).decode("utf-8")[1:]


def example(vocabulary, prompt, completion):
    """One training example. The newline is a byte token, which never merges: the prompt's tokens
    end exactly there."""
    newline = ord("\n") + FIRST_BYTE
    ids = vocabulary.encode(prompt + "\n" + completion)
    border = ids.index(newline) + 1
    return {"input_ids": [BOS] + ids + [EOS],
            "labels": [IGNORE] * (1 + border) + ids[border:] + [EOS]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("vocabulary", help="tok512.bin")
    parser.add_argument("text", help="{prompt, completion} lines, .jsonl or .jsonl.gz")
    parser.add_argument("out", help="{input_ids, labels} lines, .jsonl or .jsonl.gz")
    parser.add_argument("--check", action="store_true", help="decode every line back and compare")
    arguments = parser.parse_args()

    vocabulary = Vocabulary(arguments.vocabulary)
    if b"\n" in vocabulary.ids:
        sys.exit(f"{arguments.vocabulary}: newline is a piece and could merge with the text")
    rows = []
    for number, pair in read_lines(arguments.text):
        prompt, completion = pair["prompt"], pair["completion"]
        if "\n" in prompt:
            sys.exit(f"{arguments.text}:{number}: a newline in the prompt, which a newline ends")
        row = example(vocabulary, prompt, completion)
        if arguments.check and vocabulary.decode(row["input_ids"][1:-1]) != f"{prompt}\n{completion}":
            sys.exit(f"{arguments.text}:{number}: decodes to another text")
        rows.append(row)
    write_lines(arguments.out, rows)
    lengths = [len(row["input_ids"]) for row in rows]
    counted = sum(label != IGNORE for row in rows for label in row["labels"])
    print(f"{arguments.out}: {len(rows)} examples, {sum(lengths)} tokens (longest {max(lengths)}), "
          f"{counted} counted" + (", decoded back" if arguments.check else ""), file=sys.stderr)


if __name__ == "__main__":
    main()
