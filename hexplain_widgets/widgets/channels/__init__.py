"""The views of which channels matter for which class: bars, matrix and Venn diagram."""
