"""Config, keyring and key slots: from a password or key file to the keys of a repository."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import cached_property

import nacl.pwhash.argon2id
import nacl.utils
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from mnemonic import Mnemonic
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from . import header, limits, members, storage
from .cursor import Cursor
from .errors import FormatError, UsageError
from .members import Members
from .xxh3 import xxh3_128

KINDS = {"data": 1, "map": 2}


def blake2b(key: bytes, message: bytes) -> bytes:
    return hashlib.blake2b(message, digest_size=32, key=key).digest()


def open_sealed(name: str, key: bytes, sealed: bytes, associated: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(bytes(12), sealed, associated)
    except (InvalidTag, ValueError):
        raise FormatError(name, "cannot be opened: its tag is wrong") from None


def verify_signature(name: str, public_key: bytes, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise FormatError(name, "its signature is not valid") from None


@dataclass(frozen=True)
class Config:
    repository_id: bytes
    keyspace_id: bytes
    root_public_key: bytes


@dataclass(frozen=True)
class Slot:
    id: bytes
    public_key: bytes
    role: str
    capabilities: frozenset[str]
    key_digest: bytes
    label: str


@dataclass(frozen=True)
class Retired:
    slot: Slot
    manifests: dict[bytes, bytes]


@dataclass(frozen=True)
class Keyring:
    number: int
    previous: bytes | None
    slots: dict[bytes, Slot]
    retired: dict[bytes, Retired]
    epochs: frozenset[int]


def _signed_body(name: str, data: bytes, kind: int) -> tuple[bytes, bytes]:
    header.parse(name, data, (kind,))
    if len(data) < header.SIZE + 64:
        raise FormatError(name, "is too short for a signature")
    return data[header.SIZE:-64], data[-64:]


def parse_config(data: bytes) -> Config:
    """The config vouches for itself only; whether its key is the right one is what the own slot tells."""
    body, signature = _signed_body("config", data, header.CONFIG)
    json = members.parse("config", body)
    if json.integer("format") != 1:
        raise FormatError("config", f"has format {json.integer('format')}; this program reads format 1")
    config = Config(json.hex("repository_id", 16), json.hex("keyspace_id", 16), json.hex("root_public_key", 32))
    verify_signature("config", config.root_public_key, signature,
                     header.signed_message(header.CONFIG, config.repository_id, "config", body))
    json.object("chunker").integer("average_byte_count", limits.CHUNK)
    json.time("created")
    return config


def _parse_slot(json: Members) -> Slot:
    role = json.text("role", ("backup", "full"))
    json.time("created")
    return Slot(json.hex("id", 16), json.hex("public_key", 32), role, frozenset(json.texts("capabilities")), json.hex("key_digest", 32),
                json.text("label"))


def parse_keyring(number: int, data: bytes, config: Config) -> Keyring:
    name = f"keyring/{number}"
    body, signature = _signed_body(name, data, header.KEYRING)
    verify_signature(name, config.root_public_key, signature,
                     header.signed_message(header.KEYRING, config.repository_id, name, body))
    json = members.parse(name, body)
    if json.integer("number") != number:
        raise json.wrong("number", f"is {json.integer('number')}, not as in the name")
    if json.hex("repository_id", 16) != config.repository_id:
        raise json.wrong("repository_id", "is of another repository")
    json.known_features()
    previous = json.hex_or_null("previous", 32)
    if (previous is None) != (number == 0):
        raise json.wrong("previous", "is null in other than the first keyring, or not null there")
    slots: dict[bytes, Slot] = {}
    retired: dict[bytes, Retired] = {}
    for item in json.objects("slots", limits.SLOTS):
        slot = _parse_slot(item)
        if slot.id in slots:
            raise item.wrong("id", "is there twice")
        slots[slot.id] = slot
    for item in json.objects("retired", limits.SLOTS):
        slot = _parse_slot(item.object("slot"))
        if slot.id in slots or slot.id in retired:
            raise item.wrong("slot.id", "is there twice")
        manifests = {m.hex("snapshot_id", 16): m.hex("digest", 32) for m in item.objects("manifests")}
        retired[slot.id] = Retired(slot, manifests)
    epochs = json.items("epochs")
    if not epochs or any(type(e) is not int or not 1 <= e < 1 << 32 for e in epochs) or sorted(set(epochs)) != epochs:
        raise json.wrong("epochs", "is no list of rising epochs from 1")
    return Keyring(number, previous, slots, retired, frozenset(epochs))


class EpochKeys:
    """The keys that come from one member secret."""

    def __init__(self, member_secret: bytes) -> None:
        self._secret = member_secret
        self.chunk_id_keys = {KINDS["data"]: self._derive(1), KINDS["map"]: self._derive(2)}
        self.metadata_key = self._derive(6)
        self.map_segment_key = self._derive(7)
        self.segment_input_key = self._derive(8)

    def _derive(self, subkey: int) -> bytes:
        return hashlib.blake2b(b"", digest_size=32, key=self._secret, salt=subkey.to_bytes(8, "little") + bytes(8),
                               person=b"hfmember" + bytes(8)).digest()

    @cached_property
    def _fingerprint_secret(self) -> bytes:
        return bytes(nacl.utils.randombytes_deterministic(192, self._derive(5)))

    def _keyed_hash(self, key: bytes, data: bytes) -> bytes:
        low, high = xxh3_128(data, self._fingerprint_secret)
        message = b"".join(value.to_bytes(8, "little") for value in (low, high, len(data)))
        return hmac.digest(key, message, "sha256")[:16]

    @cached_property
    def _fingerprint_key(self) -> bytes:
        return self._derive(4)

    @cached_property
    def _segment_digest_key(self) -> bytes:
        return self._derive(10)

    def fingerprint(self, data: bytes) -> bytes:
        return self._keyed_hash(self._fingerprint_key, data)

    def segment_digest(self, sealed: bytes) -> bytes:
        return self._keyed_hash(self._segment_digest_key, sealed)

    def chunk_id(self, kind: int, plaintext: bytes) -> bytes:
        return hmac.digest(self.chunk_id_keys[kind], plaintext, "sha256")


def one_time_key(base: bytes, kind: int, salt: bytes) -> bytes:
    return blake2b(base, b"holdfast one-time key" + bytes([kind]) + salt)


class OpenedSlot:
    """What a slot's payload holds. A slot of role backup has no data secret key, so it reads maps but no data."""

    def __init__(self, epochs: dict[int, EpochKeys], slot_id: bytes, data_public_key: bytes,
                 data_secret_key: bytes | None) -> None:
        self.epochs = epochs
        self.slot_id = slot_id
        self.recipient_id = hashlib.blake2b(data_public_key, digest_size=32).digest()[:16]
        self._box = SealedBox(PrivateKey(data_secret_key)) if data_secret_key else None

    @property
    def reads_data(self) -> bool:
        return self._box is not None

    def open_session_key(self, name: str, sealed: bytes) -> bytes:
        if self._box is None:
            raise UsageError("this key slot has no data secret key; data needs one of role full")
        try:
            key = self._box.decrypt(sealed)
        except CryptoError:
            raise FormatError(name, "a sealed session data key cannot be opened") from None
        if len(key) != 32:
            raise FormatError(name, "a session data key is not of 32 bytes")
        return key


