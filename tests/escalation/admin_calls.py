"""Every call of MinIO's administration API, as its router has them (cmd/admin-router.go, February 2026).

`{user}` is the caller's own MinIO user, `{key}` the caller's temporary access key.
"""

ADMIN_CALLS = tuple(
    """\
POST /service?action=restart&type=2
POST /service?action=restart
POST /update?updateURL=&type=2
POST /update?updateURL=
GET /info
GET /inspect-data
POST /inspect-data
GET /storageinfo
GET /datausageinfo
GET /metrics
POST /profiling/start?profilerType=cpu
GET /profiling/download
POST /profile
GET /get-config-kv?key=enable
PUT /set-config-kv
DELETE /del-config-kv
GET /help-config-kv?subSys=api&key=enable
GET /list-config-history-kv?count=9
DELETE /clear-config-history-kv?restoreId=all
PUT /restore-config-history-kv?restoreId=all
GET /config
PUT /config
PUT /add-canned-policy?name=consoleAdmin
GET /accountinfo
PUT /add-user?accessKey={user}
PUT /add-service-account
POST /update-service-account?accessKey={user}
GET /info-service-account?accessKey={user}
GET /list-service-accounts
DELETE /delete-service-account?accessKey={user}
GET /temporary-account-info?accessKey={user}
GET /list-access-keys-bulk?listType=all
GET /info-access-key?accessKey={user}
GET /info-canned-policy?name=consoleAdmin
GET /list-canned-policies?bucket=lab
GET /list-canned-policies
GET /idp/builtin/policy-entities
DELETE /remove-canned-policy?name=consoleAdmin
PUT /set-user-or-group-policy?policyName=consoleAdmin&userOrGroup={user}&isGroup=false
POST /idp/builtin/policy/attach
POST /idp/builtin/policy/detach
DELETE /remove-user?accessKey={user}
GET /list-users?bucket=lab
GET /list-users
GET /user-info?accessKey={user}
PUT /update-group-members
GET /group?group=lab
GET /groups
PUT /set-group-status?group=lab&status=disabled
GET /export-iam
PUT /import-iam
PUT /import-iam-v2
PUT /idp-config/openid/_
POST /idp-config/openid/_
GET /idp-config/openid
GET /idp-config/openid/_
DELETE /idp-config/openid/_
PUT /idp/ldap/add-service-account
GET /idp/ldap/list-access-keys?userDN=u&listType=all
GET /idp/ldap/list-access-keys-bulk?listType=all
GET /idp/ldap/policy-entities
POST /idp/ldap/policy/attach
POST /idp/ldap/policy/detach
GET /idp/openid/list-access-keys-bulk?listType=all
GET /get-bucket-quota?bucket=lab
PUT /set-bucket-quota?bucket=lab
GET /list-remote-targets?bucket=lab&type=replication
PUT /set-remote-target?bucket=lab
DELETE /remove-remote-target?bucket=lab&arn=a
POST /replication/diff?bucket=lab
GET /replication/mrf?bucket=lab
POST /start-job
GET /list-jobs
GET /status-job
GET /describe-job
DELETE /cancel-job
GET /export-bucket-metadata
PUT /import-bucket-metadata
PUT /tier
POST /tier/COLD
GET /tier
DELETE /tier/COLD
GET /tier/COLD
GET /tier-stats
PUT /site-replication/add
PUT /site-replication/remove
GET /site-replication/info
GET /site-replication/metainfo
GET /site-replication/status
PUT /site-replication/peer/join
PUT /site-replication/peer/bucket-ops?bucket=lab&operation=delete-bucket
PUT /site-replication/peer/iam-item
PUT /site-replication/peer/bucket-meta
GET /site-replication/peer/idp-settings
PUT /site-replication/edit
PUT /site-replication/peer/edit
PUT /site-replication/peer/remove
PUT /site-replication/resync/op?operation=start
PUT /site-replication/state/edit
POST /speedtest
POST /speedtest/object
POST /speedtest/drive
POST /speedtest/net
POST /speedtest/site
POST /speedtest/client/devnull
POST /speedtest/client/devnull/extratime
POST /site-replication/devnull
POST /site-replication/netperf
GET /trace
GET /log
POST /kms/status
POST /kms/key/create?key-id=k
GET /kms/key/status
GET /obdinfo
GET /healthinfo
POST /revoke-tokens/builtin
PUT /add-user?accessKey=intruder
GET /user-info?accessKey=neighbour
DELETE /remove-user?accessKey=neighbour
PUT /set-user-status?accessKey={user}&status=disabled
PUT /set-user-status?accessKey=neighbour&status=enabled
GET /temporary-account-info?accessKey={key}
GET /info-access-key?accessKey={key}
GET /list-service-accounts?user=neighbour
PUT /add-user?accessKey={key}
DELETE /remove-user?accessKey={key}
POST /revoke-tokens/builtin?user=neighbour&tokenRevokeType=x
""".splitlines()
)

ONLY_WITH_SEVERAL_DRIVES = tuple(
    """\
POST /heal/
POST /heal/lab
POST /heal/lab/secret/
POST /background-heal/status
GET /pools/list
GET /pools/status?pool=0
POST /pools/decommission?pool=0
POST /pools/cancel?pool=0
POST /rebalance/start
GET /rebalance/status
POST /rebalance/stop
GET /top/locks
POST /force-unlock?paths=lab
""".splitlines()
)
"""A server of one drive, as tests start it, has no such calls."""

HARMLESS = {
    "POST /site-replication/devnull": "throws away what it is sent, and asks nobody for rights",
    "GET /accountinfo": "says what the caller reaches, and of each bucket the name, size and number of objects",
    "GET /list-service-accounts": "lists the caller's own, of which there are none",
    "GET /info-access-key?accessKey={key}": "says of the caller's own key what it may do",
    "DELETE /delete-service-account?accessKey={user}": "of that name there is none to delete, and that is well",
}
"""What MinIO answers to everybody, whatever is denied."""

FAILING = {"POST /site-replication/netperf": "asks nobody for rights, and fails where no sites are joined"}
