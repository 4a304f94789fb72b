import Bytes
import RepositoryFormat
import Sealing
import Testing

/// A secret of the bytes that hexadecimal digits name.
func secret(_ hexadecimal: String) -> SecretBytes {
    guard var bytes = Hexadecimal.decode(hexadecimal) else { preconditionFailure("hexadecimal digits") }
    return .moving(&bytes)
}

func bytes(_ hexadecimal: String) -> [UInt8] {
    guard let bytes = Hexadecimal.decode(hexadecimal) else { preconditionFailure("hexadecimal digits") }
    return bytes
}

func counting(from first: UInt8 = 0, _ byteCount: Int = 32) -> [UInt8] { (0..<byteCount).map { first &+ UInt8($0) } }

extension SecretBytes {
    var hexadecimal: String { unsafe withBytes { unsafe Hexadecimal.encode($0) } }
}

extension OneTimeKey {
    var hexadecimal: String { unsafe withBytes { unsafe Hexadecimal.encode($0) } }
}

/// Answers that others have published, or that Python's hashlib, hmac and PyNaCl gave to the same questions.
struct KnownAnswerTests {
    private static let member = MemberKeys(memberSecret: secret(Hexadecimal.encode(counting())), epoch: 1)

    /// McGrew and Viega, “The Galois/Counter Mode of Operation”, test cases 13 and 14: zero key, zero nonce.
    @Test func `AES-256-GCM is that of its authors`() throws {
        let key = secret(String(repeating: "00", count: 32))
        let empty = AuthenticatedCipher.seal([], key: key, associatedData: [])
        #expect(Hexadecimal.encode(empty) == "530f8afbc74536b9a963b4f1c4cb738b")
        let block = AuthenticatedCipher.seal([UInt8](repeating: 0, count: 16), key: key, associatedData: [])
        #expect(Hexadecimal.encode(block) == "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")
        #expect(try AuthenticatedCipher.open(block[...], key: key, associatedData: []) == [UInt8](repeating: 0, count: 16))
    }

    /// RFC 8032, 7.1, tests 1 to 3.
    @Test(arguments: [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ]) func `Ed25519 is that of RFC 8032`(seed: String, publicKey: String, message: String, signature: String) {
        let key = SigningKey(seed: secret(seed))
        #expect(Hexadecimal.encode(key.publicKey) == publicKey)
        #expect(Hexadecimal.encode(key.sign(bytes(message))) == signature)
        #expect(SigningKey.verify(bytes(signature), of: bytes(message), publicKey: bytes(publicKey)))
        #expect(!SigningKey.verify(bytes(signature), of: bytes(message) + [0], publicKey: bytes(publicKey)))
        for index in 0..<64 {
            var changed = bytes(signature)
            changed[index] ^= 1
            #expect(!SigningKey.verify(changed, of: bytes(message), publicKey: bytes(publicKey)))
        }
        #expect(!SigningKey.verify(bytes(signature) + [0], of: bytes(message), publicKey: bytes(publicKey)))
        #expect(!SigningKey.verify(bytes(signature), of: bytes(message), publicKey: Array(bytes(publicKey).dropLast())))
    }

    @Test func `BLAKE2b has the digest length, the key and the message in it`() {
        let abc = Array("abc".utf8)
        #expect(Hexadecimal.encode(Sodium.publicHash(key: nil, abc)) == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319")
        let key = secret(Hexadecimal.encode(counting()))
        #expect(Hexadecimal.encode(Sodium.publicHash(key: key, abc)) == "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f")
        #expect(Sodium.hash(key: key, abc).hexadecimal == "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f")
    }

