"""Counts the words of text files."""

import callsheet


def count_words(text, min_letters):
    """Returns the number of words with at least `min_letters` letters."""
    return sum(len(word) >= min_letters for word in text.split())


def main(job):
    """Computes the outputs of the stage."""
    job.outputs.counts.write(
        {"text": text.name, "words": count_words(text.read_text(), job.params.min_letters)}
        for text in job.track(job.inputs.texts, unit="files")
    )


if __name__ == "__main__":
    with callsheet.stage() as job:
        main(job)
