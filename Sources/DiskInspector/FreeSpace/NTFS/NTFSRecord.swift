/// A record of the master file table, or an index block, whose sectors were checked against their update sequence.
///
/// Layout: fs/ntfs3/ntfs.h of the Linux kernel, and layout.h of ntfs-3g.
struct NTFSRecord {
    let record: Record

    /// - Throws: where a sector is not of the same writing as the others: the record is torn.
    init(_ raw: Record, magic: String) throws(InspectionFailure) {
        try require(raw.holds(magic, at: 0), "a record of it is damaged")
        let (offset, count) = (Int(try raw.little16(4)), Int(try raw.little16(6)))
        // A number, and two bytes for each 512.
        try require(count >= 2 && (count - 1) * 512 == raw.byteCount, "a record of it is damaged")
        var mended = raw
        let number = Array(try raw.slice(offset, 2))
        for sector in 0..<count - 1 {
            let end = sector * 512 + 510
            try require(try raw.slice(end, 2).elementsEqual(number), "a record of it is torn")
            mended.bytes.replaceSubrange(end..<end + 2, with: try raw.slice(offset + 2 + 2 * sector, 2))
        }
        record = mended
    }
}

/// An attribute of a file.
struct NTFSAttribute {
    let record: Record
    let type: UInt32

    static let attributeList: UInt32 = 0x20
    static let volumeInformation: UInt32 = 0x70
    static let data: UInt32 = 0x80
    static let indexRoot: UInt32 = 0x90
    static let indexAllocation: UInt32 = 0xA0

    var isResident: Bool { get throws(InspectionFailure) { try record.byte(8) == 0 } }
    var isPlain: Bool { get throws(InspectionFailure) { try record.little16(12) == 0 } }

    func name() throws(InspectionFailure) -> String {
        let (count, offset) = (Int(try record.byte(9)), Int(try record.little16(10)))
        return try record.utf16(offset, count)
    }

    func value() throws(InspectionFailure) -> Record {
        try require(try isResident, "a record of it is damaged")
        return Record(Array(try record.slice(Int(try record.little16(20)), Int(try record.little32(16)))))
    }

    /// Of one that is not resident.
    func byteCounts() throws(InspectionFailure) -> (allocated: UInt64, data: UInt64, initialised: UInt64) {
        (try record.little64(40), try record.little64(48), try record.little64(56))
    }

    /// Runs of clusters, in the file's order; a nil start is a hole.
    func runs(clusterCount: UInt64) throws(InspectionFailure) -> [(start: UInt64?, count: UInt64)] {
        try require(try !isResident, "a record of it is damaged")
        try require(try record.little64(16) == 0, "a record of it is damaged")
        var spareCount = clusterCount
        var runs: [(start: UInt64?, count: UInt64)] = []
        try forEachRun(clusterCount: clusterCount) { start, count throws(InspectionFailure) in
            try require(count <= spareCount, "a file of it lies in impossible places")
            spareCount -= count
            runs.append((start, count))
        }
        return runs
    }

    /// The same for any part of what is not resident; holes may be larger than the volume.
    func forEachRun(clusterCount: UInt64, _ body: (_ start: UInt64?, _ count: UInt64) throws(InspectionFailure) -> Void) throws(InspectionFailure) {
        var at = Int(try record.little16(32))
        var position: Int64 = 0
        while true {
            let head = try record.byte(at)
            if head == 0 { return }
            let (countBytes, offsetBytes) = (Int(head & 15), Int(head >> 4))
            try require((1...8).contains(countBytes) && offsetBytes <= 8, "a record of it is damaged")
            let count = try record.little(at + 1, countBytes)
            try require(count > 0, "a file of it lies in impossible places")
            if offsetBytes == 0 {
                try body(nil, count)
            } else {
                let raw = try record.little(at + 1 + countBytes, offsetBytes)
                let shift = 64 - 8 * offsetBytes
                position = position &+ Int64(bitPattern: raw << shift) >> shift
                try require(position >= 0 && UInt64(position) < clusterCount && count <= clusterCount - UInt64(position), "a file of it lies in impossible places")
                try body(UInt64(position), count)
            }
            at += 1 + countBytes + offsetBytes
        }
    }
}

extension NTFSRecord {
    /// All attributes of a file record. Throws where a list names further records: none of the files that are looked at has one, unless it is very scattered.
    func attributes() throws(InspectionFailure) -> [NTFSAttribute] {
        try require(try record.little16(22) & 1 != 0, "a record of it is not in use")
        try require(try record.little64(32) == 0, "a record of it is not in use")
        var attributes: [NTFSAttribute] = []
        try forEachAttribute { attribute throws(InspectionFailure) in
            try require(attribute.type != NTFSAttribute.attributeList, "a file of it is too scattered")
            attributes.append(attribute)
        }
        return attributes
    }

    /// Those of this record, whether or not the file has others.
    func forEachAttribute(_ body: (NTFSAttribute) throws(InspectionFailure) -> Void) throws(InspectionFailure) {
        var at = Int(try record.little16(20))
        while true {
            let type = try record.little32(at)
            if type == .max { return }
            let byteCount = Int(try record.little32(at + 4))
            try require(byteCount >= 24 && byteCount % 8 == 0, "a record of it is damaged")
            try body(NTFSAttribute(record: Record(Array(try record.slice(at, byteCount))), type: type))
            at += byteCount
        }
    }

    /// The only attribute of that type and name.
    func attribute(_ type: UInt32, named name: String = "") throws(InspectionFailure) -> NTFSAttribute? {
        for attribute in try attributes() where attribute.type == type { if try attribute.name() == name { return attribute } }
        return nil
    }
}

extension Record {
    func utf16(_ offset: Int, _ count: Int) throws(InspectionFailure) -> String {
        var units: [UInt16] = []
        for index in 0..<count { units.append(try little16(offset + 2 * index)) }
        return String(decoding: units, as: UTF16.self)
    }
}
