import Bytes
package import RepositoryFormat
import Storage

/// Reads segments of packs unopened, by the packs' own directories: the index keeps no digests. Keeps the directories that were read last.
package struct PackDirectories {
    /// Some hundred KiB each.
    private static let countMax = 256

    private let packs: PackFile
    private var known: [PackID: PackDirectory] = [:]

    package init(_ packs: PackFile) { self.packs = packs }

    /// A segment, and its sealed bytes, after their digest was verified.
    ///
    /// - Throws: `.damaged` if the directory is, or says something else than the index does, or if the digest does not fit; `.storage`.
    package mutating func readSegment(_ number: UInt32, of pack: PackRecord) throws(PackingError) -> (segment: PackDirectory.Segment, bytes: [UInt8]) {
        let segment = try directory(of: pack).segments[Int(number)]
        return (segment, try packs.readSegment(pack.name, segment))
    }

    private mutating func directory(of pack: PackRecord) throws(PackingError) -> PackDirectory {
        if let directory = known[pack.id] { return directory }
        let directory = try packs.readDirectory(ObjectInfo(name: pack.name, byteCount: pack.byteCount), pack.kind)
        guard pack.describes(directory) else { throw .damaged(object: pack.name.path, reason: "its directory is not what the index says") }
        if known.count >= PackDirectories.countMax { known.removeAll() }
        known[pack.id] = directory
        return directory
    }
}
