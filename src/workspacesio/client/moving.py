"""The second half of a move: what was copied goes from where it was."""

from __future__ import annotations

import os

from workspacesio.client import operating_system
from workspacesio.client.errors import CommandError, NotAllowed
from workspacesio.client.places import Place
from workspacesio.client.uploads import identity_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workspacesio.client.copy_plan import Copy

CHANGED = "it was changed since it was copied, and stays where it was; move it again."
STAYS = "it is copied, but stays where it was"


def remove_source(step: Copy) -> None:
    """Of one that was copied, if it is still what was copied. Raises CommandError."""
    try:
        if isinstance(step.source, Place):
            if isinstance(step.target, str):  # the only copy there will be
                operating_system.settle(step.target)
            if step.source.details().etag != step.copied:
                raise CommandError(CHANGED)
            _remove(step.source)
            return
        if identity_of(os.stat(step.source)) != step.copied:
            raise CommandError(CHANGED)
        os.unlink(step.source)
    except OSError as error:
        raise CommandError(f"{STAYS}: {error.strerror}.") from error


def _remove(source: Place) -> None:
    try:
        source.remove()
    except NotAllowed as error:
        raise NotAllowed(f"{STAYS}: {error}") from error
    except CommandError as error:
        raise CommandError(f"{STAYS}: {error}") from error
