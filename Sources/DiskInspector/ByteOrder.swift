extension UInt32 {
    var littleEndianBytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
    var bigEndianBytes: [UInt8] { littleEndianBytes.reversed() }
}
