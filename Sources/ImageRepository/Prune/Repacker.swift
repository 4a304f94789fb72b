import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage
import Threading

/// Copies what is needed of some packs into new ones: segments as they are, or their chunks one by one, in the order of the images.
///
/// Ordering 10: a pack counts as replaced only when all that is needed of it is in packs whose names are durable and in an index object.
final class Repacker {
    struct Outcome {
        /// All that is needed of them is elsewhere now.
        var replaced: [PackRecord] = []
        var written = PrunePlan.Packs()
        var problems: [Problem] = []
    }

    private let repository: Repository
    private let options: PruneOptions
    private let planned: PlannedPrune
    private let reader: SegmentReader
    private let dataPacks: PackWriter
    private let mapPacks: PackWriter
    private let dataBuilder: SegmentBuilder
    private let mapBuilder: SegmentBuilder
    private var directories: PackDirectories
    private var copiedSegments: Set<UInt64> = []
    private var copiedEntries: BitSet
    private var failures: [UInt32: String] = [:]
    private var index: ChunkIndex { planned.loaded.index }

    init(_ repository: Repository, _ options: PruneOptions, _ planned: PlannedPrune) {
        self.repository = repository
        self.options = options
        self.planned = planned
        let sealer = repository.sealer
        directories = PackDirectories(PackFile(storage: repository.storage, sealer: sealer, verifier: repository.verifier))
        reader = repository.segmentReader(planned.loaded.index)
        let key = SessionDataKey(recipient: repository.secrets.dataPublicKey)
        let level = BackupOptions().compressionLevel
        dataPacks = PackWriter(.data, sealer: sealer, key: key.record, storage: repository.storage)
        mapPacks = PackWriter(.map, sealer: sealer, key: nil, storage: repository.storage)
        dataBuilder = SegmentBuilder(.data, sealer: sealer, sessionKey: key.secret, writer: dataPacks, level: level)
        mapBuilder = SegmentBuilder(.map, sealer: sealer, sessionKey: nil, writer: mapPacks, level: level)
        copiedEntries = BitSet(limit: planned.loaded.index.entryNumberLimit)
    }

    /// What snapshots need that are not among these, or that came meanwhile, is found when the packs are marked anew.
    func run(_ snapshots: [Snapshot], _ cancellation: Cancellation) throws(RepositoryError) -> Outcome {
        var outcome = Outcome()
        do throws(RepositoryError) {
            var walk = LiveWalk(repository.segmentReader(index), cancellation, use: copy)
            for snapshot in snapshots { try walk.walk(snapshot.manifest) }
        } catch {
            // The writers' threads must end. What they stored is no loss: the next prune finds packs that nothing names.
            do throws(PackingError) { try finish() } catch {}
            throw error
        }
        try packing { () throws(PackingError) in try finish() }
        let written = dataPacks.takeConfirmed() + mapPacks.takeConfirmed()
        try repository.confirmAndIndex(written)
        for pack in written { outcome.written.add(pack.directory.packByteCount) }
        for ordinal in planned.repacked.sorted() {
            let pack = index.pack(ordinal)
            if let reason = failures[ordinal], !Mutant.condemnsUncopied.isActive {
                outcome.problems.append(Problem(severity: .error, object: pack.name.path, reason: "\(reason); it is not repacked, and stays"))
            } else {
                outcome.replaced.append(pack)
            }
        }
        return outcome
    }

    /// Both writers are finished whatever happens.
    private func finish() throws(PackingError) {
        let failure = FirstFailure<PackingError>()
        for builder in [dataBuilder, mapBuilder] { do throws(PackingError) { try builder.flush() } catch { failure.record(error) } }
        for writer in [dataPacks, mapPacks] { do throws(PackingError) { try writer.finish() } catch { failure.record(error) } }
        try failure.check()
    }

    private func copy(_ use: ChunkUse) throws(RepositoryError) {
        for entry in index.entries(use.id) where planned.live.isNeeded(entry) && planned.repacked.contains(entry.location.pack) {
            let location = entry.location
            let pack = index.pack(location.pack)
            guard failures[location.pack] == nil else { continue }
            let place = pack.segments[Int(location.segment)]
            let needed = planned.live.byteCounts(location.pack)[Int(location.segment)]
            switch SegmentFate(place, needed, options, mayOpen: use.kind == .map || repository.dataKeys != nil) {
            case .dropped: continue
            case .copied:
                guard copiedSegments.insert(UInt64(location.pack) << 32 | UInt64(location.segment)).inserted else { continue }
                try copySegment(location, pack)
            case .opened:
                guard copiedEntries.insert(entry.number), !Mutant.forgetsOpenedChunks.isActive else { continue }
                try copyChunk(use, location)
            }
        }
    }

    /// Nil where what is read cannot be had: its pack is not replaced then.
    private func reading<Value>(_ location: ChunkLocation, _ body: () throws(PackingError) -> Value) throws(RepositoryError) -> Value? {
        do throws(PackingError) { return try body() } catch {
            guard error.isLoss else { throw RepositoryError(error) }
            failures[location.pack] = RepositoryError(error).reason
            return nil
        }
    }

    private func copySegment(_ location: ChunkLocation, _ pack: PackRecord) throws(RepositoryError) {
        let read = try reading(location) { () throws(PackingError) in try directories.readSegment(location.segment, of: pack) }
        guard let (segment, bytes) = read else { return }
        let key = pack.kind == .data ? pack.keys[Int(segment.keyIndex)] : nil
        let writer = pack.kind == .data ? dataPacks : mapPacks
        try packing { () throws(PackingError) in
            try unsafe bytes.withUnsafeBufferPointer { bytes throws(PackingError) in unsafe try writer.append(UnsafeRawBufferPointer(bytes), segment, key) }
        }
    }

    private func copyChunk(_ use: ChunkUse, _ location: ChunkLocation) throws(RepositoryError) {
        let builder = use.kind == .data ? dataBuilder : mapBuilder
        let outcome: Result<Void, PackingError>? = try reading(location) { () throws(PackingError) in
            unsafe try reader.withChunk(use.id, use.kind) { bytes in
                do throws(PackingError) {
                    unsafe try builder.append(use.id, bytes, band: use.band, offset: use.offset)
                    return .success(())
                } catch { return .failure(error) }
            }
        }
        // A failure to write is nobody's damage.
        if case .failure(let error) = outcome { throw RepositoryError(error) }
    }
}
