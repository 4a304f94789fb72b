/// Bytes of an on-disk structure, whose fields are read at offsets that the structure itself may have named.
struct Record {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var byteCount: Int { bytes.count }

    func byte(_ offset: Int) throws(InspectionFailure) -> UInt8 {
        guard bytes.indices.contains(offset) else { throw .notProvable("a structure is cut off") }
        return bytes[offset]
    }

    func slice(_ offset: Int, _ byteCount: Int) throws(InspectionFailure) -> ArraySlice<UInt8> {
        guard offset >= 0, byteCount >= 0, offset <= bytes.count, byteCount <= bytes.count - offset else { throw .notProvable("a structure is cut off") }
        return bytes[offset..<offset + byteCount]
    }

    func little(_ offset: Int, _ byteCount: Int) throws(InspectionFailure) -> UInt64 {
        var value: UInt64 = 0
        for byte in try slice(offset, byteCount).reversed() { value = value << 8 | UInt64(byte) }
        return value
    }

    func big(_ offset: Int, _ byteCount: Int) throws(InspectionFailure) -> UInt64 {
        var value: UInt64 = 0
        for byte in try slice(offset, byteCount) { value = value << 8 | UInt64(byte) }
        return value
    }

    func little16(_ offset: Int) throws(InspectionFailure) -> UInt16 { UInt16(try little(offset, 2)) }
    func little32(_ offset: Int) throws(InspectionFailure) -> UInt32 { UInt32(try little(offset, 4)) }
    func little64(_ offset: Int) throws(InspectionFailure) -> UInt64 { try little(offset, 8) }
    func big16(_ offset: Int) throws(InspectionFailure) -> UInt16 { UInt16(try big(offset, 2)) }
    func big32(_ offset: Int) throws(InspectionFailure) -> UInt32 { UInt32(try big(offset, 4)) }
    func big64(_ offset: Int) throws(InspectionFailure) -> UInt64 { try big(offset, 8) }

    func holds(_ text: String, at offset: Int) -> Bool {
        let expected = Array(text.utf8)
        return offset >= 0 && offset + expected.count <= bytes.count && bytes[offset..<offset + expected.count].elementsEqual(expected)
    }

    /// The same with `byteCount` bytes at `offset` zero, as checksums want their own field.
    func blanking(_ offset: Int, _ byteCount: Int) throws(InspectionFailure) -> Record {
        _ = try slice(offset, byteCount)
        var copy = self
        for index in offset..<offset + byteCount { copy.bytes[index] = 0 }
        return copy
    }
}
