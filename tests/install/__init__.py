"""maskline as others install it: in virtual environments of their own."""
