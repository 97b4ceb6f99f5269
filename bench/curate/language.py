"""Other language identifiers on the same texts: language.py PAGES.json SLICE [fastText model].

Each sees the pages as they are and without code spans and tags (as ours leaves them out by itself). Slow ones see
every n-th page. Writes [{"name", "text", "step", "languages", "seconds"}] as JSON.
"""

import json
import re
import sys
import time

pages = json.load(open(sys.argv[1], encoding="utf8"))
slice_ = int(sys.argv[2])
model = sys.argv[3] if len(sys.argv) > 3 else None


def without_code(text):
    return re.sub(r"[#>*]", " ", re.sub(r"<[^>\n]{0,300}>", " ", re.sub(r"`[^`\n]{0,300}`", " ", text)))


results = []


def run(name, classify, step=1):
    step *= slice_
    for how, prepare in (("as it is", str), ("without code", without_code)):
        texts = [prepare(text).replace("\n", " ") for text in pages[::step]]
        start = time.perf_counter()
        languages = [classify(text) for text in texts]
        results.append(
            {"name": name, "text": how, "step": step, "languages": languages, "seconds": time.perf_counter() - start}
        )


def peer(load):
    try:
        load()
    except ImportError as missing:
        print(f"left out: {missing}", file=sys.stderr)


def langid():
    import py3langid

    run("py3langid", lambda text: py3langid.classify(text)[0], 4)


def cld2():
    import pycld2

    def classify(text):
        try:
            return pycld2.detect(text, isPlainText=True)[2][0][1]
        except pycld2.error:
            return ""

    run("CLD2 (pycld2)", classify)


def resiliparse():
    from resiliparse.parse.lang import detect_fast

    run("resiliparse", lambda text: detect_fast(text)[0])


def lingua():
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()

    def classify(text):
        found = detector.detect_language_of(text)
        return found.iso_code_639_3.name.lower() if found else ""

    run("lingua", classify, 40)


def fast_text():
    import fasttext

    loaded = fasttext.load_model(model)
    inner = getattr(loaded, "f", loaded)
    run("fastText with the model", lambda text: inner.predict(text + "\n", 1, 0.0, "strict")[0][1])


for load in (langid, cld2, resiliparse, lingua, *([fast_text] if model else [])):
    peer(load)
json.dump(results, sys.stdout)
