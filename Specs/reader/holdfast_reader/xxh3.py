"""XXH3-128 with a secret of 192 bytes.

No package offers it with a secret. Long inputs are reckoned on whole columns at once, which is several times faster
than a loop over stripes: within a block the lanes are only added to, so the sums can be taken in any order.
"""

from functools import lru_cache
from operator import mul
from struct import unpack, unpack_from

_M32 = (1 << 32) - 1
_M64 = (1 << 64) - 1
_P32_1, _P32_2, _P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
_P64_1, _P64_2, _P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P64_4, _P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
_BLOCK = 1024
_STRIPE = 64
SECRET_SIZE = 192


def xxh3_128(data: bytes, secret: bytes) -> tuple[int, int]:
    """The low and the high 64 bits."""
    assert len(secret) == SECRET_SIZE
    count = len(data)
    if count > 240:
        return _long(data, secret)
    if count > 16:
        return _middle(data, secret)
    return _short(data, secret)


def _r32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset:offset + 4], "little")


def _r64(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset:offset + 8], "little")


def _swap(value: int, size: int) -> int:
    return int.from_bytes(value.to_bytes(size, "little"), "big")


def _avalanche64(h: int) -> int:
    h = (h ^ h >> 33) * _P64_2 & _M64
    h = (h ^ h >> 29) * _P64_3 & _M64
    return h ^ h >> 32


def _avalanche(h: int) -> int:
    h = (h ^ h >> 37) * 0x165667919E3779F9 & _M64
    return h ^ h >> 32


def _fold(a: int, b: int) -> int:
    product = a * b
    return (product ^ product >> 64) & _M64


def _short(data: bytes, secret: bytes) -> tuple[int, int]:
    count = len(data)
    if count > 8:
        flip_low = _r64(secret, 32) ^ _r64(secret, 40)
        flip_high = _r64(secret, 48) ^ _r64(secret, 56)
        last = _r64(data, count - 8)
        product = (_r64(data, 0) ^ last ^ flip_low) * _P64_1
        low = (product & _M64) + (count - 1 << 54) & _M64
        last ^= flip_high
        high = (product >> 64) + last + (last & _M32) * (_P32_2 - 1) & _M64
        low ^= _swap(high, 8)
        product = low * _P64_2
        return _avalanche(product & _M64), _avalanche((product >> 64) + high * _P64_2 & _M64)
    if count >= 4:
        word = _r32(data, 0) + (_r32(data, count - 4) << 32)
        product = (word ^ _r64(secret, 16) ^ _r64(secret, 24)) * (_P64_1 + (count << 2) & _M64)
        low, high = product & _M64, product >> 64
        high = high + (low << 1) & _M64
        low ^= high >> 3
        low = (low ^ low >> 35) * 0x9FB21C651E98DF25 & _M64
        return low ^ low >> 28, _avalanche(high)
    if count:
        low = data[0] << 16 | data[count >> 1] << 24 | data[-1] | count << 8
        swapped = _swap(low, 4)
        high = (swapped << 13 | swapped >> 19) & _M32
        return (_avalanche64(low ^ _r32(secret, 0) ^ _r32(secret, 4)),
                _avalanche64(high ^ _r32(secret, 8) ^ _r32(secret, 12)))
    return _avalanche64(_r64(secret, 64) ^ _r64(secret, 72)), _avalanche64(_r64(secret, 80) ^ _r64(secret, 88))


def _middle(data: bytes, secret: bytes) -> tuple[int, int]:
    count = len(data)
    low, high = count * _P64_1 & _M64, 0

    def mix16(offset: int, at: int) -> int:
        return _fold(_r64(data, offset) ^ _r64(secret, at), _r64(data, offset + 8) ^ _r64(secret, at + 8))

    def mix32(first: int, second: int, at: int) -> None:
        nonlocal low, high
        low = (low + mix16(first, at) & _M64) ^ (_r64(data, second) + _r64(data, second + 8) & _M64)
        high = (high + mix16(second, at + 16) & _M64) ^ (_r64(data, first) + _r64(data, first + 8) & _M64)

    if count <= 128:
        for i in range((count - 1) // 32, -1, -1):
            mix32(16 * i, count - 16 * (i + 1), 32 * i)
    else:
        for i in range(0, 128, 32):
            mix32(i, i + 16, i)
        low, high = _avalanche(low), _avalanche(high)
        for i in range(128, count - 31, 32):
            mix32(i, i + 16, i - 125)
        mix32(count - 16, count - 32, 103)
    first = _avalanche(low + high & _M64)
    second = low * _P64_1 + high * _P64_4 + count * _P64_2 & _M64
    return first, -_avalanche(second) & _M64


@lru_cache(maxsize=4)
def _block_key(secret: bytes) -> bytes:
    """What a block is combined with: its stripe i meets the secret from byte 8i."""
    return b"".join(secret[i:i + _STRIPE] for i in range(0, SECRET_SIZE - _STRIPE, 8))


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")


def _accumulate(lanes: list[int], data: bytes, key: bytes) -> None:
    """Adds whole stripes to the lanes."""
    halves = unpack(f"<{len(data) // 4}I", _xor(data, key))
    products = list(map(mul, halves[0::2], halves[1::2]))
    words = unpack(f"<{len(data) // 8}Q", data)
    for i in range(8):
        lanes[i] = lanes[i] + sum(products[i::8]) + sum(words[i ^ 1::8]) & _M64


def _long(data: bytes, secret: bytes) -> tuple[int, int]:
    lanes = [_P32_3, _P64_1, _P64_2, _P64_3, _P64_4, _P32_2, _P64_5, _P32_1]
    count = len(data)
    key = _block_key(secret)
    scramble = unpack_from("<8Q", secret, SECRET_SIZE - _STRIPE)
    whole = (count - 1) // _BLOCK * _BLOCK
    for start in range(0, whole, _BLOCK):
        _accumulate(lanes, data[start:start + _BLOCK], key)
        lanes = [((lane ^ lane >> 47) ^ word) * _P32_1 & _M64 for lane, word in zip(lanes, scramble)]
    rest = (count - 1 - whole) // _STRIPE * _STRIPE
    if rest:
        _accumulate(lanes, data[whole:whole + rest], key[:rest])
    _accumulate(lanes, data[count - _STRIPE:], secret[SECRET_SIZE - _STRIPE - 7:SECRET_SIZE - 7])

    def merge(at: int, start: int) -> int:
        words = unpack_from("<8Q", secret, at)
        for i in range(0, 8, 2):
            start += _fold(lanes[i] ^ words[i], lanes[i + 1] ^ words[i + 1])
        return _avalanche(start & _M64)

    return merge(11, count * _P64_1), merge(SECRET_SIZE - _STRIPE - 11, ~(count * _P64_2) & _M64)
