import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage
import Synchronization
import Threading

/// A registered writer: stores chunks, index objects and at last the manifest, in the order of Specs/ordering.md.
///
/// Life: `init` registers; chunks go to the pack writers; then either `commit` or `abandon`, once. Dropping it leaves garbage, never damage.
final class WriteSession {
    /// An index object is written on the way after so many packs, so that what a killed session stored is found again quickly.
    private static let packsPerIndex = Repository.packsPerIndex

    let id: SessionID
    let index: ChunkIndex
    let claims: ChunkClaims
    let dataKey: SessionDataKey
    let dataPacks: PackWriter
    let mapPacks: PackWriter
    /// Gathers map chunks; used by the collecting thread alone.
    let mapBuilder: SegmentBuilder
    /// What was wrong with the index or the condemned lists, for the person.
    private(set) var warnings: [String]
    /// Reads maps of earlier sessions: the parent's, and those that are referred to instead of being stored again. An image's maps are read once and in
    /// order, so a small cache does.
    let mapReader: SegmentReader

    /// Used by the collecting thread alone.
    let heartbeat: SessionHeartbeat

    private let repository: Repository
    private var pending: [IndexDocument.Pack]
    private var storage: any StorageBackend { repository.storage }

    init(_ repository: Repository, kind: String, compressionLevel: Int?, progress: ProgressCounters) throws(RepositoryError) {
        self.repository = repository
        let early = Mutant.registersAfterReading.isActive ? try repository.loadIndex(adoptsOrphans: true) : nil
        // Ordering 3: the session is durable before condemned lists, index and packs are read.
        id = try WriteSession.register(repository, kind: kind)
        heartbeat = SessionHeartbeat(repository, id)
        let loaded: LoadedIndex
        do throws(RepositoryError) {
            loaded = if let early { early } else { try repository.loadIndex(adoptsOrphans: true) }
            // What such a list condemns is not known, so nothing could be counted on.
            if let failure = loaded.condemnedFailure { throw failure }
        } catch {
            // An error stops the backup; if the session cannot be ended either, a maintainer will.
            do throws(RepositoryError) { _ = try repository.abort(id, reason: "the index could not be read") } catch {}
            throw error
        }
        index = loaded.index
        pending = loaded.adopted
        claims = ChunkClaims(index: index)
        mapReader = repository.segmentReader(index, cacheByteCount: 8 << 20)
        dataKey = SessionDataKey(recipient: repository.secrets.dataPublicKey)
        let stored: @Sendable (UInt64) -> Void = { _ = progress.storedByteCount.add($0, ordering: .relaxed) }
        dataPacks = PackWriter(.data, sealer: repository.sealer, key: dataKey.record, storage: repository.storage, onStored: stored)
        mapPacks = PackWriter(.map, sealer: repository.sealer, key: nil, storage: repository.storage, onStored: stored)
        mapBuilder = SegmentBuilder(.map, sealer: repository.sealer, sessionKey: nil, writer: mapPacks, level: compressionLevel)
        warnings = (loaded.warning.map { [$0] } ?? []) + loaded.problems.map { "\($0.object): \($0.reason)" }
    }

    /// Stores a map chunk unless it is there and can be read: maps are small, and without one none of the data below it could be found.
    func storeMap(_ bytes: [UInt8], _ id: ChunkID, near band: UInt64) throws(RepositoryError) {
        try discountIfUnreadable(id)
        guard claims.claim(id, byteCount: bytes.count) else { return }
        try packing { () throws(PackingError) in
            try unsafe bytes.withUnsafeBufferPointer { buffer throws(PackingError) in
                unsafe try mapBuilder.append(id, UnsafeRawBufferPointer(buffer), band: band)
            }
        }
    }

    /// What packs hold from which a map chunk cannot be read is stored again from now on.
    private func discountIfUnreadable(_ id: ChunkID) throws(RepositoryError) {
        while index.countingLocation(id) != nil {
            do throws(PackingError) {
                return try unsafe mapReader.withChunk(id, .map) { _ in }
            } catch {
                if case .storage(.unavailable) = error { throw RepositoryError(error) }
                let packs = index.locations(id).map { index.pack($0.pack) }.filter(\.isCounting)
                warnings += packs.map { "\($0.name.path): \(RepositoryError(error).reason); the maps in it that this backup needs are stored again" }
                index.discount(Set(packs.map(\.id)))
            }
        }
    }

    /// Writes an index object for the packs stored so far, if they are many.
    func indexOnTheWay() throws(RepositoryError) {
        takeStored()
        if pending.count >= WriteSession.packsPerIndex { try writeIndex() }
    }

