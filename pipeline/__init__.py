"""The job and its commands; imported as ``maskline.pipeline``, and run from a checkout by ``python -m pipeline``."""

import sys

if __name__ != "maskline.pipeline":

    class _OneName:
        """Refuses all but ``python -m pipeline`` under another name: it would be a second copy of a module."""

        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name.startswith(f"{__name__}.") and name != f"{__name__}.__main__":
                raise ImportError(f"import maskline.{name}, not {name}")

    sys.meta_path.insert(0, _OneName)
