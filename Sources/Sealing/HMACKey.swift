import Bytes
import CSodium
import Crypto

#if canImport(CIPSecMB)
import CIPSecMB
#endif

/// HMAC-SHA-256 under one key: of one message by swift-crypto, of a short one by libsodium, of many at once by Intel's multi-buffer library where there is one.
///
/// The steps of one SHA-256 wait for each other, so that one message alone leaves most of a core idle; several side by side are computed two to three
/// times as fast. Decision: Specs/decisions/0007-chunk-ids-side-by-side.md.
struct HMACKey: Sendable {
    private let key: SymmetricKey
    /// Has taken in the key; each message continues from a copy.
    private let keyed: HMAC<SHA256>
    /// The same for libsodium.
    private let shortKeyed: SecretBytes

    /// - Precondition: `secret` has 32 bytes.
    init(_ secret: SecretBytes) {
        precondition(secret.byteCount == 32, "a key of HMAC-SHA-256")
        key = unsafe secret.withBytes { unsafe SymmetricKey(data: $0) }
        keyed = HMAC(key: key)
        shortKeyed = unsafe SecretBytes(byteCount: MemoryLayout<crypto_auth_hmacsha256_state>.size) { state in
            unsafe secret.withBytes { secret in
                _ = unsafe crypto_auth_hmacsha256_init(
                    state.baseAddress!.assumingMemoryBound(to: crypto_auth_hmacsha256_state.self), secret.baseAddress!.assumingMemoryBound(to: UInt8.self), secret.count)
            }
        }
    }

    /// The same as `code(of:)`. libsodium is slower for each byte, but draws no memory: for a message of a block it is the faster one.
    func code(ofShort message: UnsafeRawBufferPointer) -> Bytes.Digest {
        // Wiped by libsodium when it is done.
        var state = crypto_auth_hmacsha256_state()
        unsafe withUnsafeMutableBytes(of: &state) { state in unsafe shortKeyed.withBytes { unsafe state.copyMemory(from: $0) } }
        var code: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        return unsafe withUnsafeMutableBytes(of: &code) { code in
            let bytes = unsafe code.baseAddress!.assumingMemoryBound(to: UInt8.self)
            unsafe crypto_auth_hmacsha256_update(&state, message.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(message.count))
            unsafe crypto_auth_hmacsha256_final(&state, bytes)
            return unsafe Digest(loading: UnsafeRawBufferPointer(code))
        }
    }

    func code(of message: UnsafeRawBufferPointer) -> Bytes.Digest {
        var hash = keyed
        unsafe hash.update(data: message)
        let code = hash.finalize()
        return unsafe code.withUnsafeBytes { unsafe Digest(loading: $0) }
    }

    /// The codes of the messages that lie in these ranges of `bytes`, in their order.
    func codes(of ranges: [Range<Int>], in bytes: UnsafeRawBufferPointer) -> [Bytes.Digest] {
        var codes = [Bytes.Digest](repeating: Bytes.Digest(words: (0, 0, 0, 0)), count: ranges.count)
        let done = unsafe sideBySide(ranges, in: bytes, &codes)
        for (index, range) in ranges.enumerated() where !(done?.contains(range.count) ?? false) {
            unsafe codes[index] = code(of: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
        return codes
    }

    /// Puts codes in their places, and returns the lengths of the messages that it did so for; nil for none.
    private func sideBySide(_ ranges: [Range<Int>], in bytes: UnsafeRawBufferPointer, _ codes: inout [Bytes.Digest]) -> ClosedRange<Int>? {
        #if canImport(CIPSecMB)
        let byteCounts = MultiBufferHMAC.messageByteCounts
        guard ranges.count(where: { byteCounts.contains($0.count) }) >= MultiBufferHMAC.messageCountMin, let lanes = MultiBufferHMAC.take() else { return nil }
        // One that refused is not used again: what it has taken up is not known.
        guard unsafe lanes.compute(key, ranges, bytes, &codes) else { return nil }
        lanes.giveBack()
        return byteCounts
        #else
        return nil
        #endif
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
    /// Of one call, here so that calls draw no memory. Numbers of messages, and where and how long these are.
    private var order: [Int] = []
    private var offsets = [Int](repeating: 0, count: messageCountMax)
    private var byteCounts = [Int](repeating: 0, count: messageCountMax)
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
            guard unsafe compute(key, ranges, bytes, &codes) else { return false }
            return ranges.indices.allSatisfy { index in
                let code = unsafe HMAC<SHA256>.authenticationCode(for: UnsafeRawBufferPointer(rebasing: bytes[ranges[index]]), using: key)
                return unsafe code.withUnsafeBytes { unsafe Digest(loading: $0) } == codes[index]
            }
        }
    }

    /// Puts the codes of the messages whose length is one of `messageByteCounts` into their places; false if the library refuses.
    func compute(_ key: SymmetricKey, _ ranges: [Range<Int>], _ bytes: UnsafeRawBufferPointer, _ result: inout [Bytes.Digest]) -> Bool {
        var prepared = holdfast_hmac_key()
        defer { unsafe withUnsafeMutableBytes(of: &prepared) { unsafe sodium_memzero($0.baseAddress!, $0.count) } }
        unsafe key.withUnsafeBytes { unsafe holdfast_hmac_prepare(state, $0.bindMemory(to: UInt8.self).baseAddress, &prepared) }
        order.removeAll(keepingCapacity: true)
        order += ranges.indices.lazy.filter { MultiBufferHMAC.messageByteCounts.contains(ranges[$0].count) }
        precondition(order.allSatisfy { ranges[$0].lowerBound >= 0 && ranges[$0].upperBound <= bytes.count }, "messages within the bytes")
        for start in stride(from: 0, to: order.count, by: MultiBufferHMAC.messageCountMax) {
            let count = min(order.count - start, MultiBufferHMAC.messageCountMax)
            // So that lanes end together.
            putLongestFirst(start..<start + count, ranges)
            for number in 0..<count {
                offsets[number] = ranges[order[start + number]].lowerBound
                byteCounts[number] = ranges[order[start + number]].count
            }
            guard unsafe holdfast_hmac_all(state, &prepared, bytes.baseAddress, offsets, byteCounts, count, &codes) == 0 else { return false }
            unsafe codes.withUnsafeBytes { codes in
                for number in 0..<count { result[order[start + number]] = unsafe Digest(loading: UnsafeRawBufferPointer(rebasing: codes[number * 32..<number * 32 + 32])) }
            }
        }
        return true
    }

    /// Sorts a part of `order`, a few dozen messages. By hand: the library's sort draws memory.
    private func putLongestFirst(_ part: Range<Int>, _ ranges: [Range<Int>]) {
        for end in part {
            let (message, byteCount) = (order[end], ranges[order[end]].count)
            var place = end
            while place > part.lowerBound, ranges[order[place - 1]].count < byteCount {
                order[place] = order[place - 1]
                place -= 1
            }
            order[place] = message
        }
    }
}
#endif
