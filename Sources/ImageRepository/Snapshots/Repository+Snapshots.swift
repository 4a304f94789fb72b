import Bytes
public import RepositoryFormat
import Sealing
import Storage

extension Repository {
    /// All snapshots by rising ordinal, but for those that a prune has ended. What cannot be read is a problem of its own and hides nothing else.
    public func snapshots(includingForgotten: Bool = false) throws(RepositoryError) -> SnapshotList {
        let names = try storing { () throws(StorageError) in try storage.list(.snapshots) }.map(\.name)
        try keyrings.refresh()
        let marks = try readMarks()
        var snapshots: [Snapshot] = []
        var problems = marks.problems
        var unreadable: [Problem] = []
        var unlisted: Set<SnapshotID> = []
        for name in names.sorted(by: { $0.leaf < $1.leaf }) {
            // After a final mark the manifest need not be readable, and what it needs may be gone.
            guard let id = SnapshotID(hexadecimal: name.leaf), marks.states[id]?.isFinal != true else { continue }
            do throws(RepositoryError) {
                guard let snapshot = try readSnapshot(id, marks.states[id]) else { continue }
                if includingForgotten || !snapshot.isForgotten { snapshots.append(snapshot) }
            } catch {
                if case .storage(.unavailable) = error { throw error }
                // A prune has deleted it meanwhile, after its final mark.
                if case .storage(.notFound) = error, try readMarks().states[id]?.isFinal == true { continue }
                let problem = Problem(severity: .error, object: name.path, reason: error.reason, snapshots: [name.leaf])
                problems.append(problem)
                unlisted.insert(id)
                if case .unknownSigner = error { continue }
                unreadable.append(problem)
            }
        }
        snapshots.sort { ($0.manifest.ordinal, $0.id.hexadecimal) < ($1.manifest.ordinal, $1.id.hexadecimal) }
        return SnapshotList(snapshots: snapshots, problems: problems, unreadable: unreadable, unlisted: unlisted)
    }

    /// The one snapshot that is meant.
    ///
    /// - Throws: `.noSnapshot`, `.ambiguous`; `.damaged` if what was asked for by its id cannot be read, or if `latest` was asked for and what
    ///   cannot be read, or is missing, may be later: to restore an older one instead without a word would be a wrong answer.
    public func snapshot(_ selector: SnapshotSelector) throws(RepositoryError) -> Snapshot {
        // Before the snapshots are listed, as for a check.
        let pins = Result { () throws(RepositoryError) in try pinFile.read() }
        let list = try snapshots(includingForgotten: true)
        let candidates = list.snapshots.filter { snapshot in
            !snapshot.isForgotten && (selector.host == nil || snapshot.manifest.host == selector.host)
                && selector.tags.allSatisfy { snapshot.manifest.tags.contains($0) }
                && (selector.image == nil || snapshot.manifest.images.contains { $0.name == selector.image })
        }
        if selector.text == "latest" {
            var doubt = list.unreadable.first
            // Opening has warned if the pins cannot be read.
            if doubt == nil, selector.host == nil || selector.host == environment.host, case .success(let pins?) = pins {
                doubt = missing(pins.lastSnapshot, in: list, try readMarks().states)
            }
            if let problem = doubt {
                throw .damaged(object: problem.object, reason: "\(problem.reason); it may be the latest snapshot, so name the one that is meant by its id")
            }
            guard let newest = candidates.last else { throw .noSnapshot(selector.host.map { "latest:\($0)" } ?? "latest") }
            return newest
        }
        guard !selector.text.isEmpty else { throw .noSnapshot("") }
        let matches = candidates.filter { $0.id.hexadecimal.hasPrefix(selector.text) }
        if matches.count > 1 { throw .ambiguous(selector.text, matches: matches.map(\.id)) }
        if let match = matches.first { return match }
        if let problem = list.problems.first(where: { $0.snapshots.contains { $0.hasPrefix(selector.text) } }) {
            throw .damaged(object: problem.object, reason: problem.reason)
        }
        throw .noSnapshot(selector.text)
    }

    /// Says so if what this machine committed last is neither there, nor reported already, nor removed by a prune.
    ///
    /// `last` must have been read before the list: what is committed meanwhile is not missing.
    func missing(_ last: SnapshotID?, in list: SnapshotList, _ marks: [SnapshotID: MarkState]) -> Problem? {
        guard let last, marks[last]?.isFinal != true, !list.snapshots.contains(where: { $0.id == last }),
            !list.unlisted.contains(last)
        else { return nil }
        return Problem(
            severity: .error, object: ObjectName.snapshot(last).path, reason: "it is missing, though this machine committed it and nobody has forgotten it",
            snapshots: [last.hexadecimal])
    }

    /// The image of that name, or the only one if `name` is nil.
    public func image(_ name: String?, of snapshot: Snapshot) throws(RepositoryError) -> ImageRecord {
        let images = snapshot.manifest.images
        if let name {
            if let image = images.first(where: { $0.name == name }) { return image }
        } else if images.count == 1 {
            return images[0]
        }
        throw .noImage(name ?? "", names: images.map(\.name))
    }

    /// Nil if the slot holds an abort record: there is no such snapshot.
    func readSnapshot(_ id: SnapshotID, _ state: MarkState?) throws(RepositoryError) -> Snapshot? {
        let name = ObjectName.snapshot(id)
        let object = try storing { () throws(StorageError) in
            try storage.get(name, byteCountMax: UInt64(FormatLimits.manifestByteCountMax))
        }
        let header = try decoding(name.path) { () throws(FormatError) in try ObjectHeader(of: object[...], expecting: .manifest, .abortRecord) }
        let binding = sealer.repositoryBinding(header.type, name: name.path)
        let digest = ObjectDigest.of(object)
        let document = try sealing(name.path) { () throws(SealingError) in
            let document = try sealer.open(object, binding)
            try verifier.verify(document, binding, header.type == .manifest ? .manifest(id, objectDigest: digest) : .anySlot)
            return document
        }
        if header.type == .abortRecord {
            let record = try decoding(name.path) { () throws(FormatError) in try AbortRecord(body: document.body) }
            guard record.session == id else { throw .damaged(object: name.path, reason: "it is the abort record of another session") }
            return nil
        }
        let manifest = try decoding(name.path) { () throws(FormatError) in try Manifest(body: document.body) }
        guard manifest.snapshot == id else { throw .damaged(object: name.path, reason: "it is the manifest of another snapshot") }
        return Snapshot(
            manifest: manifest, digest: digest, slot: document.slot, isForgotten: state?.isForgotten ?? false,
            isProtected: state?.isProtected ?? false, isDoubtful: state?.isDoubtful ?? false)
    }
}
