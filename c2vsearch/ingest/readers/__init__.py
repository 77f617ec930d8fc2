"""One reader for each family of formats: bytes to documents. Libraries do the parsing, imported where they are used."""
