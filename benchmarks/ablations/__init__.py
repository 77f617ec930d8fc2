"""Parts of the ablation study: backbone, variants, one run, the table."""
