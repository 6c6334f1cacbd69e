"""The commands of the benchmarks, one a module."""
