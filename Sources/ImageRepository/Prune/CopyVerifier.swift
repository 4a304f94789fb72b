import Bytes
import Packing
import Storage

/// Reads the segments of copies that are to stay instead of others. Nothing is opened: the digest of the sealed bytes tells enough, and every role has its key.
final class CopyVerifier {
    private let index: ChunkIndex
    private var directories: PackDirectories
    /// What was found damaged or unreadable.
    private(set) var problems: [Problem] = []

    init(_ repository: Repository, _ index: ChunkIndex) {
        directories = PackDirectories(PackFile(storage: repository.storage, sealer: repository.sealer, verifier: repository.verifier))
        self.index = index
    }

    /// Whether the segment can be read and is what its pack says.
    func isIntact(_ location: ChunkLocation) throws(RepositoryError) -> Bool {
        if Mutant.keepsUnreadCopy.isActive { return true }
        let pack = index.pack(location.pack)
        do throws(PackingError) {
            _ = try directories.readSegment(location.segment, of: pack)
            return true
        } catch {
            guard error.isLoss else { throw RepositoryError(error) }
            let problem = Problem(severity: .error, object: pack.name.path, reason: RepositoryError(error).reason)
            // Where it is the directory, every segment tells the same.
            if !problems.contains(problem) { problems.append(problem) }
            return false
        }
    }
}
