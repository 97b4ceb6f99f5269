"""datatrove's own filters on {"id","text"} lines: verdicts one by one, and how long they took.

filters.py --input DOCS.jsonl --output VERDICTS.jsonl [--words WORDS.jsonl]

A line of the output has, for each filter, what it says of the text as it came in ("" keeps), what the four say one
after the other (C4 hands its text on), and the text that C4 leaves. --words writes the input once more with the words
that datatrove counted. Last line of standard output: JSON with documents, bytes and the seconds of each filter.
"""

import argparse
import json
import sys
import time

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import split_into_words


def verdict(rule, text):
    document = Document(text=text, id="0")
    try:
        answer = rule.filter(document)
    except (ZeroDivisionError, ValueError) as error:
        return f"error: {type(error).__name__}", text
    if isinstance(answer, tuple):
        return ("" if answer[0] else answer[1]), document.text
    return ("" if answer else "dropped"), document.text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--words")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop reading after this time")
    arguments = parser.parse_args()
    rules = {
        "gopher-quality": GopherQualityFilter(),
        "gopher-repetition": GopherRepetitionFilter(),
        "c4": C4QualityFilter(),
        "fineweb": FineWebQualityFilter(),
    }
    split_into_words("Loads the tokenizer.")
    seconds = dict.fromkeys(rules, 0.0)
    documents = size = 0
    started = time.perf_counter()
    words_file = open(arguments.words, "w") if arguments.words else None
    with open(arguments.input) as lines, open(arguments.output, "w") as output:
        for line in lines:
            if time.perf_counter() - started > arguments.seconds:
                break
            document = json.loads(line)
            text = document["text"]
            documents += 1
            size += len(text.encode("utf-8", "surrogatepass"))
            answer = {"id": document["id"]}
            passed = text
            for name, rule in rules.items():
                before = time.perf_counter()
                answer[name], cleaned = verdict(rule, text)
                seconds[name] += time.perf_counter() - before
                if name == "c4":
                    answer["c4Text"] = cleaned if answer[name] == "" else None
            answer["chain"] = ""
            for name, rule in rules.items():
                reason, passed = verdict(rule, passed) if name == "fineweb" else (answer[name], passed)
                if name == "c4" and reason == "":
                    passed = answer["c4Text"]
                if reason != "":
                    answer["chain"] = f"{name}.{reason}"
                    break
            output.write(json.dumps(answer) + "\n")
            if words_file:
                words_file.write(json.dumps({**document, "words": split_into_words(text)}) + "\n")
    print(json.dumps({"documents": documents, "bytes": size, "seconds": seconds}))


if __name__ == "__main__":
    sys.exit(main())
