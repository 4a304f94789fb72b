/// 32 bytes that name or authenticate something: a SHA-256 or an HMAC-SHA-256.
///
/// Four words instead of an array, so that millions of them cost no allocation. Word 0 holds bytes 0…7, little-endian.
public struct Digest: Hashable, Sendable, BitwiseCopyable {
    public static let byteCount = 32

    package let words: (UInt64, UInt64, UInt64, UInt64)

    package init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// - Precondition: `bytes` has exactly 32 bytes.
    public init(_ bytes: some Collection<UInt8>) {
        self = unsafe bytes.withContiguousStorageIfAvailable { unsafe Digest(loading: UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes { unsafe Digest(loading: $0) }
    }

    /// - Precondition: `bytes` has exactly 32 bytes.
    package init(loading bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Digest.byteCount, "a digest has 32 bytes")
        func word(_ index: Int) -> UInt64 { unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)) }
        words = (word(0), word(1), word(2), word(3))
    }

    /// Nil unless `hexadecimal` is 64 lower-case digits.
    public init?(hexadecimal: some StringProtocol) {
        guard let bytes = Hexadecimal.decode(hexadecimal), bytes.count == Digest.byteCount else { return nil }
        self.init(bytes)
    }

    public var bytes: [UInt8] {
        var writer = ByteWriter(reservingByteCount: Digest.byteCount)
        writer.write(self)
        return writer.bytes
    }

    public var hexadecimal: String { Hexadecimal.encode(bytes) }

    public static func == (left: Digest, right: Digest) -> Bool {
        left.words.0 == right.words.0 && left.words.1 == right.words.1
            && left.words.2 == right.words.2 && left.words.3 == right.words.3
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

/// A digest that names one kind of thing, so that a chunk cannot be asked for by the name of a pack.
public protocol DigestNamed: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
    var digest: Digest { get }
    init(_ digest: Digest)
}

extension DigestNamed {
    public var hexadecimal: String { digest.hexadecimal }
    public var description: String { hexadecimal }
}

/// Keyed digest of a chunk's plaintext.
public struct ChunkID: DigestNamed {
    public let digest: Digest
    public init(_ digest: Digest) { self.digest = digest }
}

/// SHA-256 of a pack's bytes, which is also its object's name.
public struct PackID: DigestNamed {
    public let digest: Digest
    public init(_ digest: Digest) { self.digest = digest }
}

/// SHA-256 of an index object's bytes, which is also its name.
public struct IndexID: DigestNamed {
    public let digest: Digest
    public init(_ digest: Digest) { self.digest = digest }
}
