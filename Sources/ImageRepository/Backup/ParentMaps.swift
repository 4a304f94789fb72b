import Bytes
import Packing
import RepositoryFormat
import Synchronization

/// The parent's band maps, which predict what is unchanged. Safe to use from several threads.
///
/// A parent that cannot be read is no reason to fail: it is given up with one warning.
final class ParentMaps: Sendable {
    private let reader: MapTreeReader
    private let failure = Mutex<String?>(nil)
    private let snapshot: SnapshotID

    init(_ reader: SegmentReader, _ volume: VolumeRecord, of snapshot: SnapshotID) {
        self.reader = MapTreeReader(reader, root: volume.root, geometry: volume.geometry)
        self.snapshot = snapshot
    }

    /// Entries of the parent's band; none beyond its end, or once it could not be read.
    func entries(_ band: UInt64) -> [MapEntry] {
        guard band < reader.geometry.bandCount, warning == nil else { return [] }
        do throws(RepositoryError) {
            return try reader.bandMap(band).entries
        } catch {
            failure.withLock { if $0 == nil { $0 = "the maps of parent \(snapshot) cannot be read, so everything is compared by content (\(error.reason))" } }
            return []
        }
    }

    var warning: String? { failure.withLock { $0 } }
}
