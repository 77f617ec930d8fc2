"""From a question to a prompt with cited passages, for the language model of your choice.

c2vsearch index sample_corpora/handbook
python examples/rag_prompt.py "how do I claim travel costs?"
"""

from __future__ import annotations

import sys

from c2vsearch import C2VSearchError, Retriever


def main() -> None:
    """Print the prompt."""
    question = " ".join(sys.argv[1:]) or "how do I claim travel costs?"
    try:
        with Retriever.open("indexes/handbook") as retriever:
            context = retriever.context(question, max_tokens=1200)
    except C2VSearchError as error:
        sys.exit(str(error))
    print("\n\n".join(message["content"] for message in context.messages(question)))


if __name__ == "__main__":
    main()
