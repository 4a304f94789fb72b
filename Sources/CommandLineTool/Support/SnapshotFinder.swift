import Bytes
import ImageRepository
import RepositoryFormat

/// Finds the snapshot that a name means.
struct SnapshotFinder {
    let repository: Repository
    var host: String?
    var tags: [String] = []

    func find(_ name: SnapshotName) throws(Failure) -> Snapshot {
        switch name.snapshot {
        case .prefix(let digits):
            return try repositoryCall { () throws(RepositoryError) in try repository.snapshot(SnapshotSelector(digits, host: host, tags: tags)) }
        case .latest(let named):
            if let named, let host, named != host { throw Failure("latest:\(named) and --host \(host) name different hosts", status: .usage) }
            do throws(RepositoryError) {
                return try repository.snapshot(SnapshotSelector("latest", host: named ?? host, tags: tags, image: name.image))
            } catch {
                guard case .noSnapshot = error else { throw Failure(error) }
                if let image = name.image { throw Failure("no snapshot has an image “\(image)”; “holdfast snapshots” lists them") }
                throw named.flatMap { missingHost($0) } ?? Failure(error)
            }
        }
    }

    /// All that the texts name, each once, in their order.
    func findAll(_ texts: [String]) throws(Failure) -> [Snapshot] {
        var found: [Snapshot] = []
        for text in texts {
            let name = try SnapshotName(parsing: text)
            guard name.image == nil else { throw Failure("“\(text)” names an image; give whole snapshots", status: .usage) }
            let snapshot = try find(name)
            if !found.contains(where: { $0.id == snapshot.id }) { found.append(snapshot) }
        }
        return found
    }

    /// The same among forgotten snapshots, by their ids.
    func findForgotten(_ texts: [String]) throws(Failure) -> [Snapshot] {
        let list = try repositoryCall { () throws(RepositoryError) in try repository.snapshots(includingForgotten: true) }
        var found: [Snapshot] = []
        for text in texts {
            guard case .prefix(let digits) = try SnapshotName(parsing: text).snapshot else {
                throw Failure("“\(text)”: give the first digits of the snapshot's id; “holdfast snapshots --forgotten” shows them", status: .usage)
            }
            // One that is not forgotten is found too, and is left as it is.
            let matches = list.snapshots.filter { $0.id.hexadecimal.hasPrefix(digits) }
            guard let match = matches.first else { throw Failure("no snapshot's id begins with “\(text)”; “holdfast snapshots --forgotten” lists those that can come back") }
            guard matches.count == 1 else { throw Failure(RepositoryError.ambiguous(text, matches: matches.map(\.id))) }
            if !found.contains(where: { $0.id == match.id }) { found.append(match) }
        }
        return found
    }

    /// `latest:NAME` where NAME is no host but an image: an easy mistake.
    private func missingHost(_ name: String) -> Failure? {
        do throws(RepositoryError) {
            let latest = try repository.snapshot(SnapshotSelector("latest", tags: tags))
            guard latest.manifest.images.contains(where: { $0.name == name }) else { return nil }
            return Failure("there is no snapshot of a host “\(name)”, but the latest one has an image of that name: write latest::\(name)")
        } catch {
            // The first error is the one to show.
            return nil
        }
    }
}
