"""datatrove's n-gram decontamination on lines {"id","text"}: python decontaminate.py DOCS.jsonl ITEMS.jsonl OUT.jsonl

13-grams of each item's text; writes lines {"id","keep","ngram"} and prints seconds and memory. Its indexer wants lighteval:
the hashes are made here by the same calls.
"""
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
from datatrove.utils.text import ngrams, simplify_text

source, items, target = sys.argv[1:4]
config = NGramsDecontConfig(n_grams=13)
folder = Path(tempfile.mkdtemp())
step = NGramsDecontFilter(str(folder), config=config)
hashes = set()
for line in open(items):
    tokens = step.tokenizer.word_tokenize(simplify_text(json.loads(line)["text"], config.norm_config))
    hashes.update(step.hash_func(" ".join(gram)) for gram in ngrams(tokens, config.n_grams))
np.array(list(hashes), dtype=config.hash_config.np_descr).tofile(folder / "items.index.hashes")

documents = [Document(**json.loads(line)) for line in open(source)]
step.filter(Document(text="warm up", id=""))
started = time.perf_counter()
found = [step.filter(document) for document in documents]
seconds = time.perf_counter() - started
with open(target, "w") as out:
    for document, result in zip(documents, found):
        ngram = document.metadata.get("contaminated_ngram")
        out.write(json.dumps({"id": document.id, "keep": result is True, "ngram": ngram}) + "\n")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
print(json.dumps({"seconds": seconds, "peakMegabytes": peak}))
