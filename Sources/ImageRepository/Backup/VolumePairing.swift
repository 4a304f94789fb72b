import DiskLayout
import RepositoryFormat

/// Which volume of the parent predicts what is unchanged in one of a source: partitions move, grow and are numbered anew.
struct VolumePairing {
    private let old: ImageRecord

    init(_ old: ImageRecord) { self.old = old }

    /// The one with the same partition id, else of the same file system, else at the same place in the list of its kind.
    func predecessor(of volume: SourceVolume, in layout: SourceLayout) -> VolumeRecord? {
        let id = VolumePairing.partitionID(volume.partition, layout.label)
        let uuid = VolumePairing.fileSystemID(volume.fileSystem)
        if let id, let found = old.volumes.first(where: { VolumePairing.partitionID($0.partition, old.label) == id }) { return found }
        if let uuid, let found = old.volumes.first(where: { VolumePairing.fileSystemID($0.fileSystem) == uuid }) { return found }
        let peers = layout.volumes.filter { $0.kind == volume.kind }
        guard let place = peers.firstIndex(where: { $0.range == volume.range }) else { return nil }
        return old.volumes.filter { $0.kind == volume.kind }.dropFirst(place).first
    }

    private static func partitionID(_ number: UInt64?, _ label: JSONValue) -> String? {
        guard let number else { return nil }
        return DiskLabel(ofImage: label)?.partitions.first { $0.number == number }?.id
    }

    private static func fileSystemID(_ fileSystem: JSONValue) -> String? { FileSystemDescription(ofVolume: fileSystem)?.uuid }
}
