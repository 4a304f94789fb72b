import Bytes
import RepositoryFormat
import Storage

/// History: the snapshots and the keyring that manifests and this machine have seen must still be there.
extension CheckRun {
    /// Snapshots that later ones name must be there, as they were.
    func checkHistory(_ list: SnapshotList) throws(RepositoryError) {
        let marks = try repository.readMarks().states
        /// Known by name; of others only that there were so many can be known.
        var missing: Set<SnapshotID> = []
        if let problem = repository.missing(lastSnapshot, in: list, marks) {
            problems.append(problem)
            missing.formUnion([lastSnapshot].compactMap { $0 })
        }
        let present = Dictionary(uniqueKeysWithValues: list.snapshots.map { ($0.id, $0.digest) })
        var reported: Set<SnapshotID> = []
        for snapshot in list.snapshots {
            for head in snapshot.manifest.heads where marks[head.snapshot]?.isFinal != true {
                guard present[head.snapshot] != head.digest, reported.insert(head.snapshot).inserted else { continue }
                // One that is there and could not be read is reported already.
                guard !list.unlisted.contains(head.snapshot) else { continue }
                let name = ObjectName.snapshot(head.snapshot).path
                if present[head.snapshot] == nil { missing.insert(head.snapshot) }
                let reason = present[head.snapshot] == nil
                    ? "it is missing, though snapshot \(snapshot.id) has seen it and nobody has forgotten it"
                    : "it is not the manifest that snapshot \(snapshot.id) has seen"
                report(.error, name, reason, [head.snapshot.hexadecimal])
            }
            if snapshot.manifest.keyringNumber > repository.keyrings.current.number {
                report(.error, "keyring", "snapshot \(snapshot.id) has seen keyring \(snapshot.manifest.keyringNumber), and the newest here is \(repository.keyrings.current.number): keys were put back")
            }
        }
        for (id, state) in marks where !state.isFinal && present[id] == nil && !list.unlisted.contains(id) && !missing.contains(id) {
            guard try isMissing(id) else { continue }
            report(.error, ObjectName.snapshot(id).path, "it is missing, though it has a mark and no prune has ended it", [id.hexadecimal])
            missing.insert(id)
        }
        let knownCount = marks.values.count(where: \.isFinal) + missing.count
        for snapshot in list.snapshots { checkSeen(snapshot, list, knownCount: knownCount) }
    }

    /// Looked for again, as it may have been committed or ended since the listing.
    private func isMissing(_ id: SnapshotID) throws(RepositoryError) -> Bool {
        guard try storing({ () throws(StorageError) in try repository.storage.stat(.snapshot(id)) }) == nil else { return false }
        return try repository.readMarks().states[id]?.isFinal != true
    }

    /// Whoever wrote a manifest had seen so many snapshots, all of lower ordinals; of those only ones with a final mark may be gone.
    ///
    /// - Parameter knownCount: those with a final mark, and those that are reported as missing already.
    private func checkSeen(_ snapshot: Snapshot, _ list: SnapshotList, knownCount: Int) {
        let earlierCount = list.snapshots.count { $0.manifest.ordinal < snapshot.manifest.ordinal }
        guard UInt64(earlierCount + list.unlisted.count + knownCount) < snapshot.manifest.seen.count else { return }
        report(.error, "snapshots", "snapshots are missing: \(snapshot.id) was written after \(snapshot.manifest.seen.count) others, and \(earlierCount) of them are here")
    }
}
