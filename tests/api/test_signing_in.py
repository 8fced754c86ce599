"""Accounts: the setup token, registering, signing in and out, passwords, and the limits in rate."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from api.plane import PASSWORD, Plane
from workspacesio.database.tables import ApiKey, Credential, OneTimeToken, SignIn, User
from workspacesio.services import sign_in_limits
from workspacesio.services.one_time_tokens import ensure_setup_token
from workspacesio.services.sign_in_limits import PER_ADDRESS


def _registration(username: str, **fields: Any) -> dict[str, Any]:
    return {"email": f"{username}@example.org", "username": username, "password": PASSWORD, **fields}


def _setup_token(plane: Plane) -> str | None:
    with plane.database.write() as session:
        return ensure_setup_token(session, now=plane.clock())


def test_the_first_administrator_is_who_holds_the_setup_token(bare_plane: Plane) -> None:
    plane = bare_plane
    assert plane.do(None, "GET", "/service")["has_administrator"] is False
    plane.refused(403, "setup_token_needed", None, "POST", "/register", _registration("ada"))
    first = _setup_token(plane)
    token = _setup_token(plane)
    # Shown again is made again: the first doesn't work any more.
    plane.refused(403, "bad_token", None, "POST", "/register", _registration("ada", setup_token=first))
    answer = plane.do(None, "POST", "/register", _registration("ada", setup_token=token))
    assert answer["user"]["administrator"] is True
    assert answer["token"].startswith("wios_")
    assert plane.do(answer["token"], "GET", "/me")["username"] == "ada"
    assert plane.do(None, "GET", "/service")["has_administrator"] is True
    plane.refused(403, "bad_token", None, "POST", "/register", _registration("bob", setup_token=token))
    assert _setup_token(plane) is None
    assert plane.do(None, "POST", "/register", _registration("bob"))["user"]["administrator"] is False


def test_a_disabled_administrator_still_counts_as_set_up(bare_plane: Plane) -> None:
    bare_plane.user("root", administrator=True)
    with bare_plane.database.write() as session:
        session.scalars(select(User)).one().enabled = False
    assert _setup_token(bare_plane) is None


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"password": "too short"}, "invalid_password"),
        ({"password": "x" * 1025}, "invalid_password"),
        ({"email": "no address"}, "invalid_email"),
        ({"username": "Ada"}, "invalid_username"),
        ({"username": "everyone"}, "invalid_username"),
        ({"username": "../x"}, "invalid_username"),
        ({"username": "a\u0000b"}, "invalid_request"),
    ],
)
def test_bad_registrations(plane: Plane, changed: dict[str, str], code: str) -> None:
    error = plane.refused(422, code, None, "POST", "/register", _registration("dan") | changed)
    assert "too short" not in str(error)


def test_an_account_is_made_once(plane: Plane) -> None:
    plane.do(None, "POST", "/register", _registration("dan"))
    plane.refused(409, "taken", None, "POST", "/register", _registration("dan"))
    plane.refused(409, "taken", None, "POST", "/register", _registration("dan2") | {"email": "DAN@example.ORG"})


def test_registration_by_invitation_and_closed(plane: Plane) -> None:
    plane.do("root", "PATCH", "/service", {"registration": "invitation"})
    assert plane.verbs()[-1] == "service.set_registration"
    plane.refused(403, "invitation_needed", None, "POST", "/register", _registration("dan"))
    (invitation,) = plane.do("root", "POST", "/users/invitations", {"emails": ["Dan@example.org"]})
    assert invitation["command"] == (
        f"wio register http://files.example.org:8100 dan@example.org USERNAME --invitation {invitation['token']}"
    )
    token = invitation["token"]
    plane.refused(403, "bad_token", None, "POST", "/register", _registration("eve", invitation=token))
    plane.do("root", "PATCH", "/service", {"registration": "closed"})
    plane.refused(403, "registration_closed", None, "POST", "/register", _registration("dan", invitation=token))
    plane.do("root", "PATCH", "/service", {"registration": "invitation"})
    plane.do(None, "POST", "/register", _registration("dan", invitation=token))
    plane.refused(403, "bad_token", None, "POST", "/register", _registration("dan3", invitation=token))
    plane.refused(409, "taken", "root", "POST", "/users/invitations", {"emails": ["dan@example.org"]})


def test_invitations_end(plane: Plane) -> None:
    (first,) = plane.do("root", "POST", "/users/invitations", {"emails": ["dan@example.org"]})
    (second,) = plane.do("root", "POST", "/users/invitations", {"emails": ["dan@example.org"]})
    plane.refused(403, "bad_token", None, "POST", "/register", _registration("dan", invitation=first["token"]))
    plane.clock.advance(days=14)
    plane.refused(403, "bad_token", None, "POST", "/register", _registration("dan", invitation=second["token"]))


def test_signing_in_and_out(plane: Plane) -> None:
    answer = plane.do(None, "POST", "/sign-in", {"email": " Ada@Example.org", "password": PASSWORD})
    assert answer["expires_at"] == "2026-12-22T10:00:00Z"
    token = answer["token"]
    assert plane.do(token, "GET", "/me")["username"] == "ada"
    plane.do(token, "DELETE", "/sign-in")
    plane.refused(401, "not_signed_in", token, "GET", "/me")
    assert plane.do("ada", "GET", "/me")["username"] == "ada"


def test_a_username_signs_in_too_and_counts_as_the_same_account(plane: Plane) -> None:
    assert plane.do(None, "POST", "/sign-in", {"email": "ada", "password": PASSWORD})["user"]["username"] == "ada"
    for number in range(10):
        account = "ada" if number % 2 else "ada@example.org"
        plane.refused(401, "wrong_password", None, "POST", "/sign-in", {"email": account, "password": "wrong"})
    for account in ("ada", "ada@example.org"):
        assert plane.call(None, "POST", "/sign-in", {"email": account, "password": PASSWORD}).status_code == 429


def test_a_session_ends_after_thirty_days(plane: Plane) -> None:
    plane.clock.advance(days=29, hours=23)
    plane.do("ada", "GET", "/me")
    plane.clock.advance(hours=1)
    plane.refused(401, "not_signed_in", "ada", "GET", "/me")


@pytest.mark.parametrize("token", ["", "x", "wios_", "wiok_" + "a" * 43, "wios_" + "a" * 5000, "wiot_abc"])
def test_unknown_tokens(plane: Plane, token: str) -> None:
    response = plane.call(token, "GET", "/me")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


def test_no_secret_is_stored_as_it_is(plane: Plane) -> None:
    answer = plane.do("ada", "POST", "/api-keys", {"name": "k"})
    with plane.database.read() as session:
        hashes = [*session.scalars(select(SignIn.token_hash)), *session.scalars(select(ApiKey.token_hash))]
        stored = session.scalars(select(User.password_hash)).all()
    for token in (plane.tokens["ada"], answer["token"]):
        assert token.encode() not in hashes
    assert all(one is not None and one.startswith("$argon2id$") for one in stored)


def test_wrong_passwords_say_the_same_for_unknown_accounts(plane: Plane) -> None:
    known = plane.refused(
        401, "wrong_password", None, "POST", "/sign-in", {"email": "ada@example.org", "password": "wrong"}
    )
    unknown = plane.refused(
        401, "wrong_password", None, "POST", "/sign-in", {"email": "zoe@example.org", "password": "wrong"}
    )
    not_an_address = plane.refused(
        401, "wrong_password", None, "POST", "/sign-in", {"email": "zoe", "password": "wrong"}
    )
    assert known == unknown == not_an_address


@pytest.mark.parametrize("account", ["ada@example.org", "zoe@example.org"])
def test_guessing_is_limited_by_account_and_address(plane: Plane, account: str) -> None:
    guess = {"email": account, "password": "wrong"}
    for _ in range(10):
        plane.refused(401, "wrong_password", None, "POST", "/sign-in", guess)
    right = {"email": account, "password": PASSWORD}
    response = plane.call(None, "POST", "/sign-in", right)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "900"
    assert "try again in 15 minutes" in response.json()["error"]["message"]
    # From elsewhere the account's owner still gets in; and after a while from here too.
    plane.address = "198.51.100.9"
    assert plane.call(None, "POST", "/sign-in", right).status_code == (200 if account.startswith("ada") else 401)
    plane.address = "192.0.2.7"
    plane.clock.advance(minutes=15)
    assert plane.call(None, "POST", "/sign-in", right).status_code == (200 if account.startswith("ada") else 401)


def test_right_passwords_are_not_limited(plane: Plane) -> None:
    for _ in range(12):
        plane.do(None, "POST", "/sign-in", {"email": "ada@example.org", "password": PASSWORD})


def test_registering_is_limited_by_address(plane: Plane) -> None:
    """Whether it succeeds or not: it makes accounts, tells whose there are, and costs a slow hash."""
    for number in range(PER_ADDRESS - 1):
        plane.refused(409, "taken", None, "POST", "/register", _registration("ada", email=f"{number}@b.org"))
    plane.do(None, "POST", "/register", _registration("newcomer"))
    error = plane.refused(429, "too_many_attempts", None, "POST", "/register", _registration("another"))
    assert error["message"] == "Too many registrations from your address; try again in 15 minutes."
    assert error["details"] == {"retry_after_seconds": 900}
    # Signing in has a limit of its own, as have others.
    plane.do(None, "POST", "/sign-in", {"email": "ada", "password": PASSWORD})
    plane.address = "192.0.2.8"
    plane.do(None, "POST", "/register", _registration("another"))
    plane.address = "192.0.2.7"
    plane.clock.advance(minutes=15)
    plane.do(None, "POST", "/register", _registration("third"))


def test_invited_people_are_not_limited(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in_limits, "PER_ADDRESS", 5)
    people = [f"p{number}" for number in range(6)]
    body = {"emails": [f"{one}@example.org" for one in people]}
    made = plane.do("root", "POST", "/users/invitations", body)
    for one, invitation in zip(people, made, strict=True):
        plane.do(None, "POST", "/register", _registration(one, invitation=invitation["token"]))


def test_a_disabled_user_does_nothing(plane: Plane) -> None:
    key = plane.do("ada", "POST", "/api-keys", {"name": "k"})["token"]
    plane.workspace("ada", "scans")
    credential = plane.do("ada", "POST", "/credentials", {})
    before = plane.generation()
    plane.do("root", "POST", "/users/ada/disable")
    assert plane.generation() > before
    assert plane.verbs()[-1] == "user.disable"
    for token in ("ada", key):
        plane.refused(401, "not_signed_in", token, "GET", "/me")
    plane.refused(
        403, "user_disabled", None, "POST", "/sign-in", {"email": "ada@example.org", "password": PASSWORD}
    )
    assert _revoked(plane, credential["id"])
    plane.do("root", "POST", "/users/ada/enable")
    # What was ended stays ended.
    for token in ("ada", key):
        plane.refused(401, "not_signed_in", token, "GET", "/me")
    plane.do(None, "POST", "/sign-in", {"email": "ada@example.org", "password": PASSWORD})


def test_a_new_password_ends_everything_else(plane: Plane) -> None:
    other = plane.do(None, "POST", "/sign-in", {"email": "ada@example.org", "password": PASSWORD})["token"]
    key = plane.do("ada", "POST", "/api-keys", {"name": "k"})["token"]
    plane.workspace("ada", "scans")
    credential = plane.do("ada", "POST", "/credentials", {})
    change = {"current_password": PASSWORD, "new_password": "another long one"}
    plane.refused(403, "session_needed", key, "POST", "/me/password", change)
    plane.refused(401, "wrong_password", "ada", "POST", "/me/password", change | {"current_password": "wrong"})
    plane.refused(422, "invalid_password", "ada", "POST", "/me/password", change | {"new_password": "short"})
    plane.do("ada", "POST", "/me/password", change)
    for token in (other, key):
        plane.refused(401, "not_signed_in", token, "GET", "/me")
    assert plane.do("ada", "GET", "/me")["username"] == "ada"
    assert _revoked(plane, credential["id"])
    plane.refused(
        401, "wrong_password", None, "POST", "/sign-in", {"email": "ada@example.org", "password": PASSWORD}
    )
    plane.do(None, "POST", "/sign-in", {"email": "ada@example.org", "password": "another long one"})
    assert plane.verbs()[-1] == "user.change_password"


def test_guessing_the_current_password_is_limited_too(plane: Plane) -> None:
    change = {"current_password": "wrong", "new_password": "another long one"}
    for _ in range(10):
        plane.refused(401, "wrong_password", "ada", "POST", "/me/password", change)
    plane.refused(429, "too_many_attempts", "ada", "POST", "/me/password", change)


def test_a_password_is_reset_with_a_token_from_an_administrator(plane: Plane) -> None:
    plane.refused(403, "refused", "bob", "POST", "/users/ada/password-reset")
    made = plane.do("root", "POST", "/users/ada/password-reset")
    assert made["command"] == f"wio passwd http://files.example.org:8100 --token {made['token']}"
    reset = {"token": made["token"], "password": "another long one"}
    plane.refused(403, "bad_token", None, "POST", "/password-reset", reset | {"token": "wiot_x"})
    plane.do("ada", "GET", "/me")
    plane.do(None, "POST", "/password-reset", reset)
    plane.refused(401, "not_signed_in", "ada", "GET", "/me")
    plane.refused(403, "bad_token", None, "POST", "/password-reset", reset)
    plane.do(None, "POST", "/sign-in", {"email": "ada@example.org", "password": "another long one"})


def test_a_token_serves_its_own_purpose_only(plane: Plane) -> None:
    (invitation,) = plane.do("root", "POST", "/users/invitations", {"emails": ["dan@example.org"]})
    reset = {"token": invitation["token"], "password": "another long one"}
    plane.refused(403, "bad_token", None, "POST", "/password-reset", reset)
    with plane.database.read() as session:
        assert session.scalars(select(OneTimeToken.used_at)).all() == [None]


def test_signing_out_ends_the_credentials_issued_with_the_session(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    token = plane.do(None, "POST", "/sign-in", {"email": "ada@example.org", "password": PASSWORD})["token"]
    mine = plane.do(token, "POST", "/credentials", {})
    others = plane.do("ada", "POST", "/credentials", {})
    plane.do(token, "DELETE", "/sign-in")
    assert _revoked(plane, mine["id"])
    assert not _revoked(plane, others["id"])


def _revoked(plane: Plane, credential_id: int) -> bool:
    with plane.database.read() as session:
        return session.get_one(Credential, credential_id).revoked_at is not None
