"""The catalogue of S3 errors: every code that the endpoint answers, its HTTP status and its usual message.

Codes, statuses and messages are those of "Error responses" in the Amazon S3 API reference. The few that
Amazon doesn't have stand at the end, spelled as other S3 servers spell them. A code is written once,
here; whoever refuses a request raises `S3Error` and one place renders it.
"""

from enum import Enum, unique


@unique
class ErrorCode(Enum):
    """One S3 error. The member's name is the code as it goes on the wire.

    `status` is the HTTP status, `message` the sentence used where the raiser gives none. Messages are
    unique: equal values would make two codes one member.
    """

    AccessControlListNotSupported = 400, "The bucket does not allow ACLs."
    AccessDenied = 403, "Access Denied."
    AccessForbidden = 403, "CORSResponse: This CORS request is not allowed."
    AuthorizationHeaderMalformed = 400, "The authorization header you provided is invalid."
    AuthorizationQueryParametersError = 400, "The authorization query parameters you provided are invalid."
    BadDigest = 400, "The Content-MD5 or checksum value that you specified did not match what the server received."
    BadRequest = 400, "The request is not valid."
    BucketAlreadyExists = 409, "The requested bucket name is not available. Select a different name and try again."
    BucketAlreadyOwnedByYou = 409, "The bucket that you tried to create already exists, and you own it."
    BucketNotEmpty = 409, "The bucket that you tried to delete is not empty."
    ConditionalRequestConflict = (
        409,
        "A conflicting operation occurred during this conditional request. Try again.",
    )
    CredentialsNotSupported = 400, "This request does not support credentials."
    EntityTooLarge = 400, "Your proposed upload exceeds the maximum allowed object size."
    EntityTooSmall = 400, "Your proposed upload is smaller than the minimum allowed object size."
    ExpiredToken = 400, "The provided token has expired."
    IllegalLocationConstraintException = 400, "The specified location constraint does not fit this endpoint."
    IllegalVersioningConfigurationException = (
        400,
        "The versioning configuration specified in the request is invalid.",
    )
    IncompleteBody = 400, "You did not provide the number of bytes specified by the Content-Length HTTP header."
    InternalError = 500, "An internal error occurred. Try again."
    InvalidAccessKeyId = 403, "The access key ID that you provided does not exist in our records."
    InvalidArgument = 400, "Invalid Argument."
    InvalidBucketName = 400, "The specified bucket is not valid."
    InvalidBucketState = 409, "The request is not valid for the current state of the bucket."
    InvalidChunkSizeError = 400, "The size of a chunk of the aws-chunked body is not valid."
    InvalidDigest = 400, "The Content-MD5 or checksum value that you specified is not valid."
    InvalidEncryptionAlgorithmError = 400, "The encryption request that you specified is not valid."
    InvalidLocationConstraint = 400, "The specified location constraint is not valid."
    InvalidObjectState = 403, "The operation is not valid for the current state of the object."
    InvalidPart = 400, "A specified part could not be found, or its entity tag did not match."
    InvalidPartNumber = 416, "The requested part number is not satisfiable."
    InvalidPartOrder = 400, "The list of parts was not in ascending order."
    InvalidPolicyDocument = 400, "The content of the form does not meet the conditions specified in the policy."
    InvalidRange = 416, "The requested range cannot be satisfied."
    InvalidRequest = 400, "The request is not valid for this operation."
    InvalidSecurity = 403, "The provided security credentials are not valid."
    InvalidStorageClass = 400, "The storage class that you specified is not valid."
    InvalidTag = 400, "The tag provided was not a valid tag."
    InvalidToken = 400, "The provided token is malformed or otherwise not valid."
    InvalidURI = 400, "The specified URI couldn't be parsed."
    InvalidWriteOffset = 400, "The write offset value does not match the current object size."
    KeyTooLongError = 400, "Your key is too long."
    MalformedACLError = 400, "The ACL that you provided was not well formed."
    MalformedPOSTRequest = 400, "The body of your POST request is not well-formed multipart/form-data."
    MalformedTrailerError = 400, "The request contained trailing data that was not well-formed."
    MalformedXML = (
        400,
        "The XML that you provided was not well-formed or did not validate against our published schema.",
    )
    MaxMessageLengthExceeded = 400, "Your request was too large."
    MetadataTooLarge = 400, "Your metadata headers exceed the maximum allowed metadata size."
    MethodNotAllowed = 405, "The specified method is not allowed against this resource."
    MissingContentLength = 411, "You must provide the Content-Length HTTP header."
    MissingRequestBodyError = 400, "Request body is empty."
    MissingSecurityHeader = 400, "Your request is missing a required header."
    NoSuchBucket = 404, "The specified bucket does not exist."
    NoSuchBucketPolicy = 404, "The bucket policy does not exist."
    NoSuchCORSConfiguration = 404, "The CORS configuration does not exist."
    NoSuchKey = 404, "The specified key does not exist."
    NoSuchLifecycleConfiguration = 404, "The lifecycle configuration does not exist."
    NoSuchObjectLockConfiguration = 404, "The specified object does not have an Object Lock configuration."
    NoSuchPublicAccessBlockConfiguration = 404, "The public access block configuration was not found."
    NoSuchTagSet = 404, "The TagSet does not exist."
    NoSuchUpload = 404, "The specified multipart upload does not exist, or was aborted or completed."
    NoSuchVersion = 404, "The version ID specified in the request does not match an existing version."
    NoSuchWebsiteConfiguration = 404, "The specified bucket does not have a website configuration."
    NotImplemented = 501, "A header or query that you provided implies functionality that is not implemented."
    NotModified = 304, "Not Modified."
    ObjectLockConfigurationNotFoundError = 404, "The Object Lock configuration does not exist for this bucket."
    OperationAborted = 409, "A conflicting conditional operation is in progress against this resource. Try again."
    OwnershipControlsNotFoundError = 404, "The bucket ownership controls were not found."
    PermanentRedirect = 301, "The bucket must be addressed using the specified endpoint."
    PreconditionFailed = 412, "At least one of the preconditions that you specified did not hold."
    ReplicationConfigurationNotFoundError = 404, "The replication configuration was not found."
    RequestHeaderSectionTooLarge = 400, "The request header section exceeds the maximum allowed size."
    RequestTimeTooSkewed = 403, "The difference between the request time and the server's time is too large."
    RequestTimeout = (
        400,
        "Your socket connection to the server was not read from or written to within the timeout.",
    )
    ServerSideEncryptionConfigurationNotFoundError = 404, "The server-side encryption configuration was not found."
    ServiceUnavailable = 503, "Service is unable to handle request."
    SignatureDoesNotMatch = 403, "The calculated signature does not match. Check your key and signing method."
    SlowDown = 503, "Please reduce your request rate."
    TemporaryRedirect = 307, "You are being redirected to the bucket."
    TokenRefreshRequired = 400, "The provided token must be refreshed."
    TooManyBuckets = 400, "You have attempted to create more buckets than are allowed."
    TooManyParts = 400, "You have attempted to add more parts than the maximum of 10,000 that are allowed."
    UnexpectedContent = 400, "This request contains unsupported content."
    XAmzContentSHA256Mismatch = 400, "The provided 'x-amz-content-sha256' header does not match what was computed."

    # Not Amazon's: quotas as Ceph and versitygw answer them, a full disk, and where only files get in the way.
    DirectoryObjectContainsData = 400, "A key that ends with a slash is a folder and can't have content."
    ExistingObjectIsDirectory = 409, "A folder already has the name of this key."
    InsufficientStorage = 507, "There is no space left on the storage."
    ObjectParentIsFile = 409, "Part of this key's path is already a file, so it cannot hold other keys."
    QuotaExceeded = 403, "The quota that applies here would be exceeded."

    # Ours. For AccessDenied mc puts words of its own in the place of the message, for 405 wrong ones.
    StorageReadOnly = 403, "This node takes no writes."

    def __init__(self, status: int, message: str) -> None:
        """`status`: the HTTP status; `message`: one sentence that names no object and no user."""
        self.status = status
        self.message = message


FOREIGN = (
    ErrorCode.DirectoryObjectContainsData,
    ErrorCode.ExistingObjectIsDirectory,
    ErrorCode.InsufficientStorage,
    ErrorCode.ObjectParentIsFile,
    ErrorCode.QuotaExceeded,
    ErrorCode.StorageReadOnly,
)
"""The codes that Amazon doesn't have."""


class S3Error(Exception):
    """A request is refused, or fails, with an S3 error.

    `fields` are further elements of the error document, by their element name (`Key`, `BucketName`,
    `Resource`, `StringToSign`, …). They reach the client and may reach a log: a secret key, a signing key
    or a session token must never be among them, and neither may anything that the caller isn't allowed to
    see.
    """

    def __init__(self, code: ErrorCode, message: str | None = None, /, **fields: str | int) -> None:
        self.code = code
        self.message = code.message if message is None else message
        self.fields = {name: str(value) for name, value in fields.items()}
        super().__init__(f"{code.name}: {self.message}")

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.code.status
