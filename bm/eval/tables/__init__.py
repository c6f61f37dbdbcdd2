"""Tables of a grid: rows, references, statistics, figures, pages."""
