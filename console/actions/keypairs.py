"""What can be done to key pairs: take one in, make one here, forget one.

A private key is made on this machine and never travels: current clouds make none any more, and older ones send it
over the wire.
"""

import asyncio
from pathlib import Path

from console.actions.building import may_be_lost
from console.actions.declared import Ask, Order, action
from console.clouds.dialect import Accepted
from console.errors import ActionRefused, CloudError
from console.model.keypair import KeyPair
from console.text import clean


@action(
    "keypair.create",
    title="new key pair",
    command="keypair create",
    on=KeyPair,
    key="n",
    needs="keypair.create",
    creates=True,
    many=False,
    asks=(
        Ask("name", "text", "name", "what the key pair is called", required=True),
        Ask("public_key", "file", "public key", "a file with the public half, to be taken in"),
        Ask(
            "private_key",
            "text",
            "private key",
            "a new file for the private half, which is made here",
            most=4096,
            required=True,
            unless=("public_key",),
        ),
    ),
)
async def create(order: Order) -> Accepted:
    """Take in a public key, or make a key pair here and keep the private half."""
    given = order.given
    if ("public_key" in given) == ("private_key" in given):
        raise ActionRefused("Give either a public key's file, or a new file for the private key.")
    if "public_key" in given:
        return await order.dialect.create_keypair(given["name"], _public(given["public_key"]))
    public = await asyncio.to_thread(_make, given["private_key"], given["name"])
    try:
        return await order.dialect.create_keypair(given["name"], public)
    except CloudError as error:
        if may_be_lost(error):  # the cloud may have its public half
            error.hint = f"{error.hint} The private key stays in {given['private_key']}.".strip()
        else:
            await asyncio.to_thread(_unmake, given["private_key"])
        raise


def _public(content: bytes) -> str:
    text = content.decode("utf-8", "replace").strip()
    if "PRIVATE KEY" in text:
        raise ActionRefused("That file holds a private key: give the .pub file beside it.")
    if not text.startswith(("ssh-", "ecdsa-", "sk-")) or "\n" in text:
        raise ActionRefused(f"That file holds no public key: it begins with {clean(text[:20])!r}.")
    return text


def _make(file: str, name: str) -> str:
    """A new private key in a file of its owner's alone; its public half."""
    from console.guests.route import new_key

    path = Path(file).expanduser()
    try:
        return new_key(path, name)
    except FileExistsError:
        raise ActionRefused(f"{path} exists already, and is not overwritten.") from None
    except OSError as error:
        raise ActionRefused(f"{path} cannot be written: {error.strerror}.") from error


def _unmake(file: str) -> None:
    Path(file).expanduser().unlink(missing_ok=True)


@action(
    "keypair.delete",
    title="delete key pair",
    command="keypair delete",
    on=KeyPair,
    key="D",
    needs="keypair.delete",
    confirm="Forget the key pair {name}? Servers keep what they were given.",
    reversible=False,
)
async def delete(order: Order) -> Accepted:
    """Forget a key pair; servers keep what they were given."""
    return await order.dialect.delete_keypair(order.row.id)
