"""PyTorch's side of the training benchmarks: SDPA, clip, fused AdamW; eager or compiled, f32 or bf16 autocast.

Reads a number of steps from each line of standard input, answers with their times in ms and the peak memory as JSON.
With a `curve` it follows that from given weights and batches, and says the loss of every step.
"""

import contextlib
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

config = json.loads(sys.argv[1])
config |= config["model"]
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


def load(model, folder):
    """The weights of a Hugging Face folder."""
    from safetensors.torch import load_file

    weights = load_file(f"{folder}/model.safetensors")
    own = {"model.embed_tokens.weight": model.embed.weight, "model.norm.weight": model.norm.weight}
    for i, block in enumerate(model.blocks):
        at = f"model.layers.{i}."
        own[at + "input_layernorm.weight"] = block.norm1.weight
        own[at + "post_attention_layernorm.weight"] = block.norm2.weight
        for name in "qkvo":
            own[at + f"self_attn.{name}_proj.weight"] = getattr(block, name).weight
        for name in ("gate", "up", "down"):
            own[at + f"mlp.{name}_proj.weight"] = getattr(block, name).weight
    if own.keys() != weights.keys():
        raise ValueError(f"other tensors than expected: {sorted(own.keys() ^ weights.keys())}")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])


if config.get("isa") == "avx2":
    # The compiler's vectors have their own setting, in bits.
    import torch._inductor.config

    torch._inductor.config.cpp.simdlen = 256
curve = config.get("curve")
bf16 = config["dtype"] == "bf16"
model = Llama()
if curve:
    load(model, curve["weights"])
settings = config["adamw"]
matrices = [p for p in model.parameters() if p.dim() == 2]
vectors = [p for p in model.parameters() if p.dim() != 2]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": settings["weightDecay"]}, {"params": vectors, "weight_decay": 0.0}],
    lr=settings["learningRate"],
    betas=(settings["beta1"], settings["beta2"]),
    eps=settings["epsilon"],
    fused=True,
)
forward = torch.compile(model) if config.get("compile") else model


def step(tokens, targets):
    with torch.autocast("cpu", dtype=torch.bfloat16) if bf16 else contextlib.nullcontext():
        loss = forward(tokens, targets)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def say(what):
    print(json.dumps(what), flush=True)


def peak_bytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


hello = {
    "version": torch.__version__,
    "isa": torch.backends.cpu.get_cpu_capability(),
    "threads": torch.get_num_threads(),
}
if curve:
    say(hello)
    with open(curve["batches"], "rb") as file:
        data = torch.frombuffer(bytearray(file.read()), dtype=torch.int32).view(-1, 2, B, T)
    for (tokens, targets), rate in zip(data.long(), curve["rates"]):
        for group in optimizer.param_groups:
            group["lr"] = rate * settings["learningRate"]
        say({"loss": step(tokens, targets)})
    sys.exit(0)

tokens, targets = torch.randint(V, (B, T)), torch.randint(V, (B, T))
for _ in range(3):
    step(tokens, targets)
say(hello)
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        started = time.perf_counter()
        step(tokens, targets)
        times.append((time.perf_counter() - started) * 1000)
    say({"times": times, "peakRssBytes": peak_bytes()})