class Credential:
    """A password, or the 32 bytes of a key file."""

    def __init__(self, derivation: int, secret: bytes) -> None:
        self.derivation = derivation
        self.secret = secret

    @staticmethod
    def from_password(text: bytes) -> "Credential":
        """One line end is left out: editors add it, people do not mean it."""
        return Credential(1, re.sub(rb"\r?\n\Z", b"", text))

    @staticmethod
    def from_key_file(text: bytes) -> "Credential":
        try:
            plain = text.decode("ascii").strip()
        except UnicodeDecodeError:
            raise UsageError("the key file is no text") from None
        line = re.sub(r"\s", "", plain).upper()
        match = re.fullmatch(r"HOLDFAST-KEY-1:([0-9A-F]{64}):([0-9A-F]{8})", line)
        if match:
            secret, check = bytes.fromhex(match[1]), bytes.fromhex(match[2])
            if hashlib.sha256(secret).digest()[:4] != check:
                raise UsageError("the key file's check digits do not fit: a digit is wrong")
            return Credential(2, secret)
        return Credential(2, _from_words(plain.lower().split()))


def _from_words(words: list[str]) -> bytes:
    if len(words) != 24:
        raise UsageError("the key file holds neither a key line nor 24 words")
    places = {word: i for i, word in enumerate(Mnemonic("english").wordlist)}
    value = 0
    for number, word in enumerate(words, 1):
        if word not in places:
            raise UsageError(f"word {number} is none of the BIP-39 list")
        value = value << 11 | places[word]
    secret = (value >> 8).to_bytes(32, "big")
    if hashlib.sha256(secret).digest()[0] != value & 255:
        raise UsageError("the words' check does not fit: a word is wrong")
    return secret


