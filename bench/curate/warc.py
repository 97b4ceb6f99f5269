# The peers of bench/curate/warc.ts: FastWARC and warcio read every record of a file to its last byte.
import json
import sys
import time

path, rounds = sys.argv[1], int(sys.argv[2])


def fastwarc():
    from fastwarc.warc import ArchiveIterator

    with open(path, "rb") as file:
        return sum(len(record.reader.read()) for record in ArchiveIterator(file, parse_http=False))


def warcio():
    from warcio.archiveiterator import ArchiveIterator

    with open(path, "rb") as file:
        return sum(len(record.raw_stream.read()) for record in ArchiveIterator(file, no_record_parse=True))


for name, read in [("FastWARC", fastwarc), ("warcio", warcio)]:
    try:
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            size = read()
            seconds.append(time.perf_counter() - start)
        print(json.dumps({"name": name, "bytes": size, "seconds": seconds}))
    except ImportError:
        print(f"{name} is not installed", file=sys.stderr)
