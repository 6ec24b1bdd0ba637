#!/usr/bin/env python3
"""A training step of the papers' translation models on 64 sentence pairs of 25 to 32 words (forward, backward,
clipping, optimizer): sst_bench beside plain PyTorch, eager; target tokens/s, peak memory.

    ninja -C build/dev sst_bench
    python3 tests/bench/mt_step.py --install [--models lorentz_64 euclidean_512] [--threads 2]

lorentz_64 is HyboNet's Transformer of width 64 with Riemannian Adam, euclidean_512 the pre-norm Transformer of width
512 with Adam, both with 6 + 6 layers and dropout 0.1. The peer is written below in PyTorch's own operations, with
PyTorch's attention where its scores are products, its own loss and its fused Adam. --install makes a virtual
environment in build/peers and installs torch there. Each line is a process of its own; ours and the peer's take turns,
and both must train the same number of parameters.
"""
import argparse
import json
import math
import pathlib
import statistics
import sys
import tempfile
import time

import peers

SENTENCES, LONGEST, SOURCE_WORDS, TARGET_WORDS, STEPS = 64, 32, 6632, 8848, 6
MODELS = {"lorentz_64": (64, 4, 6), "euclidean_512": (512, 8, 6)}
DROPOUT = SMOOTHING = 0.1
PADDING, BEGIN = 1, 2


def sentence_pairs(torch):
    place, row = torch.arange(LONGEST), torch.arange(SENTENCES).unsqueeze(1)
    lengths = LONGEST - torch.arange(SENTENCES) // 8
    words = torch.where(place < lengths.unsqueeze(1), 4 + (row * 131 + place * 37) % 6000, PADDING)
    return words, torch.cat([torch.full((SENTENCES, 1), BEGIN), words], 1)


