"""Trains small fastText models of every kind and tells what they predict: fastTextOracle.py FOLDER."""

import json
import os
import random
import sys

import fasttext

folder = sys.argv[1]
random.seed(4)
themes = {
    "sea": "wave ship harbour tide sail storm anchor whale coast salt".split(),
    "wood": "tree leaf bark forest root branch moss owl path shade".split(),
    "stadt": "straße häuser brücke größe plätze züge fußweg märkte türme lärm".split(),
    "umi": "海 波 船 港 潮 帆 嵐 鯨 岸 塩".split(),
}
shared = "the of and a to in is it on with".split()


def sentence(theme):
    words = [random.choice(themes[theme] if random.random() < 0.6 else shared) for _ in range(random.randint(3, 14))]
    return " ".join(words)


with open(os.path.join(folder, "train.txt"), "w", encoding="utf8") as file:
    for _ in range(800):
        theme = random.choice(list(themes))
        file.write(f"__label__{theme} {sentence(theme)}\n")
texts = [sentence(random.choice(list(themes))) for _ in range(60)]
texts += ["", "unseen words only", "wave </s> tree tree", "__label__sea tree", "straßenbahn\tlärmschutz  海岸", "x" * 300]


def predictions(model):
    # The wheel's own `predict` fails under new numpy; this is what it calls.
    return [[(label, p) for p, label in model.f.predict(text + "\n", 4, 0.0, "strict")] for text in texts]


def train(**options):
    # The wheel stops now and then over a NaN that another seed does not meet.
    for seed in range(1, 50):
        try:
            return fasttext.train_supervised(
                os.path.join(folder, "train.txt"), epoch=8, lr=0.1, thread=1, verbose=0, seed=seed, **options
            )
        except RuntimeError:
            continue
    raise SystemExit("fasttext does not train here")


models = {}
ngrams = {"dim": 12, "minn": 2, "maxn": 4, "wordNgrams": 2, "bucket": 2000}
for name, options in {
    "softmax": ngrams,
    "hs": ngrams,
    "ns": ngrams,
    "ova": ngrams,
    "plain": {"dim": 8, "wordNgrams": 2, "bucket": 1000},
}.items():
    model = train(loss="softmax" if name == "plain" else name, **options)
    model.save_model(os.path.join(folder, f"{name}.bin"))
    models[f"{name}.bin"] = predictions(model)
for name, options in {
    "quantised.ftz": {"qnorm": True, "dsub": 2},
    "pruned.ftz": {"cutoff": 400, "retrain": False, "qnorm": True},
    "parts.ftz": {"qnorm": False, "dsub": 5},
}.items():
    model = train(**ngrams)
    model.quantize(input=os.path.join(folder, "train.txt"), thread=1, verbose=0, **options)
    model.save_model(os.path.join(folder, name))
    models[name] = predictions(model)
with open(os.path.join(folder, "oracle.json"), "w", encoding="utf8") as file:
    json.dump({"texts": texts, "models": models}, file)
