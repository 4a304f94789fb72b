import Bytes
import RepositoryFormat

/// What an inspector found on a disk, and its form on a pipe (Specs/inspection.md).
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 8 | magic: `HFINSPC1`; the last character is the version |
/// | 8 | 4 | byte count J of the JSON |
/// | 12 | J | JSON: `layout`, `warnings` |
/// | 12 + J | 4 | volume count V, as in the layout |
/// |  | … | V maps: a count of 4 bytes, 0xffffffff where it is not known what is free; then for each range two numbers |
/// |  | 8 | end mark: `HFINSEND` |
///
/// The numbers of a range are its distance from the end of the one before, and its length, both in units of 4096 bytes, in base 128 with the low
/// digits first and the top bit set in all bytes but the last.
package struct InspectionAnswer: Equatable, Sendable {
    package struct Warning: Equatable, Sendable {
        /// The index of the volume that it is about; nil for the whole disk.
        package var volume: Int?
        package var text: String

        package init(volume: Int?, text: String) {
            self.volume = volume
            self.text = text
        }
    }

    package static let magic = Array("HFINSPC1".utf8)
    package static let endMark = Array("HFINSEND".utf8)
    private static let notKnown = UInt32.max

    package let layout: DiskLayout
    /// For each volume of the layout what is free; nil where that is not known, and everything counts as used.
    package let freeMaps: [FreeMap?]
    package let warnings: [Warning]

    /// - Precondition: there is an entry in `freeMaps` for each volume.
    package init(layout: DiskLayout, freeMaps: [FreeMap?], warnings: [Warning]) {
        precondition(freeMaps.count == layout.volumes.count, "one map a volume")
        self.layout = layout
        self.freeMaps = freeMaps
        self.warnings = warnings
    }
}

extension InspectionAnswer {
    package var encoded: [UInt8] {
        let json: JSONValue = [
            "layout": layout.json,
            "warnings": .array(warnings.map { ["volume": .optionalCount($0.volume.map { UInt64($0) }), "text": .string($0.text)] }),
        ]
        let text = json.encoded
        var writer = ByteWriter(reservingByteCount: text.count + 1024)
        writer.write(InspectionAnswer.magic)
        writer.write(UInt32(text.count))
        writer.write(text)
        writer.write(UInt32(freeMaps.count))
        for map in freeMaps {
            writer.write(map.map { UInt32($0.ranges.count) } ?? InspectionAnswer.notKnown)
            var end: UInt64 = 0
            for range in map?.ranges ?? [] {
                writer.writeNumber((range.lowerBound - end) / DiskLayoutLimits.freeUnitByteCount)
                writer.writeNumber((range.upperBound - range.lowerBound) / DiskLayoutLimits.freeUnitByteCount)
                end = range.upperBound
            }
        }
        writer.write(InspectionAnswer.endMark)
        return writer.bytes
    }

    /// Believes nothing: the sender has parsed hostile bytes, and may be under their control.
    ///
    /// - Parameter diskByteCount: what the caller knows of the disk's size; the answer must say the same.
    package init(decoding bytes: [UInt8], diskByteCount: UInt64) throws(DiskLayoutError) {
        var reader = ByteReader(bytes)
        guard try field({ () throws(DecodingError) in Array(try reader.read(byteCount: 8, "magic")) }) == InspectionAnswer.magic else { throw .anotherVersion }
        let text = try field { () throws(DecodingError) in
            let byteCount = try reader.readCount(limit: DiskLayoutLimits.jsonByteCountMax, itemByteCount: 1, "JSON")
            return try reader.read(byteCount: byteCount, "JSON")
        }
        let json = try reading { () throws(FormatError) in try JSONValue(parsing: text) }
        layout = try DiskLayout(try reading { () throws(FormatError) in try json.value("layout") })
        guard layout.byteCount == diskByteCount else { throw .outOfBounds("byte_count") }
        warnings = try InspectionAnswer.warnings(json, volumeCount: layout.volumes.count)

        guard try field({ () throws(DecodingError) in Int(try reader.readUInt32("volume count")) }) == layout.volumes.count else { throw .outOfBounds("volumes") }
        var maps: [FreeMap?] = []
        var spareRangeCount = DiskLayoutLimits.answerRangeCountMax
        for (index, volume) in layout.volumes.enumerated() {
            let map = try InspectionAnswer.freeMap(&reader, of: volume, index)
            spareRangeCount -= map?.ranges.count ?? 0
            guard spareRangeCount >= 0 else { throw .freeRanges(volume: index) }
            maps.append(map)
        }
        freeMaps = maps
        guard try field({ () throws(DecodingError) in Array(try reader.read(byteCount: 8, "end mark")) }) == InspectionAnswer.endMark,
            reader.remainingByteCount == 0
        else { throw .truncated }
    }

    private static func warnings(_ json: JSONValue, volumeCount: Int) throws(DiskLayoutError) -> [Warning] {
        var warnings: [Warning] = []
        for warning in try reading({ () throws(FormatError) in try json.array("warnings", limit: DiskLayoutLimits.warningCountMax) }) {
            let volume = try warning.optionalCount("volume", limit: UInt64(volumeCount - 1))
            warnings.append(Warning(volume: volume.map { Int($0) }, text: try warning.boundedText("text")))
        }
        return warnings
    }

    private static func freeMap(_ reader: inout ByteReader, of volume: DiskVolume, _ index: Int) throws(DiskLayoutError) -> FreeMap? {
        let stated = try field { () throws(DecodingError) in try reader.readUInt32("range count") }
        if stated == notKnown { return nil }
        // Each range takes two bytes at least.
        guard stated <= DiskLayoutLimits.freeRangeCountMax, 2 * Int(stated) <= reader.remainingByteCount else { throw .freeRanges(volume: index) }
        let unitCount = volume.byteCount / DiskLayoutLimits.freeUnitByteCount
        var ranges: [Range<UInt64>] = []
        ranges.reserveCapacity(Int(stated))
        var end: UInt64 = 0
        for number in 0..<stated {
            let (distance, length) = try field { () throws(DecodingError) in (try reader.readNumber(), try reader.readNumber()) }
            // Both are below 2^49, so that no sum overflows.
            let start = end + distance
            guard length > 0, distance > 0 || number == 0, start + length <= unitCount else { throw .freeRanges(volume: index) }
            end = start + length
            ranges.append(start * DiskLayoutLimits.freeUnitByteCount..<end * DiskLayoutLimits.freeUnitByteCount)
        }
        return FreeMap(trusting: ranges)
    }
}

/// Runs `body`; where bytes are missing, the answer is cut off.
private func field<Value>(_ body: () throws(DecodingError) -> Value) throws(DiskLayoutError) -> Value {
    do { return try body() } catch { throw error == .outOfBounds(field: "JSON") ? .outOfBounds("JSON") : .truncated }
}

extension ByteWriter {
    fileprivate mutating func writeNumber(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            write(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        write(UInt8(rest))
    }
}

extension ByteReader {
    /// At most 7 digits: 49 bits.
    fileprivate mutating func readNumber() throws(DecodingError) -> UInt64 {
        var value: UInt64 = 0
        for digit in 0..<7 {
            let byte = try readUInt8("number")
            value |= UInt64(byte & 0x7f) << UInt64(7 * digit)
            if byte & 0x80 == 0 { return value }
        }
        throw .outOfBounds(field: "number")
    }
}