def peer_classes(torch):
    nn, functional = torch.nn, torch.nn.functional

    def split(x, heads):
        return x.unflatten(2, (heads, -1)).transpose(1, 2)

    def weighted(q, k, v, blocked, scale=None, dropout=0.0):
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=~blocked, scale=scale, dropout_p=dropout)

    class Attention(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.heads, self.norm = heads, nn.LayerNorm(dim, 1e-6)
            self.q, self.k, self.v, self.out = (nn.Linear(dim, dim) for _ in range(4))

        def forward(self, x, memory, blocked):
            n = self.norm(x)
            seen = n if memory is None else memory
            q, k, v = (split(part(given), self.heads)
                       for part, given in ((self.q, n), (self.k, seen), (self.v, seen)))
            sums = weighted(q, k, v, blocked, dropout=DROPOUT if self.training else 0.0)
            return x + functional.dropout(self.out(sums.transpose(1, 2).flatten(2)), DROPOUT, self.training)

    class FeedForward(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.norm, self.fc1, self.fc2 = nn.LayerNorm(dim, 1e-6), nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

        def forward(self, x):
            inner = functional.dropout(functional.relu(self.fc1(self.norm(x))), DROPOUT, self.training)
            return x + functional.dropout(self.fc2(inner), DROPOUT, self.training)

    class Embedding(nn.Module):
        def __init__(self, words, dim):
            super().__init__()
            self.words = nn.Embedding(words, dim)
            angles = torch.arange(5000).unsqueeze(1) * torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
            self.register_buffer("positions", torch.stack([angles.sin(), angles.cos()], 2).flatten(1))

        def forward(self, ids):
            x = self.words(ids) * math.sqrt(self.words.embedding_dim) + self.positions[:ids.size(1)]
            return functional.dropout(x, DROPOUT, self.training)

    class LorentzLinear(nn.Module):
        """Chen et al. 2022, equation 7, as in the published translation code."""

        def __init__(self, dim, out, heads=1, split_heads=False, bias=True, relu=False):
            super().__init__()
            self.map, self.relu, self.heads = nn.Linear(dim, out, bias=bias), relu, heads if split_heads else 1
            self.scale = nn.Parameter(torch.tensor(2.3))
            with torch.no_grad():
                self.map.weight.uniform_(-0.02, 0.02)[:, ::dim // heads] = 0

        def forward(self, x, residual=None):
            y = self.map(functional.dropout(x.relu() if self.relu else x, DROPOUT, self.training))
            y = y.unflatten(2, (self.heads, -1)) if self.heads > 1 else y
            y = y if residual is None else y + residual
            t = y[..., :1].sigmoid() * self.scale.exp() + 1.1
            space = y[..., 1:]
            return torch.cat([t, space * ((t * t - 1) / space.square().sum(-1, True).clamp_min(1e-8)).sqrt()], -1)

    class LorentzAttention(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.q, self.k, self.v = (LorentzLinear(dim, dim, heads, split_heads=True) for _ in range(3))
            self.out = LorentzLinear(dim, dim, heads, bias=False)
            self.scale, self.bias = nn.Parameter(torch.tensor([math.sqrt(dim)])), nn.Parameter(torch.tensor(0.0))

        def forward(self, x, memory, blocked):
            seen = x if memory is None else memory
            q, k, v = (part.transpose(1, 2) for part in (self.q(x), self.k(seen), self.v(seen)))
            product = torch.cat([-q[..., :1], q[..., 1:]], -1) @ k.transpose(2, 3)
            scores = (2 + 2 * product) / self.scale + self.bias
            sums = scores.masked_fill(blocked, -1e18).softmax(-1) @ v
            square = sums[..., 1:].square().sum(-1, True) - sums[..., :1].square()
            points = sums / square.abs().clamp_min(1e-8).sqrt()
            return self.out(points.transpose(1, 2).flatten(2), x)

    class LorentzFeedForward(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.fc1, self.fc2 = LorentzLinear(dim, 4 * dim), LorentzLinear(4 * dim, dim, relu=True)

        def forward(self, x):
            return self.fc2(self.fc1(x), x)

    def points(words, dim):
        g = functional.normalize(torch.randn(words, dim))
        n = (1 - 2 * g[:, :1].square()).clamp_min(1e-9).sqrt()
        space = n.clamp_max(10).sinh() / n * g[:, 1:]
        return torch.cat([(1 + space.square().sum(1, True)).sqrt(), space], 1)

    class LorentzEmbedding(nn.Module):
        def __init__(self, words, dim):
            super().__init__()
            self.words = nn.Embedding.from_pretrained(points(words, dim), freeze=False)
            self.positions, self.linear = nn.Embedding(5000, dim), LorentzLinear(dim, dim)
            nn.init.normal_(self.positions.weight, std=0.02)

        def forward(self, ids):
            return self.linear(self.words(ids), self.positions.weight[:ids.size(1)])

    class Model(nn.Module):
        def __init__(self, geometry, dim, heads, layers):
            super().__init__()
            self.is_lorentz = geometry == "lorentz"
            attention, feed_forward, embedding = ((LorentzAttention, LorentzFeedForward, LorentzEmbedding)
                                                  if self.is_lorentz else (Attention, FeedForward, Embedding))
            self.source, self.target = embedding(SOURCE_WORDS, dim), embedding(TARGET_WORDS, dim)
            self.encoder = nn.ModuleList(nn.ModuleList([attention(dim, heads), feed_forward(dim)])
                                         for _ in range(layers))
            self.decoder = nn.ModuleList(
                nn.ModuleList([attention(dim, heads), attention(dim, heads), feed_forward(dim)])
                for _ in range(layers))
            if self.is_lorentz:
                self.cls = nn.Parameter(self.target.words.weight.detach().clone())
                self.cls_bias = nn.Parameter(torch.zeros(TARGET_WORDS))
            else:
                self.norms = nn.ModuleList(nn.LayerNorm(dim, 1e-6) for _ in range(2))
                self.generator = nn.Linear(dim, TARGET_WORDS)

        def forward(self, source, target):
            padding = (source == PADDING)[:, None, None]
            causal = torch.ones(target.size(1), target.size(1), dtype=torch.bool).triu(1)
            memory = self.source(source)
            for attention, feed_forward in self.encoder:
                memory = feed_forward(attention(memory, None, padding))
            memory = memory if self.is_lorentz else self.norms[0](memory)
            x = self.target(target)
            for own, other, feed_forward in self.decoder:
                x = feed_forward(other(own(x, None, causal), memory, padding))
            if not self.is_lorentz:
                return self.generator(self.norms[1](x))
            return 2 + 2 * torch.cat([-x[..., :1], x[..., 1:]], -1) @ self.cls.T + self.cls_bias

    class RiemannianAdam:
        """Adam for the others, and for rows that are points as HyboNet's code has it."""

        def __init__(self, model, lr):
            named = [model.source.words.weight, model.target.words.weight, model.cls] if model.is_lorentz else []
            self.points, self.lr, self.step_number = named, lr, 0
            is_point = {id(parameter) for parameter in named}
            self.adam = torch.optim.Adam([p for p in model.parameters() if id(p) not in is_point], lr, fused=True)
            self.means = [torch.zeros_like(p) for p in named]
            self.squares = [torch.zeros(p.size(0), 1) for p in named]

        @torch.no_grad()
        def step(self):
            def inner(u, v):
                return (u[:, 1:] * v[:, 1:]).sum(1, True) - u[:, :1] * v[:, :1]

            def projected(x):
                return torch.cat([(1 + x[:, 1:].square().sum(1, True)).sqrt(), x[:, 1:]], 1)

            self.adam.step()
            self.step_number += 1
            for x, mean, square in zip(self.points, self.means, self.squares):
                g = torch.cat([-x.grad[:, :1], x.grad[:, 1:]], 1)
                g = g + inner(x, g) * x
                mean.mul_(0.9).add_(g, alpha=0.1)
                square.mul_(0.999).add_(inner(g, g).clamp_min(0), alpha=0.001)
                u = -self.lr * mean / (1 - 0.9 ** self.step_number)
                u = u / ((square / (1 - 0.999 ** self.step_number)).sqrt() + 1e-8)
                u = u + inner(x, u) * x
                n = inner(u, u).clamp_min(1e-9).sqrt()
                m = n.clamp_max(10)
                new = projected(m.cosh() * x + m.sinh() * u / n)
                mean.add_(inner(new, mean) / (1 - inner(x, new)).clamp_min(1e-7) * (x + new))
                if self.step_number % 10 == 0:
                    new = projected(new)
                    mean.add_(inner(new, mean) * new)
                x.copy_(new)

        def zero_grad(self):
            self.adam.zero_grad()
            for x in self.points:
                x.grad = None

    return Model, RiemannianAdam


def measure_peer(name):
    import torch

    torch.manual_seed(1)
    model_class, optimizer_class = peer_classes(torch)
    model = model_class(name.split("_")[0], *MODELS[name]).train()
    optimizer = optimizer_class(model, 1e-4)
    source, target = sentence_pairs(torch)
    tokens = int((target[:, 1:] != PADDING).sum())
    seconds, losses = [], []
    for _ in range(STEPS + 1):
        start = time.monotonic()
        scores = model(source, target[:, :-1])
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PADDING,
                                                 label_smoothing=SMOOTHING)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.monotonic() - start)
        losses.append(loss.item())
    if not losses[-1] < losses[0]:
        sys.exit(f"mt_step: the peer does not learn: {losses}")
    print(json.dumps({"median": statistics.median(seconds[1:]), "tokens": tokens, "version": torch.__version__,
                      "parameters": sum(parameter.numel() for parameter in model.parameters())}))


def run_ours(program, name, threads):
    with tempfile.TemporaryDirectory() as scratch:
        answer = pathlib.Path(scratch) / "bench.json"
        _, _, peak = peers.run([program, f"--benchmark_filter=^translation_step/{name}/",
                                f"--benchmark_out={answer}", "--benchmark_out_format=json"], threads)
        for run in json.loads(answer.read_text())["benchmarks"]:
            if run.get("aggregate_name") == "median":
                seconds = run["real_time"] * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[run["time_unit"]]
                return seconds, peak, round(run["target_tokens"]), round(run["parameters"])
    sys.exit(f"mt_step: {program} reports nothing of {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, default=peers.ROOT / "build/dev/tests/bench/sst_bench")
    parser.add_argument("--peer", metavar="MODEL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return measure_peer(arguments.peer)
    python = peers.python(arguments.install)
    print("| model | by | target tokens/s | peak GB | ratio |\n|---|---|---:|---:|---:|")
    for name in arguments.models:
        seconds, peak, tokens, parameters = run_ours(arguments.program, name, arguments.threads)
        output, _, their_peak = peers.run([python, __file__, "--peer", name], arguments.threads)
        theirs = json.loads(output.splitlines()[-1])
        if (theirs["tokens"], theirs["parameters"]) != (tokens, parameters):
            sys.exit(f"mt_step: {name} is not the same model: {tokens} tokens and {parameters} parameters, the peer's "
                     f"{theirs['tokens']} and {theirs['parameters']}")
        print(f"| {name} | sst-train | {tokens / seconds:.0f} | {peak:.2f} | {theirs['median'] / seconds:.2f} |")
        print(f"| {name} | PyTorch {theirs['version']} | {tokens / theirs['median']:.0f} | {their_peak:.2f} | |",
              flush=True)


if __name__ == "__main__":
    main()
