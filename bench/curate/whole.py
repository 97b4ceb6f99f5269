"""datatrove's side of the whole: one stage a process, with the executor that its users run.

Argument: JSON {"stage", "input", "work", "workers", "items"?, "tokenizer"?}. Prints one JSON line: seconds of the
executors' runs, ids of the documents that are left, peak memory of the largest process.
"""

import glob
import json
import os
import resource
import shutil
import sys
import time

from loguru import logger

logger.remove()

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers import JsonlWriter

job = json.loads(sys.argv[1])
work, workers = job["work"], job["workers"]
kept_folder = os.path.join(work, "kept")


def run(pipeline, tasks=None):
    LocalPipelineExecutor(
        pipeline=pipeline, tasks=tasks or workers, workers=workers, logging_dir=os.path.join(work, "logs", str(time.time_ns())), skip_completed=False
    ).run()


def documents():
    return JsonlReader(job["input"], glob_pattern="*.jsonl")


def kept():
    return JsonlWriter(kept_folder, output_filename="${rank}.jsonl", compression=None)


def extraction():
    from datatrove.pipeline.extractors import Trafilatura

    return [lambda: run([WarcReader(job["input"], glob_pattern="*.warc.gz"), Trafilatura(), kept()])]


def filters():
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    steps = [GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(), FineWebQualityFilter()]
    return [lambda: run([documents(), *steps, kept()])]


def dedup():
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig

    config = MinhashConfig()
    signatures, buckets, clusters = (os.path.join(work, name) for name in ("signatures", "buckets", "clusters"))
    return [
        lambda: run([documents(), MinhashDedupSignature(signatures, config=config)]),
        lambda: run([MinhashDedupBuckets(signatures, buckets, config=config)], tasks=config.num_buckets),
        lambda: run([MinhashDedupCluster(buckets, clusters, config=config)], tasks=1),
        lambda: run([documents(), MinhashDedupFilter(clusters), kept()]),
    ]


def decontamination():
    import numpy as np
    from datatrove.pipeline.decont import NGramsDecontFilter, NGramsDecontIndexer
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig
    from datatrove.utils.text import TextNormConfig

    # The indexer takes tasks from lighteval only; the hashes of ours are made by its own code.
    NGramsDecontIndexer._requires_dependencies = []
    # Every number is 0 by default: 13 of them in a row are then the same as any 13 others, in most code there are some.
    config = NGramsDecontConfig(n_grams=13, norm_config=TextNormConfig(norm_numbers=False))
    folder = os.path.join(work, "index")

    def index():
        indexer = NGramsDecontIndexer(folder, config=config)
        hashes = set()
        for line in open(job["items"]):
            hashes.update(indexer.compute_hashes(json.loads(line)["text"]))
        with open(os.path.join(folder, "items.index.hashes"), "wb") as file:
            np.array(list(hashes), dtype=config.hash_config.np_descr).tofile(file)

    os.makedirs(folder)
    return [index, lambda: run([documents(), NGramsDecontFilter(folder, config=config), kept()])]


def tokens():
    from datatrove.pipeline.tokens import DocumentTokenizer

    tokenizer = os.path.join(job["tokenizer"], "tokenizer.json")
    step = DocumentTokenizer(os.path.join(work, "tokens"), tokenizer, eos_token="<|endoftext|>", shuffle_documents=False)
    return [lambda: run([documents(), step])]


def split():
    """The pages in one file for each worker: an executor's task reads whole files."""
    from warcio.archiveiterator import ArchiveIterator

    def cut():
        os.makedirs(kept_folder)
        ends = [0]
        with open(job["input"], "rb") as file:
            iterator = ArchiveIterator(file)
            for _ in iterator:
                ends.append(iterator.get_record_offset() + iterator.get_record_length())
        data = open(job["input"], "rb").read()
        for worker in range(workers):
            first, last = (ends[(len(ends) - 1) * at // workers] for at in (worker, worker + 1))
            with open(os.path.join(kept_folder, f"{worker}.warc.gz"), "wb") as file:
                file.write(data[first:last])

    return [cut]


def main():
    stages = {f.__name__: f for f in (split, extraction, filters, dedup, decontamination, tokens)}
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    # Imports are not counted: what a user waits for in a long run is the work.
    parts = stages[job["stage"]]()
    started = time.perf_counter()
    for part in parts:
        part()
    seconds = time.perf_counter() - started
    ids = []
    for path in sorted(glob.glob(os.path.join(kept_folder, "*.jsonl"))):
        for line in open(path):
            document = json.loads(line)
            ids.append((document.get("metadata") or {}).get("url") if job["stage"] == "extraction" else document["id"])
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * 1024
    print(json.dumps({"seconds": seconds, "ids": ids, "peakBytes": peak}))


# The executor starts workers that read this file again.
if __name__ == "__main__":
    main()
