import Bytes
import Packing
import RepositoryFormat
import Storage

/// Reads the segments of copies that are to stay instead of others. Nothing is opened: the digest of the sealed bytes tells enough, and every role has its key.
final class CopyVerifier {
    private let packs: PackFile
    private let index: ChunkIndex
    private var directories: [UInt32: Result<PackDirectory, PackingError>] = [:]
    /// What was found damaged.
    private(set) var problems: [Problem] = []

    init(_ repository: Repository, _ index: ChunkIndex) {
        packs = PackFile(storage: repository.storage, sealer: repository.sealer, verifier: repository.verifier)
        self.index = index
    }

    /// Whether the segment is what its pack says.
    func isIntact(_ location: ChunkLocation) throws(RepositoryError) -> Bool {
        if Mutant.keepsUnreadCopy.isActive { return true }
        let pack = index.pack(location.pack)
        do throws(PackingError) {
            let directory = try directory(location.pack, pack).get()
            guard pack.describes(directory) else { throw .damaged(object: pack.name.path, reason: "its directory is not what the index says") }
            _ = try packs.readSegment(pack.name, directory.segments[Int(location.segment)])
            return true
        } catch {
            guard case .damaged = error else { throw RepositoryError(error) }
            problems.append(Problem(severity: .error, object: pack.name.path, reason: RepositoryError(error).reason))
            return false
        }
    }

    private func directory(_ ordinal: UInt32, _ pack: PackRecord) -> Result<PackDirectory, PackingError> {
        if let known = directories[ordinal] { return known }
        let directory: Result<PackDirectory, PackingError>
        do throws(PackingError) {
            directory = .success(try packs.readDirectory(ObjectInfo(name: pack.name, byteCount: pack.byteCount), pack.kind))
        } catch { directory = .failure(error) }
        directories[ordinal] = directory
        return directory
    }
}
