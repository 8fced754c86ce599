"""Why a crawl left something as it was known: it goes on being found, for what can't be read may be there."""

KEPT = "it could not be read; what was known of it was kept"
WORKSPACE_KEPT = "the folder of its workspace can't be read; what was known of it was kept"
NOT_MOUNTED = "it is empty, and the filesystem that lay there may not be mounted; what was known of it was kept"
ROOT_MISSING = "the folder of its root is missing or empty, as if not mounted; what was known of it was kept"

ALL_KEPT = frozenset({KEPT, WORKSPACE_KEPT, NOT_MOUNTED})
