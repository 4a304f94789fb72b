import ImageRepository
import Storage

/// What somebody finds who opens the repository after the operation.
struct Finding {
    let client: Client
    let storage: MemoryStorage
    /// Forgotten ones included.
    let snapshots: [Snapshot]

    init(_ client: Client, _ storage: MemoryStorage) throws {
        self.client = client
        self.storage = storage
        snapshots = try client.snapshots()
    }

    func has(_ isSuch: (ObjectName) -> Bool) -> Bool { storage.objects.keys.contains(where: isSuch) }
}
