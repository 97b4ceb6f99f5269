"""Hugging Face's side of the stage `tokenizer`: python tokenizer.py TEXTS.jsonl VOCAB SAMPLE_EVERY REPEATS OUT_FOLDER

Trains on all texts, encodes every SAMPLE_EVERY-th, both from Python strings that are in memory already. The number of
threads is RAYON_NUM_THREADS. Prints one JSON object; OUT_FOLDER gets tokenizer.json and the ids.
"""
import json
import os
import resource
import statistics
import sys
import time

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

path, vocab, every, repeats, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
os.environ["TOKENIZERS_PARALLELISM"] = "true"
with open(path, encoding="utf-8") as lines:
    texts = [json.loads(line)["text"] for line in lines]
special = json.loads(os.environ["SPECIAL_TOKENS"])


def trained():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    start = time.perf_counter()
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer, time.perf_counter() - start


train_seconds = []
for _ in range(repeats):
    tokenizer, seconds = trained()
    train_seconds.append(seconds)
sample = texts[::every]
encode_seconds = []
for _ in range(repeats):
    start = time.perf_counter()
    encoded = tokenizer.encode_batch_fast(sample, add_special_tokens=False)
    encode_seconds.append(time.perf_counter() - start)
tokenizer.save(os.path.join(out, "theirs.json"))
with open(os.path.join(out, "theirs.ids.jsonl"), "w") as file:
    for encoding in encoded:
        file.write(json.dumps(encoding.ids) + "\n")
print(
    json.dumps(
        {
            "version": tokenizers.__version__,
            "trainSeconds": statistics.median(train_seconds),
            "encodeSeconds": statistics.median(encode_seconds),
            "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    )
)
