package import Bytes
package import RepositoryFormat
import Synchronization

/// Chunk id → locations, and the table of packs they lie in. Safe to use from several threads.
///
/// What is new since the local runs were written is in memory, an `EntryTable`. The rest is in runs, mapped files that take no memory of
/// their own. An entry keeps 128 bits of the id, and every read verifies all of it. An id may have several entries.
package final class ChunkIndex: Sendable {
    private struct State {
        /// What is in no run.
        var entries = EntryTable()
        /// Of the packs in memory, whose ordinals follow those of the runs.
        var packs: [PackRecord] = []
        var ordinals: [PackID: UInt32] = [:]
        /// Of the packs in runs, by ordinal.
        var runPackCounts: [Bool] = []
        /// Records of packs in runs that were asked for.
        var decoded: [UInt32: PackRecord] = [:]
    }

    private struct Run {
        let run: IndexRun
        let firstOrdinal: UInt32

        /// A location with the pack's ordinal in the whole index.
        func placed(_ location: ChunkLocation) -> ChunkLocation {
            var placed = location
            placed.pack += firstOrdinal
            return placed
        }
    }

    /// Records of 2 KiB each.
    private static let decodedRecordCountMax = 1024

    private let runs: [Run]
    private let runPackCount: UInt32
    private let state: Mutex<State>

    package convenience init() { self.init(runs: []) }

    /// No pack of a run counts until `setCounting` says so.
    package init(runs: [IndexRun]) {
        var placed: [Run] = []
        var state = State()
        for run in runs {
            placed.append(Run(run: run, firstOrdinal: UInt32(state.runPackCounts.count)))
            for ordinal in 0..<run.packCount {
                let id = run.packID(ordinal)
                if state.ordinals[id] == nil { state.ordinals[id] = UInt32(state.runPackCounts.count) }
                state.runPackCounts.append(false)
            }
        }
        self.runs = placed
        runPackCount = UInt32(state.runPackCounts.count)
        self.state = Mutex(state)
    }

    /// Asks for each pack of the runs whether it counts.
    package func setCounting(_ isCounting: (PackRecord) -> Bool) {
        for run in runs {
            for ordinal in 0..<run.run.packCount {
                let global = run.firstOrdinal + UInt32(ordinal)
                let counts = ChunkIndex.decode(run, ordinal, isCounting: true).map(isCounting) ?? false
                state.withLock { $0.runPackCounts[Int(global)] = counts }
            }
        }
    }

    /// Adds what a pack holds. A pack that is already known is passed over.
    package func add(_ pack: IndexDocument.Pack, isCounting: Bool) {
        state.withLock { state in
            guard state.ordinals[pack.id] == nil else { return }
            let ordinal = runPackCount + UInt32(state.packs.count)
            state.ordinals[pack.id] = ordinal
            state.packs.append(PackRecord(id: pack.id, directory: pack.directory, isCounting: isCounting))
            for (segment, record) in pack.directory.segments.enumerated() {
                var offset: UInt32 = 0
                for chunk in record.chunks {
                    let location = ChunkLocation(pack: ordinal, segment: UInt32(segment), offset: offset, byteCount: chunk.byteCount)
                    state.entries.insert(IndexEntry(low: chunk.id.digest.words.0, high: chunk.id.digest.words.1, location: location))
                    offset += chunk.byteCount
                }
            }
        }
    }

    /// Where the chunk is, in a pack that counts: if anywhere, it need not be stored again.
    package func countingLocation(_ id: ChunkID) -> ChunkLocation? {
        state.withLock { state in firstLocation(id, state) { counts($0.pack, state) } }
    }

    /// The first of `locations`, without a list of them.
    package func location(_ id: ChunkID) -> ChunkLocation? {
        state.withLock { state in
            var first: ChunkLocation?
            _ = firstLocation(id, state) {
                if let known = first, !isTriedBefore($0, known, state) { return false }
                first = $0
                return false
            }
            return first
        }
    }

    /// All places where the chunk should be, in the order in which they are to be tried: counting packs first, then by ordinal.
    package func locations(_ id: ChunkID) -> [ChunkLocation] {
        state.withLock { state in
            var found: [ChunkLocation] = []
            _ = firstLocation(id, state) {
                found.append($0)
                return false
            }
            guard found.count > 1 else { return found }
            return found.sorted { isTriedBefore($0, $1, state) }
        }
    }

    /// One place of a chunk, with a number that no other place has: below `entryNumberLimit`, and the same until the next `add`.
    package struct Entry: Sendable {
        package let number: Int
        package let location: ChunkLocation
    }

    /// All places where the chunk should be, in no particular order.
    package func entries(_ id: ChunkID) -> [Entry] {
        let (low, high) = (id.digest.words.0, id.digest.words.1)
        var found: [Entry] = []
        var numbered = 0
        for run in runs {
            run.run.forEach(low, high) { found.append(Entry(number: numbered + $0, location: run.placed($1))) }
            numbered += run.run.entryCount
        }
        state.withLock { state in
            _ = state.entries.firstPlace(low, high) {
                found.append(Entry(number: numbered + $0, location: state.entries[$0]))
                return false
            }
        }
        return found
    }

    /// Goes through all entries, in no particular order. The body may ask the index.
    package func forEachEntry(_ body: (Entry) -> Void) {
        var numbered = 0
        for run in runs {
            for index in 0..<run.run.entryCount { body(Entry(number: numbered + index, location: run.placed(run.run.entry(index).location))) }
            numbered += run.run.entryCount
        }
        state.withLock { $0.entries }.forEach { body(Entry(number: numbered + $0, location: $1)) }
    }

    package var entryNumberLimit: Int { runs.reduce(0) { $0 + $1.run.entryCount } + state.withLock { $0.entries.placeCount } }

    /// - Precondition: the ordinal is one that a location named.
    package func pack(_ ordinal: UInt32) -> PackRecord {
        state.withLock { state in
            if ordinal >= runPackCount { return state.packs[Int(ordinal - runPackCount)] }
            if let known = state.decoded[ordinal] { return known }
            guard let run = runs.last(where: { $0.firstOrdinal <= ordinal }),
                let record = ChunkIndex.decode(run, Int(ordinal - run.firstOrdinal), isCounting: state.runPackCounts[Int(ordinal)])
            else { preconditionFailure("a run was verified when it was opened, and has a record for each of its packs") }
            if state.decoded.count >= ChunkIndex.decodedRecordCountMax { state.decoded.removeAll() }
            state.decoded[ordinal] = record
            return record
        }
    }

    /// Nil for a pack that is not known.
    package func ordinal(_ pack: PackID) -> UInt32? { state.withLock { $0.ordinals[pack] } }

    package func contains(_ pack: PackID) -> Bool { ordinal(pack) != nil }

    /// All packs, by ordinal.
    package var packs: [PackRecord] {
        let count = state.withLock { runPackCount + UInt32($0.packs.count) }
        return (0..<count).map { pack($0) }
    }

    /// Entries; a chunk with several locations counts several times.
    package var chunkCount: Int { runs.reduce(0) { $0 + $1.run.entryCount } + state.withLock { $0.entries.count } }

    /// From now on what these packs hold is stored again when it is met.
    package func discount(_ condemned: Set<PackID>) {
        state.withLock { state in
            for index in state.packs.indices where condemned.contains(state.packs[index].id) { state.packs[index].isCounting = false }
            for id in condemned {
                guard let ordinal = state.ordinals[id], ordinal < runPackCount else { continue }
                state.runPackCounts[Int(ordinal)] = false
                state.decoded[ordinal] = nil
            }
        }
    }

    private func counts(_ ordinal: UInt32, _ state: borrowing State) -> Bool {
        ordinal < runPackCount ? state.runPackCounts[Int(ordinal)] : state.packs[Int(ordinal - runPackCount)].isCounting
    }

    private func isTriedBefore(_ left: ChunkLocation, _ right: ChunkLocation, _ state: borrowing State) -> Bool {
        let counting = (counts(left.pack, state), counts(right.pack, state))
        return counting.0 == counting.1 ? left.pack < right.pack : counting.0
    }

    private func firstLocation(_ id: ChunkID, _ state: borrowing State, where matches: (ChunkLocation) -> Bool) -> ChunkLocation? {
        let (low, high) = (id.digest.words.0, id.digest.words.1)
        if let place = state.entries.firstPlace(low, high, where: { matches(state.entries[$0]) }) { return state.entries[place] }
        for run in runs {
            if let location = run.run.firstLocation(low, high, where: { matches(run.placed($0)) }) { return run.placed(location) }
        }
        return nil
    }

    private static func decode(_ run: Run, _ ordinal: Int, isCounting: Bool) -> PackRecord? {
        do throws(DecodingError) { return try run.run.packRecord(ordinal, isCounting: isCounting) } catch { return nil }
    }
}
