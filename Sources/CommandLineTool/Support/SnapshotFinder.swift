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
