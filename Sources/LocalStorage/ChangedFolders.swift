import Storage
import Synchronization

/// The folders whose names have changed since they were last made durable (Local 5 and 6 of Specs/ordering.md).
final class ChangedFolders: Sendable {
    private let changed = Mutex<Set<String>>([])
    /// Held for a whole synchronisation: whoever finds nothing left to do must not return before the others have finished.
    /// Keeps the first failure, because fsync reports a lost write once and later says that all is well.
    private let synchronisation = Mutex<StorageError?>(nil)

    func insert(_ folder: String) {
        changed.withLock { _ = $0.insert(folder) }
    }

    /// Runs both steps for each folder: `open`, which may be tried again, and `fsync`, which after a failure may not.
    func synchronizeAll(
        _ open: (String) throws(StorageError) -> OpenFile,
        _ fsync: (String, borrowing OpenFile) throws(StorageError) -> Void
    ) throws(StorageError) {
        try synchronisation.withLock { (failure: inout StorageError?) throws(StorageError) in
            if let failure { throw failure }
            var folders = changed.withLock { folders in
                let all = folders.sorted(by: >)
                folders = []
                return all
            }
            while let folder = folders.last {
                let file: OpenFile
                do throws(StorageError) {
                    file = try open(folder)
                } catch {
                    changed.withLock { $0.formUnion(folders) }
                    throw error
                }
                do throws(StorageError) {
                    try fsync(folder, file)
                } catch {
                    failure = error
                    throw error
                }
                folders.removeLast()
            }
        }
    }
}
