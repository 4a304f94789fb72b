/// Appends little-endian fields one after another.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init(reservingByteCount byteCount: Int = 0) { bytes.reserveCapacity(byteCount) }

    public mutating func write(_ value: UInt8) { bytes.append(value) }
    public mutating func write(_ value: UInt16) { writeLittleEndian(value) }
    public mutating func write(_ value: UInt32) { writeLittleEndian(value) }
    public mutating func write(_ value: UInt64) { writeLittleEndian(value) }
    public mutating func write(_ values: some Collection<UInt8>) { bytes.append(contentsOf: values) }

    public mutating func write(_ digest: Digest) {
        write(digest.words.0)
        write(digest.words.1)
        write(digest.words.2)
        write(digest.words.3)
    }

    public mutating func write(_ id: RandomID) {
        write(id.low)
        write(id.high)
    }

    private mutating func writeLittleEndian(_ value: some FixedWidthInteger) {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }
}
