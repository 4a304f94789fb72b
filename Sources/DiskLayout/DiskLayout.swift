package import RepositoryFormat

/// What a disk consists of: its label, and the volumes that cover it.
package struct DiskLayout: Equatable, Sendable {
    package let byteCount: UInt64
    /// The unit in which the label counts: 512 or 4096.
    package let sectorByteCount: UInt32
    /// The partition table; nil if there is none, or none that could be understood.
    package let label: DiskLabel?
    /// In order of their offsets, without gaps and without overlaps, from 0 to `byteCount`. An empty disk has one, which is empty too.
    package let volumes: [DiskVolume]

    /// - Throws: unless the volumes cover the disk as promised, and fit the label.
    package init(byteCount: UInt64, sectorByteCount: UInt32, label: DiskLabel?, volumes: [DiskVolume]) throws(DiskLayoutError) {
        self.byteCount = byteCount
        self.sectorByteCount = sectorByteCount
        self.label = label
        self.volumes = volumes
        try check()
    }

    /// A disk of which nothing is known but its size.
    package init(unpartitioned byteCount: UInt64, sectorByteCount: UInt32, fileSystem: FileSystemDescription? = nil) {
        self.byteCount = byteCount
        self.sectorByteCount = sectorByteCount
        label = nil
        volumes = [DiskVolume(kind: .whole, range: 0..<byteCount, fileSystem: fileSystem)]
    }

    private func check() throws(DiskLayoutError) {
        guard byteCount <= DiskLayoutLimits.diskByteCountMax else { throw .outOfBounds("byte_count") }
        guard sectorByteCount == 512 || sectorByteCount == 4096 else { throw .outOfBounds("sector_byte_count") }
        guard !volumes.isEmpty, volumes.count <= DiskLayoutLimits.volumeCountMax else { throw .outOfBounds("volumes") }
        var end: UInt64 = 0
        var numbers: Set<UInt32> = []
        for volume in volumes {
            guard volume.range.lowerBound == end, !volume.range.isEmpty || byteCount == 0 else { throw .notCovering }
            end = volume.range.upperBound
            switch volume.kind {
            case .whole: guard volumes.count == 1, label == nil else { throw .notCovering }
            case .partition(let number):
                guard numbers.insert(number).inserted, label?.partition(number)?.range == volume.range else { throw .notInLabel(number) }
            case .gap: guard label != nil else { throw .notCovering }
            }
        }
        guard end == byteCount else { throw .notCovering }
        try label?.check(within: byteCount)
    }
}

extension DiskLayout {
    package var json: JSONValue {
        [
            "byte_count": .count(byteCount),
            "sector_byte_count": .count(sectorByteCount),
            "label": label?.json ?? .null,
            "volumes": .array(volumes.map(\.json)),
        ]
    }

    /// What `json` gave, or what somebody made up: every count, range and text is checked.
    package init(_ json: JSONValue) throws(DiskLayoutError) {
        let fields: (byteCount: UInt64, sectorByteCount: UInt64, label: JSONValue, volumes: [JSONValue]) = try reading { () throws(FormatError) in
            (
                try json.count("byte_count", limit: DiskLayoutLimits.diskByteCountMax), try json.count("sector_byte_count", limit: 4096),
                try json.value("label"), try json.array("volumes", limit: DiskLayoutLimits.volumeCountMax)
            )
        }
        var volumes: [DiskVolume] = []
        for volume in fields.volumes { volumes.append(try DiskVolume(volume)) }
        try self.init(
            byteCount: fields.byteCount, sectorByteCount: UInt32(fields.sectorByteCount),
            label: fields.label == .null ? nil : try DiskLabel(fields.label), volumes: volumes)
    }
}
