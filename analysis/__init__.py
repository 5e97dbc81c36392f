"""From stored runs to scores, statistics, tables, figures and a page."""
