"""Finds texts that break the countable rules of docs/language.md; `make prose` runs it, and so does `make lint`.

Reads comments, documentation and string literals of the files that git tracks. Exits with 1 if it finds anything.
"""

import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

LONGEST_SENTENCE = 30
# Each line: a file, two spaces, and a part of the text that is allowed there.
EXCEPTIONS = Path(__file__).with_name("prose_exceptions.txt")
GENERATED = re.compile(r"\.snap$|^docs/schemas/|^Cargo\.lock$|^setup/prose|^tests/fixtures/")

# Lists of names, and source code within literals, are not sentences.
CODE = re.compile(r' = |[{"]:|(CODE\W+(float|int|string)\w*, ){3}|(/\S*.*){4}')

RULES = {
    "a comment begins with a question word": re.compile(r"^(What|Whether|Which|Where|How|Why|Who)\b(?!.*\?$)"),
    "'is no', 'are no'": re.compile(r"(?<!\bthere )\b(is|are) no\b(?! (longer|more|less|farther|earlier|later)\b)", re.I),
    "'beside'": re.compile(r"\bbesides?\b", re.I),
    "'said'": re.compile(r"\bsaid\b", re.I),
    "'tell', 'told'": re.compile(r"\b(tells?|telling|told)\b", re.I),
    "'anew'": re.compile(r"\banew\b", re.I),
}
RUST = re.compile(
    r"""(?P<comment>//[^\n]*)|/\*(?P<block>.*?)\*/|r(?P<hash>\#*)"(?P<raw>.*?)"(?P=hash)"""
    r"""|(?P<bytes>b?)"(?P<text>(?:\\.|[^"\\])*)"|'(?:\\.|[^\\'\n])'""", re.S)
SCRIPT = re.compile(r"""(?P<comment>//[^\n]*)|/\*(?P<block>.*?)\*/|(?P<quote>["'`])(?P<text>(?:\\.|(?!(?P=quote)).)*?)(?P=quote)""", re.S)
MARKER = re.compile(r"\s*(//[/!]?|#:?)\s?")


def comments(found):
    """Joins comments of adjacent lines; `found` has line numbers and single comments."""
    blocks = []
    for line, text in found:
        kind = MARKER.match(text).group(1)
        body = text[MARKER.match(text).end():]
        if blocks and blocks[-1][1] == line - 1 and blocks[-1][2] == kind:
            blocks[-1][1:] = [line, kind, [*blocks[-1][3], body]]
        else:
            blocks.append([line, line, kind, [body]])
    return [(first, "\n".join(lines), True) for first, _, _, lines in blocks]


def of_pattern(pattern, text):
    """Comments and literals of Rust, JavaScript or CSS: line, text, True for a comment."""
    single, found = [], []
    for match in pattern.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        parts = match.groupdict()
        if parts["comment"] is not None:
            single.append((line, parts["comment"]))
        elif parts["block"] is not None:
            found.append((line, parts["block"], True))
        elif not parts.get("bytes"):
            literal = parts.get("raw") or parts["text"] or ""
            # A backslash at the end of a line continues the text.
            literal = re.sub(r"\\\n\s*", "", literal).replace("\\n", "\n").replace('\\"', '"')
            found.append((line, literal, False))
    return comments(single) + found


def of_python(text):
    single, found = [], []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            single.append((token.start[0], token.string))
        elif token.type in (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)):
            doc = token.line.lstrip().startswith(('"""', 'r"""'))
            found.append((token.start[0], token.string.strip("rbf").strip("\"'"), doc))
    return comments(single) + found


def of_toml(text):
    """Comments and values; names of tables and keys are not prose."""
    lines = list(enumerate(text.split("\n"), 1))
    single = [(n, line.strip()) for n, line in lines if line.lstrip().startswith("#")]
    values = re.finditer(r'"""(.*?)"""|"((?:\\.|[^"\\\n])*)"', re.sub(r"(?m)^\s*#.*$", "", text), re.S)
    return comments(single) + [(text.count("\n", 0, m.start()) + 1, m.group(1) or m.group(2) or "", False) for m in values]


def of_markdown(text):
    text = re.sub(r"```.*?```|~~~.*?~~~", lambda block: "\n" * block.group().count("\n"), text, flags=re.S)
    return [(1, text, False)]


def of_file(path, text):
    match path.suffix:
        case ".rs":
            return of_pattern(RUST, text)
        case ".js" | ".css":
            return of_pattern(SCRIPT, text)
        case ".py":
            return of_python(text)
        case ".toml":
            return of_toml(text)
        case ".md":
            return of_markdown(text)
        case ".html":
            return [(1, re.sub(r"<(script|style).*?</\1>", "", text, flags=re.S), False)]
    if path.name == "Makefile":
        return comments([(n, line) for n, line in enumerate(text.split("\n"), 1) if line.startswith("#")])
    return []


def plain(text):
    """The text without code, placeholders, links and markup."""
    text = re.sub(r"`[^`\n]*`|\{[^{}\s]*\}", "CODE", text)
    text = re.sub(r"\]\([^)]*\)|<[^<>\n]*>", " ", text)
    return text


def sentences(text):
    """Sentences with their line within the text. Paragraphs, items, cells and lines of a listing stand alone."""
    parts = re.split(r"(\n\s*\n|\n\s*(?:[-*|#>]|\d+\.)\s|\||\n(?= {2,})|(?<=[.!?:;])\s)", text)
    line = 0
    for part in parts:
        yield line, " ".join(part.split())
        line += part.count("\n")


def findings(path, text):
    for line, prose, comment in of_file(path, text):
        if " " not in prose.strip():
            continue
        prose = plain(prose)
        for offset, sentence in sentences(prose):
            for rule, pattern in RULES.items():
                begins = pattern.pattern.startswith("^")
                if pattern.search(sentence) and (not begins or (comment and offset == 0)):
                    yield line + offset, rule, sentence
            words = re.findall(r"[A-Za-z][\w'-]*|\d[\d.,]*", sentence)
            if len(words) > LONGEST_SENTENCE and not CODE.search(sentence):
                yield line + offset, f"a sentence of {len(words)} words", sentence


def main():
    root = Path(__file__).resolve().parent.parent
    tracked = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout
    allowed = [line.split("  ", 1) for line in EXCEPTIONS.read_text().splitlines() if line and not line.startswith("#")]
    used, count = set(), 0
    for name in tracked.splitlines():
        path = root / name
        if GENERATED.search(name) or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for line, rule, sentence in findings(path, text):
            exception = next((number for number, (file, part) in enumerate(allowed) if file == name and part in sentence), None)
            if exception is not None:
                used.add(exception)
                continue
            count += 1
            print(f"{name}:{line}: {rule}: {sentence[:160]}")
    for number, (file, part) in enumerate(allowed):
        if number not in used:
            count += 1
            print(f"{EXCEPTIONS.name}: no text needs the exception: {file}  {part}")
    if count:
        sys.exit(f"{count} texts break the rules of docs/language.md")


if __name__ == "__main__":
    main()
