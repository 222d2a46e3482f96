"""Counts the words of text files."""

import json
import os
import sys


def count_words(text, min_letters):
    """Returns the number of words with at least `min_letters` letters."""
    return sum(len(word) >= min_letters for word in text.split())


def main(request):
    texts = request["inputs"]["texts"]
    min_letters = request["params"]["min_letters"]
    with open(request["outputs"]["counts"], "w", encoding="utf-8") as counts:
        for done, (path, name) in enumerate(zip(texts["paths"], texts["names"]), 1):
            with open(path, encoding="utf-8") as file:
                words = count_words(file.read(), min_letters)
            print(json.dumps({"text": name, "words": words}), file=counts)
            report({"progress": {"done": done, "total": len(texts["paths"]), "unit": "files"}})


def report(event):
    """Reports progress, metrics or problems to callsheet; does nothing if you start the script yourself."""
    if "CALLSHEET_EVENTS" in os.environ:
        with open(os.environ["CALLSHEET_EVENTS"], "a", encoding="utf-8") as events:
            print(json.dumps(event), file=events)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        main(json.load(file))
