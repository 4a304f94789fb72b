package import DiskLayout
import RepositoryFormat

extension SourceLayout {
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
