"""Questions to your documents, answered by any OpenAI-compatible server, cited and checked. Standard library alone.

c2vsearch index sample_corpora/handbook
python examples/rag_loop.py --url http://localhost:11434/v1 --model llama3.2 "how do I claim travel costs?"

Without a question it reads one a line from standard input. A key, where the server wants one, is taken from the
environment variable OPENAI_API_KEY.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.request
from collections.abc import Iterable

from c2vsearch import C2VSearchError, Retriever

TIMEOUT_S = 120


class NoAnswer(Exception):
    """The server cannot be reached, refuses, or says what is no answer."""


def chat(messages: list[dict[str, str]], *, url: str, model: str) -> str:
    """What the model of a server answers to some messages."""
    body = json.dumps({"model": model, "messages": messages, "temperature": 0}).encode()
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("OPENAI_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/chat/completions", body, headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return str(json.load(response)["choices"][0]["message"]["content"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise NoAnswer(
            f"{url} gave no answer ({error}); expected an OpenAI-compatible chat server: see --url and --model"
        ) from error


def answered(retriever: Retriever, question: str, *, url: str, model: str) -> str:
    """The answer with its sources, each sentence held against them."""
    context = retriever.context(question, max_tokens=1500)
    if not context.passages:
        return "Nothing was found."
    verification = retriever.verify(chat(context.messages(question), url=url, model=model), context)
    lines = []
    for sentence in verification:
        markers = "".join(f"[{number}]" for number in sentence.cited)
        lines.append(f"{'  ' if sentence.supported else '? '}{sentence.text} {markers}".rstrip())
    lines += ["", *(f"[{cited.number}] {cited}" for cited in context.citations)]
    if verification.unsupported:
        lines += ["", "? : the passages do not seem to say this"]
    return "\n".join(lines)


def questions(given: list[str]) -> Iterable[str]:
    """The question of the command line, or each line of standard input."""
    return [" ".join(given)] if given else (line.strip() for line in sys.stdin if line.strip())


def main() -> None:
    """Answer one question, or each line that comes in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", nargs="*")
    parser.add_argument("--index", default="indexes/handbook")
    parser.add_argument("--url", default="http://localhost:11434/v1", help="where /chat/completions is")
    parser.add_argument("--model", default="llama3.2")
    args = parser.parse_args()
    try:
        with Retriever.open(args.index) as retriever:
            for question in questions(args.question):
                print(answered(retriever, question, url=args.url, model=args.model))
    except (C2VSearchError, NoAnswer) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
