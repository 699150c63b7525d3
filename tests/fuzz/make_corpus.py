#!/usr/bin/env python3
"""Writes the seeds that are not text: python3 tests/fuzz/make_corpus.py. The same bytes every time.

Names begin with what the parser must say: ok_ or bad_ (driver.c). The good seeds of fuzz_calib are
made by the build (make_calib.c), texts are written by hand.
"""
import gzip
import json
import os
import struct

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def write(target, name, content):
    os.makedirs(os.path.join(CORPUS, target), exist_ok=True)
    with open(os.path.join(CORPUS, target, name), "wb") as file:
        file.write(content)


def safetensors(header, data, padding=0):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * padding
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def make_safetensors():
    two = {"__metadata__": {"format": "pt"}, "a": tensor("F32", [2, 3], 0, 24), "b": tensor("BF16", [4], 24, 32)}
    data = bytes(range(32))
    seeds = {
        "ok_two": safetensors(two, data),
        "ok_padded": safetensors(two, data, padding=5),
        "ok_types": safetensors({"d": tensor("F64", [1], 0, 8), "e": tensor("I64", [1], 8, 16),
                                 "f": tensor("I32", [1, 1], 16, 20), "h": tensor("F16", [2], 20, 24)}, data[:24]),
        "ok_scalar": safetensors({"s": tensor("F32", [], 0, 4)}, data[:4]),
        "ok_no_elements": safetensors({"z": tensor("F32", [0, 5], 0, 0)}, b""),
        "ok_none": safetensors({}, b""),
        "bad_hole": safetensors({"a": tensor("F32", [1], 0, 4), "b": tensor("F32", [1], 8, 12)}, data[:12]),
        "bad_overlap": safetensors({"a": tensor("F32", [2], 0, 8), "b": tensor("F32", [1], 4, 8)}, data[:8]),
        "bad_overflow": safetensors({"a": tensor("F32", [1 << 62, 1 << 62], 0, 4)}, data[:4]),
        "bad_rank": safetensors({"a": tensor("F32", [1] * 9, 0, 4)}, data[:4]),
        "bad_dtype": safetensors({"a": tensor("U8", [4], 0, 4)}, data[:4]),
        "bad_behind": safetensors({"a": tensor("F32", [1], 0, 4)}, data[:5]),
        "bad_twice": safetensors(b'{"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},'
                                 b'"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}', data[:4]),
        "bad_length": struct.pack("<Q", 1 << 63) + b"{}",
        "bad_cut": safetensors(two, data)[:60],
    }
    for name, content in seeds.items():
        write("safetensors", name, content)


def make_calib():
    """What is no calibration, for whichever reason; the build makes good ones."""
    write("calib", "bad_signature", b"\x89HDF\r\n\x1a\n")
    write("calib", "bad_empty", b"")
    write("calib", "bad_facts", safetensors({"__metadata__": {"lcal.format": "lcal-calibration"},
                                            "calib.q_proj.p": tensor("F32", [1], 0, 4)}, bytes(4)))


def member(text, **options):
    return gzip.compress(text, mtime=0, **options)


def make_gzip():
    example = b'{"input_ids":[1,2,3,4],"labels":[-100,-100,3,4]}\n'
    rest = b'{"input_ids":[5,6],"labels":[-100,6]}'
    whole = member(example + rest)
    for target in ("dataset", "lines"):
        write(target, "ok_gzip", whole)
        write(target, "ok_gzip_members", member(example) + member(rest, compresslevel=0))
        write(target, "ok_gzip_padded", whole + bytes(16))
        write(target, "bad_gzip_cut", whole[:-9])
        write(target, "bad_gzip_checksum", whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:])
        write(target, "bad_gzip_behind", whole + b"x")
        write(target, "bad_gzip_header", b"\x1f\x8b\x07" + whole[3:])


make_safetensors()
make_calib()
make_gzip()
