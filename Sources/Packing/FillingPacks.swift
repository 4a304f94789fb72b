import Bytes
import RepositoryFormat

/// A pack that segments are put into.
struct FillingPack: Sendable {
    let number: Int
    let buffer: AlignedBuffer
    fileprivate(set) var byteCount = ObjectHeader.byteCount
    /// Segments whose place is taken and whose bytes are not there yet.
    fileprivate var unwrittenCount = 0
    fileprivate(set) var keys: [PackDirectory.Key] = []
    fileprivate(set) var segments: [PackDirectory.Segment] = []
    fileprivate(set) var chunkCount = 0

    fileprivate init(number: Int, buffer: AlignedBuffer) {
        self.number = number
        self.buffer = buffer
    }

    /// Bytes of the pack if it is closed now, before it is padded.
    fileprivate var closedByteCount: Int {
        let directory = PackDirectory.encodedByteCount(keys: keys, segmentCount: segments.count, chunkCount: chunkCount)
        return byteCount + SignedDocument.bodyOffset + directory + PackLayout.tagByteCount + PackLayout.trailerByteCount
    }
}

/// Decides which segment goes into which pack, where, and when a pack is full. Only the owner of the state calls; whoever got a place writes there on its own.
struct FillingPacks: Sendable {
    /// Closes a pack before its directory grows beyond a quarter of the format's limit.
    private static let chunksPerPack = 100_000
    /// A padding of a 640th, 50 KiB of 32 MiB, is good.
    private static let goodPaddingPart = 640

    /// Where a segment goes.
    struct Place {
        fileprivate let pack: Int
        fileprivate let segment: Int
        let offset: Int
        let buffer: AlignedBuffer
    }

    private let closeByteCount: Int
    private var free: [AlignedBuffer]
    private var filling: FillingPack?
    /// These take no more segments, and those with unwritten ones wait for their bytes.
    private var closed: [FillingPack] = []
    private var packCount = 0

    init(closeByteCount: Int, buffers: [AlignedBuffer]) {
        self.closeByteCount = closeByteCount
        free = buffers
    }

    /// Whether a closed pack waits for the bytes of a segment.
    var isAnyUnwritten: Bool { closed.contains { $0.unwrittenCount > 0 } }

    /// Nil if there is no open pack, and no buffer to begin one in.
    mutating func reserve(_ record: PackDirectory.Segment, _ key: PackDirectory.Key?) -> Place? {
        let byteCount = Int(record.sealedByteCount)
        if let filling {
            let grown = filling.closedByteCount + byteCount + PackDirectory.encodedByteCount(
                keys: key.map { filling.keys.contains($0) ? [] : [$0] } ?? [], segmentCount: 1, chunkCount: record.chunks.count)
            let isTooMuch = filling.chunkCount + record.chunks.count > FillingPacks.chunksPerPack || filling.keys.count >= FormatLimits.keysPerPackMax
            if grown > closeByteCount || isTooMuch { close() }
        }
        guard var pack = filling.take() ?? begin() else { return nil }
        precondition(pack.byteCount + byteCount <= pack.buffer.byteCapacity, "a segment within the format's limits")
        let place = Place(pack: pack.number, segment: pack.segments.count, offset: pack.byteCount, buffer: pack.buffer)
        var placed = record
        placed.offset = UInt32(pack.byteCount)
        if let key {
            if !pack.keys.contains(key) { pack.keys.append(key) }
            placed.keyIndex = Mutant.mixesUpKeys.isActive ? 0 : UInt8(pack.keys.firstIndex(of: key) ?? 0)
        }
        pack.byteCount += byteCount
        pack.segments.append(placed)
        pack.chunkCount += record.chunks.count
        pack.unwrittenCount += 1
        let isFull = isGoodSize(pack)
        filling = pack
        if isFull { close() }
        return place
    }

    private mutating func begin() -> FillingPack? {
        guard let buffer = free.popLast() else { return nil }
        defer { packCount += 1 }
        return FillingPack(number: packCount, buffer: buffer)
    }

    /// The bytes of a segment are in their place.
    mutating func complete(_ place: Place, _ digest: RandomID) {
        func note(_ pack: inout FillingPack) {
            pack.segments[place.segment].digest = digest
            pack.unwrittenCount -= 1
        }
        if var pack = filling, pack.number == place.pack {
            filling = nil
            note(&pack)
            filling = pack
        } else if let index = closed.firstIndex(where: { $0.number == place.pack }) {
            note(&closed[index])
        } else {
            preconditionFailure("a pack waits for its segments")
        }
    }

    /// The open pack takes no more segments.
    mutating func close() {
        if let pack = filling.take() { closed.append(pack) }
    }

    /// Closed packs of which all bytes are there; their buffers come back by `giveBack`.
    mutating func takeComplete() -> [FillingPack] {
        if closed.isEmpty { return [] }
        let complete = closed.filter { $0.unwrittenCount == 0 }
        closed.removeAll { $0.unwrittenCount == 0 }
        return complete
    }

    mutating func giveBack(_ buffer: AlignedBuffer) { free.append(buffer) }

    /// In the last quarter a pack is closed where its Padmé size happens to be near: otherwise padding would take 2 % of a repository.
    private func isGoodSize(_ pack: FillingPack) -> Bool {
        let byteCount = pack.closedByteCount
        return byteCount >= closeByteCount / 4 * 3 && PackLayout.padme(byteCount) - byteCount <= byteCount / FillingPacks.goodPaddingPart
    }
}
