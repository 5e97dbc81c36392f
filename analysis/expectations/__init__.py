"""What was expected of studies before they ran: the article's claims and papers' results, evaluated.

In: `claims.yaml`, `papers.yaml`, the files of published numbers, and stored runs. Out: a verdict on
every expectation with its interval, tables of them, and published numbers to put beside an arm. Imports
`tables`, `effects` and `statistics`; `analysis.report` writes the pages that show the tables.
"""
