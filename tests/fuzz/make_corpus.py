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


def byte_letters():
    """How byte-level vocabularies spell the 256 bytes."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte if byte in plain else 256 + rest.index(byte)) for byte in range(256)]


def tokenizer_json(**more):
    merges = ["h e", "l l", "he ll", "hell o"]
    vocab = {letter: i for i, letter in enumerate(byte_letters())}
    for merge in merges:
        vocab[merge.replace(" ", "")] = len(vocab)
    return json.dumps({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
                       "decoder": {"type": "ByteLevel"}, **more,
                       "model": {"type": "BPE", "vocab": vocab, "merges": merges}}).encode()


def pieces():
    """The three special ones, the bytes, and some that merge."""
    return ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", "a", "b", "ab", "ba"]


def gguf_text(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf_array(key, kind, items):
    return gguf_text(key) + struct.pack("<IIQ", 9, kind, len(items)) + b"".join(items)


def tokenizer_gguf():
    count = len(pieces())
    kinds = [2, 3, 3] + [6] * 256 + [1] * (count - 259)
    return b"".join([
        b"GGUF", struct.pack("<IQQ", 3, 0, 6),
        gguf_text("tokenizer.ggml.model"), struct.pack("<I", 8), gguf_text("llama"),
        gguf_array("tokenizer.ggml.tokens", 8, [gguf_text(piece) for piece in pieces()]),
        gguf_array("tokenizer.ggml.scores", 6, [struct.pack("<f", min(0, 259 - i)) for i in range(count)]),
        gguf_array("tokenizer.ggml.token_type", 5, [struct.pack("<i", kind) for kind in kinds]),
        gguf_text("tokenizer.ggml.bos_token_id"), struct.pack("<II", 4, 1),
        gguf_text("tokenizer.ggml.eos_token_id"), struct.pack("<II", 4, 2)])


def make_tokenizer():
    special = {"id": 300, "content": "<s>", "special": True, "lstrip": True}
    regex = {"type": "Split", "pattern": {"Regex": r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"}, "behavior": "Isolated"}
    write("tokenizer", "ok_json", tokenizer_json())
    write("tokenizer", "ok_json_special", tokenizer_json(
        added_tokens=[special], normalizer={"type": "NFC"},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [
            regex, {"type": "ByteLevel", "add_prefix_space": True, "use_regex": False}]},
        post_processor={"type": "TemplateProcessing", "special_tokens": {"<s>": {"ids": [300]}},
                        "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]}))
    write("tokenizer", "ok_gguf", tokenizer_gguf())
    write("tokenizer", "bad_gguf_cut", tokenizer_gguf()[:2000])
    texts = [piece.replace("\u2581", " ").replace("<s>", "\n<s>\n").replace("</s>", "\n</s>\n") for piece in pieces()]
    write("tokenizer", "ok_llama2c", struct.pack("<i", 27) + b"".join(
        struct.pack("<fi", 0, len(text)) + text.encode() for text in texts))


def cache(tokens, merges, rest, text=None, counts=None):
    """A tokenizer cache for the key of zeros; the fuzz target makes the checksum fit. None: no such id."""
    lengths = b"".join(struct.pack("<I", 0xFFFFFFFF if token is None else len(token)) for token in tokens)
    texts = b"".join(token or b"" for token in tokens) if text is None else text
    body = json.dumps(rest).encode()
    counts = counts or (len(body), len(tokens), len(texts), len(merges))
    return (b"LCALTOK1" + bytes(64) + struct.pack("<4Q", *counts) + body + lengths + texts
            + b"".join(struct.pack("<4I", *merge) for merge in merges))


def make_tokenizer_cache():
    rest = {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}, "decoder": {"type": "ByteLevel"},
            "added_tokens": [{"id": 300, "content": "<s>", "special": True}], "model": {"type": "BPE"}}
    tokens = [letter.encode() for letter in byte_letters()] + [b"he", None, b"ll", b"hell"]
    h, e, l = (byte_letters().index(letter) for letter in "hel")
    merges = [(h, e, 0, 256), (l, l, 1, 258), (256, 258, 5, 259)]
    good = cache(tokens, merges, rest)
    seeds = {
        "ok_small": good,
        "ok_no_merges": cache(tokens, [], rest),
        "bad_no_bytes": cache([b"a"], [], rest),
        "bad_cut": good[:-1],
        "bad_behind": good + b"x",
        "bad_magic": b"LCALTOK0" + good[8:],
        "bad_key": good[:8] + b"x" + good[9:],
        "bad_twice": cache(tokens + [b"he"], merges, rest),
        "bad_merge_of_hole": cache(tokens, [(257, e, 0, 256)], rest),
        "bad_merge_behind": cache(tokens, [(h, e, 0, 260)], rest),
        "bad_ranks": cache(tokens, [merges[1], merges[0]], rest),
        "bad_text_short": cache(tokens, merges, rest, text=b"".join(t or b"" for t in tokens)[:-1]),
        "bad_zero_byte": cache(tokens + [b"a\0b"], merges, rest),
        "bad_counts": cache(tokens, merges, rest, counts=(1 << 63, 1 << 62, 1 << 63, 1 << 60)),
        "bad_rest": cache(tokens, merges, []),
        "bad_decoder": cache(tokens, merges, {**rest, "decoder": None}),
    }
    for name, content in seeds.items():
        write("tokenizer_cache", name, content)


def make_llama2c():
    def model(dim=8, hidden=3, layers=2, heads=2, kv_heads=1, vocab=4, positions=2):
        kv = dim // heads * kv_heads
        floats = abs(vocab) * dim * (2 if vocab < 0 else 1) + dim + positions * (dim // heads)
        floats += layers * (2 * dim + 2 * dim * dim + 2 * kv * dim + 3 * hidden * dim)
        return struct.pack("<7i", dim, hidden, layers, heads, kv_heads, vocab, positions) + bytes(4 * floats)

    seeds = {
        "ok_tied": model(),
        "ok_untied": model(vocab=-4, layers=1),
        "bad_cut": model()[:-1],
        "bad_behind": model() + bytes(4),
        "bad_heads": struct.pack("<i", 9) + model()[4:],
        "bad_huge": struct.pack("<7i", *[2**31 - 2] * 7) + bytes(64),
        "bad_zero": bytes(2000),
        "bad_version": b"24ka" + struct.pack("<i", 1) + bytes(248),
    }
    for name, content in seeds.items():
        write("llama2c", name, content)


def member(text, **options):
    return gzip.compress(text, mtime=0, **options)


GGUF_U32, GGUF_F32, GGUF_STRING = 4, 6, 8


def gguf(keys, tensors):
    """tensors: name -> (extents, the fastest first, type, bytes); keys: name -> (type, value)."""
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    for name, (kind, value) in keys.items():
        out += text(name) + struct.pack("<I", kind)
        out += text(value) if kind == GGUF_STRING else struct.pack("<f" if kind == GGUF_F32 else "<I", value)
    data = b""
    for name, (extents, kind, content) in tensors.items():
        out += text(name) + struct.pack(f"<I{len(extents)}QIQ", len(extents), *extents, kind, len(data))
        data += content + bytes(-len(content) % 32)
    return out + bytes(-len(out) % 32) + data


def gguf_tensor(extents, kind="F32"):
    count = 1
    for extent in extents:
        count *= extent
    values = [(i % 7 - 3) / 4 for i in range(count)]
    if kind == "F32":
        return extents, 0, struct.pack(f"<{count}f", *values)
    if kind == "F16":
        return extents, 1, struct.pack(f"<{count}e", *values)
    return extents, 8, b"".join(struct.pack("<e32b", 0.25, *range(-16, 16)) for _ in range(count // 32))


def gguf_model(kind="F32", hidden=4, arch="llama", factors=False, bias=False, **changed):
    head_dim = hidden // 2
    sizes = {"context_length": 8, "embedding_length": hidden, "block_count": 1, "feed_forward_length": hidden,
             "attention.head_count": 2, "attention.head_count_kv": 1}
    keys = {"general.architecture": (GGUF_STRING, arch)}
    keys |= {f"{arch}.{name}": (GGUF_U32, changed.get(name, size)) for name, size in sizes.items()}
    rms = "" if arch == "stablelm" else "rms_"
    keys[f"{arch}.attention.layer_norm_{rms}epsilon"] = (GGUF_F32, 1e-5)
    norm = ["weight", "bias"] if arch == "stablelm" else ["weight"]
    tensors = {"token_embd.weight": gguf_tensor([hidden, 3], kind)}
    for name in ("attn_norm", "ffn_norm"):
        tensors |= {f"blk.0.{name}.{half}": gguf_tensor([hidden]) for half in norm}
    for name, rows in (("attn_q", hidden), ("attn_k", head_dim), ("attn_v", head_dim), ("attn_output", hidden),
                       ("ffn_gate", hidden), ("ffn_up", hidden), ("ffn_down", hidden)):
        tensors[f"blk.0.{name}.weight"] = gguf_tensor([hidden, rows], kind)
        if bias:
            tensors[f"blk.0.{name}.bias"] = gguf_tensor([rows])
    tensors |= {f"output_norm.{half}": gguf_tensor([hidden]) for half in norm}
    if factors:
        tensors["rope_freqs.weight"] = [head_dim // 2], 0, struct.pack("<f", 2.0) * (head_dim // 2)
    return keys, tensors


def gguf_adapter(**changed):
    keys = {"general.type": (GGUF_STRING, "adapter"), "adapter.type": (GGUF_STRING, "lora"),
            "general.architecture": (GGUF_STRING, "llama"), "adapter.lora.alpha": (GGUF_F32, 4.0)}
    tensors = {"blk.0.attn_q.weight.lora_a": gguf_tensor([4, 2]), "blk.0.attn_q.weight.lora_b": gguf_tensor([2, 4]),
               "blk.0.attn_v.weight.lora_a": gguf_tensor([4, 1], "F16"),
               "blk.0.attn_v.weight.lora_b": gguf_tensor([1, 2], "F16")}
    return keys, {name: tensor for name, tensor in {**tensors, **changed}.items() if tensor}


def make_gguf():
    model, without = gguf_model(), gguf_model()
    del without[1]["blk.0.attn_v.weight"]
    seeds = {
        "ok_model": gguf(*model),
        "ok_model_f16": gguf(*gguf_model("F16", bias=True, factors=True)),
        "ok_model_q8": gguf(*gguf_model("Q8_0", hidden=32)),
        "ok_model_stablelm": gguf(*gguf_model(arch="stablelm")),
        "ok_adapter": gguf(*gguf_adapter()),
        "bad_cut": gguf(*model)[:-40],
        "bad_layers": gguf(*gguf_model(block_count=65536)),
        "bad_heads": gguf(*gguf_model(**{"attention.head_count": 0})),
        "bad_heads_overflow": gguf(*gguf_model(**{"attention.head_count": 2**32 - 1})),
        "bad_missing": gguf(*without),
        "bad_half": gguf(*gguf_adapter(**{"blk.0.attn_v.weight.lora_b": None})),
        "bad_rank": gguf(*gguf_adapter(**{"blk.0.attn_q.weight.lora_a": gguf_tensor([4, 3])})),
        "bad_layer": gguf(*gguf_adapter(**{"blk.1.attn_q.weight.lora_a": gguf_tensor([4, 2])})),
    }
    for name, content in seeds.items():
        write("gguf", name, content)


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
make_tokenizer()
make_tokenizer_cache()
make_llama2c()
make_gzip()
make_gguf()
