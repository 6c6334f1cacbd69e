"""The files of a new project, with ``$name`` for what differs from one to the next."""
