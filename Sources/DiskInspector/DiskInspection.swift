import DiskLayout

/// Looks at a whole source: finds its label, what each volume holds, and what is free of it. Whatever goes wrong becomes a warning.
struct DiskInspection {
    private let source: SourceWindow
    private let sectorByteCount: UInt32
    private let skipsPageFiles: Bool
    private var warnings: [InspectionAnswer.Warning] = []

    init(source: SourceWindow, sectorByteCount: UInt32, skipsPageFiles: Bool) {
        self.source = source
        self.skipsPageFiles = skipsPageFiles
        self.sectorByteCount = sectorByteCount
    }

    consuming func run(isWhole: Bool) -> InspectionAnswer {
        let content = probe(source, volume: nil)
        let isAmbiguous = !warnings.isEmpty
        let layout: DiskLayout
        var isDoubtful = false
        switch isWhole ? .none : findLabel(wholeContent: content) {
        case .partitioned(let found, let isSure): (layout, isDoubtful) = (found, !isSure || isAmbiguous && found.label?.kind == .mbr)
        case .none: layout = DiskLayout(unpartitioned: source.byteCount, sectorByteCount: sectorByteCount)
        case .doubtful:
            // What else is recognised may be what the disk held before it was partitioned.
            layout = DiskLayout(unpartitioned: source.byteCount, sectorByteCount: sectorByteCount)
            isDoubtful = true
        }

        var volumes = layout.volumes
        var maps: [FreeMap?] = []
        var spareRangeCount = DiskLayoutLimits.answerRangeCountMax
        for index in volumes.indices {
            var map: FreeMap?
            let isWhole = volumes[index].kind == .whole
            if volumes[index].kind != .gap, volumes[index].byteCount > 0, !(isWhole && isDoubtful) {
                let window = source.part(volumes[index].range)
                volumes[index].fileSystem = isWhole ? content : probe(window, volume: index)
                if !isDoubtful, let description = volumes[index].fileSystem { map = freeMap(of: window, holding: description, volume: index) }
            }
            if let found = map, found.ranges.count > spareRangeCount {
                warn(index, "there are too many free ranges on this disk; all of this volume counts as used")
                map = nil
            }
            spareRangeCount -= map?.ranges.count ?? 0
            let byteCount = volumes[index].byteCount
            volumes[index].fileSystem?.usedByteCount = map.map { byteCount - $0.byteCount }
            maps.append(map)
        }
        // The volumes are those of a layout that was accepted, with descriptions that fit them.
        let described = (try? DiskLayout(byteCount: layout.byteCount, sectorByteCount: layout.sectorByteCount, label: layout.label, volumes: volumes)) ?? layout
        return InspectionAnswer(layout: described, freeMaps: maps, warnings: Array(warnings.prefix(DiskLayoutLimits.warningCountMax)))
    }

    private mutating func warn(_ volume: Int?, _ text: String) {
        warnings.append(.init(volume: volume, text: ShownText.clean(text)))
    }

    private mutating func probe(_ window: SourceWindow, volume: Int?) -> FileSystemDescription? {
        guard window.byteCount > 0 else { return nil }
        switch ContentProbe.describe(window, sectorByteCount: sectorByteCount) {
        case .nothing: return nil
        case .found(let description): return description
        case .ambiguous:
            warn(volume, "it looks like several file systems at once; all of it counts as used")
            return nil
        case .failed:
            warn(volume, "it could not be looked at; all of it counts as used")
            return nil
        }
    }

    private enum LabelOutcome {
        case none
        case partitioned(DiskLayout, isSure: Bool)
        /// There is one, and it cannot be followed.
        case doubtful
    }

    private mutating func findLabel(wholeContent: FileSystemDescription?) -> LabelOutcome {
        // A member of an array may carry the array's own label at its start.
        if wholeContent?.usage == .raid || wholeContent?.usage == .crypto { return .none }
        do throws(InspectionFailure) {
            guard let found = try LabelReader(source: source, sectorByteCount: sectorByteCount).read(wholeContent: wholeContent) else {
                // An empty MBR may be part of a boot sector.
                if let kind = ContentProbe.labelKind(source, sectorByteCount: sectorByteCount), !["dos", "gpt", "PMBR"].contains(kind) {
                    throw .notProvable("its partition table is of kind \(kind), which is not known")
                }
                return .none
            }
            for text in found.warnings { warn(nil, text) }
            do throws(DiskLayoutError) {
                let layout = try DiskLayout(byteCount: source.byteCount, sectorByteCount: found.sectorByteCount, label: found.label, volumes: volumes(of: found.label))
                return .partitioned(layout, isSure: !found.isDoubtful)
            } catch {
                throw .notProvable("the partition table contradicts itself or the size of the disk")
            }
        } catch {
            warn(nil, "\(error.text); the disk is taken as one volume, all of which counts as used")
            return .doubtful
        }
    }

    /// The partitions that hold data, and the gaps that remain.
    private func volumes(of label: DiskLabel) -> [DiskVolume] {
        var volumes: [DiskVolume] = []
        var end: UInt64 = 0
        for partition in label.partitions.filter({ $0.role != .extended }).sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            if partition.range.lowerBound > end { volumes.append(DiskVolume(kind: .gap, range: end..<partition.range.lowerBound)) }
            volumes.append(DiskVolume(kind: .partition(partition.number), range: partition.range))
            end = max(end, partition.range.upperBound)
        }
        if end < source.byteCount { volumes.append(DiskVolume(kind: .gap, range: end..<source.byteCount)) }
        return volumes
    }

    /// Nil where nothing is known to be free.
    private mutating func freeMap(of window: SourceWindow, holding description: FileSystemDescription, volume: Int) -> FreeMap? {
        do throws(InspectionFailure) {
            guard let found = try FreeSpace.find(in: window, type: description.type, skipsPageFiles: skipsPageFiles) else { return nil }
            try require(!hasOwnLabel(window, description), "there is a partition table in it")
            for text in found.warnings.prefix(100) { warn(volume, text) }
            return found.map
        } catch {
            warn(volume, "\(description.type): \(error.text); all of it counts as used")
            return nil
        }
    }

    /// Whether the volume is partitioned itself, such as the disk of a virtual machine; then its superblock may be an old one that nobody wiped.
    private func hasOwnLabel(_ window: SourceWindow, _ description: FileSystemDescription) -> Bool {
        do throws(InspectionFailure) {
            guard let found = try LabelReader(source: window, sectorByteCount: sectorByteCount).read(wholeContent: description) else { return false }
            return !found.label.partitions.isEmpty
        } catch {
            // No table that anybody could follow: code that is to be booted ends with the same two bytes.
            return false
        }
    }
}
