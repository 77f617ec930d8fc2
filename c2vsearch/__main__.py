"""``python -m c2vsearch``."""

from c2vsearch.cli.app import main

if __name__ == "__main__":
    main()
