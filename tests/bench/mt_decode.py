#!/usr/bin/env python3
"""Beam search of two, sentences/s: `sst-train translate` beside CTranslate2 with the same Euclidean model, float32.

    ninja -C build/dev sst-train
    python3 tests/bench/mt_decode.py --install [--run RUN --input FILE] [--threads 2]

Without --run a model of width 256 with 3 + 3 layers is trained for a moment on made sentences, and writes 25 words
for each; its speed is that of any model of its size. The peer is filled from `sst-train export --format safetensors`
through CTranslate2's own specification of a Transformer, and must give the same translations but for near ties.
--install makes a virtual environment in build/ctranslate2. Loading is left out on both sides: of ours the time of a
single line is taken off.
"""
import argparse
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import peers

ENVIRONMENT = peers.ROOT / "build" / "ctranslate2"
PACKAGES = ["ctranslate2==4.8.5", "numpy", "safetensors", "sentencepiece"]
BEAM, BATCH_TOKENS = 2, 2048
LENGTHS, MADE_LENGTHS = (1, 100), (25, 25)  # shortest and longest translations; a hardly trained model would not write
LEAST_EQUAL, MADE_LEAST_EQUAL = 0.97, 0.8  # sums in another order decide near ties: many in a hardly trained model


def made_run(program, scratch, sentences):
    """A run and its input: made sentences and their words, renamed, in reverse."""
    draw = random.Random(1)
    data = scratch / "data" / "smoke"
    data.mkdir(parents=True)
    for split, count in (("train", 2000), ("valid", 20), ("test", sentences)):
        lines = [[draw.randrange(2000) for _ in range(draw.randrange(10, 30))] for _ in range(count)]
        (data / f"{split}.src").write_text("".join(" ".join(f"s{w}" for w in line) + "\n" for line in lines))
        (data / f"{split}.tgt").write_text("".join(" ".join(f"t{w}" for w in line[::-1]) + "\n" for line in lines))
    recipe = peers.ROOT / "recipes" / "smoke" / "mt_full.yaml"
    settings = ["model.hidden_size=256", "model.ffn_size=1024", "model.num_heads=4", "model.encoder_layers=3",
                "model.decoder_layers=3", "train.max_steps=60", "train.max_tokens=512", "train.global_batch_tokens=512",
                "optim.lr=1e-3", "schedule.warmup_steps=20", "eval.every=off", "eval.at_end=false",
                "eval.metrics=[loss]"]
    subprocess.run([program, "train", recipe, "--out", "run", *settings], cwd=scratch, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return scratch / "run", data / "test.src"


class Words:
    """Text that is cut already."""

    def __init__(self, file):
        self.words = file.read_text().split("\n")[:-1]

    cut = staticmethod(str.split)
    join = staticmethod(" ".join)


class Pieces:
    """SentencePiece."""

    def __init__(self, file):
        import sentencepiece

        self.processor = sentencepiece.SentencePieceProcessor(str(file))
        self.words = [self.processor.id_to_piece(i) for i in range(self.processor.get_piece_size())]

    def cut(self, line):
        return self.processor.encode(line, out_type=str)

    def join(self, pieces):
        return self.processor.decode(pieces)


def cutter(exported, side):
    """What cuts the text of the source (0) or the target (1)."""
    language = json.loads((exported / "config.json").read_text())["languages"][side]
    files = [path for path in exported.iterdir()
             if path.suffix in (".vocab", ".model") and path.stem in ("joint", language)]
    return (Pieces if files[0].suffix == ".model" else Words)(files[0])


def filled_spec(exported):
    """CTranslate2's Transformer with the exported tensors, and the words of the source."""
    import ctranslate2
    import numpy
    from safetensors.numpy import load_file

    config = json.loads((exported / "config.json").read_text())
    model, ids = config["model"], config["vocabulary"]
    if model["geometry"] != "euclidean":
        sys.exit("mt_decode: CTranslate2 knows only the Euclidean Transformer")
    tensors = load_file(exported / "model.safetensors")
    width, layers = model["hidden_size"], (model["encoder_layers"], model["decoder_layers"])
    spec = ctranslate2.specs.TransformerSpec.from_config(layers, model["num_heads"],
                                                         pre_norm=model.get("norm", "pre") == "pre")
    angles = numpy.arange(model["max_positions"])[:, None] * numpy.exp(
        numpy.arange(0, width, 2) * (-math.log(10000.0) / width))
    positions = numpy.stack([numpy.sin(angles), numpy.cos(angles)], 2).reshape(len(angles), width).astype("float32")

    def linear(into, *names):
        into.weight = numpy.concatenate([tensors[f"{name}.weight"] for name in names])
        into.bias = numpy.concatenate([tensors[f"{name}.bias"] for name in names])

    def norm(into, name):
        into.gamma, into.beta = tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    def attention(into, name, is_own):
        norm(into.layer_norm, f"{name}.norm")
        q, k, v, out = (f"{name}.{part}_proj" for part in ("q", "k", "v", "out"))
        for linear_into, parts in zip(into.linear, ([q, k, v], [out]) if is_own else ([q], [k, v], [out])):
            linear(linear_into, *parts)

    for side, layers_of in (("encoder", spec.encoder), ("decoder", spec.decoder)):
        words = tensors.get(f"{side}.embed.words.weight", tensors["encoder.embed.words.weight"])
        embeddings = layers_of.embeddings[0] if side == "encoder" else layers_of.embeddings
        embeddings.weight = words
        layers_of.scale_embeddings = True
        layers_of.position_encodings.encodings = positions
        if f"{side}.norm.weight" in tensors:
            norm(layers_of.layer_norm, f"{side}.norm")
        for i, layer in enumerate(layers_of.layer):
            name = f"{side}.layers.{i}"
            attention(layer.self_attention, f"{name}.self_attn", is_own=True)
            if side == "decoder":
                attention(layer.attention, f"{name}.cross_attn", is_own=False)
            norm(layer.ffn.layer_norm, f"{name}.ffn.norm")
            linear(layer.ffn.linear_0, f"{name}.ffn.fc1")
            linear(layer.ffn.linear_1, f"{name}.ffn.fc2")
    if "generator.proj.weight" in tensors:
        linear(spec.decoder.projection, "generator.proj")
    else:
        spec.decoder.projection.weight = spec.decoder.embeddings.weight
        spec.decoder.projection.bias = tensors["generator.bias"]

    def vocabulary(side, rows):
        words = cutter(exported, side).words
        return words + [f"<row {row}>" for row in range(len(words), rows)]

    spec.register_source_vocabulary(vocabulary(0, ids["source_size"]))
    target = vocabulary(1, ids["target_size"])
    spec.register_target_vocabulary(target)
    spec.config.bos_token = spec.config.decoder_start_token = target[ids["begin"]]
    spec.config.eos_token, spec.config.unk_token = target[ids["end"]], target[0]
    spec.config.layer_norm_epsilon = 1e-6
    return spec


def measure_peer(exported, source, threads, shortest, longest):
    import ctranslate2

    with tempfile.TemporaryDirectory() as folder:
        spec = filled_spec(pathlib.Path(exported))
        spec.validate()
        spec.optimize()
        spec.save(folder)
        translator = ctranslate2.Translator(folder, inter_threads=1, intra_threads=int(threads), compute_type="float32")
        cut, join = cutter(pathlib.Path(exported), 0).cut, cutter(pathlib.Path(exported), 1).join
        lines = [cut(line) for line in pathlib.Path(source).read_text().split("\n")[:-1]]

        def translate(some):
            return translator.translate_batch(some, beam_size=BEAM, length_penalty=0, max_decoding_length=int(longest),
                                              min_decoding_length=int(shortest), max_batch_size=BATCH_TOKENS,
                                              batch_type="tokens")

        translate(lines[:8])
        start = time.monotonic()
        results = translate(lines)
        seconds = time.monotonic() - start
    print(json.dumps({"seconds": seconds, "version": ctranslate2.__version__,
                      "translations": [join(result.hypotheses[0]) for result in results]}))


def run_ours(program, run, source, threads, shortest, longest, is_cut):
    command = [program, "translate", run, *(["--raw"] if is_cut else []), "--beam", BEAM, "--min-length", shortest, "--max-length", longest,
               "--batch-tokens", BATCH_TOKENS, "eval.decode.length_norm=none", "--input"]
    with tempfile.TemporaryDirectory() as folder:
        one = pathlib.Path(folder) / "one"
        one.write_text(pathlib.Path(source).read_text().split("\n")[0] + "\n")
        _, loading, _ = peers.run([*command, one], threads)
    output, seconds, _ = peers.run([*command, source], threads)
    return output.split("\n")[:-1], seconds - loading


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=pathlib.Path)
    parser.add_argument("--input", type=pathlib.Path, help="sentences, cut as the run's tokenizer cuts them")
    parser.add_argument("--sentences", type=int, default=200, help="made ones, without --run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, default=peers.ROOT / "build/dev/apps/sst_train/sst-train")
    parser.add_argument("--peer", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return measure_peer(*arguments.peer)
    if bool(arguments.run) != bool(arguments.input):
        parser.error("--run and --input go together")
    lengths = LENGTHS if arguments.run else MADE_LENGTHS
    python = peers.python(arguments.install, ENVIRONMENT, PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        run, source = (arguments.run, arguments.input) if arguments.run else made_run(
            arguments.program, scratch, arguments.sentences)
        subprocess.run([arguments.program, "export", run, "--format", "safetensors", "--out", scratch / "exported"],
                       check=True, stdout=subprocess.DEVNULL)
        is_cut = not list((scratch / "exported").glob("*.model"))
        ours, seconds = run_ours(arguments.program, run, source, arguments.threads, *lengths, is_cut)
        output, _, _ = peers.run([python, __file__, "--peer", scratch / "exported", source, arguments.threads,
                                  *lengths], arguments.threads)
    theirs = json.loads(output.splitlines()[-1])
    # At the longest length one side counts the end, the other does not.
    equal = sum(a.split()[:lengths[1] - 1] == b.split()[:lengths[1] - 1] for a, b in zip(ours, theirs["translations"]))
    if equal < (LEAST_EQUAL if arguments.run else MADE_LEAST_EQUAL) * len(ours):
        sys.exit(f"mt_decode: only {equal} of {len(ours)} translations are the peer's")
    print(f"sst-train: {len(ours) / seconds:.1f} sentences/s, CTranslate2 {theirs['version']}: "
          f"{len(ours) / theirs['seconds']:.1f}, {theirs['seconds'] / seconds:.2f}x as fast; "
          f"{equal} of {len(ours)} translations equal")


if __name__ == "__main__":
    main()
