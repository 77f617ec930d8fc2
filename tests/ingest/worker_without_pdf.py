"""The reading process where no library for PDF is installed."""

import sys

from c2vsearch.ingest.worker import main

if __name__ == "__main__":
    sys.modules["pypdfium2"] = sys.modules["pypdf"] = None  # type: ignore[assignment]
    main()
