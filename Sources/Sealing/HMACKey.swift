import Bytes
import Crypto

#if canImport(CIPSecMB)
import CIPSecMB
import CSodium
#endif

/// HMAC-SHA-256 under one key: of one message by swift-crypto, of many at once by Intel's multi-buffer library where there is one.
///
/// The steps of one SHA-256 wait for each other, so that one message alone leaves most of a core idle; several side by side are computed two to three
/// times as fast. Decision: Specs/decisions/0007-chunk-ids-side-by-side.md.
struct HMACKey: Sendable {
    private let key: SymmetricKey
    /// Has taken in the key; each message continues from a copy.
    private let keyed: HMAC<SHA256>

    /// - Precondition: `secret` has 32 bytes.
    init(_ secret: SecretBytes) {
        precondition(secret.byteCount == 32, "a key of HMAC-SHA-256")
        key = unsafe secret.withBytes { unsafe SymmetricKey(data: $0) }
        keyed = HMAC(key: key)
    }

    func code(of message: UnsafeRawBufferPointer) -> Bytes.Digest {
        var hash = keyed
        unsafe hash.update(data: message)
        let code = hash.finalize()
        return unsafe code.withUnsafeBytes { unsafe HMACKey.digest($0) }
    }

    /// The codes of the messages that lie in these ranges of `bytes`, in their order.
    func codes(of ranges: [Range<Int>], in bytes: UnsafeRawBufferPointer) -> [Bytes.Digest] {
        var codes = [Bytes.Digest](repeating: Bytes.Digest(words: (0, 0, 0, 0)), count: ranges.count)
        var rest = Array(ranges.indices)
        #if canImport(CIPSecMB)
        // The longest first, so that lanes end together.
        let fitting = rest.filter { MultiBufferHMAC.messageByteCounts.contains(ranges[$0].count) }.sorted { ranges[$0].count > ranges[$1].count }
        if fitting.count >= MultiBufferHMAC.messageCountMin, let lanes = MultiBufferHMAC.take() {
            // One that refused is not used again: what it has taken up is not known.
            if unsafe lanes.compute(key, fitting, ranges, bytes, &codes) {
                lanes.giveBack()
                rest.removeAll { MultiBufferHMAC.messageByteCounts.contains(ranges[$0].count) }
            }
        }
        #endif
        for index in rest { unsafe codes[index] = code(of: UnsafeRawBufferPointer(rebasing: bytes[ranges[index]])) }
        return codes
    }

    fileprivate static func digest(_ bytes: UnsafeRawBufferPointer) -> Bytes.Digest {
        func word(_ index: Int) -> UInt64 { unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)) }
        return Digest(words: (word(0), word(1), word(2), word(3)))
    }
}

#if canImport(CIPSecMB)
/// One thread's state of the multi-buffer library, from a pool: a few milliseconds to make.
@safe
private final class MultiBufferHMAC: @unchecked Sendable {
    /// It counts in 16 bits, and refuses to hash nothing.
    static let messageByteCounts = 1...Int(HOLDFAST_HMAC_BYTE_COUNT_MAX)
    static let messageCountMax = Int(HOLDFAST_HMAC_COUNT_MAX)
    /// With fewer messages, most lanes stay empty and one after the other is faster.
    static let messageCountMin = 12

    /// None where the library computes something else than swift-crypto does.
    private static let states = CheckedStates<MultiBufferHMAC>()

    private let state: OpaquePointer
    private var codes = [UInt8](repeating: 0, count: 32 * messageCountMax)

    private init?() {
        guard let state = unsafe holdfast_hmac_new() else { return nil }
        unsafe self.state = state
    }

    deinit { unsafe holdfast_hmac_free(state) }

    /// Nil if the library cannot be used on this machine.
    static func take() -> MultiBufferHMAC? { states.take(orMake: { MultiBufferHMAC().flatMap { $0.isRight() ? $0 : nil } }) }

    func giveBack() { MultiBufferHMAC.states.giveBack(self) }

    /// Whether it agrees with swift-crypto on messages around all of SHA-256's padding.
    private func isRight() -> Bool {
        let key = SymmetricKey(size: .bits256)
        let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 * 31 + 7) }
        let ranges = [1, 55, 56, 63, 64, 65, 119, 120, 127, 128, 1000, 2000, 3000, 4000, 4096, 100, 200, 300].map { 0..<$0 }
        var codes = [Bytes.Digest](repeating: Bytes.Digest(words: (0, 0, 0, 0)), count: ranges.count)
        return unsafe bytes.withUnsafeBytes { bytes in
            guard unsafe compute(key, Array(ranges.indices), ranges, bytes, &codes) else { return false }
            return ranges.indices.allSatisfy { index in
                let code = unsafe HMAC<SHA256>.authenticationCode(for: UnsafeRawBufferPointer(rebasing: bytes[ranges[index]]), using: key)
                return unsafe code.withUnsafeBytes { unsafe HMACKey.digest($0) } == codes[index]
            }
        }
    }

    /// Puts the codes of the messages with the numbers `order` into `result`; false if the library refuses.
    ///
    /// - Precondition: the length of each is one of `messageByteCounts`.
    func compute(
        _ key: SymmetricKey, _ order: [Int], _ ranges: [Range<Int>], _ bytes: UnsafeRawBufferPointer, _ result: inout [Bytes.Digest]
    ) -> Bool {
        var prepared = holdfast_hmac_key()
        defer { unsafe withUnsafeMutableBytes(of: &prepared) { unsafe sodium_memzero($0.baseAddress!, $0.count) } }
        unsafe key.withUnsafeBytes { unsafe holdfast_hmac_prepare(state, $0.bindMemory(to: UInt8.self).baseAddress, &prepared) }
        var start = 0
        while start < order.count {
            let part = order[start..<min(start + MultiBufferHMAC.messageCountMax, order.count)]
            var offsets = part.map { ranges[$0].lowerBound }
            var byteCounts = part.map { ranges[$0].count }
            precondition(byteCounts.allSatisfy { MultiBufferHMAC.messageByteCounts.contains($0) } && part.allSatisfy { ranges[$0].upperBound <= bytes.count }, "messages within the bytes")
            guard unsafe holdfast_hmac_all(state, &prepared, bytes.baseAddress, &offsets, &byteCounts, part.count, &codes) == 0 else { return false }
            unsafe codes.withUnsafeBytes { codes in
                for (number, index) in part.enumerated() { result[index] = unsafe HMACKey.digest(UnsafeRawBufferPointer(rebasing: codes[number * 32..<number * 32 + 32])) }
            }
            start = part.endIndex
        }
        return true
    }
}
#endif
