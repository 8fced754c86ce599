"""What a driver raises, whatever its kind. `s3/error_answers.py` says how the endpoint answers each."""


class NodeError(Exception):
    """Root of what a driver raises. The text is one sentence and names no path of the server."""


class NodeDown(NodeError):
    """The node's storage is missing, another than before, or does not answer."""


class AddressNotAllowed(NodeDown):
    """The node's address is none that this server may connect to."""


class NodeReadOnly(NodeError):
    """The node takes no writes."""


class NodeFull(NodeError):
    """The filesystem or a quota of it is full. Nothing was changed."""


class NodeRefused(NodeError):
    """The operating system did not permit it (owner, mode, ACL). Nothing was changed."""


class NoSuchBucket(NodeError): ...


class BucketExists(NodeError): ...


class BucketNotEmpty(NodeError): ...


class NoSuchObject(NodeError): ...


class NoSuchUpload(NodeError): ...


class UploadBusy(NodeError):
    """Another request has been completing or aborting this upload for long. Nothing was changed."""


class KeyNotPossible(NodeError):
    """The node can't hold this key: the text says why. Reasons that S3 tells apart have a class below."""


class KeyTooLong(KeyNotPossible):
    """The key, or a name in it, has more bytes than S3 or the filesystem takes."""


class FileInTheWay(KeyNotPossible):
    """There is a file where a folder of the key must be."""


class FolderInTheWay(KeyNotPossible):
    """There is a folder where the file must go."""


class FolderTakesNoContent(KeyNotPossible):
    """Bytes for a key that ends with '/', which is a folder."""


class PreconditionFailed(NodeError):
    """The object is not what If-Match or If-None-Match said."""


class InvalidPart(NodeError):
    """A part that completion names is absent or has another ETag or checksum."""


class InvalidPartOrder(NodeError): ...


class PartTooSmall(NodeError):
    """A part other than the last has under 5 MiB."""


class RangeNotSatisfiable(NodeError):
    def __init__(self, size: int) -> None:
        super().__init__("The object has no bytes in that range.")
        self.size = size


class ObjectChanged(NodeError):
    """The object was changed in place while it was being read."""
