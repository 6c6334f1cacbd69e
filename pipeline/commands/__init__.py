"""One command a module: a docstring that is its help, `add_options`, and `main`."""
