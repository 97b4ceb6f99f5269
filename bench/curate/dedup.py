"""datatrove's MinHash (14 buckets of 8 hashes, 5-grams, 64 bits) on lines {"id","text"}: python dedup.py IN.jsonl OUT.jsonl

Writes lines {"id","keep","cluster"}, the cluster as the number of its first document, and prints seconds and memory.
"""
import json
import resource
import struct
import sys
import tempfile
import time
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupSignature,
)
from datatrove.utils.hashing import HashConfig

source, target = sys.argv[1:3]
lines = [json.loads(line) for line in open(source)]
documents = [Document(text=line["text"], id=line["id"]) for line in lines]
config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8, hash_config=HashConfig(precision=64))
folder = Path(tempfile.mkdtemp())
signature = MinhashDedupSignature(output_folder=str(folder / "signatures"), config=config)
# Loading the word tokenizer is no part of the work.
signature.get_shingles("warm up")
started = time.perf_counter()
signature.run(documents, 0, 1)
for bucket in range(config.num_buckets):
    MinhashDedupBuckets(str(folder / "signatures"), str(folder / "buckets"), config=config).run(
        None, bucket, config.num_buckets
    )
MinhashDedupCluster(str(folder / "buckets"), str(folder / "clusters"), config=config, save_cluster_id=True).run()
seconds = time.perf_counter() - started

cluster = {}
for file in (folder / "clusters").rglob("*.clusters"):
    data = file.read_bytes()
    for at in range(0, len(data), 8):
        document, number = struct.unpack("<II", data[at : at + 8])
        cluster[document] = number
first = {}
for document in sorted(cluster):
    first.setdefault(cluster[document], document)
# It keeps one of each cluster, not always the first: like is compared with like by keeping the first here.
with open(target, "w") as out:
    for number, line in enumerate(lines):
        root = first[cluster[number]] if number in cluster else number
        out.write(json.dumps({"id": line["id"], "keep": root == number, "cluster": root}) + "\n")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
print(json.dumps({"seconds": seconds, "peakMegabytes": peak}))
