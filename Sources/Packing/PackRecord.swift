package import Bytes
package import RepositoryFormat
package import Storage

/// What the pack table knows of a pack: enough to fetch and open its segments.
package struct PackRecord: Sendable {
    package struct SegmentPlace: Equatable, Sendable {
        package var offset: UInt32
        package var sealedByteCount: UInt32
        package var encodedByteCount: UInt32
        package var decodedByteCount: UInt32
        package var codec: Codec
        package var keyIndex: UInt8
    }

    package let id: PackID
    package let kind: PackDirectory.Kind
    package let epoch: UInt32
    package let byteCount: UInt64
    package let keys: [PackDirectory.Key]
    package let segments: [SegmentPlace]
    /// Listed by the storage and on no condemned list: what it holds need not be stored again.
    package var isCounting: Bool

    package init(id: PackID, directory: PackDirectory, isCounting: Bool) {
        self.id = id
        kind = directory.kind
        epoch = directory.epoch
        byteCount = directory.packByteCount
        keys = directory.keys
        segments = directory.segments.map {
            SegmentPlace(
                offset: $0.offset, sealedByteCount: $0.sealedByteCount, encodedByteCount: $0.encodedByteCount,
                decodedByteCount: $0.decodedByteCount, codec: $0.codec, keyIndex: $0.keyIndex)
        }
        self.isCounting = isCounting
    }

    init(
        id: PackID, kind: PackDirectory.Kind, epoch: UInt32, byteCount: UInt64, keys: [PackDirectory.Key], segments: [SegmentPlace],
        isCounting: Bool
    ) {
        self.id = id
        self.kind = kind
        self.epoch = epoch
        self.byteCount = byteCount
        self.keys = keys
        self.segments = segments
        self.isCounting = isCounting
    }

    /// Whether the record says what `directory` says, as far as it keeps it.
    package func describes(_ directory: PackDirectory) -> Bool {
        let other = PackRecord(id: id, directory: directory, isCounting: isCounting)
        return kind == other.kind && epoch == other.epoch && byteCount == other.byteCount && keys == other.keys && segments == other.segments
    }

    package var name: ObjectName { kind == .data ? .pack(id) : .mapPack(id) }
}
