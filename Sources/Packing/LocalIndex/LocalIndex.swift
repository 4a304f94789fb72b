package import Bytes
import CLinux
import Glibc
package import RepositoryFormat

/// The part of the index that is kept on this machine: a folder of runs, and a small file CURRENT that names those in use.
///
/// A run is never changed, CURRENT is replaced by renaming, and one process at a time, under a lock, adds or merges runs. Who
/// reads needs no lock: a run that was mapped stays readable after its file was removed.
package struct LocalIndex: Sendable {
    /// More runs are merged into fewer, and so are two of which the newer is not much smaller than the older.
    private static let runCountMax = 4
    private static let sizeRatio = 8
    /// Fewer new chunks than this are cheaper to read from the repository again.
    private static let newChunkCountMin = 1000
    /// Chunks at which documents are stored before more are read: some 50 MiB of memory.
    package static let batchChunkCount = 500_000

    let folder: String

    package init(folder: String) { self.folder = folder }

    /// The runs that can be used now: those whose index objects are all still listed. Oldest first.
    package func load(listed: Set<IndexID>) -> [IndexRun] {
        currentNames().compactMap { IndexRun(path: "\(folder)/\($0)") }.filter { $0.covered.isSubset(of: listed) }
    }

    /// Adds what was read from the repository and is in none of `runs`, if it is worth a run.
    ///
    /// Does nothing if another process is at it. Returns the runs that are in use now, or nil if nothing was done.
    @discardableResult
    package func store(_ documents: [(id: IndexID, document: IndexDocument)], beside runs: [IndexRun]) throws(LocalIndexError) -> [IndexRun]? {
        guard documents.reduce(0, { $0 + $1.document.chunkCount }) >= LocalIndex.newChunkCountMin else { return nil }
        try makeFolder()
        let lock = unsafe holdfast_open("\(folder)/LOCK", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw LocalIndexError(path: "\(folder)/LOCK") }
        defer { close(lock) }
        guard holdfast_try_lock(lock) == 0 else { return nil }
        // Somebody may have added to the runs since they were loaded; then the next time will do.
        guard currentNames().filter({ name in runs.contains { $0.path == "\(folder)/\(name)" } }).count == runs.count else { return nil }
        var current = runs
        let path = freshPath()
        try IndexRunWriter.write(documents, to: path)
        try append(path, &current)
        while let last = current.last, current.count > 1,
            current.count > LocalIndex.runCountMax || last.entryCount * LocalIndex.sizeRatio > current[current.count - 2].entryCount
        {
            let merged = freshPath()
            try IndexRunWriter.merge(current[current.count - 2], last, to: merged)
            current.removeLast(2)
            try append(merged, &current)
        }
        try replaceCurrent(current)
        removeUnused(current)
        return current
    }

    private func append(_ path: String, _ runs: inout [IndexRun]) throws(LocalIndexError) {
        guard let run = IndexRun(path: path) else { throw LocalIndexError(path: path, reason: "it cannot be read back") }
        runs.append(run)
    }

    /// A name that no run had before on this machine, even if another process died while it wrote one.
    private func freshPath() -> String {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return "\(folder)/run-\(getpid())-\(now.tv_sec)-\(now.tv_nsec)"
    }

    private func currentNames() -> [String] {
        let descriptor = unsafe holdfast_open("\(folder)/CURRENT", O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        guard count > 0, count < bytes.count else { return [] }
        // Only names that this program makes: the file must not lead out of its folder.
        return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
            .filter { $0.hasPrefix("run-") && !$0.contains("/") }
    }

    private func replaceCurrent(_ runs: [IndexRun]) throws(LocalIndexError) {
        let path = "\(folder)/CURRENT"
        let text = Array(runs.map { $0.path.dropFirst(folder.count + 1) + "\n" }.joined().utf8)
        let descriptor = unsafe holdfast_open("\(path).new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw LocalIndexError(path: path) }
        let isWritten = unsafe write(descriptor, text, text.count) == text.count && fsync(descriptor) == 0
        let isClosed = close(descriptor) == 0
        guard isWritten, isClosed, unsafe rename("\(path).new", path) == 0 else { throw LocalIndexError(path: path) }
    }

    /// Removes run files that CURRENT no longer names. One that cannot be removed only takes space.
    private func removeUnused(_ runs: [IndexRun]) {
        for name in LocalIndex.names(in: folder) where name.hasPrefix("run-") && !runs.contains(where: { $0.path == "\(folder)/\(name)" }) {
            unsafe unlink("\(folder)/\(name)")
        }
    }

    /// Of everything in a folder; none if it cannot be listed.
    static func names(in folder: String) -> [String] {
        guard let stream = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            names.append(
                unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
                })
        }
        return names
    }

    private func makeFolder() throws(LocalIndexError) {
        var end = folder.index(after: folder.startIndex)
        while true {
            let slash = folder[end...].firstIndex(of: "/") ?? folder.endIndex
            let part = String(folder[..<slash])
            if unsafe mkdir(part, 0o700) != 0, errno != EEXIST { throw LocalIndexError(path: part) }
            guard slash < folder.endIndex else { return }
            end = folder.index(after: slash)
        }
    }
}

extension IndexDocument {
    package var chunkCount: Int { packs.reduce(0) { $0 + $1.directory.segments.reduce(0) { $0 + $1.chunks.count } } }
}
