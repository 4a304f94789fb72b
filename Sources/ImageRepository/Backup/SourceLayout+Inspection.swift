package import DiskLayout
import RepositoryFormat

extension SourceLayout {
    /// Takes over what a mounted XFS tells itself, where the inspector found nothing.
    ///
    /// - Parameter told: by where each begins.
    /// - Returns: numbers of the volumes.
    package mutating func fill(_ told: [UInt64: FreeMap]) -> Set<Int> {
        var filled: Set<Int> = []
        for index in volumes.indices {
            let byteCount = volumes[index].range.upperBound - volumes[index].range.lowerBound
            guard var fileSystem = FileSystemDescription(ofVolume: volumes[index].fileSystem), fileSystem.type == "xfs", fileSystem.usedByteCount == nil,
                let map = told[volumes[index].range.lowerBound], map.ranges.last.map({ $0.upperBound <= byteCount }) ?? false
            else { continue }
            fileSystem.usedByteCount = byteCount - map.byteCount
            volumes[index].fileSystem = fileSystem.json
            volumes[index].free = map.ranges
            filled.insert(index)
        }
        return filled
    }

    /// What an inspector found.
    package init(_ answer: InspectionAnswer) {
        label = answer.layout.label?.json ?? .null
        sectorByteCount = answer.layout.label == nil ? nil : answer.layout.sectorByteCount
        volumes = zip(answer.layout.volumes, answer.freeMaps).map { volume, free in
            let (kind, partition): (VolumeRecord.Kind, UInt64?) =
                switch volume.kind {
                case .whole: (.whole, nil)
                case .partition(let number): (.partition, UInt64(number))
                case .gap: (.gap, nil)
                }
            return SourceVolume(kind: kind, partition: partition, range: volume.range, fileSystem: volume.fileSystem?.json ?? .null, free: free?.ranges ?? [])
        }
    }
}
