"""WorkspacesIO: share large research data where it lies."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workspacesio.client.client import Client as Client
    from workspacesio.client.filesystem import FileSystem as FileSystem

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """These are loaded when they are asked for: every command and part of the service begins with this package."""
    if name == "Client":
        from workspacesio.client.client import Client

        return Client
    if name == "FileSystem":
        from workspacesio.client.filesystem import FileSystem

        return FileSystem
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
