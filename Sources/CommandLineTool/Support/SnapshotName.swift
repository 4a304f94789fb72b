/// How a person names a snapshot, and perhaps one of its images: `ID`, `ID:IMAGE`, `latest`, `latest:HOST`, `latest:HOST:IMAGE`.
///
/// An empty host is any: `latest::IMAGE`. Image names may hold colons.
struct SnapshotName: Equatable {
    enum Snapshot: Equatable {
        /// Lower-case hexadecimal digits, at least one.
        case prefix(String)
        case latest(host: String?)
    }

    var snapshot: Snapshot
    var image: String?

    init(parsing text: String) throws(Failure) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts[0] == "latest" else {
            let digits = parts[0].lowercased()
            guard (1...32).contains(digits.utf8.count), digits.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else {
                throw Failure("“\(text)” names no snapshot: give the first digits of its id, latest, or latest:HOST", status: .usage)
            }
            snapshot = .prefix(digits)
            image = try SnapshotName.image(parts.dropFirst().first, text)
            return
        }
        guard parts.count == 2 else {
            snapshot = .latest(host: nil)
            return
        }
        let rest = parts[1].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard rest.count == 2 || !rest[0].isEmpty else {
            throw Failure("“\(text)” names no host: give latest:HOST, or latest alone", status: .usage)
        }
        snapshot = .latest(host: rest[0].isEmpty ? nil : rest[0])
        image = try SnapshotName.image(rest.dropFirst().first, text)
    }

    private static func image(_ name: String?, _ text: String) throws(Failure) -> String? {
        guard name?.isEmpty != true else { throw Failure("“\(text)” names no image after its last colon", status: .usage) }
        return name
    }
}
