/// Cyclic redundancy checks with reflected polynomials, without the inversions that some formats put around them.
package enum Checksums {
    /// Castagnoli: ext4, jbd2, XFS.
    package static func crc32c(_ seed: UInt32, _ bytes: some RandomAccessCollection<UInt8>) -> UInt32 { crc(castagnoli, seed, bytes) }

    /// IEEE 802.3 with its inversions: GPT.
    package static func crc32(_ bytes: some RandomAccessCollection<UInt8>) -> UInt32 { ~crc(ethernet, ~0, bytes) }

    /// CRC-16/ARC: the group descriptors of ext4 before it had crc32c.
    package static func crc16(_ seed: UInt16, _ bytes: some RandomAccessCollection<UInt8>) -> UInt16 {
        var value = seed
        for byte in bytes {
            value ^= UInt16(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xA001 : value >> 1 }
        }
        return value
    }

    private static let castagnoli = tables(0x82F6_3B78)
    private static let ethernet = tables(0xEDB8_8320)

    /// Eight tables, for eight bytes at a time (Kounavis, Berry 2005: “slicing by 8”).
    private static func tables(_ polynomial: UInt32) -> [UInt32] {
        var table = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
            table[byte] = value
        }
        for index in 256..<8 * 256 { table[index] = table[index - 256] >> 8 ^ table[Int(table[index - 256] & 0xff)] }
        return table
    }

    private static func crc(_ table: [UInt32], _ seed: UInt32, _ bytes: some RandomAccessCollection<UInt8>) -> UInt32 {
        bytes.withContiguousStorageIfAvailable { storage in crc(table.span, seed, unsafe Span(_unsafeElements: storage)) }
            ?? crc(table.span, seed, Array(bytes).span)
    }

    private static func crc(_ table: Span<UInt32>, _ seed: UInt32, _ bytes: Span<UInt8>) -> UInt32 {
        var value = seed
        var position = 0
        while position + 8 <= bytes.count {
            let low = value ^ (UInt32(bytes[position]) | UInt32(bytes[position + 1]) << 8 | UInt32(bytes[position + 2]) << 16 | UInt32(bytes[position + 3]) << 24)
            let first = table[7 * 256 + Int(low & 0xff)] ^ table[6 * 256 + Int(low >> 8 & 0xff)]
            let second = table[5 * 256 + Int(low >> 16 & 0xff)] ^ table[4 * 256 + Int(low >> 24)]
            let third = table[3 * 256 + Int(bytes[position + 4])] ^ table[2 * 256 + Int(bytes[position + 5])]
            let fourth = table[256 + Int(bytes[position + 6])] ^ table[Int(bytes[position + 7])]
            value = first ^ second ^ third ^ fourth
            position += 8
        }
        while position < bytes.count {
            value = value >> 8 ^ table[Int((value ^ UInt32(bytes[position])) & 0xff)]
            position += 1
        }
        return value
    }
}
