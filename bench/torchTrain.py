"""The training step of bench/train.ts in PyTorch eager f32: SDPA, clip, fused AdamW.

Reads a number of steps from each line of standard input, answers with their times in ms as a JSON array.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

config = json.loads(sys.argv[1])
torch.set_num_threads(config["threads"])
torch.manual_seed(1)
D, HEADS, KV = config["hiddenSize"], config["numAttentionHeads"], config["numKeyValueHeads"]
HEAD_DIM, FFN, V = D // HEADS, config["intermediateSize"], config["vocabSize"]
B, T, EPS = config["batchSize"], config["sequenceLength"], config["rmsNormEps"]


def linear(inputs, outputs):
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(layer.weight, std=config["initializerRange"])
    return layer


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-b, a), dim=-1) * sin


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(D, EPS), nn.RMSNorm(D, EPS)
        self.q, self.k, self.v = linear(D, D), linear(D, KV * HEAD_DIM), linear(D, KV * HEAD_DIM)
        self.o = linear(D, D)
        self.gate, self.up, self.down = linear(D, FFN), linear(D, FFN), linear(FFN, D)

    def forward(self, x, cos, sin):
        h = self.norm1(x)
        q = rotate(self.q(h).view(B, T, HEADS, HEAD_DIM).transpose(1, 2), cos, sin)
        k = rotate(self.k(h).view(B, T, KV, HEAD_DIM).transpose(1, 2), cos, sin)
        v = self.v(h).view(B, T, KV, HEAD_DIM).transpose(1, 2)
        k, v = (y.repeat_interleave(HEADS // KV, dim=1) for y in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(B, T, D))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(V, D)
        nn.init.normal_(self.embed.weight, std=config["initializerRange"])
        self.blocks = nn.ModuleList(Block() for _ in range(config["numHiddenLayers"]))
        self.norm = nn.RMSNorm(D, EPS)
        frequencies = config["ropeTheta"] ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
        angles = torch.outer(torch.arange(T), frequencies).repeat(1, 2)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, tokens, targets):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = F.linear(self.norm(x), self.embed.weight)
        return F.cross_entropy(logits.view(-1, V), targets.view(-1))


model = Llama()
settings = config["adamw"]
optimizer = torch.optim.AdamW(
    model.parameters(),
    lr=settings["learningRate"],
    betas=(settings["beta1"], settings["beta2"]),
    eps=settings["epsilon"],
    weight_decay=settings["weightDecay"],
    fused=True,
)
tokens, targets = torch.randint(V, (B, T)), torch.randint(V, (B, T))


def step():
    loss = model(tokens, targets)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


for _ in range(3):
    step()
print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        started = time.perf_counter()
        step()
        times.append((time.perf_counter() - started) * 1000)
    print(json.dumps(times), flush=True)
