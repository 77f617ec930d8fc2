"""A bot without a language model: the sentence that answers best, with its place, or "I do not know".

c2vsearch index sample_corpora/handbook
python examples/faq_bot.py "how long do I have to submit expenses"

Without a question it reads one a line from standard input.
"""

from __future__ import annotations

import argparse
import sys

from c2vsearch import C2VSearchError, Hit, Retriever
from c2vsearch.terminal import visible

# The least relevance of an answer. Of the handbook's 36 questions, which avoid the words of their answers, 31 have such
# a hit, of 25 on cooking, history and stars one has. Where a wrong answer costs more than none, choose a higher one.
MIN_SCORE = 0.06
UNKNOWN = "I do not know."


def reply(retriever: Retriever, question: str, *, min_score: float = MIN_SCORE) -> str:
    """The best sentence and where it stands, or that there is none good enough."""
    hits = retriever.search(question, k=1, min_score=min_score)
    return said(hits[0]) if hits else UNKNOWN


def said(hit: Hit) -> str:
    """What a hit says to the question, on its own line above its place."""
    start, end = hit.highlight or (0, len(hit.text))
    return visible(f"{hit.text[start:end]}\n({hit.source}, lines {hit.start_line} to {hit.end_line})")


def main() -> None:
    """Answer one question, or each line that comes in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", nargs="*")
    parser.add_argument("--index", default="indexes/handbook")
    parser.add_argument("--min-score", type=float, default=MIN_SCORE, help="from 0 to 1")
    args = parser.parse_args()
    asked = [" ".join(args.question)] if args.question else (line.strip() for line in sys.stdin if line.strip())
    try:
        with Retriever.open(args.index) as retriever:
            for question in asked:
                print(reply(retriever, question, min_score=args.min_score))
    except C2VSearchError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
