import Bytes
import CLinux
import Glibc
public import Storage
import Synchronization

/// A repository in a folder of this machine, or of one that is mounted here. Ordering: Specs/ordering.md.
///
/// Calls block. Any number of threads, processes and machines may use one repository at a time.
public final class LocalStorage: StorageBackend {
    public let place: String
    let calls: FileCalls
    let changedFolders = ChangedFolders()
    /// Until this file system has shown that it cannot make files without a name.
    private let usesNamelessFiles: Mutex<Bool>
    private let sweptFolders = Mutex<Set<String>>([])

    /// The repository at `path`, whether or not there is one yet. Nothing is read or written.
    public convenience init(path: String) {
        self.init(path: path, calls: .live)
    }

    package init(path: String, calls: FileCalls) {
        place = absolutePath(path)
        self.calls = calls
        // A nameless file gets its name through /proc, which a rescue system may not have mounted.
        usesNamelessFiles = Mutex(unsafe access("/proc/self/fd", F_OK) == 0)
    }

    /// Create-if-absent is atomic on every file system that has link(2) or renameat2(2); `verifyCreateIfAbsent()` tries it out.
    /// A network file system may answer a listing from a cache.
    public var capabilities: StorageCapabilities {
        StorageCapabilities(createsAtomically: true, listsConsistently: !FileSystemKind.isNetwork(path: place))
    }

    public func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome {
        do throws(ErrorNumber) {
            return try store(name, bytes)
        } catch {
            guard error.code == ENOENT else { throw error.storageError(object: path(of: name), operation: "writing") }
        }
        try makeMissingFolders(for: name)
        do throws(ErrorNumber) {
            return try store(name, bytes)
        } catch {
            throw error.storageError(object: path(of: name), operation: "writing")
        }
    }

    /// Local 6.
    public func barrier() throws(StorageError) {
        if Mutant.skipsFolderSync.isActive { return }
        try changedFolders.synchronizeAll { folder throws(StorageError) in
            try openFolder(folder)
        } _: { folder, file throws(StorageError) in
            try synchronize(folder, file)
        }
    }

    public func delete(_ name: ObjectName) throws(StorageError) {
        do throws(ErrorNumber) {
            try calls.unlink(path(of: name))
        } catch {
            guard error.code == ENOENT else { throw error.storageError(object: path(of: name), operation: "deleting") }
            try requireRepository(around: name)
            return
        }
        changedFolders.insert(folder(of: name))
    }

    /// Local 1 to 5.
    private func store(_ name: ObjectName, _ bytes: Span<UInt8>) throws(ErrorNumber) -> PutOutcome {
        try write(bytes, in: folder(of: name), as: path(of: name))
    }

    func write(_ bytes: Span<UInt8>, in folder: String, as path: String) throws(ErrorNumber) -> PutOutcome {
        if usesNamelessFiles.withLock({ $0 }) {
            do throws(ErrorNumber) {
                return try write(bytes, in: folder, as: path, nameless: true)
            } catch {
                guard NewFile.isUnsupportedWithoutName(error) else { throw error }
                usesNamelessFiles.withLock { $0 = false }
            }
        }
        try removeLeftovers(from: folder)
        return try write(bytes, in: folder, as: path, nameless: false)
    }

    private func write(_ bytes: Span<UInt8>, in folder: String, as path: String, nameless: Bool) throws(ErrorNumber) -> PutOutcome {
        let direct = bytes.count >= NewFile.directByteCountMin && isAligned(bytes)
        var file = nameless
            ? try NewFile.nameless(in: folder, direct: direct, calls: calls)
            : try NewFile.named(in: folder, direct: direct, calls: calls)
        try file.write(bytes)
        try file.synchronize()
        let outcome = try file.publish(as: path)
        // Local 5. Only now: a barrier between the two would take the folder off the list before the name is in it. An occupied name
        // counts too, because the caller is going to rely on it all the same.
        if outcome == .created || !Mutant.forgetsOccupiedFolder.isActive { changedFolders.insert(folder) }
        return outcome
    }

    public func availableByteCount() throws(StorageError) -> UInt64? {
        let byteCount = unsafe holdfast_available_bytes(place)
        return byteCount == .max ? nil : byteCount
    }

    private func removeLeftovers(from folder: String) throws(ErrorNumber) {
        guard sweptFolders.withLock({ $0.insert(folder).inserted }) else { return }
        try Leftovers.remove(from: folder, calls: calls)
    }
}

private func isAligned(_ bytes: Span<UInt8>) -> Bool {
    unsafe bytes.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) % UInt(AlignedBuffer.alignment) == 0 }
}

/// Absolute, so that a change of the working folder does not move the repository, and without a slash at the end.
private func absolutePath(_ path: String) -> String {
    var path = path
    if !path.hasPrefix("/"), let current = unsafe getcwd(nil, 0) {
        path = unsafe "\(String(cString: current))/\(path)"
        unsafe free(current)
    }
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
}
