import Bytes
import RepositoryFormat
import Sealing
import Storage

/// What a chain of marks says of a snapshot.
struct MarkState: Equatable {
    var isForgotten = false
    var isProtected = false
    var isFinal = false
    /// The last mark has no effect because its signer may not set it, or may not any more, or it cannot be read: what was meant is not certain until another is set.
    var isDoubtful = false
    /// A mark that cannot be read may have been the final one: what keeps the snapshot cannot be promised any more.
    var mayBeFinal = false
    /// The number of the next mark.
    var nextNumber: UInt64 = 0

    mutating func apply(_ kind: Mark.Kind) {
        nextNumber += 1
        isDoubtful = false
        guard !isFinal else { return }
        // Whoever set these could read all before them.
        if kind == .undelete || kind == .protect { mayBeFinal = false }
        switch kind {
        case .forget: isForgotten = true
        case .undelete: isForgotten = false
        case .protect: isProtected = true
        case .unprotect: isProtected = false
        case .final: (isForgotten, isFinal) = (true, true)
        }
    }

    /// A mark whose signer may not set it.
    mutating func passOver() {
        nextNumber += 1
        isDoubtful = true
    }

    /// Marks up to that number, of which none can be read.
    mutating func lose(upTo number: UInt64) {
        nextNumber = number + 1
        guard !isFinal, !Mutant.takesLostMarkForNone.isActive else { return }
        (isForgotten, isDoubtful, mayBeFinal) = (false, true, true)
    }
}

extension Repository {
    /// The state of every snapshot that has marks. One that cannot be believed keeps its place in the chain and is reported.
    func readMarks() throws(RepositoryError) -> (states: [SnapshotID: MarkState], problems: [Problem]) {
        var numbers: [SnapshotID: [UInt64]] = [:]
        for info in try storing({ () throws(StorageError) in try storage.list(.marks) }) {
            guard let place = info.name.markPlace else { continue }
            numbers[place.snapshot, default: []].append(place.number)
        }
        var states: [SnapshotID: MarkState] = [:]
        var problems: [Problem] = []
        for (id, found) in numbers {
            let chain = try readChain(id, found.sorted())
            states[id] = chain.state
            problems += chain.problems
        }
        return (states, problems)
    }

    private func readChain(_ id: SnapshotID, _ numbers: [UInt64]) throws(RepositoryError) -> (state: MarkState, problems: [Problem]) {
        var state = MarkState()
        var lost: (name: ObjectName, reason: String)?
        var passedOver: ObjectName?
        for number in numbers {
            if number != state.nextNumber {
                lost = (.mark(id, state.nextNumber), "it is missing, though a later mark is there")
                state.lose(upTo: number - 1)
            }
            do throws(RepositoryError) {
                if let kind = try readMark(id, number) { state.apply(kind) } else {
                    state.passOver()
                    passedOver = .mark(id, number)
                }
            } catch {
                if case .storage(.unavailable) = error { throw error }
                lost = (.mark(id, number), error.reason)
                state.lose(upTo: number)
            }
        }
        var problems: [Problem] = []
        if let lost, !state.isFinal {
            let isOpen = state.isDoubtful
            problems.append(
                Problem(
                    severity: isOpen ? .error : .warning, object: lost.name.path,
                    reason: isOpen
                        ? "\(lost.reason); what it said is not known, so the snapshot is kept until “holdfast forget \(id.hexadecimal.prefix(12))” lets it go"
                        : "\(lost.reason); a later mark says what holds",
                    snapshots: [id.hexadecimal]))
        }
        if let passedOver, state.isDoubtful {
            problems.append(
                Problem(
                    severity: .warning, object: passedOver.path,
                    reason: "its signer may not set it, or may not any more; the snapshot is kept until another mark is set", snapshots: [id.hexadecimal]))
        }
        return (state, problems)
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
