import Glibc
public import Storage

extension LocalStorage {
    /// Creates the root, the folders above it that are missing, one folder per kind and 256 below each fanned-out kind, and makes
    /// their names durable. What is there already is left as it is, but synchronised: an earlier attempt may have died before.
    public func prepare() throws(StorageError) {
        var newFolders: [String] = []
        var ancestor = place
        while ancestor != "/", try statusOfFolder(ancestor) == nil {
            newFolders.append(ancestor)
            ancestor = parentFolder(of: ancestor)
        }
        for folder in newFolders.reversed() { try makeFolder(folder) }
        for kind in ObjectKind.allCases where kind.isFolder {
            try makeFolder(folder(of: kind))
            guard kind.isFannedOut else { continue }
            for fan in fanNames { try makeFolder("\(folder(of: kind))/\(fan)") }
            changedFolders.insert(folder(of: kind))
        }
        changedFolders.insert(place)
        if newFolders.isEmpty { try synchronizeIfPermitted(parentFolder(of: place)) }
        for folder in newFolders { changedFolders.insert(parentFolder(of: folder)) }
        try barrier()
    }

    func folder(of kind: ObjectKind) -> String {
        kind.isFolder ? "\(place)/\(kind.rawValue)" : place
    }

    func folder(of name: ObjectName) -> String {
        parentFolder(of: path(of: name))
    }

    func path(of name: ObjectName) -> String {
        place == "/" ? "/\(name.path)" : "\(place)/\(name.path)"
    }

    /// Makes the folder of an object that a copying program left out because it was empty.
    ///
    /// Only in a repository, told by its `config` or by the kind's folder: the root alone may be the place where a disk that
    /// holds the repository is not mounted at the moment.
    func makeMissingFolders(for name: ObjectName) throws(StorageError) {
        try requireRepository(around: name)
        guard name.kind.isFolder else { return }
        if try statusOfFolder(folder(of: name.kind)) == nil {
            try makeFolder(folder(of: name.kind))
            changedFolders.insert(place)
        }
        guard name.kind.isFannedOut else { return }
        try makeFolder(folder(of: name))
        changedFolders.insert(folder(of: name.kind))
    }

    /// - Throws: `.noRepository` unless the kind's folder or, with the root, `config` is there.
    func requireRepository(around name: ObjectName) throws(StorageError) {
        // A file in the place of the whole repository is none.
        if !name.kind.isFolder, !isFolder(place) { throw .noRepository(place: place) }
        if try statusOfFolder(folder(of: name.kind)) != nil { return }
        try requireConfig()
    }

    /// - Throws: `.noRepository` unless `config` is there.
    func requireConfig() throws(StorageError) {
        let path = path(of: .config)
        do throws(ErrorNumber) {
            if try FileStatus.at(path) != nil { return }
        } catch {
            throw error.storageError(object: path, operation: "looking it up")
        }
        throw .noRepository(place: place)
    }

    func openFolder(_ folder: String) throws(StorageError) -> OpenFile {
        do throws(ErrorNumber) {
            return try OpenFile(folder, flags: O_RDONLY | O_DIRECTORY, calls: calls)
        } catch {
            throw error.storageError(object: folder, operation: "opening the folder")
        }
    }

    /// Some file systems cannot synchronise folders and say so (SMB, FAT); names there are as durable as they get.
    func synchronize(_ folder: String, _ file: borrowing OpenFile) throws(StorageError) {
        let descriptor = file.descriptor
        do throws(ErrorNumber) {
            try retryingInterrupts { () throws(ErrorNumber) in try calls.synchronizeFolder(descriptor) }
        } catch {
            if [EINVAL, EOPNOTSUPP].contains(error.code) { return }
            throw error.storageError(object: folder, operation: "making names durable")
        }
    }

    /// A folder above a root that was there before may be another user's; then so was the root's name, and it is not ours to secure.
    private func synchronizeIfPermitted(_ folder: String) throws(StorageError) {
        do throws(StorageError) {
            try synchronize(folder, try openFolder(folder))
        } catch {
            switch error {
            case .accessDenied, .readOnly: break
            default: throw error
            }
        }
    }

    private func makeFolder(_ path: String) throws(StorageError) {
        do throws(ErrorNumber) {
            try calls.makeFolder(path)
        } catch {
            guard error.code == EEXIST else { throw error.storageError(object: path, operation: "creating the folder") }
            guard try statusOfFolder(path) != nil else {
                throw .unavailable(object: path, reason: "the folder was removed while it was looked at")
            }
        }
    }

    /// True also where nothing can be said.
    private func isFolder(_ path: String) -> Bool {
        do throws(ErrorNumber) { return try FileStatus.at(path, followingLinks: true)?.isFolder ?? true } catch { return true }
    }

    /// Nil when there is nothing. - Throws: `.failed` when there is something else.
    private func statusOfFolder(_ path: String) throws(StorageError) -> FileStatus? {
        do throws(ErrorNumber) {
            guard let status = try FileStatus.at(path, followingLinks: true) else { return nil }
            guard status.isFolder else { throw ErrorNumber(code: ENOTDIR) }
            return status
        } catch {
            throw error.storageError(object: path, operation: "looking up the folder")
        }
    }
}

/// `00` to `ff`.
let fanNames: [String] = (0..<256).map { number in
    let digits = String(number, radix: 16)
    return digits.count == 1 ? "0\(digits)" : digits
}
