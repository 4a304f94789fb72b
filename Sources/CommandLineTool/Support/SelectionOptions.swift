import ArgumentParser
import ImageRepository
import RepositoryFormat

/// Which snapshots are meant.
struct SelectionOptions: ParsableArguments {
    @Option(help: "Only snapshots of that host.")
    var host: String?

    @Option(name: .customLong("tag"), help: "Only snapshots with that tag; may be repeated, and all must be there.")
    var tags: [String] = []

    var isEmpty: Bool { host == nil && tags.isEmpty }

    func includes(_ snapshot: Snapshot) -> Bool {
        (host == nil || snapshot.manifest.host == host) && tags.allSatisfy(snapshot.manifest.tags.contains)
    }
}
