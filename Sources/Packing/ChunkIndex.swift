package import Bytes
package import RepositoryFormat
import Synchronization

/// Chunk id → locations, and the table of packs they lie in. Safe to use from several threads.
///
/// An open-addressing table of 32-byte entries at most half full: 64 bytes of memory a chunk. An entry keeps 128 bits of
/// the id, and every read verifies all of it. An id may have several entries, found one after another from its place on.
package final class ChunkIndex: Sendable {
    private struct Entry: BitwiseCopyable {
        var low: UInt64
        var high: UInt64
        var location: ChunkLocation

        /// No chunk is empty, so this marks a free place.
        static let free = Entry(low: 0, high: 0, location: ChunkLocation(pack: 0, segment: 0, offset: 0, byteCount: 0))
        var isFree: Bool { location.byteCount == 0 }
    }

    private struct State {
        var entries = [Entry](repeating: .free, count: 1024)
        var count = 0
        var packs: [PackRecord] = []
        var ordinals: [PackID: UInt32] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Adds what a pack holds. A pack that is already known is passed over.
    package func add(_ pack: IndexDocument.Pack, isCounting: Bool) {
        state.withLock { state in
            guard state.ordinals[pack.id] == nil else { return }
            let ordinal = UInt32(state.packs.count)
            state.ordinals[pack.id] = ordinal
            state.packs.append(PackRecord(id: pack.id, directory: pack.directory, isCounting: isCounting))
            for (segment, record) in pack.directory.segments.enumerated() {
                var offset: UInt32 = 0
                for chunk in record.chunks {
                    let location = ChunkLocation(pack: ordinal, segment: UInt32(segment), offset: offset, byteCount: chunk.byteCount)
                    ChunkIndex.insert(Entry(low: chunk.id.digest.words.0, high: chunk.id.digest.words.1, location: location), &state)
                    offset += chunk.byteCount
                }
            }
        }
    }

    /// Where the chunk is, in a pack that counts: if anywhere, it need not be stored again.
    package func countingLocation(_ id: ChunkID) -> ChunkLocation? {
        state.withLock { state in
            ChunkIndex.firstLocation(id, state) { state.packs[Int($0.pack)].isCounting }
        }
    }

    /// All places where the chunk should be, in the order in which they are to be tried: counting packs first, then by ordinal.
    package func locations(_ id: ChunkID) -> [ChunkLocation] {
        state.withLock { state in
            var found: [ChunkLocation] = []
            _ = ChunkIndex.firstLocation(id, state) {
                found.append($0)
                return false
            }
            guard found.count > 1 else { return found }
            return found.sorted { left, right in
                let counting = (state.packs[Int(left.pack)].isCounting, state.packs[Int(right.pack)].isCounting)
                return counting.0 == counting.1 ? left.pack < right.pack : counting.0
            }
        }
    }

    package func pack(_ ordinal: UInt32) -> PackRecord { state.withLock { $0.packs[Int(ordinal)] } }

    /// Nil for a pack that is not known.
    package func ordinal(_ pack: PackID) -> UInt32? { state.withLock { $0.ordinals[pack] } }

    package func contains(_ pack: PackID) -> Bool { state.withLock { $0.ordinals[pack] != nil } }

    package var packs: [PackRecord] { state.withLock { $0.packs } }

    package var chunkCount: Int { state.withLock { $0.count } }

    /// Goes through all chunks, in no particular order; a chunk with several locations comes several times.
    package func forEachLocation(_ body: (ChunkLocation) -> Void) {
        state.withLock { state in for entry in state.entries where !entry.isFree { body(entry.location) } }
    }

    /// From now on what these packs hold is stored again when it is met.
    package func discount(_ condemned: Set<PackID>) {
        state.withLock { state in
            for index in state.packs.indices where condemned.contains(state.packs[index].id) { state.packs[index].isCounting = false }
        }
    }

    private static func firstLocation(_ id: ChunkID, _ state: borrowing State, where matches: (ChunkLocation) -> Bool) -> ChunkLocation? {
        let mask = state.entries.count - 1
        var place = Int(truncatingIfNeeded: id.digest.words.0) & mask
        while true {
            let entry = state.entries[place]
            if entry.isFree { return nil }
            if entry.low == id.digest.words.0, entry.high == id.digest.words.1, matches(entry.location) { return entry.location }
            place = (place + 1) & mask
        }
    }

    private static func insert(_ entry: Entry, _ state: inout State) {
        if (state.count + 1) * 2 > state.entries.count { grow(&state) }
        place(entry, in: &state.entries)
        state.count += 1
    }

    private static func grow(_ state: inout State) {
        var larger = [Entry](repeating: .free, count: state.entries.count * 2)
        for entry in state.entries where !entry.isFree { place(entry, in: &larger) }
        state.entries = larger
    }

    private static func place(_ entry: Entry, in entries: inout [Entry]) {
        let mask = entries.count - 1
        var place = Int(truncatingIfNeeded: entry.low) & mask
        while !entries[place].isFree { place = (place + 1) & mask }
        entries[place] = entry
    }
}
