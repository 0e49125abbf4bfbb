"""Editions of the course in other languages: catalogues, the rules that keep them in step, and what is made of both.

The English notebooks and pages are the one place of code, outputs and facts. A catalogue has what readers of another
language read in their place.
"""