    @Test func `SHA-256 is that of FIPS 180-4`() {
        #expect(ObjectDigest.of(Array("abc".utf8)).hexadecimal == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test(arguments: [
        (3, "3dec03af440ad91382d4e9d5f6447d6499dc2d45f1212c37f83535a2da81cf99"), (6, "05c9f02e7c9019cccc544216d4abf3e82de3cca988ce35fba09722a3b3512521"),
        (7, "be28cb0941abe0b77e85a08f93f8c7b249ab8d9311fba7b1cd5f0feae676a7aa"), (8, "2c0d9168e4dcbf4cf61ba9cc76b6990c2eb7c390e8822472b69b35bca734eddb"),
    ]) func `subkeys of the member secret are those of the format`(number: Int, expected: String) {
        let key = [3: Self.member.chunkerKey, 6: Self.member.metadataKey, 7: Self.member.mapSegmentKey, 8: Self.member.segmentInputKey][number]
        #expect(key?.hexadecimal == expected)
    }

    @Test func `chunk ids of the two kinds differ, and are those of the format`() {
        let abc = Array("abc".utf8)
        let (data, map) = unsafe abc.withUnsafeBytes { unsafe (Self.member.chunkID(.data, $0), Self.member.chunkID(.map, $0)) }
        #expect(data.hexadecimal == "59acf5de72f27f5630cda7567159b1a06336cbc2e840944fbc1fdbf33dc42631")
        #expect(map.hexadecimal == "87dcdfca9b79ff1337aff974eb4e864f69a7aebb4de08a24c68dbf1f5f64d15b")
    }

    /// Few and many, empty, short, and longer than the multi-buffer library takes; in an order that is none.
    @Test(arguments: [0, 1, 11, 12, 40, 300]) func `ids that are computed together are those computed one by one`(count: Int) {
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 * 131 + $0 / 251) }
        let byteCounts = [32_768, 0, 1, 63, 64, 65_534, 65_535, 65_536, 16_385, 131_072, 20_000, 55, 56, 119, 120, 40_000]
        let ranges = (0..<count).map { number in
            let start = number * 97 % 60_000
            return start..<start + byteCounts[number * 7 % byteCounts.count]
        }
        for kind in [PackDirectory.Kind.data, .map] {
            let (together, single) = unsafe bytes.withUnsafeBytes { bytes in
                unsafe (
                    Self.member.chunkIDs(kind, ranges, in: bytes),
                    ranges.map { unsafe Self.member.chunkID(kind, UnsafeRawBufferPointer(rebasing: bytes[$0])) }
                )
            }
            #expect(together == single)
        }
    }

    /// Lengths on both sides of each of XXH3's paths.
    @Test(arguments: [
        (0, "ca36458515013d998feae73073af1191", "f381390b427d6c5aa4894debe6c018d0"), (1, "6ae352a85e185138a05bb8f901b8b0f5", "616433210efdda68e9c7ad2775d1a75e"),
        (3, "6a8fc6a0f583b21a842299d79ae88e39", "5d7448cf8bf42ad971920f404d0413c5"), (4, "d587cbb166867d3f005528c0edf7f5c3", "59ddc6870742354d6998598267af1a12"),
        (8, "0dd6fafc2e9f74e874c972afb8f43e02", "0b63b9e2bf0b6a3c5427b23a3690aee8"), (9, "ec59448899f811312a535f3545a5f38d", "c66b3eabadfe23ea7330e47116bc10ac"),
        (16, "4a6e57863f21302f6a4164c218b7f1f2", "c17e0e7d125123d5a922d5ee6b11d15e"), (17, "8a419de4fadd8ebcc7561cdda25c1313", "694b6b52dc192b071d3dfb0dad0d4c24"),
        (128, "2042850131557778e770c06fdc509420", "f2a02574dcf47f326f50c238d95c2067"), (129, "25a1584c610a9f94921201dcdb3e6d44", "9e2c0d3970b67b2366cae4d6526a5a63"),
        (240, "4bd010c52add1d562f391d7b917dc770", "898208c0f523476fff4929477e183767"), (241, "e1cb7cc2d53d06e5380a00fc0b899444", "85b2572b92eed9c0943477e2d06c6e8f"),
        (1000, "a3386f6de0fab31e26b83af59794c7bd", "e8043ebbd29b1b635f7168f70fcabe23"),
        (100_000, "031e9c37b5791a3530ff4951e61ee48b", "f762efd86f89988dde821eacf0d8ed02"),
    ]) func `fingerprints and segment digests are those of the format`(byteCount: Int, fingerprint: String, digest: String) {
        let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 * 7 + 3) }
        let found = unsafe bytes.withUnsafeBytes { unsafe (Self.member.fingerprint($0), Self.member.segmentDigest($0)) }
        var writer = ByteWriter()
        writer.write(found.0.low)
        writer.write(found.0.high)
        #expect(Hexadecimal.encode(writer.bytes) == fingerprint)
        #expect(found.1.hexadecimal == digest)
    }

    @Test func `one-time keys and segment keys are those of the format`() {
        let salt = Digest(counting(from: 32))
        #expect(
            OneTimeKey.derive(base: Self.member.metadataKey, type: .manifest, salt: salt).hexadecimal
                == "d1f46c33beb12776cbb9cb26d1c1eb5faa6f894c108f217e2184688ae05efe93")
        let session = secret(Hexadecimal.encode(counting(from: 64)))
        #expect(
            OneTimeKey.dataSegment(sessionKey: session, member: Self.member, salt: salt).hexadecimal
                == "3402e57f3cc9f28f0c4ea4451d836476ddd968c6a027f9d8b88e410946176820")
    }

    @Test func `salts differ for the same content`() {
        let salts = (0..<100).map { _ in Self.member.salt(for: [1, 2, 3]) }
        #expect(Set(salts).count == 100)
    }
}
