#!/usr/bin/env python3
"""Test the platform's Kerberos ticket from inside a container.

    test_kerberos.py [SERVICE]

Reads the shared ticket cache (KRB5CCNAME, or what krb5.conf says) without writing to it, checks
that its ticket is valid, and gets a ticket for SERVICE from the KDC: the argument, or
KERBEROS_TEST_SERVICE, or postgres/postgres.example.com@EXAMPLE.COM.

It needs Python's standard library and libkrb5.so.3, and starts no other program: it runs in
images that have no shell and no Kerberos tools.

Exit codes, each failure with its own; a message on standard error says what, why and how to help:

     0  success: lines of `SUCCESS: ...` on standard output
    10  libkrb5 is missing, or this Python cannot load libraries
    11  there is no ticket cache, or no ticket in it
    12  the ticket cache cannot be read: it belongs to another user
    13  the ticket cache is damaged
    14  the ticket has expired, or is not valid yet
    15  the KDC cannot be reached
    16  the KDC does not know the service
    17  another refusal by the KDC or by libkrb5: the message has its words
    64  the command line or the service's name is wrong
"""

from __future__ import annotations

import enum
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

try:
    import ctypes
except ImportError as error:
    print(f"error: this Python has no `ctypes`: {error}", file=sys.stderr)
    print("  = help: install the whole standard library, not Debian's `python3-minimal` alone", file=sys.stderr)
    sys.exit(10)

DEFAULT_SERVICE = "postgres/postgres.example.com@EXAMPLE.COM"
LIBRARY = "libkrb5.so.3"


class Exit(enum.IntEnum):
    """The exit codes explained above."""

    SUCCESS = 0
    LIBRARY_MISSING = 10
    NO_TICKET = 11
    CACHE_UNREADABLE = 12
    CACHE_DAMAGED = 13
    TICKET_EXPIRED = 14
    KDC_UNREACHABLE = 15
    UNKNOWN_SERVICE = 16
    REFUSED = 17
    USAGE = 64


class Problem(Exception):
    """A failure: what to say, how to help, and how to exit."""

    def __init__(self, code: Exit, message: str, help_text: str) -> None:
        super().__init__(message)
        self.code = code
        self.help_text = help_text


# --- libkrb5 ------------------------------------------------------------------------------

# Its error codes (krb5.h) that have an exit code of their own.
S_PRINCIPAL_UNKNOWN = -1765328377
TICKET_EXPIRED = -1765328352
TICKET_NOT_YET_VALID = -1765328351
CLOCK_SKEW = -1765328347
CACHE_END = -1765328242
KDC_UNREACHABLE = -1765328228
REALM_CANNOT_RESOLVE = -1765328230
# It also hands on what the system said of the network: EAGAIN when a name cannot be looked up.
NETWORK_ERRORS = {
    errno.EAGAIN,
    errno.EAFNOSUPPORT,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ETIMEDOUT,
}

Pointer = ctypes.c_void_p


class Data(ctypes.Structure):
    """krb5_data"""

    _fields_ = [("magic", ctypes.c_int32), ("length", ctypes.c_uint), ("data", Pointer)]


class KeyBlock(ctypes.Structure):
    """krb5_keyblock"""

    _fields_ = [
        ("magic", ctypes.c_int32),
        ("enctype", ctypes.c_int32),
        ("length", ctypes.c_uint),
        ("contents", Pointer),
    ]


class TicketTimes(ctypes.Structure):
    """krb5_ticket_times: seconds since 1970, unsigned, so that they last beyond 2038"""

    _fields_ = [(name, ctypes.c_uint32) for name in ("authtime", "starttime", "endtime", "renew_till")]


class Credentials(ctypes.Structure):
    """krb5_creds"""

    _fields_ = [
        ("magic", ctypes.c_int32),
        ("client", Pointer),
        ("server", Pointer),
        ("keyblock", KeyBlock),
        ("times", TicketTimes),
        ("is_skey", ctypes.c_uint),
        ("ticket_flags", ctypes.c_int32),
        ("addresses", Pointer),
        ("ticket", Data),
        ("second_ticket", Data),
        ("authdata", Pointer),
    ]


OUT = ctypes.POINTER(Pointer)
CREDENTIALS = ctypes.POINTER(Credentials)

