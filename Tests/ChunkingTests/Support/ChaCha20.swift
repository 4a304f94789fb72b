/// The block function of RFC 8439, 2.3, to derive a table without libsodium.
enum ChaCha20 {
    static func keystream(key: [UInt8], nonce: [UInt8], byteCount: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var counter: UInt32 = 0
        while bytes.count < byteCount {
            for word in block(words(Array("expand 32-byte k".utf8)) + words(key) + [counter] + words(nonce)) {
                for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
            }
            counter += 1
        }
        return Array(bytes.prefix(byteCount))
    }

    private static func block(_ start: [UInt32]) -> [UInt32] {
        var state = start
        for _ in 0..<10 {
            for column in 0..<4 { quarterRound(&state, column, column + 4, column + 8, column + 12) }
            for diagonal in 0..<4 {
                quarterRound(
                    &state, diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
            }
        }
        return zip(state, start).map { $0 &+ $1 }
    }

    private static func quarterRound(_ state: inout [UInt32], _ a: Int, _ b: Int, _ c: Int, _ d: Int) {
        for (first, second, third, rotation) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] as [(Int, Int, Int, UInt32)] {
            state[first] &+= state[second]
            let word = state[third] ^ state[first]
            state[third] = word << rotation | word >> (32 - rotation)
        }
    }

    private static func words(_ bytes: [UInt8]) -> [UInt32] {
        stride(from: 0, to: bytes.count, by: 4).map { start in
            (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
        }
    }
}
