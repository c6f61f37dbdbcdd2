"""Commands: each `python -m scripts.NAME key=value ...`, thin over the package."""
