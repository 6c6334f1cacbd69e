"""The data lake: two Delta tables that follow a stream's table, one of tokens and one in clear."""
