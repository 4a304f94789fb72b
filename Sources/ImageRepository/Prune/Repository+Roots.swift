import Bytes
import RepositoryFormat
import Storage

/// What a prune must know of snapshots before anything is deleted.
extension Repository {
    /// Ordering 9: every manifest must be readable, and none missing. A manifest that nobody may sign is nobody's snapshot.
    ///
    /// - Returns: all that have no final mark; those of them that are to get one, of which marks without effect or that cannot be read tell something, none is; what is wrong with marks.
    func snapshotsAndDoomed() throws(RepositoryError) -> (all: [Snapshot], doomed: Set<SnapshotID>, markProblems: [Problem]) {
        var shrinkage: Shrinkage?
        // A prune that ends snapshots, or a backup that commits, between two of the listings looks like a loss. It does so once.
        for _ in 0..<Repository.listingCountMax {
            let pins = try pinFile.read()
            let list = try snapshots(includingForgotten: true)
            if !Mutant.passesOverUnreadable.isActive, let problem = list.unreadable.first {
                throw .damaged(object: problem.object, reason: "\(problem.reason); nothing is deleted while it is not known what is needed")
            }
            let (marks, problems) = try readMarks()
            let markProblems = list.problems.filter { ObjectName(path: $0.object)?.kind == .marks } + problems
            shrinkage = missing(pins?.lastSnapshot, in: list, marks).map { Shrinkage(object: $0.object, reason: $0.reason) }
            if shrinkage == nil { shrinkage = try self.shrinkage(list, marks) }
            guard shrinkage == nil || Mutant.acceptsFewerSnapshots.isActive else { continue }
            let doomed = list.snapshots.filter { $0.isForgotten && (!$0.isProtected || Mutant.endsProtected.isActive) && marks[$0.id]?.isDoubtful == false }
            return (list.snapshots, Set(doomed.map(\.id)), markProblems)
        }
        throw .damaged(object: shrinkage?.object ?? "snapshots", reason: "\(shrinkage?.reason ?? "it is not complete"); nothing is deleted while snapshots may be missing")
    }

    private static let listingCountMax = 3

    /// Why snapshots may be missing.
    private struct Shrinkage {
        var object: String
        var reason: String
    }

    /// Snapshots that something still speaks of must be there.
    private func shrinkage(_ list: SnapshotList, _ marks: [SnapshotID: MarkState]) throws(RepositoryError) -> Shrinkage? {
        // Before the snapshots: a first backup has stored an index and not committed yet.
        let hasSessions = try storing { () throws(StorageError) in try storage.list(.sessions) }.contains { $0.name.isKnown }
        // Manifests that nobody accepts and abort records are there, too.
        let present = Set(try storing { () throws(StorageError) in try storage.list(.snapshots) }.map(\.name).filter(\.isKnown))
        for (id, state) in marks where !state.isFinal && !present.contains(.snapshot(id)) {
            return Shrinkage(object: ObjectName.snapshot(id).path, reason: "it is missing, though it has a mark and no prune has ended it")
        }
        let finalCount = marks.values.count(where: \.isFinal)
        var earlierCounts: [UInt64: Int] = [:]
        for (place, ordinal) in list.snapshots.map(\.manifest.ordinal).sorted().enumerated() where earlierCounts[ordinal] == nil { earlierCounts[ordinal] = place }
        for snapshot in list.snapshots {
            for head in snapshot.manifest.heads where marks[head.snapshot]?.isFinal != true && !present.contains(.snapshot(head.snapshot)) {
                return Shrinkage(object: ObjectName.snapshot(head.snapshot).path, reason: "it is missing, though snapshot \(snapshot.id) has seen it")
            }
            let knownCount = (earlierCounts[snapshot.manifest.ordinal] ?? 0) + list.unlisted.count + finalCount
            if UInt64(knownCount) < snapshot.manifest.seen.count {
                return Shrinkage(object: "snapshots", reason: "\(snapshot.id) was written after \(snapshot.manifest.seen.count) others, and not all of them are here")
            }
        }
        if present.isEmpty, finalCount == 0, !hasSessions, try storing({ () throws(StorageError) in try storage.list(.index) }).contains(where: { $0.name.isKnown }) {
            return Shrinkage(object: "snapshots", reason: "there is none, and there never was a prune, but an index")
        }
        return nil
    }
}
