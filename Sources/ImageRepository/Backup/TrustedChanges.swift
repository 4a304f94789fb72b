import Bytes
import DiskImages
import RepositoryFormat
import Synchronization

/// A change map whose identity and generation fit the parent: what it calls the same is taken over unread, as long as no audit shows that it is wrong.
final class TrustedChanges: Sendable {
    private struct State {
        var refutedAt: UInt64?
        var takenByteCount: UInt64 = 0
        var auditedByteCount: UInt64 = 0
    }

    let map: ChangeMap
    /// Of what is called unchanged, so much is read: 0 to 1.
    let auditShare: Double
    private let state = Mutex(State())

    /// A volume begins with what tells of all of it: its boot sector, superblock, and descriptors. Nothing more is known of a disk that was not looked at; its first
    /// partition begins at 1 MiB as a rule.
    private static let headByteCount: UInt64 = 1 << 20
    private static let undividedHeadByteCount: UInt64 = 4 << 20
    /// The second copy of a GPT stands at the image's end.
    private static let tailByteCount: UInt64 = 1 << 20

    init(_ map: ChangeMap, auditShare: Double) {
        self.map = map
        self.auditShare = auditShare
    }

    /// Where the map was found wrong, in the image.
    var refutedAt: UInt64? { state.withLock { $0.refutedAt } }
    var takenByteCount: UInt64 { state.withLock { $0.takenByteCount } }
    var auditedByteCount: UInt64 { state.withLock { $0.auditedByteCount } }

    func noteTaken(_ byteCount: UInt64) { state.withLock { $0.takenByteCount += byteCount } }
    func noteAudited(_ byteCount: UInt64) { state.withLock { $0.auditedByteCount += byteCount } }

    /// Ends the reading of the image, which begins anew without the map.
    func refute(at place: UInt64) -> RepositoryError {
        state.withLock { $0.refutedAt = $0.refutedAt ?? place }
        return .invalid("the change map is wrong at byte \(place)")
    }

    /// What is always read, in the address space of a volume.
    func alwaysAudited(of volume: SourceVolume, imageByteCount: UInt64) -> [Range<UInt64>] {
        let byteCount = volume.range.upperBound - volume.range.lowerBound
        let head = volume.kind == .whole ? TrustedChanges.undividedHeadByteCount : TrustedChanges.headByteCount
        let tail = max(volume.range.lowerBound, imageByteCount - min(imageByteCount, TrustedChanges.tailByteCount))
        let ranges = [0..<min(head, byteCount)] + (tail < volume.range.upperBound ? [tail - volume.range.lowerBound..<byteCount] : [])
        return ranges.filter { !$0.isEmpty }
    }
}

/// The part of a change map that concerns one volume.
struct VolumeChanges: Sendable {
    var image: TrustedChanges
    /// Of the volume, in the image.
    var start: UInt64
    /// In the volume: what is read each time.
    var alwaysAudited: [Range<UInt64>]
}
