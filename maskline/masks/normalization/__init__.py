"""What equal means: each rule gives the values that people call equal one normal form, which is then masked.

A rule is a file here. It has a version, which changes whenever a value's normal form does, because tokens of the old
form and of the new one no longer match. *Guarantees*: a normal form is its own normal form, and has no white space
around it. A value that is not of the rule's kind has none; so it never has the token of a value that is.
"""

from maskline.masks.normalization.rule import NormalForm, Normalization

__all__ = ["NormalForm", "Normalization"]
