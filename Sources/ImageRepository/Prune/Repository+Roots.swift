import Bytes
import RepositoryFormat
import Storage

/// What a prune must know of snapshots before anything is deleted.
extension Repository {
    /// Ordering 9: every manifest and mark must be readable, and none missing. A manifest that nobody may sign is nobody's snapshot.
    ///
    /// - Returns: all that have no final mark, and those of them that are to get one. Of which marks without effect tell something, none is.
    func snapshotsAndDoomed() throws(RepositoryError) -> (all: [Snapshot], doomed: Set<SnapshotID>) {
        let pins = try pinFile.read()
        let list = try snapshots(includingForgotten: true)
        if let problem = list.unreadable.first ?? list.problems.first(where: { $0.severity == .error && !$0.object.hasPrefix("snapshots/") }) {
            throw .damaged(object: problem.object, reason: "\(problem.reason); nothing is deleted while it is not known what is needed")
        }
        let marks = try readMarks().states
        if let problem = missing(pins?.lastSnapshot, in: list, marks) { throw Repository.shrunken(problem.object, problem.reason) }
        try refuseShrunken(list, marks)
        let doomed = list.snapshots.filter { $0.isForgotten && !$0.isProtected && marks[$0.id]?.isDoubtful == false }
        return (list.snapshots, Set(doomed.map(\.id)))
    }

    private static func shrunken(_ object: String, _ reason: String) -> RepositoryError {
        .damaged(object: object, reason: "\(reason); nothing is deleted while snapshots may be missing")
    }

    /// Snapshots that something still speaks of must be there.
    private func refuseShrunken(_ list: SnapshotList, _ marks: [SnapshotID: MarkState]) throws(RepositoryError) {
        // Manifests that nobody accepts and abort records are there, too.
        let present = Set(try storing { () throws(StorageError) in try storage.list(.snapshots) }.map(\.name))
        for (id, state) in marks where !state.isFinal && !present.contains(.snapshot(id)) {
            throw Repository.shrunken(ObjectName.snapshot(id).path, "it is missing, though it has a mark and no prune has ended it")
        }
        let finalCount = marks.values.count(where: \.isFinal)
        for snapshot in list.snapshots {
            for head in snapshot.manifest.heads where marks[head.snapshot]?.isFinal != true && !present.contains(.snapshot(head.snapshot)) {
                throw Repository.shrunken(ObjectName.snapshot(head.snapshot).path, "it is missing, though snapshot \(snapshot.id) has seen it")
            }
            let earlierCount = list.snapshots.count { $0.manifest.ordinal < snapshot.manifest.ordinal } + list.problems.flatMap(\.snapshots).count + finalCount
            if UInt64(earlierCount) < snapshot.manifest.seen.count {
                throw Repository.shrunken("snapshots", "\(snapshot.id) was written after \(snapshot.manifest.seen.count) others, and not all of them are here")
            }
        }
        if present.isEmpty, finalCount == 0, try !storing({ () throws(StorageError) in try storage.list(.index) }).isEmpty {
            throw Repository.shrunken("snapshots", "there is none, and there never was a prune, but an index")
        }
    }
}
