"""A model of the fixtures with a tokenizer of its own: a token a byte, then special tokens."""
import json
import shutil

from lcal_tool import MODELS

SPECIAL = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
           "<|im_start|>", "<|im_end|>", "<|endoftext|>"]
IDS = {text: 256 + i for i, text in enumerate(SPECIAL)}
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


def spelled_bytes():
    """GPT-2's spelling: printable bytes stand for themselves, the others follow from 256 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte if byte in plain else 256 + others.index(byte)) for byte in range(256)}


def tokenizer():
    return {
        "added_tokens": [{"id": IDS[text], "content": text, "special": True} for text in SPECIAL],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "merges": [],
                  "vocab": {text: byte for byte, text in spelled_bytes().items()}},
    }


def make_model(directory, template=CHATML):
    """A copy of a fixture model with tokenizer.json and tokenizer_config.json."""
    shutil.copytree(MODELS / "tiny-qwen2", directory, ignore=shutil.ignore_patterns("lora_*"))
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer()), encoding="utf-8")
    (directory / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": "<|endoftext|>", "chat_template": template}), encoding="utf-8")
    return directory


def ids(*parts):
    """Token ids of texts; a special token is a part of its own."""
    found = []
    for part in parts:
        found += [IDS[part]] if part in IDS else list(part.encode())
    return found
