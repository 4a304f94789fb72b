import Bytes
import RepositoryFormat
import Storage

/// Snapshots that go for good: final marks, and the manifests after them.
extension PruneRun {
    /// Nothing is condemned, so there is no list: a final mark alone takes nothing away from anybody.
    func finishSnapshots() throws(RepositoryError) {
        try setFinalMarks()
        try deleteFinishedManifests()
    }

    func setFinalMarks() throws(RepositoryError) {
        let doomed = try snapshotsAndDoomed().doomed
        guard !doomed.isEmpty else { return }
        let states = try readMarks()
        for id in doomed {
            guard let state = states[id], !state.isDoubtful, state.isForgotten, !state.isProtected || Mutant.endsProtected.isActive, !state.isFinal else { continue }
            // Occupied: somebody brought it back, or ended it, at this moment.
            if try repository.claimMark(.final, id, number: state.nextNumber) == .created { report.snapshotCount += 1 }
        }
    }

    func snapshotsAndDoomed() throws(RepositoryError) -> (all: [Snapshot], doomed: Set<SnapshotID>) {
        let (all, doomed, problems) = try repository.snapshotsAndDoomed()
        note(problems)
        return (all, doomed)
    }

    private func readMarks() throws(RepositoryError) -> [SnapshotID: MarkState] {
        let (states, problems) = try repository.readMarks()
        note(problems)
        return states
    }

    /// Snapshots that stay because a mark of theirs cannot be read.
    private func note(_ problems: [Problem]) {
        for problem in problems where problem.severity == .error && !report.problems.contains(problem) { report.problems.append(problem) }
    }

    /// Never an abort record (Ordering 1), which has no final mark.
    func deleteFinishedManifests() throws(RepositoryError) {
        let final = try readMarks().filter(\.value.isFinal).keys
        guard !final.isEmpty else { return }
        let present = Set(try storing { () throws(StorageError) in try storage.list(.snapshots) }.map(\.name))
        let finished = final.filter { present.contains(.snapshot($0)) }
        guard let first = finished.first else { return }
        // Marks that another has set are durable with the folder in which they are; a manifest must not go before them.
        try storing { () throws(StorageError) in
            _ = try storage.stat(.mark(first, 0))
            try storage.barrier()
        }
        for id in finished {
            try storing { () throws(StorageError) in try storage.delete(.snapshot(id)) }
        }
    }
}
