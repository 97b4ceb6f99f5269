"""Log-probabilities of token sequences with transformers, for bench/score.ts.

Arguments: model folder, file of [tokens, first scored position] (JSON), float32 or bfloat16, threads. Each line of standard input is a round:
the answer is its time in ms; after the first line also the log-probability of each sequence.
"""

import json
import sys
import time

import torch
import transformers
from transformers import AutoModelForCausalLM

folder, file, dtype, threads = sys.argv[1:5]
torch.set_num_threads(int(threads))
transformers.utils.logging.set_verbosity_error()
model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
with open(file) as lines:
    sequences, starts = zip(*json.load(lines))

BATCH = 16
order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]


@torch.inference_mode()
def score():
    sums = [0.0] * len(sequences)
    for batch in batches:
        width = max(len(sequences[i]) for i in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        scored = torch.zeros((len(batch), width), dtype=torch.bool)
        for row, i in enumerate(batch):
            ids[row, : len(sequences[i])] = torch.tensor(sequences[i])
            mask[row, : len(sequences[i])] = 1
            scored[row, starts[i] : len(sequences[i])] = True
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
        scored = scored[:, 1:]
        # Only what is asked for becomes log-probabilities.
        found = logits[scored].float().log_softmax(-1).gather(-1, ids[:, 1:][scored][:, None])
        scores = torch.zeros(scored.shape).masked_scatter_(scored, found[:, 0])
        for i, total in zip(batch, scores.sum(-1).tolist()):
            sums[i] = total
    return sums


score()
print(json.dumps({"version": transformers.__version__, "torch": torch.__version__}), flush=True)
for number, _ in enumerate(sys.stdin):
    started = time.perf_counter()
    sums = score()
    answer = {"ms": (time.perf_counter() - started) * 1000}
    print(json.dumps({**answer, "sums": sums} if number == 0 else answer), flush=True)