def try_slot(name: str, data: bytes, credential: Credential) -> bytes | None:
    """The payload, or None if the credential is for another slot."""
    header.parse(name, data, (header.KEY_SLOT,))
    cursor = Cursor(name, data)
    cursor.take(header.SIZE)
    derivation = cursor.integer(1)
    cursor.reserved(3)
    operations, memory, salt, commitment = (cursor.integer(4), cursor.integer(8), cursor.take(16), cursor.take(32))
    if derivation == 1:
        low, high = limits.ARGON2_OPERATIONS
        if not low <= operations <= high:
            raise FormatError(name, f"has {operations} Argon2id operations, allowed are {low} to {high}")
        low, high = limits.ARGON2_MEMORY
        if not low <= memory <= high or memory % 1024:
            raise FormatError(name, f"has {memory} bytes of Argon2id memory, allowed are {low} to {high} in whole KiB")
    elif derivation == 2:
        if operations or memory:
            raise FormatError(name, "has Argon2id parameters for a key file")
    else:
        raise FormatError(name, f"has derivation {derivation}")
    if derivation != credential.derivation:
        return None
    secret = credential.secret
    if derivation == 1:
        secret = nacl.pwhash.argon2id.kdf(32, secret, salt, operations, memory)
    base = blake2b(secret, b"holdfast slot key" + data[16:48] + salt)
    if not hmac.compare_digest(blake2b(base, b"holdfast slot commitment"), commitment):
        return None
    return open_sealed(name, blake2b(base, b"holdfast slot wrap"), data[112:], data[:112] + header.sized(name))


def parse_payload(name: str, payload: bytes, config: Config, slot: Slot, keyring: Keyring) -> OpenedSlot:
    """Compares all that the payload and the public objects both tell, since the payload is what is believed."""

    def same(what: str, own: bytes, other: bytes) -> None:
        if own != other:
            raise FormatError(name, f"its {what} differs from what {other_name} tells")

    cursor = Cursor(name, payload)
    version, role, epoch_count = cursor.integer(1), cursor.integer(1), cursor.integer(2)
    if version != 1:
        raise FormatError(name, f"has payload version {version}")
    if role != {"backup": 1, "full": 2}[slot.role]:
        raise FormatError(name, f"has role {role}, the keyring says {slot.role}")
    if len(payload) != 148 + 36 * epoch_count + (64 if role == 2 else 0) or not epoch_count:
        raise FormatError(name, "has a payload of a wrong size")
    other_name = "config"
    same("repository id", cursor.take(16), config.repository_id)
    same("keyspace id", cursor.take(16), config.keyspace_id)
    slot_id = cursor.take(16)
    same("root public key", cursor.take(32), config.root_public_key)
    data_public_key, seed = cursor.take(32), cursor.take(32)
    other_name = "the keyring"
    same("slot id", slot_id, slot.id)
    same("public key", Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw(), slot.public_key)
    secrets: dict[int, bytes] = {}
    for _ in range(epoch_count):
        epoch = cursor.integer(4)
        if epoch <= max(secrets, default=0) or epoch not in keyring.epochs:
            raise FormatError(name, f"has member epoch {epoch} out of order, or the keyring does not list it")
        secrets[epoch] = cursor.take(32)
    data_secret_key = None
    if role == 2:
        other_name = "its own payload"
        data_secret_key, root_seed = cursor.take(32), cursor.take(32)
        same("data secret key", X25519PrivateKey.from_private_bytes(data_secret_key).public_key().public_bytes_raw(),
             data_public_key)
        same("root seed", Ed25519PrivateKey.from_private_bytes(root_seed).public_key().public_bytes_raw(),
             config.root_public_key)
    epochs = {epoch: EpochKeys(secret) for epoch, secret in secrets.items()}
    return OpenedSlot(epochs, slot_id, data_public_key, data_secret_key)


def newest_keyring(folder: storage.Folder, config: Config) -> Keyring:
    numbers = [int(name.split("/")[1]) for name in folder.names("keyring", storage.NUMBER)]
    if not numbers:
        raise FormatError("keyring/0", "the object is missing")
    number = max(numbers)
    return parse_keyring(number, folder.read(f"keyring/{number}", limits.KEYRING), config)


def open_slot(folder: storage.Folder, config: Config, keyring: Keyring, credential: Credential) -> OpenedSlot:
    """Only slots that the keyring lists are tried, so a slot object put there by others costs no password derivation."""
    damaged: list[FormatError] = []
    for slot in keyring.slots.values():
        name = f"keys/{slot.id.hex()}"
        try:
            data = folder.read(name, limits.KEY_SLOT)
            if hashlib.sha256(data).digest() != slot.key_digest:
                raise FormatError(name, "its digest is not the one in the keyring")
            payload = try_slot(name, data, credential)
        except FormatError as error:
            damaged.append(error)
            continue
        if payload is not None:
            return parse_payload(name, payload, config, slot, keyring)
    if damaged:
        raise damaged[0]
    raise UsageError("the password or key file opens no slot of this repository")
