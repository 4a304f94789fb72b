import Bytes
import Packing
import RepositoryFormat
import Storage
import Synchronization
import Threading

/// Packs: those of the index are there, those that are there are in the index, and some of them are read whole.
extension CheckRun {
    private static let missing = "it is missing"

    /// Every pack of the index is there with its size.
    func checkPresence(_ loaded: LoadedIndex) {
        for pack in loaded.index.packs {
            guard let info = loaded.listed[pack.name] else {
                badPacks[pack.name] = CheckRun.missing
                continue
            }
            if info.byteCount != pack.byteCount { badPacks[pack.name] = "it has \(info.byteCount) bytes and should have \(pack.byteCount)" }
        }
    }

    /// Packs that no index object names: of sessions that run or were killed, or of an index object that is gone.
    func checkOrphans(_ loaded: LoadedIndex) throws(RepositoryError) {
        let packs = PackFile(storage: repository.storage, sealer: repository.sealer, verifier: repository.verifier)
        for (id, info) in loaded.listedPacks where !loaded.index.contains(id) {
            do throws(PackingError) {
                let directory = try packs.readDirectory(info, info.name.kind == .packs ? .data : .map)
                orphans.append(IndexDocument.Pack(id: id, directory: directory))
                if preparesRepair { continue }
                report(.warning, info.name.path, "no index object names it; a backup is running or was killed, or an index object was lost. The next backup adopts it, and “holdfast repair” does")
            } catch {
                switch error {
                case .storage(.notFound): continue
                case .storage(.unavailable): throw RepositoryError(error)
                case .damaged: badPacks[info.name] = RepositoryError(error).reason
                default: report(.error, info.name.path, RepositoryError(error).reason)
                }
            }
        }
    }

    /// Reads and opens whole packs: as many as the options ask for, and those that a repair found damaged, of which it must be known what is left. Returns how many.
    func checkPacks(_ loaded: LoadedIndex, _ references: PartReferences) throws(RepositoryError) -> Int {
        var generator = SystemRandomNumberGenerator()
        var chosen: [(ObjectInfo, PackID)] = []
        for (id, info) in loaded.listedPacks {
            let isChosen =
                switch options.data {
                case .structure: false
                case .sample(let percent): info.name.kind == .maps || Double.random(in: 0..<100, using: &generator) < percent
                case .all: true
                }
            if isChosen || loaded.damaged.contains(info.name) { chosen.append((info, id)) }
        }
        progress.totalByteCount.store(chosen.reduce(0) { $0 + $1.0.byteCount }, ordering: .relaxed)
        try open(chosen, loaded, references)
        return chosen.count
    }

    /// Reads these packs whole.
    private func open(_ chosen: [(ObjectInfo, PackID)], _ loaded: LoadedIndex, _ references: PartReferences = PartReferences()) throws(RepositoryError) {
        guard !chosen.isEmpty else { return }
        let parts = Monitor(ComparedParts())
        let checker = PackChecker(repository, loaded.index, references, parts)
        let work = Monitor(chosen[...])
        let found = Monitor<[ObjectName: String]>([:])
        let failure = FirstFailure<RepositoryError>()
        let (progress, cancellation) = (progress, cancellation)
        // One more than cores: a thread that waits for the storage leaves its core to another.
        onThreads(max(1, options.threadCount ?? usableCoreCount() + 1), "check") { _ in
            while failure.value == nil, !cancellation.isCancelled, let (info, id) = work.withLock({ $0.popFirst() }) {
                do throws(RepositoryError) {
                    if let reason = try checker.problem(info, id) { found.withLock { $0[info.name] = reason } }
                } catch { failure.record(error) }
                progress.readByteCount.add(info.byteCount, ordering: .relaxed)
                progress.doneByteCount.add(info.byteCount, ordering: .relaxed)
            }
        }
        try failure.check()
        try cancellation.check()
        badPacks.merge(found.withLock { $0 }) { first, _ in first }
        comparedParts.add(parts.withLock { $0 })
    }

    /// A map chunk could not be read: what its pack is good for is found by reading all of it.
    func openSuspects(_ suspects: Set<ObjectName>, _ loaded: LoadedIndex) throws(RepositoryError) {
        guard preparesRepair else { return }
        try open(loaded.listedPacks.filter { suspects.contains($0.info.name) }.map { ($0.info, $0.id) }, loaded)
    }

    /// Each bad pack, with the snapshots that need it.
    func reportPacks(_ loaded: LoadedIndex, _ users: [ObjectName: Set<SnapshotID>]) {
        for (pack, reason) in badPacks.sorted(by: { $0.key.path < $1.key.path }) {
            let isNeeded = users[pack] != nil
            if reason == CheckRun.missing, !isNeeded {
                report(.warning, pack.path, "it is missing, and no snapshot needs it: a prune was interrupted; the next one takes it off the index")
            } else if loaded.damaged.contains(pack), !isNeeded {
                report(.warning, pack.path, "\(reason). A repair has condemned it, and no snapshot needs what is lost of it")
            } else {
                report(.error, pack.path, reason, (users[pack] ?? []).map(\.hexadecimal).sorted())
            }
        }
    }
}
