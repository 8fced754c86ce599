"""Register, sign in and out, and set a forgotten password."""

from fastapi import APIRouter
from pydantic import BaseModel

from workspacesio.api.dependencies import Anyone, SignedIn
from workspacesio.api.enforcement import Settled, enforced_on
from workspacesio.api.fields import Body, Instant, Line, Name, Password
from workspacesio.api.user_views import UserView, view_user
from workspacesio.services import passwords
from workspacesio.services.node_effects import marked
from workspacesio.services.one_time_tokens import Purpose, find_one_time_token
from workspacesio.services.registration import check_registration, register_user
from workspacesio.services.sign_in_limits import (
    begin_registration_attempt,
    check_registration_attempt,
    forgive_attempt,
)
from workspacesio.services.sign_ins import SignedIn as Session_
from workspacesio.services.sign_ins import begin_sign_in, check_sign_in, finish_sign_in, sign_out, wrong_password
from workspacesio.services.users import reset_password

router = APIRouter(tags=["sign-in"])


class RegistrationRequest(Body):
    """`setup_token` makes the first administrator; `invitation` is for the invited address only."""

    email: Line
    username: Name
    password: Password
    setup_token: Line | None = None
    invitation: Line | None = None


class SignInRequest(Body):
    email: Line
    password: Password


class PasswordResetRequest(Body):
    """`token` comes from an administrator and works once."""

    token: Line
    password: Password


class SignedInAnswer(BaseModel):
    """`token` is shown this once; send it as `Authorization: Bearer TOKEN`."""

    user: UserView
    token: str
    expires_at: Instant


@router.post("/register", status_code=201)
def register(visit: Anyone, wanted: RegistrationRequest) -> SignedInAnswer:
    """Make an account and sign in. Limited in rate by address, as signing in is, but for invited people."""
    asked = wanted.model_dump(exclude={"password"})
    passwords.check_password(wanted.password)
    with visit.read() as (session, now):
        check_registration_attempt(session, address=visit.address, now=now)
    with visit.write() as (session, now):
        attempt = begin_registration_attempt(session, address=visit.address, now=now)
    with visit.read() as (session, now):
        token = check_registration(session, **asked, now=now)
    password_hash = passwords.hash_password(wanted.password)
    with visit.write() as (session, now):
        if token is not None:
            forgive_attempt(session, attempt)
        return _answer(register_user(session, **asked, password_hash=password_hash, now=now), [])


@router.post("/sign-in")
def sign_in(visit: Anyone, given: SignInRequest) -> SignedInAnswer:
    """Limited in rate, by account and by address; an answer of 429 says when to try again."""
    with visit.read() as (session, now):
        check_sign_in(session, email=given.email, address=visit.address, now=now)
    with visit.write() as (session, now):
        found = begin_sign_in(session, email=given.email, address=visit.address, now=now)
    if not passwords.verify_password(found.password_hash, given.password):
        raise wrong_password()
    with visit.write() as (session, now):
        signed_in = finish_sign_in(session, verified=found, now=now)
        return _answer(signed_in, view_user(session, signed_in.user).groups)


@router.delete("/sign-in")
def end_sign_in(call: SignedIn) -> Settled:
    """End this session and the credentials issued with it."""
    with call.write() as (session, actor, now):
        sign_out(session, actor=actor, now=now)
        concerned = marked(session)
    return Settled(enforced=enforced_on(call.visit.context, concerned))


@router.post("/password-reset")
def set_forgotten_password(visit: Anyone, given: PasswordResetRequest) -> Settled:
    """Set a new password; every session, API key and credential of the account ends."""
    passwords.check_password(given.password)
    with visit.read() as (session, now):
        find_one_time_token(session, token=given.token, purpose=Purpose.RESET, now=now)
    password_hash = passwords.hash_password(given.password)
    with visit.write() as (session, now):
        reset_password(session, token=given.token, password_hash=password_hash, now=now)
        concerned = marked(session)
    return Settled(enforced=enforced_on(visit.context, concerned))


def _answer(signed_in: Session_, groups: list[str]) -> SignedInAnswer:
    return SignedInAnswer(
        user=UserView.of(signed_in.user, groups), token=signed_in.token, expires_at=signed_in.expires_at
    )
