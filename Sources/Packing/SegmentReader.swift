package import Bytes
package import RepositoryFormat
package import Sealing
package import Storage
import Threading

/// Reads chunks: finds them, fetches and opens their segments, and verifies every byte it gives away.
///
/// Decoded segments are kept, the least recently used are dropped first. Two threads that want the same segment wait for one fetch.
package final class SegmentReader: Sendable {
    private struct Key: Hashable {
        var pack: UInt32
        var segment: UInt32
    }

    private enum Slot {
        case loading
        case ready(DecodedSegment, lastUse: UInt64)
    }

    private struct State {
        var slots: [Key: Slot] = [:]
        var byteCount = 0
        var clock: UInt64 = 0
        var fetchedByteCount: UInt64 = 0
        var fetchCount = 0
    }

    let index: ChunkIndex
    let storage: any StorageBackend
    let sealer: DocumentSealer
    let opener: SegmentOpener
    /// Of segments as they are stored, and as they decode.
    let buffers = SegmentBuffers()
    private let cacheByteCount: Int
    private let monitor = Monitor(State())

    /// - Parameter dataKeys: nil for a role that cannot read data.
    package init(index: ChunkIndex, storage: any StorageBackend, sealer: DocumentSealer, dataKeys: DataKeyPair?, cacheByteCount: Int = 64 << 20) {
        self.index = index
        self.storage = storage
        self.sealer = sealer
        opener = SegmentOpener(sealer, dataKeys, buffers: buffers)
        self.cacheByteCount = cacheByteCount
    }

    /// Bytes fetched from packs so far, and in how many reads.
    package var fetched: (byteCount: UInt64, count: Int) { monitor.withLock { ($0.fetchedByteCount, $0.fetchCount) } }

    /// Gives the plaintext of a chunk to `body`, after its id was verified. Falls back on other locations if one is damaged.
    ///
    /// - Throws: `.missing` if there is no location; `.storage(.unavailable)` if one could not be asked for; otherwise what was wrong with the last.
    package func withChunk<Result>(
        _ id: ChunkID, _ kind: PackDirectory.Kind, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(PackingError) -> Result {
        var failure = PackingError.missing(id)
        for location in index.locations(id) {
            do throws(PackingError) {
                let segment = try segment(location)
                defer { withExtendedLifetime(segment) {} }
                let pack = index.pack(location.pack)
                guard pack.kind == kind, location.end <= segment.byteCount else {
                    throw .damaged(object: pack.name.path, reason: "its directory is not what the index says")
                }
                let bytes = unsafe UnsafeRawBufferPointer(rebasing: segment.bytes[Int(location.offset)..<location.end])
                guard unsafe sealer.member.chunkID(kind, bytes) == id else {
                    throw .damaged(object: pack.name.path, reason: "a chunk in segment \(location.segment) is not the one its id names")
                }
                return unsafe body(bytes)
            } catch .noDataKey {
                throw .noDataKey
            } catch {
                // A copy that could not be asked for may be there: what is wrong with others does not make the chunk lost.
                if case .storage(.unavailable) = failure { continue }
                failure = error
            }
        }
        throw failure
    }

    /// Gives the plaintext of each of the chunks to `body`, with its number, as `withChunk` does: but segment by segment, so that each is needed once, whatever
    /// is dropped from memory meanwhile.
    ///
    /// - Parameters:
    ///   - backwards: from the last segment to the first. Who goes to and fro finds in memory what was used last.
    ///   - isSparse: whether most of what lies beside the chunks is not needed by anybody: then they are read alone where that can be.
    package func withChunks(
        _ chunks: [ChunkID], _ kind: PackDirectory.Kind, backwards: Bool, isSparse: Bool = false, _ body: (Int, UnsafeRawBufferPointer) -> Void
    ) throws(PackingError) {
        var wanted: [(number: Int, location: ChunkLocation)] = []
        wanted.reserveCapacity(chunks.count)
        for (number, id) in chunks.enumerated() {
            guard let location = index.location(id) else { throw .missing(id) }
            wanted.append((number, location))
        }
        wanted.sort { left, right in
            let (left, right) = (left.location, right.location)
            if (left.pack, left.segment) == (right.pack, right.segment) { return left.offset < right.offset }
            return ((left.pack, left.segment) < (right.pack, right.segment)) != backwards
        }
        var start = 0
        while start < wanted.count {
            let first = wanted[start].location
            var end = start + 1
            while end < wanted.count, (wanted[end].location.pack, wanted[end].location.segment) == (first.pack, first.segment) { end += 1 }
            let parts = isSparse ? try unsafe withParts(chunks, of: wanted[start..<end], kind, body) : nil
            let rest: [Int]
            if let parts { rest = parts } else { rest = try unsafe withChunks(chunks, of: wanted[start..<end], kind, body) }
            for number in rest {
                try unsafe withChunk(chunks[number], kind) { unsafe body(number, $0) }
            }
            start = end
        }
    }

    /// The same for chunks of one segment. Returns those that are to be looked for elsewhere.
    private func withChunks(
        _ chunks: [ChunkID], of wanted: ArraySlice<(number: Int, location: ChunkLocation)>, _ kind: PackDirectory.Kind,
        _ body: (Int, UnsafeRawBufferPointer) -> Void
    ) throws(PackingError) -> [Int] {
        guard let first = wanted.first?.location else { return [] }
        let segment: DecodedSegment
        do throws(PackingError) { segment = try self.segment(first) } catch .noDataKey { throw .noDataKey } catch { return wanted.map(\.number) }
        defer { withExtendedLifetime(segment) {} }
        guard index.pack(first.pack).kind == kind, wanted.allSatisfy({ $0.location.end <= segment.byteCount }) else {
            return wanted.map(\.number)
        }
        let bytes = unsafe segment.bytes
        // A chunk that is referred to in several parts stands there as often, and is verified once.
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(wanted.count)
        for (_, location) in wanted where ranges.last?.lowerBound != Int(location.offset) { ranges.append(Int(location.offset)..<location.end) }
        let ids = unsafe sealer.member.chunkIDs(kind, ranges, in: bytes)
        var rest: [Int] = []
        var place = 0
        for (number, location) in wanted {
            if ranges[place].lowerBound != Int(location.offset) { place += 1 }
            if ids[place] == chunks[number] { unsafe body(number, UnsafeRawBufferPointer(rebasing: bytes[ranges[place]])) } else { rest.append(number) }
        }
        return rest
    }

    /// A decoded segment, from memory or from its pack.
    package func segment(_ location: ChunkLocation) throws(PackingError) -> DecodedSegment {
        let key = Key(pack: location.pack, segment: location.segment)
        let cached: DecodedSegment? = monitor.wait { state -> DecodedSegment?? in
            switch state.slots[key] {
            case .ready(let segment, _)?:
                state.clock += 1
                state.slots[key] = .ready(segment, lastUse: state.clock)
                return .some(segment)
            case .loading?: return nil
            case nil:
                state.slots[key] = .loading
                return .some(nil)
            }
        }
        if let cached { return cached }
        do throws(PackingError) {
            let segment = try load(index.pack(location.pack), Int(location.segment))
            monitor.withLock { keep(segment, key, &$0) }
            return segment
        } catch {
            monitor.withLock { _ = $0.slots.removeValue(forKey: key) }
            throw error
        }
    }

    func isInMemory(_ location: ChunkLocation) -> Bool {
        monitor.withLock { $0.slots[Key(pack: location.pack, segment: location.segment)] != nil }
    }

    func countFetched(byteCount: Int, count: Int) {
        monitor.withLock { state in
            state.fetchedByteCount += UInt64(byteCount)
            state.fetchCount += count
        }
    }

    private func keep(_ segment: DecodedSegment, _ key: Key, _ state: inout State) {
        state.clock += 1
        state.slots[key] = .ready(segment, lastUse: state.clock)
        state.byteCount += segment.memoryByteCount
        while state.byteCount > cacheByteCount {
            var oldest: (key: Key, use: UInt64, byteCount: Int)?
            for (candidate, slot) in state.slots {
                guard case .ready(let kept, let use) = slot, candidate != key, oldest == nil || use < oldest!.use else { continue }
                oldest = (candidate, use, kept.memoryByteCount)
            }
            guard let oldest else { return }
            state.slots[oldest.key] = nil
            state.byteCount -= oldest.byteCount
        }
    }

    private func load(_ pack: PackRecord, _ number: Int) throws(PackingError) -> DecodedSegment {
        guard number < pack.segments.count else { throw .damaged(object: pack.name.path, reason: "it has no segment \(number)") }
        let place = pack.segments[number]
        // Before memory is drawn for it.
        guard place.sealedByteCount <= FormatLimits.segmentByteCountMax + PackLayout.smallSegmentStep, UInt64(place.offset) + UInt64(place.sealedByteCount) <= pack.byteCount else {
            throw .damaged(object: pack.name.path, reason: "segment \(number) is larger than the format allows")
        }
        let sealed = SealedSegment(0..<Int(place.sealedByteCount), of: buffers.take(Int(place.sealedByteCount), isKept: place.codec == .raw))
        var bytes = unsafe MutableSpan<UInt8>(_unsafeBytes: sealed.bytes)
        do throws(StorageError) { try storage.get(pack.name, at: UInt64(place.offset), into: &bytes) } catch { throw .storage(error) }
        countFetched(byteCount: bytes.count, count: 1)
        return try opener.open(sealed, pack, number)
    }
}
