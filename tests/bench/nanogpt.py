#!/usr/bin/env python3
"""nanoGPT's CPU-sized character model, trained whole: recipes/lm/tinyshakespeare_char_cpu.yaml beside the same model in
eager PyTorch (nanoGPT's model.py and train.py are not on PyPI; the copy below has its layers, initial values, optimizer
groups, schedule and batches, not its words). 2,000 steps of 12 x 64 characters each.

    make release
    python3 tests/bench/nanogpt.py DATA_ROOT --install [--threads 2]

DATA_ROOT holds lm/tinyshakespeare_train.txt and lm/tinyshakespeare_valid.txt. --install makes build/peers.
"""
import argparse
import json
import math
import pathlib
import tempfile
import time

import peers

LAYERS, HEADS, WIDTH, CONTEXT, BATCH = 4, 4, 128, 64, 12
STEPS, WARM_UP, RATE, FLOOR, EVALUATED = 2000, 100, 1e-3, 1e-4, 200


def train_peer(root):
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm_1, self.norm_2 = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
            self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
            self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.Linear(4 * WIDTH, WIDTH, bias=False)

        def forward(self, x):
            parts = self.qkv(self.norm_1(x)).split(WIDTH, dim=2)
            q, k, v = (part.view(*x.shape[:2], HEADS, WIDTH // HEADS).transpose(1, 2) for part in parts)
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).contiguous().view(x.shape))
            return x + self.down(functional.gelu(self.up(self.norm_2(x))))

    class Model(nn.Module):
        def __init__(self, vocabulary):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
            self.norm, self.head = nn.LayerNorm(WIDTH, bias=False), nn.Linear(WIDTH, vocabulary, bias=False)
            self.head.weight = self.tokens.weight
            for name, parameter in self.named_parameters():
                if parameter.dim() == 2:
                    residual = name.endswith(("out.weight", "down.weight"))
                    nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * LAYERS) if residual else 1))

        def forward(self, ids, targets):
            x = self.tokens(ids) + self.positions(torch.arange(ids.size(1)))
            logits = self.head(self.norm(self.blocks(x)))
            return functional.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    torch.manual_seed(1337)
    texts = [(root / "lm" / f"tinyshakespeare_{part}.txt").read_text() for part in ("train", "valid")]
    characters = sorted(set("".join(texts)))
    index = {character: i for i, character in enumerate(characters)}
    train, valid = (torch.tensor([index[character] for character in text]) for text in texts)

    def batch(data):
        starts = torch.randint(len(data) - CONTEXT, (BATCH,))
        return (torch.stack([data[i + shift:i + shift + CONTEXT] for i in starts]) for shift in (0, 1))

    model = Model(len(characters))
    groups = [[p for p in model.parameters() if (p.dim() >= 2) == decays] for decays in (True, False)]
    optimizer = torch.optim.AdamW([{"params": groups[0], "weight_decay": 0.1}, {"params": groups[1], "weight_decay": 0}],
                                  betas=(0.9, 0.99), fused=True)
    start = time.monotonic()
    for step in range(STEPS):
        progress = max(step - WARM_UP, 0) / (STEPS - WARM_UP)
        rate = RATE * (step + 1) / WARM_UP if step < WARM_UP else FLOOR + (RATE - FLOOR) * (
            0.5 + 0.5 * math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = rate
        model(*batch(train)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    seconds = time.monotonic() - start
    with torch.no_grad():
        loss = sum(model(*batch(valid)).item() for _ in range(EVALUATED)) / EVALUATED
    print(json.dumps({"seconds": seconds, "loss": loss, "parameters": sum(p.numel() for p in model.parameters())}))


def train_ours(program, root, precision, threads):
    recipe = peers.ROOT / "recipes/lm/tinyshakespeare_char_cpu.yaml"
    with tempfile.TemporaryDirectory() as out:
        peers.run([program, "train", recipe, f"data_root={root}", f"out_root={out}", f"precision={precision}",
                   f"runtime.threads={threads}", "runtime.device=cpu", "eval.every=off", "--quiet", "--json"], threads)
        report = json.loads(next(pathlib.Path(out).glob("*/*/report.json")).read_text())
    split = report["time_split"]
    return {"seconds": report["seconds"] - split["evaluation"], "loss": report["results"]["valid/loss"],
            "parameters": report["parameters"]["total"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", type=pathlib.Path)
    parser.add_argument("--precision", nargs="+", default=["fp32"], help="of ours: fp32, bf16_mixed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, default=peers.ROOT / "build/dev/apps/sst_train/sst-train")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return train_peer(arguments.data_root)
    python = peers.python(arguments.install)
    output, _, _ = peers.run([python, __file__, "--peer", arguments.data_root], arguments.threads)
    theirs = json.loads(output.splitlines()[-1])
    lines = [("eager PyTorch, fp32", theirs)]
    lines += [(f"sst-train, {precision}",
               train_ours(arguments.program, arguments.data_root.resolve(), precision, arguments.threads))
              for precision in arguments.precision]
    print("| by | parameters | training, s | ms a step | validation loss | time beside the peer's |\n"
          "|---|---:|---:|---:|---:|---:|")
    for name, run in lines:
        print(f"| {name} | {run['parameters']:,} | {run['seconds']:.1f} | {run['seconds'] / STEPS * 1e3:.1f} "
              f"| {run['loss']:.3f} | {run['seconds'] / theirs['seconds']:.2f} |")


if __name__ == "__main__":
    main()