    /// Ordering 5 to 8: all packs, the index, the manifest; then the session ends.
    ///
    /// `makeManifest` is called when everything is stored, with the bytes that took.
    func commit(
        _ makeManifest: (_ storedByteCount: UInt64) throws(RepositoryError) -> Manifest
    ) throws(RepositoryError) -> (manifest: Manifest, digest: Digest) {
        try finishPacks()
        if !Mutant.commitsBeforeIndex.isActive { try writeIndex() }
        let manifest = try makeManifest(dataPacks.storedByteCount + mapPacks.storedByteCount)
        let name = ObjectName.snapshot(id)
        let object = repository.sealer.seal(manifest.body, repository.sealer.repositoryBinding(.manifest, name: name.path))
        guard object.count <= FormatLimits.manifestByteCountMax else { throw .invalid("the snapshot has too many images or volumes for one manifest") }
        // What this program could not read again must not become a snapshot.
        guard try decoding(name.path, { () throws(FormatError) in try Manifest(body: manifest.body) }) == manifest else {
            throw .invalid("the snapshot cannot be described in a manifest")
        }
        try repository.requireWriter()
        // Ordering 7: the commit point.
        let outcome = try storing { () throws(StorageError) in try storage.claim(name, object) }
        if Mutant.commitsBeforeIndex.isActive { try writeIndex() }
        if outcome == .occupied, !Mutant.takesAbortForCommit.isActive { try settleOccupied(name) }
        // A key that was removed at this very moment: whoever removed it has either seen this manifest, and it is accepted, or nobody will.
        try repository.keyrings.refresh()
        do throws(RepositoryError) { _ = try repository.readSnapshot(id, nil) } catch {
            // It was committed; since then it was forgotten, and a prune has run.
            guard case .storage(.notFound) = error, try repository.readMarks().states[id]?.isFinal == true else { throw error }
        }
        // Ordering 8. A session object that stays behind does no harm, so a failure here does not undo the commit.
        heartbeat.stop()
        do throws(StorageError) { try storage.delete(.session(id)) } catch {}
        return (manifest, ObjectDigest.of(object))
    }

    /// Ends without a snapshot. What was stored is indexed if that is still possible, so that the next backup finds it.
    func abandon() {
        do throws(RepositoryError) {
            try finishPacks()
            try writeIndex()
        } catch {
            // The first failure is what the caller reports; what is not indexed the next session adopts.
        }
        heartbeat.stop()
        do throws(RepositoryError) {
            try abort(reason: "the backup did not finish")
        } catch {
            // The session object stays; a maintainer ends it.
        }
    }

    /// Both writers are finished whatever happens: their threads must end.
    private func finishPacks() throws(RepositoryError) {
        let failure = FirstFailure<PackingError>()
        do throws(PackingError) { try mapBuilder.flush() } catch { failure.record(error) }
        do throws(PackingError) { try dataPacks.finish() } catch { failure.record(error) }
        do throws(PackingError) { try mapPacks.finish() } catch { failure.record(error) }
        takeStored()
        try packing { () throws(PackingError) in try failure.check() }
    }

    private func takeStored() { pending += dataPacks.takeConfirmed() + mapPacks.takeConfirmed() }

    private func writeIndex() throws(RepositoryError) {
        do throws(RepositoryError) { try repository.confirmAndIndex(pending) } catch {
            guard case .storage(.notFound(let pack)) = error else { throw error }
            // Once the session was ended a pack of it is nobody's, and a prune deletes it.
            if try storing({ () throws(StorageError) in try storage.stat(.snapshot(id)) }) != nil { try settleOccupied(.snapshot(id)) }
            throw .damaged(object: pack.path, reason: "it was stored and is not there; nothing was committed")
        }
        pending = []
    }

    /// Ordering 7: the slot is taken, and not by an earlier attempt of our own. By who ended the session?
    private func settleOccupied(_ name: ObjectName) throws(RepositoryError) {
        guard try repository.readSnapshot(id, nil) == nil else {
            throw .damaged(object: name.path, reason: "another manifest stands in this session's place")
        }
        throw .sessionEnded(id)
    }

    /// Takes the session's own slot, so that it can never commit, and removes the session object.
    private func abort(reason: String) throws(RepositoryError) { _ = try repository.abort(id, reason: reason) }

    /// Ordering 3. The id mixes what the machine knows with random bytes: clones with one state of the generator differ, or collide here and draw again.
    private static func register(_ repository: Repository, kind: String) throws(RepositoryError) -> SessionID {
        let environment = repository.environment
        let record = SessionRecord(
            kind: kind, host: environment.host, machineID: environment.machineID, processSpace: environment.processSpace,
            processID: environment.processID, startTime: repository.timestamp,
            tool: environment.tool)
        for _ in 0..<8 {
            let id = SessionID(RandomID(repository.sealer.member.salt(for: record.body)))
            let name = ObjectName.session(id)
            let object = repository.sealer.seal(record.body, repository.sealer.repositoryBinding(.session, name: name.path))
            let outcome = try storing { () throws(StorageError) in try repository.storage.claim(name, object) }
            if outcome == .created { return id }
        }
        throw .invalid("no session can be registered: the random generator of this machine repeats itself")
    }
}
