"""fastText on the same labels: classifier.py TRAIN.jsonl TEST.jsonl SPEED.jsonl THREADS. Prints one JSON object."""

import json
import os
import resource
import sys
import tempfile
import time

import fasttext

fasttext.FastText.eprint = lambda *a: None
train, test, speed, threads = sys.argv[1:4] + [int(sys.argv[4])]


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def flat(text):
    return " ".join(text.split())


rows, held, texts = read(train), read(test), [flat(row["text"]) for row in read(speed)]
with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False, encoding="utf-8") as out:
    for row in rows:
        out.write(f"__label__{int(row['label'])} {flat(row['text'])}\n")
results = []
# Its own defaults, then what suits few labels: pairs of words, more and faster steps.
for name, options in {
    "defaults": {},
    "wordNgrams 2, lr 0.5, 10 epochs": {"wordNgrams": 2, "lr": 0.5, "epoch": 10},
}.items():
    began = time.perf_counter()
    model = fasttext.train_supervised(out.name, thread=threads, verbose=0, seed=1, **options)
    trained = time.perf_counter() - began
    said = [int(model.predict(flat(row["text"]))[0][0][len("__label__") :]) for row in held]
    tp = sum(1 for row, label in zip(held, said) if row["label"] == 1 and label == 1)
    wrong = sum(1 for row, label in zip(held, said) if row["label"] != label)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        for text in texts:
            model.predict(text)
        seconds.append(time.perf_counter() - began)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    results.append(
        {
            "name": name,
            "f1": 2 * tp / max(1, 2 * tp + wrong),
            "trainSeconds": trained,
            "megabytesPerSecond": megabytes / sorted(seconds)[1],
            "documentsPerSecond": len(texts) / sorted(seconds)[1],
        }
    )
os.unlink(out.name)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"results": results, "peakMegabytes": peak}))
