public import Bytes
public import RepositoryFormat
import Sealing
import Storage

extension Repository {
    /// Adds the next mark to the chain of each snapshot, one after another: forget, protect and their opposites.
    ///
    /// - Returns: those that were changed; the others are so already.
    /// - Throws: `.notPermitted`; `.damaged` if one of them is to be kept of which a mark cannot be read; `.invalid` for a protected snapshot that is to be forgotten, a forgotten one that is to be
    ///   protected, one that is gone for good, and if somebody else adds a mark at the same moment. Snapshots before it in the list are marked then.
    @discardableResult
    public func mark(_ snapshots: [Snapshot], _ kind: Mark.Kind) throws(RepositoryError) -> [SnapshotID] {
        precondition(kind != .final, "only a prune ends a chain")
        try keyrings.refresh()
        try permitMark(kind, on: snapshots)
        let states = try readMarks().states
        for snapshot in snapshots { try permitMark(kind, after: states[snapshot.id] ?? MarkState(), snapshot.id) }
        var changed: [SnapshotID] = []
        for snapshot in snapshots {
            let state = states[snapshot.id] ?? MarkState()
            var next = state
            next.apply(kind)
            guard state.isDoubtful || (next.isForgotten, next.isProtected) != (state.isForgotten, state.isProtected) else { continue }
            guard try claimMark(kind, snapshot.id, number: state.nextNumber) == .created else {
                throw .invalid("\(ObjectName.mark(snapshot.id, state.nextNumber)): somebody else marked the snapshot at the same moment; run the command again")
            }
            changed.append(snapshot.id)
        }
        return changed
    }

    /// Sets marks that say what the chains said before a slot was retired, with the key that takes its place. Died in between: such snapshots are kept until somebody marks them.
    func reassertMarks(_ before: [SnapshotID: MarkState], with sealer: DocumentSealer) throws(RepositoryError) {
        let after = try readMarks().states
        for (id, wanted) in before where !wanted.isFinal && !wanted.isDoubtful && !wanted.mayBeFinal {
            guard var state = after[id], state.isDoubtful || (state.isForgotten, state.isProtected) != (wanted.isForgotten, wanted.isProtected) else { continue }
            // A prune may come between the two: what keeps the snapshot is set first.
            let protection: Mark.Kind = wanted.isProtected ? .protect : .unprotect
            for kind in wanted.isForgotten ? [protection, .forget] : [.undelete, protection] {
                // Occupied: somebody marks it at this moment, which says more than what was.
                guard try claimMark(kind, id, number: state.nextNumber, with: sealer) == .created else { break }
                state.apply(kind)
            }
        }
    }

    /// Puts the mark of that number unless there is one.
    func claimMark(_ kind: Mark.Kind, _ id: SnapshotID, number: UInt64, with sealer: DocumentSealer? = nil) throws(RepositoryError) -> PutOutcome {
        let sealer = sealer ?? self.sealer
        let name = ObjectName.mark(id, number)
        guard name.markPlace != nil else { throw .damaged(object: name.path, reason: "a snapshot cannot have that many marks; remove what does not belong there") }
        let mark = Mark(kind: kind, snapshot: id, number: number, time: timestamp)
        let object = sealer.seal(mark.body, sealer.repositoryBinding(.mark, name: name.path))
        return try storing { () throws(StorageError) in try storage.claimWithReserve(name, object) }
    }

    /// Before anything is written: a mark that its signer may not set stays in the chain for ever, without effect.
    private func permitMark(_ kind: Mark.Kind, on snapshots: [Snapshot]) throws(RepositoryError) {
        guard let slot = keyrings.current.slot(secrets.slot) else { throw .notPermitted(operation: kind.rawValue, role: role) }
        guard slot.may(.forgetAny) || (slot.may(.forgetOwn) && snapshots.allSatisfy { $0.slot == slot.id }) else {
            throw .notPermitted(operation: "\(kind.rawValue) these snapshots", role: role)
        }
    }
    /// What the marks before it rule out.
    private func permitMark(_ kind: Mark.Kind, after state: MarkState, _ id: SnapshotID) throws(RepositoryError) {
        let name = "snapshot \(id.hexadecimal.prefix(12))"
        guard !state.isFinal else { throw .invalid("\(name) is gone for good: it was forgotten, and a prune has run since") }
        switch kind {
        case .forget where state.isProtected: throw .invalid("\(name) is protected; “holdfast unprotect” lets it be forgotten")
        case .protect where state.isForgotten: throw .invalid("\(name) is forgotten; “holdfast undelete” brings it back")
        case .undelete where state.mayBeFinal, .protect where state.mayBeFinal:
            throw .damaged(
                object: ObjectName.mark(id, state.nextNumber - 1).path,
                reason: "a mark of \(name) cannot be read, and may be the one with which a prune has ended it; a new snapshot is the way to keep what is in it")
        default: break
        }
    }
}
