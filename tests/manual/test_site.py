"""The manual as a site: built without a warning, its links lead somewhere, and it fetches nothing."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.job_process import PROJECT

HAS_MATERIAL = importlib.util.find_spec("material") is not None


@pytest.mark.slow
@pytest.mark.skipif(not HAS_MATERIAL, reason="mkdocs-material is not installed; docs/requirements.txt has it")
def test_the_site_is_built_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}

    built = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)

    assert built.returncode == 0, built.stderr
    pages = {page.relative_to(tmp_path).as_posix(): page.read_text() for page in tmp_path.rglob("*.html")}
    assert 'id="maskline.transforms.MaskPii"' in pages["api/transforms.html"]
    assert 'id="maskline.masks.deterministic.Masker.mask"' in pages["api/core.html"]
    assert "exactly once" in (tmp_path / "search" / "search_index.json").read_text()
    fetched = re.compile(r"""<(?:script|img|link|iframe|source)\b[^>]*(?:src|href|srcset)=["']?(https?:[^"'\s>]+)""")
    assert {name: found for name, page in pages.items() if (found := fetched.findall(page))} == {}
