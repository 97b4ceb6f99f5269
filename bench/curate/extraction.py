"""trafilatura's side of the extraction stage: reads JSON lines {"html": base64}, one thread, no network.

Arguments: input, output, rounds. Writes one JSON line: texts of the first round, seconds of each round, peak memory.
"""

import base64
import json
import resource
import sys
import time

import trafilatura

pages = [base64.b64decode(json.loads(line)["html"]) for line in open(sys.argv[1])]
MODES = {
    "default": {},
    "fast": {"no_fallback": True},
    "as datatrove calls it": {"favor_precision": True, "include_comments": False, "deduplicate": True},
}
result = {"version": trafilatura.__version__, "modes": {}}
for name, options in MODES.items():
    rounds = []
    for _ in range(int(sys.argv[3])):
        start = time.perf_counter()
        texts = [trafilatura.extract(page, **options) or "" for page in pages]
        rounds.append(time.perf_counter() - start)
    result["modes"][name] = {"texts": texts, "seconds": rounds}
result["peakBytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
json.dump(result, open(sys.argv[2], "w"))
