"""The data of recipes/smoke, for tests that are Python."""
import random


def write_texts(folder):
    """What recipes/smoke/lm_*.yaml train on: data/smoke/{train,valid}.txt in `folder`."""
    (folder / "data/smoke").mkdir(parents=True, exist_ok=True)
    generator = random.Random(3)
    for name, count in (("train", 800), ("valid", 120)):
        words = (generator.choice(["ba ", "lo ", "ni ", "do ", "mu ", "\n"]) for _ in range(count))
        (folder / "data/smoke" / f"{name}.txt").write_text("".join(words))


def write_pairs(folder):
    """What recipes/smoke/mt_*.yaml train on: every word twice, in the other order."""
    smoke = folder / "data/smoke"
    smoke.mkdir(parents=True, exist_ok=True)
    generator = random.Random(4)
    for name, count in (("train", 120), ("valid", 12), ("test", 12)):
        lines = [[generator.choice("abcdefghijkl") for _ in range(generator.randint(2, 7))] for _ in range(count)]
        (smoke / f"{name}.src").write_text("".join(" ".join(line) + "\n" for line in lines))
        (smoke / f"{name}.tgt").write_text("".join(" ".join(word * 2 for word in reversed(line)) + "\n" for line in lines))
