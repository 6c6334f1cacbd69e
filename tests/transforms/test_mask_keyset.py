"""Where the mask gets its keyset from, when it is read, and what happens where it cannot be."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.pvalue import AsIter, AsSingleton
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to

from maskline.errors import KeysetError, UsageError
from maskline.keys import KeysetUri, StoredKeyset, create_keyset, open_keyset
from maskline.keys.files import FileKeyset
from maskline.keys.keyset_editor import KeysetEditor
from maskline.keys.keyset_store import change_keyset
from maskline.masks.deterministic import Masker
from maskline.records import MaskedRow
from maskline.streams.definition import StreamDefinition
from maskline.transforms import MaskPii, ReadKeyset
from maskline.transforms.mask import _MaskBySideInput, _MaskByUri
from maskline.transforms.run_context import RunContext
from tests.awaiting import await_until
from tests.maskline.keysets import aes_siv_key, stored
from tests.maskline.logins import login, message

KEYSET = stored(aes_siv_key(7), primary=7)
KEYSET_FORMS = pytest.mark.parametrize(
    "keyset_from",
    [
        pytest.param(lambda _, uri: uri, id="by URI"),
        pytest.param(lambda pipeline, uri: AsSingleton(pipeline | ReadKeyset(uri)), id="as a side input"),
    ],
)
"""What `MaskPii` takes for the keyset that a URI names."""


@KEYSET_FORMS
def test_it_masks_with_a_keyset_that_is_read_when_the_job_runs(
    user_logins: StreamDefinition, stored_keyset: StoredKeyset, tmp_path: Path, keyset_from: Any
) -> None:
    token = Masker(open_keyset(stored_keyset)).mask("199.172.111.135", "user_logins.masked_ip")
    later = FileKeyset(tmp_path / "later.json")
    pipeline = BeamPipeline(runner="FnApiRunner")
    masked, _ = (
        pipeline | beam.Create([message(login())]) | MaskPii(user_logins, keyset=keyset_from(pipeline, later.uri))
    )
    assert_that(masked | beam.Map(lambda row: row.values[2]), equal_to([token]))

    later.create(stored_keyset.content)

    pipeline.run().wait_until_finish()


def test_a_worker_that_masked_already_can_still_not_send_its_key_on(
    user_logins: StreamDefinition, keyset_uri: str
) -> None:
    by_side_input, by_uri = (
        _MaskBySideInput(user_logins, RunContext()),
        _MaskByUri(user_logins, KeysetUri.parse(keyset_uri), RunContext()),
    )
    by_side_input.start_bundle()
    list(by_side_input.process(message(login()), KEYSET))
    by_uri.setup()

    for mask in (by_side_input, by_uri):
        with pytest.raises(TypeError, match="an opened keyset stays in this process"):
            pickle.dumps(mask)


def test_copies_in_one_process_share_one_keyset_that_was_opened_once(
    user_logins: StreamDefinition, stored_keyset: StoredKeyset, tmp_path: Path
) -> None:
    path = tmp_path / "keyset.json"
    provider = FileKeyset(path)
    provider.create(stored_keyset.content)
    original = _MaskByUri(user_logins, KeysetUri.parse(provider.uri), RunContext())
    first, second = (pickle.loads(pickle.dumps(original)) for _ in range(2))
    first.setup()

    path.unlink()
    second.setup()

    assert _key_id(first) == _key_id(second) == open_keyset(stored_keyset).primary_key_id


def test_a_keyset_that_could_not_be_read_is_read_again_by_the_next_copy(
    user_logins: StreamDefinition, stored_keyset: StoredKeyset, tmp_path: Path
) -> None:
    provider = FileKeyset(tmp_path / "keyset.json")
    mask = _MaskByUri(user_logins, KeysetUri.parse(provider.uri), RunContext())
    with pytest.raises(KeysetError):
        mask.setup()

    provider.create(stored_keyset.content)
    mask.setup()

    assert _key_id(mask) == open_keyset(stored_keyset).primary_key_id


def test_each_job_of_a_process_reads_its_keyset_anew(user_logins: StreamDefinition, tmp_path: Path) -> None:
    provider = FileKeyset(tmp_path / "keyset.json")
    before, after = create_keyset(), create_keyset()
    provider.create(before)
    earlier = _MaskByUri(user_logins, KeysetUri.parse(provider.uri), RunContext())
    earlier.setup()
    provider.replace(before, after)
    later = _MaskByUri(user_logins, KeysetUri.parse(provider.uri), RunContext())
    later.setup()

    key_ids = [_key_id(earlier), _key_id(later)]

    assert key_ids == [open_keyset(StoredKeyset(content, "test")).primary_key_id for content in (before, after)]


def test_a_keyset_is_opened_once_and_again_only_when_it_is_another(user_logins: StreamDefinition) -> None:
    mask = _MaskBySideInput(user_logins, RunContext())
    mask.start_bundle()
    other = StoredKeyset(create_keyset(), "test:other")

    key_ids = [_key_id(mask, keyset) for keyset in (KEYSET, StoredKeyset(KEYSET.content, KEYSET.origin), other, KEYSET)]

    assert key_ids == [7, 7, open_keyset(other).primary_key_id, 7]


@KEYSET_FORMS
def test_a_keyset_that_does_not_open_stops_the_job_and_is_told_to_its_starter(
    user_logins: StreamDefinition, tmp_path: Path, keyset_from: Any
) -> None:
    broken = FileKeyset(tmp_path / "broken.json")
    broken.create(b"{}")
    context = RunContext()
    pipeline = BeamPipeline(runner="FnApiRunner")
    keyset = keyset_from(pipeline, broken.uri)
    _ = pipeline | beam.Create([message(login())]) | MaskPii(user_logins, keyset, context)

    with pytest.raises(Exception, match=r"broken\.json: is not a Tink keyset") as failure:
        pipeline.run().wait_until_finish()

    assert isinstance(context.failure, KeysetError)
    assert "199.172.111.135" not in str(failure.value)


@pytest.mark.parametrize("as_given", [lambda keyset: keyset, AsIter, lambda _: KEYSET, lambda _: None])
def test_a_keyset_that_is_neither_a_uri_nor_a_side_input_of_one_element_is_refused(
    user_logins: StreamDefinition, as_given: Any
) -> None:
    keyset = BeamPipeline(runner="FnApiRunner") | beam.Create([KEYSET])

    with pytest.raises(UsageError, match=r"by URI, .*keyset=beam\.pvalue\.AsSingleton\(pcollection\)"):
        MaskPii(user_logins, keyset=as_given(keyset))


def test_a_uri_of_no_provider_is_refused_before_the_job_runs(user_logins: StreamDefinition) -> None:
    with pytest.raises(UsageError, match="give a URI that begins with one of"):
        MaskPii(user_logins, keyset="keyset.json")


def _key_id(mask: _MaskBySideInput | _MaskByUri, *keyset: StoredKeyset) -> int:
    mask.start_bundle()
    (row,) = mask.process(message(login()), *keyset)
    assert isinstance(row, MaskedRow)
    return row.key_id


def test_a_job_masks_under_the_promoted_key_without_a_restart(
    user_logins: StreamDefinition, stored_keyset: StoredKeyset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.keys.followed_keyset.FollowedKeyset.__init__.__defaults__", (0.01,))
    file = FileKeyset(tmp_path / "keyset.json")
    file.create(stored_keyset.content)
    mask = _MaskByUri(user_logins, KeysetUri.parse(file.uri), RunContext())
    mask.setup()
    mask.start_bundle()
    (before,) = mask.process(message(login()))

    new, _ = change_keyset(file, KeysetEditor.add)
    change_keyset(file, lambda editor: editor.promote(new))
    await_until(lambda: [row.key_id for row in mask.process(message(login()))] == [new], "it masks under the new key")

    assert before.key_id == open_keyset(stored_keyset).primary_key_id