# name, result, arguments after the context
PROTOTYPES: list[tuple[str, Any, list[Any]]] = [
    ("krb5_cc_default_name", ctypes.c_char_p, []),
    ("krb5_cc_default", ctypes.c_int32, [OUT]),
    ("krb5_cc_get_principal", ctypes.c_int32, [Pointer, OUT]),
    ("krb5_cc_start_seq_get", ctypes.c_int32, [Pointer, OUT]),
    ("krb5_cc_next_cred", ctypes.c_int32, [Pointer, OUT, CREDENTIALS]),
    ("krb5_cc_end_seq_get", ctypes.c_int32, [Pointer, OUT]),
    ("krb5_cc_new_unique", ctypes.c_int32, [ctypes.c_char_p, ctypes.c_char_p, OUT]),
    ("krb5_cc_initialize", ctypes.c_int32, [Pointer, Pointer]),
    ("krb5_cc_store_cred", ctypes.c_int32, [Pointer, CREDENTIALS]),
    ("krb5_parse_name", ctypes.c_int32, [ctypes.c_char_p, OUT]),
    ("krb5_unparse_name", ctypes.c_int32, [Pointer, ctypes.POINTER(ctypes.c_char_p)]),
    ("krb5_get_credentials", ctypes.c_int32, [ctypes.c_int32, Pointer, CREDENTIALS, ctypes.POINTER(CREDENTIALS)]),
    ("krb5_get_error_message", ctypes.c_char_p, [ctypes.c_int32]),
]


class KerberosError(Exception):
    """An error of libkrb5, with its code and its words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Ticket:
    """A ticket out of a cache or from the KDC."""

    server: str
    starts: int
    ends: int
    raw: Credentials


class Kerberos:
    """The part of libkrb5 that this test uses. Nothing is freed: the process is short."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._context = Pointer()
        for name, result, arguments in PROTOTYPES:
            function = getattr(library, name)
            function.restype = result
            function.argtypes = [Pointer, *arguments]
        code = library.krb5_init_context(ctypes.byref(self._context))
        if code:
            raise KerberosError(code, self._text(code))

    def cache_name(self) -> str:
        """The name of the default cache, such as `FILE:/krb5/cache/krb5cc`."""
        return os.fsdecode(self._library.krb5_cc_default_name(self._context) or b"")

    def open_cache(self) -> Pointer:
        return self._new("krb5_cc_default")

    def cache_owner(self, cache: Pointer) -> Pointer:
        return self._new("krb5_cc_get_principal", cache)

    def name_of(self, principal: Pointer | int) -> str:
        text = ctypes.c_char_p()
        self._call("krb5_unparse_name", principal, ctypes.byref(text))
        return os.fsdecode(text.value or b"")

    def principal(self, name: str) -> Pointer:
        return self._new("krb5_parse_name", name.encode())

    def tickets(self, cache: Pointer) -> Iterator[Ticket]:
        """Every entry of a cache, also those that only hold its settings."""
        cursor = self._new("krb5_cc_start_seq_get", cache)
        while True:
            raw = Credentials()
            code = self._library.krb5_cc_next_cred(self._context, cache, ctypes.byref(cursor), ctypes.byref(raw))
            if code == CACHE_END:
                break
            self._check(code)
            yield self._ticket(raw)
        self._call("krb5_cc_end_seq_get", cache, ctypes.byref(cursor))

    def memory_cache(self, owner: Pointer, ticket: Ticket) -> Pointer:
        """A cache of our own with one ticket: the shared one is read-only."""
        cache = self._new("krb5_cc_new_unique", b"MEMORY", None)
        self._call("krb5_cc_initialize", cache, owner)
        self._call("krb5_cc_store_cred", cache, ctypes.byref(ticket.raw))
        return cache

    def service_ticket(self, cache: Pointer, client: Pointer, service: Pointer) -> Ticket:
        wanted = Credentials(client=client, server=service)
        got = CREDENTIALS()
        self._call("krb5_get_credentials", 0, cache, ctypes.byref(wanted), ctypes.byref(got))
        return self._ticket(got.contents)

    def _ticket(self, raw: Credentials) -> Ticket:
        times = raw.times
        return Ticket(self.name_of(raw.server), times.starttime or times.authtime, times.endtime, raw)

    def _new(self, function: str, *arguments: Any) -> Pointer:
        """Call a function whose last argument takes what it made."""
        made = Pointer()
        self._call(function, *arguments, ctypes.byref(made))
        return made

    def _call(self, function: str, *arguments: Any) -> None:
        self._check(getattr(self._library, function)(self._context, *arguments))

    def _check(self, code: int) -> None:
        if code:
            raise KerberosError(code, self._text(code))

    def _text(self, code: int) -> str:
        text = self._library.krb5_get_error_message(self._context, code)
        return os.fsdecode(text or b"no message")


