"""What a keyset's store says where somebody else came first, in the same words wherever keysets are kept."""

from __future__ import annotations

ALREADY_EXISTS = "exists already and is not overwritten; without it nothing it masked could be recovered"
"""To be read after the keyset's URI: a keyset was to be created where there is one."""

CHANGED_MEANWHILE = "somebody else changed it meanwhile; look at it and try again"
"""To be read after the keyset's URI: a keyset was to be replaced that is not the one which was read."""
