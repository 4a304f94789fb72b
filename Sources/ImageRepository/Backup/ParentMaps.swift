import Bytes
import Packing
import RepositoryFormat
import Synchronization

/// What the parent has of a band.
struct ParentBand: Sendable {
    var entries: [MapEntry] = []
    /// The band map; nil if one kind says everything, or nothing is known.
    var map: ChunkID?
}

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

    /// The parent's band; nothing beyond its end, or once it could not be read.
    func band(_ band: UInt64) -> ParentBand {
        guard band < reader.geometry.bandCount, warning == nil else { return ParentBand() }
        do throws(RepositoryError) {
            let slot = try reader.run(at: band).slot
            return ParentBand(entries: try reader.bandMap(band, slot).entries, map: slot.kind == .map ? slot.id : nil)
        } catch {
            failure.withLock { if $0 == nil { $0 = "the maps of parent \(snapshot) cannot be read, so everything is compared by content (\(error.reason))" } }
            return ParentBand()
        }
    }

    var warning: String? { failure.withLock { $0 } }
}
