"""The command line: one file a verb. Parse, one call of the library, render. Nothing heavy is imported at the top."""
