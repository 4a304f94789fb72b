import Bytes
import RepositoryFormat
import Sealing
import Storage

/// What a chain of marks says of a snapshot.
struct MarkState: Equatable {
    var isForgotten = false
    var isProtected = false
    var isFinal = false
    /// The last mark has no effect because its signer may not set it, or may not any more: what was meant is not certain until another is set.
    var isDoubtful = false
    /// The number of the next mark.
    var nextNumber: UInt64 = 0

    mutating func apply(_ kind: Mark.Kind) {
        nextNumber += 1
        isDoubtful = false
        guard !isFinal else { return }
        switch kind {
        case .forget: isForgotten = true
        case .undelete: isForgotten = false
        case .protect: isProtected = true
        case .unprotect: isProtected = false
        case .final: (isForgotten, isFinal) = (true, true)
        }
    }
}

extension Repository {
    /// The state of every snapshot that has marks. A mark that cannot be believed ends its chain and is reported.
    func readMarks() throws(RepositoryError) -> (states: [SnapshotID: MarkState], problems: [Problem]) {
        var numbers: [SnapshotID: [UInt64]] = [:]
        for info in try storing({ () throws(StorageError) in try storage.list(.marks) }) {
            let parts = info.name.leaf.split(separator: ".")
            guard parts.count == 2, let id = SnapshotID(hexadecimal: parts[0]), let number = UInt64(parts[1]) else { continue }
            numbers[id, default: []].append(number)
        }
        var states: [SnapshotID: MarkState] = [:]
        var problems: [Problem] = []
        for (id, found) in numbers {
            var state = MarkState()
            var doubt: Problem?
            for (expected, number) in found.sorted().enumerated() {
                do throws(RepositoryError) {
                    guard number == UInt64(expected) else {
                        throw .damaged(object: ObjectName.mark(id, UInt64(expected)).path, reason: "it is missing, though a later mark is there")
                    }
                    if let kind = try readMark(id, number) {
                        state.apply(kind)
                        doubt = nil
                    } else {
                        state.nextNumber += 1
                        state.isDoubtful = true
                        doubt = Problem(
                            severity: .warning, object: ObjectName.mark(id, number).path,
                            reason: "its signer may not set it, or may not any more; the snapshot is kept until another mark is set", snapshots: [id.hexadecimal])
                    }
                } catch {
                    if case .storage(.unavailable) = error { throw error }
                    var object = ObjectName.mark(id, number).path
                    if case .damaged(let named, _) = error { object = named }
                    problems.append(Problem(severity: .error, object: object, reason: error.reason, snapshots: [id.hexadecimal]))
                    break
                }
            }
            if let doubt { problems.append(doubt) }
            states[id] = state
        }
        return (states, problems)
    }

    /// Nil if its signer may not set it.
    private func readMark(_ id: SnapshotID, _ number: UInt64) throws(RepositoryError) -> Mark.Kind? {
        let name = ObjectName.mark(id, number)
        let object = try storing { () throws(StorageError) in try storage.get(name, byteCountMax: UInt64(FormatLimits.recordByteCountMax)) }
        let binding = sealer.repositoryBinding(.mark, name: name.path)
        let document = try sealing(name.path) { () throws(SealingError) in try sealer.open(object, binding) }
        let mark = try decoding(name.path) { () throws(FormatError) in try Mark(body: document.body) }
        guard mark.snapshot == id, mark.number == number else { throw .damaged(object: name.path, reason: "it is the mark of another snapshot") }
        let capability = try neededCapability(mark, document.slot)
        do throws(SealingError) {
            try verifier.verify(document, binding, mark.kind == .final ? .lastingCapability(capability) : .capability(capability))
            return mark.kind
        } catch {
            if error == .unknownSigner { return nil }
            throw RepositoryError(error, object: name.path)
        }
    }

    /// A slot that may forget only its own snapshots is enough for those that it signed, and for those that are gone.
    private func neededCapability(_ mark: Mark, _ signer: SlotID) throws(RepositoryError) -> Capability {
        if mark.kind == .final { return .prune }
        guard let slot = keyrings.current.slot(signer), !slot.may(.forgetAny), slot.may(.forgetOwn) else { return .forgetAny }
        do throws(RepositoryError) {
            let owner = try readSnapshot(mark.snapshot, nil)?.slot
            return owner == nil || owner == signer ? .forgetOwn : .forgetAny
        } catch {
            if case .storage(.notFound) = error { return .forgetOwn }
            if case .storage = error { throw error }
            return .forgetAny
        }
    }
}
