import Bytes
import CLinux
import Glibc
import RepositoryFormat
import Sealing
import Synchronization

/// Fingerprints of a volume's blocks when it was backed up last, in a file of this machine: they tell which part of a chunk has changed, so that the rest of it can
/// be referred to. Decision: Specs/decisions/0014-parts-of-chunks.md.
///
/// The file has room for two records for each band, at its place: what a backup writes takes the place of the one that is not the parent's, so that an attempt that comes
/// to nothing takes nothing from the next. A record names the band map that it belongs to, and is authenticated: one of another snapshot, half written, damaged or somebody
/// else's is as good as none, and nothing is lost with the file but space in the repository. Several threads may use it, each for bands of its own.
final class BlockCache: Sendable {
    private let path: String
    private let descriptor: CInt
    private let member: MemberKeys
    private let failure = Mutex<String?>(nil)

    fileprivate init(_ path: String, _ descriptor: CInt, _ member: MemberKeys) {
        self.path = path
        self.descriptor = descriptor
        self.member = member
    }

    deinit { close(descriptor) }

    /// What was wrong, for the person, if something could not be written.
    var warning: String? { failure.withLock { $0 } }

    /// Which of a band's two records is the parent's.
    enum Slot: Int, CaseIterable {
        case first, second

        var other: Slot { self == .first ? .second : .first }
    }

    /// Puts the fingerprints that belong to the band map into `blocks`, and returns where they are; nil if they are not known.
    func load(_ band: UInt64, _ map: ChunkID, into blocks: inout BandBlocks) -> Slot? {
        for slot in Slot.allCases {
            let place = BlockCache.place(band, slot)
            let count = unsafe blocks.withMutableBytes { bytes in unsafe pread(descriptor, bytes.baseAddress, bytes.count, place) }
            if count == BandBlocks.byteCount, blocks.open(map, member) { return slot }
        }
        return nil
    }

    /// Keeps fingerprints beside those of the parent. After a failure none are kept any more.
    ///
    /// - Parameter parent: where the parent's are.
    func store(_ blocks: inout BandBlocks, _ band: UInt64, _ map: ChunkID, parent: Slot?) {
        guard warning == nil else { return }
        blocks.seal(map, member)
        let place = BlockCache.place(band, parent?.other ?? .first)
        let count = unsafe blocks.withBytes { bytes in unsafe pwrite(descriptor, bytes.baseAddress, bytes.count, place) }
        guard count != BandBlocks.byteCount else { return }
        let reason = count < 0 ? unsafe String(cString: strerror(errno)) : "no space left"
        failure.withLock { $0 = $0 ?? BlockCache.warning(path, reason) }
        // Others need the last of the space more.
        ftruncate(descriptor, 0)
    }

    private static func place(_ band: UInt64, _ slot: Slot) -> Int { (Int(band) * Slot.allCases.count + slot.rawValue) * BandBlocks.byteCount }

    fileprivate static func warning(_ path: String, _ reason: String) -> String {
        "the cache folder cannot be used, so chunks of which a part changes are stored whole (\(path): \(reason))"
    }
}

/// The folder of a repository's block caches: a file for each volume.
struct BlockCacheFolder {
    /// One that no backup has used for so long is of an image that is gone.
    private static let secondsToKeep: Int64 = 90 * 86_400

    let path: String
    let host: String
    let member: MemberKeys

    /// Nil with a warning if the file cannot be used; other processes may use it at the same time.
    func open(image: String, volume: Int) -> (cache: BlockCache?, warning: String?) {
        let file = "\(path)/\(ObjectDigest.of(Array("\(host)\0\(image)\0\(volume)".utf8)).hexadecimal)"
        do throws(RepositoryError) { try PrivateFile.makeFolders(above: file) } catch { return (nil, BlockCache.warning(path, error.reason)) }
        let descriptor = unsafe holdfast_open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return (nil, BlockCache.warning(file, unsafe String(cString: strerror(errno)))) }
        // In use, even if nothing changes.
        futimens(descriptor, nil)
        return (BlockCache(file, descriptor, member), nil)
    }

    /// - Parameter now: seconds since 1970.
    func removeOld(now: Int64) {
        guard let folder = unsafe opendir(path) else { return }
        defer { unsafe closedir(folder) }
        let descriptor = unsafe dirfd(folder)
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self)) }
            var status = stat()
            guard Digest(hexadecimal: name) != nil, unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            if Int64(status.st_mtim.tv_sec) + BlockCacheFolder.secondsToKeep < now { unsafe unlinkat(descriptor, name, 0) }
        }
    }
}
