import TestSupport

/// Images with what real ones have: noise, repetition, zero runs, odd ends.
package enum TestImages {
    package static func random(byteCount: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return generator.bytes(byteCount)
    }

    package static func mixed(byteCount: Int, seed: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        var state = seed &+ 0x9E37_79B9_7F4A_7C15
        func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        var position = 0
        while position < byteCount {
            let end = min(byteCount, position + Int(next() % 400_000) + 1)
            switch next() % 4 {
            case 0: break
            case 1:
                for index in position..<end { bytes[index] = UInt8(truncatingIfNeeded: index / 64) }
            default:
                var index = position
                while index < end {
                    let word = next()
                    for shift in 0..<min(8, end - index) { bytes[index + shift] = UInt8(truncatingIfNeeded: word >> UInt64(8 * shift)) }
                    index += 8
                }
            }
            position = end
        }
        return bytes
    }
}
