"""XXH3 against results of the C library with a secret, at each border between its ways to reckon."""

import pytest

from holdfast_reader.xxh3 import xxh3_128

SECRET = bytes((i * 37 + 11 ^ i >> 3) & 255 for i in range(192))
DATA = bytes((i * 131 + 7 ^ i >> 5) & 255 for i in range(5000))


@pytest.mark.parametrize("count, low, high", [
    (0, 0x58020423a5faa02a, 0x126f9bc4d8dc5b00),
    (1, 0x64ed7b5bbcd1acb6, 0x0f1af8632a21affe),
    (3, 0xcfdfeb9eccd7600d, 0x17f6e799c6a12f66),
    (4, 0xc106858080838c05, 0x7a64f37472d881b3),
    (8, 0x2e6dda60a0f0722c, 0xd652bb24f5ab36cf),
    (9, 0xa873aef26a25e94f, 0x9473564552699a18),
    (16, 0x2494daf456dded6b, 0xa43145665bcaab69),
    (17, 0x6b0ed06dcd129f6e, 0xe4a3acefaff49934),
    (32, 0xb7f27fb1de12cd69, 0xb2bb6aab33c2e9a4),
    (33, 0x1876366a791b1ae2, 0x1d3bc0ac9d4abb6c),
    (64, 0xf5e0678f9172b5f2, 0xb4c17b869046e69d),
    (65, 0xa1d84fe55a11d6d9, 0x5dfbeda630e18b88),
    (128, 0x26f2043edff0f015, 0xd9e6b80e663f9bf4),
    (129, 0x17b05ffc01ac6062, 0xda4e815f29abce51),
    (160, 0xede03e57f6388852, 0xe44b1747cc2479b4),
    (240, 0x3504b992cdf95a22, 0x2e3299d413050d4c),
    (241, 0x74cf6c4abcf1ccd4, 0x916deacbdb94d46c),
    (1024, 0x7a4cfce08c62827a, 0xa0b84c1bb2a0c8b7),
    (1025, 0x39699a5d6ef96a6f, 0x0c7266118712e436),
    (1088, 0x48e75466772c0559, 0x5a3a369bd74372e5),
    (1089, 0x32f4a4cf97d8df6d, 0x5fffa7deafa03e45),
    (2049, 0x2e98e798b77fdc6b, 0xf7a747b065d19887),
    (5000, 0xb48a48f04cc4354d, 0x5b68c45f17b380cb),
])
def test_with_secret(count: int, low: int, high: int) -> None:
    assert xxh3_128(DATA[:count], SECRET) == (low, high)
