#!/usr/bin/env python3
"""The same training step in PyTorch, for comparison with `lcal bench`: a frozen decoder of a named
shape with random weights, LC output vectors shared by all layers, loss on all positions, AdamW.

    python3 tests/bench/torch_step.py --shape 135m
    build/tools/lcal bench --shape 135m --method lc --loss all --threads 2

Needs Debian's python3-torch. Its BLAS is whatever libblas.so.3 leads to; beside OpenMP the OpenMP
build of OpenBLAS is the fair one:
    LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/openblas-openmp
Prints one JSON line; tokens_per_s is of the median step.
"""
import argparse
import json
import math
import time

import torch
import torch.nn.functional as F

# hidden, layers, heads, kv heads, ffn, vocabulary, batch, length: as `lcal bench` has them.
SHAPES = {
    "mini": (128, 4, 4, 4, 352, 1024, 32, 64),
    "small": (288, 6, 6, 6, 768, 32000, 8, 256),
    "135m": (576, 30, 9, 3, 1536, 49152, 2, 256),
    "1b": (2048, 16, 32, 8, 8192, 128256, 1, 256),
}


def normal(rows, cols, spread):
    return torch.empty(rows, cols).normal_(0, spread)


class Decoder:
    def __init__(self, shape):
        self.d, layers, self.heads, self.kv, ffn, vocab, self.batch, self.length = SHAPES[shape]
        self.head_dim = self.d // self.heads
        kv_dim = self.kv * self.head_dim
        sizes = {"q": (self.d, self.d), "k": (kv_dim, self.d), "v": (kv_dim, self.d),
                 "o": (self.d, self.d), "gate": (ffn, self.d), "up": (ffn, self.d),
                 "down": (self.d, ffn)}
        self.layers = [{name: normal(*size, 1 / math.sqrt(size[1])) for name, size in sizes.items()}
                       for _ in range(layers)]
        self.embedding = normal(vocab, self.d, 0.02)
        self.norm = torch.ones(self.d)
        self.p = {name: torch.zeros(size[0], requires_grad=True) for name, size in sizes.items()}
        angle = torch.outer(torch.arange(self.length).float(),
                            10000.0 ** (-torch.arange(0, self.head_dim, 2).float() / self.head_dim))
        self.cos, self.sin = torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)
        self.mask = torch.full((self.length, self.length), float("-inf")).triu(1)

    def rms(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.norm

    def rotate(self, x):
        half = self.head_dim // 2
        return x * self.cos + torch.cat([-x[..., half:], x[..., :half]], -1) * self.sin

    def split(self, x, heads):
        return x.view(self.batch, self.length, heads, self.head_dim).transpose(1, 2)

    def attention(self, w, h):
        q, k, v = (F.linear(h, w[name], self.p[name]) for name in "qkv")
        q, k = self.rotate(self.split(q, self.heads)), self.rotate(self.split(k, self.kv))
        v, group = self.split(v, self.kv), self.heads // self.kv
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(self.head_dim) + self.mask, -1)
        return (weights @ v).transpose(1, 2).reshape(self.batch, self.length, self.d)

    def loss(self, tokens, targets):
        x = F.embedding(tokens, self.embedding)
        for w in self.layers:
            x = x + F.linear(self.attention(w, self.rms(x)), w["o"], self.p["o"])
            h = self.rms(x)
            gate, up = (F.linear(h, w[name], self.p[name]) for name in ("gate", "up"))
            x = x + F.linear(F.silu(gate) * up, w["down"], self.p["down"])
        logits = F.linear(self.rms(x).reshape(-1, self.d), self.embedding)
        return F.cross_entropy(logits, targets.reshape(-1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Decoder(options.shape)
    vocab = model.embedding.shape[0]
    tokens, targets = (torch.randint(0, vocab, (model.batch, model.length)) for _ in range(2))
    adamw = torch.optim.AdamW(model.p.values(), lr=1e-3)
    times = []
    for _ in range(options.steps + 1):
        start = time.perf_counter()
        adamw.zero_grad(set_to_none=True)
        loss = model.loss(tokens, targets)
        loss.backward()
        adamw.step()
        times.append(time.perf_counter() - start)
    median = sorted(times[1:])[options.steps // 2]
    print(json.dumps({"shape": options.shape, "tokens_per_s": model.batch * model.length / median,
                      "step_s": median, "threads": options.threads, "loss": loss.item()}))


if __name__ == "__main__":
    main()
