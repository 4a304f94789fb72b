import Bytes
import Glibc
public import Storage

extension LocalStorage {
    public func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] {
        let object = try openObject(name)
        guard object.byteCount <= byteCountMax else { throw .tooLarge(name, byteCount: object.byteCount, limit: byteCountMax) }
        return try read(name, object, 0..<object.byteCount)
    }

    public func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] {
        let object = try openObject(name)
        guard range.upperBound <= object.byteCount else {
            throw .shortObject(name, byteCount: object.byteCount, expected: range.upperBound)
        }
        return try read(name, object, range)
    }

    public func get(_ name: ObjectName, at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(StorageError) {
        let object = try openObject(name)
        let range = offset..<offset + UInt64(bytes.count)
        guard range.upperBound <= object.byteCount else {
            throw .shortObject(name, byteCount: object.byteCount, expected: range.upperBound)
        }
        try read(name, object, range, into: &bytes)
    }

    public func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? {
        let path = path(of: name)
        let status: FileStatus?
        do throws(ErrorNumber) {
            status = try FileStatus.at(path)
        } catch {
            throw error.storageError(object: path, operation: "looking it up")
        }
        guard let status else {
            try requireRepository(around: name)
            return nil
        }
        guard status.isRegularFile else { throw notAnObject(path) }
        // Local 5. Whoever asks may be going to rely on it, and its writer may not have got to its own barrier.
        if !Mutant.forgetsFoundFolder.isActive { changedFolders.insert(folder(of: name)) }
        return ObjectInfo(name: name, byteCount: status.byteCount)
    }

    public func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] {
        guard kind.isFolder else { return try stat(.config).map { [$0] } ?? [] }
        let folder = folder(of: kind)
        guard let stream = try openListing(folder) else {
            // A copying program may have left the empty folder out. Without `config` nothing says that this is a repository.
            if !Mutant.takesMissingForEmpty.isActive { try requireConfig() }
            return []
        }
        guard kind.isFannedOut else { return try objects(in: folder, stream, kind) }
        var found: [ObjectInfo] = []
        while let fan = try nextEntry(of: folder, stream) {
            guard isFanName(fan) else { continue }
            let fanFolder = "\(folder)/\(fan)"
            guard let fanStream = try openListing(fanFolder) else {
                throw .failed(object: fanFolder, operation: "listing", reason: "the folder vanished while its parent was listed")
            }
            found += try objects(in: fanFolder, fanStream, kind).filter { $0.name.leaf.hasPrefix(fan) }
        }
        return found
    }

    /// The regular files with a legal name; everything else is not an object, and no concern of this repository.
    private func objects(in folder: String, _ stream: FolderStream, _ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] {
        var found: [ObjectInfo] = []
        while let leaf = try nextEntry(of: folder, stream) {
            guard let name = ObjectName(validating: kind, leaf: leaf) else { continue }
            let status: FileStatus?
            do throws(ErrorNumber) {
                status = try FileStatus.at(leaf, below: stream.descriptor)
            } catch {
                throw error.storageError(object: "\(folder)/\(leaf)", operation: "looking it up")
            }
            // Gone: it was deleted since the folder was read.
            guard let status, status.isRegularFile else { continue }
            found.append(ObjectInfo(name: name, byteCount: status.byteCount))
        }
        return found
    }

    /// Nil when there is no such folder.
    private func openListing(_ folder: String) throws(StorageError) -> FolderStream? {
        do throws(ErrorNumber) {
            return try FolderStream.open(folder, calls: calls)
        } catch {
            if error.code == ENOENT { return nil }
            throw error.storageError(object: folder, operation: "listing")
        }
    }

    private func nextEntry(of folder: String, _ stream: FolderStream) throws(StorageError) -> String? {
        do throws(ErrorNumber) {
            return try calls.nextEntry(stream)
        } catch {
            throw error.storageError(object: folder, operation: "listing")
        }
    }

    private func openObject(_ name: ObjectName) throws(StorageError) -> OpenObject {
        let path = path(of: name)
        do throws(ErrorNumber) {
            // Non-blocking: opening a pipe that someone put there would wait for a writer.
            let file = try OpenFile(path, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, calls: calls)
            let status = try file.status()
            guard status.isRegularFile else { throw ErrorNumber(code: EISDIR) }
            return OpenObject(file: file, byteCount: status.byteCount)
        } catch {
            switch error.code {
            case ENOENT, ENOTDIR: break
            case EISDIR, ENXIO: throw notAnObject(path)
            default: throw error.storageError(object: path, operation: "opening")
            }
        }
        try requireRepository(around: name)
        throw .notFound(name)
    }

    /// - Precondition: `range` ends within the object's size.
    private func read(_ name: ObjectName, _ object: borrowing OpenObject, _ range: Range<UInt64>) throws(StorageError) -> [UInt8] {
        var failure: StorageError?
        // Safe: the memory is written from its start, and counted as initialised only if all of it was written.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: range.count) { memory, byteCount in
            var span = unsafe MutableSpan(_unsafeElements: memory[..<range.count])
            do throws(StorageError) {
                try read(name, object, range, into: &span)
                byteCount = range.count
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// - Precondition: `range` ends within the object's size, and is as long as `bytes`.
    private func read(
        _ name: ObjectName, _ object: borrowing OpenObject, _ range: Range<UInt64>, into bytes: inout MutableSpan<UInt8>
    ) throws(StorageError) {
        var byteCount = 0
        while byteCount < range.count {
            let count: Int
            do throws(ErrorNumber) {
                count = try unsafe bytes.withUnsafeMutableBytes { memory throws(ErrorNumber) in
                    var rest = unsafe MutableSpan<UInt8>(_unsafeBytes: memory[byteCount...])
                    return try calls.read(object.file.descriptor, &rest, Int64(range.lowerBound) + Int64(byteCount))
                }
            } catch {
                if error.code == EINTR { continue }
                throw error.storageError(object: path(of: name), operation: "reading")
            }
            if count == 0 { throw .shortObject(name, byteCount: range.lowerBound + UInt64(byteCount), expected: range.upperBound) }
            byteCount += count
        }
    }

    private func notAnObject(_ path: String) -> StorageError {
        .failed(object: path, operation: "opening", reason: "it is not a regular file, which every object is")
    }
}

private struct OpenObject: ~Copyable {
    let file: OpenFile
    let byteCount: UInt64
}

private func isFanName(_ name: String) -> Bool {
    name.utf8.count == 2 && Hexadecimal.decode(name) != nil
}