def load_kerberos() -> Kerberos:
    # By its soname, as a program linked to it would: `ctypes.util.find_library` would start
    # ldconfig and a compiler.
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise Problem(
            Exit.LIBRARY_MISSING,
            f"cannot load `{LIBRARY}`: {error}",
            "add libkrb5 to the image (Debian: `libkrb5-3`, Alpine: `krb5-libs`)",
        ) from error
    try:
        return Kerberos(library)
    except KerberosError as error:
        raise Problem(Exit.REFUSED, f"libkrb5 does not start: {error}", "check `/etc/krb5.conf`") from error


# --- the test -----------------------------------------------------------------------------


def cache_path(name: str) -> str | None:
    """The file of a cache, or nothing when the cache is not a file."""
    kind, colon, rest = name.partition(":")
    if not colon:
        return name
    return rest if kind == "FILE" else None


def check_cache_file(path: str, uid: int) -> None:
    """Tell apart what libkrb5 reports alike."""
    try:
        with open(path, "rb") as file:
            start = file.read(2)
    except (FileNotFoundError, NotADirectoryError) as error:
        directory = os.path.dirname(path) or "."
        where = "its directory is empty" if is_empty(directory) else "the directory holds other files"
        if not os.path.isdir(directory):
            where = f"there is no directory `{directory}`"
        raise Problem(
            Exit.NO_TICKET,
            f"no ticket cache at `{path}`: {where}",
            f"mount the ticket volume at `{directory}`, and let the ticket service run `kinit` first",
        ) from error
    except PermissionError as error:
        raise unreadable(path, uid) from error
    except OSError as error:
        raise Problem(
            Exit.CACHE_DAMAGED,
            f"cannot read the ticket cache `{path}`: {error.strerror}",
            "KRB5CCNAME must name a file, such as `FILE:/krb5/cache/krb5cc`",
        ) from error
    # The format's version: 5, and the version of its encoding.
    if len(start) < 2 or start[0] != 5 or not 1 <= start[1] <= 4:
        raise Problem(
            Exit.CACHE_DAMAGED,
            f"`{path}` is not a ticket cache: it " + ("is empty" if not start else "begins with other bytes"),
            "remove it and let the ticket service run `kinit` again",
        )


def is_empty(directory: str) -> bool:
    try:
        return not os.listdir(directory)
    except OSError:
        return False


def unreadable(path: str, uid: int) -> Problem:
    """Whose it is, as far as we may know."""
    try:
        status = os.stat(path)
    except OSError:
        return Problem(
            Exit.CACHE_UNREADABLE,
            f"uid {uid} may not look into the directory of the ticket cache `{path}`",
            "run this container and the ticket service as the same uid",
        )
    return Problem(
        Exit.CACHE_UNREADABLE,
        f"uid {uid} may not read the ticket cache `{path}`:"
        f" it belongs to uid {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}",
        f"run this container as uid {status.st_uid}, or the ticket service as uid {uid}",
    )


def ticket_granting_ticket(tickets: list[Ticket], client: str, cache: str) -> Ticket:
    """The client's own realm's ticket that lasts longest."""
    realm = client.rpartition("@")[2]
    candidates = [ticket for ticket in tickets if ticket.server == f"krbtgt/{realm}@{realm}"]
    if not candidates:
        raise Problem(
            Exit.NO_TICKET,
            f"the ticket cache `{cache}` of `{client}` holds no ticket-granting ticket",
            "let the ticket service run `kinit` again",
        )
    return max(candidates, key=lambda ticket: ticket.ends)


def check_validity(ticket: Ticket, client: str, now: float) -> None:
    if ticket.ends <= now:
        raise Problem(
            Exit.TICKET_EXPIRED,
            f"the ticket of `{client}` expired {int(now - ticket.ends)} s ago, at {utc(ticket.ends)}",
            "let the ticket service run `kinit` again, more often than tickets expire",
        )
    if ticket.starts > now + 300:  # the clock skew that Kerberos allows
        raise Problem(
            Exit.TICKET_EXPIRED,
            f"the ticket of `{client}` is not valid before {utc(ticket.starts)}",
            "set this machine's clock",
        )


def explain(error: KerberosError, client: str, service: str) -> Problem:
    """Why the KDC gave no ticket for the service."""
    realm = client.rpartition("@")[2]
    if error.code == S_PRINCIPAL_UNKNOWN:
        return Problem(
            Exit.UNKNOWN_SERVICE,
            f"the KDC does not know the service `{service}`: {error}",
            "check the name (SERVICE/HOST@REALM), or let the realm's administrators add it",
        )
    if error.code == REALM_CANNOT_RESOLVE:
        return Problem(
            Exit.KDC_UNREACHABLE,
            f"no KDC is known for the realm `{realm}`: {error}",
            "name it in `/etc/krb5.conf`, under [realms]",
        )
    if error.code == KDC_UNREACHABLE or error.code in NETWORK_ERRORS:
        return Problem(
            Exit.KDC_UNREACHABLE,
            f"the KDC of `{realm}` cannot be reached: {error}",
            "check that this container is on the KDC's network, and `kdc` in `/etc/krb5.conf`",
        )
    if error.code in (TICKET_EXPIRED, TICKET_NOT_YET_VALID):
        return Problem(
            Exit.TICKET_EXPIRED,
            f"the KDC says that the ticket of `{client}` is not valid now: {error}",
            "let the ticket service run `kinit` again, and compare the clocks",
        )
    advice = "compare the clocks of this machine and of the KDC" if error.code == CLOCK_SKEW else "see the KDC's log"
    return Problem(Exit.REFUSED, f"no ticket for `{service}`: {error}", advice)


def utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def succeed(fact: str) -> None:
    print(f"SUCCESS: {fact}", flush=True)


def run(service: str) -> None:
    """The whole test. Raises a Problem."""
    kerberos = load_kerberos()
    cache_name = kerberos.cache_name()
    uid = os.getuid()
    path = cache_path(cache_name)
    if path is not None:
        check_cache_file(path, uid)
    try:
        cache = kerberos.open_cache()
        owner = kerberos.cache_owner(cache)
        client = kerberos.name_of(owner)
        tickets = list(kerberos.tickets(cache))
    except KerberosError as error:
        code = Exit.CACHE_DAMAGED if path is not None else Exit.NO_TICKET
        advice = "let the ticket service run `kinit` again"
        raise Problem(code, f"cannot read the ticket cache `{cache_name}`: {error}", advice) from error
    succeed(f"read the ticket cache `{cache_name}` as uid {uid}")

    granting = ticket_granting_ticket(tickets, client, cache_name)
    now = time.time()
    check_validity(granting, client, now)
    succeed(f"the ticket of `{client}` is valid for another {int(granting.ends - now)} s, until {utc(granting.ends)}")

    try:
        wanted = kerberos.principal(service)
    except KerberosError as error:
        raise Problem(Exit.USAGE, f"`{service}` is not a service: {error}", "SERVICE/HOST@REALM") from error
    try:
        # Only the ticket-granting ticket goes along, so that the KDC has to answer.
        ticket = kerberos.service_ticket(kerberos.memory_cache(owner, granting), owner, wanted)
    except KerberosError as error:
        raise explain(error, client, service) from error
    succeed(f"the KDC gave a ticket for `{ticket.server}`, valid for {int(ticket.ends - now)} s")


def fail(problem: Problem) -> NoReturn:
    print(f"error: {problem}", file=sys.stderr)
    print(f"  = help: {problem.help_text}", file=sys.stderr)
    sys.exit(problem.code)


def main(arguments: list[str]) -> None:
    try:
        if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
            raise Problem(Exit.USAGE, f"cannot use `{' '.join(arguments)}`", "test_kerberos.py [SERVICE]")
        run(arguments[0] if arguments else os.environ.get("KERBEROS_TEST_SERVICE") or DEFAULT_SERVICE)
    except Problem as problem:
        fail(problem)


if __name__ == "__main__":
    main(sys.argv[1:])
